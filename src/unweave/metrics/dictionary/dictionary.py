"""A dictionary: a direction for each latent, and what encodes points with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unweave._tables import as_array, plain

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Dictionary", "check_directions", "check_rows", "check_width", "unit"]

Encode = Callable[[np.ndarray], np.ndarray]
"""Codes (rows, latents) of points (rows, dimensions)."""


@dataclass(frozen=True, eq=False)
class Dictionary:
    r"""Directions :math:`D` that write points as :math:`\hat x = z D + b` of codes :math:`z`.

    >>> dictionary = Dictionary.of([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    >>> dictionary.decode(np.array([[1.0, 0.0, 0.5]])).tolist()
    [[1.5, 0.5]]
    """

    directions: np.ndarray
    """(latents, dimensions): the rows of the decoder."""
    offset: np.ndarray | None = None
    """(dimensions,): the bias of the decoder; zeros if None."""
    encode: Encode | None = None
    """Codes (rows, latents) of points (rows, dimensions), if they can be computed."""

    @classmethod
    def of(cls, value: object) -> Dictionary:
        """From directions (latents, dimensions) of any kind of array, or as it is.

        Raises
        ------
        ValueError
            If they are not numbers (latents, dimensions), or are not finite, or all zero; or if an
            offset is not as wide.
        """
        given = value if isinstance(value, cls) else cls(value)  # type: ignore[arg-type]
        directions = check_directions(given.directions, "directions of the dictionary")
        offset = given.offset
        if offset is not None:
            offset = np.asarray(plain(offset, "offset"), dtype=np.float64)
            if offset.shape != directions.shape[1:] or not np.isfinite(offset).all():
                raise ValueError(
                    f"offset of the dictionary has shape {offset.shape}: a finite number for each "
                    f"of {directions.shape[1]} dimensions is needed"
                )
        return cls(directions, offset, given.encode)

    def decode(self, codes: np.ndarray | csr_array) -> np.ndarray:
        """Points (rows, dimensions) that codes (rows, latents) stand for."""
        points = codes @ self.directions
        return points if self.offset is None else points + self.offset

    def rotated(self, rotation: np.ndarray) -> Dictionary:
        """The same autoencoder of a space that is rotated by a matrix (dimensions, dimensions)."""
        encode = self.encode
        return Dictionary(
            self.directions @ rotation,
            None if self.offset is None else self.offset @ rotation,
            None if encode is None else lambda points: encode(points @ rotation.T),
        )


def check_directions(value: object, what: str) -> np.ndarray:
    """Directions (n, dimensions) as floats.

    Raises
    ------
    ValueError
        If they are not that, or no direction differs from zero.
    """
    array = np.asarray(check_rows(value, what), dtype=np.float64)
    if not array.any():
        raise ValueError(f"{what} are all zero, and have no direction: give those of a decoder")
    return array


def check_rows(value: object, what: str) -> np.ndarray | csr_array:
    """Finite numbers in two dimensions; a sparse matrix stays sparse.

    Raises
    ------
    ValueError
        If they are not that.
    """
    from scipy.sparse import csr_array, issparse

    if issparse(value):
        rows = csr_array(value)
        numbers = rows.data
    else:
        rows = numbers = as_array(plain(value, what), what)
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(f"{what} have shape {rows.shape}, and rows (n, columns) are needed")
    if numbers.dtype.kind not in "biuf":
        raise ValueError(f"{what} are of type {numbers.dtype}, and numbers are needed")
    if not np.isfinite(numbers).all():
        n_bad = int((~np.isfinite(numbers)).sum())
        raise ValueError(
            f"{what} hold {n_bad} values that are nan or infinite: look for a diverged model, or "
            "leave these rows out"
        )
    return rows


def check_width(directions: np.ndarray, n_dims: int, what: str, other: str) -> None:
    """Refuse directions that are not as wide as those of something else.

    Raises
    ------
    ValueError
        If they are not; where they lie in columns, the sentence says so.
    """
    n, width = directions.shape
    if width == n_dims:
        return
    if n == n_dims:
        raise ValueError(
            f"{what} have shape {directions.shape}, (dimensions, n), and {other} have {n_dims} "
            "dimensions: transpose them, so that each row is a direction"
        )
    raise ValueError(
        f"{what} have {width} dimensions, and {other} have {n_dims}: give both in one space"
    )


def unit(directions: np.ndarray) -> np.ndarray:
    """Rows of length 1; rows of zeros stay as they are."""
    # The largest entry first: squares of very small or very large ones leave the range of floats.
    largest = np.abs(directions).max(axis=1, keepdims=True)
    scaled = directions / np.where(largest > 0, largest, 1.0)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return scaled / np.where(lengths > 0, lengths, 1.0)
