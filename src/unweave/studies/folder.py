"""Finished runs of a study, and what becomes of damaged ones."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unweave.studies.base import Run, RunIsBusyError

if TYPE_CHECKING:
    from unweave.studies.loading import AnyStudy

__all__ = ["Finished", "finished_runs", "set_damaged_aside", "study_runs"]

_MOST_NAMED = 3


@dataclass(frozen=True)
class Finished:
    """Finished runs of a study.

    Attributes
    ----------
    runs
        Those whose files are as they were written.
    damaged
        A sentence for each of the others, which names it.
    kind
        Of the runs.
    """

    runs: tuple[Run, ...]
    damaged: tuple[str, ...]
    kind: type[Run]

    def of(self, study: AnyStudy) -> Finished:
        """Those runs that are of a part of the study."""
        keys = {run.key for run in study.runs()}
        runs = tuple(run for run in self.runs if run.description.key in keys)
        return Finished(runs, self.damaged, self.kind)


def study_runs(study: AnyStudy, folder: str | Path) -> list[Run]:
    """The runs of a study whose results are kept in ``folder``."""
    return [d.run(Path(folder) / "runs" / d.key) for d in study.runs()]


def finished_runs(study: AnyStudy, folder: str | Path, *, with_model: bool = False) -> Finished:
    """The finished runs in a study's folder; damaged ones are left out with a warning.

    ``with_model`` their last checkpoints are looked at too, which takes longer.
    """
    runs = study_runs(study, folder)
    sound: list[Run] = []
    damaged: list[str] = []
    unchecked: list[str] = []
    for run in runs:
        if not run.is_finished:
            continue
        damage = run.damage(with_model=with_model)
        if damage is None:
            sound.append(run)
            if not run.has_checksum:
                unchecked.append(run.description.key)
        else:
            damaged.append(f"run {run.description.key} is left out: {damage}")
    for sentence in damaged:
        _warn(f"{sentence}; run the study again to repeat that run")
    if unchecked:
        more = len(unchecked) - _MOST_NAMED
        named = ", ".join(unchecked[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
        _warn(
            f"results of an earlier version have no checksum, and changes of them go unnoticed: "
            f"{named}"
        )
    return Finished(tuple(sound), tuple(damaged), type(runs[0]))


def set_damaged_aside(runs: Sequence[Run]) -> None:
    """Move the folders of damaged runs to other names, with a warning: they are repeated."""
    for run in runs:
        damage = run.damage(with_model=True)
        if damage is None:
            continue
        with suppress(RunIsBusyError):  # whoever is at work there will say what is wrong
            place = run.set_aside()
            if place is not None:
                _warn(
                    f"{damage}: run {run.description.key} is repeated, and its old files are in "
                    f"{place}"
                )


def _warn(sentence: str) -> None:
    warnings.warn(sentence, RuntimeWarning, stacklevel=2)
