"""Reading files of users and of runs; what is wrong with one is a sentence that names it."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

__all__ = ["DamagedFileError", "read_json", "read_text"]

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


def read_json(file: str | Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DamagedFileError
        If it is empty, truncated, or holds something other than an object.
    """
    file = Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}")
    try:
        content = json.loads(read_text(file))
    except ValueError as error:
        what = "empty" if not file.read_bytes().strip() else f"damaged ({error})"
        raise DamagedFileError(
            f"{file} is {what}", "restore it from a copy, or use another folder"
        ) from error
    if not isinstance(content, dict):
        raise DamagedFileError(
            f"{file} holds a JSON {type(content).__name__}, and an object was needed",
            "it was not written by unweave, or was changed since",
        )
    return content
