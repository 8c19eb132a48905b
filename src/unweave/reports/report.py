"""The report of a study: one HTML page."""

from __future__ import annotations

from pathlib import Path

from unweave.datasets.cache import written_whole
from unweave.reports.encoders import encoders_page
from unweave.reports.generalisation import generalisation_page
from unweave.reports.manifolds import manifolds_page
from unweave.reports.objects import objects_page
from unweave.reports.study import study_page
from unweave.studies.folder import finished_runs
from unweave.studies.kinds.encoders import EncoderStudy
from unweave.studies.kinds.generalisation import GeneralisationStudy
from unweave.studies.kinds.manifolds import ManifoldStudy
from unweave.studies.kinds.objects import ObjectStudy
from unweave.studies.loading import AnyStudy

__all__ = ["write_report"]


def write_report(study: AnyStudy, folder: str | Path) -> Path:
    """Write ``report.html`` from the finished runs in a study's folder and return its path.

    A run with a damaged file is left out, and the page says so.

    Raises
    ------
    ValueError
        If no run of the study is finished, or none has a score.
    """
    found = finished_runs(study, folder)
    if not found.runs:
        what = "undamaged" if found.damaged else "finished yet"
        raise ValueError(f"no run in {folder} is {what}: there is nothing to report")
    if isinstance(study, ManifoldStudy):
        page = manifolds_page(study, found)
    elif isinstance(study, ObjectStudy):
        page = objects_page(study, found)
    elif isinstance(study, EncoderStudy):
        page = encoders_page(study, found)
    elif isinstance(study, GeneralisationStudy):
        page = generalisation_page(study, found)
    else:
        page = study_page(study, found, folder)
    path = Path(folder) / "report.html"
    with written_whole(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path
