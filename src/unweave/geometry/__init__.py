"""Discover factor manifolds by geometry alone (GEOMANCER)."""

from unweave.geometry.dimension import intrinsic_dimension
from unweave.geometry.geomancer import Geomancer
from unweave.geometry.tangent import pca_tangents, quadratic_tangents

__all__ = ["Geomancer", "intrinsic_dimension", "pca_tangents", "quadratic_tangents"]
