"""Scores as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from unweave._extras import require
from unweave.metrics.score import Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw"]

_BAR, _CHANCE, _PERFECT = "#3b6ea5", "#c0504d", "#7a7a7a"
_MAX_LATENTS = 60
_END = 1.6  # of the axis, just beyond pi / 2: what has no bound is cut there, with its value
_FIRST = ("mig", "sap", "irs", "mcc", "dci_disentanglement")


def draw(scores: Mapping[str, Score]) -> Figure:
    """Bars with interval, chance and perfect code; and the matrix behind the first few scores."""
    require("plots", needed_by="a plot")
    from unweave._figure import ShownFigure

    matrices = _matrices(scores)
    height = 1.2 + 0.28 * len(scores)
    figure = ShownFigure(figsize=(7 + 3.2 * len(matrices), max(3.0, height)), layout="constrained")
    axes = figure.subplots(1, 1 + len(matrices), width_ratios=[2.4, *[1] * len(matrices)])
    axes = np.atleast_1d(axes)
    _bars(axes[0], scores)
    for ax, (name, matrix, factors) in zip(axes[1:], matrices, strict=True):
        image = ax.imshow(matrix, aspect="auto", cmap="viridis", vmin=0)
        ax.set_title(f"behind {name}", fontsize=9)
        ax.set_xticks(range(len(factors)), factors, rotation=45, ha="right", fontsize=8)
        for label in ax.get_xticklabels():
            label.set_parse_math(False)  # a dollar sign in a name is one
        groups = list(scores[name].settings.get("groups", ()))
        ax.set_ylabel("group" if groups else "latent")
        if groups:
            ax.set_yticks(range(len(groups)), groups, fontsize=8)
            for label in ax.get_yticklabels():
                label.set_parse_math(False)
        figure.colorbar(image, ax=ax, shrink=0.8)
    return figure


def _bars(ax, scores: Mapping[str, Score]) -> None:
    places = np.arange(len(scores))[::-1]
    for place, score in zip(places, scores.values(), strict=True):
        value = float(score)
        ax.barh(place, min(value, _END), color=_BAR, height=0.6, zorder=2)
        if value > _END:
            ax.annotate(f"{value:.3g}", (_END, place), va="center", ha="left", fontsize=8)
        if score.interval is not None:
            ax.plot(
                np.minimum(score.interval, _END), [place, place], color="black", lw=1.2, zorder=3
            )
        if score.chance is not None and score.chance.mean <= _END:
            ax.plot(score.chance.mean, place, "D", color=_CHANCE, ms=4, zorder=4)
        if score.perfect is not None and score.perfect <= _END:
            ax.plot(score.perfect, place, "|", color=_PERFECT, ms=12, mew=2, zorder=3)
    ax.set_yticks(places, list(scores), fontsize=8)
    ax.set_xlim(min(0, *[float(s) for s in scores.values()]), _END + 0.15)
    ax.set_ylim(-0.7, len(scores) - 0.3)
    ax.grid(axis="x", color="#e0e0e0", zorder=0)
    ax.set_xlabel("value (bar), interval (line), chance (diamond), perfect code (tick)", fontsize=8)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _matrices(scores: Mapping[str, Score]):
    """Up to three different (latents, factors) matrices, with the names of their factors."""
    found: list = []
    for name in sorted(scores, key=lambda name: _FIRST.index(name) if name in _FIRST else 99):
        matrix, factors = np.asarray(scores[name].matrix), scores[name].factor_names
        fits = matrix.ndim == 2 and matrix.shape[1] == len(factors) > 0
        is_new = not any(np.array_equal(matrix, other) for _, other, _ in found)
        if fits and is_new and 0 < matrix.shape[0] <= _MAX_LATENTS:
            found.append((name, matrix, factors))
    return found[:3]
