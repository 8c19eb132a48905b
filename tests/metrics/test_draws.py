"""How many draws each metric spends on its noise, against the table of the docs."""

import re
from pathlib import Path

import numpy as np
import pytest

from unweave.metrics import METRICS, Noise, evaluate, metric

PAGE = Path(__file__).parents[2] / "docs" / "metrics" / "README.md"
SHARES = {"all": 1, "a half": 2, "a fifth": 5, "a tenth": 10}
NOISE = Noise(n_permutations=300, n_projections=60, n_halves=240)


def told():
    """By metric, how many times fewer draws the page says that it takes."""
    rows = re.findall(r"^\| (all|a half|a fifth|a tenth) \| (.*) \|$", PAGE.read_text(), re.M)
    return {name: SHARES[share] for share, names in rows for name in re.findall(r"`(.*?)`", names)}


@pytest.mark.parametrize("n_latents", [3, 65])
def test_each_metric_takes_the_share_of_draws_that_the_page_says(n_latents, rng, monkeypatch):
    taken, draw = {}, metric._Draws.of

    def noted(metrics, sample, noise, failed):
        few = draw(metrics, sample, Noise(2, 2, 2), failed)
        thinned = noise.thinned(metric.thinned_by(metrics[0], sample))
        taken.update({name: thinned for one in metrics for name in one.names})
        return few

    monkeypatch.setattr(metric._Draws, "of", noted)
    factors = np.stack([rng.integers(0, 2, 300), rng.integers(0, 2, 300)], axis=1)
    codes = rng.standard_normal((300, n_latents))
    codes[:, :2] = factors + 0.1 * codes[:, :2]
    evaluate(codes, factors, metrics=list(METRICS), noise=NOISE)
    expected = told()
    assert set(taken) == set(expected) == set(METRICS)
    for name, noise in taken.items():
        by = expected[name] if n_latents <= 64 else {1: 1, 2: 10}.get(expected[name], 30)
        found = noise.n_permutations, noise.n_projections, noise.n_halves
        assert found == (300 // by, 60 // by, 240 // by), name
