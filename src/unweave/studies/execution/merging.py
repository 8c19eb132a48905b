"""Studies of several machines joined."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unweave.datasets.cache import writable_folder
from unweave.studies.base import Run
from unweave.studies.folder import finished_runs
from unweave.studies.kinds.combined import CombinedStudy
from unweave.studies.kinds.training import Study
from unweave.studies.loading import AnyStudy, open_study, write_study

__all__ = ["merge_studies"]

_CELLS: Any = {"cells": True, "parts": {"__all__": {"cells"}}}
"""Keys in which studies of several machines may differ."""


def merge_studies(folders: Sequence[str | Path], out: str | Path) -> dict[str, int]:
    """Copy the finished runs of studies into one folder, but for damaged ones.

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
            _copied(run, out / "runs" / run.folder.name)
            for run in finished_runs(study, folder).runs
        )
        for study, folder in zip(studies, folders, strict=True)
    }


def _joined(studies: Sequence[AnyStudy], folders: Sequence[str | Path]) -> AnyStudy:
    first = studies[0]
    for other, folder in zip(studies[1:], folders[1:], strict=False):
        a, b = (study.model_dump(exclude=_CELLS) for study in (first, other))
        if type(first) is not type(other) or a != b:
            keys = sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))
            raise ValueError(
                f"{folders[0]} and {folder} hold different studies: they differ in "
                f"{', '.join(keys)}; only cells may differ"
            )
    if isinstance(first, CombinedStudy):
        parts = zip(*(s.parts for s in studies if isinstance(s, CombinedStudy)), strict=True)
        return first.model_copy(update={"parts": tuple(map(_with_all_cells, parts))})
    if not isinstance(first, Study):
        return first
    return _with_all_cells([study for study in studies if isinstance(study, Study)])


def _with_all_cells(studies: Sequence[Study]) -> Study:
    """The first study with the cells of all, each once."""
    cells = dict.fromkeys(cell.model_dump_json() for study in studies for cell in study.cells)
    kind = type(studies[0].cells[0])
    return studies[0].model_copy(
        update={"cells": tuple(kind.model_validate_json(cell) for cell in cells)}
    )


def _copied(run: Run, target: Path) -> bool:
    """Whether the run was copied: whole, or not at all."""
    there = run.description.run(target)
    if there.is_finished:
        if there.damage() is None:
            return False
        there.set_aside()
    temporary = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
    try:
        shutil.copytree(run.folder, temporary, ignore=shutil.ignore_patterns(".lock"))
        shutil.rmtree(target, ignore_errors=True)  # of a run that was not finished
        os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True
