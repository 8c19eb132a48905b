"""Studies from their files."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

import unweave
from unweave._check import suggestion
from unweave._files import Content, DamagedFileError, check_regular, read_json, read_text
from unweave.models import Network
from unweave.models.objectives import OBJECTIVES
from unweave.studies.base import free_name
from unweave.studies.kinds.combined import CombinedStudy
from unweave.studies.kinds.encoders import EncoderChoice, EncoderStudy, Reading, Trained
from unweave.studies.kinds.generalisation import GeneralisationStudy, Models, ReadOuts
from unweave.studies.kinds.manifolds import ManifoldStudy
from unweave.studies.kinds.objects import ObjectStudy
from unweave.studies.kinds.training import Cells, Evaluation, Study, Training
from unweave.studies.representations import Isometric, Latents, Model, Pixels
from unweave.training.checkpoint import write_json

__all__ = [
    "AnyStudy",
    "check_same_study",
    "checked_study",
    "load_study",
    "open_study",
    "shipped_studies",
    "validated",
    "write_study",
]

FORMAT = 1  # of the folder of a study
STUDY = "study.json"
_WORDS = ("name", "title", "question", "note", "report")  # in which no run differs

AnyStudy = Study | CombinedStudy | ManifoldStudy | EncoderStudy | GeneralisationStudy | ObjectStudy
"""Models to train, for one question or for several; manifolds to split, encoders to score or to
read out where nothing was learnt, or rendered objects to split."""


class StudyFile(Content):
    """What ``study.json`` of any study holds."""

    name: str
    title: str
    question: str


def validated(content: dict[str, Any]) -> AnyStudy:
    """A study from its content, of the kind that has what it names; of models to train else."""
    kinds: dict[str, type[AnyStudy]] = {
        "parts": CombinedStudy,
        "products": ManifoldStudy,
        "splits": GeneralisationStudy,
        "encoders": EncoderStudy,
        "representations": ObjectStudy,
    }
    kind = next((kinds[key] for key in kinds if key in content), Study)
    return kind.model_validate(content)


def open_study(folder: str | Path) -> AnyStudy:
    """The study whose results are kept in ``folder``.

    Raises
    ------
    FileNotFoundError
        If the folder holds no study.
    ValueError
        If ``study.json`` is damaged, or another version of this library made it, and it cannot be
        read.
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
            "keeps studies in another way: use that version, or run the study anew elsewhere"
        )
    read_json(file, StudyFile)
    try:
        study = validated(content)
        study.runs()  # as in checked_study
        return study
    except ValidationError as error:
        raise ValueError(
            f"{folder} was made by unweave {made_by}, and this is {unweave.__version__}: "
            f"{_sentences(error)}"
        ) from error


def check_same_study(study: AnyStudy, folder: str | Path, *, mend: bool = True) -> None:
    """Refuse a folder that holds another study; one that has got further runs is the same.

    A damaged ``study.json`` is moved aside if all runs in the folder are of the study, and if it is
    to ``mend``.

    Raises
    ------
    ValueError
        If the folder holds another study, or that cannot be told.
    """
    file = Path(folder) / STUDY
    if not file.exists():
        return
    keys = {run.key for run in study.runs()}
    try:
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
    lost = [run.key for run in before.runs() if run.key not in keys]
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


def write_study(study: AnyStudy, folder: str | Path) -> None:
    """Keep a study's description in the folder of its results."""
    versions = {"format": FORMAT, "unweave": unweave.__version__}
    write_json(Path(folder) / STUDY, {**versions, **study.model_dump(mode="json")})


def shipped_studies() -> list[str]:
    """Names of the studies that come with the package."""
    folder = resources.files("unweave.studies") / "shipped"
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")
    )


def load_study(name_or_file: str | Path, *, most_runs: int | None = None) -> AnyStudy:
    """A study by the name of a shipped one, or from a TOML file.

    One of more than ``most_runs`` is refused before they are written out one by one.

    Raises
    ------
    FileNotFoundError
        If there is neither a shipped study nor a file of that name.
    ValueError
        If it is a folder, or the file is not UTF-8 or not TOML, holds an unknown key or a value of
        the wrong kind, or is too large.
    """
    if str(name_or_file) in shipped_studies():
        source = f"{name_or_file}.toml"
        text = (resources.files("unweave.studies") / "shipped" / source).read_text(encoding="utf-8")
    else:
        path = Path(name_or_file)
        if path.is_dir():
            raise ValueError(
                f"{path} is a folder, and a study is a TOML file or a shipped one "
                "(`unweave study list`); `unweave study report` reads a folder of results"
            )
        check_regular(path)
        if not path.is_file():
            near = suggestion(str(name_or_file), shipped_studies())
            raise FileNotFoundError(
                f"no study {str(name_or_file)!r}{near}: there is no such file, and the shipped "
                f"ones are {', '.join(shipped_studies())}"
            )
        source, text = str(path), read_text(path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{source} is not valid TOML: {error}") from error
    except RecursionError as error:
        raise ValueError(
            f"{source} is nested too deeply: a study has tables in tables, five deep at most"
        ) from error
    return checked_study(content, source, most_runs=most_runs)


def checked_study(
    content: dict[str, Any], source: str, *, most_runs: int | None = None
) -> AnyStudy:
    """A study from its content; ``source`` says in messages where that is from.

    Raises
    ------
    ValueError
        If it holds an unknown key or a value of the wrong kind, or more than ``most_runs``.
    """
    try:
        study = validated(content)
        if most_runs is not None and study.n_runs > most_runs:
            raise ValueError(
                f"{source} has {study.n_runs:,} runs: draw from its axes with sample = {{ method = "
                "'sobol', n = 100 }, or say that you mean it with --yes"
            )
        study.runs()  # what a single key allows, a run may not: a milestone of 0, say
        return study
    except ValidationError as error:
        raise ValueError(f"{source}: {_sentences(error)}") from error


def _sentences(error: ValidationError) -> str:
    problems = error.errors()
    return "; ".join(
        _sentence(problem, problems) for problem in problems if not _follows(problem, problems)
    )


def _follows(problem: Any, problems: Sequence[Any]) -> bool:
    """Whether a problem is there because of another one, which is all that a reader must mend.

    A list counts as empty if all its items are wrong, and a key that is misspelt as missing.
    """
    where = problem["loc"]
    if any(len(p["loc"]) > len(where) and p["loc"][: len(where)] == where for p in problems):
        return True
    return problem["type"] == "missing" and any(
        suggestion(str(other["loc"][-1]), [str(where[-1])])
        for other in problems
        if other["type"] == "extra_forbidden" and other["loc"][:-1] == where[:-1]
    )


def _sentence(problem: Any, problems: Sequence[Any]) -> str:
    *where, last = [str(part) for part in problem["loc"]] or ["file"]
    if where and last.isdecimal() and isinstance(problem["input"], int | float | str):
        *where, last = where  # the value itself is shown
    place = ".".join(where)
    inside = f" in {place}" if place else ""
    if problem["type"] == "extra_forbidden":
        missing = [
            str(p["loc"][-1])
            for p in problems
            if p["type"] == "missing" and p["loc"][:-1] == problem["loc"][:-1]
        ]
        near = suggestion(last, missing) or suggestion(last, _known_keys() - {last})
        return f"unknown key {last!r}{inside}{near}"
    if problem["type"] == "missing":
        return f"the key {last!r}{inside} is missing"
    if problem["type"] == "union_tag_invalid":
        given = str(problem["ctx"]["tag"])
        return (
            f"unknown objective {given!r} in {place}.{last}{suggestion(given, OBJECTIVES)}; choose "
            f"from {', '.join(OBJECTIVES)}"
        )
    if problem["type"] == "value_error" and not problem["loc"]:
        return str(problem["ctx"]["error"])
    if problem["type"] == "value_error":
        return f"{last!r}{inside}: {problem['ctx']['error']}"
    if problem["type"] == "too_short":
        return f"{last!r}{inside} is empty: at least one value is needed"
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{last!r}{inside}: {message} (it is {problem['input']!r})"


def _known_keys() -> set[str]:
    models: tuple[type[BaseModel], ...] = (
        Study, CombinedStudy, Cells, Evaluation, Training, Network, ManifoldStudy, EncoderStudy,
        EncoderChoice, Reading, Trained, GeneralisationStudy, Models, ReadOuts, ObjectStudy,
        Latents, Pixels, Model, Isometric,
        *OBJECTIVES.values(),
    )  # fmt: skip
    return {key for model in models for key in model.model_fields}
