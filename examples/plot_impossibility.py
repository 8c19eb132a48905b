"""
Entangled codes with the distribution of disentangled ones
===========================================================

Locatello et al. (2019, theorem 1) show that no method that looks at images alone can know whether
its codes are disentangled. Here is the map from their proof at work: it leaves the distribution of
the codes as it is, independent latents of the same marginals, and every factor in every latent.
"""

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from unweave.metrics import evaluate
from unweave.symmetry import entangle

# %%
# Five independent factors of ten levels, and the perfect code: one uniform latent for each.
rng = np.random.default_rng(0)
factors = rng.integers(0, 10, (3000, 5))
codes = (factors + rng.uniform(size=factors.shape)) / 10
mixed = entangle(codes, marginal=stats.uniform())

# %%
# No test of one latent, nor of two, distinguishes the codes from the mixed ones.
for latent in mixed.T:
    assert stats.kstest(latent, stats.uniform().cdf).pvalue > 0.001
dependence = np.abs(stats.spearmanr(mixed).statistic - np.eye(5)).max()
print(f"largest rank correlation of two mixed latents: {dependence:.3f}")
assert dependence < 0.06

# %%
# But the scores, which know the factors, fall from the top to what random mixtures get.
names = ["mig", "sap", "mcc"]
before, after = (evaluate(c, factors, metrics=names) for c in (codes, mixed))
print(before, after, sep="\n")

figure = Figure(figsize=(8, 3.4), layout="constrained")
for axes, title, shown in zip(
    figure.subplots(1, 2), ("disentangled", "mixed"), (codes, mixed), strict=True
):
    axes.scatter(*shown[:, :2].T, c=factors[:, 0], s=4, cmap="viridis")
    axes.set(xlabel="first latent", ylabel="second latent", aspect="equal")
    axes.set_title(f"{title}: coloured by the first factor", fontsize=10)

# %%
# The claim: the same distribution, and nothing left of the disentanglement.
assert float(before["mig"]) > 0.9
assert float(after["mig"]) < 0.15
assert float(after["sap"]) < 0.3 * float(before["sap"])
