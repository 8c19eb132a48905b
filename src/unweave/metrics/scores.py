"""Scores by name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from unweave._extras import imported, require
from unweave.metrics._table import html_table, p_text, text_table
from unweave.metrics.factor_dependence import FactorDependence
from unweave.metrics.score import Score

__all__ = ["Scores"]


class Scores(Mapping[str, Score]):
    """Scores by name; prints as a table, in a terminal and in a notebook, and draws itself."""

    def __init__(
        self,
        scores: Mapping[str, Score],
        skipped: Mapping[str, str] | None = None,
        *,
        dependence: FactorDependence | None = None,
    ) -> None:
        self._scores = dict(scores)
        self.skipped = dict(skipped or {})
        """Metrics that are not defined here, and why."""
        self.dependence = dependence
        """The factors that depend on each other most; None if none do noticeably."""

    def __getitem__(self, name: str) -> Score:
        return self._scores[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the values should know, each sentence once."""
        notes = [note for score in self.values() for note in score.notes]
        notes += [f"{name} {reason}" for name, reason in self.skipped.items()]
        return tuple(dict.fromkeys(notes))

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, lists and dicts, for JSON."""
        return {name: score.to_dict() for name, score in self.items()}

    def to_json(self, **options: Any) -> str:
        """As JSON text; ``options`` are those of :func:`json.dumps`."""
        return json.dumps(self.to_dict(), **options)

    def records(self) -> list[dict[str, Any]]:
        """A flat record for each metric: the numbers that the printed table has, unrounded."""
        return [
            {
                "metric": name,
                "value": float(score),
                "low": score.interval[0] if score.interval else None,
                "high": score.interval[1] if score.interval else None,
                "adjusted": score.adjusted,
                "chance": score.chance.mean if score.chance else None,
                "chance_sd": score.chance.sd if score.chance else None,
                "mixture": score.mixture.mean if score.mixture else None,
                "smooth": score.smooth.mean if score.smooth else None,
                "perfect": score.perfect,
                "p_value": score.p_value,
                "n": score.n_samples,
                "seed": score.seed,
            }
            for name, score in self.items()
        ]

    def to_polars(self):
        """As a polars data frame, a row for each metric."""
        require("tables", needed_by="to_polars")
        import polars

        return polars.DataFrame(self.records(), infer_schema_length=None)

    def to_pandas(self):
        """As a pandas data frame, a row for each metric.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = imported("pandas", needed_by="to_pandas")
        return pandas.DataFrame(self.records()).set_index("metric")

    def plot(self):
        """A matplotlib figure: values with intervals beside chance, and each matrix behind them."""
        from unweave.metrics.figure import draw

        return draw(self)

    def rows(self) -> tuple[list[str], list[list[str]]]:
        """Column names, and the cells of each row as text."""
        columns = ["metric", "value"]
        if any(score.chance for score in self.values()):
            beside = ("mixture", "smooth", "perfect")
            known = [b for b in beside if any(getattr(s, b) is not None for s in self.values())]
            columns += ["interval", "adjusted", "chance", *known, "p"]
        return columns, [_cells(name, score, columns[2:]) for name, score in self.items()]

    def _caption(self) -> str:
        first = next(iter(self.values()), None)
        if first is None:
            return "no scores"
        caption = f"n = {first.n_samples}, seed = {first.seed}"
        return caption + (f", {100 * first.confidence:g} % intervals" if first.confidence else "")

    def __repr__(self) -> str:
        notes = "".join(f"\nnote: {note}" for note in self.notes)
        return f"{text_table(*self.rows())}\n{self._caption()}{notes}"

    def _repr_html_(self) -> str:
        return html_table(*self.rows(), caption=self._caption())


def _cells(name: str, score: Score, columns: Sequence[str]) -> list[str]:
    return [name, f"{float(score):.4f}", *(_cell(score, column) for column in columns)]


def _cell(score: Score, column: str) -> str:
    """What stands beside the value; a dash where a score that has noise lacks it."""
    value = getattr(score, "p_value" if column == "p" else column)
    if value is None:
        return "" if score.interval is score.chance is None else "-"
    if column == "interval":
        return f"[{value[0]:.4f}, {value[1]:.4f}]"
    if column == "chance":
        return f"{value.mean:.4f} ± {value.sd:.4f}"
    if column in ("mixture", "smooth"):
        return f"{value.mean:.3f}"
    if column == "p":
        return p_text(value)
    return f"{value:.4f}" if column == "adjusted" else f"{value:.3f}"
