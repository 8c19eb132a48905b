"""Encoders on images that are not a full grid."""

import numpy as np
import pytest

from unweave.datasets import ArrayDataset, Factor, ImageTable
from unweave.encoders import PROTOCOLS, encode_rows, load_encoder, save_codes
from unweave.encoders.protocols import ProtocolError

IMAGES = ArrayDataset(
    np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8), name="noise"
)
VALUES = np.stack([np.arange(30) % 3, np.arange(30.0)], axis=1)
VALUES[:5, 0] = np.nan
TABLE = ImageTable(
    IMAGES, [Factor("kind", (0, 1, 2), "categorical"), Factor("size", kind="continuous")], VALUES
)


def test_rows_are_labelled_ones_each_once():
    sound = PROTOCOLS["sound"]
    assert sorted(sound.rows(TABLE, seed=0)) == list(range(5, 30))
    assert sorted(sound.rows(IMAGES, seed=0)) == list(range(30))
    assert len(sound.rows(TABLE, 7, seed=0)) == 7


def test_the_papers_protocol_is_for_black_and_white():
    with pytest.raises(ProtocolError, match="is for black and white images, and those of noise"):
        PROTOCOLS["paper"].rows(IMAGES, seed=0)
    black = ArrayDataset(np.arange(480).reshape(30, 4, 4, 1) % 3 == 0, name="black")
    black.binary = True
    dataset = ImageTable(black, TABLE.factor_columns, VALUES)
    assert PROTOCOLS["paper"].rows(dataset, 4, seed=0).tolist() == [5, 6, 7, 8]


@pytest.mark.parametrize("name", ["pixels", "pca:4", "ica:2"])
def test_colour_images_of_any_dataset_are_encoded(name, tmp_path):
    encoder = load_encoder(name, dataset=IMAGES)
    codes = encode_rows(encoder, IMAGES, np.arange(30), folder=tmp_path)
    assert codes.shape == (30, {"pixels": 192, "pca:4": 4, "ica:2": 2}[name])
    if name != "pixels":
        assert encoder.card.weights == "fitted to 30 images"


def test_codes_keep_the_factors_that_are_known(tmp_path):
    codes = np.zeros((30, 2), np.float32)
    save_codes(tmp_path / "a.npz", codes, IMAGES, np.arange(30))
    with np.load(tmp_path / "a.npz") as found:
        assert set(found) == {"codes", "rows"}
    save_codes(tmp_path / "b.npz", codes[:25], TABLE, np.arange(5, 30))
    with np.load(tmp_path / "b.npz") as found:
        assert found["factor_names"].tolist() == ["kind", "size"]
    save_codes(tmp_path / "c.npz", codes, TABLE, np.arange(30))
    with np.load(tmp_path / "c.npz") as found:
        assert found["factor_names"].tolist() == ["size"]
    nothing = ImageTable(IMAGES, TABLE.factor_columns[:1], np.full((30, 1), np.nan))
    save_codes(tmp_path / "d.npz", codes, nothing, np.arange(30))
    with np.load(tmp_path / "d.npz") as found:
        assert "factors" not in found
