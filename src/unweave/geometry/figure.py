"""What GEOMANCER found, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from unweave._extras import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from unweave.geometry.geomancer import Geomancer

__all__ = ["draw"]

_BELOW, _ABOVE, _CHANCE = "#3b6ea5", "#b9bfc6", "#c0504d"


def draw(
    model: Geomancer,
    true: Sequence[np.ndarray] | None = None,
    angles: np.ndarray | None = None,
    chance: float | None = None,
    *,
    sample: int = 0,
) -> Figure:
    """Spectrum, subspaces at one point beside the true ones, and the histogram of the error.

    Parameters
    ----------
    model
        A fitted one.
    true
        For each true factor bases (samples, features, dims).
    angles, chance
        Error of each sample in radians and its chance level, as of
        :func:`~unweave.metrics.subspace_error.subspace_error`.
    sample
        The point whose subspaces are shown.
    """
    require("plots", needed_by="a plot")
    from unweave._figure import ShownFigure

    n_panels = 2 + (true is not None) + (angles is not None)
    figure = ShownFigure(figsize=(3.6 * n_panels, 3.6), layout="constrained")
    panels = iter(figure.subplots(1, n_panels))
    _spectrum(next(panels), model)
    own = [basis[sample] for basis in model.subspaces_]
    _bases(next(panels), own, f"found at sample {sample}")
    if true is not None:
        _bases(next(panels), _beside([basis[sample] for basis in true], own), "true there")
    if angles is not None:
        _histogram(next(panels), angles, chance)
    return figure


def _spectrum(axes, model: Geomancer) -> None:
    values = np.maximum(model.eigenvalues_, 0)
    n_below = model.n_factors_ - 1
    colours = [_BELOW if i < n_below else _ABOVE for i in range(len(values))]
    axes.bar(np.arange(1, len(values) + 1), values, color=colours)
    axes.set_title(f"{model.n_factors_} factor(s), confidence {model.confidence_:.2f}", fontsize=10)
    axes.set_xlabel("eigenvalue of the connection Laplacian")
    axes.set_xticks(np.arange(1, len(values) + 1))


def _bases(axes, bases: Sequence[np.ndarray], title: str) -> None:
    """Columns are axes, with a line between factors."""
    whole = np.concatenate(bases, axis=1)
    axes.imshow(whole, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    ends = np.cumsum([basis.shape[1] for basis in bases])
    for end in ends[:-1]:
        axes.axvline(end - 0.5, color="black", lw=1.5)
    middles = ends - np.array([basis.shape[1] for basis in bases]) / 2 - 0.5
    axes.set_xticks(middles, [f"factor {j + 1}" for j in range(len(bases))], fontsize=8)
    axes.set_ylabel("feature")
    axes.set_title(title, fontsize=10)


def _beside(true: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> list[np.ndarray]:
    """True bases in the order of the found ones, each turned to look like the one beside it.

    A basis of a subspace is free to turn: without this, equal subspaces look different.
    """
    from scipy.optimize import linear_sum_assignment

    overlap = np.array([[np.sum((f.T @ t) ** 2) for t in true] for f in found])
    rows, columns = linear_sum_assignment(-overlap)
    order = [*columns, *sorted(set(range(len(true))) - set(columns))]
    turned = []
    for place, column in enumerate(order):
        basis = true[column]
        if place < len(rows) and found[rows[place]].shape == basis.shape:
            u, _, vt = np.linalg.svd(basis.T @ found[rows[place]])
            basis = basis @ (u @ vt)
        turned.append(basis)
    return turned


def _histogram(axes, angles: np.ndarray, chance: float | None) -> None:
    top = max(1.05 * float(angles.max()), 1e-6)
    axes.hist(angles, bins=40, range=(0, top), color=_BELOW)
    title = f"mean {angles.mean():.4f} rad"
    if chance is not None:
        title += f", chance {chance:.2f}"
        if chance < top:
            axes.axvline(chance, color=_CHANCE, ls="--")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("angle to the true subspaces (rad)")
    axes.set_ylabel("samples")
