"""Gradient-boosted trees for classification, compiled: scikit-learn's algorithm, exactly.

Boosting of Friedman (2001, https://doi.org/10.1214/aos/1013203451) with the multinomial deviance:
in each round a regression tree of depth 3 for each class, fitted to the residuals by exact search
over all splits. Same splits as `sklearn.ensemble.GradientBoostingClassifier` with its defaults but
where two splits are equally good.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["boost"]

DEPTH = 3
RATE = 0.1
ROUNDS = 100
_SAME = 1e-7  # values nearer to each other than this are not split


@njit(cache=True, nogil=True)
def boost(train, labels, n_classes, test):  # pragma: no cover - compiled
    """Importance of each feature, and the classes that are predicted for the rows of ``test``.

    ``train`` (features, samples) float32, ``labels`` (samples,) from 0 to ``n_classes`` - 1,
    ``test`` (features, rows) float32.
    """
    n_features, n = train.shape
    n_trees = 1 if n_classes == 2 else n_classes
    order = np.empty((n_features, n), dtype=np.int32)
    values = np.empty((n_features, n), dtype=np.float32)
    for f in range(n_features):
        order[f] = np.argsort(train[f])
        values[f] = train[f][order[f]]
    prior = np.zeros(n_classes)
    for c in labels:
        prior[c] += 1.0 / n
    raw = np.empty((n_trees, n))
    raw_test = np.empty((n_trees, test.shape[1]))
    for k in range(n_trees):
        start = np.log(prior[1] / prior[0]) if n_classes == 2 else np.log(prior[k])
        raw[k] = start
        raw_test[k] = start
    importance = np.zeros(n_features)
    residuals = np.empty((n_trees, n))
    features = np.empty(2**DEPTH - 1, dtype=np.int64)
    thresholds = np.empty(2**DEPTH - 1, dtype=np.float32)
    leaf = np.empty(n, dtype=np.int32)
    for _ in range(ROUNDS):
        _residuals(raw, labels, n_classes, residuals)
        for k in range(n_trees):
            residual = residuals[k]
            _grow(train, order, values, residual, features, thresholds, leaf, importance)
            steps = _leaf_steps(residual, labels, leaf, n_classes)
            for i in range(n):
                raw[k, i] += RATE * steps[leaf[i]]
            for i in range(test.shape[1]):
                node = 0
                while node < len(features):
                    below = features[node] < 0 or test[features[node], i] <= thresholds[node]
                    node = 2 * node + (1 if below else 2)
                raw_test[k, i] += RATE * steps[node - len(features)]
    predicted = np.empty(test.shape[1], dtype=np.int64)
    for i in range(test.shape[1]):
        predicted[i] = raw_test[0, i] > 0 if n_classes == 2 else np.argmax(raw_test[:, i])
    total = importance.sum()
    return importance / total if total > 0 else importance, predicted


@njit(cache=True, nogil=True)
def _residuals(raw, labels, n_classes, residuals):  # pragma: no cover - compiled
    n = raw.shape[1]
    if n_classes == 2:
        for i in range(n):
            residuals[0, i] = labels[i] - 1.0 / (1.0 + np.exp(-raw[0, i]))
        return
    for i in range(n):
        top = raw[0, i]
        for k in range(1, n_classes):
            top = max(top, raw[k, i])
        total = 0.0
        for k in range(n_classes):
            residuals[k, i] = np.exp(raw[k, i] - top)
            total += residuals[k, i]
        for k in range(n_classes):
            residuals[k, i] = (1.0 if labels[i] == k else 0.0) - residuals[k, i] / total


@njit(cache=True, nogil=True)
def _grow(train, order, values, residual, features, thresholds, leaf, importance):
    """Fill ``features`` and ``thresholds`` of a whole tree, node by node, and each row's ``leaf``.

    The children of node i are 2 i + 1 and 2 i + 2; a feature of -1 stands for no split, after
    which all rows go to the first child.
    """
    n_features, n = order.shape
    node = np.zeros(n, dtype=np.int32)
    for depth in range(DEPTH):
        first, width = 2**depth - 1, 2**depth
        counts, sums, squares = np.zeros(width), np.zeros(width), np.zeros(width)
        for i in range(n):
            at = node[i]
            counts[at] += 1
            sums[at] += residual[i]
            squares[at] += residual[i] * residual[i]
        best = np.zeros(width)
        for at in range(width):
            features[first + at] = -1
            # A node that is pure up to rounding is not split.
            if counts[at] < 2 or squares[at] - sums[at] ** 2 / counts[at] <= 2.3e-16 * counts[at]:
                best[at] = np.inf
        left_counts, left_sums = np.empty(width), np.empty(width)
        last = np.empty(width, dtype=np.float32)
        for f in range(n_features):
            left_counts[:] = 0
            left_sums[:] = 0
            row_order, row_values = order[f], values[f]
            for p in range(n):
                row = row_order[p]
                at = node[row]
                seen = left_counts[at]
                value = row_values[p]
                if seen > 0 and value > last[at] + np.float32(_SAME):
                    right = counts[at] - seen
                    difference = left_sums[at] * right - (sums[at] - left_sums[at]) * seen
                    gain = difference * difference / (seen * right)
                    if gain > best[at]:
                        best[at] = gain
                        features[first + at] = f
                        middle = last[at] / np.float32(2) + value / np.float32(2)
                        thresholds[first + at] = middle if middle < value else last[at]
                left_counts[at] = seen + 1
                left_sums[at] += residual[row]
                last[at] = value
        for at in range(width):
            f = features[first + at]
            if f >= 0:
                importance[f] += best[at] / counts[at]
        for i in range(n):
            at = node[i]
            f = features[first + at]
            below = f < 0 or train[f, i] <= thresholds[first + at]
            node[i] = 2 * at + (0 if below else 1)
    leaf[:] = node


@njit(cache=True, nogil=True)
def _leaf_steps(residual, labels, leaf, n_classes):  # pragma: no cover - compiled
    """One Newton step of the deviance for each leaf."""
    numerator, denominator = np.zeros(2**DEPTH), np.zeros(2**DEPTH)
    for i in range(len(residual)):
        r = abs(residual[i])
        numerator[leaf[i]] += residual[i]
        denominator[leaf[i]] += r * (1 - r)
    steps = np.zeros(2**DEPTH)
    for at in range(2**DEPTH):
        if denominator[at] > 1e-150:
            steps[at] = numerator[at] / denominator[at]
            if n_classes > 2:
                steps[at] *= (n_classes - 1) / n_classes
    return steps
