"""Output for consoles and files that cannot hold every character."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

__all__ = ["degrade_output"]

_HANDLER = "unweave-degrade"
_WORDS = {
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


def degrade_output() -> None:
    """Let stdout and stderr write what their encoding lacks in other characters, never fail.

    A stream that is redirected on Windows holds cp1252 alone, and one with ``LC_ALL=C`` may hold
    ASCII alone.
    """
    codecs.register_error(_HANDLER, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # there is none in a program without a console
            stream.reconfigure(errors=_HANDLER)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(character: str) -> str:
    """ASCII that says nearly the same: beta for β, e for é, lines for boxes; ? if there is none."""
    if character in _WORDS:
        return _WORDS[character]
    name = unicodedata.name(character, "")
    if name.startswith("BOX DRAWINGS"):
        return _line(name)
    kind, _, letter = name.partition(" LETTER ")
    if kind in ("GREEK SMALL", "GREEK CAPITAL"):
        word = letter.split(" ")[0].replace("LAMDA", "LAMBDA").lower()
        return word if kind == "GREEK SMALL" else word.capitalize()
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "?"


def _line(name: str) -> str:
    horizontal = any(word in name for word in ("HORIZONTAL", "LEFT", "RIGHT"))
    vertical = any(word in name for word in ("VERTICAL", "UP", "DOWN"))
    return "+" if horizontal and vertical else "-" if horizontal else "|"
