"""Kinds of studies: those of this package, and others as ``package.module:Kind``."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unweave._check import check_choice
from unweave._objects import imported_object, is_object_name
from unweave.studies.base import BaseStudy

__all__ = ["KINDS", "described", "imported_kind", "kind_by_keys"]


def _found() -> dict[str, type[BaseStudy]]:
    """The kinds in the folder ``kinds``, by the names that they give themselves."""
    found: dict[str, type[BaseStudy]] = {}
    for info in pkgutil.iter_modules([str(Path(__file__).parent / "kinds")]):
        module = importlib.import_module(f"unweave.studies.kinds.{info.name}")
        own = (one for one in vars(module).values() if _is_kind(one))
        found |= {one.kind: one for one in own if one.__module__ == module.__name__}
    return found


def _is_kind(value: object) -> bool:
    is_study = isinstance(value, type) and issubclass(value, BaseStudy)
    return is_study and not inspect.isabstract(value)


KINDS: dict[str, type[BaseStudy]] = _found()
"""The kinds of this package by their names in study files."""


def kind_by_keys(content: Mapping[str, Any]) -> type[BaseStudy]:
    """The kind of a file that names none: it has the kind's key, and most keys that it knows."""

    def fit(kind: type[BaseStudy]) -> tuple[bool, int, bool]:
        n_known = len(content.keys() & kind.model_fields.keys())
        return kind.file_key in content, n_known, kind.kind == "training"

    return max(KINDS.values(), key=fit)


def imported_kind(kind: object) -> type[BaseStudy]:
    """The class of a kind, imported if it is named ``package.module:Kind``.

    Raises
    ------
    ImportError
        If there is no such module.
    ValueError
        If there is no such kind, or the object is not a kind of study.
    """
    found = kind
    if isinstance(kind, str):
        if not is_object_name(kind):
            return KINDS[check_choice("kind of study", kind, KINDS)]
        found = imported_object(kind, "a kind of study")
    if not _is_kind(found):
        raise ValueError(
            f"{kind!r} is not a kind of study: name a class that inherits from "
            "unweave.studies.BaseStudy and has its runs"
        )
    return found  # type: ignore[return-value]


def described(study: BaseStudy) -> dict[str, Any]:
    """A study's content for JSON, with its kind if that is from outside this package.

    Raises
    ------
    ValueError
        If no other process could import its class.
    """
    content = study.model_dump(mode="json")
    name = study.kind_name()
    if name in KINDS:
        return content
    if not is_object_name(name):
        raise ValueError(
            f"{name} lies in a function, where no other process finds it: define the class of the "
            "study in a module"
        )
    return {"kind": name, **content}
