"""The shipped studies as a list, found without importing what would run them."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from importlib import resources

__all__ = ["ShippedStudy", "shipped_catalogue"]


@dataclass(frozen=True)
class ShippedStudy:
    """A study that comes with the package: its name, how large it is, and what it asks."""

    name: str
    size: str
    question: str


def shipped_catalogue() -> list[ShippedStudy]:
    """All shipped studies, by name.

    Their sizes lie in a file of their own: to count runs, a study must be validated, which imports
    torch. A test holds the file to the studies.
    """
    folder = resources.files("unweave.studies") / "shipped"
    sizes = json.loads((folder / "sizes.json").read_text(encoding="utf-8"))
    studies = []
    for name in sorted(sizes):
        content = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
        studies.append(ShippedStudy(name, sizes[name], content["question"]))
    return studies
