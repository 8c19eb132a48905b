import importlib
import inspect
import runpy
from pathlib import Path

import pytest

from unweave.datasets import DATASETS, FactorDataset, load

DOCS = Path(__file__).parents[2] / "docs"
DRAWN = [name for name, entry in DATASETS.items() if not entry.files]


def test_the_page_has_the_catalogue():
    filled = runpy.run_path(str(DOCS / "fill_datasets.py"))["filled"]
    page = (DOCS / "data.md").read_text(encoding="utf-8")
    assert filled(page) == page, "run docs/fill_datasets.py"


@pytest.mark.parametrize("name", DATASETS)
def test_an_entry_names_what_opens_it(name):
    entry = DATASETS[name]
    assert entry.name == name
    function = getattr(importlib.import_module(f"unweave.datasets.{entry.module}"), entry.function)
    first = next(iter(inspect.signature(function).parameters), "")
    assert not entry.files or first == "path"
    assert not entry.files or entry.downloads or entry.where


@pytest.mark.parametrize("name", DRAWN)
def test_an_entry_says_what_the_dataset_is(name):
    entry, dataset = DATASETS[name], load(name)
    assert (len(dataset), dataset.image_shape) == (entry.n_images, entry.image_shape)
    assert dataset.name == name
    if isinstance(dataset, FactorDataset):
        sizes = {factor.name: factor.size for factor in dataset.factor_columns}
        words = entry.factors.replace(" (nuisance)", "").split(", ")
        assert {word.split()[0]: int(word.split()[1]) for word in words} == sizes
