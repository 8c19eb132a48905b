"""Packages that only some parts of the library need, and what to say where one is missing."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

__all__ = ["how_to_install", "imported", "is_own", "require"]

_PACKAGES = {
    "models": (
        "torch", "lightning_fabric", "safetensors", "huggingface_hub", "tensorboardX",
    ),
    "studies": ("polars", "jinja2", "matplotlib"),
    "tables": ("polars",),
    "plots": ("matplotlib",),
    "hdf5": ("h5py",),
}  # fmt: skip
"""Packages of the extras that whole parts of the library stand on; studies stand on models too."""


def require(extra: str, *, needed_by: str) -> None:
    """Check that the packages of an extra are installed, without importing them.

    Raises
    ------
    ImportError
        If one is missing, with how to install the extra.
    """
    packages = _PACKAGES[extra]
    if extra == "studies":
        packages += _PACKAGES["models"]
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise ImportError(
            f"{needed_by} needs {', '.join(missing)}, which the core of unweave does without: pip "
            f'install "unweave[{extra}]"'
        )


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


def is_own(error: ImportError) -> bool:
    """Whether it is a module of unweave that is missing: a fault of the program."""
    return str(error.name).partition(".")[0] == "unweave"


def how_to_install(error: ImportError) -> str:
    """The error in a sentence; of a package of unweave that is missing, with how to install it."""
    found = str(error)
    if not (isinstance(error, ModuleNotFoundError) and found == f"No module named {error.name!r}"):
        return found
    extra = next((name for name, of in _PACKAGES.items() if error.name in of), None)
    if extra is not None:
        return f'the package {error.name} is not installed: pip install "unweave[{extra}]"'
    return (
        f"the package {error.name} is not installed, and unweave always needs it: pip install "
        "unweave, without --no-deps, installs all such packages"
    )
