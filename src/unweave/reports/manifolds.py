"""The report of a study that splits manifolds."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from unweave.reports.figures import COLOURS, error_figure
from unweave.reports.page import render
from unweave.reports.published import GEOMANCER_RESULTS
from unweave.statistics.trends import mean_interval
from unweave.studies.folder import Finished
from unweave.studies.kinds.manifolds import ManifoldStudy

__all__ = ["manifolds_page"]

_SETTINGS = {"default": "the default settings", "paper": "the paper's settings"}
_CELL = ("product", "noise", "points", "settings")
_GOOD = 0.5  # of chance: an error that is far below it


def manifolds_page(study: ManifoldStudy, found: Finished) -> str:
    """The page of the finished runs of a study."""
    table = found.table
    cells = [_cell(rows) for _, rows in table.group_by(*_CELL, maintain_order=True)]
    colours = {name: COLOURS[i] for i, name in enumerate(_SETTINGS)}
    content = {
        "study": study,
        "damaged": found.damaged,
        "headline": _headline(table),
        "firsts": _firsts(cells),
        "n_finished": table.height,
        "n_runs": len(study.descriptions),
        "figures": [
            error_figure(rows, colours)
            for _, rows in table.group_by("product", "noise", maintain_order=True)
        ],
        "rows": sorted(cells, key=lambda c: (study.products.index(c["product"]), c["noise"])),
        "published": GEOMANCER_RESULTS,
        "runs": table.to_dicts(),
        "study_json": json.dumps(study.model_dump(mode="json"), indent=1, ensure_ascii=False),
    }
    return render("manifolds.html", content)


def _cell(rows: pl.DataFrame) -> dict[str, Any]:
    """Seeds of one product, noise, number of points and setting, together."""
    errors = rows["mean"].to_numpy()
    return {
        **{key: rows[key][0] for key in _CELL},
        "seeds": rows.height,
        "right": int(rows["dims_match"].sum()),
        "mean": float(errors.mean()),
        "interval": mean_interval(errors) if len(errors) > 1 else None,
        "chance": float(rows["chance"].to_numpy().mean()),
        "confidence": float(rows["confidence"].to_numpy().mean()),
        "seconds": float(rows["seconds"].to_numpy().mean()),
    }


def _headline(table: pl.DataFrame) -> str:
    """How often each setting finds the right dimensions, and how far off it is then."""
    parts = []
    for name, words in _SETTINGS.items():
        rows = table.filter(pl.col("settings") == name)
        if not rows.height:
            continue
        right = rows.filter("dims_match")
        part = f"With {words} the dimensions of all factors came out right in {right.height} of "
        part += f"{rows.height} runs"
        if right.height:
            error, chance = (float(right[key].to_numpy().mean()) for key in ("mean", "chance"))
            part += f", with a mean error of {error:.3f} rad there (chance {chance:.2f})"
        parts.append(part + ".")
    return " ".join(parts)


def _firsts(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each product and setting the fewest points from which every seed is far from chance."""
    found = []
    for product, noise in dict.fromkeys((cell["product"], cell["noise"]) for cell in cells):
        entry: dict[str, Any] = {"product": product, "noise": noise}
        for settings in _SETTINGS:
            key = (product, noise, settings)
            own = [c for c in cells if (c["product"], c["noise"], c["settings"]) == key]
            good = [c for c in own if c["right"] == c["seeds"] and c["mean"] < _GOOD * c["chance"]]
            entry[settings] = {
                "first": min((c["points"] for c in good), default=None),
                "most": max((c["points"] for c in own), default=None),
                "error": max(own, key=lambda c: c["points"])["mean"] if own else None,
            }
        found.append(entry)
    return found
