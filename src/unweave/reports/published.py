"""Numbers that the paper published, read off its plots to about 0.001: one seed each.

"Unsupervised Disentanglement Literature Review and Exploration with Scale" (Ottlik, Ram, Liss),
figures 5, 6 and 7; dSprites, by training steps.
"""

from __future__ import annotations

__all__ = ["PAPER_RANGE", "PAPER_SCORES"]

PAPER_SCORES: dict[tuple[str, str], dict[int, float]] = {
    ("vae", "mig"): {1000: 0.042, 5000: 0.039, 10000: 0.042, 20000: 0.023},
    ("vae", "sap"): {1000: 0.027, 5000: 0.051, 10000: 0.053, 20000: 0.058},
    ("beta_vae(4)", "mig"): {1000: 0.0225, 5000: 0.016, 10000: 0.036, 20000: 0.046},
    ("beta_vae(4)", "sap"): {1000: 0.011, 5000: 0.0075, 10000: 0.011, 20000: 0.013},
}
"""By (objective, metric): score at each number of steps, figures 6 and 7."""

PAPER_RANGE = {"mig": (0.012, 0.175), "sap": (0.005, 0.08)}
"""Smallest and largest score of the about 90 beta-VAEs of figure 5, clearly correlated."""
