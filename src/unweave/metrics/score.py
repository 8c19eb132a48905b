"""A score with all that belongs to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unweave._extras import imported

__all__ = ["ENOUGH_FOR_QUANTILES", "Chance", "Details", "Reading", "Score", "Scores"]

_UPPER = 0.975
ENOUGH_FOR_QUANTILES = 40  # so that one draw lies above the quantile


@dataclass(frozen=True)
class Chance:
    """What a metric gives where there is nothing to find: mean and spread over draws.

    Attributes
    ----------
    mean, sd, n_draws
        Mean and standard deviation over the draws, and how many there are.
    upper
        What a further draw exceeds in 2.5 % of cases: the quantile of the draws, or with fewer than
        40 of them Student's t bound for one more draw, from their mean and deviation. None where it
        is not known.
    by_factor
        The same of the values of each factor, by name, where a metric has such values.
    """

    mean: float
    sd: float
    n_draws: int
    upper: float | None = None
    by_factor: Mapping[str, Chance] = field(default_factory=dict)

    @classmethod
    def of(cls, draws: np.ndarray, by_factor: Mapping[str, np.ndarray] | None = None) -> Chance:
        """From the values (draws,) of a score, and those of each factor by its name."""
        mean, sd = float(draws.mean()), float(draws.std(ddof=1))
        upper = _upper(draws, mean, sd)
        each = {name: cls.of(values) for name, values in (by_factor or {}).items()}
        return cls(mean, sd, len(draws), upper, each)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        found = {"mean": self.mean, "sd": self.sd, "n_draws": self.n_draws, "upper": self.upper}
        if not self.by_factor:
            return found
        return {**found, "by_factor": {name: c.to_dict() for name, c in self.by_factor.items()}}


def _upper(draws: np.ndarray, mean: float, sd: float) -> float:
    """What one more draw exceeds in 2.5 % of cases."""
    if len(draws) >= ENOUGH_FOR_QUANTILES:
        return float(np.quantile(draws, _UPPER))
    from scipy.special import stdtrit

    return mean + float(stdtrit(len(draws) - 1, _UPPER)) * sd * float(np.sqrt(1 + 1 / len(draws)))


@dataclass(frozen=True)
class Reading:
    """What a metric reads from one pair of arrays, before anything is known of its noise.

    ``per_factor`` has a value for each factor (or latent), ``matrix`` is what they were read from.
    """

    value: float
    per_factor: np.ndarray = field(default_factory=lambda: np.empty(0))
    matrix: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    extras: Mapping[str, float] = field(default_factory=dict)
    names: tuple[str, ...] | None = None
    """Of the values in ``per_factor``, where they are of groups of latents."""
    by_factor: np.ndarray = field(default_factory=lambda: np.empty(0))
    """A value for each factor, of which draws of noise are kept as well; empty if there are none.
    """
    size: float = 1.0
    """Of the numbers that make up the value: differences of 1e-12 of it are rounding."""


@dataclass(frozen=True)
class Details:
    """What made a score. A field is None when its noise was not asked for.

    Attributes
    ----------
    per_factor
        The score of each factor, by name.
    by_factor
        A number for each factor, by name, whose chance, mixtures and smooth features are known as
        well; empty for most metrics. Of ``dci_disentanglement`` it is how far the factor is
        separated from the others, even where ``per_factor`` has the latents.
    matrix
        What the score was read from, (latents, factors); with ``groups``, (groups, factors), in the
        order of ``settings["groups"]``, which has the latents of each group by its name.
    settings
        Every choice that the value depends on.
    n_samples, seed, dead_latents
        Rows, seed of all draws, and the latents that never vary.
    adjusted
        The value with chance taken out: 0 is chance, 1 stays 1.
    chance
        The same metric with the rows of the factors permuted against the codes.
    projection
        The same metric for random linear projections of the factors, as wide as the codes:
        what a smooth code that knows every factor and separates none would get.
    smooth
        The same metric for random smooth features of the factors (cosines of random frequencies
        and phases), as wide as the codes.
    interval, confidence
        Bounds that hold both the value at this sample size and its extrapolation to all rows.
    p_value
        How likely chance alone reaches the value: share of the permutations that do, the data
        itself counted as one; or, with fewer than 50 permutations, the tail of a skewed
        distribution that is fitted to them, but at least 0.001.
    ceiling
        What a perfect code, one latent a factor, scores with these settings and these rows. What
        noise scores is ``chance``.
    notes
        Sentences that a reader of the value should know.
    levels
        What the levels 0, 1, ... of a factor of words are called, by its name.
    extras
        Further numbers that came with the value, by name.
    """

    per_factor: Mapping[str, float]
    matrix: np.ndarray
    settings: Mapping[str, Any]
    n_samples: int
    seed: int
    dead_latents: tuple[int, ...] = ()
    adjusted: float | None = None
    chance: Chance | None = None
    projection: Chance | None = None
    smooth: Chance | None = None
    interval: tuple[float, float] | None = None
    confidence: float | None = None
    p_value: float | None = None
    ceiling: float | None = None
    notes: tuple[str, ...] = field(default=())
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    extras: Mapping[str, float] = field(default_factory=dict)
    by_factor: Mapping[str, float] = field(default_factory=dict)


class Score(float):
    """A number, with the :class:`Details` that made it as its attributes.

    >>> details = Details({"x": 0.5}, np.array([[0.5]]), {}, n_samples=10, seed=0)
    >>> score = Score("mig", 0.5, details)
    >>> score > 0.4, score.per_factor["x"]
    (True, 0.5)
    """

    def __new__(cls, name: str, value: float, details: Details) -> Score:
        """Refuse nan: an undefined score must be an error with a reason."""
        if not np.isfinite(value):
            raise ValueError(f"{name} came out as {value}: please report this, it is never right")
        return super().__new__(cls, value)

    def __init__(self, name: str, value: float, details: Details) -> None:
        self.name = name
        self.details = details

    def __getattr__(self, attribute: str) -> Any:
        if attribute == "details":
            raise AttributeError(attribute)
        return getattr(self.details, attribute)

    def __reduce__(self):
        return Score, (self.name, float(self), self.details)

    @property
    def value(self) -> float:
        """The bare number."""
        return float(self)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, lists and dicts, for JSON."""
        d = self.details
        return {
            "value": float(self),
            "adjusted": d.adjusted,
            "chance": d.chance.to_dict() if d.chance else None,
            "projection": d.projection.to_dict() if d.projection else None,
            "smooth": d.smooth.to_dict() if d.smooth else None,
            "interval": list(d.interval) if d.interval else None,
            "confidence": d.confidence,
            "p_value": d.p_value,
            "ceiling": d.ceiling,
            "n": d.n_samples,
            "seed": d.seed,
            "per_factor": dict(d.per_factor),
            "by_factor": dict(d.by_factor),
            "dead_latents": list(d.dead_latents),
            "matrix": d.matrix.tolist(),
            "settings": dict(d.settings),
            "notes": list(d.notes),
            "levels": {name: list(words) for name, words in d.levels.items()},
            "extras": dict(d.extras),
        }

    def __repr__(self) -> str:
        d = self.details
        text = f"{self.name} = {float(self):.4f}"
        if d.interval is not None and d.chance is not None:
            text += (
                f" [{d.interval[0]:.4f}, {d.interval[1]:.4f}], chance {d.chance.mean:.4f} ± "
                f"{d.chance.sd:.4f}"
            )
        if d.p_value is not None:
            text += f", p = {d.p_value:.2g}"
        return f"{text}, n = {d.n_samples}, seed = {d.seed}"

    __str__ = __repr__


class Scores(Mapping[str, Score]):
    """Scores by name; prints as a table, in a terminal and in a notebook, and draws itself."""

    def __init__(
        self, scores: Mapping[str, Score], skipped: Mapping[str, str] | None = None
    ) -> None:
        self._scores = dict(scores)
        self.skipped = dict(skipped or {})
        """Metrics that are not defined here, and why."""

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
                "projection": score.projection.mean if score.projection else None,
                "smooth": score.smooth.mean if score.smooth else None,
                "ceiling": score.ceiling,
                "p_value": score.p_value,
                "n": score.n_samples,
                "seed": score.seed,
            }
            for name, score in self.items()
        ]

    def to_polars(self):
        """As a polars data frame, a row for each metric."""
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
            columns += ["interval", "adjusted", "chance", "mixture", "smooth", "perfect", "p"]
        return columns, [_cells(name, score, len(columns)) for name, score in self.items()]

    def _caption(self) -> str:
        first = next(iter(self.values()), None)
        if first is None:
            return "no scores"
        caption = f"n = {first.n_samples}, seed = {first.seed}"
        return caption + (f", {100 * first.confidence:g} % intervals" if first.confidence else "")

    def __repr__(self) -> str:
        from unweave.metrics._table import text_table

        notes = "".join(f"\nnote: {note}" for note in self.notes)
        return f"{text_table(*self.rows())}\n{self._caption()}{notes}"

    def _repr_html_(self) -> str:
        from unweave.metrics._table import html_table

        return html_table(*self.rows(), caption=self._caption())


def _cells(name: str, score: Score, n_columns: int) -> list[str]:
    cells = [name, f"{float(score):.4f}"]
    if n_columns == len(cells):
        return cells
    from unweave.metrics._table import p_text

    if score.chance is None:
        return cells + [""] * (n_columns - len(cells))
    return cells + [
        f"[{score.interval[0]:.4f}, {score.interval[1]:.4f}]",
        "-" if score.adjusted is None else f"{score.adjusted:.4f}",
        f"{score.chance.mean:.4f} ± {score.chance.sd:.4f}",
        f"{score.projection.mean:.3f}",
        f"{score.smooth.mean:.3f}",
        f"{score.ceiling:.3f}",
        p_text(score.p_value),
    ]
