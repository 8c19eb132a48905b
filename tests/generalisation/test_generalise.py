"""Encoders on both parts of a dataset."""

import numpy as np
import pytest

from unweave.datasets import (
    ArrayDataset,
    Factor,
    ImageTable,
    Rooms,
    Torus,
    XYSingleSquare,
    load,
    split,
)
from unweave.encoders import load_encoder
from unweave.encoders.encoder import Card, Encoder
from unweave.encoders.run import RunEncoder
from unweave.generalisation import generalise
from unweave.generalisation.targets import moments_of
from unweave.models import Network, build_vae

FEW = {"n_bootstrap": 50, "readouts": ["ridge"]}


def card(name):
    return Card(name=name, weights="", sha256=name, licence="", source="", parameters=0)


class Centre(Encoder):
    """The centre of the light in an image, which is where a square is."""

    card = card("centre")

    def encode(self, images, *, unscaled=False):
        light = images[..., 0].astype(np.float64)
        total = light.sum(axis=(1, 2))
        places = np.arange(light.shape[1])
        across = (light.sum(axis=1) @ places) / total
        down = (light.sum(axis=2) @ places) / total
        return np.stack([across, down], axis=1).astype(np.float32)


class Perfect(Centre):
    """Decodes without an error."""

    card = card("perfect")

    def __init__(self, dataset):
        images = dataset.images(np.arange(len(dataset)))
        codes = np.round(self.encode(images), 3)
        self.table = {tuple(code): image for code, image in zip(codes, images, strict=True)}

    def decode(self, codes):
        return np.stack([self.table[tuple(np.round(code, 3))] for code in codes])


def test_where_a_square_is_extrapolates_and_its_pixels_do_not():
    parts = split(XYSingleSquare(), "extrapolation")
    assert (len(parts.train), len(parts.held_out)) == (49, 15)
    centre = generalise(Centre(), parts, rows=25, **FEW)
    assert (centre.n_learnt, centre.n_train, centre.n_held_out) == (25, 24, 15)
    mean = centre.transfers["ridge"].mean
    assert mean.held_out == pytest.approx(1, abs=1e-5)
    assert mean.gap == pytest.approx(0, abs=1e-5)
    assert mean.chance > 0.5
    pixels = generalise(load_encoder("pixels"), parts, rows=25, **FEW).transfers["ridge"].mean
    # Squares do not overlap: pixels say nothing of places where there was none.
    assert pixels.held_out == pytest.approx(pixels.chance_held_out, abs=1e-3)


def test_a_random_split_has_no_gap():
    parts = split(Torus(), "random")
    found = generalise(load_encoder("pca:8", dataset=parts.train), parts, rows=1000, **FEW)
    low, high = found.transfers["ridge"].mean.interval
    assert low < 0 < high
    assert found.reconstruction is None


def test_reconstructions():
    data = XYSingleSquare()
    parts = split(data, "extrapolation")
    found = generalise(Perfect(data), parts, rows=25, **FEW).reconstruction
    assert found.train == found.held_out == found.gap == 0
    # Of 64 x 64 pixels, 64 are white in an image, and 1/25 white in 25 places in their mean.
    assert found.chance_held_out == pytest.approx((64 + 25 * 64 / 25**2) / 64**2)
    model = build_vae(Network(width=0.1, n_latents=2), data.image_shape, seed=0)
    rows = parts.held_out.sample_labelled(15, seed=0)
    images = parts.held_out.images(rows)
    decoded = model.decode(model.encode(images))
    expected = np.mean((images / 255 - decoded / 255) ** 2)
    found = generalise(RunEncoder(model, "untrained"), parts, rows=25, **FEW).reconstruction
    assert found.held_out == pytest.approx(expected, rel=1e-5)


def test_variances_are_those_of_all_images():
    parts = split(Rooms(), "montero_extrapolation")
    moments = moments_of(parts.train) + moments_of(parts.held_out)
    assert moments.n == 480_000
    expected = [*[0.5] * 6, np.var(np.arange(8)), *[3 / 16] * 4, np.var(np.arange(15))]
    np.testing.assert_allclose(moments.variances, expected)


def test_images_with_gaps_in_their_factors(rng):
    weight = Factor("weight", kind="continuous")
    values = rng.uniform(size=(200, 1))
    images = np.rint(255 * values)[:, :, None, None] * np.ones((4, 4, 1))
    values[::10] = np.nan
    table = ImageTable(ArrayDataset(images.astype(np.uint8)), [weight], values)
    parts = split(table, "extrapolation")
    assert len(parts.train) + len(parts.held_out) == 180
    found = generalise(load_encoder("pixels"), parts, rows=60, **FEW)
    assert found.transfers["ridge"].mean.held_out == pytest.approx(1, abs=1e-3)
    random = split(table, "random")
    known = sum(np.isfinite(table.all_factors(part.rows)).sum() for part in random)
    assert known == 180
    assert generalise(load_encoder("pixels"), random, rows=500, **FEW).n_held_out < 60


def test_parts_of_two_datasets_are_refused():
    small, large = load("torus?size=16"), Torus()
    with pytest.raises(ValueError, match=r"learn from are of shape \(16, 16, 1\), and those held"):
        generalise(load_encoder("pixels"), (small, large), **FEW)
    other = load("torus?nuisances=x")
    with pytest.raises(ValueError, match="learn from have the factors direction, y, and those"):
        generalise(load_encoder("pixels"), (other, large), **FEW)
    plain = ArrayDataset(np.zeros((5, 8, 8, 1), np.uint8))
    with pytest.raises(ValueError, match="generalisation is read from factors and needs"):
        generalise(load_encoder("pixels"), (plain, plain), **FEW)
