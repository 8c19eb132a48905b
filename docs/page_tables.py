"""Tables in Markdown, and pages that hold them between marks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def fill(page: str, texts: Mapping[str, str]) -> str:
    """The page with each text between the marks of its name: ``<!-- name -->``, ``<!-- end -->``.

    Raises
    ------
    ValueError
        If the page has no marks of a name.
    """
    for name, text in texts.items():
        mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.S)
        if not mark.search(page):
            raise ValueError(f"the page has no marks for {name}")
        page = mark.sub(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", page)
    return page
