"""Which scales a table has scores over."""

from dataclasses import replace

import numpy as np
import polars as pl

from unweave.reports.analysis import analysis
from unweave.reports.figures import drawing
from unweave.reports.scaling import (
    beside_each_other,
    draw_scaling,
    scaling_figure,
    scalings,
    trend_sentences,
)

SHARED = {
    "dataset": "rooms", "network": "burgess", "depth": 1, "n_images": 480_000, "batch_size": 64,
    "learning_rate": 5e-4, "optimizer": "adam", "weight_decay": None, "gradient_clip": None,
    "schedule": "constant", "cpu_minutes": None, "metric": "mig", "label": "VAE",
    "chance_mean": 0.0, "objective": "vae",
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


def two_methods():
    """One rises with width, the other falls; errors of the first predict its scores."""
    rng = np.random.default_rng(0)
    rows = []
    for label, sign in (("QLAE", 1), ("VAE", -1)):
        for k, width in enumerate((1, 2, 4)):
            for seed in range(5):
                value = 0.5 + sign * 0.1 * (k - 1) + 0.01 * rng.normal()
                rows.append({
                    **SHARED, "label": label, "width": width, "parameters": 1000 * width**2,
                    "n_latents": 12, "step": 400, "flops": 1e9 * width**2, "seed": seed,
                    "run": f"{label}-{width}-{seed}", "value": value,
                    "squared_error": 1 - value if label == "QLAE" else rng.uniform(),
                    "strength": None, "options": None, "objective": label.lower(),
                    "mixture_mean": 0.1,
                })  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None)


def test_the_page_says_who_overtakes_whom_and_what_reconstruction_predicts():
    found = analysis(two_methods())
    (order,) = found["orders"]
    assert order.startswith("MIG over parameters: 1 of 1 pairs of methods change places")
    assert "QLAE overtakes VAE (p = " in order
    (sentence,) = found["reconstruction"]
    assert sentence.startswith("MIG: rank correlation -")
    assert "within a method: QLAE -1.00, VAE " in sentence
    assert analysis(two_methods().drop("squared_error"))["reconstruction"] == []


def test_scores_are_shown_beside_those_of_random_mixtures():
    without = scalings(two_methods())
    assert all(np.isnan(one.mixture).all() for one in without)
    assert "random mixtures" not in scaling_figure(without)
    known = scalings(two_methods().with_columns(mixture_upper=0.3 + pl.col("width") / 100))
    assert len(known) == 2
    for one in known:
        np.testing.assert_allclose(one.mixture, [0.31, 0.32, 0.34])
    assert "97.5th percentile" in scaling_figure(known)


def test_settings_that_each_method_has_for_itself_are_a_part_of_it():
    """Methods with other networks and learning rates are compared, and not named by these."""
    is_qlae = pl.col("label") == "QLAE"
    own = two_methods().with_columns(
        pl.when(is_qlae).then(pl.lit("style")).otherwise("network").alias("network"),
        pl.when(is_qlae).then(1e-3).otherwise("learning_rate").alias("learning_rate"),
    )
    found = analysis(own)
    assert [(one.method, one.rest) for one in found["scalings"]] == [("QLAE", ""), ("VAE", "")]
    assert "QLAE overtakes VAE (p = " in found["orders"][0]
    assert len(found["scaling_figures"]) == 1
    assert found["own_settings"] == [
        "network style for QLAE and burgess for VAE",
        "learning rate 0.001 for QLAE and 0.0005 for VAE",
    ]
    assert analysis(two_methods())["own_settings"] == []


def test_own_settings_of_many_methods_are_short():
    is_qlae = pl.col("label") == "QLAE"
    table = pl.concat(
        two_methods().with_columns(
            pl.when(is_qlae).then(pl.lit("style")).otherwise("network").alias("network"),
            pl.when(is_qlae).then("label").otherwise(pl.lit(name)).alias("label"),
            pl.col("run") + name,
        )
        for name in ("VAE", "AE", "β-VAE")
    )
    assert analysis(table)["own_settings"] == ["network style for QLAE and burgess for the others"]


def test_runs_of_a_method_in_different_number_formats_are_counted():
    own = two_methods().with_columns(precision=pl.lit("32-true"))
    assert analysis(own)["precisions"] == ""
    is_chosen = (pl.col("label") == "VAE") & (pl.col("seed") < 2)
    mixed = own.with_columns(
        precision=pl.when(is_chosen).then(pl.lit("bf16-mixed")).otherwise("precision")
    )
    assert analysis(mixed)["precisions"] == "VAE 6 in bf16-mixed and 9 in 32-true"


def test_settings_that_vary_within_a_method_distinguish():
    """The same learning rates for both methods are a part of the study, and not of a method."""
    both = pl.concat(
        two_methods().with_columns(pl.lit(rate).alias("learning_rate"), pl.col("run") + f"-{rate}")
        for rate in (1e-3, 1e-4)
    )
    found = scalings(both)
    assert {one.rest for one in found} == {", learning rate 0.001", ", learning rate 0.0001"}
    assert [len(own) for own in beside_each_other(found)] == [2, 2]
    assert analysis(both)["own_settings"] == []


def test_trends_are_counted_by_method():
    assert trend_sentences(scalings(two_methods())) == [
        "Over parameters, QLAE: 1 of 1 scores rise; VAE: 1 of 1 scores fall."
    ]


def test_the_page_says_whether_metrics_agree_on_seeds():
    table = two_methods()
    second = table.with_columns(pl.lit("sap").alias("metric"), pl.col("value") ** 2)
    ((a, b, one),) = analysis(pl.concat([table, second]))["partial"]
    assert (a, b) == ("mig", "sap")
    assert one.within == 1
    assert one.n_settings == 6


def test_a_figure_has_the_law_of_a_trend_or_one_mean_and_ticks_at_the_levels():
    rises, _ = scalings(two_methods())
    unsure = replace(rises, fit=replace(rises.fit, p_value=0.3))  # the law is not flat all the same
    assert (rises.fit.has_trend, unsure.fit.has_trend) == (True, False)
    with drawing("figure") as (_, axes):
        draw_scaling(axes, [rises, unsure])
        lines = [line.get_ydata() for line in axes.lines if len(line.get_ydata()) == 200]
        labels = [tick.get_text() for tick in axes.get_xticklabels()]
    assert np.ptp(lines[0]) > 0.1
    np.testing.assert_allclose(lines[1], unsure.scores.mean())
    assert labels == ["1k", "4k", "16k"]


def test_a_figure_has_the_means_of_scores_that_turn():
    rises, _ = scalings(two_methods())
    turned = replace(rises, fit=replace(rises.fit, turn=replace(rises.fit.turn, p_value=0.01)))
    with drawing("figure") as (_, axes):
        draw_scaling(axes, [turned])
        (line,) = [
            line for line in axes.lines if line.get_linewidth() == 2 and line.get_ls() == "-"
        ]
    np.testing.assert_array_equal(line.get_ydata(), rises.scores.mean(axis=0))


def test_turns_are_counted_apart():
    is_middle = (pl.col("width") == 2) & (pl.col("label") == "QLAE")
    value = pl.when(is_middle).then(pl.col("value") + 1).otherwise("value")
    assert trend_sentences(scalings(two_methods().with_columns(value=value))) == [
        "Over parameters, QLAE: 1 of 1 scores rise and then fall; VAE: 1 of 1 scores fall."
    ]
