"""Coverage of the interval of MIG: how often it holds the value of the full dSprites grid.

The codes are those of which `tests/metrics/reference_codes.py` says how they are made. Run:
    python benchmarks/interval_coverage.py [REPEATS]
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "metrics"))
from reference_codes import full_grid, levels  # noqa: E402

from unweave.metrics import Noise, mutual_information_gap  # noqa: E402


def coverage(name: str, n: int, repeats: int) -> None:
    codes, factors = full_grid(name), levels()
    truth = float(mutual_information_gap(codes, factors, noise=None))
    noise = Noise(n_permutations=2, n_projections=2, n_halves=50)
    hits, width = 0, []
    for seed in range(repeats):
        rows = np.random.default_rng(seed).integers(0, len(codes), n)
        low, high = mutual_information_gap(codes[rows], factors[rows], noise=noise).interval
        hits += low <= truth <= high
        width.append(high - low)
    print(
        f"{name:8} n = {n:6}: full grid {truth:.4f}, held by {hits} of {repeats} intervals "
        f"({100 * hits / repeats:.0f} %), median width {np.median(width):.4f}"
    )


if __name__ == "__main__":
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    for name in ("a_axis", "b_rot", "c_noise"):
        for n in (300, 1000, 10_000):
            coverage(name, n, repeats)
