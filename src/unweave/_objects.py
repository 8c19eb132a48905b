"""Objects of Python that are named as ``package.module:object``."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from unweave._check import suggestion

__all__ = [
    "UntrustedObjectError", "imported_object", "importing_only", "is_object_name",
    "object_in_memory", "object_name",
]  # fmt: skip

_trusted: ContextVar[Collection[str] | None] = ContextVar("trusted", default=None)


class UntrustedObjectError(Exception):
    """An object whose module is not imported, and may not be."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def is_object_name(text: str) -> bool:
    """Whether the text has the form ``package.module:object``."""
    module, colon, attribute = text.partition(":")
    words = [*module.split("."), *attribute.split(".")]
    return bool(colon) and all(word.isidentifier() for word in words)


def object_name(kind: type) -> str:
    """The name of a class as ``package.module:Class``."""
    return f"{kind.__module__}:{kind.__qualname__}"


@contextmanager
def importing_only(trusted: str | Collection[str]) -> Iterator[None]:
    """Within it, of objects whose modules are not imported yet only these are.

    For what comes from others: to import a module runs its code.
    """
    token = _trusted.set([trusted] if isinstance(trusted, str) else trusted)
    try:
        yield
    finally:
        _trusted.reset(token)


def object_in_memory(name: str) -> Any:
    """The object of this name if its module is imported already, else None; it runs no code."""
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):  # not by getattr, which may run the code of a module
        found = getattr(found, "__dict__", {}).get(part)
    return found


def imported_object(name: str, needed: str, known: Iterable[str] = ()) -> Any:
    """The object ``package.module:object``; the current folder is searched first.

    Parameters
    ----------
    name
        Its name.
    needed
        What to name instead, for the message.
    known
        Names that the module's may be a misspelling of.

    Raises
    ------
    ImportError
        If there is no such module.
    UntrustedObjectError
        If the module is not imported and may not be (:func:`importing_only`).
    ValueError
        If the module has no such object.
    """
    trusted = _trusted.get()
    if trusted is not None and name not in trusted:
        found = object_in_memory(name)
        if found is None:
            raise UntrustedObjectError(name)
        return found
    module, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ImportError(
            f"there is no module {error.name} to load {name} from, neither installed nor in "
            f"{os.getcwd()}{suggestion(module, known)}"
        ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            public = [word for word in vars(found) if not word.startswith("_")]
            raise ValueError(
                f"the module {module} has no {attribute}{suggestion(part, public)}: give the name "
                f"of {needed}"
            )
        found = getattr(found, part)
    return found
