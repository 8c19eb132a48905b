"""The page about scale has the tables that its stored rows give."""

import runpy
from pathlib import Path

import polars as pl

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_filled():
    script = runpy.run_path(str(DOCS / "fill_answer.py"))
    page = (DOCS / "answer.md").read_text()
    table = pl.read_parquet(DOCS / "results" / "scale.parquet")
    assert script["filled"](page, table) == page, "run docs/fill_answer.py"
