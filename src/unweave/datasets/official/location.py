"""Where the official files of a dataset lie, and what to say where one is missing."""

from __future__ import annotations

import os
from pathlib import Path

from unweave._check import check_choice
from unweave._storage import cache_folder
from unweave.datasets.catalogue import DATASETS, DatasetEntry

__all__ = ["entry_of", "how_to_get", "official_file", "official_folder", "size_in_words"]


def official_folder(entry: DatasetEntry | str, path: str | Path | None = None) -> Path:
    """The folder of a dataset's official files: ``path``, or that of the dataset in the cache.

    Raises
    ------
    FileNotFoundError
        If ``path`` is given and is not a folder.
    """
    entry = entry_of(entry)
    if path is None:
        return cache_folder() / entry.name
    folder = Path(os.path.expanduser(path))
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise FileNotFoundError(
            f"{folder} {problem}, and the files of {entry.name} lie in a folder: give the folder "
            f"that holds {', '.join(entry.files)}"
        )
    return folder


def official_file(
    entry: DatasetEntry | str, path: str | Path | None, file: str, *alternatives: str
) -> Path:
    """One official file of a dataset.

    Parameters
    ----------
    entry
        The dataset, or its name.
    path
        The file itself, whatever its name; or a folder that holds it; None for the dataset's
        folder in the cache. Of a dataset of several files, any of them stands for its folder.
    file
        Official name of the file.
    alternatives
        Other names that it may have, as that of the unpacked file. The first that exists is
        taken.

    Raises
    ------
    FileNotFoundError
        If there is no such file. The sentence says how to get it and where to put it.
    """
    entry = entry_of(entry)
    names = (file, *alternatives)
    folder = cache_folder() / entry.name if path is None else Path(os.path.expanduser(path))
    if folder.is_file():
        if folder.name in names or not set(entry.files) - set(names):
            return folder
        folder = folder.parent
    elif path is not None and not folder.exists():
        raise FileNotFoundError(
            f"{folder} does not exist: give {' or '.join(names)}, or a folder that holds it"
        )
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"{entry.name} needs {' or '.join(names)}, and {folder} {_holds(folder)}: "
        f"{how_to_get(entry, folder)}"
    )


def how_to_get(entry: DatasetEntry | str, folder: str | Path | None = None) -> str:
    """What to do to have the official files: an imperative sentence, without its period.

    Parameters
    ----------
    entry
        The dataset, or its name.
    folder
        Where to put them; the dataset's folder in the cache if None.
    """
    entry = entry_of(entry)
    own = cache_folder() / entry.name
    folder = own if folder is None else Path(folder)
    elsewhere = f", or name the place where they lie, as {entry.name}:PATH" if folder == own else ""
    if entry.downloads:
        sizes = [download.size for download in entry.downloads]
        size = f" ({size_in_words(sum(sizes))})" if all(sizes) else ""
        return f"`unweave data fetch {entry.name}` downloads the files{size}{elsewhere}"
    return (
        f"get {', '.join(entry.files)} from {entry.where or entry.source} and put the files into "
        f"{folder}{elsewhere}"
    )


def entry_of(entry: DatasetEntry | str) -> DatasetEntry:
    """The dataset itself, given its name or itself.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    if isinstance(entry, DatasetEntry):
        return entry
    return DATASETS[check_choice("dataset", entry, DATASETS)]


def _holds(folder: Path) -> str:
    if not folder.is_dir():
        return "does not exist"
    here = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    more = ", ..." if len(here) > 6 else ""
    return f"holds {', '.join(here[:6])}{more}" if here else "is empty"


def size_in_words(n: float) -> str:
    """A number of bytes, as 255 MB."""
    for unit in ("bytes", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}"
        n /= 1000
    return f"{n:.1f} GB"
