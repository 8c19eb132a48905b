"""What metrics give of random codes, kept for the next codes with the same factors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping

import numpy as np

from unweave.metrics.score import Measurement

__all__ = ["forget_random_codes", "measured_once"]

_MOST = 20_000  # formulas read, about a kilobyte each
_kept: dict[Hashable, Mapping[str, Measurement]] = {}
_lock = threading.Lock()


def measured_once(
    key: Hashable | None, read: Callable[[], Mapping[str, Measurement]]
) -> Mapping[str, Measurement]:
    """What ``read`` gives: what is kept of the noise of a score, from before if the key is known.

    With the key None, or one that cannot be hashed, ``read`` is called each time.
    """
    try:
        found = None if key is None else _kept.get(key)
    except TypeError:
        key = found = None
    if found is None:
        found = {
            name: Measurement(one.value, by_factor=np.array(one.by_factor))
            for name, one in read().items()
        }
        if key is not None:
            with _lock:
                while len(_kept) >= _MOST:
                    del _kept[next(iter(_kept))]
                _kept[key] = found
    return found


def forget_random_codes() -> None:
    """Forget all that is kept."""
    with _lock:
        _kept.clear()
