"""A study in its folder: its runs, which of them are finished, and their table."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
from pydantic import ValidationError

import unweave
from unweave._contents import Content
from unweave._files import DamagedFileError, read_json
from unweave._objects import UntrustedObjectError, importing_only
from unweave._storage import write_json
from unweave.studies.base import BaseStudy, Run, RunIsBusyError, free_name
from unweave.studies.kind import described, imported_kind, kind_by_keys
from unweave.studies.loading import sentences

__all__ = [
    "STUDY",
    "Finished",
    "StudyFile",
    "StudyFolder",
    "check_same_study",
    "open_study",
    "set_damaged_aside",
    "write_study",
]

STUDY = "study.json"
FORMAT = 1  # of the folder of a study
_WORDS = ("name", "title", "question", "note", "report")  # in which no run differs
_MOST_NAMED = 3


class StudyFile(Content):
    """What ``study.json`` of any study holds."""

    name: str
    title: str
    question: str


@dataclass(frozen=True)
class StudyFolder:
    """A study, and the folder that keeps the results of its runs."""

    study: BaseStudy
    path: str | Path

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """All runs of the study."""
        return tuple(d.run(Path(self.path) / "runs" / d.key) for d in self.study.descriptions)

    def finished(self, *, with_model: bool = False) -> Finished:
        """The runs that are finished now; damaged ones are left out with a warning.

        ``with_model`` their last checkpoints are looked at too, which takes longer.
        """
        sound: list[Run] = []
        damaged: list[str] = []
        unchecked: list[str] = []
        for run in self.runs:
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
                f"results of an earlier version have no checksum, and changes of them go unnoticed:"
                f" {named}"
            )
        return Finished(Path(self.path), tuple(sound), tuple(damaged), type(self.runs[0]))


@dataclass(frozen=True)
class Finished:
    """Finished runs of a study.

    Attributes
    ----------
    path
        Folder of the study.
    runs
        Those whose files are as they were written.
    damaged
        A sentence for each of the others, which names it.
    run_type
        Class of the runs.
    """

    path: str | Path
    runs: tuple[Run, ...]
    damaged: tuple[str, ...]
    run_type: type[Run]

    @cached_property
    def table(self) -> pl.DataFrame:
        """The rows of the runs, as their ``rows`` has them."""
        rows = [row for run in self.runs for row in run.rows()]
        table = pl.DataFrame(rows, schema=self.run_type.schema)
        return table.sort(*self.run_type.order) if self.run_type.order else table

    def of(self, part: BaseStudy) -> Finished:
        """Those runs that are of a part of the study."""
        keys = {run.key for run in part.descriptions}
        runs = tuple(run for run in self.runs if run.description.key in keys)
        return Finished(self.path, runs, self.damaged, self.run_type)


def open_study(folder: str | Path, *, trust: Collection[str] = ()) -> BaseStudy:
    """The study whose results are kept in ``folder``.

    It may name classes from outside this package: its kind, and objectives. They are used if their
    modules are imported already. Otherwise name them in ``trust``, as ``package.module:Class``, and
    they are imported, which runs the code of those modules.

    Raises
    ------
    FileNotFoundError
        If the folder holds no study.
    ValueError
        If ``study.json`` is damaged; if another version of this library made it, and it cannot be
        read; or if it names a class from outside this package that is neither imported nor
        trusted.
    """
    file = Path(folder) / STUDY
    if not file.exists():
        raise FileNotFoundError(
            f"{folder} holds no study: it has no {STUDY}; give the folder that "
            "`unweave study` wrote"
        )
    content = read_json(file)
    made_by = content.pop("unweave", "an older version")
    if content.pop("format", FORMAT) != FORMAT:
        raise ValueError(
            f"{folder} was made by unweave {made_by}, and this is {unweave.__version__}, which "
            "keeps studies in another way: use that version, or run the study again elsewhere"
        )
    read_json(file, StudyFile)
    named = content.pop("kind", None)
    chosen = kind_by_keys(content)
    try:
        with importing_only(trust):
            if named is not None:
                chosen = imported_kind(named)
            study = chosen.model_validate(content)
            _ = study.descriptions  # as in checked_study
        return study
    except UntrustedObjectError as error:
        raise ValueError(
            f"{folder} holds a study that names {error.name}, which is not part of unweave, and to "
            f"read it runs the code of that module: if you trust it, add --trust {error.name}, or "
            f"in Python open_study(folder, trust=[{error.name!r}])"
        ) from error
    except ValidationError as error:
        raise ValueError(
            f"{folder} was made by unweave {made_by}, and this is {unweave.__version__}: "
            f"{sentences(error, chosen)}"
        ) from error


def check_same_study(study: BaseStudy, folder: str | Path, *, mend: bool = True) -> None:
    """Refuse a folder that holds another study; one that has got further runs is the same.

    A damaged ``study.json`` is moved aside if all runs in the folder are of the study, and if it is
    to ``mend``.

    Raises
    ------
    ValueError
        If the folder holds another study, or which study it holds is not known.
    """
    file = Path(folder) / STUDY
    if not file.exists():
        return
    keys = {run.key for run in study.descriptions}
    try:
        if _is_described(study, file):
            return
        before = open_study(folder)
    except DamagedFileError as error:
        names = (path.name for path in (Path(folder) / "runs").glob("*") if path.is_dir())
        others = [name for name in names if "." not in name and name not in keys]
        if others:
            raise ValueError(
                f"{error.damage}, and {len(others)} runs in {folder} are not of the study "
                f"{study.name}: restore it, or choose another folder"
            ) from error
        if not mend:
            return
        place = file.rename(free_name(file))
        warnings.warn(
            f"{error.damage}: it is written again, and the old file is {place}",
            RuntimeWarning,
            stacklevel=2,
        )
        return
    lost = [run.key for run in before.descriptions if run.key not in keys]
    if before.name == study.name and not lost:
        return
    old, new = before.model_dump(mode="json"), study.model_dump(mode="json")
    differing = [k for k in {**old, **new} if old.get(k) != new.get(k) and k not in _WORDS]
    in_what = {
        f"it is called {before.name} there and {study.name} here": before.name != study.name,
        f"they differ in {', '.join(differing)}": differing,
        f"{len(lost)} of its runs are not of this one": lost,
    }
    raise ValueError(
        f"{folder} holds another study: {'; '.join(w for w in in_what if in_what[w])}; choose "
        "another folder with --out, or run the study of this folder to resume it"
    )


def _is_described(study: BaseStudy, file: Path) -> bool:
    """Whether the file describes this study, as nearly always; then no runs are compared."""
    content = read_json(file)
    content.pop("unweave", None)
    return content.pop("format", FORMAT) == FORMAT and content == described(study)


def write_study(study: BaseStudy, folder: str | Path) -> None:
    """Keep a study's description in the folder of its results.

    Raises
    ------
    ValueError
        If no other process could import its class.
    """
    versions = {"format": FORMAT, "unweave": unweave.__version__}
    write_json(Path(folder) / STUDY, {**versions, **described(study)})


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
