"""Options of dataset names: text becomes what the parameters of a function expect."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, get_type_hints

from unweave._check import check_choice

__all__ = ["converted", "option_names"]


def option_names(function: Callable[..., Any], *, taken: int = 0) -> tuple[str, ...] | None:
    """Parameters of a function after the first ``taken`` ones; None if it takes any keyword.

    ``progress`` is not an option.
    """
    parameters = list(inspect.signature(function).parameters.values())[taken:]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    by_keyword = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return tuple(p.name for p in parameters if p.kind in by_keyword and p.name != "progress")


def converted(
    function: Callable[..., Any],
    options: Mapping[str, Any],
    *,
    what: str,
    taken: int = 0,
    others: Sequence[str] = (),
) -> dict[str, Any]:
    """The options as keyword arguments of a function; values that are not text stay as they are.

    Parameters
    ----------
    function
        What the options go to. The annotations of its parameters say how text is read: numbers,
        ``true`` or ``false``, a size as 64 or 48x64, lists as a,b,c, mappings as a:x,b:y.
    options
        Values by name.
    what
        The kind of dataset, for messages, as "a folder of images".
    taken
        How many of the first parameters are not options.
    others
        Further options, which are named where an option is unknown.

    Raises
    ------
    ValueError
        If there is no such option (all are listed), or its text cannot be read.

    >>> def sized(*, size: int | tuple[int, int] = 64): ...
    >>> converted(sized, {"size": "48x64"}, what="a folder of images")
    {'size': (48, 64)}
    """
    names = option_names(function, taken=taken)
    hints = _hints(function)
    found = {}
    for name, value in options.items():
        if names is not None:
            check_choice(f"option of {what}", name, (*names, *others))
        found[name] = _read(name, value, hints.get(name, Any)) if isinstance(value, str) else value
    return found


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Types of the parameters; not of those that are annotated by names for type checkers only."""
    owner: Any = function.__init__ if inspect.isclass(function) else function
    hints: dict[str, Any] = {}
    for name, hint in getattr(owner, "__annotations__", {}).items():
        single = SimpleNamespace(__annotations__={name: hint})
        with suppress(NameError, TypeError):
            hints |= get_type_hints(single, globalns=getattr(owner, "__globals__", {}))
    return hints


def _read(name: str, text: str, hint: Any) -> Any:
    """The text as the type asks for it; without a type, as what it looks like."""
    if hint in (Any, object):
        return _guessed(text)
    from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

    try:
        adapter = TypeAdapter(hint, config={"arbitrary_types_allowed": True})
    except PydanticSchemaGenerationError:
        return _guessed(text)
    for candidate in _candidates(text):
        try:
            value = adapter.validate_python(candidate)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            continue
        if _is_finite(value):
            return value
        reason = "a finite number is needed"
    reason = reason[0].lower() + reason[1:]
    raise ValueError(f"the option {name}={text} cannot be read: {reason}")


def _candidates(text: str) -> list[Any]:
    """What the text may stand for, the most specific first."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    found: list[Any] = []
    if parts and all(":" in part for part in parts):
        found.append(dict(part.split(":", 1) for part in parts))
    found += [parts, text] if "," in text else [text, parts]
    return [*found, text.lower().split("x")]


def _guessed(text: str) -> Any:
    lowered = text.lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        return value if math.isfinite(value) else text
    return text


def _is_finite(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
