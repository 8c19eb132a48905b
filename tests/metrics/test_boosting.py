"""Single trees against scikit-learn's.

Where several features part the rows of a node alike, either may be chosen: what is compared is the
parts.
"""

import itertools

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

from unweave.metrics._boosting import (
    DEPTH,
    _grow,
    _least,
    _memory,
    _pack,
    _roots,
    _shift,
    _sorted,
    _Tree,
)


def tree_of(features, residual):
    """Features, thresholds and importance of our tree."""
    n_features, n = features.shape
    columns = _sorted(features)
    work = _memory(columns.edges.shape[1], n_features, n)
    units = np.empty(1)
    packed = np.empty((n, 1), dtype=np.int64)
    _pack(residual[:, None], _shift(n), packed, units)
    work.packed[:] = packed[:, 0]
    _roots(columns, packed, work.below[:1])
    tree = _Tree(
        np.empty(2**DEPTH - 1, dtype=np.int64),
        np.empty(2**DEPTH - 1, dtype=np.float32),
        np.zeros(n_features),
        np.empty(n, dtype=np.int32),
        np.empty(n, dtype=np.uint8),
        np.zeros(2 ** (DEPTH + 1) - 1),
    )
    own = np.flatnonzero(residual > 0).astype(np.int32)
    _grow(features, columns, residual, own, units[0], work, tree)
    return tree


KINDS = ["continuous", "levels", "nearly equal", "constant", "rare", "tiny beside one", "wide"]


@pytest.mark.parametrize(("kind", "n"), list(itertools.product(KINDS, [40, 1_500])))
def test_a_tree_parts_rows_as_that_of_scikit_learn(rng, kind, n):
    features = rng.standard_normal((37 if kind == "wide" else 6, n))
    residual = np.sin(2 * features[0]) * features[1] + 0.5 * rng.standard_normal(n)
    if kind == "levels":
        features = np.round(2 * features)
    if kind == "nearly equal":
        features *= 2e-5  # in thousands of rows most neighbours are less than 1e-7 apart
    if kind == "constant":
        features[2:] = 1.0
    if kind == "rare":
        residual = (rng.random(n) < 20 / n) - 0.02 + 1e-3 * residual
    if kind == "tiny beside one":
        residual *= 5e-8  # units of rounded residuals follow from the largest one
        residual[n // 2] = 1.0
    features = features.astype(np.float32)
    ours = tree_of(features, residual)
    model = DecisionTreeRegressor(max_depth=DEPTH, random_state=0).fit(features.T, residual)
    leaves = np.stack([ours.node, model.apply(features.T)], axis=1)
    assert len(np.unique(leaves, axis=0)) == len(np.unique(leaves[:, 0])) == model.get_n_leaves()
    importance = n * model.tree_.compute_feature_importances(normalize=False)
    assert ours.importance.sum() == pytest.approx(importance.sum())


def test_duplicates_of_a_feature_change_nothing(rng):
    features = rng.standard_normal((3, 800)).astype(np.float32)
    residual = (features[1] > 0.3) - 0.4 + 0.1 * rng.standard_normal(800)
    alone, doubled = tree_of(features, residual), tree_of(features[[0, 0, 1, 1, 2, 2]], residual)
    np.testing.assert_array_equal(doubled.features // 2, alone.features)
    np.testing.assert_array_equal(doubled.thresholds, alone.thresholds)
    np.testing.assert_array_equal(doubled.node, alone.node)


def test_the_best_split_is_among_those_that_rounding_leaves(rng):
    n, n_other = 40, 0
    below = np.arange(1, n)
    for _ in range(200):
        residual = rng.standard_normal(n)
        orders = rng.permuted(np.tile(np.arange(n), (20, 1)), axis=1)

        def gains(residual, orders=orders):
            left = residual[orders].cumsum(axis=1)[:, :-1]
            difference = n * left - residual.sum() * below
            return difference**2 / (below * (n - below))

        true, rounded = gains(residual), gains(np.rint(residual))
        n_other += true.argmax() != rounded.argmax()
        assert rounded.flat[true.argmax()] >= _least(rounded.max(), float(n))
    assert n_other > 20
