"""Which scales a table has scores over."""

import numpy as np
import polars as pl

from unweave.reports.analysis import scalings

SHARED = {
    "dataset": "rooms", "network": "burgess", "depth": 1, "n_images": 480_000, "batch_size": 64,
    "learning_rate": 5e-4, "optimizer": "adam", "weight_decay": None, "gradient_clip": None,
    "schedule": "constant", "cpu_minutes": None, "metric": "mig", "label": "VAE",
    "chance_mean": 0.0,
}  # fmt: skip


def table(settings):
    rng = np.random.default_rng(0)
    rows = [
        {**SHARED, "run": f"{i}-{seed}", "seed": seed, "value": rng.normal(), **one}
        for i, one in enumerate(settings)
        for seed in range(3)
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def widths(steps):
    return [
        {"width": w, "parameters": int(1000 * w * w), "n_latents": 12, "step": s, "flops": f}
        for w, s, f in steps
    ]


def test_parameters_at_equal_steps():
    (found,) = scalings(table(widths([(1, 400, 4e9), (2, 400, 16e9), (4, 400, 64e9)])))
    assert found.axis == "parameters"
    assert list(found.x) == [1000, 4000, 16_000]


def test_parameters_at_equal_flops():
    """Steps fall as networks grow, and that is one scale and not three."""
    (found,) = scalings(table(widths([(1, 1600, 16e9), (2, 400, 16.2e9), (4, 100, 15.8e9)])))
    assert found.axis == "parameters"
    assert list(found.x) == [1000, 4000, 16_000]
    assert found.scores.shape == (3, 3)


def test_neither_equal_steps_nor_equal_flops_is_not_a_scale():
    assert scalings(table(widths([(1, 1600, 16e9), (2, 800, 32e9), (4, 100, 15.8e9)]))) == []


def test_latents():
    settings = [
        {"width": 1.0, "parameters": 1000 + n, "n_latents": n, "step": 400, "flops": 4e9}
        for n in (6, 12, 24, 48)
    ]
    (found,) = scalings(table(settings))
    assert found.axis == "n_latents"
    assert list(found.x) == [6, 12, 24, 48]
