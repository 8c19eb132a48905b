import numpy as np
import pytest

from unweave.datasets import ArrayDataset, FactorDataset, load
from unweave.datasets.own.array_files import from_file

N = 40
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 8, 6, 3), np.uint8)
SHAPES = np.tile(["cube", "ball"], N // 2)
SIZES = np.repeat(np.arange(4), N // 4)


def written(tmp_path, suffix, **arrays):
    file = tmp_path / f"own{suffix}"
    if suffix == ".npz":
        np.savez_compressed(file, **arrays)
        return file
    h5py = pytest.importorskip("h5py")
    with h5py.File(file, "w") as archive:
        for key, array in arrays.items():
            words = np.asarray(array).dtype.kind == "U"
            archive[key] = np.asarray(array).astype(h5py.string_dtype()) if words else array
    return file


both = pytest.mark.parametrize("suffix", [".npz", ".h5"])


@both
def test_a_file_with_factors(tmp_path, suffix):
    factors = np.column_stack([SIZES, np.arange(N) % 5]).astype(float)
    factors[3, 1] = np.nan
    file = written(
        tmp_path, suffix, images=IMAGES, factors=factors, factor_names=["size", "hue"],
        factor_kinds=["ordinal", "circular"],
    )  # fmt: skip
    dataset = load(file)
    assert (dataset.name, dataset.image_shape, len(dataset)) == ("own", (8, 6, 3), N)
    assert np.array_equal(dataset.images(np.arange(N)), IMAGES)
    assert dataset.factor_names == ("size", "hue")
    assert dataset.factor_kinds == ("ordinal", "circular")
    assert np.isnan(dataset.factors([3])[0, 1])
    assert dataset.source == str(file)
    assert load(dataset.source).identity == dataset.identity
    assert load(f"{file}?continuous=size").factor_kinds == ("continuous", "circular")
    assert load(file, factors=["hue"]).factor_names == ("hue",)


@both
def test_a_file_without_factors(tmp_path, suffix):
    dataset = load(written(tmp_path, suffix, images=IMAGES.transpose(0, 3, 1, 2)))
    assert not isinstance(dataset, FactorDataset)
    assert np.array_equal(dataset.images([5]), IMAGES[[5]])


@both
def test_columns_of_several_types(tmp_path, suffix):
    file = written(
        tmp_path, suffix, images=IMAGES[..., 0], **{"factors/size": SIZES, "factors/shape": SHAPES}
    )
    dataset = load(file)
    assert dataset.image_shape == (8, 6, 1)
    assert dict(zip(dataset.factor_names, dataset.factor_kinds, strict=True)) == {
        "size": "ordinal",
        "shape": "categorical",
    }


def test_a_structured_array_and_one_column(tmp_path):
    rows = np.array(list(zip(SIZES, SHAPES, strict=True)), dtype=[("size", "i4"), ("shape", "U4")])
    dataset = load(written(tmp_path, ".npz", images=IMAGES, factors=rows))
    assert dataset.factor_columns[1].labels == ("ball", "cube")
    dataset = load(written(tmp_path, ".npz", images=IMAGES, factors=SHAPES.astype("S")))
    assert dataset.factor_names == ("factor_0",)
    assert dataset.factor_columns[0].labels == ("ball", "cube")


def test_other_keys_are_chosen(tmp_path):
    file = written(tmp_path, ".npz", x=IMAGES, y=SIZES)
    with pytest.raises(ValueError, match=r"no array 'images' for the images; it holds x \(40, 8"):
        load(file)
    assert load(f"{file}?images=x").image_shape == (8, 6, 3)
    assert load(f"{file}?images=x&table=y").factors([39]).tolist() == [[3]]
    with pytest.raises(ValueError, match="no factors under 'z'"):
        load(f"{file}?images=x&table=z")


def test_a_constant_factor_is_left_out_with_a_note(tmp_path):
    table = np.column_stack([SIZES, np.ones(N)])
    file = written(
        tmp_path, ".npz", images=IMAGES, factors=table, factor_names=["size", "light"],
        factor_kinds=["ordinal", "ordinal"],
    )  # fmt: skip
    dataset = load(file)
    assert dataset.factor_names == ("size",)
    assert dataset.notes == ("'light' is not a factor: it takes one value only, 1",)


def test_an_npy_holds_images_alone(tmp_path):
    np.save(tmp_path / "own.npy", IMAGES)
    assert load(tmp_path / "own.npy").image_shape == (8, 6, 3)
    with pytest.raises(ValueError, match="holds images alone"):
        from_file(tmp_path / "own.npy", ordinal="a")


def test_an_h5_without_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds a"):
        load(written(tmp_path, ".h5", a=IMAGES))


def test_files_that_cannot_be_used(tmp_path):
    def refused(sentence, suffix=".npz", **arrays):
        with pytest.raises(ValueError, match=sentence):
            load(written(tmp_path, suffix, **arrays))

    refused("Python objects, which may run code", images=IMAGES.astype(object))
    refused("Python objects, which may run code", images=IMAGES, factors=np.array([{}] * N, object))
    refused("40 images and factors of 39 rows", images=IMAGES, factors=SIZES[1:])
    refused("one column for each factor", images=IMAGES, factors=np.zeros((N, 2, 2)))
    refused("2 factor kinds were given for 1", images=IMAGES, factors=SIZES, factor_kinds=["a"] * 2)
    refused("not UTF-8", images=IMAGES, factors=np.array([b"\xff", b"a"] * 20))
    refused("no column that can be a factor", images=IMAGES, factors=np.ones(N))
    refused("leave out the fourth channel", images=np.zeros((N, 8, 8, 4), np.uint8))
    bad = np.full((N, 8, 8, 1), np.nan)
    refused("nan", images=bad)
    with pytest.raises(FileNotFoundError, match="no file"):
        load(tmp_path / "none.npz")
    whole = written(tmp_path, ".npz", images=IMAGES).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:3000])
    with pytest.raises(ValueError, match="damaged or truncated"):
        load(tmp_path / "cut.npz")


@both
def test_kinds_of_single_columns_are_in_the_order_of_the_names(tmp_path, suffix):
    """HDF5 lists arrays by the alphabet."""
    arrays = {"images": IMAGES, "factors/size": SIZES, "factors/hue": np.arange(N) % 5}
    kinds = ["ordinal", "circular"]
    file = written(tmp_path, suffix, **arrays, factor_kinds=kinds, factor_names=["size", "hue"])
    found = load(file)
    assert dict(zip(found.factor_names, found.factor_kinds, strict=True)) == {
        "size": "ordinal", "hue": "circular",
    }  # fmt: skip
    with pytest.raises(ValueError, match="arrays of their own, which have no order: name them"):
        load(written(tmp_path, suffix, **arrays, factor_kinds=kinds))
    with pytest.raises(ValueError, match="names the factors size, x under .* and holds"):
        load(written(tmp_path, suffix, **arrays, factor_kinds=kinds, factor_names=["size", "x"]))


@both
def test_any_image_that_changes_is_noticed(tmp_path, suffix):
    """Codes and resized images are cached by the identity."""
    images = np.random.default_rng(1).integers(0, 256, (300, 8, 8, 1), np.uint8)
    file = written(tmp_path, suffix, images=images)
    before, small = load(file).identity, load(f"{file}?size=4").prepare().images([1])
    in_memory = ArrayDataset(images.copy()).identity
    assert load(file).identity == before
    images[1] = 255 - images[1]
    written(tmp_path, suffix, images=images)
    assert load(file).identity != before
    assert not np.array_equal(load(f"{file}?size=4").images([1]), small)
    assert ArrayDataset(images).identity != in_memory


def test_hdf5_files_that_are_made_of_others_are_refused(tmp_path):
    """Where a part is missing, HDF5 reads zeros."""
    h5py = pytest.importorskip("h5py")
    other = written(tmp_path, ".h5", images=IMAGES).rename(tmp_path / "other.h5")
    layout = h5py.VirtualLayout(IMAGES.shape, IMAGES.dtype)
    layout[:] = h5py.VirtualSource(str(other), "images", IMAGES.shape)
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("images", layout)
    with pytest.raises(ValueError, match="images in .* is made of other files, which may be"):
        load(tmp_path / "virtual.h5")
