"""Compiled inner loops of the metrics. Imported on first use: numba takes half a second."""

from __future__ import annotations

import numpy as np

from unweave._compiled import njit

__all__ = [
    "digitise",
    "expected_information",
    "group_rows",
    "grouped_deviations",
    "joint_terms",
    "least_variance",
    "mean_differences",
    "mixture_densities",
    "neighbour_information",
    "pair_terms",
    "svm_accuracy",
    "variances",
]


@njit(nogil=True)
def digitise(codes, edges):  # pragma: no cover - compiled
    """Bin (latents, samples) of each code: how many lower edges (latents, bins) lie at or below."""
    n_latents, n_samples = codes.shape
    n_bins = edges.shape[1]
    bins = np.empty((n_latents, n_samples), dtype=np.int32)
    for j in range(n_latents):
        low = edges[j, 0]
        width = edges[j, n_bins - 1] - low
        scale = (n_bins - 1) / width if width > 0 else 0.0
        for i in range(n_samples):
            x = codes[j, i]
            # Guess as if the edges were evenly spaced, then settle it by comparison.
            b = min(max(int((x - low) * scale), 0), n_bins - 1)
            while b > 0 and edges[j, b] > x:
                b -= 1
            while b + 1 < n_bins and edges[j, b + 1] <= x:
                b += 1
            bins[j, i] = b
    return bins


@njit(nogil=True)
def joint_terms(bins, levels, n_bins, n_levels):  # pragma: no cover - compiled
    """Sum of c log c over the joint counts c of latent and factor, and the cells that are filled.

    Both (latents, factors), from ``bins`` (latents, samples) and ``levels`` (factors, samples).
    """
    n_latents, n_samples = bins.shape
    n_factors = levels.shape[0]
    terms = np.empty((n_latents, n_factors))
    filled = np.empty((n_latents, n_factors), dtype=np.int64)
    c_log_c = np.zeros(n_samples + 1)
    for c in range(2, n_samples + 1):
        c_log_c[c] = c * np.log(c)
    for j in range(n_latents):
        for k in range(n_factors):
            width = n_levels[k]
            counts = np.zeros(n_bins * width, dtype=np.int32)
            for i in range(n_samples):
                counts[bins[j, i] * width + levels[k, i]] += 1
            total = 0.0
            cells = 0
            for c in counts:
                if c > 0:
                    total += c_log_c[c]
                    cells += 1
            terms[j, k] = total
            filled[j, k] = cells
    return terms, filled


@njit(nogil=True)
def pair_terms(bins, n_bins):  # pragma: no cover - compiled
    """Sum of c log c over the joint counts c of each two latents (latents, latents).

    The diagonal is that of the latent's own counts. ``bins`` (latents, samples).
    """
    n_latents, n_samples = bins.shape
    terms = np.empty((n_latents, n_latents))
    c_log_c = np.zeros(n_samples + 1)
    for c in range(2, n_samples + 1):
        c_log_c[c] = c * np.log(c)
    counts = np.zeros(n_bins * n_bins, dtype=np.int32)
    for a in range(n_latents):
        for b in range(a, n_latents):
            counts[:] = 0
            for i in range(n_samples):
                counts[np.int64(bins[a, i]) * n_bins + bins[b, i]] += 1
            total = 0.0
            for c in counts:
                total += c_log_c[c]
            terms[a, b] = total
            terms[b, a] = total
    return terms


@njit(nogil=True)
def neighbour_information(columns, ordered, levels, n_levels, n_neighbours, psi):
    """Ross's estimate (latents, factors) in nats; never negative.

    ``columns`` (latents, samples) and ``ordered``, the same shape: each latent's rows by value.
    ``psi`` is the digamma function of 0 (unused), 1, 2 ... samples. No two values may be equal.
    """
    n_latents, n_samples = columns.shape
    n_factors = levels.shape[0]
    information = np.zeros((n_latents, n_factors))
    for k in range(n_factors):
        counts = np.zeros(n_levels[k], dtype=np.int64)
        for i in range(n_samples):
            counts[levels[k, i]] += 1
        starts = np.zeros(n_levels[k] + 1, dtype=np.int64)
        starts[1:] = np.cumsum(counts)
        paired = 0
        for c in counts:
            if c > 1:
                paired += c
        for j in range(n_latents):
            # Sorted values of all rows that have company, and of each level, with their places.
            whole = np.empty(paired)
            own = np.empty(n_samples)
            places = np.empty(n_samples, dtype=np.int64)
            filled = starts[:-1].copy()
            w = 0
            for i in range(n_samples):
                row = ordered[j, i]
                level = levels[k, row]
                own[filled[level]] = columns[j, row]
                places[filled[level]] = w
                filled[level] += 1
                if counts[level] > 1:
                    whole[w] = columns[j, row]
                    w += 1
            total = 0.0
            for level in range(n_levels[k]):
                size = counts[level]
                if size < 2:
                    continue
                near = min(n_neighbours, size - 1)
                values = own[starts[level] : starts[level + 1]]
                place = places[starts[level] : starts[level + 1]]
                left = 0
                for i in range(size):
                    x = values[i]
                    # The window of near + 1 values around x whose farther end is nearest to it.
                    left = max(left, i - near)
                    while (
                        left < i
                        and left + near + 1 < size
                        and values[left + near + 1] - x < x - values[left]
                    ):
                        left += 1
                    right = left + near
                    below, above = x - values[left], values[right] - x
                    radius = np.nextafter(max(below, above), 0.0)
                    # The farther end is the neighbour, and must stay outside. The other side ends
                    # before the next value of this level.
                    if below >= above:
                        first = place[left]
                        last = place[right + 1] if right + 1 < size else paired
                        low = place[right]
                        while last > low and whole[last - 1] - x > radius:
                            middle = (low + last) // 2
                            if whole[middle] - x > radius:
                                last = middle
                            else:
                                low = middle + 1
                    else:
                        last = place[right]
                        first, high = place[left - 1] + 1 if left > 0 else 0, place[left]
                        while first < high and x - whole[first] > radius:
                            middle = (first + high) // 2
                            if x - whole[middle] > radius:
                                first = middle + 1
                            else:
                                high = middle
                    while x - whole[first] > radius:
                        first += 1
                    while whole[last - 1] - x > radius:
                        last -= 1
                    total += psi[near] - psi[size] - psi[last - first]
            if paired > 0:
                information[j, k] = max(psi[paired] + total / paired, 0.0)
    return information


@njit(nogil=True)
def expected_information(rows, columns, n, log_factorial):  # pragma: no cover - compiled
    """Mean contribution (rows, columns) in nats of one cell with these margins to the information.

    All permutations of the n samples are as likely: Vinh et al. (2010), equation 24a, whose inner
    sum over the cell's count is walked from the mode of its hypergeometric weights outwards, and
    left where they vanish.
    """
    expected = np.zeros((len(rows), len(columns)))
    log = np.zeros(n + 1)
    for c in range(1, n + 1):
        log[c] = np.log(c)
    for i in range(len(rows)):
        a = rows[i]
        for j in range(len(columns)):
            b = columns[j]
            if a == 0 or b == 0:
                continue
            low, high = max(0, a + b - n), min(a, b)
            mode = min(max((a + 1) * (b + 1) // (n + 2), low), high)
            start = np.exp(
                log_factorial[a] + log_factorial[b]
                + log_factorial[n - a] + log_factorial[n - b]
                - log_factorial[n] - log_factorial[mode]
                - log_factorial[a - mode] - log_factorial[b - mode]
                - log_factorial[n - a - b + mode]
            )  # fmt: skip
            shift = log[n] - log[a] - log[b]
            total = 0.0
            weight = start
            c = mode
            while c <= high and weight > 1e-15:
                total += weight * c * (log[c] + shift)
                weight *= (a - c) * (b - c) / ((c + 1.0) * (n - a - b + c + 1.0))
                c += 1
            weight = start
            c = mode
            while c > low and weight > 1e-15:
                weight *= c * (n - a - b + c) / ((a - c + 1.0) * (b - c + 1.0))
                c -= 1
                total += weight * c * (log[c] + shift)
            expected[i, j] = total / n
    return expected


@njit(nogil=True)
def group_rows(levels, n_levels):  # pragma: no cover - compiled
    """Rows (rows,) group by group, and where each group of equal levels starts (levels + 1,)."""
    starts = np.zeros(n_levels + 1, dtype=np.int64)
    for level in levels:
        starts[level + 1] += 1
    for g in range(n_levels):
        starts[g + 1] += starts[g]
    filled = starts[:-1].copy()
    order = np.empty(len(levels), dtype=np.int64)
    for i in range(len(levels)):
        order[filled[levels[i]]] = i
        filled[levels[i]] += 1
    return order, starts


@njit(nogil=True)
def mean_differences(codes, first, second):  # pragma: no cover - compiled
    """Mean |codes[first] - codes[second]| (points, latents) over each batch (points, batch)."""
    n_points, batch = first.shape
    means = np.zeros((n_points, codes.shape[1]))
    for p in range(n_points):
        for b in range(batch):
            one, other = codes[first[p, b]], codes[second[p, b]]
            for j in range(codes.shape[1]):
                means[p, j] += abs(one[j] - other[j])
        # Numba takes seconds to compile a division of the row: it may raise an error of shapes.
        for j in range(codes.shape[1]):
            means[p, j] /= batch
    return means


@njit(nogil=True)
def variances(codes):  # pragma: no cover - compiled
    """Unbiased variance (latents,) of ``codes`` (samples, latents)."""
    n, n_latents = codes.shape
    sums, squares = np.zeros(n_latents), np.zeros(n_latents)
    for i in range(n):
        for j in range(n_latents):
            x = np.float64(codes[i, j]) - codes[0, j]
            sums[j] += x
            squares[j] += x * x
    return np.maximum(squares - sums * sums / n, 0.0) / max(n - 1, 1)


@njit(nogil=True)
def least_variance(codes, rows, variances):  # pragma: no cover - compiled
    """Latent (points,) whose variance within each batch is the least share of ``variances``.

    ``rows`` (points, batch); latents whose entry in ``variances`` is 0 take no part.
    """
    n_points, batch = rows.shape
    n_latents = codes.shape[1]
    least = np.empty(n_points, dtype=np.int64)
    for p in range(n_points):
        sums, squares = np.zeros(n_latents), np.zeros(n_latents)
        origin = codes[rows[p, 0]]
        for b in range(batch):
            row = codes[rows[p, b]]
            for j in range(n_latents):
                x = np.float64(row[j]) - origin[j]
                sums[j] += x
                squares[j] += x * x
        best = np.inf
        least[p] = -1
        for j in range(n_latents):
            if variances[j] > 0:
                share = (squares[j] - sums[j] * sums[j] / batch) / variances[j]
                if share < best:
                    best = share
                    least[p] = j
    return least


@njit(nogil=True)
def grouped_deviations(columns, order, starts, quantile):  # pragma: no cover - compiled
    """Mean over groups (latents,) of a quantile of the distances to the group's mean.

    ``columns`` (latents, samples); ``order`` lists the rows group by group, ``starts`` says where
    each group begins, its last entry being the number of rows.
    """
    deviations = np.zeros(len(columns))
    n_groups = len(starts) - 1
    for j in range(len(columns)):
        for g in range(n_groups):
            rows = order[starts[g] : starts[g + 1]]
            mean = 0.0
            for row in rows:
                mean += columns[j, row]
            mean /= len(rows)
            distances = np.empty(len(rows))
            for i in range(len(rows)):
                distances[i] = abs(columns[j, rows[i]] - mean)
            at = quantile * (len(rows) - 1)
            low = int(at)
            distances = np.partition(distances, low)
            above = distances[low + 1 :].min() if low + 1 < len(rows) else distances[low]
            deviations[j] += distances[low] + (at - low) * (above - distances[low])
        deviations[j] /= n_groups
    return deviations


@njit(nogil=True)
def mixture_densities(means, deviations, levels, n_levels, grid, reach):  # pragma: no cover
    """Sums (all levels of all factors, grid) of the normal densities of the rows of each level.

    ``means`` and ``deviations`` (rows,), ``levels`` (factors, rows), ``grid`` evenly spaced. A row
    counts up to ``reach`` deviations from its mean.
    """
    n_factors, n_rows = levels.shape
    offsets = np.zeros(n_factors, dtype=np.int64)
    for k in range(1, n_factors):
        offsets[k] = offsets[k - 1] + n_levels[k - 1]
    densities = np.zeros((n_levels.sum(), len(grid)))
    step = grid[1] - grid[0]
    for i in range(n_rows):
        mean, deviation = means[i], deviations[i]
        first = max(0, int((mean - reach * deviation - grid[0]) / step))
        last = min(len(grid) - 1, int((mean + reach * deviation - grid[0]) / step) + 1)
        scale = 1.0 / (deviation * np.sqrt(2 * np.pi))
        for g in range(first, last + 1):
            u = (grid[g] - mean) / deviation
            density = scale * np.exp(-0.5 * u * u)
            for k in range(n_factors):
                densities[offsets[k] + levels[k, i], g] += density
    return densities


@njit(nogil=True)
def svm_accuracy(train, train_levels, test, test_levels, n_levels, C):  # pragma: no cover
    """Accuracy (latents, factors) of a linear SVM that reads one factor from one latent.

    The problem is that of liblinear with a squared hinge, one class against the rest and balanced
    weights: the bias is regularised, and of the two weights only that of the positive class is
    balanced (both are with two classes). With one input it has two unknowns, and sums over sorted
    codes turn each Newton step into two binary searches.

    ``train`` (latents, samples), ``train_levels`` (factors, samples), likewise for ``test``.
    """
    n_latents, n_samples = train.shape
    n_factors = train_levels.shape[0]
    accuracy = np.empty((n_latents, n_factors))
    for j in range(n_latents):
        order = np.argsort(train[j])
        x = train[j][order].astype(np.float64)
        sums = _prefix_sums(x)
        for k in range(n_factors):
            slope, bias = _one_against_rest(x, sums, train_levels[k][order], n_levels[k], C)
            hits = 0
            for i in range(test.shape[1]):
                value = float(test[j, i])
                best = 0
                if n_levels[k] == 2:
                    best = 1 if slope[1] * value + bias[1] > 0 else 0
                else:
                    for c in range(1, n_levels[k]):
                        if slope[c] * value + bias[c] > slope[best] * value + bias[best]:
                            best = c
                hits += best == test_levels[k, i]
            accuracy[j, k] = hits / test.shape[1]
    return accuracy


@njit(nogil=True)
def _prefix_sums(x):  # pragma: no cover - compiled
    sums = np.zeros((3, len(x) + 1))
    for i in range(len(x)):
        sums[0, i + 1] = sums[0, i] + 1
        sums[1, i + 1] = sums[1, i] + x[i]
        sums[2, i + 1] = sums[2, i] + x[i] * x[i]
    return sums


@njit(nogil=True)
def _one_against_rest(x, sums, levels, n_levels, C):  # pragma: no cover - compiled
    """Slope and bias of each level's SVM on sorted ``x``; of level 1 only if there are two."""
    n = len(x)
    slope, bias = np.zeros(n_levels), np.full(n_levels, -np.inf)
    for c in range(n_levels):
        if n_levels == 2 and c == 0:
            continue
        own = x[levels == c]
        if len(own) == 0:
            continue
        own_sums = _prefix_sums(own)
        positive = C * n / (n_levels * len(own))
        negative = C * n / (n_levels * (n - len(own))) if n_levels == 2 else C
        slope[c], bias[c] = _newton(x, sums, own, own_sums, positive, negative)
    return slope, bias


@njit(nogil=True)
def _active(x, sums, w, b, bound, below):  # pragma: no cover - compiled
    """Count, sum and sum of squares of the x with w x + b below (or above) the bound."""
    n = len(x)
    if w == 0.0:
        first, last = (0, n) if (b < bound) == below and b != bound else (0, 0)
    else:
        at = (bound - b) / w
        if (w > 0) == below:
            first, last = 0, np.searchsorted(x, at)
        else:
            first, last = np.searchsorted(x, at), n
    return (
        sums[0, last] - sums[0, first],
        sums[1, last] - sums[1, first],
        sums[2, last] - sums[2, first],
    )


@njit(nogil=True)
def _svm_terms(x, sums, own, own_sums, positive, negative, w, b):  # pragma: no cover - compiled
    """Loss, gradient and Hessian of the squared-hinge SVM at (w, b)."""
    p0, p1, p2 = _active(own, own_sums, w, b, 1.0, True)
    a0, a1, a2 = _active(x, sums, w, b, -1.0, False)
    o0, o1, o2 = _active(own, own_sums, w, b, -1.0, False)
    n0, n1, n2 = a0 - o0, a1 - o1, a2 - o2
    loss = 0.5 * (w * w + b * b)
    loss += positive * (p0 * (1 - b) ** 2 - 2 * (1 - b) * w * p1 + w * w * p2)
    loss += negative * (n0 * (1 + b) ** 2 + 2 * (1 + b) * w * n1 + w * w * n2)
    gw = w + 2 * positive * (w * p2 - (1 - b) * p1) + 2 * negative * (w * n2 + (1 + b) * n1)
    gb = b + 2 * positive * (w * p1 - (1 - b) * p0) + 2 * negative * (w * n1 + (1 + b) * n0)
    hww = 1 + 2 * (positive * p2 + negative * n2)
    hwb = 2 * (positive * p1 + negative * n1)
    hbb = 1 + 2 * (positive * p0 + negative * n0)
    return loss, gw, gb, hww, hwb, hbb


@njit(nogil=True)
def _newton(x, sums, own, own_sums, positive, negative):  # pragma: no cover - compiled
    w, b = 0.0, 0.0
    loss, gw, gb, hww, hwb, hbb = _svm_terms(x, sums, own, own_sums, positive, negative, w, b)
    for _ in range(100):
        determinant = hww * hbb - hwb * hwb
        dw = -(hbb * gw - hwb * gb) / determinant
        db = -(hww * gb - hwb * gw) / determinant
        decrease = -(gw * dw + gb * db)
        if decrease <= 1e-14 * (1 + loss):
            break
        step = 1.0
        while True:
            terms = _svm_terms(
                x, sums, own, own_sums, positive, negative, w + step * dw, b + step * db
            )
            if terms[0] <= loss - 1e-4 * step * decrease or step < 1e-10:
                break
            step *= 0.5
        w += step * dw
        b += step * db
        loss, gw, gb, hww, hwb, hbb = terms
    return w, b
