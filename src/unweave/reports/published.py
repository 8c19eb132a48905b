"""Numbers that the paper published, read off its plots to about 0.001: one seed each.

"Unsupervised Disentanglement Literature Review and Exploration with Scale" (Ottlik, Ram, Liss),
figures 5, 6 and 7; dSprites, by training steps.
"""

from __future__ import annotations

__all__ = ["CLIP_SCORES", "GEOMANCER_RESULTS", "PAPER_RANGE", "PAPER_SCORES"]

PAPER_SCORES: dict[tuple[str, str], dict[int, float]] = {
    ("vae", "mig"): {1000: 0.042, 5000: 0.039, 10000: 0.042, 20000: 0.023},
    ("vae", "sap"): {1000: 0.027, 5000: 0.051, 10000: 0.053, 20000: 0.058},
    ("beta_vae(4)", "mig"): {1000: 0.0225, 5000: 0.016, 10000: 0.036, 20000: 0.046},
    ("beta_vae(4)", "sap"): {1000: 0.011, 5000: 0.0075, 10000: 0.011, 20000: 0.013},
}
"""By (objective, metric): score at each number of steps, figures 6 and 7."""

PAPER_RANGE = {"mig": (0.012, 0.175), "sap": (0.005, 0.08)}
"""Smallest and largest score of the about 90 beta-VAEs of figure 5, clearly correlated."""

GEOMANCER_RESULTS = (
    "Pfau et al. (2020), as the survey says: products of five and fewer factors came apart, more "
    "complex ones did not.",
    "The code of its authors errs by 0.384, 0.391 and 0.386 rad for S^2 x S^2 with 1,000 points "
    "(three seeds, chance 1.00), by 0.18 with 10,000, and by 0.40 for three 2-spheres with 20,000; "
    "run by us.",
    "Its README warns of hours or days for S^2 x S^4 x SO(3) with 100,000 points.",
)
"""What is known of GEOMANCER on synthetic manifolds; the papers give no table of numbers."""

CLIP_SCORES = {
    "clip:RN50": 0.00441,
    "clip:RN50x4": 0.01763,
    "clip:RN50x16": 0.02616,
    "clip:ViT-B-16": 0.02350,
    "clip:ViT-L-14": 0.02550,
}
"""MIG of the survey's Table 1: the mean over posX and posY, of the first 1,000 images."""
