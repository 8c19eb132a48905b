"""The types of the options: what may be said on a command line, checked in one place.

Every command refuses numbers that are not finite or leave 64 bits, fractions where whole numbers
belong, and text that no file system can hold (``ALL``). An option that allows less has one of the
types below.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

from cyclopts import (
    Argument,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    Parameter,
    Token,
    UnusedCliTokensError,
    ValidationError,
    convert,
)

from unweave._bounds import LARGEST, LARGEST_NUMPY_SEED, MOST_ROWS

__all__ = [
    "Trusted",
    "Workers",
    "Numbers",
    "NumpySeed",
    "ALL",
    "Count",
    "Flag",
    "ImageSize",
    "Json",
    "Names",
    "Patterns",
    "ResizeFilter",
    "Rows",
    "Seed",
    "Sizes",
    "Step",
    "Wide",
    "comma_list",
    "sentence",
    "within",
]

_LONGEST = 4096  # characters of a path
_SHOWN = 60  # characters of a wrong value
_WHOLE = re.compile(r"[+-]?(\d+(_\d+)*|0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+)", re.ASCII)


def within(least: float, most: float = LARGEST, *, above: bool = False) -> Parameter:
    """An option whose numbers lie between ``least`` and ``most``; not at ``least`` if ``above``."""
    return Parameter(validator=partial(_check_range, least, most, above))


def comma_list() -> Parameter:
    """An option that takes one or more values, separated by spaces or by commas."""
    return Parameter(
        consume_multiple=True, negative="", converter=_split, validator=(_check_some, _check)
    )


def sentence(error: CycloptsError) -> str:
    """What is wrong with a command line, and the option's name."""
    if isinstance(error, UnusedCliTokensError):
        return f"too many words: {' '.join(map(repr, error.unused_tokens or ()))}"
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        if not error.argument.tokens and not error.keyword:
            return f"{_shown_name(error.argument)} is missing (--help says what it is)"
    if isinstance(error, ValidationError):
        reason = error.exception_message
    elif isinstance(error, CoercionError) and error.msg is not None:
        reason = str(error.msg)
    else:
        return str(error)
    if error.argument is None:
        return reason
    tokens = error.argument.tokens
    name = (tokens and tokens[0].keyword) or _shown_name(error.argument)
    given = " ".join(token.value for token in tokens)
    shown = repr(given if len(given) <= _SHOWN else given[: _SHOWN - 3] + "...")
    return f"{name}: {reason}" + (f", not {shown}" if tokens else "")


def _shown_name(argument: Argument) -> str:
    """An option's name, or that of a positional argument in capitals, as --help shows it."""
    return argument.name if argument.index is None else argument.name.lstrip("-").upper()


def _read(type_: Any, tokens: Any) -> Any:
    for token in tokens:
        if type_ in (int, int | None, list[int], list[int] | None):
            # Rounding 1.5 rows to 2 would answer another question than the one asked.
            if not _WHOLE.fullmatch(token.value.strip()):
                raise ValueError("a whole number is needed")
        else:
            _check_text(token.value)
    return convert(type_, tokens)


def _split(type_: Any, tokens: Sequence[Token]) -> Any:
    words = [
        Token(keyword=token.keyword, value=word.strip(), source=token.source, index=token.index)
        for token in tokens
        for word in token.value.split(",")
        if word.strip()
    ]
    return _read(type_, words) if words else []


def _check(_type: Any, value: Any) -> None:
    for item in _items(value):
        if isinstance(item, float) and not math.isfinite(item):
            raise ValueError("a finite number is needed")
        if isinstance(item, int) and abs(item) > LARGEST:
            raise ValueError("a number from 1 - 2^63 to 2^63 - 1 is needed")


def _check_range(least: float, most: float, above: bool, type_: Any, value: Any) -> None:
    for item in _items(value):
        if most == LARGEST and isinstance(item, int) and item > most:
            raise ValueError(f"a number from {least} to 2^63 - 1 is needed")
    _check(type_, value)
    for item in _items(value):
        if isinstance(item, int | float) and not isinstance(item, bool):
            if item < least or (above and item == least):
                raise ValueError(
                    f"a number {'above' if above else 'of at least'} {least} is needed"
                )
            if item > most:
                raise ValueError(f"a number of at most {most} is needed")


def _check_some(_type: Any, value: Any) -> None:
    if value is not None and not value:
        raise ValueError("at least one value is needed")


def _check_words(type_: Any, value: Any) -> None:
    named = value and any(part.strip() for word in value for part in word.split(","))
    _check_some(type_, value if named or value is None else [])


def _check_text(text: str) -> None:
    if not text.strip():
        raise ValueError("some text is needed")
    if len(text) > _LONGEST:
        raise ValueError(f"at most {_LONGEST} characters are needed")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("text without NUL and broken characters is needed")


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [item for part in value for item in _items(part)]
    return [value]


ALL = Parameter(converter=_read, validator=_check)
"""What holds for every option of every command."""

Seed = Annotated[int, within(0)]
"""A seed: a whole number of at least 0 that 63 bits can hold."""

NumpySeed = Annotated[int, within(0, LARGEST_NUMPY_SEED)]
"""A seed that goes to scikit-learn, which takes 32 bits."""

Count = Annotated[int, within(1)]
"""How many of something there are: a whole number of at least 1."""

Rows = Annotated[int, within(1, MOST_ROWS)]
"""How many rows are drawn, more than there are if they may repeat."""

Names = Annotated[list[str], comma_list()]
"""Names, separated by spaces or commas."""

Trusted = Annotated[list[str], comma_list()]
"""Classes that may be imported, as package.module:Class, separated by spaces or commas."""

Numbers = Annotated[list[float], comma_list()]
"""Numbers, separated by spaces or commas."""

Sizes = Annotated[
    list[int],
    Parameter(
        consume_multiple=True,
        negative="",
        converter=_split,
        validator=(_check_some, partial(_check_range, 1, LARGEST, False)),
    ),
]
"""Whole numbers of at least 1, separated by spaces or commas."""

Step = Annotated[int, within(0)]
"""A step of training."""

Workers = Annotated[int, within(1, 4096)]
"""How many processes."""

Patterns = Annotated[
    list[str],
    Parameter(consume_multiple=True, negative="", converter=_read, validator=_check_words),
]
"""Names or patterns as ``z*``; the reader splits them at commas, as a name may hold one."""

ImageSize = Annotated[int, within(1, 16_384)]
"""Pixels on a side, to which the images of any dataset are resized."""

ResizeFilter = Literal["lanczos", "bicubic", "bilinear", "box", "nearest"]
"""Filter by which images are resized."""

Flag = Annotated[bool, Parameter(negative="")]
Json = Annotated[bool, Parameter(name="--json", negative="")]
Wide = Annotated[bool, Parameter(name="--wide", negative="")]
