"""Objects of Python that are named as ``package.module:object``."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from typing import Any

from unweave._check import suggestion

__all__ = ["imported_object", "is_object_name"]


def is_object_name(text: str) -> bool:
    """Whether the text has the form ``package.module:object``."""
    module, colon, attribute = text.partition(":")
    words = [*module.split("."), *attribute.split(".")]
    return bool(colon) and all(word.isidentifier() for word in words)


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
    ValueError
        If the module has no such object.
    """
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
