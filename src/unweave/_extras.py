"""Packages that only some parts of the library need, and what to say where one is missing."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["how_to_install", "imported"]


def imported(
    package: str, *submodules: str, needed_by: str, extra: str | None = None, otherwise: str = ""
) -> Any:
    """A package and some of its submodules, imported now.

    Parameters
    ----------
    package, submodules
        Names to import, those of submodules without the package's.
    needed_by
        What the package is needed for: the subject of the sentence.
    extra
        The extra of unweave that installs it; without one it is installed by its own name.
    otherwise
        What else to do, as ", or take another backend".

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
        what = f'"unweave[{extra}]"' if extra else package
        raise ImportError(
            f"{needed_by} needs {package} ({error}): pip install {what}{otherwise}"
        ) from error


def how_to_install(error: ImportError) -> str:
    """The error in a sentence; of a package that unweave always needs, with how to install it."""
    found = str(error)
    if isinstance(error, ModuleNotFoundError) and found == f"No module named {error.name!r}":
        return (
            f"the package {error.name} is not installed, and unweave always needs it: pip install "
            "unweave, without --no-deps, installs all such packages"
        )
    return found
