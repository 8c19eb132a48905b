"""GEOMANCER (Pfau et al. 2020): split a manifold into its factors by its geometry alone."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils._set_output import _get_output_config  # there is no public way to ask
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from unweave._check import check_choice, check_positive
from unweave._parallel import n_cores
from unweave._tables import plain
from unweave.geometry._block import BLOCK
from unweave.geometry._inputs import check_bases
from unweave.geometry.connection import parallel_transport
from unweave.geometry.dimension import RATIOS, Dimension, estimate_dimension
from unweave.geometry.eigen import largest_gap, smaller_than, smallest_eigenpairs
from unweave.geometry.factors import (
    Split,
    filled_space,
    merged,
    one_factor,
    split_tensors,
)
from unweave.geometry.graph import Graph, nearest_neighbours, neighbour_graph, spatial_order
from unweave.geometry.laplacian import ConnectionLaplacian
from unweave.geometry.multilevel import coarse_fields
from unweave.geometry.near_duplicates import merged_rows
from unweave.geometry.tangent import (
    graph_tangents,
    n_coefficients,
    pca_tangents,
    quadratic_neighbourhood,
    quadratic_tangents,
)

__all__ = ["Geomancer"]

_LEAST_NEIGHBORS = 6  # fewer leave curves and surfaces in pieces
_TANGENTS = ("quadratic", "pca")
_RANKED = 2000  # points
_LEVEL = 1e-7  # of the largest singular value: a direction in which points do not differ
_UNCLEAR = 0.3  # of a dimension, between an estimate and the nearest whole number


class Geomancer(TransformerMixin, BaseEstimator):
    r"""Subspaces of the tangent space, one for each factor of a product manifold.

    On a product of manifolds that are not flat, a tangent vector of one factor stays in it however
    it is carried along the manifold. The projections onto the factors are thus fields of symmetric
    tensors that parallel transport leaves alone, and span the kernel of the connection Laplacian on
    such tensors: on tensors without a trace it has one zero eigenvalue fewer than there are
    factors, and its eigenvectors, made diagonal together, tell which direction belongs to which
    factor. Flat factors (for example two circles) cannot be separated: they are one factor.

    Parameters
    ----------
    n_dims
        Dimensions of the manifold; None to estimate them.
    n_neighbors
        Neighbours in the graph; None for twice the dimensions, and six at least.
    tangent
        ``quadratic`` fits curvature away; ``pca``, of the paper, sees it as a tilt.
    n_tangent_neighbors
        Neighbours that a quadratic fit sees; None for 1.7 times its unknowns. More neighbours
        average out noise but add bias from higher-order curvature.
    n_factors
        ``gap``, to count the eigenvalues below the largest gap, or a number.
    gamma
        Count the eigenvalues below this number instead.
    normalised
        Divide the Laplacian by the numbers of neighbours, which takes fewer steps to solve.
    whole_spectrum
        Solve for all eight eigenvalues, not only for what the factors need.
    random_state
        Seed of the eigensolver's start and of the clustering.

    Attributes
    ----------
    subspaces_
        For each factor, smallest first, orthonormal bases (samples, features, dims).
    dims_
        Dimensions of the factors.
    n_factors_
        How many there are. 1 where none were found: all dimensions are one block, a warning says
        why, and ``confidence_`` is below 0.35.
    n_flat_dims_
        Dimensions of a flat factor of more than one dimension, which may be a product of flat
        factors; 0 if there is none. If all is flat, ``confidence_`` is 0.
    eigenvalues_
        The eight smallest of the connection Laplacian, on tensors without a trace.
    gap_
        Eigenvalue above the largest gap less that below it.
    confidence_
        One minus their ratio, in [0, 1]. Below 0.55 a warning says that the factors may
        be wrong, below 0.35 they are given as one. 0 if the points contradict the dimensions used.
    labels_
        Factor (samples, dims) of each axis of ``axes_`` (samples, features, dims).
    n_dims_
        Dimensions that were used.
    dimension_, dimension_error_
        An estimate of the dimension (:func:`intrinsic_dimension`) and its standard error; nan, with
        a warning, if ``n_dims`` or tangents are given and there is none.
    seconds_
        Time of each stage.

    References
    ----------
    Pfau et al. (2020), https://arxiv.org/abs/2006.12982, algorithm 1.

    >>> from unweave.datasets.manifolds import parse_manifold
    >>> points = parse_manifold("S^2 x S^2").sample(1000, random_state=0).points
    >>> Geomancer(n_dims=4, random_state=0).fit(points).dims_.tolist()
    [2, 2]
    """

    def __init__(
        self,
        n_dims=None,
        *,
        n_neighbors=None,
        tangent="quadratic",
        n_tangent_neighbors=None,
        n_factors="gap",
        gamma=None,
        normalised=True,
        whole_spectrum=False,
        random_state=None,
    ):
        self.n_dims = n_dims
        self.n_neighbors = n_neighbors
        self.tangent = tangent
        self.n_tangent_neighbors = n_tangent_neighbors
        self.n_factors = n_factors
        self.gamma = gamma
        self.normalised = normalised
        self.whole_spectrum = whole_spectrum
        self.random_state = random_state

    @classmethod
    def reference(cls, n_dims=None, *, random_state=None) -> Geomancer:
        """The settings of the paper: tangents by PCA, the Laplacian as it is.

        The basis of the symmetric matrices stays orthonormal and the clustering that of all points
        together: those of the authors' code are not right for factors of three and more dimensions.
        """
        return cls(
            n_dims,
            tangent="pca",
            normalised=False,
            whole_spectrum=True,
            random_state=random_state,
        )

    def fit(self, X, y=None, *, tangents=None):
        """Split the tangent space at each row of X into one subspace per factor manifold.

        Rows that are repeated, exactly or within 1e-8 of the points' spread, count once. Known
        tangent spaces, as spans (samples, features, dims), take the place of fitted ones.

        Raises
        ------
        ValueError
            If the points cannot be used, or are too few, or ``n_dims`` is None and the dimension
            cannot be estimated.
        """
        check_choice("tangent", self.tangent, _TANGENTS)
        X = validate_data(self, plain(X, "points"), dtype=np.float64, ensure_min_samples=3)
        state = check_random_state(self.random_state)
        given = None if tangents is None else _orthonormal(tangents, X)
        self.seconds_: dict[str, float] = {}

        with self._timed("neighbours"):
            # Each point once, in an order in which neighbours are close in memory as well.
            kept, places = merged_rows(X)
            order = spatial_order(X[kept])
            rows, back = kept[order], np.argsort(order)[places]
            points = X[rows]
            k, estimate = self._dimensions(points, given)
            self.n_dims_, rule = k, self._rule(k)
            n_graph, n_fitted = self._neighbours(points, k), self._fitted_to(k)
            near = nearest_neighbours(points, min(max(n_graph, n_fitted, RATIOS), len(points) - 1))
            graph = neighbour_graph(near[:, :n_graph])
            estimate = estimate_dimension(points, near) if estimate is None else estimate
            trusted = self._check_dimension(estimate)
        with self._timed("tangents"):
            # (n, features, k)
            bases = self._tangents(points, near, graph) if given is None else given[rows]
        with self._timed("connection"):
            transport = parallel_transport(bases, graph.edges)  # (edges, k, k), orthogonal
        rng = np.random.default_rng(state.randint(2**31))
        split = self._split(points, bases, transport, graph, n_graph, rule, rng)
        for remark in split.remarks:
            warnings.warn(remark.text, remark.category, stacklevel=2)

        self._X, self.labels_ = X, split.labels[back]
        self.axes_ = (bases @ split.axes)[back]
        sorting = np.argsort(self.labels_, axis=1, kind="stable")
        by_factor = np.take_along_axis(self.axes_, sorting[:, None, :], axis=2)
        self.subspaces_ = np.split(by_factor, np.cumsum(split.dims)[:-1], axis=2)
        self.dims_, self.n_factors_ = split.dims, len(split.dims)
        self.n_flat_dims_ = split.n_flat
        self.eigenvalues_, self.gap_ = split.eigenvalues, split.gap
        # The spectrum knows nothing of a wrong dimension, unless tangents were fitted to it.
        self.confidence_ = split.confidence if trusted or given is not None else 0.0
        return self

    def transform(self, X):
        """Axes of the nearest fitted point, factor by factor.

        Returns
        -------
        axes
            (samples, features, dims), or after ``set_output(transform="pandas")`` (or "polars") a
            frame of a row for each sample and a column for each feature of each axis.
        """
        check_is_fitted(self)
        X = validate_data(self, plain(X, "points"), dtype=np.float64, reset=False)
        from scipy.spatial import cKDTree

        nearest = cKDTree(self._X).query(X, workers=n_cores())[1]
        axes = np.concatenate(self.subspaces_, axis=2)[nearest]
        if _get_output_config("transform", self)["dense"] == "default":
            return axes
        return axes.transpose(0, 2, 1).reshape(len(X), -1)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of a frame: axis after axis, each with all features.

        Factors and their axes are counted from 0: ``factor1_axis0_x2`` is feature ``x2`` of the
        first axis of the second factor.
        """
        check_is_fitted(self)
        features = _check_feature_names_in(self, input_features)
        axes = [f"factor{f}_axis{a}" for f, dim in enumerate(self.dims_) for a in range(dim)]
        return np.array([f"{axis}_{name}" for axis in axes for name in features], dtype=object)

    def _tangents(self, points: np.ndarray, near: np.ndarray, graph: Graph) -> np.ndarray:
        k = self.n_dims_
        if self.tangent == "pca":
            return graph_tangents(points, graph, k)
        # A start for the fit may well see more than the graph joins.
        start = pca_tangents(points, near[:, : max(3 * k, 2)], k)
        if near.shape[1] < self._fitted_to(k):
            warnings.warn(
                f"{near.shape[1]} neighbours are too few for a quadratic fit in {k} dimensions, "
                f"which wants {self._fitted_to(k)}: tangents are those of tangent='pca'",
                stacklevel=3,
            )
            return graph_tangents(points, graph, k)
        return quadratic_tangents(points, near[:, : self._fitted_to(k)], start)

    def _split(self, points, bases, transport, graph: Graph, n_graph: int, rule, rng) -> Split:
        """Factors of the frames of all points; parts that no edge joins are split one by one."""
        k = transport.shape[1]
        if k == 1:  # there is no tensor without a trace
            return one_factor(graph.n, 1, np.zeros(0), 0.0)
        if k == _rank(points):
            return filled_space(graph.n, k)
        parts, splits = graph.parts(), []
        for rows, edges, part in parts:
            with self._timed("eigenvectors"):
                fields = coarse_fields(points[rows], bases[rows], n_graph, rule, rng)
                laplacian = ConnectionLaplacian(transport[edges], part, normalised=self.normalised)
                spectrum = smallest_eigenpairs(
                    laplacian,
                    rule,
                    whole=self.whole_spectrum,
                    start=None if fields is None else laplacian.vectors(fields),
                    random_state=rng,
                )
            with self._timed("factors"):
                fields = laplacian.fields(spectrum.vectors[..., : max(spectrum.n_below_gap, 1)])
                by_gap = isinstance(self.n_factors, str) and self.gamma is None
                splits.append(split_tensors(fields, spectrum, rng, may_be_one=by_gap))
        return merged([rows for rows, _, _ in parts], splits)

    def _dimensions(
        self, points: np.ndarray, given: np.ndarray | None
    ) -> tuple[int, Dimension | None]:
        """Dimensions to use, and the estimate if one was needed for that."""
        if given is not None:
            if self.n_dims not in (None, given.shape[2]):
                raise ValueError(
                    f"tangents have {given.shape[2]} dimensions, and n_dims={self.n_dims}"
                )
            return given.shape[2], None
        if self.n_dims is None:
            estimate = estimate_dimension(points)
            if estimate.problem:
                raise ValueError(estimate.problem)
            found, k = estimate.value, estimate.whole
            if abs(found - np.rint(found)) > _UNCLEAR:
                warnings.warn(
                    f"the estimate of the dimension is {found:.2f} (standard error "
                    f"{estimate.error:.2f}), between two numbers: {k} is used; give n_dims if you "
                    "know it",
                    stacklevel=3,
                )
            return k, estimate
        asked = check_positive("n_dims", self.n_dims)
        if asked > points.shape[1]:
            raise ValueError(
                f"n_dims={asked} is more than the {points.shape[1]} features: a manifold has no "
                "more dimensions than the space around it"
            )
        return asked, None

    def _check_dimension(self, estimate: Dimension) -> bool:
        """Keep the estimate of the dimension, and say so where it is not that in use."""
        self.dimension_, self.dimension_error_ = estimate.value, estimate.error
        k = self.n_dims_
        if estimate.problem:
            warnings.warn(f"n_dims={k} is not checked: {estimate.problem}", stacklevel=3)
        if estimate.contradicts(k):
            warnings.warn(
                f"nearest neighbours look like those of a manifold of {estimate.value:.1f} "
                f"dimensions, and n_dims={k}: another n_dims may be right, or noise hides the "
                "manifold",
                stacklevel=3,
            )
        return not estimate.contradicts(k)

    def _rule(self, k: int) -> Callable[[np.ndarray], int]:
        """How many eigenvalues are of parallel tensors, one fewer than the factors."""
        if self.gamma is not None:
            if not np.isfinite(self.gamma) or self.gamma <= 0:
                raise ValueError(f"gamma is a bound on eigenvalues above 0, not {self.gamma}")
            return smaller_than(self.gamma)
        if isinstance(self.n_factors, str):
            check_choice("way to count factors", self.n_factors, ("gap",))
            return largest_gap(k)
        asked = check_positive("n_factors", self.n_factors)
        if asked > min(k, BLOCK):
            raise ValueError(
                f"n_factors={asked} is more than {k} dimensions can have, or than the {BLOCK} that "
                "are looked for"
            )
        return lambda values: asked - 1

    def _neighbours(self, points: np.ndarray, k: int) -> int:
        asked = max(2 * k, _LEAST_NEIGHBORS) if self.n_neighbors is None else self.n_neighbors
        asked = check_positive("n_neighbors", asked)
        if self.n_neighbors is not None and asked < k:
            raise ValueError(f"n_neighbors={asked} cannot span a tangent space of {k} dimensions")
        if self.n_neighbors is not None and asked >= len(points) > max(k, 2):
            raise ValueError(
                f"n_neighbors={asked} is more than the {len(points) - 1} other points that each "
                "has: ask for fewer, or give more points"
            )
        if len(points) <= max(k, 2):
            raise ValueError(
                f"{len(points)} sample(s) cannot span tangent spaces of {k} dimensions: give more "
                "points, no point twice"
            )
        return min(int(asked), len(points) - 1)

    def _fitted_to(self, k: int) -> int:
        """Neighbours that tangents are fitted to."""
        if self.tangent == "pca":
            return 0
        if self.n_tangent_neighbors is None:
            return max(3 * k, quadratic_neighbourhood(k))
        return check_positive(
            "n_tangent_neighbors", self.n_tangent_neighbors, minimum=n_coefficients(k)
        )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds_[stage] = self.seconds_.get(stage, 0.0) + time.perf_counter() - start


def _rank(points: np.ndarray) -> int:
    """Dimensions of the smallest hyperplane that holds all points, by 2,000 of them."""
    sample = points[:: max(1, len(points) // _RANKED)]
    return int(np.linalg.matrix_rank(sample - sample.mean(axis=0), rtol=_LEVEL))


def _orthonormal(tangents, X: np.ndarray) -> np.ndarray:
    """Orthonormal bases of given spans (samples, features, dims)."""
    tangents = check_bases(tangents)
    if tangents.shape[:2] != X.shape:
        raise ValueError(
            f"tangents must be (samples, features, dims) with {X.shape} as the first two, "
            f"not {tangents.shape}"
        )
    bases, upper = np.linalg.qr(tangents)
    sizes = np.abs(np.einsum("nkk->nk", upper))
    if (sizes.min(axis=1) <= 1e-9 * sizes.max(axis=1)).any():
        raise ValueError("tangents do not span as many dimensions at every sample as they have")
    return bases
