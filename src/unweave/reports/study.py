"""The page of studies of models, with a section for each part."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from unweave.reports.figures import with_own_names
from unweave.reports.page import render
from unweave.reports.training import training_section
from unweave.studies.base import BaseStudy, Run
from unweave.studies.folder import Finished
from unweave.studies.kinds.combined import CombinedStudy
from unweave.studies.kinds.training import TrainingStudy

__all__ = ["combined_page", "explorer_file", "training_page"]

_EXPLORERS = "explorers"


def training_page(study: TrainingStudy, found: Finished) -> str:
    """The page of the finished runs of a study.

    Raises
    ------
    ValueError
        If no finished run has a score.
    """
    _check_scores(found)
    return _page(study, [study], [training_section(study, found)], found)


def combined_page(study: CombinedStudy, found: Finished) -> str:
    """The page of the finished runs, with a section for each part.

    Raises
    ------
    ValueError
        If no finished run has a score.
    """
    _check_scores(found)
    return _page(study, study.parts, [_part(part, found.of(part)) for part in study.parts], found)


def explorer_file(run: Run) -> Path:
    """The page in which a run's model can be explored, if ``unweave study explore`` wrote it."""
    return run.folder.parent.parent / _EXPLORERS / f"{run.description.key}.html"


def _check_scores(found: Finished) -> None:
    if not found.table.height:
        raise ValueError(
            f"the finished runs in {found.path} have no scores, and a report is about scores: "
            "their result.json says why they are left out"
        )


def _page(
    study: BaseStudy, parts: Sequence[TrainingStudy], sections: Sequence[str], found: Finished
) -> str:
    content = {
        "study": study,
        "damaged": found.damaged,
        "has_minutes": any(run.training.cpu_minutes for run in study.descriptions),
        "study_json": json.dumps(study.model_dump(mode="json"), indent=1, ensure_ascii=False),
        "explorers": [
            {"address": f"{_EXPLORERS}/{file.name}", "text": run.summary()}
            for run in found.runs
            if (file := explorer_file(run)).is_file()
        ],
        "sections": [
            {"study": part, "html": html} for part, html in zip(parts, sections, strict=True)
        ],
    }
    return render("study.html", content)


def _part(part: TrainingStudy, found: Finished) -> str:
    if not found.table.height:
        return "<p><strong>No run of this part is finished yet.</strong></p>"
    return with_own_names(training_section(part, found, level=3), part.name)
