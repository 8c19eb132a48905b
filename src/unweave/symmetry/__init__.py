"""Symmetry: groups that act on data, and what becomes of them in codes."""

from unweave.symmetry.definition import Condition, Verdict, check_definition
from unweave.symmetry.lsbd import linear_symmetry_distance

__all__ = ["Condition", "Verdict", "check_definition", "linear_symmetry_distance"]
