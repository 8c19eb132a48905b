"""Products of manifolds with known tangent spaces: points to discover factors from."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unweave._check import check_positive

__all__ = [
    "Manifold",
    "ManifoldSample",
    "ProductManifold",
    "RealProjectiveSpace",
    "Rotations",
    "Saddle",
    "Sphere",
    "Stiefel",
    "parse_manifold",
]


@dataclass(frozen=True)
class ManifoldSample:
    """Points of a product, and the true tangent space of each factor at each point."""

    points: np.ndarray
    """(n, ambient dimensions)"""
    tangents: tuple[np.ndarray, ...]
    """For each factor an orthonormal basis (n, ambient dimensions, dimensions)."""
    names: tuple[str, ...]

    @property
    def dims(self) -> tuple[int, ...]:
        """Dimensions of the factors."""
        return tuple(basis.shape[2] for basis in self.tangents)


class Manifold(ABC):
    """One factor: a manifold in a Euclidean space."""

    name: str
    dim: int
    ambient: int

    @abstractmethod
    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, ambient), uniform, and orthonormal tangent bases (n, ambient, dim)."""

    def __repr__(self) -> str:
        return self.name


class Sphere(Manifold):
    """The unit sphere S^d in d + 1 dimensions; S^1 is the circle, which is flat."""

    def __init__(self, dim: int) -> None:
        self.dim = check_positive("the dimension of a sphere", dim)
        self.ambient, self.name = dim + 1, f"S^{dim}"

    def sample(self, n, rng):  # noqa: D102 - as of Manifold
        points = rng.standard_normal((n, self.ambient))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        return points, _complement(points[:, :, None])


class Rotations(Manifold):
    """The rotations SO(d), as d by d matrices written in a row."""

    def __init__(self, size: int) -> None:
        self.size = check_positive("the size of rotations", size, minimum=2)
        self.dim, self.ambient, self.name = size * (size - 1) // 2, size**2, f"SO({size})"

    def sample(self, n, rng):  # noqa: D102 - as of Manifold
        rotations = _orthonormal(rng.standard_normal((n, self.size, self.size)))
        rotations[np.linalg.det(rotations) < 0, :, 0] *= -1
        tangents = np.stack([rotations @ a for a in _skew(self.size)], axis=-1)
        return rotations.reshape(n, -1), tangents.reshape(n, self.ambient, self.dim)


class RealProjectiveSpace(Manifold):
    """RP^d by the Veronese map x to x x^T: curved, and no quadric."""

    def __init__(self, dim: int) -> None:
        self.dim = check_positive("the dimension of a projective space", dim)
        self.ambient, self.name = (dim + 1) * (dim + 2) // 2, f"RP^{dim}"

    def sample(self, n, rng):  # noqa: D102 - as of Manifold
        x, tangents = Sphere(self.dim).sample(n, rng)
        moved = np.einsum("na,nbt->nabt", x, tangents)
        moved = (moved + moved.transpose(0, 2, 1, 3)) / np.sqrt(2)
        return _upper(x[:, :, None, None] * x[:, None, :, None])[..., 0], _upper(moved)


class Stiefel(Manifold):
    """V(d, p): p orthonormal vectors in d dimensions, as a d by p matrix written in a row."""

    def __init__(self, size: int, vectors: int) -> None:
        self.size = check_positive("the size of a Stiefel manifold", size, minimum=2)
        self.vectors = check_positive("the vectors of a Stiefel manifold", vectors)
        if vectors >= size:
            raise ValueError(f"V({size},{vectors}) must have fewer vectors than dimensions")
        self.dim = size * vectors - vectors * (vectors + 1) // 2
        self.ambient, self.name = size * vectors, f"V({size},{vectors})"

    def sample(self, n, rng):  # noqa: D102 - as of Manifold
        frames = _orthonormal(rng.standard_normal((n, self.size, self.vectors)))
        beyond = _complement(frames)
        within = [frames @ a for a in _skew(self.vectors)]
        units = np.eye(self.vectors)
        outside = [
            beyond[:, :, [a]] * units[b]
            for a in range(beyond.shape[2])
            for b in range(self.vectors)
        ]
        tangents = np.stack(within + outside, axis=-1)
        return frames.reshape(n, -1), tangents.reshape(n, self.ambient, self.dim)


class Saddle(Manifold):
    """A patch of the surface z = (x^2 - y^2) / 2: hyperbolic, with a boundary. H^2 when parsed."""

    dim, ambient, name = 2, 3, "H^2"

    def sample(self, n, rng):  # noqa: D102 - as of Manifold
        kept: list[np.ndarray] = []
        while sum(map(len, kept)) < n:
            xy = rng.uniform(-1, 1, (2 * n, 2))
            square = np.sum(xy**2, axis=1)
            # The surface over a patch of the plane is larger where it is steeper.
            kept.append(xy[(square < 1) & (rng.random(2 * n) < np.sqrt((1 + square) / 2))])
        x, y = np.concatenate(kept)[:n].T
        columns = np.zeros((n, 3, 2))
        columns[:, 0, 0] = columns[:, 1, 1] = 1
        columns[:, 2, 0], columns[:, 2, 1] = x, -y
        return np.stack([x, y, (x**2 - y**2) / 2], axis=1), _orthonormal(columns)


class ProductManifold:
    """A product of manifolds, each in ambient dimensions of its own.

    >>> sample = parse_manifold("S^2 x SO(3)").sample(5, random_state=0)
    >>> sample.points.shape, sample.dims
    ((5, 12), (2, 3))
    """

    def __init__(self, factors: Sequence[Manifold]) -> None:
        self.factors = tuple(factors)
        if not self.factors:
            raise ValueError("a product needs at least one manifold")
        self.dim = sum(factor.dim for factor in self.factors)
        self.ambient = sum(factor.ambient for factor in self.factors)

    def __repr__(self) -> str:
        return " x ".join(factor.name for factor in self.factors)

    def sample(
        self,
        n: int,
        *,
        random_state: int | np.random.Generator,
        noise: float = 0.0,
        rotate: bool = False,
        density: float = 0.0,
        condition: float = 1.0,
    ) -> ManifoldSample:
        """Points of the product, uniform by default, with the tangent space of each factor.

        Parameters
        ----------
        n
            How many points.
        random_state
            A seed, or the generator to draw from.
        noise
            Standard deviation of normal noise on each ambient coordinate.
        rotate
            Rotate the ambient space at random, so that no coordinate belongs to one factor.
        density
            Draw the points of each factor with a density proportional to exp(density x), x its
            first coordinate, in [-1, 1] on all factors known here. 0 is uniform.
        condition
            Condition number of a random linear map of the ambient space, at least 1. Above 1
            factors are not orthogonal any more, and their product is none of Riemannian manifolds.
        """
        check_positive("n", n)
        if not np.isfinite(noise) or noise < 0:
            raise ValueError(f"noise is a standard deviation of at least 0, not {noise}")
        if not np.isfinite(density):
            raise ValueError(f"density is a finite number, not {density}")
        if not np.isfinite(condition) or condition < 1:
            raise ValueError(f"condition is a condition number of at least 1, not {condition}")
        rng = np.random.default_rng(random_state)
        points, tangents, start = [], [], 0
        for factor in self.factors:
            own, basis = _dense(factor, n, density, rng)
            whole = np.zeros((n, self.ambient, factor.dim))
            whole[:, start : start + factor.ambient] = basis
            points.append(own)
            tangents.append(whole)
            start += factor.ambient
        together = np.concatenate(points, axis=1)
        if rotate:
            turn = _orthonormal(rng.standard_normal((1, self.ambient, self.ambient)))[0]
            together, tangents = together @ turn.T, [turn @ basis for basis in tangents]
        if condition > 1:
            left, right = _orthonormal(rng.standard_normal((2, self.ambient, self.ambient)))
            linear = left * np.geomspace(1, 1 / condition, self.ambient) @ right
            together = together @ linear.T
            tangents = [_orthonormal(linear @ basis) for basis in tangents]
        together = together + noise * rng.standard_normal(together.shape)
        return ManifoldSample(together, tuple(tangents), tuple(f.name for f in self.factors))


def _dense(factor: Manifold, n: int, density: float, rng: np.random.Generator):
    """Points and bases of a factor, thinned to a density proportional to exp(density x)."""
    if not density:
        return factor.sample(n, rng)
    points, bases, left = [], [], n
    while left > 0:
        own, basis = factor.sample(n, rng)
        kept = rng.random(n) < np.exp(density * own[:, 0] - abs(density))
        points.append(own[kept][:left])
        bases.append(basis[kept][:left])
        left -= len(points[-1])
    return np.concatenate(points), np.concatenate(bases)


_FACTOR = re.compile(
    r"S\^(?P<sphere>\d+)|SO\((?P<rotations>\d+)\)|RP\^(?P<projective>\d+)|H\^2"
    r"|V\((?P<size>\d+),\s*(?P<vectors>\d+)\)"
)


def parse_manifold(text: str) -> ProductManifold:
    """The product that ``text`` names, as "S^2 x S^4 x SO(3)".

    Factors are S^d, SO(d), RP^d (by the Veronese map), V(d,p) (Stiefel) and H^2 (a saddle).

    Raises
    ------
    ValueError
        If a factor is none of these.
    """
    factors: list[Manifold] = []
    for word in re.split(r"\s+x\s+|\s*×\s*", text.strip()):
        found = _FACTOR.fullmatch(word.strip())
        if found is None:
            raise ValueError(
                f"{word.strip()!r} in {text!r} is not a known manifold: write factors as S^2, "
                "SO(3), RP^2, V(4,2) or H^2, with ' x ' between them"
            )
        number = {key: int(value) for key, value in found.groupdict().items() if value}
        if "sphere" in number:
            factors.append(Sphere(number["sphere"]))
        elif "rotations" in number:
            factors.append(Rotations(number["rotations"]))
        elif "projective" in number:
            factors.append(RealProjectiveSpace(number["projective"]))
        elif "size" in number:
            factors.append(Stiefel(number["size"], number["vectors"]))
        else:
            factors.append(Saddle())
    return ProductManifold(factors)


def _orthonormal(matrices: np.ndarray) -> np.ndarray:
    """Orthonormal columns of the same spans; of normal matrices, uniformly distributed."""
    q, r = np.linalg.qr(matrices)
    return q * np.sign(np.einsum("nii->ni", r))[:, None, :]


def _complement(frames: np.ndarray) -> np.ndarray:
    """Orthonormal bases of what is orthogonal to orthonormal ``frames`` (n, d, p)."""
    return np.linalg.qr(frames, mode="complete")[0][:, :, frames.shape[2] :]


def _skew(size: int) -> list[np.ndarray]:
    """An orthonormal basis of the skew-symmetric matrices."""
    basis = []
    for a in range(size):
        for b in range(a):
            matrix = np.zeros((size, size))
            matrix[a, b], matrix[b, a] = np.sqrt(0.5), -np.sqrt(0.5)
            basis.append(matrix)
    return basis


def _upper(symmetric: np.ndarray) -> np.ndarray:
    """Symmetric matrices (n, d, d, ...) as rows (n, d (d + 1) / 2, ...) of the same lengths."""
    rows, columns = np.triu_indices(symmetric.shape[1])
    scale = np.where(rows == columns, 1.0, np.sqrt(2))
    return symmetric[:, rows, columns] * scale.reshape(-1, *[1] * (symmetric.ndim - 3))
