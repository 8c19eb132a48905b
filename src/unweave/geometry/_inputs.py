"""Checks of the points, tangent spaces and vectors that users hand in."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_array

from unweave._tables import plain

__all__ = ["check_bases", "check_rows"]


def check_rows(rows: object, what: str, kind: str = "(samples, features)") -> np.ndarray:
    """Points or vectors as a finite array (n, features) of doubles.

    They may be an array, a tensor, a data frame or nested lists.

    Raises
    ------
    ValueError
        If they are not two-dimensional numbers, are empty, or hold masked, missing or infinite
        values.
    """
    found, needed = plain(rows, what), f"{what} must be a finite array of numbers {kind}"
    try:
        n_axes = np.ndim(found)
        if n_axes == 2:
            return check_array(found, dtype=np.float64, input_name=what)
    except (TypeError, ValueError) as error:
        # After its first line scikit-learn prints the array, or what its own estimators do.
        raise ValueError(f"{needed}: {str(error).splitlines()[0]}") from error
    raise ValueError(f"{needed}, not of {n_axes} axes")


def check_bases(bases: object, what: str = "tangents") -> np.ndarray:
    """Tangent spaces as a finite array (samples, features, dims) of doubles.

    Raises
    ------
    ValueError
        If they have another number of axes, or hold masked, missing or infinite values.
    """
    found = np.asarray(plain(bases, what), dtype=np.float64)
    if found.ndim != 3 or not np.isfinite(found).all():
        raise ValueError(
            f"{what} must be finite, (samples, features, dims), not {found.shape} "
            f"with {int((~np.isfinite(found)).sum())} missing or infinite values"
        )
    return found
