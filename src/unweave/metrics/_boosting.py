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
_FEW = 24  # rows of a node that is searched without buckets
_NEAR = 1 - 1e-5  # beyond this share of the best gain rounding may decide
_BITS = 63  # of a number that holds rows and residuals
_ROUNDING = 1e-9  # of the largest difference: gains below it are nothing but rounding
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
    distinct: np.ndarray
    """Features (features,) no two values of which are too near to be split."""
    slots: np.ndarray
    """Upper edge of the bucket of each row (blocks, samples, width), as an index of the block."""
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

    Edges come block by block, of ``_WIDTH`` features each; the last block may have places of no
    feature, which come last.

    The number of some rows and the sum of their residuals are one integer, so that both are added
    up at once: the number, times a power of two, plus the sum in units of a tree. Residuals are
    rounded to units, and so the best split of rounded ones only tells which features may have it.
    """

    below: np.ndarray
    """Rows and residuals below each edge (5, blocks, edges, width) of the root, of its two
    children, and of two children of one of them."""
    packed: np.ndarray
    """Each row and its residual (samples,)."""
    sums: np.ndarray
    """Residuals below each edge of a block (edges, width), in units."""
    counts: np.ndarray
    """Rows below each edge of a block, alike."""
    positive: np.ndarray
    """Positive residuals of each bucket of a block, in units, where its upper edge is."""
    excess: np.ndarray
    """From 0 on where the best split may lie inside a bucket of a block, alike."""
    gains: np.ndarray
    """The largest gain at an edge, or of few rows, of each feature (blocks, width)."""
    left: np.ndarray
    """Residuals up to a row (features,)."""
    seen: np.ndarray
    """Rows up to a row (features,)."""
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
    packed = np.empty((n, n_trees), dtype=np.int64)
    units = np.empty(n_trees)
    work = _memory(n_edges, n_features, n)
    roots = np.zeros((n_trees, *work.below.shape[1:]), dtype=np.int64)
    shift = _shift(n)
    for _ in range(ROUNDS):
        _residuals(raw, labels, n_classes, residuals)
        _pack(residuals, shift, packed, units)
        _roots(columns, packed, roots)
        for k in range(n_trees):
            residual[:] = residuals[:, k]
            work.packed[:] = packed[:, k]
            work.below[0] = roots[k]
            label = 1 if n_classes == 2 else k
            own = by_label[first[label] : first[label + 1]]
            tree = _Tree(features, thresholds, importance, rows, node, steps)
            _grow(train, columns, residual, own, units[k], work, tree)
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
    n_blocks = (n_features + _WIDTH - 1) // _WIDTH
    return _Work(
        np.zeros((5, n_blocks, n_edges, _WIDTH), dtype=np.int64),
        np.empty(n, dtype=np.int64),
        np.empty((n_edges, _WIDTH)),
        np.empty((n_edges, _WIDTH)),
        np.empty((n_edges, _WIDTH)),
        np.empty((n_edges, _WIDTH)),
        np.empty((n_blocks, _WIDTH)),
        np.empty(n_features),
        np.empty(n_features),
        np.empty((_MOST_TIED, 2), dtype=np.int64),
        np.empty((_MOST_TIED, 3)),
        np.empty(n_features, dtype=np.uint8),
        np.empty(n, dtype=np.int32),
    )


@njit(nogil=True)
def _shift(n):  # pragma: no cover - compiled
    """Bits below the number of rows, of which there are ``n`` at most."""
    shift = _BITS
    while n > 0:
        shift -= 1
        n //= 2
    return shift


@njit(nogil=True)
def _pack(residuals, shift, packed, units):  # pragma: no cover - compiled
    """Fill ``packed`` (samples, trees) with each row and its residual, in ``units`` (trees,)."""
    n, n_trees = residuals.shape
    most = np.float64(np.int64(1) << np.int64(shift - 2)) / n
    units[:] = 0.0
    for i in range(n):
        for k in range(n_trees):
            units[k] = max(units[k], abs(residuals[i, k]))
    for k in range(n_trees):
        units[k] = units[k] / most if units[k] > 0 else 1.0
    one = np.int64(1) << np.int64(shift)
    for i in range(n):
        for k in range(n_trees):
            packed[i, k] = one + np.int64(np.rint(residuals[i, k] / units[k]))


@njit(nogil=True)
def _unpack(below, shift, sums, counts):  # pragma: no cover - compiled
    """Fill ``sums`` and ``counts`` (edges, width) of a block."""
    half = np.int64(1) << np.int64(shift - 1)
    flat, flat_sums, flat_counts = below.reshape(-1), sums.reshape(-1), counts.reshape(-1)
    for i in range(len(flat)):
        count = (flat[i] + half) >> np.int64(shift)
        flat_counts[i] = np.float64(count)
        flat_sums[i] = np.float64(flat[i] - (count << np.int64(shift)))


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
def _roots(columns, packed, below):  # pragma: no cover - compiled
    """Fill ``below`` (trees, blocks, edges, width) with rows and residuals below each edge.

    All trees start from the same rows, so that one walk along a feature serves them all at once.
    """
    order, edges = columns.order, columns.edges
    n_trees, n_blocks, n_edges, width = below.shape
    left = np.empty(n_trees, dtype=np.int64)
    block = np.zeros((n_edges, width, n_trees), dtype=np.int64)
    for b in range(n_blocks):
        block[:] = 0
        for w in range(min(width, len(order) - b * width)):
            f = b * width + w
            left[:] = 0
            for e in range(n_edges - 1):
                for p in range(edges[f, e], edges[f, e + 1]):
                    row = order[f, p]
                    for k in range(n_trees):
                        left[k] += packed[row, k]
                block[e + 1, w] = left
        for e in range(n_edges):
            for k in range(n_trees):
                for w in range(width):
                    below[k, b, e, w] = block[e, w, k]


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
    distinct = np.empty(n_features, dtype=np.bool_)
    slots = np.empty(((n_features + _WIDTH - 1) // _WIDTH, n, _WIDTH), dtype=np.uint16)
    for w in range(_WIDTH):
        slots[:, :, w] = _WIDTH + w
    edges = np.empty((n_features, n_buckets + 1), dtype=np.int32)
    for f in range(n_features):
        order[f] = np.argsort(train[f])
        values[f] = train[f][order[f]]
        distinct[f] = True
        for p in range(1, n):
            distinct[f] &= values[f, p] > values[f, p - 1] + np.float32(_SAME)
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
            slots[f // _WIDTH, order[f, p], f % _WIDTH] = (e + 1) * _WIDTH + f % _WIDTH
    return _Columns(order, values, ranks, distinct, slots, edges)


@njit(nogil=True)
def _grow(train, columns, residual, own, unit, work, tree):  # pragma: no cover - compiled
    """Fill a tree, and the leaf of each row. ``own`` are the rows with a positive residual."""
    for i in range(len(residual)):
        tree.rows[i] = i
        tree.node[i] = 0
    tree.features[:] = -1
    _split(columns, residual, own, tree.rows, 0, 0, unit, work, tree)
    middle = _divide(train, tree.rows, 0, work, tree)
    if tree.features[0] >= 0:
        _share(columns, tree.rows, middle, work, 0, 1, 2)
    for child in (1, 2):
        rows = tree.rows[:middle] if child == 1 else tree.rows[middle:]
        if tree.features[0] >= 0:
            _split(columns, residual, own, rows, child, child, unit, work, tree)
        cut = _divide(train, rows, child, work, tree)
        if tree.features[child] >= 0:
            _share(columns, rows, cut, work, child, 3, 4)
        for side in (0, 1):
            node = 2 * child + 1 + side
            part = rows[:cut] if side == 0 else rows[cut:]
            if tree.features[child] >= 0:
                _split(columns, residual, own, part, node, 3 + side, unit, work, tree)
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
def _share(columns, rows, middle, work, parent, below, above):  # pragma: no cover - compiled
    """Rows and residuals below each edge of two children: one is added up, the other is left.

    ``parent``, ``below`` and ``above`` number the memory of the node and of its children.
    """
    few, small, large = rows[:middle], below, above
    if 2 * middle > len(rows):
        few, small, large = rows[middle:], above, below
    if len(rows) - len(few) <= _FEW:
        return
    for b in range(work.below.shape[1]):
        slots = columns.slots[b]
        added, left = work.below[small, b].reshape(-1), work.below[large, b].reshape(-1)
        both = work.below[parent, b].reshape(-1)
        added[:] = 0
        for row in few:
            number = work.packed[row]
            for w in range(_WIDTH):
                added[slots[row, w]] += number
        left[:_WIDTH] = 0
        for i in range(_WIDTH, len(added)):
            added[i] += added[i - _WIDTH]
            left[i] = both[i] - added[i]


@njit(nogil=True)
def _split(columns, residual, own, rows, node, which, unit, work, tree):  # pragma: no cover
    """Find the best split of a node, whose rows and residuals are the part ``which`` of ``work``.

    The best of rounded residuals is found first. If rounding may decide, that of residuals is
    searched for among the features that may have it.
    """
    n, total, squares, size = len(rows), 0.0, 0.0, 0.0
    for row in rows:
        r = residual[row]
        total += r
        squares += r * r
        size += abs(r)
    # A node that is pure up to rounding is not split.
    if n < 2 or squares - total**2 / n <= _PURE * n:
        return
    if n > _FEW and _search(columns, own, n, node, size / unit, which, work, tree) == 1:
        f, p = work.places[0, 0], work.places[0, 1]
        gain = work.terms[0, 0] * unit * unit
    else:
        if n <= _FEW:
            _choose(columns, residual, rows, total, size, work)
        f, p, gain = _exact(columns, residual, rows, node, total, work, tree)
    if f >= 0:
        last = p - 1
        while tree.node[columns.order[f, last]] != node:
            last -= 1
        tree.features[node] = f
        tree.thresholds[node] = _between(columns.values[f, last], columns.values[f, p])
        tree.importance[f] += gain / n


@njit(nogil=True)
def _search(columns, own, n_rows, node, size, which, work, tree):  # pragma: no cover - compiled
    """Number of splits that may be the best but for rounding, which then lie in ``work``.

    If there are several, the features that they lie in are chosen for an exact search.
    """
    n, shift, below = np.float64(n_rows), _shift(len(work.packed)), work.below[which]
    _unpack(below[0, -1:], shift, work.sums[:1], work.counts[:1])
    total = work.sums[0, 0]
    for b in range(len(below)):
        _unpack(below[b], shift, work.sums, work.counts)
        _gains(n, total, work.sums, work.counts, work.gains[b])
    gains = work.gains.reshape(-1)[: len(work.chosen)]
    n_own = 0
    for row in own:
        work.rows[n_own] = row
        n_own += tree.node[row] == node
    top, n_found = _inside(
        columns, work.rows[:n_own], n, total, node, below, shift, gains.max(), work, tree
    )
    least, places, terms = _least(top, n), work.places, work.terms
    for f in range(len(gains)):
        if gains[f] >= least and gains[f] > 0:
            numbers = below[f // _WIDTH, :, f % _WIDTH]
            n_found = _at_edges(
                columns, f, n, total, node, numbers, shift, least, n_found, places, terms, tree.node
            )
    if n_found == _MOST_TIED or top * (n - 1) <= (_ROUNDING * n * size) ** 2:
        work.chosen[:] = 1
        return _MOST_TIED
    return _distinct(places, terms, _drop(places, terms, n_found, least), work.chosen)


@njit(nogil=True)
def _at_edges(
    columns, f, n, total, node, below, shift, least, n_found, places, terms, nodes
):  # pragma: no cover - compiled
    """Note the best splits of a feature at edges of its buckets."""
    half = np.int64(1) << np.int64(shift - 1)
    for e in range(len(below)):
        rows = (below[e] + half) >> np.int64(shift)
        count, left = np.float64(rows), np.float64(below[e] - (rows << np.int64(shift)))
        if 0 < count < n:
            difference = left * n - total * count
            gain = difference * difference / (count * (n - count))
            if gain >= least:
                p = columns.edges[f, e]
                while nodes[columns.order[f, p]] != node:
                    p += 1
                n_found = _note(places, terms, n_found, f, p, gain)
    return n_found


@njit(nogil=True)
def _least(top, n):  # pragma: no cover - compiled
    """Gain from which on a split may be the best, if ``top`` is the largest of rounded residuals.

    Rounding by half a unit changes a difference c R - (n - c) L by no more than c (n - c) units,
    and so the root of a gain by no more than n / 2 units, that of ``top`` included.
    """
    return max(np.sqrt(_NEAR * top) - n, 0.0) ** 2


@njit(nogil=True)
def _gains(n, total, sums, counts, largest):  # pragma: no cover - compiled
    """Fill ``largest`` (width,) with the largest gain of a split at an edge of each feature."""
    largest[:] = 0.0
    for e in range(len(sums)):
        for w in range(_WIDTH):
            product = counts[e, w] * (n - counts[e, w])
            difference = sums[e, w] * n - total * counts[e, w]
            gain = difference * difference / max(product, 0.5)
            gain = gain if product > 0 else 0.0
            largest[w] = gain if gain > largest[w] else largest[w]


@njit(nogil=True)
def _inside(
    columns, own, n, total, node, below, shift, top, work, tree
):  # pragma: no cover - compiled
    """Note the best splits inside buckets; returns the largest gain and the number of splits.

    Buckets that cannot have the best split, of a gain of ``top`` at least, are left out.
    """
    order, values, edges, nodes = columns.order, columns.values, columns.edges, tree.node
    packed, sums, counts, least, n_found = work.packed, work.sums, work.counts, _least(top, n), 0
    one, excess, positive = np.int64(1) << np.int64(shift), work.excess, work.positive
    flat, places, terms = positive.reshape(-1), work.places, work.terms
    for b in range(len(below)):
        _unpack(below[b], shift, sums, counts)
        slots, n_here = columns.slots[b], min(_WIDTH, len(work.chosen) - b * _WIDTH)
        flat[:] = 0
        for row in own:
            number = np.float64(packed[row] - one)
            for w in range(_WIDTH):
                flat[slots[row, w]] += number
        _bound(n, total, 4 * least, sums, counts, positive, excess)
        for e in range(len(excess) - 1):
            n_open = 0  # counted first, all at once: most edges have none
            for w in range(_WIDTH):
                n_open += excess[e, w] >= 0
            if n_open == 0:
                continue
            for w in range(n_here):
                if excess[e, w] < 0:
                    continue
                f = b * _WIDTH + w
                left, seen, last = sums[e, w], counts[e, w], np.float32(np.inf)
                for p in range(edges[f, e], edges[f, e + 1]):
                    row = order[f, p]
                    if nodes[row] == node:
                        if values[f, p] > last + np.float32(_SAME):
                            difference = left * n - total * seen
                            gain = difference * difference / (seen * (n - seen))
                            if gain >= least:
                                if gain > top:
                                    top, least = gain, _least(gain, n)
                                n_found = _note(places, terms, n_found, f, p, gain)
                        left += np.float64(packed[row] - one)
                        seen += 1
                        last = values[f, p]
    return top, n_found


@njit(nogil=True)
def _bound(n, total, least, sums, counts, positive, excess):  # pragma: no cover - compiled
    """Fill ``excess`` (edges, width) of a block.

    A walk from one difference to another of some length goes no further than half of their sum.
    """
    slope, s, c = abs(total), sums.reshape(-1), counts.reshape(-1)
    p, x = positive.reshape(-1), excess.reshape(-1)
    for i in range(len(x) - _WIDTH):
        c0, c1, s0, s1 = c[i], c[i + _WIDTH], s[i], s[i + _WIDTH]
        length = n * (2 * p[i + _WIDTH] - (s1 - s0)) + slope * (c1 - c0)
        farthest = abs(s0 * n - total * c0) + abs(s1 * n - total * c1) + length
        low = c0 if c0 > 1.0 else 1.0
        high = c1 if c1 < n - 1.0 else n - 1.0
        at_low, at_high = low * (n - low), high * (n - high)
        product = at_low if at_low < at_high else at_high
        x[i] = farthest * farthest - least * product if c1 - c0 > 1 else -1.0


@njit(nogil=True)
def _choose(columns, residual, rows, total, size, work):  # pragma: no cover - compiled
    """Choose the features that may have the best split of few rows, but for rounding.

    Each row is compared with each, for all features at once. Features with values that are too near
    to be split are chosen in any case.
    """
    n, ranks, left, seen = np.float64(len(rows)), columns.ranks, work.left, work.seen
    gains = work.gains.reshape(-1)[: len(left)]
    gains[:] = 0.0
    for last in rows:
        left[:] = 0.0
        seen[:] = 0.0
        for row in rows:
            r = residual[row]
            for f in range(len(left)):
                left[f] += r if ranks[row, f] <= ranks[last, f] else 0.0
                seen[f] += 1.0 if ranks[row, f] <= ranks[last, f] else 0.0
        for f in range(len(left)):
            product = seen[f] * (n - seen[f])
            difference = left[f] * n - total * seen[f]
            gain = difference * difference / max(product, 0.5)
            gain = gain if product > 0 else 0.0
            gains[f] = gain if gain > gains[f] else gains[f]
    work.chosen[:] = 1
    top = 0.0
    for f in range(len(left)):
        top = max(top, gains[f] if columns.distinct[f] else 0.0)
    if top * (n - 1) > (_ROUNDING * n * size) ** 2:
        for f in range(len(left)):
            work.chosen[f] = gains[f] >= _NEAR * top or not columns.distinct[f]


@njit(nogil=True)
def _note(places, terms, n_found, f, p, gain):  # pragma: no cover - compiled
    """Enter a split, if there is room."""
    if n_found == _MOST_TIED:
        return n_found
    places[n_found, 0] = f
    places[n_found, 1] = p
    terms[n_found, 0] = gain
    return n_found + 1


@njit(nogil=True)
def _distinct(places, terms, n_found, chosen):  # pragma: no cover - compiled
    """Number of splits, each counted once; their features are chosen."""
    chosen[:] = 0
    n_left = 0
    for i in range(n_found):
        f, p = places[i, 0], places[i, 1]
        is_known = False
        for j in range(n_left):
            is_known |= places[j, 0] == f and places[j, 1] == p
        if not is_known:
            _move(places, terms, i, n_left)
            chosen[f] = 1
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
                    n_found = _note(work.places, work.terms, n_found, f, p, gain)
            left += residual[order[f, p]]
            last = values[f, p]
    n_found = _drop(work.places, work.terms, n_found, _NEAR * top)
    keys = np.empty(n_found, dtype=np.int64)
    for i in range(n_found):
        f, p = work.places[i, 0], work.places[i, 1]
        keys[i] = (f // _BLOCK * n_all + p) * _BLOCK + f % _BLOCK
    best, feature, place = 0.0, -1, 0
    for i in np.argsort(keys):
        if work.terms[i, 1] > best * work.terms[i, 2]:
            best = work.terms[i, 0]
            feature, place = work.places[i, 0], work.places[i, 1]
    return feature, place, best


@njit(nogil=True)
def _drop(places, terms, n_found, least):  # pragma: no cover - compiled
    """Keep splits with a gain from ``least`` on, and return their number."""
    n_kept = 0
    for i in range(n_found):
        if terms[i, 0] >= least:
            _move(places, terms, i, n_kept)
            n_kept += 1
    return n_kept


@njit(nogil=True)
def _move(places, terms, i, j):  # pragma: no cover - compiled
    """Enter split ``i`` in place of split ``j``, number by number: slices are expensive."""
    places[j, 0], places[j, 1] = places[i, 0], places[i, 1]
    terms[j, 0], terms[j, 1], terms[j, 2] = terms[i, 0], terms[i, 1], terms[i, 2]


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
