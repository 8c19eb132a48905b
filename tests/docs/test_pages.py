"""The code of tutorials and of other pages runs, and prints what the pages show."""

import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FILL = runpy.run_path(str(DOCS / "fill_outputs.py"))
TRAINED = {
    "tutorials/own_data.md": 0.3,
    "tutorials/train.md": 0.3,
    "tutorials/pretrained.md": 0.05,
    "tutorials/study.md": 0.3,
}
"""How close numbers must be: training rounds in other ways on other processors."""
PAGES = [str(path.relative_to(DOCS)) for path in FILL["PAGES"]]
QUICK = [page for page in PAGES if page not in TRAINED]


def check(page, folder):
    shown = (DOCS / page).read_text(encoding="utf-8")
    now = FILL["filled"](shown, folder)
    differences = FILL["differences"](shown, now, tolerance=TRAINED.get(page, 1e-3))
    assert differences == [], f"run docs/fill_outputs.py {page}"


@pytest.mark.parametrize("page", QUICK)
def test_a_page_prints_what_it_shows(page, tmp_path):
    check(page, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("page", TRAINED)
def test_a_tutorial_prints_what_it_shows(page, tmp_path):
    check(page, tmp_path)


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


def test_links_of_pages_lead_somewhere_in_the_repository():
    root = DOCS.parent
    for page in [*root.glob("*.md"), *DOCS.rglob("*.md")]:
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)", text):
            if not re.match(r"[a-z]+:", target):
                assert (page.parent / target).exists(), f"{page}: {target}"


def test_a_command_that_fails_is_seen(tmp_path):
    page = "```sh\nunweave score nothing.npz\n```\n\n```text\n```\n"
    with pytest.raises(AssertionError, match=r"no file at nothing\.npz"):
        FILL["filled"](page, tmp_path)
