"""Image files whose names are known before the folder is looked at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

__all__ = ["existing_files"]


def existing_files(folder: Path, names: Sequence[str], dataset: str) -> list[str]:
    """Paths of the files in the order of the names, which no listing of a folder promises.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or it lacks some of the files.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"the images of {dataset} lie in a folder {folder}, and there is none: unpack the "
            "archive of the images there"
        )
    here = set(os.listdir(folder))
    missing = [name for name in names if name not in here]
    if missing:
        other = sorted(here.difference(names))
        found = f"; it holds {_some(other)}" if other else ""
        raise FileNotFoundError(
            f"{folder} lacks {len(missing):,} of the {len(names):,} images of {dataset}, as "
            f"{_some(missing)}{found}: unpack the archive again, and leave the names as they are"
        )
    return [os.path.join(folder, name) for name in names]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
