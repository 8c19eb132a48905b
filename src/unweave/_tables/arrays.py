"""Arrays and tensors of any library as NumPy arrays on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["as_array", "plain", "precision"]


def as_array(data: Any, what: str) -> np.ndarray:
    """Any array, tensor or nested list as a dense NumPy array; masked arrays stay masked.

    Floats of less than single precision that NumPy does not know become float32. Lists that hold
    words become arrays of objects, so that their numbers stay numbers.

    Raises
    ------
    ValueError
        If NumPy cannot read it.
    """
    try:
        if isinstance(data, np.ndarray):
            return data if isinstance(data, np.ma.MaskedArray) else np.asarray(data)
        if hasattr(data, "detach"):
            return _from_torch(data)
        if hasattr(data, "toarray"):  # a sparse matrix of scipy
            return np.asarray(data.toarray())
        if isinstance(data, list | tuple):
            return _from_sequence(data, what)
        return np.asarray(data)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{what} of type {type(data).__name__} cannot be read as an array ({error}): pass a "
            "NumPy array, a tensor or a data frame"
        ) from error


def precision(data: Any, array: np.ndarray) -> str:
    """Name of the type that ``data`` holds its numbers in, before it became ``array``."""
    parts = data if isinstance(data, list | tuple) else (data,)
    names = {str(getattr(part, "dtype", "")).rpartition(".")[2] for part in parts}
    return next((name for name in ("bfloat16", "float16") if name in names), array.dtype.name)


def plain(data: Any, what: str) -> Any:
    """NumPy arrays in place of tensors, masked arrays and lists of them; all else as it is.

    For those who validate arrays themselves.

    Raises
    ------
    ValueError
        If values are masked.
    """
    if hasattr(data, "detach"):
        return as_array(data, what)
    if isinstance(data, list | tuple) and (
        _holds_masked(data) or any(hasattr(part, "detach") for part in data)
    ):
        data = as_array(data, what)
    if not isinstance(data, np.ma.MaskedArray):
        return data
    mask = np.ma.getmaskarray(data)
    if mask.any():
        n_rows = int(mask.reshape(len(mask), -1).any(axis=1).sum())
        raise ValueError(
            f"{what} hold {int(mask.sum())} missing values (masked) in {n_rows} rows: drop these "
            "rows or fill them in"
        )
    return data.data


def _from_torch(tensor: Any) -> np.ndarray:
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if str(tensor.layout) != "torch.strided":
        tensor = tensor.to_dense()
    tensor = tensor.cpu()
    if tensor.is_floating_point() and tensor.element_size() < 4:
        tensor = tensor.float()
    return tensor.resolve_conj().resolve_neg().numpy()


def _from_sequence(data: Sequence[Any], what: str) -> np.ndarray:
    parts = [as_array(part, what) if hasattr(part, "detach") else part for part in data]
    if _holds_masked(parts):
        return _masked(parts)
    array = np.asarray(parts)
    return np.array(parts, dtype=object) if array.dtype.kind in "SUT" else array


def _holds_masked(data: Sequence[Any]) -> bool:
    return any(
        isinstance(part, np.ma.MaskedArray)
        or (isinstance(part, list | tuple) and _holds_masked(part))
        for part in data
    )


def _masked(data: Sequence[Any]) -> np.ma.MaskedArray:
    """Nested lists that hold masked arrays or masked values, with the masks of all of them."""
    parts = [_masked(part) if isinstance(part, list | tuple) else part for part in data]
    masks = [np.ma.getmaskarray(part) for part in parts]
    values = [np.ma.getdata(part) for part in parts]
    return np.ma.array(np.array(values), mask=np.array(masks))
