"""Gradient-boosted trees for classification, compiled: scikit-learn's algorithm, exactly.

Boosting of Friedman (2001, https://doi.org/10.1214/aos/1013203451) with the multinomial deviance:
in each round a regression tree of depth 3 for each class, fitted to the residuals by exact search
over all splits. Same splits as `sklearn.ensemble.GradientBoostingClassifier` with its defaults but
where two splits are equally good.
"""

from __future__ import annotations

import numpy as np

from unweave._compiled import njit

__all__ = ["boost"]

DEPTH = 3
RATE = 0.1
ROUNDS = 100
_PURE = 2.3e-16  # mean squared residual of a node that is not split: rounding
_BLOCK = 8
_SAME = 1e-7  # values nearer to each other than this are not split


@njit(nogil=True)
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
    n_blocks = (n_features + _BLOCK - 1) // _BLOCK
    blocked = np.zeros((n_blocks, n, _BLOCK), dtype=np.int32)
    blocked_values = np.zeros((n_blocks, n, _BLOCK), dtype=np.float32)
    for f in range(n_features):
        blocked[f // _BLOCK, :, f % _BLOCK] = order[f]
        blocked_values[f // _BLOCK, :, f % _BLOCK] = values[f]
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
    residuals = np.empty((n, n_trees))
    residual = np.empty(n)
    features = np.empty(2**DEPTH - 1, dtype=np.int64)
    thresholds = np.empty(2**DEPTH - 1, dtype=np.float32)
    leaf = np.empty(n, dtype=np.int32)
    for _ in range(ROUNDS):
        _residuals(raw, labels, n_classes, residuals)
        roots = _roots(order, values, residuals)
        for k in range(n_trees):
            residual[:] = residuals[:, k]
            features[0], thresholds[0] = roots[0][k], roots[1][k]
            if features[0] >= 0:
                importance[features[0]] += roots[2][k] / n
            _grow(train, blocked, blocked_values, residual, features, thresholds, leaf, importance)
            steps = _leaf_steps(residual, labels, leaf, n_classes)
            for i in range(n):
                raw[k, i] += RATE * steps[leaf[i]]
            _add_steps(test, features, thresholds, RATE * steps, raw_test[k])
    predicted = np.empty(test.shape[1], dtype=np.int64)
    for i in range(test.shape[1]):
        predicted[i] = raw_test[0, i] > 0 if n_classes == 2 else np.argmax(raw_test[:, i])
    total = importance.sum()
    return importance / total if total > 0 else importance, predicted


@njit(nogil=True)
def _residuals(raw, labels, n_classes, residuals):  # pragma: no cover - compiled
    n = raw.shape[1]
    if n_classes == 2:
        for i in range(n):
            residuals[i, 0] = labels[i] - 1.0 / (1.0 + np.exp(-raw[0, i]))
        return
    for i in range(n):
        top = raw[0, i]
        for k in range(1, n_classes):
            top = max(top, raw[k, i])
        total = 0.0
        for k in range(n_classes):
            residuals[i, k] = np.exp(raw[k, i] - top)
            total += residuals[i, k]
        for k in range(n_classes):
            residuals[i, k] = (1.0 if labels[i] == k else 0.0) - residuals[i, k] / total


@njit(nogil=True)
def _roots(order, values, residuals):  # pragma: no cover - compiled
    """Feature, threshold and gain (trees,) of the first split of each tree of a round.

    All trees start from the same rows, so that one walk along a feature serves them all at once.
    """
    n_features, n = order.shape
    n_trees = residuals.shape[1]
    sums, squares = np.zeros(n_trees), np.zeros(n_trees)
    for i in range(n):
        for k in range(n_trees):
            sums[k] += residuals[i, k]
            squares[k] += residuals[i, k] * residuals[i, k]
    gains, places = np.zeros(n_trees), np.full(n_trees, -1)
    for k in range(n_trees):
        if squares[k] - sums[k] ** 2 / n <= _PURE * n:
            gains[k] = np.inf
    left = np.empty(n_trees)
    for f in range(n_features):
        left[:] = 0
        for p in range(n):
            if p > 0 and values[f, p] > values[f, p - 1] + np.float32(_SAME):
                share = 1.0 / (p * (n - p))
                place = f * n + p
                for k in range(n_trees):
                    difference = left[k] * (n - p) - (sums[k] - left[k]) * p
                    gain = difference * difference * share
                    better = gain > gains[k]
                    gains[k] = gain if better else gains[k]
                    places[k] = place if better else places[k]
            row = order[f, p]
            for k in range(n_trees):
                left[k] += residuals[row, k]
    features = np.full(n_trees, -1)
    thresholds = np.zeros(n_trees, dtype=np.float32)
    for k in range(n_trees):
        if places[k] >= 0:
            f, p = places[k] // n, places[k] % n
            features[k] = f
            thresholds[k] = _between(values[f, p - 1], values[f, p])
    return features, thresholds, gains


@njit(nogil=True)
def _between(low, high):  # pragma: no cover - compiled
    middle = low / np.float32(2) + high / np.float32(2)
    return middle if middle < high else low


@njit(nogil=True)
def _grow(train, blocked, blocked_values, residual, features, thresholds, leaf, importance):
    """Fill ``features`` and ``thresholds`` of a tree below its root, and each row's ``leaf``.

    The children of node i are 2 i + 1 and 2 i + 2; a feature of -1 stands for no split, after
    which all rows go to the first child.
    """
    n_features, n = train.shape
    node = np.zeros(n, dtype=np.int32)
    for i in range(n):
        below = features[0] < 0 or train[features[0], i] <= thresholds[0]
        node[i] = 0 if below else 1
    for depth in range(1, DEPTH):
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
            if counts[at] < 2 or squares[at] - sums[at] ** 2 / counts[at] <= _PURE * counts[at]:
                best[at] = np.inf
        left_counts, left_sums = np.empty((_BLOCK, width)), np.empty((_BLOCK, width))
        last = np.empty((_BLOCK, width), dtype=np.float32)
        for block in range(len(blocked)):
            left_counts[:] = 0
            left_sums[:] = 0
            n_beside = min(_BLOCK, n_features - block * _BLOCK)
            # Features side by side: each sum would have to wait for the one before it.
            for p in range(n):
                for b in range(n_beside):
                    row = blocked[block, p, b]
                    at = node[row]
                    seen = left_counts[b, at]
                    value = blocked_values[block, p, b]
                    if seen > 0 and value > last[b, at] + np.float32(_SAME):
                        right = counts[at] - seen
                        left_sum = left_sums[b, at]
                        difference = left_sum * right - (sums[at] - left_sum) * seen
                        if difference * difference > best[at] * (seen * right):
                            best[at] = difference * difference / (seen * right)
                            features[first + at] = block * _BLOCK + b
                            thresholds[first + at] = _between(last[b, at], value)
                    left_counts[b, at] = seen + 1
                    left_sums[b, at] += residual[row]
                    last[b, at] = value
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


@njit(nogil=True)
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


@njit(nogil=True)
def _add_steps(test, features, thresholds, steps, raw):  # pragma: no cover - compiled
    """Add to ``raw`` (rows,) the step of the leaf that each row of ``test`` falls into.

    It is written for a ``DEPTH`` of 3.
    """
    chosen = np.maximum(features, 0)
    t = np.where(features < 0, np.float32(np.inf), thresholds)
    x0, x1, x2, x3 = test[chosen[0]], test[chosen[1]], test[chosen[2]], test[chosen[3]]
    x4, x5, x6 = test[chosen[4]], test[chosen[5]], test[chosen[6]]
    t0, t1, t2, t3, t4, t5, t6 = t[0], t[1], t[2], t[3], t[4], t[5], t[6]
    s0, s1, s2, s3, s4, s5, s6, s7 = (
        steps[0], steps[1], steps[2], steps[3], steps[4], steps[5], steps[6], steps[7]
    )  # fmt: skip
    # Every comparison of every row: no branch, so that the compiler makes vectors of it.
    for i in range(len(raw)):
        a, b, c, d = x3[i] <= t3, x4[i] <= t4, x5[i] <= t5, x6[i] <= t6
        low = (s0 if a else s1) if x1[i] <= t1 else (s2 if b else s3)
        high = (s4 if c else s5) if x2[i] <= t2 else (s6 if d else s7)
        raw[i] += low if x0[i] <= t0 else high
