"""
The parallelogram fails on a sphere, the group does not
========================================================

"a is to b as c is to what?" is often answered by b + c - a. That is right where steps can be added,
and wrong on anything curved: the answer is not even a point of the data. What carries over from
one point to another is what a group does, or a step moved along the surface.
"""

import numpy as np
from matplotlib.figure import Figure
from scipy.spatial.transform import Rotation

from unweave.symmetry import by_rotation, by_transport, parallelogram

rng = np.random.default_rng(0)


def sphere(n):
    points = rng.standard_normal((n, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


# %%
# On the sphere, by the size of the step from a to b: how far each answer is from the sphere.
steps = np.linspace(0.05, 2.5, 25)
off = {"parallelogram": [], "transport": []}
a, c = sphere(2000), sphere(2000)
aside = np.cross(a, sphere(2000))
aside /= np.linalg.norm(aside, axis=1, keepdims=True)
for step in steps:
    b = np.cos(step) * a + np.sin(step) * aside
    for name, answer in (
        ("parallelogram", parallelogram(a, b, c)),
        ("transport", by_transport(a, b, c)),
    ):
        off[name].append(np.abs(np.linalg.norm(answer, axis=1) - 1).mean())

# %%
# For rotations the answer is known: the same turn g, done to c. The rotation nearest to the
# parallelogram's answer is another one.
g, a3, c3 = (Rotation.random(2000, random_state=seed).as_matrix() for seed in range(3))
b3, right = g @ a3, g @ c3


def degrees_off(answer):
    u, _, vt = np.linalg.svd(answer)
    u[:, :, 2] *= np.linalg.det(u @ vt)[:, None]
    turned = np.swapaxes(right, 1, 2) @ u @ vt
    return np.degrees(Rotation.from_matrix(turned).magnitude())


by_sum, by_group = degrees_off(parallelogram(a3, b3, c3)), degrees_off(by_rotation(a3, b3, c3))
print(f"degrees off, mean: parallelogram {by_sum.mean():.0f}, group {by_group.mean():.1e}")

figure = Figure(figsize=(8, 3.2), layout="constrained")
left, right_axes = figure.subplots(1, 2)
for name, values in off.items():
    left.plot(steps, values, label=name)
left.set(xlabel="step from a to b (rad)", ylabel="distance from the sphere")
left.legend(frameon=False)
right_axes.hist(by_sum, bins=40, color="tab:blue")
right_axes.axvline(by_group.max(), color="tab:orange", label="group")
right_axes.set(xlabel="degrees from the right rotation", yticks=[])
right_axes.legend(frameon=False)

# %%
# The claim.
assert off["parallelogram"][-1] > 0.5
assert max(off["transport"]) < 1e-9
assert by_sum.mean() > 30
assert by_group.max() < 1e-4
