"""What the core of the package does where no extra is installed, and what it says of the rest."""

import json
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest

import unweave
from unweave import _extras

ROOT = Path(__file__).parents[2]
EXTRAS = {package for packages in _extras._PACKAGES.values() for package in packages}
WITHOUT = f"""
import sys
from importlib.machinery import PathFinder
class Core:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name in {sorted(EXTRAS)} else PathFinder.find_spec(name, path, target)
sys.meta_path[:] = [Core if finder is PathFinder else finder for finder in sys.meta_path]
"""


def run(code, folder):
    """What a new process prints in which no package of an extra can be imported."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code], capture_output=True, text=True, cwd=folder
    )


def command(words, folder):
    return run(f"sys.argv = ['unweave', *{words!r}]; from unweave.cli import main; main()", folder)


@pytest.fixture
def codes(tmp_path, rng):
    factors = rng.integers(0, 4, (400, 3))
    codes = factors @ rng.normal(size=(3, 4)) + 0.1 * rng.normal(size=(400, 4))
    np.savez(tmp_path / "codes.npz", codes=codes, factors=factors)
    return codes, factors


def test_the_core_scores_codes_as_everything_does(tmp_path, codes):
    printed = command(["score", "codes.npz", "--metrics", "mig", "sap", "--json"], tmp_path)
    assert printed.returncode == 0, printed.stderr
    found = json.loads(printed.stdout)["metrics"]
    scores = unweave.evaluate(*codes, metrics=["mig", "sap"])
    assert {n: of["value"] for n, of in found.items()} == {n: s.value for n, s in scores.items()}


def test_the_core_has_help_metrics_and_datasets(tmp_path):
    shown = command(["--help"], tmp_path)
    assert shown.returncode == 0
    assert {"geomancer", "score"} <= set(shown.stdout.split())
    assert "mig" in command(["metrics"], tmp_path).stdout
    assert "rooms" in command(["data", "list"], tmp_path).stdout
    images = run(
        "import unweave; print(unweave.load('torus?size=32').images([0, 5]).shape)", tmp_path
    )
    assert images.stdout.strip() == "(2, 32, 32, 1)", images.stderr


def test_the_core_completes_what_needs_an_extra_too(tmp_path):
    printed = command(["completion", "bash"], tmp_path)
    assert printed.returncode == 0, printed.stderr
    assert "--gradient-clip" in printed.stdout  # of unweave train
    assert "geomancer" in printed.stdout


def test_the_core_runs_geomancer(tmp_path):
    words = ["geomancer", "S^2 x S^2", "--points", "1000", "--json"]
    printed = command(words, tmp_path)
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout)["dims"] == [2, 2]


def test_the_core_explores_codes(tmp_path, codes):
    printed = command(["explore", "codes.npz", "--save", "page.html"], tmp_path)
    assert printed.returncode == 0, printed.stderr
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h1>codes.npz</h1>" in page


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["train", "vae", "--dataset", "torus"], "models"),
        (["encode", "pca:3", "--dataset", "torus", "--out", "codes.npz"], "models"),
        (["show", "pretrained:qlae-rooms"], "models"),
        (["study", "quick", "--dry-run"], "studies"),
        (["explore", "pretrained:qlae-rooms"], "studies"),
        (["score", "codes.csv"], "tables"),
        (["score", "codes.h5ad"], "hdf5"),
    ],
)
def test_what_the_core_lacks_is_named_with_its_extra(tmp_path, words, extra):
    (tmp_path / "codes.csv").write_text("code_0,factor_a\n0.5,1\n0.25,2\n")
    (tmp_path / "codes.h5ad").write_bytes(b"\x89HDF\r\n\x1a\n")
    printed = command(words, tmp_path)
    assert printed.returncode == 2
    assert f'pip install "unweave[{extra}]"' in printed.stderr
    assert "Traceback" not in printed.stderr


def test_a_plot_names_its_extra(tmp_path):
    printed = run(
        "import numpy, unweave; rng = numpy.random.default_rng(0);"
        "scores = unweave.evaluate(rng.normal(size=(300, 2)), rng.integers(0, 3, (300, 2)),"
        " metrics=['mig'], noise=None); scores.plot()",
        tmp_path,
    )
    assert "a plot needs matplotlib" in printed.stderr
    assert "unweave[plots]" in printed.stderr


def test_a_missing_package_that_belongs_to_an_extra_is_said_so():
    missing = ModuleNotFoundError("No module named 'polars'", name="polars")
    assert 'pip install "unweave[studies]"' in _extras.how_to_install(missing)
    missing = ModuleNotFoundError("No module named 'numpy'", name="numpy")
    assert "unweave always needs it" in _extras.how_to_install(missing)


def test_extras_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {name: of[0].lower() for name, of in packages_distributions().items()}
    for extra, packages in _extras._PACKAGES.items():
        required = " ".join(project["optional-dependencies"][extra]).lower().replace("_", "-")
        for package in packages:
            distribution = names.get(package, package).lower().replace("_", "-")
            assert distribution in required, f"{extra} does not install {package}"
            core = " ".join(project["dependencies"]).lower()
            assert f"{distribution}>" not in core, f"{package} is in the core"


def test_the_top_has_the_first_things_that_people_need():
    assert unweave.evaluate is unweave.metrics.evaluate
    assert unweave.Geomancer is unweave.geometry.Geomancer
    assert unweave.load is unweave.datasets.load
    assert set(unweave.__all__) <= set(dir(unweave))
    with pytest.raises(AttributeError, match="module 'unweave' has no attribute 'evalute'"):
        _ = unweave.evalute


def test_importing_unweave_imports_nothing_else():
    printed = subprocess.run(
        [sys.executable, "-c", "import sys, unweave; print('numpy' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert printed.stdout.strip() == "False"
