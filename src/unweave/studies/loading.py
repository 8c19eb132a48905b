"""Studies from their files."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from unweave._check import suggestion
from unweave._files import check_regular, read_text
from unweave.studies.base import BaseStudy
from unweave.studies.kind import KINDS, imported_kind, kind_by_keys

__all__ = ["checked_study", "load_study", "sentences", "shipped_studies", "validated"]


def validated(content: dict[str, Any]) -> BaseStudy:
    """A study from its content, of the kind that its key ``kind`` names, or that its keys are of.

    A kind named ``package.module:Kind`` is imported.
    """
    return _of_kind(_kind(content), content)


def _kind(content: dict[str, Any]) -> type[BaseStudy]:
    named = content.get("kind")
    return kind_by_keys(content) if named is None else imported_kind(named)


def _of_kind(kind: type[BaseStudy], content: dict[str, Any]) -> BaseStudy:
    return kind.model_validate({key: value for key, value in content.items() if key != "kind"})


def shipped_studies() -> list[str]:
    """Names of the studies that come with the package."""
    folder = resources.files("unweave.studies") / "shipped"
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")
    )


def load_study(name_or_file: str | Path, *, most_runs: int | None = None) -> BaseStudy:
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
) -> BaseStudy:
    """A study from its content; ``source`` says in messages where that is from.

    Raises
    ------
    ValueError
        If it holds an unknown key or a value of the wrong kind, or more than ``most_runs``.
    """
    kind = _kind(content)
    try:
        study = _of_kind(kind, content)
        if most_runs is not None and study.n_runs > most_runs:
            raise ValueError(
                f"{source} has {study.n_runs:,} runs: draw from its axes with sample = {{ method = "
                "'sobol', n = 100 }, or say that you mean it with --yes"
            )
        _ = study.descriptions  # what a single key allows, a run may not: a milestone of 0, say
        return study
    except ValidationError as error:
        raise ValueError(f"{source}: {sentences(error, kind)}") from error


def sentences(error: ValidationError, kind: type[BaseStudy]) -> str:
    """What is wrong with the content of a study of this kind, in words."""
    problems = error.errors()
    return "; ".join(
        _sentence(problem, problems, kind)
        for problem in problems
        if not _follows(problem, problems)
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


def _sentence(problem: Any, problems: Sequence[Any], kind: type[BaseStudy]) -> str:
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
        near = suggestion(last, missing) or suggestion(last, _known_keys(kind) - {last})
        return f"unknown key {last!r}{inside}{near}"
    if problem["type"] == "missing":
        return f"the key {last!r}{inside} is missing"
    if problem["type"] == "union_tag_invalid":
        given = str(problem["ctx"]["tag"])
        known = [tag.strip("' ") for tag in problem["ctx"]["expected_tags"].split(",")]
        what = next((part for part in reversed([*where, last]) if not part.isdecimal()), "value")
        return (
            f"unknown {what.removesuffix('s')} {given!r} in {place}.{last}"
            f"{suggestion(given, known)}; choose from {', '.join(known)}"
        )
    if problem["type"] == "value_error" and not problem["loc"]:
        return str(problem["ctx"]["error"])
    if problem["type"] == "value_error":
        return f"{last!r}{inside}: {problem['ctx']['error']}"
    if problem["type"] == "too_short":
        return f"{last!r}{inside} is empty: at least one value is needed"
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{last!r}{inside}: {message} (it is {problem['input']!r})"


def _known_keys(kind: type[BaseStudy]) -> set[str]:
    """The keys of this kind and of those of the package, and of the tables in them."""
    seen: set[type[BaseModel]] = set()
    left: list[type[BaseModel]] = [kind, *KINDS.values()]
    while left:
        model = left.pop()
        if model not in seen:
            seen.add(model)
            annotations = (field.annotation for field in model.model_fields.values())
            left += [one for annotation in annotations for one in _models_in(annotation)]
    return {key for model in seen for key in model.model_fields}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in a type, as in a tuple or a union of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
