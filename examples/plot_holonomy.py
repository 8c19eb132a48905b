"""
Holonomy: a frame carried round a loop comes back turned
=========================================================

GEOMANCER separates factors by how tangent frames turn along loops. On the unit sphere
the angle is the area that the loop encloses (Gauss and Bonnet), and here it is measured from
nothing but points.
"""

import numpy as np
from matplotlib.figure import Figure
from scipy.spatial import cKDTree

from unweave.datasets.manifolds import parse_manifold
from unweave.geometry import (
    holonomy,
    pca_tangents,
    quadratic_tangents,
    rotation_angles,
    spherical_area,
)
from unweave.geometry.graph import nearest_neighbours

# %%
# Points of a sphere, and tangent planes estimated from them.
points = parse_manifold("S^2").sample(5000, random_state=0).points
near = nearest_neighbours(points, 12)
tangents = quadratic_tangents(points, near, pca_tangents(points, near, 2))

# %%
# Loops around the pole, through the sampled points next to circles of growing size.
tree = cKDTree(points)
turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
areas, angles = [], []
for colatitude in np.linspace(0.2, 1.5, 27):
    ring = np.sin(colatitude) * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    loop = tree.query(np.column_stack([ring, np.full(60, np.cos(colatitude))]))[1]
    areas.append(abs(spherical_area(points[loop])))
    angles.append(rotation_angles(holonomy(tangents, loop))[0])

# %%
# An angle is known up to its sign and whole turns.
areas, angles = np.array(areas), np.array(angles)
expected = np.minimum(areas % (2 * np.pi), 2 * np.pi - areas % (2 * np.pi))
print(f"largest error: {np.abs(angles - expected).max():.1e} rad")

figure = Figure(figsize=(5, 3.6), layout="constrained")
axes = figure.add_subplot()
fine = np.linspace(0, areas.max(), 200)
axes.plot(fine, np.minimum(fine, 2 * np.pi - fine), color="grey", lw=1, label="enclosed area")
axes.plot(areas, angles, "o", ms=4, label="from points")
axes.set(xlabel="enclosed area (sr)", ylabel="angle of holonomy (rad)")
axes.legend(frameon=False)

# %%
# The claim.
assert np.abs(angles - expected).max() < 1e-3
