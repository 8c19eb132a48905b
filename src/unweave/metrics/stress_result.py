"""What a metric answers on known codes, and how often it is wrong about significance."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from unweave.metrics._table import html_table, text_table
from unweave.metrics.known_codes import KnownCode

__all__ = ["Answer", "ErrorRate", "MetricStress", "ReadAs", "Stress", "Verdict", "exact_interval"]

ReadAs = Literal["raw", "adjusted"]
"""The bare value, or the value with chance taken out."""

Verdict = Literal["holds", "fails", "ignores", "punishes", "rewards", "failed", "undefined"]
"""A law holds or fails. Where definitions differ, the metric ignores the change,
punishes it or rewards it. Failed if the formula failed; undefined where there is nothing to
compare."""

_RECORD = (
    "metric", "repeats", "seed", "code", "error_rate", "n", "read_as", "verdict", "value", "shift",
    "why", "n_wrong", "n_repeats",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a metric gives on a known code."""

    code: KnownCode
    n_rows: int
    read_as: ReadAs
    verdict: Verdict
    value: float | None = None
    """Mean over repeats."""
    reference: float | None = None
    """The same of the code that it is compared with."""
    shift: float | None = None
    """From the reference to the code, in units of the distance from noise to the perfect code;
    positive if the metric takes the code for a better one. Of an invariance, the mean size of the
    shifts."""
    why: str = ""
    """The reason, where it failed or is undefined."""

    @property
    def is_wrong(self) -> bool:
        """Whether no sound metric answers so."""
        return self.verdict == "failed" or (
            self.verdict == "fails" and self.code.finding != "definition"
        )

    @property
    def text(self) -> str:
        """The number that the verdict rests on, in a few characters."""
        if self.verdict == "failed":
            return "failed"
        if self.verdict == "undefined" or self.value is None:
            return "-"
        if self.shift is None:
            number = f"{self.value:.2f}"
        elif self.code.finding == "invariance":
            number = f"{self.shift:.2f}"
        else:
            number = f"{self.shift:+.2f}"
        return number + ("!" if self.verdict == "fails" else "")

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and text."""
        return {
            "code": self.code.name,
            "expected": self.code.expected,
            "compared_with": self.code.reference,
            "finding": self.code.finding,
            "n": self.n_rows,
            "read_as": self.read_as,
            "verdict": self.verdict,
            "value": self.value,
            "reference": self.reference,
            "shift": self.shift,
            "why": self.why,
        }


@dataclass(frozen=True)
class ErrorRate:
    """How often a metric is wrong about codes of one kind."""

    name: str
    question: str
    n_rows: int
    read_as: ReadAs
    n_wrong: int
    n_repeats: int
    """Without those in which the formula failed."""
    allowed: float
    """The most that a sound metric has."""
    confidence: float = 0.95

    @property
    def rate(self) -> float | None:
        """Share of the repeats; None if there are none."""
        return self.n_wrong / self.n_repeats if self.n_repeats else None

    @property
    def interval(self) -> tuple[float, float]:
        """Exact binomial bounds of the rate."""
        return exact_interval(self.n_wrong, self.n_repeats, self.confidence)

    @property
    def is_wrong(self) -> bool:
        """Whether the rate is larger than allowed, beyond what repeats leave open."""
        return self.interval[0] > self.allowed

    @property
    def text(self) -> str:
        """The rate and its interval in percent."""
        if self.rate is None:
            return "failed"
        low, high = self.interval
        mark = "!" if self.is_wrong else ""
        return f"{100 * self.rate:.0f} [{100 * low:.0f}, {100 * high:.0f}]{mark}"

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and text."""
        return {
            "error_rate": self.name,
            "question": self.question,
            "n": self.n_rows,
            "read_as": self.read_as,
            "rate": self.rate,
            "interval": list(self.interval),
            "confidence": self.confidence,
            "n_wrong": self.n_wrong,
            "n_repeats": self.n_repeats,
            "allowed": self.allowed,
            "is_wrong": self.is_wrong,
        }


@dataclass(frozen=True)
class MetricStress:
    """All that the known codes say of one score."""

    name: str
    title: str
    rows: tuple[int, ...]
    n_repeats: int
    seed: int
    answers: tuple[Answer, ...]
    error_rates: tuple[ErrorRate, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        """What no sound metric does, a sentence for each code and each question.

        Answers count at the largest number of rows, false positives at each, and misses at the
        largest.
        """
        found: dict[str, list[str]] = {}
        for one in self.answers:
            if one.is_wrong and one.n_rows == max(self.rows):
                key = _fault(one)
                found.setdefault(key, []).append(one.read_as)
        for rate in self.error_rates:
            counts = not rate.name.startswith("miss") or rate.n_rows == max(self.rows)
            if rate.is_wrong and counts:
                key = f"{rate.question}: {rate.text.rstrip('!')} % in {rate.n_rows:,} rows"
                found.setdefault(key, []).append(rate.read_as)
        return tuple(f"{key} ({', '.join(read)})" for key, read in found.items())

    def answer(self, code: str, n_rows: int | None = None, read_as: ReadAs = "raw") -> Answer:
        """What it gives on a known code, in the largest number of rows unless said otherwise.

        Raises
        ------
        KeyError
            If that was not asked.
        """
        wanted = (code, max(self.rows) if n_rows is None else n_rows, read_as)
        for one in self.answers:
            if (one.code.name, one.n_rows, one.read_as) == wanted:
                return one
        raise KeyError(wanted)

    def error_rate(
        self, name: str, n_rows: int | None = None, read_as: ReadAs = "raw"
    ) -> ErrorRate:
        """How often it is wrong, in the largest number of rows unless said otherwise.

        Raises
        ------
        KeyError
            If that was not asked.
        """
        wanted = (name, max(self.rows) if n_rows is None else n_rows, read_as)
        for one in self.error_rates:
            if (one.name, one.n_rows, one.read_as) == wanted:
                return one
        raise KeyError(wanted)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, lists and dicts, for JSON."""
        return {
            "title": self.title,
            "rows": list(self.rows),
            "repeats": self.n_repeats,
            "seed": self.seed,
            "faults": list(self.faults),
            "answers": [one.to_dict() for one in self.answers],
            "error_rates": [one.to_dict() for one in self.error_rates],
        }

    def records(self) -> list[dict[str, Any]]:
        """A flat record for each answer and each error rate, with the same keys."""
        empty = dict.fromkeys(_RECORD)
        shared = {"metric": self.name, "repeats": self.n_repeats, "seed": self.seed}
        answers = [one.to_dict() for one in self.answers]
        rates = [one.to_dict() for one in self.error_rates]
        return [
            {**empty, **shared, **{key: one[key] for key in _RECORD if key in one}}
            for one in answers + rates
        ]

    def law_rows(self) -> tuple[list[str], list[list[str]]]:
        """Column names and cells: what every sound metric answers."""
        columns = ["code", "should be", *self._columns()]
        return columns, [
            [code.name, should_be(code), *self._cells(code)]
            for code in self._codes()
            if code.finding != "definition"
        ]

    def definition_rows(self) -> tuple[list[str], list[list[str]]]:
        """Column names and cells: what definitions differ about, in the most rows."""
        columns = ["code", "compared with", "raw", "adjusted"]
        found = []
        for code in self._codes():
            if code.finding == "definition":
                both = [self.answer(code.name, read_as=read) for read in ("raw", "adjusted")]
                found.append([code.name, str(code.reference), *map(_words, both)])
        return columns, found

    def rate_rows(self) -> tuple[list[str], list[list[str]]]:
        """Column names and cells: error rates in percent, with their intervals."""
        columns = ["wrong, in %", *(f"{n:,} rows" for n in self.rows)]
        texts: dict[tuple[str, ReadAs], list[str]] = {}
        for rate in self.error_rates:
            texts.setdefault((rate.question, rate.read_as), []).append(rate.text)
        questions = [question for question, _ in texts]
        return columns, [
            [f"{question} ({read})" if questions.count(question) > 1 else question, *cells]
            for (question, read), cells in texts.items()
        ]

    def _codes(self) -> list[KnownCode]:
        return list({one.code.name: one.code for one in self.answers}.values())

    def _columns(self) -> list[str]:
        return [f"{n:,}{word}" for word in ("", " adj.") for n in self.rows]

    def _cells(self, code: KnownCode) -> list[str]:
        return [
            self.answer(code.name, n, read).text for read in ("raw", "adjusted") for n in self.rows
        ]

    def __repr__(self) -> str:
        parts = (self.law_rows(), self.definition_rows(), self.rate_rows())
        tables = "\n\n".join(text_table(*part) for part in parts if part[1])
        faults = "".join(f"\nfault: {fault}" for fault in self.faults)
        return f"{self.name}\n{tables}\n{self._caption()}{faults}"

    def _repr_html_(self) -> str:
        parts = (self.law_rows(), self.definition_rows(), self.rate_rows())
        return "".join(html_table(*part, caption=self.name) for part in parts if part[1])

    def _caption(self) -> str:
        return f"{self.n_repeats} repeats, seed = {self.seed}"


class Stress(Mapping[str, MetricStress]):
    """What the known codes say of each metric; prints as tables, in a terminal and a notebook."""

    def __init__(self, metrics: Mapping[str, MetricStress]) -> None:
        self._metrics = dict(metrics)

    def __getitem__(self, name: str) -> MetricStress:
        return self._metrics[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._metrics)

    def __len__(self) -> int:
        return len(self._metrics)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, lists and dicts, for JSON."""
        return {name: one.to_dict() for name, one in self.items()}

    def to_json(self, **options: Any) -> str:
        """As JSON text; ``options`` are those of :func:`json.dumps`."""
        return json.dumps(self.to_dict(), **options)

    def records(self) -> list[dict[str, Any]]:
        """Flat records of all metrics."""
        return [record for one in self.values() for record in one.records()]

    def to_polars(self):
        """As a polars data frame, a row for each answer and each error rate."""
        import polars

        return polars.DataFrame(self.records(), infer_schema_length=None)

    def __repr__(self) -> str:
        return "\n\n".join(map(repr, self.values())) or "no metrics"

    def _repr_html_(self) -> str:
        return "".join(one._repr_html_() for one in self.values())


def exact_interval(n_found: int, n_in_all: int, confidence: float = 0.95) -> tuple[float, float]:
    """Bounds of a share by the exact binomial interval (Clopper and Pearson 1934).

    https://doi.org/10.1093/biomet/26.4.404
    """
    from scipy.special import betaincinv

    if n_in_all == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    n_others = n_in_all - n_found
    low = betaincinv(n_found, n_others + 1, tail) if n_found else 0.0
    high = betaincinv(n_found + 1, n_others, 1 - tail) if n_others else 1.0
    return float(low), float(high)


def should_be(code: KnownCode) -> str:
    """What is expected, in words."""
    words = {"most": "near the most", "chance": "near 0", "same": "as", "above": "above"}
    return " ".join([words.get(code.expected, code.expected), code.reference or ""]).strip()


def _words(answer: Answer) -> str:
    if answer.verdict in ("failed", "undefined"):
        return answer.text
    return f"{answer.verdict} {answer.text}"


def _fault(answer: Answer) -> str:
    code = answer.code
    if answer.verdict == "failed":
        return f"{code.name}: {answer.why}"
    number = "" if answer.shift is None else ", off by"
    return (
        f"{code.name} should be {should_be(code)}{number or ', and is'} {answer.text.rstrip('!')}: "
        f"{code.reason}"
    )
