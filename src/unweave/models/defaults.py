"""Settings that are given, over the defaults of an objective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["filled"]


def filled(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, and the defaults where nothing is.

    A part that has keys of its own, as a latent space, is filled key by key, but not if another
    ``name`` is given: then it is another thing, with other keys.
    """
    found = {**defaults, **given}
    for key in given.keys() & defaults.keys():
        own, default = given[key], defaults[key]
        if isinstance(own, Mapping) and isinstance(default, Mapping):
            same = own.get("name", default.get("name")) == default.get("name")
            found[key] = filled(own, default) if same else dict(own)
    return found
