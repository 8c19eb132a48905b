"""What a page shows as one compressed text: JSON, and the arrays that it refers to."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np

__all__ = ["pack"]

_TYPES = {"float32": "f4", "float16": "f2", "int32": "i4", "uint8": "u1"}
_ALIGNED = 8  # bytes


def pack(content: Any) -> str:
    """Base64 of gzip of: length of the JSON (4 bytes), the JSON, the arrays.

    An array (float32, float16, int32 or uint8) is in the JSON as ``{"$": [type, shape, offset]}``;
    offsets count from the first multiple of 8 after the JSON.

    Raises
    ------
    ValueError
        If an array is of another type, or a number is not finite.
    """
    pieces: list[bytes] = []
    text = json.dumps(_referred(content, pieces, [0]), allow_nan=False, separators=(",", ":"))
    head = text.encode()
    head = len(head).to_bytes(4, "little") + head
    whole = b"".join([_padded(head), *pieces])
    return base64.b64encode(gzip.compress(whole, 6, mtime=0)).decode()


def _referred(part: Any, pieces: list[bytes], end: list[int]) -> Any:
    """The part with its arrays moved to ``pieces``."""
    if isinstance(part, dict):
        return {key: _referred(value, pieces, end) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_referred(value, pieces, end) for value in part]
    if not isinstance(part, np.ndarray):
        return part
    name = _TYPES.get(part.dtype.name)
    if name is None:
        raise ValueError(f"pages hold {', '.join(_TYPES)}, not an array of {part.dtype}")
    piece = _padded(np.ascontiguousarray(part, dtype=f"<{name}").tobytes())
    pieces.append(piece)
    end[0] += len(piece)
    return {"$": [name, list(part.shape), end[0] - len(piece)]}


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNED)
