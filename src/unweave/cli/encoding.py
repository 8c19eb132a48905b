"""Output for consoles and files that cannot hold every character."""

from __future__ import annotations

import codecs
import io
import os
import sys
import unicodedata
from typing import IO

__all__ = ["as_written", "degrade_output", "open_missing_streams", "spelled", "visible"]

_HANDLER = "unweave-degrade"
_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_SYMBOLS = {  # of our own sentences and numbers
    "²": "^2",
    "±": "+/-",
    "×": "x",
    "·": ".",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "←": "<-",
    "–": "-",
    "—": "-",
    "−": "-",
    "…": "...",
    "•": "*",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
}


def open_missing_streams() -> None:
    """Give a program without a console, or with closed streams, a stdout and stderr to write to.

    A file that is opened later could otherwise get the number of a closed stream, and receive what
    libraries write to stderr.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))


def degrade_output() -> None:
    """Let stdout and stderr write what their encoding lacks in other characters, never fail.

    A stream that is redirected on Windows holds cp1252 alone, and one with ``LC_ALL=C`` may hold
    ASCII alone.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # there is none in a program without a console
            stream.reconfigure(errors=_HANDLER)


def visible(text: str) -> str:
    r"""Text with its control characters spelled, as \x1b, but for line breaks and tabs.

    Names come from files of others, and a terminal obeys the sequences that ESC and some other
    characters begin, and turns the order of letters round where others stand.
    """
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    is_control = unicodedata.category(character) == "Cc" and character not in "\n\t"
    if is_control or unicodedata.bidirectional(character) in _DIRECTIONS:
        return character.encode("unicode_escape").decode()
    return character


def as_written(text: str, stream: IO[str]) -> str:
    """Text as the stream will write it, so that its width can be measured."""
    text = visible(text)
    if getattr(stream, "errors", None) != _HANDLER:
        return text
    encoding = str(getattr(stream, "encoding", "utf-8"))
    return text.encode(encoding, errors=_HANDLER).decode(encoding)


def spelled(text: str, stream: IO[str]) -> str:
    """Text of our own with its Greek letters as words, as beta-VAE, if the stream lacks them."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return "".join(c if _can_write(c, encoding) else _greek(c) for c in text)


def _can_write(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(character: str) -> str:
    """ASCII for a character: a symbol or line that looks alike, else its number in hexadecimal.

    Names that differ stay different this way.
    """
    if character in _SYMBOLS:
        return _SYMBOLS[character]
    name = unicodedata.name(character, "")
    if name.startswith("BOX DRAWINGS"):
        return _line(name)
    return character.encode("ascii", "backslashreplace").decode()


def _greek(character: str) -> str:
    kind, _, letter = unicodedata.name(character, "").partition(" LETTER ")
    if kind not in ("GREEK SMALL", "GREEK CAPITAL"):
        return character
    word = letter.split(" ")[0].replace("LAMDA", "LAMBDA").lower()
    return word if kind == "GREEK SMALL" else word.capitalize()


def _line(name: str) -> str:
    horizontal = any(word in name for word in ("HORIZONTAL", "LEFT", "RIGHT"))
    vertical = any(word in name for word in ("VERTICAL", "UP", "DOWN"))
    return "+" if horizontal and vertical else "-" if horizontal else "|"


codecs.register_error(_HANDLER, _replaced)
