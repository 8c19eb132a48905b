import hashlib
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from unweave.datasets import DSprites, Factor, FactorSpace

DATA = Path(__file__).parents[1] / "data"
# Of numpy.packbits(imgs, axis=2) and of all pixels, from the recipe that was fitted to real frames.
PACKED_SHA256 = "3a228f4037ef3d42a42588e0e01f1078aa2df13cfa17584e88c95ed9fb5672da"
WHITE_PIXELS = 128_328_864


class Few(DSprites):
    """Fewer levels than there are, so that files are small."""

    space = FactorSpace([Factor(f.name, f.values[:3], f.kind) for f in DSprites.space.factors])


@pytest.fixture
def prepared(shared_cache):
    return DSprites().prepare()


def test_every_official_frame_that_we_hold_is_drawn_bit_for_bit():
    with np.load(DATA / "dsprites_official_frames.npz") as file:
        images, levels = file["images"], file["latents_classes"]
    dataset = DSprites()
    drawn = dataset.images(dataset.space.indices(levels[:, -5:].astype(int)))
    np.testing.assert_array_equal(drawn[..., 0], (images > 0) * np.uint8(255))


def test_all_images_together_are_those_of_the_recipe(prepared):
    digest, white = hashlib.sha256(), 0
    for start in range(0, len(prepared), 65_536):
        packed = prepared.stored(np.arange(start, min(start + 65_536, len(prepared))))
        digest.update(packed)
        white += int(np.bitwise_count(packed).sum())
    assert (digest.hexdigest(), white) == (PACKED_SHA256, WHITE_PIXELS)


def test_cached_and_drawn_images_are_the_same(prepared, monkeypatch, tmp_path, rng):
    rows = rng.integers(0, len(prepared), 300)
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path))
    fresh = DSprites()
    assert prepared.is_prepared
    assert not fresh.is_prepared
    np.testing.assert_array_equal(fresh.images(rows), prepared.images(rows))


def test_the_cache_is_mapped_and_not_read(prepared):
    assert isinstance(prepared._packed, np.memmap)


def test_a_damaged_cache_is_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path))
    DSprites().cache_file.write_bytes(b"\x93NUMPY")
    with pytest.warns(UserWarning, match="is damaged"):
        dataset = DSprites()
    assert not dataset.is_prepared
    assert not dataset.cache_file.exists()


def test_an_image_outside_is_refused():
    with pytest.raises(IndexError, match=r"must lie in \[0, 737280\)"):
        DSprites().images([737_280])


@pytest.mark.slow
def test_the_official_layout_can_be_written_and_read_back(prepared, tmp_path, rng):
    path = tmp_path / "dsprites.npz"
    prepared.export(path)
    rows = rng.integers(0, len(prepared), 500)
    with np.load(path, allow_pickle=True) as official:
        assert official["imgs"].shape == (737_280, 64, 64)
        np.testing.assert_array_equal(official["imgs"][rows] * 255, prepared.images(rows)[..., 0])
        np.testing.assert_array_equal(official["latents_classes"][rows, 1:], prepared.factors(rows))
        # The official file's first and last rows of values, from its documentation.
        np.testing.assert_allclose(official["latents_values"][0], [1, 1, 0.5, 0, 0, 0])
        np.testing.assert_allclose(official["latents_values"][-1], [1, 3, 1, 2 * np.pi, 1, 1])
        sizes = official["metadata"][()]["latents_sizes"]
        np.testing.assert_array_equal(sizes, [1, 3, 6, 40, 32, 32])
    read = DSprites(path)
    np.testing.assert_array_equal(read.images(rows), prepared.images(rows))


class TestOfficialFile:
    """The reader on files that are nearly right."""

    @staticmethod
    def write(path, classes=None, imgs=None):
        space = DSprites.space
        full = np.pad(space.levels(np.arange(len(space))), ((0, 0), (1, 0)))
        arrays = {"latents_classes": full if classes is None else classes}
        if imgs is not None:
            arrays["imgs"] = imgs
        np.savez(path, **arrays)
        return full

    def test_it_must_be_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=".npz or .hdf5, or leave the path out"):
            DSprites(tmp_path / "none.npz")

    def test_it_must_be_an_archive(self, tmp_path):
        path = tmp_path / "cut.npz"
        path.write_bytes(b"PK\x03\x04 cut off")
        with pytest.raises(ValueError, match="cut.npz is damaged or truncated"):
            DSprites(path)

    def test_images_must_be_in_it(self, tmp_path):
        self.write(tmp_path / "a.npz")
        with pytest.raises(ValueError, match="is not the dSprites file: it has no imgs"):
            DSprites(tmp_path / "a.npz")

    def test_the_order_must_be_the_official_one(self, tmp_path):
        classes = self.write(tmp_path / "a.npz", imgs=np.zeros((1, 64, 64), np.uint8))
        self.write(tmp_path / "a.npz", classes[::-1], np.zeros((1, 64, 64), np.uint8))
        with pytest.raises(ValueError, match="in another order"):
            DSprites(tmp_path / "a.npz")

    def test_the_image_size_must_be_right(self, tmp_path):
        self.write(tmp_path / "a.npz", imgs=np.zeros((10, 32, 32), np.uint8))
        with pytest.raises(ValueError, match=r"not uint8 of shape \(737280, 64, 64\)"):
            DSprites(tmp_path / "a.npz")

    def test_pixels_must_be_zeros_and_ones(self, tmp_path):
        classes = np.pad(Few.space.all_levels(), ((0, 0), (1, 0)))
        self.write(tmp_path / "a.npz", classes, np.full((243, 64, 64), 255, np.uint8))
        with pytest.raises(ValueError, match="hold other pixels than 0 and 1"):
            Few(tmp_path / "a.npz")

    def test_what_is_cut_off_is_refused(self, tmp_path):
        path = tmp_path / "a.npz"
        self.write(path)
        with zipfile.ZipFile(path, "a") as archive, archive.open("imgs.npy", "w") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (737_280, 64, 64)}
            np.lib.format.write_array_header_1_0(file, header)
            file.write(bytes(4096))
        with pytest.raises(
            ValueError, match="imgs is truncated: its header declares 3,019,898,880 bytes"
        ):
            DSprites(path)

    def test_its_pickle_is_never_loaded(self, tmp_path):
        path = tmp_path / "a.npz"
        self.write(path, imgs=np.zeros((10, 32, 32), np.uint8))
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("metadata.npy", b"not even numpy: touching it would raise")
        with pytest.raises(ValueError, match="not uint8 of shape"):
            DSprites(path)


def test_the_official_hdf5_is_read(tmp_path):

    drawn = Few()
    levels = drawn.space.all_levels()
    with h5py.File(tmp_path / "dsprites.hdf5", "w") as file:
        pixels = drawn.images(np.arange(len(drawn)))[..., 0] // 255
        file.create_dataset("imgs", data=pixels, chunks=(100, 2, 4), compression="gzip")
        file["latents/classes"] = np.pad(levels, ((0, 0), (1, 0)))
        file["latents/values"] = np.zeros((len(levels), 6))
    read = Few(tmp_path / "dsprites.hdf5")
    np.testing.assert_array_equal(read.stored(np.arange(243)), drawn.stored(np.arange(243)))
    assert read.identity.startswith("dsprites-")
    with h5py.File(tmp_path / "none.hdf5", "w") as file:
        file["latents/classes"] = levels
    with pytest.raises(ValueError, match="none.hdf5 is not the dSprites file: it has no imgs"):
        Few(tmp_path / "none.hdf5")
