"""Kinds that are found by their files, as objectives and latent spaces."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from typing import TypeVar

from pydantic import BaseModel

__all__ = ["named_kinds"]

Kind = TypeVar("Kind", bound=BaseModel)


def named_kinds(package: str, folder: Iterable[str], base: type[Kind]) -> dict[str, type[Kind]]:
    """The subclasses of ``base`` in the modules of a package, by the default of their ``name``.

    Subclasses without a default name are not kinds, but what kinds are made of.
    """
    found = {}
    for info in pkgutil.iter_modules(folder):
        module = importlib.import_module(f"{package}.{info.name}")
        for value in vars(module).values():
            is_kind = isinstance(value, type) and issubclass(value, base)
            if is_kind and not value.model_fields["name"].is_required():
                found[value.model_fields["name"].default] = value
    return found
