"""The report of a study: one HTML page."""

from __future__ import annotations

from pathlib import Path

from unweave.datasets.cache import written_whole
from unweave.reports.encoders import encoders_page
from unweave.reports.manifolds import manifolds_page
from unweave.reports.objects import objects_page
from unweave.reports.training import training_page
from unweave.studies.encoders import EncoderStudy
from unweave.studies.engine import study_runs
from unweave.studies.loading import AnyStudy
from unweave.studies.manifolds import ManifoldStudy
from unweave.studies.objects import ObjectStudy

__all__ = ["write_report"]


def write_report(study: AnyStudy, folder: str | Path) -> Path:
    """Write ``report.html`` from the finished runs in a study's folder and return its path.

    Raises
    ------
    ValueError
        If no run of the study is finished.
    """
    if not any(run.is_finished for run in study_runs(study, folder)):
        raise ValueError(f"no run in {folder} is finished yet: there is nothing to report")
    if isinstance(study, ManifoldStudy):
        page = manifolds_page(study, folder)
    elif isinstance(study, ObjectStudy):
        page = objects_page(study, folder)
    elif isinstance(study, EncoderStudy):
        page = encoders_page(study, folder)
    else:
        page = training_page(study, folder)
    path = Path(folder) / "report.html"
    with written_whole(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path
