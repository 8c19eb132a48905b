"""The page about scale has the tables that its stored rows give."""

import runpy
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(DOCS / "fill_answer.py"))


@pytest.fixture(scope="module")
def table():
    return pl.read_parquet(DOCS / "results" / "scale.parquet")


@pytest.fixture(scope="module")
def scaled(script, table):
    return script["scaled_parts"](table)


def test_the_page_is_filled(script, table, scaled):
    page = (DOCS / "answer.md").read_text()
    assert script["filled"](page, table, scaled) == page, "run docs/fill_answer.py"


def test_all_laws_are_kept(script, scaled):
    stored = pl.read_csv(DOCS / "results" / "scale-laws.csv", infer_schema_length=None)
    found = script["laws"](scaled)
    assert_frame_equal(stored, found, check_dtypes=False)
