"""Unsupervised disentanglement: measure it, learn it, and study how it scales.

Subpackages and the names below are imported when they are first used, so that ``import unweave``
takes no time. ``unweave.metrics``, ``unweave.geometry`` and ``unweave.datasets`` need no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unweave import (
        datasets,
        encoders,
        explorer,
        generalisation,
        geometry,
        integrations,
        metrics,
        models,
        reports,
        studies,
        symmetry,
        training,
    )
    from unweave.datasets import load
    from unweave.encoders import load_encoder
    from unweave.explorer import explore
    from unweave.geometry import Geomancer
    from unweave.metrics import compare, evaluate
    from unweave.training import load_model, train

__all__ = [
    "Geomancer",
    "__version__",
    "compare",
    "datasets",
    "encoders",
    "evaluate",
    "explore",
    "explorer",
    "generalisation",
    "geometry",
    "integrations",
    "load",
    "load_encoder",
    "load_model",
    "metrics",
    "models",
    "reports",
    "studies",
    "symmetry",
    "train",
    "training",
]

__version__ = "0.2.0"

_PLACES = {
    "Geomancer": "geometry",
    "compare": "metrics",
    "evaluate": "metrics",
    "explore": "explorer",
    "load": "datasets",
    "load_encoder": "encoders",
    "load_model": "training",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f"unweave.{_PLACES[name]}"), name)
    if name in __all__:
        return import_module(f"unweave.{name}")
    raise AttributeError(f"module 'unweave' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
