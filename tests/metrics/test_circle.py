"""What the page of the metrics says of circular factors in two latents, held to the numbers."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from unweave.metrics import METRICS

PAGE = Path(__file__).parents[2] / "docs/metrics/README.md"
SIZES = (4, 5, 12)
FACTORS = np.random.default_rng(0).permutation(
    np.tile(np.stack(np.unravel_index(np.arange(np.prod(SIZES)), SIZES), axis=1), (5, 1))
)
ANGLE = 2 * np.pi * FACTORS[:, 2] / SIZES[2]
ONE = np.column_stack([FACTORS[:, :2], ANGLE])
TWO = np.column_stack([FACTORS[:, :2], np.cos(ANGLE), np.sin(ANGLE)])
LOST = 0.02  # a smaller loss is estimation error


def named(verb):
    """The metrics that a sentence of the page is about, by the words that follow them."""
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    found = re.search(rf"((?:`\w+`(?:, | and )?)+) {verb}", text)
    return re.findall(r"`(\w+)`", found[1])


def lost(name):
    score = partial(METRICS[name], factor_kinds=["ordinal", "ordinal", "circular"], noise=None)
    return float(score(ONE, FACTORS)) - float(score(TWO, FACTORS))


@pytest.mark.parametrize("name", named("ask whether a latent has one factor"))
def test_metrics_of_modularity_do_not_punish_a_circle_in_two_latents(name):
    assert lost(name) < LOST


@pytest.mark.parametrize("name", named("ask what all latents know together"))
def test_metrics_of_all_latents_together_do_not_punish_it(name):
    assert lost(name) < LOST


@pytest.mark.parametrize("name", named("ask for one latent a factor"))
def test_metrics_of_compactness_punish_it(name):
    assert lost(name) > 2 * LOST


@pytest.mark.parametrize("name", named("claim the same"))
def test_gaps_over_factors_punish_it_though_they_claim_not_to(name):
    assert lost(name) > 2 * LOST


@pytest.mark.parametrize("name", ["mcc", "subspace_angle"])
def test_metrics_that_know_of_the_circle_do_not_punish_it(name):
    assert lost(name) < LOST


def test_the_sentences_name_these_metrics():
    assert {"infom", "dci_disentanglement", "modularity"} <= set(
        named("ask whether a latent has one factor")
    )
    assert {"mig", "infoc"} <= set(named("ask for one latent a factor"))
