"""The page of a study of a kind that has none of its own: its table."""

from __future__ import annotations

import json

from unweave.reports.page import render
from unweave.studies.base import BaseStudy
from unweave.studies.folder import Finished
from unweave.studies.kind import described

__all__ = ["plain_page"]

_MOST_ROWS = 3_000  # in the page; the table holds all


def plain_page(study: BaseStudy, found: Finished) -> str:
    """The page of the finished runs: each row of the table, and the settings of the study."""
    table = found.table
    content = {
        "study": study,
        "damaged": found.damaged,
        "n_finished": len(found.runs),
        "n_runs": len(study.descriptions),
        "columns": table.columns,
        "rows": [[_cell(value) for value in row] for row in table.head(_MOST_ROWS).rows()],
        "n_rows": table.height,
        "study_json": json.dumps(described(study), indent=1, ensure_ascii=False),
    }
    return render("plain.html", content)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
