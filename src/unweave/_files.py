"""Reading files of users and of runs; what is wrong with one is a sentence that names it."""

from __future__ import annotations

import codecs
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

__all__ = [
    "DamagedFileError", "Kind", "check_regular", "checksum_of", "file_sha256", "first_line",
    "is_file", "read_json", "read_text", "sealed",
]  # fmt: skip

_LONGEST_LINE = 500  # characters

_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",  # begins with the mark of UTF-16, and so comes first
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


class DamagedFileError(ValueError):
    """A file that was cut short or changed after it was written.

    Parameters
    ----------
    damage
        What is wrong with the file, and its name.
    remedy
        What the user can do.
    """

    def __init__(self, damage: str, remedy: str = "") -> None:
        super().__init__(f"{damage}: {remedy}" if remedy else damage)
        self.damage = damage


class Kind(Protocol):
    """What a file must hold, as :class:`~unweave._contents.Content` says it."""

    def fault(self, content: Mapping[str, Any]) -> str | None:
        """What is wrong with the content of a file of this kind."""


def check_regular(file: str | Path) -> None:
    """Refuse a pipe, a device or a socket, which may never end, or never begin.

    Raises
    ------
    ValueError
        If it is one; a folder, and what does not exist, are for others to refuse.
    """
    path = Path(file)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError(
            f"{path} is not a regular file but a pipe, a device or a socket: save what comes from "
            "it in a file, and give that"
        )


def first_line(error: Exception) -> str:
    """What an error says first, cut where it spells a long value of a file."""
    line = (str(error) or type(error).__name__).split("\n")[0]
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."


def read_text(file: str | Path) -> str:
    """The text of a UTF-8 file; a byte-order mark is left out.

    Raises
    ------
    ValueError
        If the file is in another encoding.
    """
    content = Path(file).read_bytes()
    found = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    if found is None and b"\0" in content:
        found = "UTF-16 or not text at all"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        found = found or f"not UTF-8 (byte 0x{content[error.start]:02x} in line {line})"
        text = ""
    if found:
        raise ValueError(f"{file} is {found}: save it as UTF-8 in your editor")
    return text


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a JSON file, with a checksum by which :func:`read_json` notices changes."""
    return {**content, "checksum": checksum_of(json.loads(json.dumps(content)))}


def is_file(file: str | Path) -> bool:
    """Whether there is a file of this name.

    Raises
    ------
    DamagedFileError
        If something else has the name: a folder, a pipe, a device, a link to nothing. Reading some
        of these never ends.
    """
    if os.path.isfile(file):
        return True
    if os.path.lexists(file):
        raise DamagedFileError(f"{file} is not a regular file", "remove it, or use another folder")
    return False


def file_sha256(file: str | Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits.

    Raises
    ------
    DamagedFileError
        As :func:`is_file`.
    """
    is_file(file)
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_json(file: str | Path, kind: Kind | None = None) -> dict[str, Any]:
    """The object in a JSON file, as it stands there.

    Parameters
    ----------
    file
        Which one.
    kind
        What the file must hold, if unweave wrote it; a checksum in it must then be right, too.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DamagedFileError
        If it is empty, truncated or changed, or holds something other than an object of that kind;
        or as :func:`is_file`.
    """
    file = Path(file)
    if not is_file(file):
        raise FileNotFoundError(f"there is no file {file}")
    remedy = "restore it from a copy, or use another folder"
    try:
        content = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        what = "empty" if not file.read_bytes().strip() else f"damaged ({error})"
        raise DamagedFileError(f"{file} is {what}", remedy) from error
    if not isinstance(content, dict):
        raise DamagedFileError(
            f"{file} holds a JSON {type(content).__name__}, and an object was needed",
            "it was not written by unweave, or was changed since",
        )
    if kind is not None:
        fault = kind.fault(content)
        if fault is not None:
            raise DamagedFileError(f"{file} is damaged ({fault})", remedy)
    return content


def checksum_of(content: Mapping[str, Any]) -> str | None:
    """SHA-256 of all but the checksum, whatever the layout; None if the content is not JSON."""
    own = {key: value for key, value in content.items() if key != "checksum"}
    try:
        text = json.dumps(own, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return None
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
