"""The reference of the site has every public name, and shows docstrings as they are meant."""

import importlib
import pkgutil
import re
import sys
import tomllib
from pathlib import Path

import pytest

import unweave

ROOT = Path(__file__).parents[2]
PACKAGE = Path(unweave.__file__).parent
sys.path.insert(0, str(ROOT / "docs" / "site"))
from public import public_modules, public_names  # noqa: E402

NAMES = public_names(PACKAGE)


def exporting_packages():
    """Every importable package without an underscore that says what it exports."""
    for info in pkgutil.walk_packages([str(PACKAGE)], "unweave."):
        parts = info.name.split(".")
        if info.ispkg and "cli" not in parts and not any(part.startswith("_") for part in parts):
            module = importlib.import_module(info.name)
            if hasattr(module, "__all__"):
                yield module


def test_it_has_what_every_package_exports():
    found = {(name.package, name.name) for name in NAMES}
    packages = [unweave, *exporting_packages()]
    assert len(packages) > 10
    for module in packages:
        names = {
            name for name in module.__all__ if type(getattr(module, name)) is not type(importlib)
        }
        assert {(module.__name__, name) for name in names} <= found


@pytest.mark.parametrize("name", NAMES, ids=lambda name: f"{name.package}.{name.name}")
def test_a_name_is_where_the_reference_says(name):
    home, _, attribute = name.identifier.rpartition(".")
    public = getattr(pytest.importorskip(name.package), name.name)
    assert getattr(importlib.import_module(home), attribute) is public
    if name.kind != "constant":
        assert name.summary


def test_docs_import_from_modules_of_the_reference():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    imported = {
        module
        for page in pages
        for module in re.findall(r"^from (unweave[\w.]*) import", page.read_text("utf-8"), re.M)
    }
    homes = {name.identifier.rpartition(".")[0] for name in NAMES}
    assert imported - {*public_modules(PACKAGE)} - homes == set()


def test_the_page_on_installation_has_every_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    page = (ROOT / "docs" / "install.md").read_text("utf-8")
    extras = {*project["optional-dependencies"]} - {"test", "dev"}
    assert {extra for extra in extras if f"`{extra}`" not in page} == set()
