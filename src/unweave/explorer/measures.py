"""What a page says of latents against factors: matrices, and scores beside chance and mixtures."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from unweave.metrics import METRICS, Noise, Scores, evaluate
from unweave.metrics.catalogue import title

__all__ = ["ROWS_SCORED", "measures"]

ROWS_SCORED = 5_000
_FEW_LATENTS = 100
_MATRICES = {
    "information": ("Mutual information", "nats", ("mig",), Noise()),
    "correlation": ("Correlation", "absolute value, 0 to 1", ("mcc",), Noise()),
    "importance": (
        "Importance",
        "share of a predictor's gain, 0 to 1",
        ("dci_disentanglement", "dci_completeness", "dci_informativeness"),
        Noise(n_permutations=20, n_projections=4, n_halves=10),  # each draw trains predictors
    ),
}
_COARSE = Noise(n_permutations=20, n_projections=4, n_halves=10)  # for wide codes


def measures(
    codes: np.ndarray,
    factors: object,
    names: Sequence[str] | None,
    kinds: Sequence[str | None] | None,
    *,
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Matrices (latents, factors) by name, each with the scores that are read from it.

    Returns
    -------
    dict
        ``matrices``, each with a ``title``, a ``unit``, ``values`` (latents, factors) and
        ``scores``; ``n``, the rows that were scored; ``notes``, what a reader should know.
    """
    n = min(ROWS_SCORED, len(codes))
    shown, notes = {}, []
    for key, (name, unit, metrics, noise) in _MATRICES.items():
        if codes.shape[1] > _FEW_LATENTS:
            if key == "importance":
                notes.append(
                    f"importance is left out: {codes.shape[1]:,} latents are more than "
                    f"{_FEW_LATENTS}, for which its predictors take minutes"
                )
                continue
            noise = _COARSE
        if progress:
            progress(f"scoring, {name.lower()}")
        found, said = _evaluated(codes[:n], factors, metrics, names, kinds, noise, seed)
        notes += said
        if found is None:
            continue
        first = next(iter(found.values()))
        shown[key] = {
            "title": name,
            "unit": unit,
            "values": np.asarray(first.matrix, dtype=np.float32),
            "scores": [{**row, "title": title(row["metric"])} for row in found.records()],
        }
    return {"matrices": shown, "n": n, "notes": list(dict.fromkeys(notes))}


def _evaluated(
    codes: np.ndarray,
    factors: object,
    metrics: Sequence[str],
    names: Sequence[str] | None,
    kinds: Sequence[str | None] | None,
    noise: Noise,
    seed: int,
) -> tuple[Scores | None, list[str]]:
    """Scores, or None and why there are none."""
    needed = max(METRICS[name].metric.min_latents for name in metrics)
    if codes.shape[1] < needed:
        return None, [f"{', '.join(map(title, metrics))} needs {needed} latents, and there is one"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = evaluate(
                codes,
                np.asarray(factors)[: len(codes)],
                metrics=list(metrics),
                factor_names=names,
                factor_kinds=kinds,
                noise=noise,
                seed=seed,
            )
        except ValueError as error:
            return None, [f"{', '.join(map(title, metrics))}: {error}"]
    return found, [*map(str, (one.message for one in caught)), *found.notes]
