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
from typing import Annotated, Any

from cyclopts import (
    CoercionError,
    CycloptsError,
    Parameter,
    Token,
    UnusedCliTokensError,
    ValidationError,
    convert,
)

__all__ = [
    "Workers",
    "Numbers",
    "NumpySeed",
    "ALL",
    "Count",
    "Flag",
    "Json",
    "Names",
    "Patterns",
    "Rows",
    "Seed",
    "Step",
    "Wide",
    "comma_list",
    "sentence",
    "within",
]

_LARGEST = 2**63 - 1
_LONGEST = 4096  # characters of a path
_SHOWN = 60  # characters of a wrong value
_FRACTION = re.compile(r"[+-]?(\d[\d_]*)?\.\d*")


def within(least: float, most: float = _LARGEST, *, above: bool = False) -> Parameter:
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
    if isinstance(error, ValidationError):
        reason = error.exception_message
    elif isinstance(error, CoercionError) and error.msg is not None:
        reason = str(error.msg)
    else:
        return str(error)
    if error.argument is None:
        return reason
    tokens = error.argument.tokens
    name = (tokens and tokens[0].keyword) or error.argument.name.lstrip("-").upper()
    given = " ".join(token.value for token in tokens)
    shown = repr(given if len(given) <= _SHOWN else given[: _SHOWN - 3] + "...")
    return f"{name}: {reason}" + (f", not {shown}" if given else "")


def _read(type_: Any, tokens: Any) -> Any:
    for token in tokens:
        _check_text(token.value)
        # Rounding 1.5 rows to 2 would answer another question than the one asked.
        if type_ in (int, list[int]) and _FRACTION.fullmatch(token.value):
            raise ValueError("a whole number is needed")
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
        if isinstance(item, int) and abs(item) > _LARGEST:
            raise ValueError("a number between -2^63 and 2^63 is needed")


def _check_range(least: float, most: float, above: bool, type_: Any, value: Any) -> None:
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

NumpySeed = Annotated[int, within(0, 2**32 - 1)]
"""A seed that goes to scikit-learn, which takes 32 bits."""

Count = Annotated[int, within(1)]
"""How many of something there are: a whole number of at least 1."""

Rows = Annotated[int, within(1, 10_000_000)]
"""How many rows are drawn, more than there are if they may repeat."""

Names = Annotated[list[str], comma_list()]
"""Names, separated by spaces or commas."""

Numbers = Annotated[list[float], comma_list()]
"""Numbers, separated by spaces or commas."""

Step = Annotated[int, within(0)]
"""A step of training."""

Workers = Annotated[int, within(1, 4096)]
"""How many processes."""

Patterns = Annotated[
    list[str],
    Parameter(consume_multiple=True, negative="", converter=_read, validator=_check_some),
]
"""Names or patterns as ``z*``; the reader splits them at commas, as a name may hold one."""

Flag = Annotated[bool, Parameter(negative="")]
Json = Annotated[bool, Parameter(name="--json", negative="")]
Wide = Annotated[bool, Parameter(name="--wide", negative="")]
