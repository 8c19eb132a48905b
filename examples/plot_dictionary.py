"""
Sparse autoencoders beside random dictionaries
==============================================

Twice as many features as dimensions, few of them active in each row, and features that imply
others: rows of a :class:`~unweave.datasets.superposition.Superposition`, whose truth is known. Two
dictionaries learn from the rows alone. How much of the truth do they find, and how much of it does
a dictionary find that knows nothing?
"""

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.decomposition import MiniBatchDictionaryLearning

from unweave.datasets import Superposition
from unweave.encoders.sparse import train_sparse_autoencoder
from unweave.metrics.dictionary import Dictionary, dictionary_stability, score_dictionary

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
# scikit-learn's dictionary learning, whose codes are found by thresholds.
learner = MiniBatchDictionaryLearning(
    48, alpha=0.5, max_iter=10, transform_algorithm="threshold", transform_alpha=1.0, random_state=0
)
learner.fit(scaled[:4_000])
learned = score_dictionary(learner.components_, codes=learner.transform(known["points"]), **known)
print(learned)

# %%
# Do the two agree, who never saw each other?
print(dictionary_stability([autoencoder, learner.components_]))

# %%
# The features themselves, learnt by nobody, would score 1.
names = ["dictionary_mcc", "uniqueness", "firing_precision", "firing_recall", "firing_f1"]
figure = Figure(figsize=(7, 3.4), layout="constrained")
axes = figure.add_subplot()
for offset, label, scores in ((-0.2, "TopK autoencoder", sparse), (0.2, "scikit-learn", learned)):
    places = np.arange(len(names)) + offset
    axes.bar(places, [float(scores[name]) for name in names], width=0.36, label=label)
    chance = [scores[name].chance.mean for name in names]
    axes.plot(places, chance, "k_", ms=18, label="chance" if offset > 0 else None)
axes.set_xticks(range(len(names)), [name.replace("_", "\n") for name in names])
axes.set(ylim=(0, 1), ylabel="score")
axes.legend(frameon=False)

# %%
# The claim: both find features, and say when they are active, above chance.
for scores in (sparse, learned):
    for name in ("dictionary_mcc", "firing_f1"):
        assert scores[name].p_value < 0.02
assert sparse["dictionary_mcc"].adjusted > 0.3
