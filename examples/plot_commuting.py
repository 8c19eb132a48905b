"""
Steps in two factors commute, steps within one do not
======================================================

On a product of manifolds "first this factor, then that one" ends where the other order ends;
within a curved factor it does not. So analogies between factors have one answer, d, whichever way
round the parallelogram is walked, and that is how GEOMANCER can find factors from points alone.
Here the factors are those that it found, and the walks see nothing but points.
"""

import numpy as np
from matplotlib.figure import Figure

from unweave.datasets.manifolds import parse_manifold
from unweave.geometry import Geomancer, ManifoldWalker

# %%
# Points of a product of two spheres in random coordinates, and the subspaces that GEOMANCER finds.
points = parse_manifold("S^2 x S^2").sample(10_000, random_state=0, rotate=True).points
model = Geomancer(n_dims=4, random_state=0).fit(points)
first, second = model.subspaces_
walker = ManifoldWalker(points, np.concatenate([first, second], axis=2), step=0.2)

# %%
# From random points, a step u and then v, and the other way round; each carried along the other.
rows = np.random.default_rng(0).integers(0, len(points), 300)


def distance_of_ends(u, v):
    after_u, carried_v = walker.go(points[rows], u, v)
    after_v, carried_u = walker.go(points[rows], v, u)
    one, other = walker.go(after_u, carried_v)[0], walker.go(after_v, carried_u)[0]
    return np.linalg.norm(one - other, axis=1)


lengths = np.linspace(0.2, 1.2, 6)
between, within = [], []
for length in lengths:
    u, v = length * first[rows, :, 0], length * second[rows, :, 0]
    between.append(distance_of_ends(u, v).mean())
    within.append(distance_of_ends(u, length * first[rows, :, 1]).mean())

# %%
# On the unit sphere the distance of the two ends is known.
c, s = np.cos(lengths), np.sin(lengths)
exact = np.sqrt(2) * np.abs(c * s - s)

figure = Figure(figsize=(5, 3.6), layout="constrained")
axes = figure.add_subplot()
axes.plot(lengths, exact, color="grey", lw=1, label="two great circles of a sphere, exact")
axes.plot(lengths, within, "o", label="within one factor")
axes.plot(lengths, between, "s", label="in two factors")
axes.set(xlabel="length of each step (rad)", ylabel="distance of the two ends")
axes.legend(frameon=False)
print("within", np.round(within, 3), "between", np.round(between, 3), "exact", np.round(exact, 3))

# %%
# The claim.
assert within[-1] > 0.7 * exact[-1]
assert between[-1] < 0.2 * within[-1]
