"""What a file holds: named arrays or columns, read when they are chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from unweave._check import suggestion
from unweave._tables.files import is_index

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Role", "Source", "is_index", "shape_text"]

Role = Literal["codes", "factors"]

_MOST_SHOWN = 30


@dataclass(frozen=True)
class Source:
    """A file and the names of what can be read from it.

    Attributes
    ----------
    file
        Where it lies.
    noun
        What its parts are: array or column.
    found
        Type and shape of each part, by name, as a reader is shown them.
    load
        Reads the parts of the names given: arrays, or columns as polars series.
    prefixes
        Where codes and factors lie, if they have places of their own.
    remark
        What a reader should know of the names.
    """

    file: Path
    noun: Literal["array", "column"]
    found: Mapping[str, str]
    load: Callable[[Sequence[str]], list[np.ndarray | pl.Series]]
    prefixes: Mapping[Role, str] = field(default_factory=dict)
    remark: str = ""

    def own(self, role: Role) -> dict[str, str]:
        """Names, by the short names that are enough for ``role``."""
        prefix = self.prefixes.get(role, "")
        return {name.removeprefix(prefix): name for name in self.found if name.startswith(prefix)}

    def match(self, patterns: Sequence[str], role: Role) -> list[str]:
        """Names that are given or match a pattern, each once.

        A word that is not a name itself is split at its commas.

        Raises
        ------
        ValueError
            If a pattern matches nothing.
        """
        short = self.own(role)
        names: list[str] = []
        for word in patterns:
            is_name = word in short or word in self.found
            for pattern in [word] if is_name else filter(None, map(str.strip, word.split(","))):
                names += self._matching(pattern, short, role)
        return list(dict.fromkeys(names))

    def _matching(self, pattern: str, short: Mapping[str, str], role: Role) -> list[str]:
        if pattern in short or pattern in self.found:
            return [short.get(pattern, pattern)]
        hits = [n for key, n in short.items() if fnmatchcase(key, pattern) and not is_index(key)]
        if "/" in pattern:
            hits += [name for name in self.found if fnmatchcase(name, pattern)]
        if not hits:
            raise ValueError(
                f"{self.file} has no {self.noun} {pattern!r} for --{role}"
                f"{suggestion(pattern, short)}; {self.listing()}"
            )
        return hits

    def listing(self) -> str:
        """What the file holds, in words."""
        shown = [f"{name} ({text})" for name, text in list(self.found.items())[:_MOST_SHOWN]]
        more = len(self.found) - len(shown)
        listed = f"it has {', '.join(shown) or 'none'}" + (f" and {more} more" if more else "")
        return listed + (f"; {self.remark}" if self.remark else "")


def shape_text(dtype: object, shape: Sequence[int]) -> str:
    """Type and shape as a reader is shown them."""
    text = "words" if str(dtype).lstrip("<>|=")[:1] in "US" else str(dtype)
    return f"{text}, {tuple(int(n) for n in shape)}"
