"""Symmetry: groups that act on data, and what becomes of them in codes."""

from unweave.symmetry.analogies import (
    Accuracy,
    analogy_accuracy,
    by_rotation,
    by_transport,
    parallelogram,
)
from unweave.symmetry.definition import Condition, Verdict, check_definition
from unweave.symmetry.generators import GeneratorMatch, compare_generators
from unweave.symmetry.impossibility import entangle
from unweave.symmetry.lsbd import linear_symmetry_distance

__all__ = [
    "Accuracy",
    "Condition",
    "GeneratorMatch",
    "Verdict",
    "analogy_accuracy",
    "by_rotation",
    "by_transport",
    "check_definition",
    "compare_generators",
    "entangle",
    "linear_symmetry_distance",
    "parallelogram",
]
