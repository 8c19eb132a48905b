"""How the scores of two representations differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from unweave.metrics._table import html_table, p_text, text_table

__all__ = ["Comparison", "Difference"]


@dataclass(frozen=True)
class Difference:
    """One metric of two representations."""

    first: float
    second: float
    difference: float
    """First minus second."""
    interval: tuple[float, float]
    confidence: float
    p_value: float
    """Two-sided, at least 0.001: how likely a difference as large comes from the sample of rows."""


class Comparison(Mapping[str, Difference]):
    """Differences by metric; prints as a table, in a terminal and in a notebook."""

    def __init__(
        self,
        differences: Mapping[str, Difference],
        *,
        n_samples: int,
        seed: int,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._differences = dict(differences)
        self.n_samples = n_samples
        self.seed = seed
        self.notes = notes

    def __getitem__(self, name: str) -> Difference:
        return self._differences[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._differences)

    def __len__(self) -> int:
        return len(self._differences)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, lists and dicts, for JSON."""
        metrics = {
            name: {**asdict(found), "interval": list(found.interval)}
            for name, found in self.items()
        }
        return {
            "n": self.n_samples,
            "seed": self.seed,
            "metrics": metrics,
            "notes": list(self.notes),
        }

    def rows(
        self, first: str = "first", second: str = "second"
    ) -> tuple[list[str], list[list[str]]]:
        """Column names, with those of the two, and the cells of each row as text."""
        columns = ["metric", first, second, "difference", "95 % interval", "p"]
        found = list(self.values())
        if found:
            columns[4] = f"{100 * found[0].confidence:g} % interval"
        cells = [
            [
                name,
                f"{d.first:.4f}",
                f"{d.second:.4f}",
                f"{d.difference:+.4f}",
                f"[{d.interval[0]:+.4f}, {d.interval[1]:+.4f}]",
                p_text(d.p_value),
            ]
            for name, d in self.items()
        ]
        return columns, cells

    def __repr__(self) -> str:
        notes = "".join(f"\nnote: {note}" for note in self.notes)
        return f"{text_table(*self.rows())}\nn = {self.n_samples}, seed = {self.seed}{notes}"

    def _repr_html_(self) -> str:
        return html_table(*self.rows(), caption=f"n = {self.n_samples}, seed = {self.seed}")
