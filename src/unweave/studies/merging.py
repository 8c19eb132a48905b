"""Studies of several machines joined."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from unweave.datasets.cache import writable_folder
from unweave.studies.engine import study_runs
from unweave.studies.loading import AnyStudy, open_study, write_study
from unweave.studies.study import Study

__all__ = ["merge_studies"]


def merge_studies(folders: Sequence[str | Path], out: str | Path) -> dict[str, int]:
    """Copy the finished runs of studies into one folder.

    The studies must be the same, but for the cells of studies of models: those are joined. A run
    that is there already stays as it is.

    Returns
    -------
    dict
        Runs that were copied from each folder, by its name as given.

    Raises
    ------
    FileNotFoundError
        If a folder holds no study.
    ValueError
        If the studies differ in more than their cells.
    """
    out = Path(out)
    studies = [open_study(folder) for folder in folders]
    whole = _joined(studies, folders)
    writable_folder(out / "runs")
    if (out / "study.json").exists():
        whole = _joined([open_study(out), whole], [out, *folders])
    write_study(whole, out)
    return {
        str(folder): sum(
            _copied(run.folder, out / "runs" / run.folder.name)
            for run in study_runs(study, folder)
            if run.is_finished
        )
        for study, folder in zip(studies, folders, strict=True)
    }


def _joined(studies: Sequence[AnyStudy], folders: Sequence[str | Path]) -> AnyStudy:
    first = studies[0]
    for other, folder in zip(studies[1:], folders[1:], strict=False):
        a, b = (study.model_dump(exclude={"cells"}) for study in (first, other))
        if type(first) is not type(other) or a != b:
            keys = sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))
            raise ValueError(
                f"{folders[0]} and {folder} hold different studies: they differ in "
                f"{', '.join(keys)}; only cells may differ"
            )
    if not isinstance(first, Study):
        return first
    cells = dict.fromkeys(
        cell.model_dump_json() for study in studies if isinstance(study, Study)
        for cell in study.cells
    )  # fmt: skip
    kind = type(first.cells[0])
    return first.model_copy(update={"cells": tuple(kind.model_validate_json(c) for c in cells)})


def _copied(source: Path, target: Path) -> bool:
    """Whether the run was copied: whole, or not at all."""
    if (target / "result.json").exists():
        return False
    temporary = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
    try:
        shutil.copytree(source, temporary, ignore=shutil.ignore_patterns(".lock"))
        shutil.rmtree(target, ignore_errors=True)  # of a run that was not finished
        os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True
