"""Official files, downloaded into the cache for whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from unweave._storage import cache_folder, writable_folder
from unweave.datasets.catalogue import DatasetEntry, Download
from unweave.datasets.download import download
from unweave.datasets.official.location import entry_of, how_to_get

__all__ = ["fetch"]

_MORE = 1_000_000  # bytes


def fetch(
    entry: DatasetEntry | str,
    *,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> list[Path]:
    """Download a dataset's official files into its folder in the cache.

    Files that are there already with the right hash are kept, and an interrupted download
    resumes.

    Parameters
    ----------
    entry
        The dataset, or its name.
    progress
        Called with the name of a file, its bytes that are here, and its bytes in all (None if not
        known).

    Returns
    -------
    list of pathlib.Path
        The files.

    Raises
    ------
    ConnectionError
        If the server does not answer, or the transfer breaks off.
    ValueError
        If the files have no stable address, or if a file has another hash than the official one.
        The sentence says where to get them.
    OSError
        If a file cannot be written, as on a full disk.
    """
    entry = entry_of(entry)
    if not entry.downloads:
        if not entry.files:
            raise ValueError(f"{entry.name} needs no files: its images are drawn when needed")
        raise ValueError(
            f"{entry.name} has no stable address to download from: {how_to_get(entry)}"
        )
    found = []
    folder = writable_folder(cache_folder() / entry.name)
    for item in entry.downloads:
        report = _named(progress, item.file) if progress else None
        path = folder / item.file
        with FileLock(folder / f".{item.file}.lock"):  # two processes would mix their parts
            found.append(_download(item, path, report))
    return found


def _download(item: Download, path: Path, report: Callable[[int, int | None], None] | None) -> Path:
    # Sizes are about right, and a wrong file may be endless.
    most = {"most": item.size + item.size // 4 + _MORE} if item.size else {}
    return download(item.url, path, known_hash=item.known_hash, progress=report, **most)


def _named(
    progress: Callable[[str, int, int | None], None], file: str
) -> Callable[[int, int | None], None]:
    return lambda here, total: progress(file, here, total)
