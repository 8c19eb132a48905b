"""The reader of Cars3D, on an archive of its format: all images, of few pixels."""

import io
import pickle
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from unweave.datasets.catalogue import DATASETS
from unweave.datasets.official.cars3d import Cars3D
from unweave.datasets.official.grids import resized

SIDE = 2
NAMES = [f"car_{(i * 50) % 183 + 1:03d}_mesh" for i in range(183)]  # list.txt is not sorted


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(Cars3D, "official_size", SIDE)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """A folder data/cars, whose pixels hold object (by list.txt), azimuth and elevation."""
    folder = tmp_path_factory.mktemp("cars") / "data" / "cars"
    folder.mkdir(parents=True)
    (folder / "list.txt").write_text("\n".join(NAMES) + "\n", encoding="utf-8")
    for i, name in enumerate(NAMES):
        im = np.zeros((SIDE, SIDE, 3, 24, 4), dtype=np.uint8)
        im[:, :, 0], im[:, :, 1] = i, np.arange(24)[:, None]
        im[:, :, 2] = np.arange(4)
        im[0, 1] += 40  # neither a row nor a column
        savemat(folder / f"{name}.mat", {"im": im, "mask": im[:, :, 0]}, do_compression=True)
    return folder


@pytest.fixture(scope="module")
def archive(unpacked, tmp_path_factory):
    file = tmp_path_factory.mktemp("archive") / "nips2015-analogy-data.tar.gz"
    with tarfile.open(file, "w:gz") as out:
        for path in sorted(unpacked.iterdir()):  # the list comes last
            out.add(path, f"data/cars/{path.name}")
        savemat(unpacked.parents[1] / "shapes48.mat", {"im": np.zeros(3)})
        out.add(unpacked.parents[1] / "shapes48.mat", "data/shapes48.mat")
    return file


def test_archive_and_folder_give_the_same_images_in_order(unpacked, archive):
    data = Cars3D(str(archive), size=SIDE)
    assert data.space.sizes == (4, 24, 183)
    seen = []
    images = data.prepare(lambda *a: seen.append(a)).images(np.arange(len(data)))
    assert seen[-1] == (17_568, 17_568)
    levels = data.space.all_levels()
    expected = np.zeros((len(data), SIDE, SIDE, 3), np.uint8) + levels[:, None, None, ::-1]
    expected[:, 0, 1] += 40
    np.testing.assert_array_equal(images, expected)
    for folder in (unpacked, unpacked.parent, unpacked.parents[1]):
        found = Cars3D(folder, size=SIDE)
        np.testing.assert_array_equal(found.images([0, 5000, 17_567]), images[[0, 5000, 17_567]])
    assert found.identity == Cars3D(unpacked, size=SIDE).identity
    again = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(again.images([9]), images[[9]])


def test_the_azimuth_is_circular():
    assert Cars3D.space.kinds == ("ordinal", "circular", "categorical")
    (turn,) = Cars3D.symmetries
    assert turn.act(np.array([[0, 23, 0]]), 1, Cars3D.space).tolist() == [[0, 0, 0]]
    np.testing.assert_allclose(np.diff(Cars3D.space.factors[1].values), 2 * np.pi / 24)


def test_images_are_resized_once_as_published_ones_are(unpacked, monkeypatch, rng):
    data = Cars3D(unpacked, size=1)
    assert data.image_shape == (1, 1, 3)
    assert data.identity != Cars3D(unpacked, size=2).identity
    picture = Cars3D(unpacked, size=2).images([7])[0]
    np.testing.assert_array_equal(data.images([7])[0], resized(picture, 1))
    large = rng.integers(0, 256, (128, 128, 3), dtype=np.uint8)
    published = Image.fromarray(large)
    published.thumbnail((64, 64), Image.Resampling.LANCZOS)  # as disentanglement_lib does
    np.testing.assert_array_equal(resized(large, 64), np.asarray(published))
    with pytest.raises(ValueError, match="size=3 is more than the 2 pixels of the official images"):
        Cars3D(unpacked, size=3)
    with pytest.raises(ValueError, match="size must be a whole number of at least 1"):
        Cars3D(unpacked, size=0)


def test_the_catalogue_finds_it_in_the_cache(archive, tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path))
    entry = DATASETS["cars3d"]
    with pytest.raises(FileNotFoundError, match="unweave data fetch cars3d"):
        entry.load(size=SIDE)
    (tmp_path / "cars3d").mkdir()
    shutil.copy(archive, tmp_path / "cars3d")
    data = entry.load(size=SIDE)
    assert len(data) == entry.n_images
    sizes = zip(data.space.names, data.space.sizes, strict=True)
    assert entry.factors == ", ".join(f"{name} {size}" for name, size in sizes)
    monkeypatch.setattr(Cars3D, "official_size", 128)
    assert entry.load().image_shape == entry.image_shape


def repacked(archive, file, change):
    """The archive with other contents: ``change`` gets a name and bytes, and returns bytes."""
    with tarfile.open(archive) as source, tarfile.open(file, "w:gz") as out:
        for member in source:
            content = change(member.name, source.extractfile(member).read())
            if content is not None:
                member.size = len(content)
                out.addfile(member, io.BytesIO(content))
    return file


def test_what_is_not_cars3d_is_refused(unpacked, archive, tmp_path):
    file = tmp_path / "a.tar.gz"
    repacked(archive, file, lambda name, c: None if name.endswith("list.txt") else c)
    with pytest.raises(ValueError, match="has no cars/list.txt: it is not nips2015"):
        Cars3D(file, size=1).prepare()
    repacked(archive, file, lambda name, c: None if "car_007" in name else c)
    with pytest.raises(ValueError, match="lacks 1 of the files in list.txt, as car_007_mesh.mat"):
        Cars3D(file, size=1).prepare()
    repacked(archive, file, lambda name, c: c[:-20] if name.endswith("list.txt") else c)
    with pytest.raises(ValueError, match="names 182 different objects in 182 lines, and cars3d"):
        Cars3D(file, size=1).prepare()
    repacked(archive, file, lambda name, c: c[:200] if "car_009" in name else c)
    with pytest.raises(ValueError, match="car_009_mesh.mat of cars3d is damaged"):
        Cars3D(file, size=1).prepare()
    other, mask = io.BytesIO(), io.BytesIO()
    savemat(other, {"im": np.zeros((2, 2, 3, 4, 24), np.uint8)})
    savemat(mask, {"mask": np.zeros(3)})
    repacked(archive, file, lambda name, c: other.getvalue() if "car_009" in name else c)
    with pytest.raises(ValueError, match=r"im in car_009_mesh.mat is uint8 of shape \(2, 2, 3, 4"):
        Cars3D(file, size=1).prepare()
    repacked(archive, file, lambda name, c: mask.getvalue() if "car_009" in name else c)
    with pytest.raises(ValueError, match="im in car_009_mesh.mat is missing, and must be"):
        Cars3D(file, size=1).prepare()
    file.write_bytes(archive.read_bytes()[:5000])
    with pytest.raises(ValueError, match="truncated .*: get the archive again"):
        Cars3D(file, size=1).prepare()
    folder = tmp_path / "cars"
    shutil.copytree(unpacked, folder)
    (folder / "car_001_mesh.mat").unlink()
    with pytest.raises(FileNotFoundError, match="lacks 1 of the files in list.txt, as car_001"):
        Cars3D(tmp_path, size=1)
