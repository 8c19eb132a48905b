"""What a folder of images holds: the image files, and the tables beside them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unweave._extras import require
from unweave._tables.files import read_csv
from unweave._tables.panics import without_panics

if TYPE_CHECKING:
    import polars as pl

__all__ = ["look_into", "read_factor_table"]

IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".gif",
    ".pgm", ".ppm", ".pbm", ".pnm",
)  # fmt: skip
TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
_DIGITS = re.compile(r"([0-9]+)")


@dataclass(frozen=True)
class ImageFolder:
    """What was found in a folder."""

    folder: Path
    images: tuple[str, ...]
    """Paths of the images below the folder, with ``/``, in natural order: ``2.png``, ``10.png``."""
    tables: tuple[Path, ...]
    """Tables in the folder itself."""
    skipped: dict[str, int]
    """How many other files there are, by suffix."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the sub-folders that hold images, directly or further down."""
        names = (image.split("/")[0] for image in self.images if "/" in image)
        return tuple(dict.fromkeys(names))

    def factor_table(self) -> Path | None:
        """The table called factors, if there is one.

        Raises
        ------
        ValueError
            If there are several.
        """
        found = [table for table in self.tables if table.stem.lower() == "factors"]
        if len(found) > 1:
            raise ValueError(
                f"{self.folder} has {' and '.join(table.name for table in found)}: say which one "
                "holds the factors, as with ?table=factors.csv after the folder's name"
            )
        return found[0] if found else None


def look_into(folder: str | Path) -> ImageFolder:
    """The images in a folder and all its sub-folders, by their suffixes.

    Files and folders whose names begin with a dot are skipped, and those that archives of a Mac
    leave behind. Links to folders are followed.

    Raises
    ------
    OSError
        If there is no such folder, or it cannot be read.
    ValueError
        If it is a file, or holds no images.
    """
    folder = Path(folder)
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}")
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file, and a folder of images was needed")
    images: list[str] = []
    tables: list[Path] = []
    skipped: Counter[str] = Counter()
    seen: set[str] = set()
    for root, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        if (real := os.path.realpath(root)) in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        below = os.path.relpath(root, folder).replace(os.sep, "/")
        prefix = "" if below == "." else f"{below}/"
        for name in files:
            suffix = os.path.splitext(name)[1].lower()
            if name.startswith("."):
                continue
            if suffix in IMAGE_SUFFIXES:
                images.append(prefix + name)
            elif suffix in TABLE_SUFFIXES and not prefix:
                tables.append(folder / name)
            else:
                skipped[suffix or name] += 1
    if not images:
        raise ValueError(_nothing(folder, tables, skipped))
    return ImageFolder(folder, tuple(sorted(images, key=_natural)), tuple(sorted(tables)), skipped)


def read_factor_table(file: str | Path) -> pl.DataFrame:
    """The table in a .csv, .tsv or .parquet file.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If it is of another kind, damaged or empty.
    """
    require("tables", needed_by="a table in a file")
    import polars as pl

    file = Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"there is no table {file}")
    suffix = file.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise ValueError(f"{file} is not a table: its name must end in .csv, .tsv or .parquet")
    try:
        with without_panics():
            frame = pl.read_parquet(file) if suffix == ".parquet" else read_csv(file)[0]
    except (ValueError, pl.exceptions.PolarsError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"{file} cannot be read as {suffix}: {reason}") from error
    if not frame.height:
        raise ValueError(f"{file} has no rows: a row for each image was needed")
    return frame


def _refuse(error: OSError) -> None:
    raise type(error)(error.errno, f"cannot look into {error.filename} ({error.strerror})")


def _nothing(folder: Path, tables: Sequence[Path], skipped: Counter[str]) -> str:
    counts = Counter(table.suffix for table in tables) + skipped
    listed = ", ".join(f"{count:,} x {suffix}" for suffix, count in counts.most_common(10))
    return (
        f"{folder} holds no images: {f'it has {listed}' if listed else 'it is empty'}, and .png, "
        ".jpg, .tif, .webp or .bmp files were needed"
    )


def _natural(path: str) -> tuple[list[str | int], str]:
    parts = _DIGITS.split(path)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path
