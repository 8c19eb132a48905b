"""Big arrays in files, mapped where they are or unpacked once into the cache."""

import errno
import io
import os
import shutil
import subprocess
import sys
import warnings
import zipfile

import h5py
import numpy as np
import pytest

from unweave.datasets import members, store
from unweave.datasets.content import content_hash, remembered
from unweave.datasets.members import array_members, open_member
from unweave.datasets.store import built_array, mapped_array

IMAGES = np.arange(40 * 3 * 5, dtype=np.uint8).reshape(40, 3, 5)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def cached(cache):
    return sorted(p.name for p in cache.glob("arrays/*") if p.suffix != ".lock")


@pytest.mark.parametrize("dtype", ["uint8", ">u2", "float32", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_lies_uncompressed_is_mapped_in_place(tmp_path, cache, dtype, order):
    images = np.asarray(IMAGES.astype(dtype), order=order)
    np.save(tmp_path / "a.npy", images)
    np.savez(tmp_path / "a.npz", labels=np.arange(3), images=images)
    for file, name in ((tmp_path / "a.npy", None), (str(tmp_path / "a.npz"), "images")):
        found = mapped_array(file, name)
        assert isinstance(found, np.memmap)
        assert not found.flags.writeable
        assert found.dtype == images.dtype
        np.testing.assert_array_equal(found, images)
    assert cached(cache) == []


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_compressed_array_is_unpacked_once(tmp_path, cache, monkeypatch, order):
    monkeypatch.setattr(members, "_BLOCK", 64)  # several blocks
    file, seen = tmp_path / "a.npz", []
    np.savez_compressed(file, images=np.asarray(IMAGES, order=order))
    first = mapped_array(file, "images", progress=lambda *a: seen.append(a))
    assert isinstance(first, np.memmap)
    np.testing.assert_array_equal(first, IMAGES)
    assert len(seen) > 1
    assert seen[-1][0] == seen[-1][1]
    monkeypatch.setattr(store, "_write", None)
    np.testing.assert_array_equal(mapped_array(file, "images"), IMAGES)
    shutil.copy(file, tmp_path / "copy.npz")  # of the same content: not unpacked again
    np.testing.assert_array_equal(mapped_array(tmp_path / "copy.npz", "images"), IMAGES)
    assert len(cached(cache)) == 1


@pytest.mark.parametrize("chunks", [None, (7, 2, 2), True])
def test_an_hdf5_array_is_unpacked_once(tmp_path, cache, monkeypatch, chunks):
    monkeypatch.setattr(members, "_BLOCK", 64)
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        out.create_dataset("images", data=IMAGES, chunks=chunks)
        out.create_dataset("latents/values", data=np.arange(4.0))
    np.testing.assert_array_equal(mapped_array(file, "images"), IMAGES)
    np.testing.assert_array_equal(mapped_array(file, "latents/values"), np.arange(4.0))
    assert len(cached(cache)) == 2
    assert array_members(file) == {
        "images": ((40, 3, 5), np.dtype("uint8")),
        "latents/values": ((4,), np.dtype("float64")),
    }
    with pytest.raises(ValueError, match="has no 'imgs': it holds images, latents/values"):
        mapped_array(file, "imgs")
    with pytest.raises(ValueError, match="has no 'latents'"):  # a group
        mapped_array(file, "latents")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="is damaged or truncated"):
        mapped_array(file, "images")


def test_chunks_of_many_rows_are_not_unpacked_twice(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(members, "_BLOCK", 64)
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        out.create_dataset("images", data=IMAGES, chunks=(16, 1, 1), compression="gzip")
    starts = [start for start, _ in open_member(file, "images").blocks()]
    assert starts == [0, 16, 32]
    monkeypatch.setattr(members, "_LARGEST_BLOCK", 100)  # too large to be held
    assert len(list(open_member(file, "images").blocks())) == 10


def test_a_wrong_check_sum_is_found_in_what_is_mapped(tmp_path, cache):
    file = tmp_path / "a.npz"
    np.savez(file, images=IMAGES)
    content = bytearray(file.read_bytes())
    content[content.index(IMAGES[7].tobytes()) + 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"is damaged or truncated \(Bad CRC-32"):
        mapped_array(file, "images")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_is_cut_off_is_refused(tmp_path, cache, save):
    file = tmp_path / "a.npz"
    save(file, images=IMAGES)
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(ValueError, match="is damaged or truncated"):
        mapped_array(file, "images")
    np.save(tmp_path / "a.npy", IMAGES)
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-1])
    with pytest.raises(ValueError, match="fewer bytes than its header says"):
        mapped_array(tmp_path / "a.npy")


def test_a_member_shorter_than_its_header_is_refused(tmp_path, cache):
    buffer = io.BytesIO()
    np.save(buffer, IMAGES)
    for name, method in (("a", zipfile.ZIP_STORED), ("b", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(tmp_path / f"{name}.npz", "w", method) as archive:
            archive.writestr("images.npy", buffer.getvalue()[:-3])
        with pytest.raises(
            ValueError,
            match="images is truncated: its header declares 600 bytes of numbers, and 597 follow",
        ):
            mapped_array(tmp_path / f"{name}.npz", "images")


def test_pickles_are_never_loaded(tmp_path, cache):
    np.savez(tmp_path / "a.npz", images=np.array([{}, "x"], dtype=object))
    with pytest.raises(ValueError, match="may run code when they are loaded"):
        mapped_array(tmp_path / "a.npz", "images")
    np.save(tmp_path / "a.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(ValueError, match="may run code when they are loaded"):
        mapped_array(tmp_path / "a.npy")


def test_what_is_no_array_is_refused(tmp_path, cache):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        mapped_array(tmp_path / "none.npz", "images")
    (tmp_path / "page.npz").write_text("<html>sign in</html>", encoding="utf-8")
    with pytest.raises(ValueError, match="npz or HDF5 file, and begins with b'<html>"):
        mapped_array(tmp_path / "page.npz", "images")
    np.savez(tmp_path / "a.npz", x=np.zeros((0, 4)), y=np.float64(3))
    with pytest.raises(ValueError, match=r"has no 'images': it holds x, y"):
        mapped_array(tmp_path / "a.npz", "images")
    for name in "xy":
        with pytest.raises(ValueError, match="it holds no rows"):
            mapped_array(tmp_path / "a.npz", name)
    (tmp_path / "new.npy").write_bytes(b"\x93NUMPY\x03\x00" + bytes(200))
    with pytest.raises(ValueError, match="the header of .* cannot be read"):
        mapped_array(tmp_path / "new.npy")


def test_a_damaged_array_in_the_cache_is_built_again(tmp_path, cache):
    file = tmp_path / "a.npz"
    np.savez_compressed(file, images=IMAGES)
    mapped_array(file, "images")
    (array,) = cache.glob("arrays/*.npy")
    whole = array.read_bytes()
    for content in (b"", whole[:100], whole[:-1], b"\x93NUMPY" + whole[6:].replace(b"5)", b"4)")):
        array.write_bytes(content)
        with pytest.warns(UserWarning, match=r"is damaged .*: it is built again"):
            found = mapped_array(file, "images")
        np.testing.assert_array_equal(found, IMAGES)
        assert array.read_bytes() == whole
        del found


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, cache, monkeypatch):
    file = tmp_path / "a.npz"
    np.savez_compressed(file, images=IMAGES)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(store.os, "fsync", full)
        with pytest.raises(OSError, match=r"600 bytes are needed in .*the disk is full: free"):
            mapped_array(file, "images")
    assert cached(cache) == []
    with monkeypatch.context() as patch:
        patch.setattr(store.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0))
        with pytest.raises(OSError, match="set UNWEAVE_CACHE to a folder on a larger disk"):
            mapped_array(file, "images")
    with monkeypatch.context() as patch:
        patch.setattr(store.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "x")))
        with pytest.raises(OSError, match=r"cannot write .*\(x\)"):
            mapped_array(file, "images")
    np.testing.assert_array_equal(mapped_array(file, "images"), IMAGES)


def test_rows_may_come_in_any_order_and_all_must_come(cache):
    def backwards():
        for first in (30, 0, 10, 20):
            yield first, IMAGES[first : first + 10]

    found = built_array("images", IMAGES.shape, np.uint8, backwards)
    np.testing.assert_array_equal(found, IMAGES)
    with pytest.raises(ValueError, match=r"few.npy needs 41 rows, and 40 were made"):
        built_array("few", (41, 3, 5), np.uint8, backwards)
    assert cached(cache) == ["images.npy"]


SLOW = """
import sys, time
import numpy as np
from unweave.datasets.store import built_array

def blocks():
    open(sys.argv[1], "a").write("x")
    for i in range(10):
        time.sleep(0.02)
        yield i, np.full((1, 4), i, np.uint8)

assert (built_array("slow", (10, 4), np.uint8, blocks)[:, 0] == np.arange(10)).all()
"""


def test_two_processes_build_it_once(tmp_path, cache):
    words = [sys.executable, "-c", SLOW, str(tmp_path / "built")]
    both = [subprocess.Popen(words) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert (tmp_path / "built").read_text(encoding="utf-8") == "x"


def test_a_hash_is_computed_again_only_when_the_file_changes(tmp_path, cache):
    file, calls = tmp_path / "a", []
    file.write_bytes(b"abc")

    def look():
        calls.append(1)
        return file.read_text(encoding="utf-8")

    assert [remembered([file], "x", look) for _ in range(3)] == ["abc"] * 3
    assert remembered([file], "y", look) == "abc"
    assert len(calls) == 2
    before = content_hash(str(file))
    state = file.stat()
    file.write_bytes(b"abd")  # of the same size, and made to look as old
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert content_hash(file) != before
    assert remembered([file], "x", look) == "abd"
    for note in cache.glob("remembered/*"):
        note.write_text("{", encoding="utf-8")  # damaged
    assert remembered([file], "x", look) == "abd"


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path / "file"))
    np.savez(tmp_path / "a.npz", images=IMAGES)
    with warnings.catch_warnings():
        np.testing.assert_array_equal(mapped_array(tmp_path / "a.npz", "images"), IMAGES)


def test_a_file_that_changes_while_it_is_read_is_not_remembered(tmp_path, cache):
    file = tmp_path / "a"
    file.write_bytes(b"a")

    def change():
        file.write_bytes(b"bb")
        return "old"

    assert remembered([file], "x", change) == "old"
    assert remembered([file], "x", lambda: "new") == "new"


def test_what_a_killed_process_left_is_removed(tmp_path, cache):
    np.savez_compressed(tmp_path / "a.npz", images=IMAGES)
    key = f"{content_hash(tmp_path / 'a.npz')[:24]}-images"
    (cache / "arrays").mkdir(parents=True)
    (cache / "arrays" / f".{key}.npy-abc.part").write_bytes(b"half")
    (cache / "arrays" / ".other.npy-abc.part").write_bytes(b"of another process")
    mapped_array(tmp_path / "a.npz", "images")
    assert cached(cache) == [".other.npy-abc.part", f"{key}.npy"]
