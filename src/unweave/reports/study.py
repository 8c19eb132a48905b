"""The page of a study of models, with a section for each part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unweave.reports.figures import with_own_names
from unweave.reports.page import render
from unweave.reports.training import training_section
from unweave.studies.folder import Finished
from unweave.studies.kinds.combined import CombinedStudy
from unweave.studies.kinds.training import Study
from unweave.studies.table import table_of

__all__ = ["study_page"]


def study_page(study: Study | CombinedStudy, found: Finished, folder: str | Path) -> str:
    """The page of the finished runs in a study's folder.

    Raises
    ------
    ValueError
        If no finished run has a score.
    """
    parts = study.parts if isinstance(study, CombinedStudy) else (study,)
    if not table_of(found).height:
        raise ValueError(
            f"the finished runs in {folder} have no scores, and a report is about scores: "
            "their result.json says why they are left out"
        )
    content: dict[str, Any] = {
        "study": study,
        "damaged": found.damaged,
        "has_minutes": any(run.training.cpu_minutes for run in study.runs()),
        "study_json": json.dumps(study.model_dump(mode="json"), indent=1, ensure_ascii=False),
    }
    if len(parts) == 1 and not isinstance(study, CombinedStudy):
        sections = [{"study": study, "html": training_section(study, found)}]
    else:
        sections = [{"study": part, "html": _part(part, found.of(part))} for part in parts]
    return render("study.html", {**content, "sections": sections})


def _part(part: Study, found: Finished) -> str:
    if not table_of(found).height:
        return "<p><strong>No run of this part is finished yet.</strong></p>"
    return with_own_names(training_section(part, found, level=3), part.name)
