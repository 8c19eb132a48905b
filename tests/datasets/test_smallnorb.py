"""The reader of SmallNORB, on files of its format: all pairs of images, of few pixels."""

import gzip
import itertools
import pickle
import struct

import numpy as np
import pytest

from unweave.datasets.catalogue import DATASETS
from unweave.datasets.official.grids import resized
from unweave.datasets.official.smallnorb import SmallNORB

SIDE = 2
TRAIN = "smallnorb-5x46789x9x18x6x2x96x96-training"
TEST = "smallnorb-5x01235x9x18x6x2x96x96-testing"
INSTANCES = {TRAIN: (4, 6, 7, 8, 9), TEST: (0, 1, 2, 3, 5)}
MAGIC = {"u1": 0x1E3D4C55, "<i4": 0x1E3D4C54, "<i2": 0x1E3D4C56, "<f4": 0x1E3D4C51}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(SmallNORB, "official_size", SIDE)


def matrix(array, dtype):
    """An array in the format of the NORB files, as its page describes it."""
    lengths = (*array.shape, 1, 1)[: max(3, array.ndim)]
    header = struct.pack(f"<ii{len(lengths)}i", MAGIC[dtype], array.ndim, *lengths)
    return header + np.ascontiguousarray(array, dtype).tobytes()


def labels(stem):
    """Category, instance, elevation, azimuth (even) and lighting of a file, shuffled."""
    grid = itertools.product(range(5), INSTANCES[stem], range(9), range(0, 36, 2), range(6))
    return np.random.default_rng(len(stem)).permutation(np.array(list(grid)))


def pairs(found):
    """Left images that hold the labels, light ones; right images are black."""
    images = np.zeros((len(found), 2, SIDE, SIDE))
    images[:, 0, 0, 0] = 250 - found[:, 0]
    images[:, 0, 0, 1] = 200 + found[:, 1]
    images[:, 0, 1, 0] = 100 + found[:, 3]
    images[:, 0, 1, 1] = found[:, 2] * 10 + found[:, 4]
    return images


def write(folder, packed=True, change=None):
    folder.mkdir(exist_ok=True)
    for stem in (TRAIN, TEST):
        found = labels(stem)
        contents = {
            "dat": matrix(pairs(found), "u1"),
            "cat": matrix(found[:, 0], "<i4"),
            "info": matrix(found[:, 1:], "<i4"),
        }
        for part, content in contents.items():
            content = change(stem, part, content) if change else content
            name = f"{stem}-{part}.mat"
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
            else:
                (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    return write(tmp_path_factory.mktemp("norb"))


def expected(data, rows):
    values = data.all_factors(rows)
    instance = np.array(data.space.factors[1].values)[values[:, 1]]
    images = np.stack(
        [250 - values[:, 0], 200 + instance, 100 + 2 * values[:, 3],
         values[:, 2] * 10 + values[:, 4]], axis=1
    )  # fmt: skip
    return images.reshape(-1, SIDE, SIDE, 1)


@pytest.mark.parametrize("packed", [True, False])
def test_left_images_of_both_files_in_the_order_of_their_labels(tmp_path, packed):
    data = SmallNORB(str(write(tmp_path / "norb", packed)), size=SIDE)
    rows = np.arange(len(data))
    seen = []
    images = data.prepare(lambda *a: seen.append(a)).images(rows)
    assert seen[-1] == (48_600, 48_600)
    assert images.dtype == np.uint8  # light pixels would be negative if they were signed
    np.testing.assert_array_equal(images, expected(data, rows))
    again = pickle.loads(pickle.dumps(data))
    assert again.identity == data.identity
    np.testing.assert_array_equal(again.images([5]), images[[5]])


def test_the_instance_is_a_nuisance_and_the_azimuth_circular(official):
    data = SmallNORB(official, size=SIDE)
    assert data.space.sizes == (5, 10, 9, 18, 6)
    assert data.factor_names == ("category", "elevation", "azimuth", "lighting")
    assert data.factor_kinds == ("categorical", "ordinal", "circular", "categorical")
    assert data.factors([0, 1]).shape == (2, 4)
    azimuth = data.space.factors[3].values
    np.testing.assert_allclose(np.diff(azimuth), np.deg2rad(20))
    assert len(azimuth) == 18
    assert data.space.factors[2].values == (30, 35, 40, 45, 50, 55, 60, 65, 70)
    assert data.space.factors[0].labels == ("animal", "human", "airplane", "truck", "car")
    (turn,) = data.symmetries
    assert turn.act(np.array([[0, 0, 0, 17, 0]]), 1, data.space)[0, 3] == 0


@pytest.mark.parametrize(
    ("split", "instances"), [("train", (4, 6, 7, 8, 9)), ("test", (0, 1, 2, 3, 5))]
)
def test_a_split_holds_other_toys(official, split, instances):
    data = SmallNORB(official, split=split, size=SIDE)
    assert len(data) == 24_300
    assert data.space.factors[1].values == INSTANCES[TRAIN if split == "train" else TEST]
    rows = np.arange(0, 24_300, 17)
    np.testing.assert_array_equal(data.images(rows), expected(data, rows))
    assert data.identity != SmallNORB(official, size=SIDE).identity
    one = official / f"{TRAIN}-cat.mat.gz"  # one of the files stands for their folder
    assert SmallNORB(one, split=split, size=SIDE).identity == data.identity


def test_images_are_resized(official):
    data = SmallNORB(official, split="test", size=1)
    assert data.images([3]).shape == (1, 1, 1, 1)
    whole = SmallNORB(official, split="test", size=SIDE).images([3])[0, ..., 0]
    assert data.images([3])[0, 0, 0, 0] == resized(whole, 1)[0, 0]
    with pytest.raises(ValueError, match="size=97 is more than the 2 pixels"):
        SmallNORB(official, size=97)
    with pytest.raises(ValueError, match="unknown split 'all'"):
        SmallNORB(official, split="all", size=1)


def test_the_catalogue_finds_it_in_the_cache(official, tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path))
    entry = DATASETS["smallnorb"]
    with pytest.raises(FileNotFoundError, match=f"needs {TRAIN}-dat.mat.gz or .*fetch smallnorb"):
        entry.load(size=1)
    (tmp_path / "smallnorb").symlink_to(official)
    assert len(entry.load(size=1)) == entry.n_images
    assert set(entry.files) == {path.name for path in official.iterdir()}
    monkeypatch.setattr(SmallNORB, "official_size", 96)
    assert entry.load().image_shape == entry.image_shape


def changed(part, new, stem=TRAIN):
    return lambda s, p, content: new(content) if (s, p) == (stem, part) else content


def test_what_is_not_smallnorb_is_refused(tmp_path):
    def opened(part, new):
        return SmallNORB(write(tmp_path / "norb", change=changed(part, new)), size=SIDE).prepare()

    found = labels(TRAIN)
    odd, other, outside = found.copy(), found.copy(), found.copy()
    odd[5, 3] = 7
    other[5, 1] = 3  # an instance of the other file
    outside[5, 4] = 6
    with pytest.raises(ValueError, match="holds other labels than smallnorb: instances of"):
        opened("info", lambda _: matrix(odd[:, 1:], "<i4"))
    with pytest.raises(ValueError, match="every combination must come once"):
        opened("info", lambda _: matrix(other[:, 1:], "<i4"))
    with pytest.raises(ValueError, match="holds other labels than smallnorb: instances of"):
        SmallNORB(tmp_path / "norb", split="train", size=1)
    with pytest.raises(ValueError, match=r"levels of 'lighting' must lie in \[0, 6\)"):
        opened("info", lambda _: matrix(outside[:, 1:], "<i4"))
    with pytest.raises(ValueError, match="every combination must come once"):
        opened("cat", lambda _: matrix(np.zeros(len(found)), "<i4"))
    with pytest.raises(ValueError, match=r"are of shapes .* and must be \(n,\) and \(n, 4\)"):
        opened("info", lambda _: matrix(found[:, 1:4], "<i4"))
    with pytest.raises(ValueError, match=r"\(24300, 1, 2, 2\), and must be uint8 of shape"):
        opened("dat", lambda _: matrix(pairs(found)[:, :1], "u1"))
    with pytest.raises(ValueError, match="dat.mat.gz are int32 of shape"):
        opened("dat", lambda _: matrix(pairs(found), "<i4"))
    with pytest.raises(ValueError, match=r"begins with 0x44434241, and a matrix of the NORB files"):
        opened("cat", lambda _: b"ABCDEFGH")
    for part in ("dat", "info"):
        with pytest.raises(ValueError, match=r"truncated \(it ends too early\): get the file"):
            opened(part, lambda content: content[:-1])
    write(tmp_path / "norb")
    packed = tmp_path / "norb" / f"{TEST}-dat.mat.gz"
    packed.write_bytes(packed.read_bytes()[:-100])
    with pytest.raises(ValueError, match="is damaged or truncated"):
        SmallNORB(tmp_path / "norb", size=SIDE).prepare()
