"""Coverage of intervals: how often they hold the score of the full dSprites grid.

The codes are those that `tests/metrics/reference_codes.py` says how to make. Also how often
`compare` rejects two codes of the same quality, and how often it finds one that is better. Run:
    python benchmarks/interval_coverage.py [REPEATS]
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "metrics"))
from reference_codes import full_grid, levels  # noqa: E402

from unweave.metrics import (  # noqa: E402
    Noise,
    compare,
    mutual_information_gap,
    separated_attribute_predictability,
)

METRICS = {"MIG": mutual_information_gap, "SAP": separated_attribute_predictability}
NOISE = Noise(n_permutations=2, n_projections=2, n_halves=50)


def coverage(label: str, name: str, n: int, repeats: int) -> None:
    metric, codes, factors = METRICS[label], full_grid(name), levels()
    truth = float(metric(codes, factors, noise=None))
    hits, width = 0, []
    for seed in range(repeats):
        rows = np.random.default_rng(seed).integers(0, len(codes), n)
        low, high = metric(codes[rows], factors[rows], noise=NOISE).interval
        hits += low <= truth <= high
        width.append(high - low)
    print(
        f"{label} {name:8} n = {n:6}: full grid {truth:.4f}, held by {hits} of {repeats} intervals "
        f"({100 * hits / repeats:.0f} %), median width {np.median(width):.4f}",
        flush=True,
    )


def rejections(label: str, better: float, repeats: int) -> None:
    """Two codes of one latent a factor, the second with ``better`` times the noise of the first."""
    rejected = 0
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        factors = np.stack([rng.integers(0, k, 1000) for k in (3, 6, 40)], axis=1)
        one, other = (
            factors / [2, 5, 39] + scale * rng.standard_normal(factors.shape)
            for scale in (0.3, 0.3 * better)
        )
        found = compare(one, other, factors, metrics=[label.lower()], seed=seed)
        rejected += found[label.lower()].p_value < 0.05
    print(
        f"{label} of two codes of 1,000 rows, noise 0.3 and {0.3 * better:.2f}: a difference at "
        f"the 5 % level in {rejected} of {repeats}",
        flush=True,
    )


if __name__ == "__main__":
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    for label in METRICS:
        for name in ("a_axis", "b_rot", "e_dead", "c_noise"):
            for n in (300, 1000, 10_000):
                coverage(label, name, n, repeats)
        for better in (1.0, 1.2):
            rejections(label, better, repeats)
