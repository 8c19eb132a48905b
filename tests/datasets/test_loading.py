import pickle
import sys

import numpy as np
import pytest
from PIL import Image

from unweave.datasets import FactorDataset, GridDataset, ImageDataset, Torus, load
from unweave.datasets.options import converted
from unweave.datasets.resized import resized

MODULE = """
import functools

import numpy as np
from unweave.datasets import ArrayDataset, Torus

IMAGES = np.zeros((5, 8, 8, 1), dtype=bool)
DATASET = ArrayDataset(IMAGES)
ITEMS = [(image, k % 2) for k, image in enumerate(IMAGES)]
NUMBER = 3
PAIR = (IMAGES, {"x": [0, 1, 0, 1, 0]})
OF_MODULE = Torus


def make(n: int = 4, *, bright: bool = False, sizes: "list[int]" = (), **rest):
    images = np.zeros((n, 8, 8, 1), dtype=np.uint8)
    images[0] = 255 if bright else 9
    return ArrayDataset(images)


def strict(*, n: int = 4):
    return make(n)


def needing(path, n=3):
    return DATASET


shortened = functools.partial(make, n=3)


class Own(Torus):
    name = "own"


class Namespace:
    inner = DATASET
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    yield tmp_path
    for name in ("own_data", "package.module", "package"):
        sys.modules.pop(name, None)


@pytest.fixture
def module(here):
    (here / "own_data.py").write_text(MODULE, encoding="utf-8")
    return here


def test_names_of_the_catalogue():
    dataset = load("torus")
    assert (type(dataset), dataset.source) == (Torus, "torus")
    assert load(dataset) is dataset
    with pytest.raises(ValueError, match="options come too late: size"):
        load(dataset, size=3)
    with pytest.raises(ValueError, match="drawn here and reads no file: leave out :x.npz"):
        load("torus:x.npz")
    with pytest.raises(FileNotFoundError, match="x.npz"):
        load("dsprites:x.npz")


def test_any_dataset_is_resized():
    whole, small = load("torus"), load("torus?size=16&resample=box")
    assert isinstance(small, GridDataset)
    assert small.image_shape == (16, 16, 1)
    assert small.space == whole.space
    assert small.source == "torus?resample=box&size=16"
    # A box filter at half the size is the mean of two by two pixels.
    means = whole.images([7]).reshape(1, 16, 2, 16, 2, 1).mean(axis=(2, 4))
    assert np.abs(small.images([7]) - means).max() < 1  # Pillow rounds after each axis
    before = small.images(np.arange(40))
    assert not small.cache_file.exists()
    assert np.array_equal(small.prepare().images(np.arange(40)), before)
    again = load("torus", size=16, resample="box")
    assert again.cache_file.exists()
    assert np.array_equal(again.images(np.arange(40)), before)
    assert again.identity == small.identity != load("torus?size=16").identity
    wide = load("torus?size=8x16&fit=pad")
    assert wide.image_shape == (8, 16, 1)
    assert not wide.images([0])[0, :, :4].any()
    assert load("torus?size=8x16&fit=stretch").images([0])[0, :, :4].any()


def test_resized_images_are_kept_once_as_many_were_asked_for_as_there_are(monkeypatch):
    dataset = load("torus", size=8)
    rows = np.arange(4096)
    before = dataset.images(rows)
    assert not dataset.cache_file.exists()
    assert np.array_equal(dataset.images(rows[:1]), before[:1])
    assert dataset.cache_file.exists()
    copied = pickle.loads(pickle.dumps(dataset))
    assert np.array_equal(copied.images(rows), before)

    def full(*_, **__):
        raise OSError("the disk is full")

    other = load("torus", size=4)
    monkeypatch.setattr("unweave.datasets.resized.built_array", full)
    assert np.array_equal(other.images(rows)[:5], other.images(rows[:5]))


def test_factors_are_chosen_of_any_dataset():
    dataset = load("torus?factors=x,y")
    assert isinstance(dataset, GridDataset)
    assert (dataset.factor_names, dataset.nuisances) == (("x", "y"), ("direction",))
    assert dataset.factors([300]).tolist() == [[2, 12]]
    for name in ("dsprites?factors=shape", "rooms?factors=shape", "torus?factors=x&size=8"):
        copied = pickle.loads(pickle.dumps(load(name)))
        assert copied.factor_names == load(name).factor_names
        assert copied.source == name
    assert load("torus?nuisances=x").factor_names == ("direction", "y")
    assert load("torus?factors=x&size=8").factor_names == ("x",)
    assert not isinstance(load("torus?factors="), FactorDataset)
    with pytest.raises(ValueError, match="unknown factor of torus 'z'"):
        load("torus?factors=z")
    with pytest.raises(ValueError, match="no factor of torus is left to be scored"):
        load("torus?nuisances=x,y,direction")


def test_options_that_do_not_exist_or_cannot_be_read():
    listed = "choose from size, resample, fit, factors, nuisances, fixed"
    with pytest.raises(ValueError, match=rf"unknown option of torus 'sise' .*'size'.*; {listed}"):
        load("torus?sise=3")
    with pytest.raises(ValueError, match="the option size=big cannot be read"):
        load("torus?size=big")
    with pytest.raises(ValueError, match="the option fit=fill cannot be read: .*'crop'"):
        load("torus?fit=fill")
    with pytest.raises(ValueError, match="are not resized, so that resample and fit mean nothing"):
        load("torus?resample=box")
    with pytest.raises(ValueError, match="unknown option of rooms 'fit'"):
        load("rooms?size=32&fit=pad")
    with pytest.raises(ValueError, match="size must be a number of pixels"):
        load("torus?size=0")
    with pytest.raises(ValueError, match="unknown resample 'best'"):
        resized(load("torus"), 4, resample="best")


def test_a_word_that_is_a_name_and_a_folder(here):
    (here / "torus").mkdir()
    Image.new("L", (8, 8), 200).save(here / "torus" / "a.png")
    with pytest.warns(UserWarning, match=r"both the name of a dataset and a path here.*\./torus"):
        assert len(load("torus")) == 4096
    assert len(load("./torus")) == 1


def test_folders(here):
    (here / "faces" / "a").mkdir(parents=True)
    (here / "faces" / "b").mkdir()
    for k in range(6):
        Image.new("L", (8, 8), 20 + k).save(here / "faces" / "ab"[k % 2] / f"{k}.png")
    dataset = load("faces?labels=folders&size=4")
    assert dataset.factor_names == ("label",)
    assert dataset.image_shape == (4, 4, 1)
    assert dataset.source == f"{here / 'faces'}?labels=folders&size=4"
    assert len(load(here / "faces")) == 6
    with pytest.raises(ValueError, match="unknown option of folders of images 'label'"):
        load("faces?label=folders")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        load("./none")


def test_objects_of_python(module):
    assert len(load("own_data:DATASET")) == 5
    assert load("own_data:IMAGES").name == "own_data:IMAGES"
    assert load("own_data:ITEMS").factor_names == ("label",)
    assert load("own_data:Own").name == "own"
    assert len(load("own_data:Namespace.inner")) == 5
    assert load("own_data:PAIR").factor_names == ("x",)
    assert len(load("own_data:shortened")) == 3
    made = load("own_data:make?n=6&bright=true&sizes=3&other=1.5")
    assert len(made) == 6
    assert made.images([0]).max() == 255
    assert made.source == "own_data:make?bright=true&n=6&other=1.5&sizes=3"
    assert len(load("own_data:strict?n=7&size=4")) == 7
    (module / "package").mkdir()
    (module / "package" / "module.py").write_text(MODULE, encoding="utf-8")
    assert len(load("package.module:make")) == 4


def test_objects_that_are_not_datasets(module):
    with pytest.raises(ImportError, match="there is no module own_dta"):
        load("own_dta:DATASET")
    with pytest.raises(ImportError, match="there is no module dsprite .*did you mean 'dsprites'"):
        load("dsprite:x")
    with pytest.raises(ValueError, match="own_data has no DATASE .*did you mean 'DATASET'"):
        load("own_data:DATASE")
    with pytest.raises(ValueError, match="own_data:NUMBER is int, and images were needed"):
        load("own_data:NUMBER")
    with pytest.raises(ValueError, match="needing needs more options than were given .*'path'"):
        load("own_data:needing?n=4")
    assert len(load("own_data:needing?path=x")) == 5
    with pytest.raises(ValueError, match="unknown option of own_data:strict 'm'"):
        load("own_data:strict?m=1")
    (module / "broken.py").write_text("import not_there_at_all", encoding="utf-8")
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
        load("broken:x")


def test_values_are_read_as_the_function_expects_them():
    def function(
        a: int | tuple[int, int] = 1,
        b: float = 0,
        c: "bool | None" = None,
        d: "dict[str, float] | None" = None,
        e: "ImageDataset | None" = None,
        f: "NotImported" = None,  # noqa: F821
        g=None,
        *,
        h: str = "",
        i: "list[str] | tuple[str, ...]" = (),
        progress=None,
    ):
        """Do nothing."""

    def read(**options):
        return converted(function, options, what="a test")

    assert read(a="64", b="1e-3", c="no") == {"a": 64, "b": 1e-3, "c": False}
    assert read(a="48X64")["a"] == read(a="48,64")["a"] == (48, 64)
    assert read(d="x:1,y:2") == {"d": {"x": 1.0, "y": 2.0}}
    assert read(f="1", g="true") == {"f": 1, "g": True}
    assert read(g="1.5", f="nan") == {"g": 1.5, "f": "nan"}
    assert read(h="1,2") == {"h": "1,2"}
    assert read(i="1,2") == {"i": ["1", "2"]}
    assert read(i="") == {"i": []}
    assert read(a=3.5) == {"a": 3.5}
    for wrong in ({"b": "inf"}, {"a": "1.5"}, {"c": "perhaps"}, {"e": "1"}):
        with pytest.raises(ValueError, match="cannot be read: "):
            read(**wrong)
    with pytest.raises(ValueError, match="unknown option of a test 'progress'"):
        read(progress="1")


@pytest.mark.parametrize("name", ["~nobody-at-all/x", "celeba:~nobody-at-all/x"])
def test_the_home_of_nobody(name):
    with pytest.raises(FileNotFoundError, match="~nobody-at-all/x"):
        load(name)
