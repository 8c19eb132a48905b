"""Images of one's own: arrays, folders with a table or sub-folders, and datasets of torch."""

import errno
import os

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from unweave.datasets import from_arrays, from_folder, from_torch
from unweave.datasets.own.folder_contents import look_into, read_factor_table
from unweave.encoders import encode_rows, load_encoder
from unweave.models import Network, build_vae
from unweave.models.objectives import BetaVAE
from unweave.training import TrainingConfig, train


def write_images(folder, names, rng, side=8):
    """An image of its own for each name; its first pixel is its number."""
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        pixels[0, 0] = i
        Image.fromarray(pixels).save(path)


def numbers(dataset):
    """Which image each row is."""
    return dataset.images(np.arange(len(dataset)))[:, 0, 0, 0].tolist()


@pytest.fixture
def folder(tmp_path, rng):
    home = tmp_path / "pictures"
    write_images(home, [f"{i}.png" for i in range(12)], rng)
    return home


@pytest.fixture
def labelled(folder):
    """The folder with a table in another order than its files."""
    order = [7, 0, 11, 3, 1, 10, 2, 9, 4, 8, 6, 5]
    pl.DataFrame(
        {
            "file": [f"{i}.png" for i in order],
            "shape": [("ball", "cube", None)[i % 3] for i in order],
            "size": [i // 2 for i in order],
            "lit": [i % 2 == 0 for i in order],
            "x": [i / 11 if i != 5 else None for i in order],
        }
    ).write_csv(folder / "factors.csv")
    return folder


def names_of(dataset):
    return [factor.name for factor in dataset.factor_columns]


def test_arrays_with_and_without_factors(rng):
    images = rng.integers(0, 256, (6, 3, 8, 8), dtype=np.uint8)
    assert from_arrays(images, name="mine").image_shape == (8, 8, 3)
    table = {"shape": ["a", "b", None] * 2, "size": [1, 2, 3] * 2, "noise": [0, 1] * 3}
    data = from_arrays(images, table, factor_kinds={"size": "circular"}, nuisances="noise")
    assert data.factor_names == ("shape", "size")
    assert data.factor_kinds == ("categorical", "circular")
    assert data.labelled_rows.tolist() == [0, 1, 3, 4]
    assert data.factors([1]).tolist() == [[1, 1]]
    named = from_arrays(images, rng.random((6, 2)), factor_names=["x", "y"])
    assert named.factor_names == ("x", "y")
    with pytest.raises(ValueError, match="6 images, and its table of factors 5 rows"):
        from_arrays(images, rng.random((5, 2)))
    with pytest.raises(ValueError, match="no factor 'fog' to be a nuisance"):
        from_arrays(images, table, nuisances=["fog"])


def test_what_was_left_out_is_noted(rng):
    images = np.zeros((4, 8, 8, 1), dtype=bool)
    data = from_arrays(images, {"x": [0, 1, 0, 1], "one": [5] * 4})
    assert data.notes == ("'one' is not a factor: it takes one value only, 5",)


class Items(Dataset):
    """Items of torch whose labels are given by a function."""

    def __init__(self, label, n=12):
        self.label, self.n = label, n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        image = torch.full((1, 8, 8), i / self.n)
        return image if self.label is None else (image, *self.label(i))


def test_torch_items_with_labels_of_all_shapes():
    data = from_torch(Items(lambda i: (i % 3,)))
    assert names_of(data) == ["label"]
    assert data.factors([4]).tolist() == [[1]]
    data = from_torch(Items(lambda i: (torch.tensor([i % 3, i / 12]),)), factor_names=["a", "b"])
    assert data.factor_names == ("a", "b")
    assert data.factor_kinds == ("ordinal", "continuous")
    data = from_torch(Items(lambda i: ({"a": i % 2, "w": "xyz"[i % 3]}, np.float64(i / 12))))
    assert names_of(data) == ["a", "w", "label_1"]
    data = from_torch(Items(lambda i: (None if i == 0 else "ab"[i % 2],)))
    assert data.labelled_rows.tolist() == list(range(1, 12))
    data = from_torch(Items(lambda i: (np.array([i % 4]),)), factor_kinds="circular")
    assert (data.factor_columns[0].size, data.factor_kinds) == (4, ("circular",))
    assert not hasattr(from_torch(Items(None)), "factor_columns")
    with pytest.raises(ValueError, match=r"label of each item is of shape \(2,\), and"):
        from_torch(Items(lambda i: (np.zeros((2, 2)),)))


def test_classes_of_torchvision_name_the_levels():
    data = Items(lambda i: (i % 3,))
    data.classes = ["zebra", "ant", "mule"]
    factor = from_torch(data).factor_columns[0]
    assert (factor.kind, factor.labels) == ("categorical", ("zebra", "ant", "mule"))
    assert from_torch(data).factors([0, 1, 2]).ravel().tolist() == [0, 1, 2]
    data.classes = ["a", "a", "b"]
    assert from_torch(data).factor_columns[0].labels == ()


def test_a_tensor_dataset_is_taken_as_it_is(rng):
    images = torch.rand(10, 3, 8, 8)
    data = from_torch(TensorDataset(images, torch.arange(10) % 2, torch.rand(10, 2)))
    assert names_of(data) == ["label_0", "label_1_0", "label_1_1"]
    assert len(from_torch(TensorDataset(images))) == 10
    with pytest.raises(ValueError, match="of each item is of shape"):
        from_torch(TensorDataset(images, torch.rand(10, 2, 2)))


def test_datasets_without_numbers_are_refused():
    class Stream(IterableDataset):
        def __iter__(self):
            yield from ()

    for wrong in (Stream(), {"a": 1}, 5):
        with pytest.raises(TypeError, match="gives no items by number"):
            from_torch(wrong)


def test_a_folder_is_read_in_natural_order(folder):
    data = from_folder(folder)
    assert numbers(data) == list(range(12))
    assert data.name == "pictures"
    assert data.image_shape == (8, 8, 3)
    assert data.notes == ()
    assert from_folder(str(folder), size="4x6").image_shape == (4, 6, 3)
    assert len({from_folder(folder).identity, data.identity}) == 1


def test_other_files_are_skipped_and_said(folder, rng):
    (folder / "README.md").write_text("x", encoding="utf-8")
    (folder / "labels.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    write_images(folder, [".hidden.png", ".git/x.png", "__MACOSX/x.png"], rng)
    data = from_folder(folder)
    assert len(data) == 12
    assert "1 files that are not images were skipped: 1 x .md" in data.notes
    assert any("labels.csv was not read: take its factors with table=" in n for n in data.notes)


def test_a_table_beside_the_images(labelled):
    data = from_folder(labelled)
    assert names_of(data) == ["shape", "size", "lit", "x"]
    assert data.factor_kinds == ("categorical", "ordinal", "categorical", "continuous")
    assert numbers(data) == list(range(12))
    found = data.all_factors(np.arange(12))
    shape = np.array([(0, 1, np.nan)[i % 3] for i in range(12)])
    assert np.array_equal(found[:, 0], shape, equal_nan=True)
    assert (found[:, 1] == np.arange(12) // 2).all()
    assert (found[:, 2] == (np.arange(12) % 2 == 0)).all()
    assert np.isnan(found[5, 3])
    assert data.labelled_rows.tolist() == [0, 1, 3, 4, 6, 7, 9, 10]


def test_columns_and_kinds_are_chosen_by_name(labelled):
    data = from_folder(labelled, factors="size,x", nuisances="lit", circular=["size"])
    assert data.factor_names == ("size", "x")
    assert names_of(data) == ["size", "x", "lit"]
    assert data.factor_kinds[0] == "circular"
    assert from_folder(labelled, categorical="size").factor_columns[1].kind == "categorical"
    with pytest.raises(ValueError, match="declared ordinal and continuous: choose one of them"):
        from_folder(labelled, ordinal="x", continuous="x")
    with pytest.raises(ValueError, match="factor 'sise'.*did you mean 'size'"):
        from_folder(labelled, factors="sise")
    with pytest.raises(ValueError, match="factor 'sise'"):
        from_folder(labelled, ordinal="sise")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_tables_of_all_kinds(labelled, suffix):
    frame = pl.read_csv(labelled / "factors.csv")
    (labelled / "factors.csv").unlink()
    file = labelled / f"factors{suffix}"
    if suffix == ".parquet":
        frame.write_parquet(file)
    else:
        frame.write_csv(file, separator="\t" if suffix == ".tsv" else ",")
    assert names_of(from_folder(labelled)) == ["shape", "size", "lit", "x"]


def test_two_tables_need_a_choice(labelled):
    pl.read_csv(labelled / "factors.csv").select("file", "size").write_parquet(
        labelled / "factors.parquet"
    )
    with pytest.raises(ValueError, match="say which one holds the factors"):
        from_folder(labelled)
    assert names_of(from_folder(labelled, table="factors.parquet")) == ["size"]
    elsewhere = labelled.parent / "elsewhere.csv"
    (labelled / "factors.csv").rename(elsewhere)
    assert "lit" in names_of(from_folder(labelled, table=elsewhere))
    assert not hasattr(from_folder(labelled, labels="none"), "factor_columns")
    with pytest.raises(ValueError, match="a table and labels=none were given"):
        from_folder(labelled, labels="none", table="factors.parquet")


@pytest.mark.parametrize(
    "name_of",
    [
        lambda i: f"a/{i % 2}/{i:03}.png",
        lambda i: f"./a/{i % 2}/{i:03}.png",
        lambda i: f"a\\{i % 2}\\{i:03}.png",
        lambda i: f"a/{i % 2}/{i:03}",
        lambda i: f"{i:03}.png",
        lambda i: f"{i:03}",
        lambda i: i,
    ],
)
def test_files_are_named_in_many_ways(tmp_path, rng, name_of):
    write_images(tmp_path, [f"a/{i % 2}/{i:03}.png" for i in range(10)], rng)
    pl.DataFrame(
        {"n": [i % 5 for i in range(10)], "which": [name_of(i) for i in range(10)]}
    ).write_csv(tmp_path / "factors.csv")
    data = from_folder(tmp_path)
    assert names_of(data) == ["n"]
    assert data.factors(np.arange(10)).ravel().tolist() == [n % 5 for n in numbers(data)]


def test_absolute_paths_name_files(folder):
    files = [str((folder / f"{i}.png").resolve()) for i in range(12)]
    pl.DataFrame({"path": files, "n": [i % 3 for i in range(12)]}).write_parquet(
        folder / "factors.parquet"
    )
    assert from_folder(folder).factors([4]).tolist() == [[1]]


def test_levels_that_are_also_numbers_of_files_are_levels(folder):
    pl.DataFrame({"level": [i % 3 for i in range(12)], "id": list(range(12))}).write_csv(
        folder / "factors.csv"
    )
    assert names_of(from_folder(folder)) == ["level"]
    pl.DataFrame({"name": ["u", "v"] * 6, "number": list(range(12))}).write_csv(
        folder / "factors.csv"
    )
    assert names_of(from_folder(folder)) == ["name"]


def write_table(folder, **columns):
    pl.DataFrame(columns).write_csv(folder / "factors.csv")


def test_labels_for_other_files_are_refused_with_both_lists(folder):
    names = [f"{i}.png" for i in range(9)] + ["extra.png", "other.png"]
    write_table(folder, file=names, n=[i % 3 for i in range(11)])
    with pytest.raises(
        ValueError,
        match=r"labels for other files.*2 of its 11 names are not files there "
        r"\(extra.png, other.png\), and 3 of the 12 files have no row \(9.png, 10.png, 11.png\)",
    ):
        from_folder(folder)
    write_table(folder, id=list(range(5, 25)), n=[i % 3 for i in range(20)])
    with pytest.raises(ValueError, match=r"13 of its 20 names are not files there \(12, 13, 14"):
        from_folder(folder)
    write_table(folder, file=["0.png", None, "1.png"], n=[0, 1, 0])
    with pytest.raises(ValueError, match="an empty name"):
        from_folder(folder)
    write_table(folder, file=["x.jpg", "y.jpg"], n=[0, 1])
    with pytest.raises(ValueError, match="2 of its 2 names are not files"):
        from_folder(folder)


def test_images_without_a_row_have_unknown_factors(folder):
    write_table(folder, file=[f"{i}.png" for i in range(0, 12, 2)], n=[i % 3 for i in range(6)])
    data = from_folder(folder)
    assert data.labelled_rows.tolist() == list(range(0, 12, 2))
    assert any("6 of 12 images have no row in factors.csv" in note for note in data.notes)


def test_files_with_several_rows_are_refused(folder):
    write_table(folder, file=[f"{i}.png" for i in (*range(12), 3, 5)], n=[i % 3 for i in range(14)])
    with pytest.raises(ValueError, match=r"several rows for 2 files, as for 3.png \(rows 4 and 13"):
        from_folder(folder)


def test_bare_names_of_several_files_are_refused(tmp_path, rng):
    write_images(tmp_path, ["a/1.png", "b/1.png", "b/2.png"], rng)
    write_table(tmp_path, file=["1.png", "2.png"], n=[0, 1])
    with pytest.raises(
        ValueError, match="by names that several have, as '1.png': give their paths"
    ):
        from_folder(tmp_path)


def test_a_table_that_names_no_files_is_refused(folder):
    write_table(folder, n=[0.5, 1.5], m=["u", "v"])
    with pytest.raises(ValueError, match=r"no column of .*csv names the image files.*has n, m;"):
        from_folder(folder)
    write_table(folder, file=[f"{i}.png" for i in range(12)])
    with pytest.raises(ValueError, match="no column besides 'file', which names the files"):
        from_folder(folder)
    write_table(folder, file=[f"{i}.png" for i in range(12)], n=[3] * 12)
    with pytest.raises(ValueError, match=r"factors.csv: the table has no column that can be"):
        from_folder(folder)


def test_what_is_wrong_with_a_table_is_said(folder):
    with pytest.raises(FileNotFoundError, match="has no factors.csv.*tables there: none"):
        from_folder(folder, labels="table")
    with pytest.raises(FileNotFoundError, match="there is no table"):
        from_folder(folder, table="labels.csv")
    (folder / "labels.txt").write_text("x", encoding="utf-8")
    with pytest.raises(ValueError, match="is not a table: its name must end in"):
        from_folder(folder, table="labels.txt")
    (folder / "factors.csv").write_text("file,n\n", encoding="utf-8")
    with pytest.raises(ValueError, match="cannot be read as .csv: it has a header and no rows"):
        from_folder(folder)
    pl.DataFrame({"file": []}).write_parquet(folder / "empty.parquet")
    with pytest.raises(ValueError, match="has no rows: a row for each image"):
        read_factor_table(str(folder / "empty.parquet"))
    (folder / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="broken.parquet cannot be read as .parquet"):
        read_factor_table(folder / "broken.parquet")
    with pytest.raises(ValueError, match="labels 'tables'"):
        from_folder(folder, labels="tables")


def test_dates_and_identifiers_are_left_out(labelled):
    frame = pl.read_csv(labelled / "factors.csv")
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, 12), eager=True)
    frame = frame.with_columns(day=days, caption=pl.format("picture {}", pl.int_range(12)))
    frame = frame.with_columns(__index_level_0__=pl.int_range(12))
    (labelled / "factors.csv").unlink()
    frame.write_parquet(labelled / "factors.parquet")
    data = from_folder(labelled)
    assert names_of(data) == ["shape", "size", "lit", "x", "caption"]  # 12 words are few
    assert any("'day' is not a factor: it (day) holds dates" in note for note in data.notes)


@pytest.fixture
def classes(tmp_path, rng):
    home = tmp_path / "animals"
    write_images(home, [f"{'cat' if i % 2 else 'dog'}/{i}.png" for i in range(10)], rng)
    return home


def test_folders_as_labels(classes):
    data = from_folder(classes, labels="folders")
    assert data.factor_columns[0].labels == ("cat", "dog")
    assert data.factors(np.arange(10)).ravel().tolist() == [0] * 5 + [1] * 5
    assert [n % 2 for n in numbers(data)] == [1] * 5 + [0] * 5
    unlabelled = from_folder(classes)
    assert not hasattr(unlabelled, "factor_columns")
    assert "2 sub-folders (cat, dog): take their names as labels" in unlabelled.notes[0]


def test_one_class_gives_no_label(classes, rng):
    for file in (classes / "cat").iterdir():
        file.unlink()
    data = from_folder(classes, labels="folders")
    assert not hasattr(data, "factor_columns")
    assert "only dog holds images, so that sub-folders give no label" in data.notes[0]
    write_images(classes, ["loose.png"], rng)
    write_images(classes, ["cat/1.png"], rng)
    mixed = from_folder(classes, labels="folders")
    assert len(mixed.labelled_rows) == 6


def test_folders_that_link_back_are_walked_once(classes):
    try:
        (classes / "cat" / "again").symlink_to(classes, target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    assert len(from_folder(classes)) == 10


def test_folders_without_images(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="holds no images: it is empty"):
        from_folder(tmp_path)
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    (tmp_path / "factors.csv").write_text("x", encoding="utf-8")
    with pytest.raises(ValueError, match="holds no images: it has 1 x .csv, 1 x .txt"):
        from_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        from_folder(tmp_path / "gone")
    with pytest.raises(ValueError, match="is a file, and a folder of images was needed"):
        look_into(str(tmp_path / "notes.txt"))

    def closed(_):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path))

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(PermissionError, match="cannot look into .*Permission denied"):
        look_into(tmp_path)


def test_damaged_files_can_be_left_out(labelled):
    content = (labelled / "3.png").read_bytes()
    (labelled / "3.png").write_bytes(content[:-60])
    (labelled / "6.png").write_bytes(b"")
    with pytest.raises(ValueError, match="skip_damaged"):
        from_folder(labelled)
    data = from_folder(labelled, skip_damaged=True)
    assert numbers(data) == [0, 1, 2, 4, 5, 7, 8, 9, 10, 11]
    assert (data.all_factors(np.arange(10))[:, 1] == np.array(numbers(data)) // 2).all()
    assert any("2 files were left out: " in note and "(empty)" in note for note in data.notes)
    for file in labelled.glob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(ValueError, match=r"all 12 image files.*are unusable, as 0.png \(empty\)"):
        from_folder(labelled, skip_damaged=True)


def test_images_of_a_table_are_prepared_and_chosen(labelled):
    data = from_folder(labelled)
    told = []
    assert data.prepare(lambda done, n: told.append((done, n))) is data
    assert told[-1] == (12, 12)
    part = data.where(lambda factors: factors["size"] > 2)
    assert part.prepare() is part
    assert numbers(part) == [6, 7, 8, 9, 10, 11]


def test_training_and_encoders_take_them(classes):
    data = from_folder(classes, labels="folders", size=32)
    model = build_vae(Network(width=0.125, n_latents=2), data.image_shape, seed=0)
    train(model, BetaVAE(), data, TrainingConfig(steps=2, batch_size=4))
    codes = encode_rows(load_encoder("pixels"), data, np.arange(10))
    assert codes.shape == (10, 32 * 32 * 3)


def test_the_column_of_the_rows_own_files(folder):
    """Other columns that name files, too, do not label the wrong images."""
    order = [7, 0, 11, 3, 1, 10, 2, 9, 4, 8, 6, 5]
    level = [i % 3 for i in range(12)]
    own, other = [f"{i}.png" for i in range(12)], [f"{i}.png" for i in order]
    for columns in (
        {"neighbour": other, "file": own},
        {"rank": order, "id": list(range(12))},
        {"neighbour": other, "file": [*own[:11], "elsewhere.png"]},
    ):
        pl.DataFrame({**columns, "level": level}).write_csv(folder / "factors.csv")
        if "elsewhere.png" in columns.get("file", ()):
            with pytest.raises(ValueError, match="labels for other files"):
                from_folder(folder)
        else:
            assert from_folder(folder).factors(range(12))[:, -1].tolist() == level
    pl.DataFrame({"first": order, "second": range(12), "level": level}).write_csv(
        folder / "factors.csv"
    )
    with pytest.raises(ValueError, match="name the image files, and differently: first, second"):
        from_folder(folder)


def test_decimal_commas_that_come_late(tmp_path, rng):
    home = tmp_path / "many"
    write_images(home, [f"{i}.png" for i in range(60)], rng)
    lines = [f"{i}.png;{i}{',5' if i > 55 else ''}" for i in range(60)]
    (home / "factors.csv").write_text("\n".join(["file;x", *lines]), encoding="utf-8")
    assert from_folder(home).factors([2, 58]).tolist() == [[2.0], [58.5]]


def test_transparent_pictures_of_torch_are_refused():
    picture = Image.new("RGBA", (8, 8), (255, 0, 0, 255))
    assert from_torch([(picture, 0), (picture, 1)]).images([0])[0, 0, 0].tolist() == [255, 0, 0]
    picture.putpixel((0, 0), (255, 0, 0, 0))
    with pytest.raises(ValueError, match="image 0 is transparent in part: lay it on a colour"):
        from_torch([(picture, 0), (picture, 1)])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_pipes_and_huge_files_are_not_read(folder):
    os.mkfifo(folder / "pipe.png")
    with pytest.raises(
        ValueError, match=r"pipe.png \(not a file but a pipe or a device\): remove them"
    ):
        from_folder(folder)
    (folder / "pipe.png").unlink()
    with open(folder / "huge.png", "wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(ValueError, match=r"huge.png \(3.2 GB\): no picture is that large"):
        from_folder(folder)


def test_marks_of_letters_apart_or_not(tmp_path, rng):
    """Names in NFD, as Macs have them, and a table in NFC; a name in both is two files."""
    home = tmp_path / "marks"
    write_images(home, ["a/e\u0301.png", "b/x.png", "c/x.png", "d/o\u0308.png"], rng)
    lines = ["file,v", "\u00e9,1", "b/x,2", "c/x,3", "d/\u00f6.png,4"]
    (home / "factors.csv").write_text("\n".join(lines), encoding="utf-8")
    assert from_folder(home).factors(range(4))[:, 0].tolist() == [0, 1, 2, 3]
    write_images(home, ["a/\u00e9.png"], rng)
    if len(list((home / "a").iterdir())) == 2:  # a file system that keeps both
        assert np.isnan(from_folder(home).factors([0])[0, 0])
