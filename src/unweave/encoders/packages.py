"""Packages that only some encoders need."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["imported"]


def imported(package: str, *submodules: str, needed_by: str, extra: str) -> Any:
    """A package and some of its submodules, imported now.

    Raises
    ------
    ImportError
        If it is not installed, or does not fit what is, with how to install it.
    """
    try:
        for name in submodules:
            importlib.import_module(f"{package}.{name}")
        return importlib.import_module(package)
    except RuntimeError as error:  # torchvision raises it where its operators cannot be loaded
        raise ImportError(
            f"{needed_by} needs {package}, which cannot be imported ({error}): torchvision must be "
            "the build that belongs to the installed torch"
        ) from error
    except ImportError as error:
        raise ImportError(
            f"{needed_by} needs {package} ({error}): pip install 'unweave[{extra}]'"
        ) from error
