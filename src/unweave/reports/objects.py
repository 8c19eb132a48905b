"""The report of a study that splits rendered objects."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl

from unweave.reports.figures import COLOURS, INK, drawing, png_address, svg
from unweave.reports.page import render
from unweave.statistics.trends import mean_interval
from unweave.studies.folder import Finished
from unweave.studies.kinds.objects import ObjectStudy

__all__ = ["objects_page"]

_WORDS = {"fitted": "fitted to the points", "motions": "from small motions"}
_GOOD = 0.5  # of chance: an error that is clearly below it
_SHOWN = 8


def objects_page(study: ObjectStudy, found: Finished) -> str:
    """The page of the finished runs of a study."""
    table = found.table
    groups = table.group_by("representation", "tangents", maintain_order=True)
    rows = [_row(own) for _, own in groups]
    content = {
        "study": study,
        "damaged": found.damaged,
        "headline": _headline(rows),
        "n_finished": table["run"].n_unique(),
        "n_runs": len(study.descriptions),
        "figure": errors_figure(rows),
        "rows": rows,
        "words": _WORDS,
        "images": _images(study),
        "runs": table.to_dicts(),
        "study_json": json.dumps(study.model_dump(mode="json"), indent=1, ensure_ascii=False),
    }
    return render("objects.html", content)


def errors_figure(rows: list[dict[str, Any]]) -> str:
    """Error of each representation: a dot a seed, and chance."""
    tag = "objects-errors"
    with drawing(tag, size=(7.2, 0.9 + 0.34 * len(rows))) as (figure, axes):
        for i, row in enumerate(rows):
            colour = COLOURS[list(_WORDS).index(row["tangents"])]
            axes.plot(row["errors"], [i] * row["seeds"], "o", color=colour, alpha=0.6, ms=6)
            axes.plot([row["chance"]] * 2, [i - 0.4, i + 0.4], color=INK, ls=":", lw=1.4)
        labels = [f"{row['representation']} ({row['tangents']})" for row in rows]
        axes.set_yticks(range(len(rows)), labels, fontsize=9)
        axes.invert_yaxis()
        axes.set_xlim(-0.04, 1.04 * np.pi / 2)
        axes.set_xlabel("error (rad); dotted: chance")
        return svg(figure, tag)


def _row(own: pl.DataFrame) -> dict[str, Any]:
    """All seeds of a representation and a kind of tangents."""
    errors = own["mean"].to_numpy()
    return {
        "representation": own["representation"][0],
        "tangents": own["tangents"][0],
        "seeds": own.height,
        "errors": errors.tolist(),
        "mean": float(errors.mean()),
        "interval": np.clip(mean_interval(errors), 0, np.pi / 2) if len(errors) > 1 else None,
        "chance": float(own["chance"].to_numpy().mean()),
        "right": int(own["dims_match"].sum()),
        "by_gap": int((own["dims_by_gap"] == "2+3").sum()),
        "features": int(own["features"][0]),
        "dimension": own["dimension"].mean(),
        "confidence": float(own["confidence"].to_numpy().mean()),
    }


def _headline(rows: list[dict[str, Any]]) -> str:
    """Which representations are far from chance with every seed, and which are not."""
    found, lost = [], []
    for name in dict.fromkeys(row["representation"] for row in rows):
        own = [row for row in rows if row["representation"] == name]
        best = min(own, key=lambda row: row["mean"])
        if best["right"] == best["seeds"] and max(best["errors"]) < _GOOD * best["chance"]:
            how = "" if best["tangents"] == "fitted" else ", tangents from small motions"
            found.append(f"{name} (error {best['mean']:.3f} rad{how})")
        else:
            lost.append(name)
    chance = float(np.mean([row["chance"] for row in rows]))
    sentences = []
    if found:
        sentences.append(
            f"Rotation and light are separated, with every seed, in {_listed(found)}; "
            f"chance is {chance:.2f} rad."
        )
    if lost:
        subject = "They are not" if found else "Rotation and light are not separated"
        sentences.append(f"{subject} in {_listed(lost)}.")
    return " ".join(sentences)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{'; '.join(names[:-1])} and {names[-1]}"


def _images(study: ObjectStudy) -> str | None:
    """The first images as one picture, if they lie in the cache here."""
    dataset = study.descriptions[0].dataset()
    if not dataset.cache_file.exists():
        return None
    images = dataset.images(np.arange(min(_SHOWN, len(dataset))))
    return png_address(np.concatenate(list(images), axis=1))
