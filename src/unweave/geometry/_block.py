"""How many vectors the operator takes at once."""

BLOCK = 8
"""Vectors that share each load of a transport."""
