"""The report of a study: one HTML page."""

from __future__ import annotations

from pathlib import Path

from unweave._storage import written_whole
from unweave.studies.base import BaseStudy
from unweave.studies.folder import StudyFolder

__all__ = ["write_report"]


def write_report(study: BaseStudy, folder: str | Path) -> Path:
    """Write ``report.html`` from the finished runs in a study's folder and return its path.

    The study makes the page. A run with a damaged file is left out, and the page says so.

    Raises
    ------
    ValueError
        If no run of the study is finished, or none has a score.
    """
    found = StudyFolder(study, folder).finished()
    if not found.runs:
        what = "undamaged" if found.damaged else "finished yet"
        raise ValueError(f"no run in {folder} is {what}: there is nothing to report")
    path = Path(folder) / "report.html"
    page = study.page(found)
    with written_whole(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path
