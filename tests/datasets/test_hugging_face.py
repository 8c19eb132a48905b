import io
import socket

import numpy as np
import PIL.Image
import pytest

from unweave.datasets import DSprites, FactorDataset, ImageTable, load
from unweave.datasets.own.hugging_face import from_huggingface
from unweave.datasets.own.hugging_face_images import HubImages

hf = pytest.importorskip("datasets")
N = 24
PIXELS = np.random.default_rng(0).integers(0, 256, (N, 8, 6, 3), np.uint8)


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    """Any connection fails the test; progress bars are not shown."""

    def refused(*_, **__):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    hf.disable_progress_bars()


def table(images=None, n=N, **columns):
    images = [PIL.Image.fromarray(p) for p in PIXELS[:n]] if images is None else images
    features = {
        "image": hf.Image(),
        "label": hf.ClassLabel(names=["cube", "ball"]),
        "size": hf.Value("int64"),
        "word": hf.Value("string"),
    }
    content = {
        "image": images,
        "label": [0, 1] * (n // 2),
        "size": [k % 3 for k in range(n)],
        "word": ["b", "a", None, "b"] * (n // 4),
        **columns,
    }
    return hf.Dataset.from_dict(content, features=hf.Features(features))


def as_written(tmp_path, how):
    if how == "saved":
        table().save_to_disk(tmp_path / "own")
        return f"hf:{tmp_path / 'own'}"
    (tmp_path / "own" / "data").mkdir(parents=True)
    table().to_parquet(tmp_path / "own" / "data" / "train-00000-of-00001.parquet")
    file = "/data/train-00000-of-00001.parquet" if how == "file" else ""
    return f"hf:{tmp_path / 'own'}{file}"


@pytest.mark.parametrize("how", ["saved", "parquet", "file"])
def test_folders_and_files(tmp_path, how):
    name = as_written(tmp_path, how)
    dataset = load(name)
    assert np.array_equal(dataset.images(np.arange(N)), PIXELS)
    assert dataset.factor_names == ("label", "size", "word")
    assert dataset.factor_kinds == ("categorical", "ordinal", "categorical")
    assert dataset.factor_columns[0].labels == ("cube", "ball")  # in the order of the classes
    assert dataset.factors([1]).tolist() == [[1, 1, 0]]
    assert np.isnan(dataset.factors([2])[0, 2])
    assert dataset.source == name
    again = load(name)
    assert again.identity == dataset.identity
    assert load(f"{name}?size=16&fit=stretch&channels=grey").image_shape == (16, 16, 1)


def test_columns_are_chosen(tmp_path):
    name = as_written(tmp_path, "saved")
    assert load(f"{name}?factors=size,label").factor_names == ("label", "size")
    dataset = load(f"{name}?factors=size&nuisances=label&circular=size")
    assert (dataset.factor_names, dataset.nuisances) == (("size",), ("label",))
    assert dataset.factor_kinds == ("circular",)
    assert not isinstance(load(f"{name}?factors="), FactorDataset)
    with pytest.raises(ValueError, match="unknown column of own 'sizes'"):
        load(f"{name}?factors=sizes")
    with pytest.raises(ValueError, match="unknown option of Hugging Face datasets 'labels'"):
        load(f"{name}?labels=x")


def test_splits_are_chosen(tmp_path):
    hf.DatasetDict({"train": table(), "test": table(n=12)}).save_to_disk(tmp_path / "own")
    name = f"hf:{tmp_path / 'own'}"
    with pytest.raises(ValueError, match=r"several splits: train \(24\), test \(12\)"):
        load(name)
    assert len(load(f"{name}?split=test")) == 12
    with pytest.raises(ValueError, match="unknown split of own 'tset'.*did you mean 'test'"):
        load(f"{name}?split=tset")
    single = hf.DatasetDict({"train": table()})
    assert len(from_huggingface(single)) == N
    with pytest.raises(ValueError, match="one table without splits"):
        from_huggingface(table(), split="train")


def test_arrays_as_images():
    arrays = hf.Dataset.from_dict(
        {"pixels": PIXELS, "y": [k % 2 for k in range(N)]},
        features=hf.Features({"pixels": hf.Array3D((8, 6, 3), "uint8"), "y": hf.Value("int64")}),
    )
    dataset = from_huggingface(arrays)
    assert np.array_equal(dataset.images(np.arange(N)), PIXELS)
    assert dataset.factor_names == ("y",)
    assert from_huggingface(arrays, size=4).image_shape == (4, 4, 3)
    grey = hf.Dataset.from_dict({"pixels": (PIXELS[..., 0] / 255).tolist()})
    assert np.array_equal(from_huggingface(grey).images([3])[..., 0], PIXELS[[3], ..., 0])
    with pytest.raises(ValueError, match="options of columns of the type Image"):
        from_huggingface(arrays, background="white")


def test_a_mirror_with_sorted_factors_and_shuffled_rows_is_right_by_name():
    """As the mirrors of Shapes3D and dSprites, whose columns are sorted by name."""
    own = DSprites()
    rows = np.random.default_rng(1).permutation(len(own))[:N]
    levels = dict(zip(own.factor_names, own.factors(rows).T, strict=True))
    images = [PIL.Image.fromarray(image[..., 0]) for image in own.images(rows)]
    mirror = hf.Dataset.from_dict(
        {"image": images, **{f"label_{key}": levels[key] for key in sorted(levels)}},
        features=hf.Features(
            {"image": hf.Image()}
            | {
                f"label_{f.name}": hf.ClassLabel(f.size)
                for f in sorted(own.factor_columns, key=lambda f: f.name)
            }
        ),
    )
    dataset = from_huggingface(mirror)
    assert isinstance(dataset, ImageTable)
    assert np.array_equal(dataset.images(np.arange(N)), own.images(rows))
    for k, factor in enumerate(dataset.factor_columns):
        words = [factor.labels[level] for level in dataset.factors(np.arange(N))[:, k].astype(int)]
        assert list(map(int, words)) == levels[factor.name.removeprefix("label_")].tolist()


def test_the_hub_is_not_asked_unless_it_is_allowed(monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"not on this machine.*add \?download=true"):
        load("hf:owner/name")
    seen = []

    def downloaded(name, config):
        seen.append((name, config))
        return table()

    monkeypatch.setattr(hf, "load_dataset", downloaded)
    dataset = load("hf:owner/name?download=true&config=small")
    assert seen == [("owner/name", "small")]
    assert (dataset.name, len(dataset)) == ("owner/name", N)

    def failed(*_):
        raise ConnectionError("no route")

    monkeypatch.setattr(hf, "load_dataset", failed)
    with pytest.raises(ConnectionError, match="cannot be downloaded from the Hugging Face hub"):
        load("hf:owner/name?download=true")


def test_folders_that_are_not_datasets(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        load(f"hf:{tmp_path / 'none'}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="neither a folder that save_to_disk wrote"):
        load(f"hf:{tmp_path / 'empty'}")
    with pytest.raises(ValueError, match="one that streams"):
        from_huggingface(table().to_iterable_dataset())
    with pytest.raises(ValueError, match="has no rows"):
        from_huggingface(table().select([]))


def test_the_column_of_images_must_be_clear():
    with pytest.raises(ValueError, match="has no column of images: choose one"):
        from_huggingface(table().remove_columns("image"))
    features = hf.Features({"image": hf.Image(), "other": hf.Image(), "size": hf.Value("int64")})
    pictures = [PIL.Image.fromarray(p) for p in PIXELS]
    content = {"image": pictures, "other": pictures, "size": [k % 3 for k in range(N)]}
    two = hf.Dataset.from_dict(content, features=features)
    with pytest.raises(ValueError, match="has 2 columns of images"):
        from_huggingface(two)
    dataset = from_huggingface(two, image="other")
    assert dataset.notes == ("columns that cannot be factors are left out: image",)
    with pytest.raises(ValueError, match="the column image of images cannot be a factor"):
        from_huggingface(two, image="other", factors=["image"])
    with pytest.raises(ValueError, match=r"no column that can be a factor.*\?factors="):
        from_huggingface(table().select_columns(["image", "size"]).select([0, 3, 6]))


def encoded(picture, kind="PNG"):
    stream = io.BytesIO()
    picture.save(stream, kind)
    return {"bytes": stream.getvalue(), "path": None}


def test_images_that_cannot_be_used():
    good = [encoded(PIL.Image.fromarray(p)) for p in PIXELS]

    def refused(sentence, images, **options):
        with pytest.raises(ValueError, match=sentence):
            from_huggingface(table(images), **options).prepare()

    def images(changed, many=good):
        many = [*many, *many, *many, *many]  # more than are looked at before they are decoded
        many[2] = changed
        return many

    def refused_late(sentence, changed, many=good, **options):
        every = images(changed, many)
        with pytest.raises(ValueError, match=sentence):
            from_huggingface(table(every, n=len(every)), **options).prepare()

    refused("holds an image that cannot be used .empty.", [None, *good[1:]])
    cut = {"bytes": good[1]["bytes"][:-30], "path": None}
    refused_late(r"images of images cannot be used: row 2 \(", cut)
    refused_late(r"row 2 \(empty\)", None)
    other = encoded(PIL.Image.new("RGB", (9, 9)))
    refused("are of several sizes", [other, *good[1:]])
    refused_late("of 9 x 9 pixels, not 8 x 6: give a size", other)
    grey = [encoded(PIL.Image.fromarray(p[..., 0])) for p in PIXELS]
    refused_late("coloured, unlike those before", good[0], grey)
    assert from_huggingface(table(grey)).image_shape == (8, 6, 1)
    assert from_huggingface(table([other, *good[1:]]), size=8).image_shape == (8, 8, 3)


def test_files_beside_the_table(tmp_path):
    paths = []
    for k, pixels in enumerate(PIXELS):
        PIL.Image.fromarray(pixels).save(tmp_path / f"{k}.png")
        paths.append(str(tmp_path / f"{k}.png"))
    dataset = from_huggingface(table(paths))
    assert np.array_equal(dataset.images([7]), PIXELS[[7]])
    (tmp_path / "0.png").unlink()
    with pytest.raises(ValueError, match=r"cannot be used \(empty\)"):
        from_huggingface(table(paths))
    assert isinstance(dataset._images, HubImages)


def test_image_files_outside_of_the_table_that_change(tmp_path):
    """A fingerprint is of their paths only."""
    pixels = np.random.default_rng(1).integers(0, 256, (100, 4, 4, 3), np.uint8)
    files = [str(tmp_path / f"{i}.bmp") for i in range(100)]
    for file, image in zip(files, pixels, strict=True):
        PIL.Image.fromarray(image).save(file)
    own = hf.Dataset.from_dict({"image": files}).cast_column("image", hf.Image())
    before = from_huggingface(own).prepare()
    assert np.array_equal(before.images([2]), pixels[[2]])
    assert from_huggingface(own).identity == before.identity
    PIL.Image.fromarray(255 - pixels[2]).save(files[2])
    assert from_huggingface(own).identity != before.identity
    assert np.array_equal(from_huggingface(own).images([2]), 255 - pixels[[2]])
