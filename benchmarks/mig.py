"""Speed of MIG against the arithmetic of disentanglement_lib, n = 10,000, five factors.

The reference bins each latent by numpy's histogram and digitize and calls scikit-learn's
`mutual_info_score` for each pair of latent and factor, as disentanglement_lib does. Run:
    python benchmarks/mig.py
"""

import statistics
import time

import numpy as np
from sklearn.metrics import mutual_info_score

from unweave.metrics import mutual_information_gap

SIZES = (3, 6, 40, 32, 32)
N = 10_000


def reference(codes: np.ndarray, factors: np.ndarray) -> float:
    bins = np.zeros(codes.shape, dtype=int)
    for j in range(codes.shape[1]):
        bins[:, j] = np.digitize(codes[:, j], np.histogram(codes[:, j], 20)[1][:-1])
    matrix = np.array([[mutual_info_score(v, b) for v in factors.T] for b in bins.T])
    entropy = np.array([mutual_info_score(v, v) for v in factors.T])
    ranked = np.sort(matrix, axis=0)[::-1]
    return float(np.mean((ranked[0] - ranked[1]) / entropy))


def ours(codes: np.ndarray, factors: np.ndarray) -> float:
    return float(mutual_information_gap(codes, factors, noise=None))


def cpu_seconds(function, *arguments) -> float:
    start = time.process_time()
    function(*arguments)
    return time.process_time() - start


def main() -> None:
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, size, N) for size in SIZES], axis=1)
    for n_latents, rounds, asked in ((10, 9, 25), (512, 3, 20)):
        codes = factors @ rng.standard_normal((5, n_latents))
        codes += rng.standard_normal(codes.shape)
        codes = codes.astype(np.float32)
        difference = abs(reference(codes, factors) - ours(codes, factors))
        times = [
            (cpu_seconds(reference, codes, factors), cpu_seconds(ours, codes, factors))
            for _ in range(rounds)
        ]
        ratios = sorted(theirs / own for theirs, own in times)
        slow, fast = (statistics.median(column) for column in zip(*times, strict=True))
        print(
            f"{n_latents:4} latents: reference {slow:.3f} s, ours {fast:.4f} s, "
            f"ratio {statistics.median(ratios):.0f} (from {ratios[0]:.0f} to {ratios[-1]:.0f}; "
            f"{asked} was asked for); values differ by {difference:.1e}"
        )


if __name__ == "__main__":
    main()
