"""Latents that hold nothing, in words."""

import numpy as np
import pytest
import torch

from unweave.models import Network, build_vae
from unweave.models.collapse import collapse_sentence, collapsed_latents
from unweave.reports.model import collapse_text, write_model_page
from unweave.studies.pictures import pictures
from unweave.training.curves import Curves, read_curves

NOTHING = "the model holds nothing of the images"


@pytest.mark.parametrize(
    ("rates", "rate", "sentence"),
    [
        ([0.5, 2.0], "entropy", ""),
        ([0.5, 1e-6], "entropy", ""),
        ([0.5, 0.0], "entropy", "1 of 2 latents takes one value only: 1"),
        ([0.0, 1.0, -0.0, 0.0], "entropy", "3 of 4 latents take one value only: 0, 2 and 3"),
        ([0.0, 0.0], "entropy", f"all 2 latents take one value only: {NOTHING}"),
        ([0.0], "entropy", f"the only latent takes one value only: {NOTHING}"),
        ([0.5, 0.01], "kl", ""),
        ([0.009, 1.0], "kl", "1 of 2 latents holds less than 0.01 nats of an image: 0"),
        ([0.0, 0.0], "kl", f"all 2 latents hold less than 0.01 nats of an image: {NOTHING}"),
    ],
)
def test_collapsed_latents_are_named(rates, rate, sentence):
    assert collapse_sentence(rates, rate) == sentence
    assert collapsed_latents(rates, rate) == [
        j for j, value in enumerate(rates) if (value <= 0 if rate == "entropy" else value < 0.01)
    ]


@pytest.fixture
def dead():
    """A model whose latents 0 and 2 take one value each, whatever the image."""
    network = Network(width=0.25, n_latents=3, latent_space="quantised")
    model = build_vae(network, (32, 32, 1), seed=0).eval()
    last = [layer for layer in model.encoder.modules() if isinstance(layer, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.weight[[0, 2]] = 0
        last.weight[1] *= 100
    return model


def test_the_page_of_a_model_says_so(dead, tmp_path):
    from unweave.datasets import load

    data = load("torus")
    found = pictures(dead, data)
    assert collapse_text(found) == "2 of 3 latents take one value only: 0 and 2"
    page = write_model_page(dead, data, tmp_path, title="x", found=found)
    assert "2 of 3 latents take one value only: 0 and 2." in page.read_text(encoding="utf-8")


def test_the_curve_of_a_collapsed_latent_is_zero(dead, rng, tmp_path):
    images = torch.from_numpy(rng.random((16, 1, 32, 32), dtype=np.float32))
    curves = Curves(tmp_path, 3, rate="entropy")
    curves.add(1, {"loss": 1.0, "reconstruction": 1.0}, dead.posterior(images).rates().tolist())
    curves.close()
    row = read_curves(tmp_path)[0]
    assert [row[f"entropy_{j}"] > 0 for j in range(3)] == [False, True, False]
