"""
Sparse autoencoders beside random dictionaries
==============================================

Twice as many features as dimensions, few of them active in each row, and features that imply
others: rows of a :class:`~unweave.datasets.superposition.Superposition`, whose truth is known. A
sparse autoencoder learns from the rows alone. How much of the truth does it find, and how much of
it does a dictionary find that knows nothing?
"""

import numpy as np
import torch
from matplotlib.figure import Figure

from unweave.datasets import Superposition
from unweave.encoders.sparse import train_sparse_autoencoder
from unweave.metrics.dictionary import Dictionary, score_dictionary

# %%
# 48 features in 24 dimensions. The first four are parents of four children each.
world = Superposition(n_dims=24, n_features=48, n_trees=4, highest_rate=0.3, lowest_rate=0.02)
learnt, judged = (world.sample(n, random_state=n) for n in (10_000, 1_000))
mean, scale = learnt.points.mean(axis=0), learnt.points.std()
known = {
    "features": judged.directions,
    "points": (judged.points - mean) / scale,
    "activations": judged.activations,
    "parents": judged.parents,
}

# %%
# A TopK autoencoder with as many latents as there are features.
scaled = (learnt.points - mean) / scale
model = train_sparse_autoencoder(scaled, 48, n_active=3, seed=0)


@torch.no_grad()
def encode(points):
    return model.features(torch.from_numpy(points.astype(np.float32))).numpy()


directions = torch.nn.functional.normalize(model.decoder, dim=1).detach().numpy()
autoencoder = Dictionary(directions, model.centre.detach().numpy(), encode)
sparse = score_dictionary(autoencoder, **known)
print(sparse)

# %%
# The features themselves would score 1.
names = ["dictionary_mcc", "uniqueness", "firing_precision", "firing_recall", "firing_f1"]
figure = Figure(figsize=(6, 3.4), layout="constrained")
axes = figure.add_subplot()
axes.bar(range(len(names)), [float(sparse[name]) for name in names], label="TopK autoencoder")
chance = [sparse[name].chance.mean for name in names]
axes.plot(range(len(names)), chance, "k_", ms=24, label="rotated at random")
axes.set_xticks(range(len(names)), [name.replace("_", "\n") for name in names])
axes.set(ylim=(0, 1), ylabel="score")
axes.legend(frameon=False)

# %%
# The claim: it finds features, and says when they are active, above chance, and it absorbs some.
for name in ("dictionary_mcc", "firing_f1", "absorption_gap"):
    assert sparse[name].p_value < 0.02
assert sparse["dictionary_mcc"].adjusted > 0.3
