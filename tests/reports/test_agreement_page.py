"""The page about agreement has the tables that its stored rows give."""

import runpy
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(DOCS / "fill_agreement.py"))


@pytest.fixture(scope="module")
def parts(script):
    return script["parts_of"](pl.read_parquet(DOCS / "results" / "agreement.parquet"))


@pytest.fixture(scope="module")
def table(script, parts):
    return script["pairs"](script["agreements"](parts))


def test_the_page_is_filled(script, parts, table):
    page = (DOCS / "agreement.md").read_text()
    assert script["filled"](page, parts, table) == page, "run docs/fill_agreement.py"


def test_all_pairs_are_kept(table):
    stored = pl.read_csv(DOCS / "results" / "agreement-pairs.csv", infer_schema_length=None)
    assert_frame_equal(stored, table, check_dtypes=False)
