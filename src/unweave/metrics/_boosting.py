"""Gradient-boosted trees for classification, compiled: scikit-learn's algorithm, exactly.

Boosting of Friedman (2001, https://doi.org/10.1214/aos/1013203451) with the multinomial deviance:
in each round a regression tree of depth 3 for each class, fitted to the residuals by exact search
over all splits. Same splits as `sklearn.ensemble.GradientBoostingClassifier` with its defaults but
where two splits are equally good.

Features are cut into buckets. Sums at their edges bound the gains inside, so that only buckets that
may hold the best split of a node are searched row by row (docs/decisions/0008).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unweave._compiled import njit

__all__ = ["boost"]

DEPTH = 3
RATE = 0.1
ROUNDS = 100
_PURE = 2.3e-16  # mean squared residual of a node that is not split: rounding
_BLOCK = 8  # features of which the one with the first place wins, if splits are equally good
_ROWS = 16  # of a bucket
_MOST_BUCKETS = 64
_WIDTH = 16  # features whose sums lie side by side and fit into the fastest cache
_FEW = 16  # rows of a node that is searched without buckets
_NEAR = 1 - 1e-9  # beyond this share of the best gain rounding may decide
_ROUNDING = 2e-6  # of the largest difference: gains below it are nothing but rounding
_MOST_TIED = 4096
_SAME = 1e-7  # values nearer to each other than this are not split


class _Columns(NamedTuple):
    """Features in ascending order, and the buckets that they are cut into."""

    order: np.ndarray
    """Rows (features, samples)."""
    values: np.ndarray
    """(features, samples)"""
    ranks: np.ndarray
    """Place of each row in the order (samples, features)."""
    slots: np.ndarray
    """Upper edge of the bucket of each row (samples, features), as an index of the flat edges."""
    edges: np.ndarray
    """First place of each bucket, and the number of samples (features, edges)."""


class _Tree(NamedTuple):
    """A tree that grows. The children of node i are 2 i + 1 and 2 i + 2."""

    features: np.ndarray
    """Feature of each split; -1 if there is none, and then all rows go to the first child."""
    thresholds: np.ndarray
    importance: np.ndarray
    """Gains of each feature in all trees so far."""
    rows: np.ndarray
    """Rows (samples,), those of a node side by side and in order."""
    node: np.ndarray
    """Node of each row (samples,)."""
    steps: np.ndarray
    """Step of each node; those of leaves count."""


class _Work(NamedTuple):
    """Memory that all trees share.

    Edges come block by block, of ``_WIDTH`` features each, or of all if they are fewer. The last
    block may have places of no feature.
    """

    sums: np.ndarray
    """Residuals below each edge (5, blocks, edges, width) of the root, of its two children, and of
    two children of one of them."""
    counts: np.ndarray
    """Rows below each edge, alike."""
    positive: np.ndarray
    """Positive residuals of each bucket of a block (edges * width,), where its lower edge is."""
    gains: np.ndarray
    """Gain of a split at each edge of a block, alike."""
    excess: np.ndarray
    """From 0 on where the best split may lie inside a bucket of a block, alike."""
    tops: np.ndarray
    """The largest gain at an edge of each block (blocks,)."""
    places: np.ndarray
    """Feature and place of splits that may be the best."""
    terms: np.ndarray
    """Their gains, and the two terms of the quotient."""
    chosen: np.ndarray
    """Features (features,) to be searched exactly."""
    rows: np.ndarray
    """(samples,)"""


def boost(
    train: np.ndarray, labels: np.ndarray, n_classes: int, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Importance of each feature, and the classes that are predicted for the rows of ``test``.

    ``train`` (features, samples) float32, ``labels`` (samples,) from 0 to ``n_classes`` - 1,
    ``test`` (features, rows) float32.
    """
    # Sorted here, as to compile a sort takes seconds.
    by_label = np.argsort(labels, kind="stable").astype(np.int32)
    first = np.searchsorted(labels[by_label], np.arange(n_classes + 1))
    return _boost(train, labels, by_label, first, test)


@njit(nogil=True)
def _boost(train, labels, by_label, first, test):  # pragma: no cover - compiled
    """``by_label`` are the rows by their labels, those of label k from ``first[k]`` on."""
    n_classes = len(first) - 1
    n_features, n = train.shape
    n_trees = 1 if n_classes == 2 else n_classes
    columns = _sorted(train)
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
    steps = np.zeros(2 ** (DEPTH + 1) - 1)
    features = np.empty(2**DEPTH - 1, dtype=np.int64)
    thresholds = np.empty(2**DEPTH - 1, dtype=np.float32)
    rows = np.empty(n, dtype=np.int32)
    node = np.empty(n, dtype=np.uint8)
    n_edges = columns.edges.shape[1]
    left = np.empty((n_features, n_edges, n_trees))
    work = _memory(n_edges, n_features, n)
    _fill(columns.edges, work.counts[0])
    for _ in range(ROUNDS):
        _residuals(raw, labels, n_classes, residuals)
        roots = _roots(columns, residuals, left)
        for k in range(n_trees):
            residual[:] = residuals[:, k]
            features[0], thresholds[0] = roots[0][k], roots[1][k]
            if features[0] >= 0:
                importance[features[0]] += roots[2][k] / n
            _fill(left[:, :, k], work.sums[0])
            label = 1 if n_classes == 2 else k
            own = by_label[first[label] : first[label + 1]]
            tree = _Tree(features, thresholds, importance, rows, node, steps)
            _grow(train, columns, residual, own, work, tree)
            if n_classes > 2:
                steps *= (n_classes - 1) / n_classes
            steps *= RATE
            for i in range(n):
                raw[k, i] += steps[node[i]]
            _add_steps(test, features, thresholds, steps[2**DEPTH - 1 :], raw_test[k])
    predicted = np.empty(test.shape[1], dtype=np.int64)
    for i in range(test.shape[1]):
        predicted[i] = raw_test[0, i] > 0 if n_classes == 2 else np.argmax(raw_test[:, i])
    total = importance.sum()
    return importance / total if total > 0 else importance, predicted


@njit(nogil=True)
def _memory(n_edges, n_features, n):  # pragma: no cover - compiled
    width = min(_WIDTH, n_features)
    n_blocks = (n_features + width - 1) // width
    return _Work(
        np.zeros((5, n_blocks, n_edges, width)),
        np.zeros((5, n_blocks, n_edges, width)),
        np.empty(n_edges * width),
        np.empty(n_edges * width),
        np.empty(n_edges * width),
        np.empty(n_blocks),
        np.empty((_MOST_TIED, 2), dtype=np.int64),
        np.empty((_MOST_TIED, 3)),
        np.empty(n_features, dtype=np.uint8),
        np.empty(n, dtype=np.int32),
    )


@njit(nogil=True)
def _fill(by_feature, blocks):  # pragma: no cover - compiled
    """Enter numbers (features, edges) into ``blocks`` (blocks, edges, width)."""
    width = blocks.shape[2]
    for f in range(len(by_feature)):
        for e in range(blocks.shape[1]):
            blocks[f // width, e, f % width] = by_feature[f, e]


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
def _roots(columns, residuals, left_of_edges):  # pragma: no cover - compiled
    """Feature, threshold and gain (trees,) of the first split of each tree of a round.

    All trees start from the same rows, so that one walk along a feature serves them all at once.
    ``left_of_edges`` (features, edges, trees) is filled with sums of residuals.
    """
    order, values, edges = columns.order, columns.values, columns.edges
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
        e = 0
        for p in range(n):
            while edges[f, e] == p:
                left_of_edges[f, e] = left
                e += 1
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
        left_of_edges[f, e:] = left
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
def _sorted(train):  # pragma: no cover - compiled
    """Columns of ``train`` (features, samples). No edge parts values that are not to be split."""
    n_features, n = train.shape
    n_buckets = max(1, min(_MOST_BUCKETS, n // _ROWS))
    order = np.empty((n_features, n), dtype=np.int32)
    values = np.empty((n_features, n), dtype=np.float32)
    ranks = np.empty((n, n_features), dtype=np.int32)
    slots = np.empty((n, n_features), dtype=np.uint32)
    width = min(_WIDTH, n_features)
    edges = np.empty((n_features, n_buckets + 1), dtype=np.int32)
    for f in range(n_features):
        order[f] = np.argsort(train[f])
        values[f] = train[f][order[f]]
        edges[f, 0] = 0
        p = 0
        for e in range(1, n_buckets + 1):
            p = max(p, e * n // n_buckets)
            while p < n and not values[f, p] > values[f, p - 1] + np.float32(_SAME):
                p += 1
            edges[f, e] = p
        e = 0
        for p in range(n):
            while edges[f, e + 1] <= p:
                e += 1
            ranks[order[f, p], f] = p
            upper = f // width * (n_buckets + 1) + e + 1
            slots[order[f, p], f] = upper * width + f % width
    return _Columns(order, values, ranks, slots, edges)


@njit(nogil=True)
def _grow(train, columns, residual, own, work, tree):  # pragma: no cover - compiled
    """Fill a tree below the split of its root, and the leaf of each row.

    ``own`` are the rows with a positive residual.
    """
    n = len(residual)
    for i in range(n):
        tree.rows[i] = i
    tree.features[1:] = -1
    middle = _divide(train, tree.rows, 0, work, tree)
    if tree.features[0] >= 0:
        _share(columns, residual, tree.rows, middle, work, 0, 1, 2)
    for child in (1, 2):
        rows = tree.rows[:middle] if child == 1 else tree.rows[middle:]
        if tree.features[0] >= 0:
            _split(columns, residual, own, rows, child, child, work, tree)
        cut = _divide(train, rows, child, work, tree)
        if tree.features[child] >= 0:
            _share(columns, residual, rows, cut, work, child, 3, 4)
        for side in (0, 1):
            node = 2 * child + 1 + side
            part = rows[:cut] if side == 0 else rows[cut:]
            if tree.features[child] >= 0:
                _split(columns, residual, own, part, node, 3 + side, work, tree)
            _step(train, residual, part, node, tree)


@njit(nogil=True)
def _divide(train, rows, node, work, tree):  # pragma: no cover - compiled
    """Bring the rows of the first child of a node to the front, and return their number."""
    below, above = np.uint8(2 * node + 1), np.uint8(2 * node + 2)
    f, threshold = tree.features[node], tree.thresholds[node]
    if f < 0:
        for row in rows:
            tree.node[row] = below
        return len(rows)
    column = train[f]
    n_below, n_above = 0, 0
    # Both are written and one is counted: no branch, which would often be guessed wrong.
    for i in range(len(rows)):
        row = rows[i]
        is_above = column[row] > threshold
        tree.node[row] = above if is_above else below
        rows[n_below] = row
        work.rows[n_above] = row
        n_above += is_above
        n_below += not is_above
    rows[n_below:] = work.rows[:n_above]
    return n_below


@njit(nogil=True)
def _share(columns, residual, rows, middle, work, parent, below, above):  # pragma: no cover
    """Sums and counts below each edge of two children: the smaller is summed, the other is left.

    ``parent``, ``below`` and ``above`` number the memory of the node and of its children.
    """
    few, small, large = rows[:middle], below, above
    if 2 * middle > len(rows):
        few, small, large = rows[middle:], above, below
    if len(rows) - len(few) <= _FEW:
        return
    sums, counts = work.sums[small], work.counts[small]
    n_blocks, n_edges, width = sums.shape
    n_features, size = len(work.chosen), n_edges * width
    flat_sums, flat_counts = sums.reshape(-1), counts.reshape(-1)
    all_sums, all_counts = work.sums[parent].reshape(-1), work.counts[parent].reshape(-1)
    other_sums, other_counts = work.sums[large].reshape(-1), work.counts[large].reshape(-1)
    for b in range(n_blocks):
        first, last = b * width, min((b + 1) * width, n_features)
        sums[b] = 0
        counts[b] = 0
        for row in few:
            r = residual[row]
            for f in range(first, last):
                slot = columns.slots[row, f]
                flat_sums[slot] += r
                flat_counts[slot] += 1.0
        for i in range(b * size + width, (b + 1) * size):
            flat_sums[i] += flat_sums[i - width]
            flat_counts[i] += flat_counts[i - width]
        for i in range(b * size, (b + 1) * size):
            other_sums[i] = all_sums[i] - flat_sums[i]
            other_counts[i] = all_counts[i] - flat_counts[i]


@njit(nogil=True)
def _split(columns, residual, own, rows, node, which, work, tree):  # pragma: no cover - compiled
    """Find the best split of a node, whose sums are the part ``which`` of ``work``."""
    n, total, squares, size = len(rows), 0.0, 0.0, 0.0
    for row in rows:
        r = residual[row]
        total += r
        squares += r * r
        size += abs(r)
    # A node that is pure up to rounding is not split.
    if n < 2 or squares - total**2 / n <= _PURE * n:
        return
    if n <= _FEW:
        work.chosen[:] = 1
        f, p, gain = _exact(columns, residual, rows, node, total, work, tree)
    elif _search(columns, residual, own, n, node, total, size, which, work, tree) == 1:
        f, p = work.places[0]
        gain = work.terms[0, 0]
    else:
        f, p, gain = _exact(columns, residual, rows, node, total, work, tree)
    if f >= 0:
        last = p - 1
        while tree.node[columns.order[f, last]] != node:
            last -= 1
        tree.features[node] = f
        tree.thresholds[node] = _between(columns.values[f, last], columns.values[f, p])
        tree.importance[f] += gain / n


@njit(nogil=True)
def _search(
    columns, residual, own, n_rows, node, total, size, which, work, tree
):  # pragma: no cover - compiled
    """Number of splits that may be the best but for rounding, which then lie in ``work``.

    If there are several, the features that they lie in are chosen for an exact search.
    """
    order, values, edges = columns.order, columns.values, columns.edges
    n_blocks, n_edges, width = work.sums[which].shape
    n_features, n, at = len(work.chosen), np.float64(n_rows), n_edges * width
    sums, counts = work.sums[which].reshape(-1), work.counts[which].reshape(-1)
    for b in range(n_blocks):
        _gains(sums[b * at :], counts[b * at :], n, total, work.gains)
        work.tops[b] = _largest(work.gains)
    top = _largest(work.tops)
    n_own = 0
    for row in own:
        work.rows[n_own] = row
        n_own += tree.node[row] == node
    n_found, least = 0, 4 * _NEAR * top
    positive, excess = work.positive, work.excess
    for b in range(n_blocks):
        first, last_feature = b * width, min((b + 1) * width, n_features)
        positive[:] = 0
        for row in work.rows[:n_own]:
            for f in range(first, last_feature):
                positive[columns.slots[row, f] - b * at - width] += residual[row]
        lower_sums, lower_counts = sums[b * at :], counts[b * at :]
        _bound(lower_sums, lower_counts, n, total, least, work)
        for i in range(at - width):
            if excess[i] >= 0:
                e, f = i // width, first + i % width
                left, seen, last = lower_sums[i], lower_counts[i], np.float32(np.inf)
                for p in range(edges[f, e], edges[f, e + 1]):
                    if tree.node[order[f, p]] == node:
                        if values[f, p] > last + np.float32(_SAME):
                            difference = left * n - total * seen
                            gain = difference * difference / (seen * (n - seen))
                            if gain >= _NEAR * top:
                                top = max(top, gain)
                                n_found = _note(work, n_found, f, p, gain)
                        left += residual[order[f, p]]
                        seen += 1
                        last = values[f, p]
    for b in range(n_blocks):
        if work.tops[b] >= _NEAR * top and work.tops[b] > 0:
            _gains(sums[b * at :], counts[b * at :], n, total, work.gains)
            for i in range(at):
                if work.gains[i] >= _NEAR * top:
                    f = b * width + i % width
                    p = edges[f, i // width]
                    while tree.node[order[f, p]] != node:
                        p += 1
                    n_found = _note(work, n_found, f, p, work.gains[i])
    if n_found == _MOST_TIED or top * (n - 1) <= (_ROUNDING * n * size) ** 2:
        work.chosen[:] = 1
        return _MOST_TIED
    return _distinct(work, _drop(work, n_found, _NEAR * top))


@njit(nogil=True)
def _gains(sums, counts, n, total, gains):  # pragma: no cover - compiled
    """Fill ``gains`` with those of splits at edges, of which the first ones are these."""
    for i in range(len(gains)):
        product = counts[i] * (n - counts[i])
        difference = sums[i] * n - total * counts[i]
        gain = difference * difference / max(product, 0.5)
        gains[i] = gain if product > 0 else 0.0


@njit(nogil=True)
def _bound(sums, counts, n, total, least, work):  # pragma: no cover - compiled
    """Fill ``work.excess`` of the block whose sums and counts are the first ones of these.

    A walk from one difference to another of some length goes no further than half of their sum.
    """
    positive, excess, slope, width = work.positive, work.excess, abs(total), work.sums.shape[3]
    upper_sums, upper_counts = sums[width:], counts[width:]
    for i in range(len(excess) - width):
        c0, c1, s0, s1 = counts[i], upper_counts[i], sums[i], upper_sums[i]
        length = n * (2 * positive[i] - (s1 - s0)) + slope * (c1 - c0)
        farthest = abs(s0 * n - total * c0) + abs(s1 * n - total * c1) + length
        low = c0 if c0 > 1.0 else 1.0
        high = c1 if c1 < n - 1.0 else n - 1.0
        at_low, at_high = low * (n - low), high * (n - high)
        product = at_low if at_low < at_high else at_high
        excess[i] = farthest * farthest - least * product if c1 - c0 > 1 else -1.0


@njit(nogil=True)
def _largest(values):  # pragma: no cover - compiled
    """The largest of numbers from 0 on; four comparisons do not wait for each other."""
    n, a, b, c, d = len(values), 0.0, 0.0, 0.0, 0.0
    for i in range(0, n - 3, 4):
        v, w, x, y = values[i], values[i + 1], values[i + 2], values[i + 3]
        a = v if v > a else a
        b = w if w > b else b
        c = x if x > c else c
        d = y if y > d else d
    for i in range(n - n % 4, n):
        a = max(a, values[i])
    return max(max(a, b), max(c, d))


@njit(nogil=True)
def _note(work, n_found, f, p, gain):  # pragma: no cover - compiled
    """Enter a split, if there is room."""
    if n_found == _MOST_TIED:
        return n_found
    work.places[n_found, 0] = f
    work.places[n_found, 1] = p
    work.terms[n_found, 0] = gain
    return n_found + 1


@njit(nogil=True)
def _distinct(work, n_found):  # pragma: no cover - compiled
    """Number of splits, each counted once; their features are chosen."""
    work.chosen[:] = 0
    n_left = 0
    for i in range(n_found):
        f, p = work.places[i]
        is_known = False
        for j in range(n_left):
            is_known |= work.places[j, 0] == f and work.places[j, 1] == p
        if not is_known:
            work.places[n_left] = work.places[i]
            work.terms[n_left] = work.terms[i]
            work.chosen[f] = 1
            n_left += 1
    return n_left


@njit(nogil=True)
def _exact(columns, residual, rows, node, total, work, tree):  # pragma: no cover - compiled
    """Feature, place and gain of the best split of a node in the chosen features; -1 for none.

    Sums are taken in the order of each feature, and gains compared block by block and place by
    place: equally good splits differ by rounding, which follows from this order alone.
    """
    order, values = columns.order, columns.values
    n_features, n_all = order.shape
    n, top, n_found = np.float64(len(rows)), 0.0, 0
    for f in range(n_features):
        if not work.chosen[f]:
            continue
        _places_of(columns, rows, f, node, work, tree)
        left, last = 0.0, np.float32(np.inf)
        for j in range(len(rows)):
            p = work.rows[j]
            if values[f, p] > last + np.float32(_SAME):
                right = n - j
                difference = left * right - (total - left) * j
                square, product = difference * difference, j * right
                gain = square / product
                if gain > 0 and gain >= _NEAR * top:
                    top = max(top, gain)
                    n_found = min(n_found, _MOST_TIED - 1)
                    work.terms[n_found, 1] = square
                    work.terms[n_found, 2] = product
                    n_found = _note(work, n_found, f, p, gain)
            left += residual[order[f, p]]
            last = values[f, p]
    n_found = _drop(work, n_found, _NEAR * top)
    keys = np.empty(n_found, dtype=np.int64)
    for i in range(n_found):
        f, p = work.places[i]
        keys[i] = (f // _BLOCK * n_all + p) * _BLOCK + f % _BLOCK
    best, feature, place = 0.0, -1, 0
    for i in np.argsort(keys):
        if work.terms[i, 1] > best * work.terms[i, 2]:
            best = work.terms[i, 0]
            feature, place = work.places[i]
    return feature, place, best


@njit(nogil=True)
def _drop(work, n_found, least):  # pragma: no cover - compiled
    """Keep splits with a gain from ``least`` on, and return their number."""
    n_kept = 0
    for i in range(n_found):
        if work.terms[i, 0] >= least:
            work.terms[n_kept] = work.terms[i]
            work.places[n_kept] = work.places[i]
            n_kept += 1
    return n_kept


@njit(nogil=True)
def _places_of(columns, rows, f, node, work, tree):  # pragma: no cover - compiled
    """Fill ``work.rows`` with the places of the rows of a node in the order of a feature."""
    places, n = work.rows, len(rows)
    if n <= _FEW:
        for i in range(n):
            rank = columns.ranks[rows[i], f]
            j = i
            while j > 0 and places[j - 1] > rank:
                places[j] = places[j - 1]
                j -= 1
            places[j] = rank
        return
    found = 0
    for p in range(len(places)):
        places[found] = p
        found += tree.node[columns.order[f, p]] == node
        if found == n:
            return


@njit(nogil=True)
def _step(train, residual, rows, node, tree):  # pragma: no cover - compiled
    """Move the rows of a node to its leaves, and take a Newton step of the deviance for each."""
    f = tree.features[node]
    column = train[max(f, 0)]
    threshold = tree.thresholds[node] if f >= 0 else np.float32(np.inf)
    leaf = 2 * node + 1
    low, low_weight, high, high_weight = 0.0, 0.0, 0.0, 0.0
    for row in rows:
        r, is_above = residual[row], column[row] > threshold
        weight = abs(r) * (1 - abs(r))
        tree.node[row] = leaf + is_above
        high += r if is_above else 0.0
        high_weight += weight if is_above else 0.0
        low += 0.0 if is_above else r
        low_weight += 0.0 if is_above else weight
    tree.steps[leaf] = low / low_weight if low_weight > 1e-150 else 0.0
    tree.steps[leaf + 1] = high / high_weight if high_weight > 1e-150 else 0.0


@njit(nogil=True)
def _add_steps(test, features, thresholds, steps, raw):  # pragma: no cover - compiled
    """Add to ``raw`` (rows,) the step of the leaf that each row of ``test`` falls into.

    It is written for a ``DEPTH`` of 3.
    """
    chosen, t = features.copy(), thresholds.copy()
    for i in range(len(t)):
        if features[i] < 0:
            chosen[i], t[i] = 0, np.inf
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
