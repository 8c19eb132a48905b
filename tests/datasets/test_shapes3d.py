"""The reader of 3dshapes.h5, on files of its format: all 480,000 images, of one pixel."""

import itertools
import pickle

import h5py
import numpy as np
import pytest

from unweave.datasets.catalogue import DATASETS
from unweave.datasets.official.shapes3d import Shapes3D

N = 480_000
ROWS = np.arange(N)


@pytest.fixture(autouse=True)
def one_pixel(monkeypatch):
    monkeypatch.setattr(Shapes3D, "image_shape", (1, 1, 3))


def pixels(n=N):
    """The number of the row in the three channels of a pixel."""
    rows = np.arange(n)
    return np.stack([rows >> 16, rows >> 8 & 255, rows & 255], axis=1).astype(np.uint8)


def official_labels():
    """As published: written out by hand and not by the code under test."""
    hues = [0.0, 0.1, 0.2, 0.30000000000000004, 0.4, 0.5, 0.6000000000000001, 0.7000000000000001,
            0.8, 0.9]  # fmt: skip
    scales = [0.75 + 0.5 * i / 7 for i in range(8)]
    angles = [-30 + 60 * i / 14 for i in range(15)]
    return np.array(list(itertools.product(hues, hues, hues, scales, range(4), angles)))


@pytest.fixture(scope="module")
def labels():
    return official_labels()


def write(path, labels, images=None):
    with h5py.File(path, "w") as file:
        images = pixels().reshape(N, 1, 1, 3) if images is None else images
        file.create_dataset("images", data=images, chunks=True, compression="gzip")
        file["labels"] = labels
    return path


def test_it_is_read_in_the_order_of_its_labels(tmp_path, labels, rng):
    data = Shapes3D(str(write(tmp_path / "3dshapes.h5", labels)))
    assert data.space.sizes == (10, 10, 10, 8, 4, 15)
    assert len(data) == N
    seen = []
    data.prepare(lambda *a: seen.append(a))
    assert seen[-1] == (N, N)
    rows = rng.integers(N, size=50)
    np.testing.assert_array_equal(data.images(rows).reshape(-1, 3), pixels()[rows])
    np.testing.assert_array_equal(data.stored(rows), pixels()[rows])
    values = data.space.values(data.factors(rows))
    np.testing.assert_allclose(values[:, :3], labels[rows, :3] * 2 * np.pi)
    np.testing.assert_allclose(values[:, 3:], labels[rows, 3:])
    again = pickle.loads(pickle.dumps(Shapes3D(tmp_path)))
    assert again.identity == data.identity
    np.testing.assert_array_equal(again.images(rows), data.images(rows))


def test_hues_are_circular_and_orientation_is_not():
    assert Shapes3D.space.kinds == ("circular",) * 3 + ("ordinal", "categorical", "ordinal")
    assert {s.factor for s in Shapes3D.symmetries} == {"floor_hue", "wall_hue", "object_hue"}
    levels = np.array([[9, 0, 0, 0, 0, 0]])  # 0.9 of a turn: the next is 0 again
    assert Shapes3D.symmetries[0].act(levels, 1, Shapes3D.space)[0, 0] == 0
    assert max(Shapes3D.space.factors[0].values) == pytest.approx(0.9 * 2 * np.pi)
    assert Shapes3D.space.factors[4].labels == ("cube", "cylinder", "sphere", "capsule")


def test_other_labels_are_refused(tmp_path, labels):
    alphabetical = labels[:, [0, 2, 5, 3, 4, 1]]  # as some copies order the factors
    for wrong in (labels[::-1], alphabetical, labels[:, :5]):
        path = write(tmp_path / "3dshapes.h5", wrong)
        with pytest.raises(ValueError, match="not those of shapes3d in the official order: floor"):
            Shapes3D(path)


def test_other_images_are_refused(tmp_path, labels):
    few = write(tmp_path / "few.h5", labels, pixels(10).reshape(10, 1, 1, 3))
    with pytest.raises(ValueError, match=r"uint8 of shape \(10, 1, 1, 3\), and those of shapes3d"):
        Shapes3D(few)
    real = write(tmp_path / "real.h5", labels, np.zeros((N, 1, 1, 3), np.float32))
    with pytest.raises(ValueError, match="are float32 of shape"):
        Shapes3D(real)
    with pytest.raises(FileNotFoundError, match=r"needs 3dshapes.h5.*unweave data fetch shapes3d"):
        Shapes3D()


def test_the_catalogue_says_what_it_is(monkeypatch, tmp_path, labels):
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path))
    (tmp_path / "shapes3d").mkdir()
    write(tmp_path / "shapes3d" / "3dshapes.h5", labels)
    entry = DATASETS["shapes3d"]
    data = entry.load()
    assert len(data) == entry.n_images
    sizes = zip(data.space.names, data.space.sizes, strict=True)
    assert entry.factors == ", ".join(f"{name} {size}" for name, size in sizes)
