"""The reader of the MPI3D files, on files of their format: all images, of one pixel."""

import numpy as np
import pytest

from unweave.datasets.catalogue import DATASETS
from unweave.datasets.official import mpi3d
from unweave.datasets.official.mpi3d import (
    MPI3D,
    MPI3DChallengeToy,
    MPI3DReal,
    MPI3DRealComplex,
    MPI3DToy,
)

N, N_SMALL = 6 * 6 * 28_800, 4 * 4 * 28_800
CLASSES = {name: getattr(mpi3d, entry.function) for name, entry in DATASETS.items()
           if entry.module == "mpi3d"}  # fmt: skip


@pytest.fixture(autouse=True)
def one_pixel(monkeypatch):
    monkeypatch.setattr(MPI3D, "image_shape", (1, 1, 3))


def pixels(n):
    rows = np.arange(n)
    flat = np.stack([rows >> 16, rows >> 8 & 255, rows & 255], axis=1)
    return flat.astype(np.uint8).reshape(n, 1, 1, 3)


def write(path, n=N, **arrays):
    np.savez(path, **(arrays or {"images": pixels(n)}))
    return path


def test_the_images_are_mapped_in_the_file_in_their_order(tmp_path, rng):
    data = MPI3DReal(write(tmp_path / "mpi3d_real.npz"))
    # As the authors say: reshape to these sizes, images last.
    grid = pixels(N).reshape(6, 6, 2, 3, 3, 40, 40, 1, 1, 3)
    levels = data.space.sample(50, random_state=rng)
    np.testing.assert_array_equal(data.images(data.space.indices(levels)), grid[tuple(levels.T)])
    assert isinstance(data.prepare()._mapped, np.memmap)
    assert data._mapped.filename.name == "mpi3d_real.npz"
    assert data.space.names == ("object_color", "object_shape", "object_size", "camera_height",
                                "background_color", "horizontal_axis", "vertical_axis")  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_each_set_has_its_size(tmp_path, monkeypatch, name):
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path))
    entry = DATASETS[name]
    (tmp_path / name).mkdir()
    n = N_SMALL if name in ("mpi3d_real_complex", "mpi3d_challenge_toy") else N
    write(tmp_path / name / entry.files[0], n)
    data = entry.load()
    assert isinstance(data, CLASSES[name])
    assert len(data) == entry.n_images == n
    assert data.name == name
    sizes = zip(data.space.names, data.space.sizes, strict=True)
    assert entry.factors == ", ".join(f"{factor} {size}" for factor, size in sizes)
    assert all(f.labels for f in data.space.factors[:5])


def test_a_file_of_another_set_is_refused_with_its_names(tmp_path):
    small = write(tmp_path / "mpi3d_toy.npz", N_SMALL)
    with pytest.raises(
        ValueError,
        match="holds 460,800 images, and mpi3d_toy has 1,036,800, of 6 colours and 6 shapes: a "
        "file of 460,800 is that of mpi3d_real_complex or mpi3d_challenge_toy; disentanglement_lib "
        "saves the challenge's toy set as mpi3d_toy.npz: open it by that name",
    ):
        MPI3DToy(small)
    assert len(MPI3DChallengeToy(small)) == N_SMALL
    with pytest.raises(ValueError, match="460,800, of 4 colours .* or mpi3d_real: open it by"):
        MPI3DRealComplex(write(tmp_path / "mpi3d_real.npz"))
    with pytest.raises(ValueError, match="no MPI3D file has so many; get the file again"):
        MPI3DReal(write(tmp_path / "x.npz", 7))


def test_other_images_are_refused(tmp_path):
    with pytest.raises(ValueError, match="are float32 of shape .* those of mpi3d_real are uint8"):
        MPI3DReal(write(tmp_path / "a.npz", images=np.zeros((N, 1, 1, 3), np.float32)))
    with pytest.raises(ValueError, match=r"shape \(1036800, 1, 1\), and those of mpi3d_real"):
        MPI3DReal(write(tmp_path / "a.npz", images=np.zeros((N, 1, 1), np.uint8)))
    with pytest.raises(ValueError, match="has no 'images': it holds imgs"):
        MPI3DReal(write(tmp_path / "a.npz", imgs=np.zeros(3)))
    with pytest.raises(FileNotFoundError, match="drive.google.com"):
        MPI3DRealComplex(tmp_path)


def test_a_corrupt_file_has_another_identity_and_is_not_read(tmp_path):
    path = write(tmp_path / "mpi3d_real.npz")
    before = MPI3DReal(path).identity
    content = bytearray(path.read_bytes())
    content[2_000_000] ^= 1
    path.write_bytes(content)
    after = MPI3DReal(path)
    assert after.identity != before
    with pytest.raises(ValueError, match="is damaged or truncated .*CRC"):
        after.images([0])
