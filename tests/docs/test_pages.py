"""The code of tutorials and of other pages runs, and prints what the pages show."""

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FILL = runpy.run_path(str(DOCS / "fill_outputs.py"))
TRAINED = {"own_data": 0.3, "train": 0.3, "pretrained": 0.05, "study": 0.3}
"""How close numbers must be: training rounds in other ways on other processors."""
QUICK = [path for path in FILL["PAGES"] if path.stem not in TRAINED]


def check(path, folder):
    page = path.read_text(encoding="utf-8")
    now = FILL["filled"](page, folder)
    differences = FILL["differences"](page, now, tolerance=TRAINED.get(path.stem, 1e-3))
    assert differences == [], f"run docs/fill_outputs.py {path.stem}"


@pytest.mark.parametrize("path", QUICK, ids=lambda path: path.stem)
def test_a_page_prints_what_it_shows(path, tmp_path):
    check(path, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_a_tutorial_prints_what_it_shows(name, tmp_path):
    check(DOCS / "tutorials" / f"{name}.md", tmp_path)


@pytest.mark.parametrize(
    ("shown", "now", "n_differences"),
    [
        ("mig 0.500 | 1,000 rows", "mig  0.501  1000 rows", 0),
        ("mig 0.500", "mig 0.600", 1),
        ("mig 0.5", "sap 0.5", 1),
        ("mig 0.5 more", "mig 0.5", 1),
    ],
    ids=["close", "another number", "another word", "a word is missing"],
)
def test_pages_are_compared_by_words_and_numbers(shown, now, n_differences):
    assert len(FILL["differences"](shown, now, tolerance=0.01)) == n_differences


def test_a_command_that_fails_is_seen(tmp_path):
    page = "```sh\nunweave score nothing.npz\n```\n\n```text\n```\n"
    with pytest.raises(AssertionError, match=r"no file at nothing\.npz"):
        FILL["filled"](page, tmp_path)
