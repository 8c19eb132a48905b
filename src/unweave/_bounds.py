"""The largest numbers that study files, Python and the command line accept alike."""

LARGEST = 2**63 - 1
"""Of any whole number, and so of a seed: 63 bits hold it."""

LARGEST_NUMPY_SEED = 2**32 - 1
"""Of a seed that goes to scikit-learn, which takes 32 bits."""

MOST_ROWS = 10_000_000
"""Rows that are drawn to score codes."""
