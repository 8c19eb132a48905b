"""Discover factor manifolds by geometry alone (GEOMANCER)."""

from unweave.geometry.dimension import intrinsic_dimension
from unweave.geometry.geomancer import Geomancer
from unweave.geometry.holonomy import holonomy, rotation_angles, spherical_area, transport
from unweave.geometry.tangent import pca_tangents, quadratic_tangents
from unweave.geometry.walk import ManifoldWalker

__all__ = [
    "Geomancer",
    "ManifoldWalker",
    "holonomy",
    "intrinsic_dimension",
    "pca_tangents",
    "quadratic_tangents",
    "rotation_angles",
    "spherical_area",
    "transport",
]
