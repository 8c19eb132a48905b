"""Ray casting of the scene of :class:`~unweave.datasets.drawn.rooms.Rooms`.

A room without a ceiling and without a front wall, an object in its middle, a square lamp. Lengths
are those of the scene; y points up, the floor is y = 0, the camera stands on the side of positive
z and turns about the y axis. Objects are convex, so that they throw no shadow on themselves.

Only operations are used that IEEE 754 rounds exactly (no powers, no transcendental functions but
the camera's sine and cosine), so that machines agree on the result.
"""

from __future__ import annotations

import math

import numpy as np

from unweave._compiled import njit
from unweave.datasets.drawn._ray_hits import capsule_hit, cube_hit, cylinder_hit

__all__ = ["SIDE", "UNIT", "cast", "paint"]

SIDE = 64
UNIT = 65_536
"""What stands for 1 in the maps; 1 itself is kept as 65,535."""

SAMPLES = 4
"""Rays on a side of each pixel; also lamp points on a side of the lamp."""
DISTANCE, HEIGHT, TARGET = 4.5, 2.6, 0.85
"""Camera: distance from the axis, height, and height of the point of the axis it looks at."""
FIELD = 0.5
"""Tangent of half the field of view."""
WALL = 3.2
"""Distance of the back wall and the side walls from the axis."""
RADIUS = 0.72
"""Radius of the sphere at scale 1; the other shapes are measured in it."""
CUBE = 0.84
"""Half an edge of the cube, in radii."""
CYLINDER, CYLINDER_HEIGHT = 0.84, 1.8
CAPSULE, CAPSULE_HEIGHT = 0.62, 2.4

_LAMP = (1.6, 4.2, 3.2)
_LAMP_SIDE = 1.1
_ROOM_SKY, _ROOM_LAMP = 0.54, 0.62
_OBJECT_SKY, _OBJECT_LAMP = 0.48, 0.56
_GLOSS = 0.3
_HIDDEN = 0.8  # of the sky, the largest part that the object hides from the floor
_BOUNCED = 0.45  # of the light that a corner keeps away, the part that comes back from its walls


def cast(
    scale: np.ndarray, shape: np.ndarray, degrees: np.ndarray, *, lit: bool = True
) -> np.ndarray:
    """Maps (n, 4, 64, 64) uint16, in units of 1 / 65,536.

    Those of floor, wall and object are the share of the pixel that each covers, times its shade in
    [0, 1]; the last is the highlight of the object.

    Parameters
    ----------
    scale
        Size (n,) of the object relative to the middle one.
    shape
        0 for a cube, 1 for a cylinder, 2 for a sphere, 3 for a capsule (n,).
    degrees
        Azimuth (n,) of the camera.
    lit
        False for shade 1 everywhere and no highlight, so that the maps are the shares covered.
    """
    maps = np.zeros((len(scale), 4, SIDE, SIDE))
    for i in range(len(scale)):
        angle = math.radians(degrees[i])
        radius = RADIUS * scale[i]
        # Rounded, as math libraries differ in the last bits.
        sine, cosine = round(math.sin(angle), 12), round(math.cos(angle), 12)
        _cast(int(shape[i]), radius, sine, cosine, lit, maps[i])
    return np.minimum(np.rint(maps * UNIT), UNIT - 1).astype(np.uint16)


@njit(nogil=True)
def paint(maps, places, colours, pixels):  # pragma: no cover - compiled
    """Fill images (n, pixels, 3) uint8, one by one.

    Image i has the maps (m, 4, pixels) uint16 at ``places[i]``, and the colours (n, 3, 3) uint8
    of floor, wall and object.
    """
    half, white = np.uint32(UNIT // 2), np.uint32(255)
    for i in range(len(places)):
        floor, wall, thing, gloss = maps[places[i]]
        for channel in range(3):
            a = np.uint32(colours[i, 0, channel])
            b = np.uint32(colours[i, 1, channel])
            c = np.uint32(colours[i, 2, channel])
            for p in range(pixels.shape[1]):
                total = a * floor[p] + b * wall[p] + c * thing[p] + white * gloss[p] + half
                pixels[i, p, channel] = min(total // np.uint32(UNIT), white)


@njit(nogil=True, error_model="numpy")
def _cast(shape, radius, sine, cosine, lit, maps):  # pragma: no cover - compiled
    """Add what each ray sees to its pixel."""
    eye = (DISTANCE * sine, HEIGHT, DISTANCE * cosine)
    # The camera's axes: forward, right and down.
    length = math.sqrt(DISTANCE**2 + (HEIGHT - TARGET) ** 2)
    level, fall = DISTANCE / length, (HEIGHT - TARGET) / length
    forward = (-level * sine, -fall, -level * cosine)
    right = (cosine, 0.0, -sine)
    down = (fall * sine, -level, fall * cosine)
    step = 2 * FIELD / (SIDE * SAMPLES)
    share = 1 / SAMPLES**2
    for row in range(SIDE * SAMPLES):
        v = (row + 0.5) * step - FIELD
        for column in range(SIDE * SAMPLES):
            u = (column + 0.5) * step - FIELD
            x = forward[0] + u * right[0] + v * down[0]
            y = forward[1] + u * right[1] + v * down[1]
            z = forward[2] + u * right[2] + v * down[2]
            norm = math.sqrt(x * x + y * y + z * z)
            ray = (x / norm, y / norm, z / norm)
            r, c = row // SAMPLES, column // SAMPLES
            distance, normal = _object_hit(shape, radius, eye, ray)
            if distance < math.inf:
                part = 2
                shade, gloss = _object_shade(eye, ray, distance, normal) if lit else (1.0, 0.0)
                maps[3, r, c] += share * gloss
            else:
                part, point, normal = _room_hit(eye, ray)
                group = (row + 2 * column) % SAMPLES
                shade = _room_shade(shape, radius, point, normal, group) if lit else 1.0
            maps[part, r, c] += share * shade


@njit(nogil=True, error_model="numpy")
def _object_hit(shape, radius, start, ray):  # pragma: no cover - compiled
    """Distance along the ray, infinite for a miss, and the normal there."""
    if shape == 0:
        return cube_hit(CUBE * radius, start, ray)
    if shape == 1:
        return cylinder_hit(CYLINDER * radius, CYLINDER_HEIGHT * radius, start, ray)
    if shape == 2:
        return capsule_hit(radius, 2 * radius, start, ray)
    return capsule_hit(CAPSULE * radius, CAPSULE_HEIGHT * radius, start, ray)


@njit(nogil=True, error_model="numpy")
def _room_hit(start, ray):  # pragma: no cover - compiled
    """The part that is hit (0 the floor, 1 a wall), the point, and the normal."""
    floor = -start[1] / ray[1] if ray[1] < 0 else math.inf
    back = (-WALL - start[2]) / ray[2] if ray[2] < 0 else math.inf
    towards = 1.0 if ray[0] > 0 else -1.0
    side = (towards * WALL - start[0]) / ray[0] if ray[0] != 0 else math.inf
    distance = min(floor, back, side)
    point = (
        start[0] + distance * ray[0],
        start[1] + distance * ray[1],
        start[2] + distance * ray[2],
    )
    if distance == floor:
        return 0, point, (0.0, 1.0, 0.0)
    if distance == back:
        return 1, point, (0.0, 0.0, 1.0)
    return 1, point, (-towards, 0.0, 0.0)


@njit(nogil=True, error_model="numpy")
def _to_lamp(point, east, south):  # pragma: no cover - compiled
    """Direction to the lamp's point at offsets ``east`` and ``south`` of its middle."""
    x = _LAMP[0] + east - point[0]
    y = _LAMP[1] - point[1]
    z = _LAMP[2] + south - point[2]
    norm = math.sqrt(x * x + y * y + z * z)
    return x / norm, y / norm, z / norm


@njit(nogil=True, error_model="numpy")
def _object_shade(eye, ray, distance, normal):  # pragma: no cover - compiled
    """Shade and highlight of a point of the object."""
    point = (
        eye[0] + distance * ray[0],
        eye[1] + distance * ray[1],
        eye[2] + distance * ray[2],
    )
    lamp = _to_lamp(point, 0.0, 0.0)
    facing = lamp[0] * normal[0] + lamp[1] * normal[1] + lamp[2] * normal[2]
    sky = _OBJECT_SKY * (0.8 + 0.2 * normal[1])
    if facing <= 0:
        return sky, 0.0
    # Blinn's highlight, to the power of 40.
    x, y, z = lamp[0] - ray[0], lamp[1] - ray[1], lamp[2] - ray[2]
    half = (x * normal[0] + y * normal[1] + z * normal[2]) / math.sqrt(x * x + y * y + z * z)
    eighth = half * half
    eighth = eighth * eighth
    eighth = eighth * eighth
    gloss = eighth * eighth
    gloss = gloss * gloss * eighth
    return min(sky + _OBJECT_LAMP * facing, 1.0), _GLOSS * gloss


@njit(nogil=True, error_model="numpy")
def _room_shade(shape, radius, point, normal, group):  # pragma: no cover - compiled
    """Shade of a point of floor or wall."""
    lamp = _to_lamp(point, 0.0, 0.0)
    facing = max(lamp[0] * normal[0] + lamp[1] * normal[1] + lamp[2] * normal[2], 0.0)
    # Light of the sky, less what the walls and the object keep away.
    if normal[1] > 0:
        kept = _strip(point[2] + WALL, 2 * WALL)
        kept += _strip(WALL - point[0], 2 * WALL) + _strip(WALL + point[0], 2 * WALL)
        x, y, z = point[0], radius, point[2]
        square = x * x + y * y + z * z
        open_sky = 1 - _HIDDEN * radius * radius * y / (square * math.sqrt(square))
    else:
        kept = _strip(point[1], 2 * WALL)
        along = point[2] + WALL if normal[0] != 0 else WALL - abs(point[0])
        kept += _strip(along, 2 * WALL)
        open_sky = 1.0
    sky = _ROOM_SKY * open_sky * (1 - (1 - _BOUNCED) * kept)
    return min(sky + _ROOM_LAMP * facing * _visible(shape, radius, point, group), 1.0)


@njit(nogil=True, error_model="numpy")
def _strip(distance, width):  # pragma: no cover - compiled
    """Share of the light of a half-space that an endless strip at right angles keeps away."""
    return 0.5 * (1 - distance / math.sqrt(distance * distance + width * width))


@njit(nogil=True, error_model="numpy")
def _visible(shape, radius, point, group):  # pragma: no cover - compiled
    """Share of a group of points of the lamp that the object does not hide.

    Groups have a point in each row and column of a square grid, and make up the grid together.
    """
    # Cheap first: every shape lies within 1.6 radii of a point at the height of one radius.
    lamp = _to_lamp(point, 0.0, 0.0)
    x, y, z = -point[0], radius - point[1], -point[2]
    along = x * lamp[0] + y * lamp[1] + z * lamp[2]
    reach = 1.6 * radius + _LAMP_SIDE
    if x * x + y * y + z * z - along * along > reach * reach:
        return 1.0
    seen = 0
    for i in range(SAMPLES):
        j = (2 * i + i // 2 + group) % SAMPLES
        east = ((i + 0.5) / SAMPLES - 0.5) * _LAMP_SIDE
        south = ((j + 0.5) / SAMPLES - 0.5) * _LAMP_SIDE
        distance, _ = _object_hit(shape, radius, point, _to_lamp(point, east, south))
        seen += distance == math.inf
    return seen / SAMPLES
