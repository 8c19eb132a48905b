"""Studies of several machines joined."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Collection, Sequence
from pathlib import Path

from unweave._storage import writable_folder
from unweave.studies.base import BaseStudy, Run
from unweave.studies.folder import StudyFolder, open_study, write_study

__all__ = ["merge_studies"]


def merge_studies(
    folders: Sequence[str | Path], out: str | Path, *, trust: Collection[str] = ()
) -> dict[str, int]:
    """Copy the finished runs of studies into one folder, but for damaged ones.

    The studies must be the same, but for the cells of studies of models: those are joined. A run
    that is there already stays as it is. For ``trust`` see :func:`~unweave.studies.open_study`.

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
    studies = [open_study(folder, trust=trust) for folder in folders]
    whole = _joined(studies, folders)
    writable_folder(out / "runs")
    if (out / "study.json").exists():
        whole = _joined([open_study(out, trust=trust), whole], [out, *folders])
    write_study(whole, out)
    return {
        str(folder): sum(
            _copied(run, out / "runs" / run.folder.name)
            for run in StudyFolder(study, folder).finished().runs
        )
        for study, folder in zip(studies, folders, strict=True)
    }


def _joined(studies: Sequence[BaseStudy], folders: Sequence[str | Path]) -> BaseStudy:
    first = studies[0]
    for other, folder in zip(studies[1:], folders[1:], strict=False):
        a, b = (study.model_dump(exclude=study.may_differ) for study in (first, other))
        if type(first) is not type(other) or a != b:
            keys = sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))
            raise ValueError(
                f"{folders[0]} and {folder} hold different studies: they differ in "
                f"{', '.join(keys)}; only cells may differ"
            )
    return first.joined(studies[1:])


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
