"""3DIdent and Causal3DIdent, on small files as they are published."""

import numpy as np
import pytest
from PIL import Image

from unweave.datasets.official.ident3d import Causal3DIdent, ThreeDIdent

NAMES = (
    "object_x",
    "object_y",
    "object_z",
    "object_alpha",
    "object_beta",
    "object_gamma",
    "spotlight_position",
    "object_hue",
    "spotlight_hue",
    "background_hue",
)


def write(folder, n=11, suffix="", seed=0):
    """As the generator writes: as many digits as n needs, and float32."""
    raw = np.random.default_rng(seed).uniform(-1, 1, (n, 10)).astype(np.float32)
    images = folder / f"images{suffix}"
    images.mkdir(parents=True)
    np.save(folder / f"raw_latents{suffix}.npy", raw)
    for row in reversed(range(n)):
        name = str(row).zfill(int(np.ceil(np.log10(n))))
        Image.new("RGBA", (8, 8), (10 * row, 3 * seed, 0, 255)).save(images / f"{name}.png")
    return raw


def rendered(raw, turn):
    """What was rendered of raw latents: positions in [-3, 3], and angles."""
    return np.concatenate([3 * raw[:, :3], turn * raw[:, 3:]], axis=1)


def test_numbers_of_latents_are_factors(tmp_path):
    raw = write(tmp_path)
    data = ThreeDIdent(tmp_path, size=8)
    assert (len(data), data.image_shape, data.name) == (11, (8, 8, 3), "3dident")
    assert data.factor_names == NAMES
    assert set(data.factor_kinds) == {"continuous"}
    np.testing.assert_allclose(data.factors([10, 2]), raw[[10, 2]])
    assert data.images([10, 2])[:, 4, 4, 0].tolist() == [100, 20]
    assert ThreeDIdent(tmp_path / "raw_latents.npy").image_shape == (64, 64, 3)


@pytest.mark.parametrize("n", [1, 10, 100])
def test_files_have_as_many_digits_as_their_number_needs(tmp_path, n):
    write(tmp_path, n)
    assert len(ThreeDIdent(tmp_path, size=8)) == n


def test_an_angle_is_a_circle_if_a_whole_turn_was_rendered(tmp_path):
    raw = write(tmp_path)
    np.save(tmp_path / "latents.npy", rendered(raw, np.pi / 2))
    assert set(ThreeDIdent(tmp_path).factor_kinds) == {"continuous"}
    np.save(tmp_path / "latents.npy", rendered(raw, np.pi) + 1)
    data = ThreeDIdent(tmp_path)
    assert data.factor_kinds == ("continuous",) * 3 + ("circular",) * 7
    turned = data.factors(np.arange(11))
    np.testing.assert_allclose(turned, np.hstack([raw[:, :3], np.pi * raw[:, 3:]]))
    np.save(tmp_path / "latents.npy", rendered(raw, np.pi)[:5])
    with pytest.raises(
        ValueError, match=r"latents.npy beside the raw latents is of shape \(5, 10\)"
    ):
        ThreeDIdent(tmp_path)


def test_splits_lie_in_folders(tmp_path):
    train, test = write(tmp_path / "3dident" / "train"), write(tmp_path / "3dident" / "test", 4)
    assert len(ThreeDIdent(tmp_path)) == len(train)
    assert len(ThreeDIdent(tmp_path / "3dident", split="test")) == len(test)
    assert len(ThreeDIdent(tmp_path / "3dident" / "test")) == len(test)
    with pytest.raises(FileNotFoundError, match=r"3dident needs test/raw_latents.npy .*4502485"):
        ThreeDIdent(split="test")
    with pytest.raises(ValueError, match="unknown split 'valid'"):
        ThreeDIdent(tmp_path, split="valid")


def test_causal_3dident_has_the_shape_of_the_object_too(tmp_path):
    folder = tmp_path / "trainset"
    counts = [3, 11, 3, 4, 1, 3, 2]
    raw = [write(folder, n, f"_{k}", seed=k) for k, n in enumerate(counts)]
    data = Causal3DIdent(tmp_path, size=8)
    assert (len(data), data.name) == (27, "causal3dident")
    assert data.factor_names == ("object_shape", *NAMES)
    assert data.factor_columns[0].labels[4] == "armadillo"
    rows = [0, 3 + 10, 3 + 11 + 1, 26]
    found = data.factors(rows)
    assert found[:, 0].tolist() == [0, 1, 2, 6]
    np.testing.assert_allclose(found[:, 1:], [raw[0][0], raw[1][10], raw[2][1], raw[6][1]])
    assert data.images(rows)[:, 4, 4].tolist() == [[0, 0, 0], [100, 3, 0], [10, 6, 0], [10, 18, 0]]
    for k, latents in enumerate(raw):
        np.save(folder / f"latents_{k}.npy", rendered(latents, np.pi))
    assert Causal3DIdent(folder).factor_kinds[4:] == ("circular",) * 7
    (folder / "raw_latents_5.npy").unlink()
    with pytest.raises(FileNotFoundError, match="causal3dident needs raw_latents_5.npy"):
        Causal3DIdent(folder)
    with pytest.raises(FileNotFoundError, match="causal3dident needs testset/raw_latents_0.npy"):
        Causal3DIdent(tmp_path, split="test")


def test_latents_and_images_that_cannot_be_used(tmp_path):
    raw = write(tmp_path)
    (tmp_path / "images" / "03.png").unlink()
    with pytest.raises(FileNotFoundError, match="lacks 1 of the 11 images of 3dident, as 03.png"):
        ThreeDIdent(tmp_path)
    for other, sentence in {
        "spheres": (np.ones((11, 11)), r"of shape \(11, 11\), not numbers of shape \(n, 10\)"),
        "none": (np.ones((0, 10)), "give the published raw_latents, which have a column"),
        "rendered": (rendered(raw, np.pi), r"outside of \[-1, 1\]: give the published raw_latents"),
        "nan": (np.full((11, 10), np.nan), r"holds numbers outside of \[-1, 1\]"),
    }.values():
        np.save(tmp_path / "raw_latents.npy", other)
        with pytest.raises(ValueError, match=sentence):
            ThreeDIdent(tmp_path)
    (tmp_path / "raw_latents.npy").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="is not a file of latents of NumPy"):
        ThreeDIdent(tmp_path)
