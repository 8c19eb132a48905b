"""Falcor3D and Isaac3D, on small files of their format and on labels of their true size."""

import numpy as np
import pytest
from PIL import Image

from unweave.datasets.dataset import need_grid
from unweave.datasets.official.nvidia import Falcor3D, Isaac3D, space_of_labels

ISAAC_BASES = (245760, 30720, 6144, 1536, 384, 96, 16, 4, 1)
FALCOR_BASES = (46656, 7776, 1296, 216, 36, 6, 1)


class Small(Isaac3D):
    """As Isaac3D is published, with fewer levels."""

    factor_sizes = (
        ("object_shape", 3, "categorical"),
        ("robot_x", 2, "ordinal"),
        ("camera_height", 3, "ordinal"),
    )


def labels_of(sizes):
    """Labels (n, factors) in [0, 1] as the files have them, the last column fastest."""
    grid = np.meshgrid(*(np.linspace(0, 1, size) for size in sizes), indexing="ij")
    return np.stack([column.ravel() for column in grid], axis=1)


def write(folder, labels, name="labels.npy"):
    """Images whose red is the row's number, made in an order that no listing gives back."""
    (folder / "images").mkdir(parents=True)
    with open(folder / name, "wb") as file:
        np.save(file, labels)
    for row in reversed(range(len(labels))):
        pixels = np.full((4, 4, 3), (10 * row, 7, 0), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{row:06d}.png")
    return folder


@pytest.mark.parametrize(("published", "bases"), [(Isaac3D, ISAAC_BASES), (Falcor3D, FALCOR_BASES)])
def test_labels_of_the_published_size_give_the_published_steps(published, bases):
    sizes = [size for _, size, _ in published.factor_sizes]
    labels = labels_of(sizes)
    space = space_of_labels(labels, published.factor_sizes, "labels.npy")
    assert len(space) == len(labels) == {7: 233_280, 9: 737_280}[len(sizes)]
    assert space.names == tuple(name for name, *_ in published.factor_sizes)
    rows = np.random.default_rng(0).integers(0, len(labels), 500)
    np.testing.assert_array_equal(space.values(space.levels(rows)), labels[rows])
    one = np.eye(len(sizes), dtype=np.int64)
    np.testing.assert_array_equal(space.indices(one), bases)


def test_columns_of_isaac3d_in_the_order_of_its_readme_are_recognised():
    """Names go by what a column does, so that its place does not matter."""
    names = [name for name, *_ in Isaac3D.factor_sizes]
    readme = ["object_shape", "object_scale", "camera_height", "robot_x", "robot_y"]
    readme += ["lighting_intensity", "lighting_y", "object_color", "wall_color"]
    labels = labels_of([size for _, size, _ in Isaac3D.factor_sizes])
    space = space_of_labels(
        labels[:, [names.index(name) for name in readme]], Isaac3D.factor_sizes, "labels.npy"
    )
    assert space.names == tuple(names)
    np.testing.assert_array_equal(space.values(space.levels([123_456]))[0], labels[123_456])


def test_labels_that_vary_in_the_order_of_the_readme_are_refused():
    sizes = dict((name, size) for name, size, _ in Isaac3D.factor_sizes)
    readme = ["object_shape", "object_scale", "camera_height", "robot_x", "robot_y"]
    readme += ["lighting_intensity", "lighting_y", "object_color", "wall_color"]
    labels = labels_of([sizes[name] for name in readme])
    with pytest.raises(
        ValueError, match=r"column 1 of labels.npy has 4 levels and changes first after 61,440 im"
    ):
        space_of_labels(labels, Isaac3D.factor_sizes, "labels.npy")


def test_images_are_in_the_order_of_their_numbers(tmp_path):
    folder = write(tmp_path / "Isaac3D_down128", labels_of((3, 2, 3)))
    for path in (folder, tmp_path, str(folder), folder / "labels.npy"):
        data = Small(path, size=4)
        assert len(data) == 18
        assert data.images([11, 2, 17])[:, 0, 0].tolist() == [[110, 7, 0], [20, 7, 0], [170, 7, 0]]
    assert need_grid(data, "this").factors([11]).tolist() == [[1, 1, 2]]
    assert data.factor_kinds == ("categorical", "ordinal", "ordinal")
    assert data.space.values([[1, 1, 2]]).tolist() == [[0.5, 1, 1]]
    assert data.stored([3]).shape == (1, 48)
    assert data.prepare() is data
    assert data.identity.startswith("isaac3d")
    assert Small(folder, size=8).image_shape == (8, 8, 3)
    assert Small(folder).image_shape == (128, 128, 3)


def test_values_are_kept_that_are_not_quite_the_same(tmp_path):
    """Sums of floats differ in the last digit; truncation would take them to other levels."""
    labels = labels_of((3, 2, 3))
    labels[::2] += 1e-9
    assert space_of_labels(labels, Small.factor_sizes, "x").sizes == (3, 2, 3)
    falling = 1 - labels_of((3, 2, 3))
    space = space_of_labels(falling, Small.factor_sizes, "x")
    np.testing.assert_allclose(space.values(space.levels(np.arange(18))), falling)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda labels: labels[:, :2], r"of shape \(18, 2\), and the labels are numbers of shape"),
        (lambda labels: labels[:12], r"of shape \(12, 3\), and the labels are numbers of shape"),
        (lambda labels: labels[np.random.default_rng(0).permutation(18)], "not in the order of"),
        (lambda labels: labels[np.r_[0:16, 17, 16]], "column 2 of .* has 3 levels and changes"),
        (lambda labels: labels * [1, 0, 1], "column 1 of .* has 1 levels and changes first"),
        (lambda labels: labels[:, [0, 0, 2]], "column 1 of .* has 3 levels and changes first"),
        (lambda labels: np.where(labels == 1, np.nan, labels), "not in the order of the images"),
        (
            lambda labels: np.column_stack([labels[:, :2], np.tile([0, 1, 0.5], 6)]),
            "column 2 of .* has 3 levels and changes first after 1 im",
        ),
    ],
)
def test_labels_that_are_not_of_the_grid_are_refused(tmp_path, change, sentence):
    folder = write(tmp_path / "data", change(labels_of((3, 2, 3))))
    with pytest.raises(ValueError, match=sentence):
        Small(folder)


def test_missing_and_renamed_images_are_named(tmp_path):
    folder = write(tmp_path / "data", labels_of((3, 2, 3)))
    (folder / "images" / "000004.png").unlink()
    (folder / "images" / "000007.png").rename(folder / "images" / "7.png")
    with pytest.raises(
        FileNotFoundError, match=r"lacks 2 of the 18 images of isaac3d, as 000004.png, 000007.png; "
    ) as caught:
        Small(folder)
    assert "it holds 7.png" in str(caught.value)
    for file in (folder / "images").iterdir():
        file.unlink()
    (folder / "images").rmdir()
    with pytest.raises(FileNotFoundError, match="lie in a folder .*, and there is none: unpack"):
        Small(folder)


def test_missing_and_damaged_labels(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="falcor3d needs train-rec.labels or .*1XAQfFK1x6cp"
    ):
        Falcor3D()
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "labels.npy").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="is not the file of labels, an array of NumPy"):
        Isaac3D(folder)
    with open(folder / "labels.npy", "wb") as file:
        np.save(file, np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="is not the file of labels"):
        Isaac3D(folder)
