"""The pictures of a model, in a browser and as files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from unweave.datasets import DSprites
from unweave.models import VAE, Network, build_vae
from unweave.models.vae import mean_divergence
from unweave.reports.model import write_model_page
from unweave.studies.pictures import pictures


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    model = build_vae(Network(width=0.125, n_latents=3), (64, 64, 1), seed=0).eval()
    folder = tmp_path_factory.mktemp("show")
    return write_model_page(model, DSprites(), folder, title="A model")


def test_the_page_opens_in_a_browser(page, browser):
    opened = browser.new_context(offline=True, viewport={"width": 390, "height": 800}).new_page()
    problems = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.goto(Path(page).as_uri())
    opened.eval_on_selector_all("details", "all => all.forEach(d => d.open = true)")
    loaded = opened.eval_on_selector_all("img", "all => all.map(i => i.naturalWidth > 0)")
    assert loaded == [True] * (2 + 3 + 1 + 1)
    assert opened.locator("svg.figure").count() == 2
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    assert problems == []


def test_the_animation_moves_there_and_back(page):
    with Image.open(page.parent / "traversals.gif") as animation:
        assert animation.size == (3 * 66 - 2, 64)
        frames, milliseconds = [], 0
        for frame in ImageSequence.Iterator(animation):
            frames.append(np.asarray(frame.convert("L"), dtype=int))
            milliseconds += frame.info["duration"]
    assert milliseconds == (2 * 17 - 2) * 70  # frames that do not differ are joined
    assert len(frames) > 5
    distance = [np.abs(frame - frames[0]).sum() for frame in frames]
    assert 0.3 < np.argmax(distance) / len(frames) < 0.7
    with Image.open(page.parent / "traversals.png") as picture:
        assert picture.size == (9 * 66 - 2, 3 * 66 - 2)


class Known(VAE):
    """A model whose second latent is the horizontal place of the sprite; the first is dead."""

    n_inputs = n_latents = 2

    def __init__(self):
        super().__init__(torch.nn.Identity(), torch.nn.Identity(), (64, 64, 1))

    def encode(self, images):
        pixels = images[..., 0].astype(float)
        place = (pixels * np.arange(64)).sum(axis=(1, 2)) / pixels.sum(axis=(1, 2))
        return np.stack([np.zeros(len(images)), (place - 32) / 12], axis=1)

    def encode_with_rates(self, images):
        means = self.encode(images)
        return means, mean_divergence(means, np.tile([0.0, -4.0], (len(images), 1)))

    def decode(self, latents):
        return np.rint(np.clip(latents[:, 1:, None, None] * 60 + 128, 0, 255)).astype(np.uint8) * (
            np.ones((1, 64, 64, 1), dtype=np.uint8)
        )


def test_latents_are_drawn_against_the_factors_that_move_them():
    found = pictures(Known(), DSprites(), seed=0)
    starts = np.cumsum((0, *DSprites().space.sizes))
    by_factor = [found["means"][0, a:b] for a, b in zip(starts, starts[1:], strict=False)]
    ranges = [np.ptp(means) for means in by_factor]
    assert ranges[3] > 2.5  # posX
    assert max(ranges[:3] + ranges[4:]) < 0.6
    assert (np.diff(by_factor[3]) > 0).all()
    assert found["deviations"][0, starts[3] : starts[4]].max() < 0.2
    assert tuple(found["axes"]) == (3, 4)
    plane = found["plane"][0]  # posY down, posX to the right
    assert (np.diff(plane, axis=1) > 0).all()
    assert np.ptp(plane, axis=0).max() < 0.05


def test_traversals_move_one_latent_alone():
    found = pictures(Known(), DSprites(), seed=0)
    assert found["order"].tolist() == [1, 0]
    assert found["rates"][1] == pytest.approx(0)
    moved, still = found["traversals"][:, :, 0, 0, 0].astype(int)
    np.testing.assert_array_equal(moved, np.rint(np.linspace(-2, 2, 17) * 60 + 128))
    assert np.ptp(still) == 0
    np.testing.assert_array_equal(found["reconstructions"], Known().decode(
        Known().encode(found["images"])
    ))  # fmt: skip
