"""CelebA, on small files as they are published."""

import numpy as np
import pytest
from PIL import Image

from unweave.datasets.official.celeba import CelebA

NAMES = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose "
    "Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee "
    "Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard "
    "Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair "
    "Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young"
).split()
POINTS = (
    "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x "
    "rightmouth_y"
).split()
N = 6
FILES = [f"{i + 1:06d}.jpg" for i in range(N)]
ATTRIBUTES = np.random.default_rng(0).choice([-1, 1], (N, 40))
LANDMARKS = np.random.default_rng(1).integers(40, 140, (N, 10))
PARTITION = [0, 0, 0, 1, 2, 2]


def table(names, values, *, count=N, files=FILES):
    """Text of a file of labels, aligned by spaces as the published ones are."""
    rows = [
        f"{file}  {'  '.join(f'{v:2d}' for v in row)} \n"
        for file, row in zip(files, values, strict=False)
    ]
    return f"{count}\n{' '.join(names)} \n{''.join(rows)}"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "img_align_celeba").mkdir()
    for i in reversed(range(N)):
        image = Image.new("RGB", (178, 218), (40 * i, 0, 0))
        image.save(tmp_path / "img_align_celeba" / FILES[i], quality=95)
    write(tmp_path, "list_attr_celeba.txt", table(NAMES, ATTRIBUTES))
    write(tmp_path, "list_landmarks_align_celeba.txt", table(POINTS, LANDMARKS))
    rows = [f"{file} {part}\n" for file, part in zip(FILES, PARTITION, strict=True)]
    write(tmp_path, "list_eval_partition.txt", "".join(reversed(rows)))  # in an order of its own
    return tmp_path


def write(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")


def test_attributes_are_categories_with_words(folder):
    data = CelebA(folder)
    assert (len(data), data.image_shape, data.name) == (N, (64, 64, 3), "celeba")
    assert data.factor_names == tuple(NAMES)
    assert set(data.factor_kinds) == {"categorical"}
    assert data.factor_columns[20].labels == ("no", "yes")
    np.testing.assert_array_equal(data.factors(np.arange(N)), ATTRIBUTES == 1)
    assert data.all_factors([0]).dtype == np.int64
    np.testing.assert_allclose(data.images(np.arange(N))[:, 32, 32, 0], 40 * np.arange(N), atol=3)
    assert CelebA(str(folder), size=(32, 16)).image_shape == (32, 16, 3)
    assert CelebA(folder / "list_attr_celeba.txt").identity == data.identity


@pytest.mark.parametrize(
    ("partition", "rows"), [("train", [0, 1, 2]), ("valid", [3]), ("test", [4, 5])]
)
def test_partitions_go_by_the_names_of_images(folder, partition, rows):
    data = CelebA(folder, partition=partition)
    np.testing.assert_array_equal(data.factors(np.arange(len(rows))), ATTRIBUTES[rows] == 1)
    np.testing.assert_allclose(
        data.images(np.arange(len(rows)))[:, 32, 32, 0], 40 * np.array(rows), atol=3
    )
    assert data.identity != CelebA(folder).identity


def test_landmarks_are_numbers_in_published_pixels(folder):
    text = table(POINTS, LANDMARKS[::-1], files=FILES[::-1])
    write(folder, "list_landmarks_align_celeba.txt", text)
    data = CelebA(folder, landmarks=True, partition="test")
    assert data.factor_names == (*NAMES, *POINTS)
    assert data.factor_kinds[-10:] == ("continuous",) * 10
    np.testing.assert_array_equal(data.factors([0, 1])[:, 40:], LANDMARKS[[4, 5]])
    np.testing.assert_array_equal(data.factors([0, 1])[:, :40], ATTRIBUTES[[4, 5]] == 1)


def test_files_lie_as_in_the_published_tree(folder):
    for name, place in {
        "list_attr_celeba.txt": "Anno",
        "list_landmarks_align_celeba.txt": "Anno",
        "list_eval_partition.txt": "Eval",
        "img_align_celeba": "Img",
    }.items():
        (folder / place).mkdir(exist_ok=True)
        (folder / name).rename(folder / place / name)
    assert len(CelebA(folder, partition="train", landmarks=True)) == 3
    assert len(CelebA(folder / "Anno", partition="all")) == N
    nested = folder / "img_align_celeba"
    nested.mkdir()
    (folder / "Img" / "img_align_celeba").rename(nested / "img_align_celeba")
    assert len(CelebA(folder)) == N


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (table(NAMES, ATTRIBUTES, count=202_599), r"says 202,599 images, and it has 6 rows: it is"),
        (table(NAMES[:-1], ATTRIBUTES), "a line of 40 names, not with '6' and 39 names"),
        (table(NAMES, ATTRIBUTES).partition("\n")[2], "must begin with a line of the number of im"),
        (table(NAMES, ATTRIBUTES[:, 1:]), "have 39 numbers each, not 40"),
        (table(NAMES, ATTRIBUTES).replace("-1", "no", 1), "is not the name of an image and 40 who"),
        (table(NAMES, ATTRIBUTES)[:-8] + "\n", "is not the name of an image and 40 whole numbers"),
        (table(NAMES, ATTRIBUTES + 1), "holds other values than -1 and 1"),
        (table(NAMES, ATTRIBUTES, files=[FILES[0], *FILES[:-1]]), "lists an image twice"),
        (table(NAMES, [], count=0), "has no rows of images: get it again"),
    ],
)
def test_attributes_that_cannot_be_used(folder, text, sentence):
    write(folder, "list_attr_celeba.txt", text)
    with pytest.raises(ValueError, match=sentence):
        CelebA(folder)


def test_files_of_other_images_are_refused(folder):
    partition = folder / "list_eval_partition.txt"
    rows = partition.read_text(encoding="utf-8").splitlines(keepends=True)
    write(folder, partition.name, "".join(rows[1:]))
    with pytest.raises(
        ValueError, match=r"rows of 5 images, and .* of 6; it lacks 1, as 000006.jpg"
    ):
        CelebA(folder, partition="train")
    write(folder, partition.name, "".join([*rows, "000007.jpg 1\n"]))
    with pytest.raises(ValueError, match=r"rows of 7 images, .* it has 000007.jpg: give files of"):
        CelebA(folder, partition="train")
    write(folder, partition.name, "".join(rows).replace(" 1", " 3"))
    with pytest.raises(ValueError, match="other partitions than 0, 1 and 2"):
        CelebA(folder, partition="valid")
    write(folder, partition.name, "".join(rows).replace(" 1", " 0"))
    with pytest.raises(ValueError, match="has no image of the partition valid"):
        CelebA(folder, partition="valid")
    partition.unlink()
    assert len(CelebA(folder)) == N
    with pytest.raises(FileNotFoundError, match="celeba needs list_eval_partition.txt"):
        CelebA(folder, partition="train")
    with pytest.raises(ValueError, match="unknown partition 'training'"):
        CelebA(folder, partition="training")
    (folder / "img_align_celeba" / FILES[2]).unlink()
    with pytest.raises(
        FileNotFoundError, match=r"lacks 1 of the 6 images of celeba, as 000003.jpg"
    ):
        CelebA(folder)
