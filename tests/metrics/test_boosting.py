"""Single trees against scikit-learn's.

Where several features part the rows of a node alike, either may be chosen: what is compared is the
parts.
"""

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

from unweave.metrics._boosting import DEPTH, _fill, _grow, _memory, _roots, _sorted, _Tree


def tree_of(features, residual):
    """Features, thresholds and importance of our tree."""
    n_features, n = features.shape
    columns = _sorted(features)
    n_edges = columns.edges.shape[1]
    left = np.empty((n_features, n_edges, 1))
    (root,), (threshold,), (gain,) = _roots(columns, residual[:, None], left)
    work = _memory(n_edges, n_features, n)
    _fill(left[:, :, 0], work.sums[0])
    _fill(columns.edges, work.counts[0])
    tree = _Tree(
        np.full(2**DEPTH - 1, root),
        np.full(2**DEPTH - 1, threshold, dtype=np.float32),
        np.zeros(n_features),
        np.empty(n, dtype=np.int32),
        np.empty(n, dtype=np.uint8),
        np.zeros(2 ** (DEPTH + 1) - 1),
    )
    tree.importance[root] += gain / n
    own = np.flatnonzero(residual > 0).astype(np.int32)
    _grow(features, columns, residual, own, work, tree)
    return tree


@pytest.mark.parametrize("n", [40, 1_500])
@pytest.mark.parametrize(
    "kind", ["continuous", "levels", "nearly equal", "constant", "rare", "wide"]
)
def test_a_tree_parts_rows_as_that_of_scikit_learn(rng, n, kind):
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
