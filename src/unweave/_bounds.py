"""The largest numbers that study files, Python and the command line accept alike."""

LARGEST = 2**63 - 1
"""The largest whole number, and so the largest seed: 63 bits hold it."""

LARGEST_NUMPY_SEED = 2**32 - 1
"""The largest seed that goes to scikit-learn, which takes 32 bits."""

MOST_ROWS = 10_000_000
"""How many rows are drawn to score codes."""
