"""A dictionary beside what is known of the features and of the same rows, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unweave.metrics.dictionary.dictionary import (
    Dictionary,
    check_directions,
    check_rows,
    check_width,
    unit,
)
from unweave.metrics.dictionary.firings import Rows
from unweave.metrics.dictionary.random_directions import mixture, rotation

__all__ = ["Case", "Options", "read_case"]

_LEAST_ROWS = 10


@dataclass(frozen=True)
class Options:
    """Choices that values depend on."""

    judged_by: str = "nearest"
    signed: bool = False
    fires_above: float = 0.0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Case:
    """All that is given, and the random dictionaries in its place."""

    dictionary: Dictionary
    directions: np.ndarray
    """(latents, dimensions), of length 1."""
    features: np.ndarray | None
    """(features, dimensions), of length 1."""
    rows: Rows | None
    parents: np.ndarray | None
    """(features,)"""
    options: Options

    def rotated(self, rng: np.random.Generator) -> Case:
        """The same of a dictionary that knows no feature."""
        turn = rotation(self.directions.shape[1], rng)
        rows = self.rows
        if rows is not None and rows.codes is not None:
            rows = rows.shuffled(rng)
        return replace(
            self,
            dictionary=self.dictionary.rotated(turn),
            directions=self.directions @ turn,
            rows=rows,
        )

    def mixed(self, rng: np.random.Generator) -> Case:
        """The same of a dictionary that knows the features' dimensions alone; without rows."""
        return replace(self, directions=mixture(self.directions, rng), rows=None)


def read_case(
    dictionary: Dictionary,
    features: object,
    tables: Mapping[str, object],
    parents: object,
    options: Options,
) -> Case:
    """From what users have; ``tables`` are points, codes and activations, or None.

    Raises
    ------
    ValueError
        If anything cannot be used, or does not belong to the rest.
    """
    if not options.fires_above >= 0:
        raise ValueError(f"fires_above is a size of at least 0, not {options.fires_above}")
    n_latents, n_dims = dictionary.directions.shape
    known = None if features is None else check_directions(features, "features")
    if known is not None:
        what = "directions of the dictionary"
        check_width(dictionary.directions, known.shape[1], what, "the features")
    widths = {
        "points": (n_dims, "dimensions of the dictionary"),
        "codes": (n_latents, "latents of the dictionary"),
        "activations": (0 if known is None else len(known), "features"),
    }
    given = {
        name: _table(name, value, *widths[name])
        for name, value in tables.items()
        if value is not None
    }
    lengths = {name: table.shape[0] for name, table in given.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {n:,}" for name, n in lengths.items())
        raise ValueError(f"all tables must have the same rows, and their numbers differ: {listed}")
    tree = None if parents is None else _parents(parents, 0 if known is None else len(known))
    return Case(
        dictionary,
        unit(dictionary.directions),
        None if known is None else unit(known),
        _rows(dictionary, given, options.fires_above),
        tree,
        options,
    )


def _table(name: str, value: object, width: int, of: str) -> Any:
    if not width:
        raise ValueError(f"{name} are those of features: give the features as well")
    table = check_rows(value, name)
    if table.shape[1] != width:
        hint = ": transpose them, so that each row is a sample" if table.shape[0] == width else ""
        raise ValueError(f"{name} have {table.shape[1]} columns, and there are {width} {of}{hint}")
    return table.toarray() if name == "points" and not isinstance(table, np.ndarray) else table


def _rows(dictionary: Dictionary, given: Mapping[str, Any], fires_above: float) -> Rows | None:
    points, codes = given.get("points"), given.get("codes")
    if codes is None and (points is None or dictionary.encode is None):
        if given:
            raise ValueError(
                f"{' and '.join(given)} say nothing without codes: give the codes of these rows, "
                "or points and a dictionary that encodes them"
            )
        return None
    rows = Rows(points, codes, given.get("activations"), fires_above)
    if len(rows) < _LEAST_ROWS:
        raise ValueError(
            f"{len(rows)} rows say little of how often latents fire: give at least {_LEAST_ROWS}"
        )
    if codes is None:
        _check_encoder(dictionary, rows)
    return rows


def _check_encoder(dictionary: Dictionary, rows: Rows) -> None:
    """Refuse an encoder that does not give a finite code for each latent."""
    assert dictionary.encode is not None
    assert rows.points is not None
    few = np.asarray(dictionary.encode(rows.points[:_LEAST_ROWS]))
    expected = (_LEAST_ROWS, len(dictionary.directions))
    if few.shape != expected or few.dtype.kind not in "biuf" or not np.isfinite(few).all():
        raise ValueError(
            f"encode of the dictionary gave {few.dtype} of shape {few.shape} for {_LEAST_ROWS} "
            f"points: finite numbers of shape {expected} are needed"
        )


def _parents(parents: object, n_features: int) -> np.ndarray:
    tree = np.asarray(parents)
    if tree.shape != (n_features,) or tree.dtype.kind not in "iu":
        raise ValueError(
            f"parents are {tree.dtype} of shape {tree.shape}, and there are {n_features} features: "
            "give the position of each one's parent, or -1"
        )
    tree = tree.astype(np.int64)
    wrong = (tree < -1) | (tree >= n_features) | (tree == np.arange(n_features))
    if wrong.any():
        feature = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"feature {feature} has the parent {tree[feature]}: give the position of another "
            f"feature, from 0 to {n_features - 1}, or -1 if it has none"
        )
    return tree
