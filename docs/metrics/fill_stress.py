"""The tables of stress.md: what every metric answers on known codes.

What was found is stored in stress.parquet, so that a new metric can be run alone. Run, from the
root of the repository:
    python docs/metrics/fill_stress.py               # fill the tables from what is stored
    python docs/metrics/fill_stress.py run mig sap   # run these first; without names, all metrics
    ROWS=300,1000 REPEATS=20 python docs/metrics/fill_stress.py run dci_disentanglement
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from unweave.metrics import KNOWN_CODES, METRICS, ErrorRate, stress

HERE = Path(__file__).parent
STORE, PAGE = HERE / "stress.parquet", HERE / "stress.md"
DEFINITIONS = [name for name, code in KNOWN_CODES.items() if code.finding == "definition"]
NEAR = ("perfect", "noise", "wide_noise", "other_rows")
LAWS = [n for n in KNOWN_CODES if n not in DEFINITIONS and n not in NEAR]
RATES = {
    "noise significant": ("false_positive_noise", "raw"),
    "other_rows significant": ("false_positive_other_rows", "raw"),
    "perfect not": ("miss_perfect", "raw"),
    "nearly_perfect not": ("miss_nearly_perfect", "raw"),
    "mixture not (label-free)": ("miss_mixture", "raw"),
    "partial not above even_mixture": ("miss_partial", "raw"),
    "the same, adjusted": ("miss_partial", "adjusted"),
    "noise above a tenth": ("above_a_tenth", "raw"),
    "the same, adjusted ": ("above_a_tenth", "adjusted"),
}


def run(names: list[str]) -> None:
    """Run metrics together, which share what they read alike, and store what they gave."""
    rows = [int(n) for n in os.environ.get("ROWS", "300,1000,10000").split(",")]
    repeats = int(os.environ.get("REPEATS", "50"))
    found = stress(names, rows=rows, repeats=repeats).to_polars()
    kept = [pl.read_parquet(STORE).filter(~pl.col("metric").is_in(names))] if STORE.exists() else []
    pl.concat([*kept, found], how="vertical_relaxed").write_parquet(STORE, compression="zstd")


def filled(page: str) -> str:
    """The page with its tables."""
    for place, text in tables(pl.read_parquet(STORE)).items():
        parts = re.split(rf"(?<=<!-- {place} -->).*?(?=<!-- end -->)", page, flags=re.S)
        if len(parts) != 2:
            raise SystemExit(f"{PAGE} must have one place for its {place}")
        page = f"{parts[0]}\n{text}\n{parts[1]}"
    return page


def tables(found: pl.DataFrame) -> dict[str, str]:
    """By their place on the page."""
    most = pl.col("n") == pl.col("n").max().over("metric")
    names = [name for name in METRICS if name in found["metric"].unique()]
    answers = found.filter(pl.col("code").is_not_null() & most)
    answered = set(answers.drop_nulls("value")["metric"])
    silent = [name for name in names if name not in answered]
    names = [name for name in names if name in answered]
    return {
        "runs": runs(found, names, silent),
        "laws": laws(answers, names),
        "definitions": definitions(answers, names),
        "rates": rates(found.filter(pl.col("error_rate").is_not_null()), names),
    }


def runs(found: pl.DataFrame, names: list[str], silent: list[str]) -> str:
    """How many rows and repeats were run, and of which metrics, and which gave no answer."""
    together: dict[tuple[str, int], list[str]] = {}
    for name in names:
        own = found.filter(pl.col("metric") == name)
        sizes = ", ".join(f"{n:,}" for n in own["n"].unique().sort())
        together.setdefault((sizes, own["repeats"][0]), []).append(f"`{name}`")
    lines = [f"| {rows} | {n} | {', '.join(own)} |" for (rows, n), own in together.items()]
    for name in silent:
        (why, *_) = found.filter(pl.col("metric") == name).drop_nulls("why")["why"]
        lines.append(f"| no answer: {why} | | `{name}` |")
    missing = [f"`{name}`" for name in METRICS if name not in (*names, *silent)]
    lines += [f"| not run yet | | {', '.join(missing)} |"] if missing else []
    return table(["rows", "repeats", "metrics"], lines)


def laws(answers: pl.DataFrame, names: list[str]) -> str:
    """Values near the most and near 0, and all other laws that are broken."""
    lines = []
    for name in names:
        own = answers.filter(pl.col("metric") == name)
        cells = []
        for code in NEAR:
            both = [one(own, code=code, read_as=how) for how in ("raw", "adjusted")]
            cells.append(" / ".join(map(value_text, both)))
        broken = {}
        for code in LAWS:
            for how in ("raw", "adjusted"):
                law = one(own, code=code, read_as=how)
                if law and law["verdict"] in ("fails", "failed"):
                    shift = "failed" if law["shift"] is None else f"{law['shift']:+.2f}"
                    broken.setdefault(code, []).append(shift)
        listed = "; ".join(f"{code} {' / '.join(shifts)}" for code, shifts in broken.items())
        lines.append(f"| `{name}` | {' | '.join(cells)} | {listed or 'none'} |")
    return table(["metric", *NEAR, "other laws broken"], lines)


def definitions(answers: pl.DataFrame, names: list[str]) -> str:
    """Shifts of the adjusted value, or of the bare one where there is no adjusted value."""
    lines = []
    for name in names:
        own, cells = answers.filter(pl.col("metric") == name), []
        for code in DEFINITIONS:
            read = [one(own, code=code, read_as=how) for how in ("adjusted", "raw")]
            shifts = [r["shift"] for r in read if r and r["shift"] is not None]
            cells.append(f"{shifts[0] + 0.0:+.2f}" if shifts else "-")
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return table(["metric", *DEFINITIONS], lines)


def rates(found: pl.DataFrame, names: list[str]) -> str:
    """Percent of the repeats, with exact intervals, for each number of rows."""
    lines = []
    for name in names:
        own = found.filter(pl.col("metric") == name)
        for n in own["n"].unique().sort():
            cells = []
            for rate, how in RATES.values():
                record = one(own, error_rate=rate, read_as=how, n=n)
                counts = (record["n_wrong"], record["n_repeats"]) if record else (0, 0)
                allowed = 1.0 if rate == "miss_partial" else 0.2 if "miss" in rate else 0.05
                cells.append(ErrorRate(rate, "", n, "raw", *counts, allowed).text
                             if counts[1] else "-")  # fmt: skip
            lines.append(f"| `{name}` | {n:,} | {' | '.join(cells)} |")
    return table(["metric", "rows", *(title.strip() for title in RATES)], lines)


def one(found: pl.DataFrame, **wanted: object) -> dict | None:
    """The record that has these values."""
    own = found.filter(*(pl.col(key) == value for key, value in wanted.items()))
    return own.row(0, named=True) if len(own) else None


def value_text(record: dict | None) -> str:
    """A value, marked if it should be another one."""
    if record is None or record["value"] is None:
        return "failed" if record and record["verdict"] == "failed" else "-"
    return f"{record['value'] + 0.0:.2f}" + ("!" if record["verdict"] == "fails" else "")


def table(columns: Iterable[str], lines: list[str]) -> str:
    """In Markdown."""
    columns = list(columns)
    return "\n".join([f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|", *lines])


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(sys.argv[2:] or list(METRICS))
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
