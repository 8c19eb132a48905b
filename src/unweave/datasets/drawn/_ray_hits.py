"""Where a ray meets a convex object that stands on the floor y = 0, over the origin.

Each function gets the start and the direction (length 1) of a ray, and returns the distance to the
first point that it meets coming from outside, infinite if there is none ahead, and the normal
there. A vertical ray counts as a miss of a round object: none that could hit one is cast.
"""

from __future__ import annotations

import math

from unweave._compiled import njit

__all__ = ["capsule_hit", "cube_hit", "cylinder_hit"]


@njit(nogil=True, error_model="numpy")
def cube_hit(half, start, ray):  # pragma: no cover - compiled
    """The cube of edge 2 half, faces towards the axes."""
    enter, leave, axis = -math.inf, math.inf, 0
    for k in range(3):
        middle = half if k == 1 else 0.0
        near = (middle - half - start[k]) / ray[k]
        far = (middle + half - start[k]) / ray[k]
        if near > far:
            near, far = far, near
        if near > enter:
            enter, axis = near, k
        leave = min(leave, far)
    if not (enter <= leave and enter > 0):
        return math.inf, (0.0, 0.0, 0.0)
    facing = -1.0 if ray[axis] > 0 else 1.0
    if axis == 0:
        return enter, (facing, 0.0, 0.0)
    if axis == 1:
        return enter, (0.0, facing, 0.0)
    return enter, (0.0, 0.0, facing)


@njit(nogil=True, error_model="numpy")
def _side_hit(radius, start, ray):  # pragma: no cover - compiled
    """Where the ray enters the endless upright cylinder; infinite if it does not."""
    a = ray[0] * ray[0] + ray[2] * ray[2]
    b = start[0] * ray[0] + start[2] * ray[2]
    inside = b * b - a * (start[0] * start[0] + start[2] * start[2] - radius * radius)
    if inside < 0 or a == 0:
        return math.inf
    return (-b - math.sqrt(inside)) / a


@njit(nogil=True, error_model="numpy")
def cylinder_hit(radius, height, start, ray):  # pragma: no cover - compiled
    """The upright cylinder with its ends."""
    side = _side_hit(radius, start, ray)
    if side == math.inf:
        return math.inf, (0.0, 0.0, 0.0)
    y = start[1] + side * ray[1]
    if 0 <= y <= height:
        if side <= 0:
            return math.inf, (0.0, 0.0, 0.0)
        x, z = start[0] + side * ray[0], start[2] + side * ray[2]
        return side, (x / radius, 0.0, z / radius)
    end, facing = (height, 1.0) if y > height else (0.0, -1.0)
    top = (end - start[1]) / ray[1]
    x, z = start[0] + top * ray[0], start[2] + top * ray[2]
    if top > 0 and x * x + z * z <= radius * radius and facing * ray[1] < 0:
        return top, (0.0, facing, 0.0)
    return math.inf, (0.0, 0.0, 0.0)


@njit(nogil=True, error_model="numpy")
def capsule_hit(radius, height, start, ray):  # pragma: no cover - compiled
    """The upright capsule; a sphere if it is twice as high as its radius."""
    side = _side_hit(radius, start, ray)
    if side == math.inf:
        return math.inf, (0.0, 0.0, 0.0)
    low, high = radius, height - radius
    y = start[1] + side * ray[1]
    middle = min(max(y, low), high)  # the centre of the end that may be hit
    if y != middle:
        away = start[1] - middle
        b = start[0] * ray[0] + away * ray[1] + start[2] * ray[2]
        square = start[0] * start[0] + away * away + start[2] * start[2]
        inside = b * b - square + radius * radius
        if inside < 0:
            return math.inf, (0.0, 0.0, 0.0)
        side = -b - math.sqrt(inside)
    if side <= 0:
        return math.inf, (0.0, 0.0, 0.0)
    x, y, z = start[0] + side * ray[0], start[1] + side * ray[1], start[2] + side * ray[2]
    return side, (x / radius, (y - middle) / radius, z / radius)
