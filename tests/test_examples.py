"""Every page of the gallery runs, and ends in an assertion that holds."""

import ast
import runpy
from pathlib import Path

import pytest
from matplotlib.figure import Figure

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_it_runs_and_ends_in_an_assertion(path):
    body = ast.parse(path.read_text()).body
    assert isinstance(body[-1], ast.Assert)
    names = runpy.run_path(str(path))
    assert any(isinstance(value, Figure) for value in names.values())


def test_there_are_pages():
    assert len(EXAMPLES) >= 3
