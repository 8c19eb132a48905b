"""Where data is kept between runs, and how a file gets there without ever being half there."""

from __future__ import annotations

import glob
import json
import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import platformdirs

__all__ = ["cache_folder", "remove_partial", "writable_folder", "write_json", "written_whole"]


def cache_folder() -> Path:
    """The user's cache folder for unweave; ``UNWEAVE_CACHE`` in the environment overrides it.

    Raises
    ------
    FileNotFoundError
        If the user has no home folder, as may be so in a container, and ``UNWEAVE_CACHE`` is unset;
        or if it begins with the ~ of a user that does not exist.
    """
    override = os.environ.get("UNWEAVE_CACHE")
    if override:
        try:
            return Path(override).expanduser()
        except RuntimeError as error:
            raise FileNotFoundError(
                f"UNWEAVE_CACHE is {override}, and there is no such user: set it to a folder that "
                "can be written"
            ) from error
    folder = Path(platformdirs.user_cache_dir("unweave"))
    if not folder.is_absolute():  # a ~ that stands for nothing
        raise FileNotFoundError(
            "this user has no home folder to keep files in: set UNWEAVE_CACHE to a folder that can "
            "be written"
        )
    return folder


def writable_folder(folder: str | Path) -> Path:
    """The folder, made if it is not there, once a file could be written into it.

    Raises
    ------
    OSError
        If it cannot be made or written, with its name and what to do.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _cannot_write(folder, error) from error
    return folder


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A temporary name beside ``path``; it takes the name ``path`` only if nothing was raised.

    Raises
    ------
    OSError
        If the folder cannot be made or written, or the file, with its name.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".part")
    except OSError as error:
        raise _cannot_write(path.parent, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is None or error.filename not in (None, name):
            raise
        raise OSError(error.errno, f"cannot write {path} ({error.strerror})") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write JSON under a temporary name, then give it its own.

    Raises
    ------
    OSError
        If it cannot be written, as when the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise type(error)(
            error.errno, f"cannot write {path} ({error.strerror}): make room, or choose another "
            "folder"
        ) from error  # fmt: skip


def remove_partial(path: str | Path) -> None:
    """Remove what processes left that were killed while they wrote ``path``; no other writes it."""
    path = Path(path)
    for partial in path.parent.glob(f".{glob.escape(path.name)}-*.part"):
        partial.unlink(missing_ok=True)


def _cannot_write(folder: Path, error: OSError) -> OSError:
    try:
        cache = cache_folder()
    except FileNotFoundError:
        cache = Path(platformdirs.user_cache_dir("unweave"))
    remedy = (
        "set UNWEAVE_CACHE to a folder that can be written"
        if folder.absolute().is_relative_to(cache.absolute())
        else "choose another folder"
    )
    reason = "it is a file" if folder.is_file() else error.strerror
    return type(error)(error.errno, f"cannot write into {folder} ({reason}): {remedy}")
