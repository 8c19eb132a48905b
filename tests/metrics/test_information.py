import numpy as np
import pytest
from scipy.special import gammaln
from sklearn.feature_selection import mutual_info_classif
from sklearn.metrics import adjusted_mutual_info_score, mutual_info_score
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from unweave.metrics import _kernels, infomec
from unweave.metrics._information import (
    bin_codes,
    binned_table,
    factor_levels,
    latent_information,
    neighbour_table,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_bins_are_those_of_numpy(rng, dtype, scale):
    codes = (rng.standard_normal((3000, 6)) * scale).astype(dtype)
    codes[:, 4] = np.round(codes[:, 4] / scale)  # many codes on the edges
    codes[:, 5] = 3.0
    ours = bin_codes(codes, 20)
    for j in range(6):
        edges = np.histogram(codes[:, j], 20)[1]
        expected = np.digitize(codes[:, j], edges[:-1]) - 1
        # A code that rounding alone keeps from an edge may be put on either side of it.
        distance = np.abs(codes[:, [j]].astype(float) - edges[1:-1]).min(axis=1)
        near = distance < 2.0**-21 * (edges[-1] - edges[0])
        assert j in (4, 5) or near.sum() <= 1
        np.testing.assert_array_equal(ours[j][~near], expected[~near])
        assert np.abs(ours[j] - expected).max() <= 1


@pytest.mark.parametrize(("offset", "scale"), [(0, 1), (0.1, 1), (1e9, 1), (1e6, 1e-9), (-3, 0.7)])
def test_levels_on_the_edges_stay_whole(offset, scale):
    levels = np.repeat(np.arange(21), 10)  # as many steps as bins: each level is on an edge
    codes = ((levels / 10 + offset) * scale)[:, None]
    np.testing.assert_array_equal(bin_codes(codes, 20)[0], np.minimum(levels, 19))


def test_quantile_bins_start_at_codes(rng):
    # With 20 n + 1 rows each quantile is a code, whose whole level belongs to the bin above.
    codes = rng.permutation(np.arange(2001))[:, None] * 0.1
    expected = np.searchsorted(np.arange(1, 20) * 100, np.arange(2001), side="right")
    for moved in (codes, codes + 1e6, codes * 1e-9):
        np.testing.assert_array_equal(np.sort(bin_codes(moved, 20, "quantile")[0]), expected)


def test_quantile_bins_hold_the_same_number_of_rows(rng):
    codes = np.exp(3 * rng.standard_normal((2000, 2)))
    counts = [np.bincount(row) for row in bin_codes(codes, 20, "quantile")]
    np.testing.assert_array_equal(counts, 100)


def test_quantile_bins_do_not_see_a_monotone_map(rng):
    codes = rng.standard_normal((500, 3))
    np.testing.assert_array_equal(
        bin_codes(codes, 10, "quantile"), bin_codes(np.exp(codes), 10, "quantile")
    )


@pytest.fixture
def binned(rng):
    factors = np.stack([rng.integers(0, 3, 400), rng.integers(0, 11, 400)], axis=1)
    codes = factors @ rng.standard_normal((2, 4)) + 0.3 * rng.standard_normal((400, 4))
    return bin_codes(codes, 8), *factor_levels(factors)


def test_information_is_that_of_scikit_learn(binned):
    bins, levels, n_levels = binned
    ours = binned_table(bins, levels, 8, n_levels).information
    expected = [[mutual_info_score(b, v) for v in levels] for b in bins]
    np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_expected_information_is_that_of_scikit_learn(binned):
    bins, levels, _ = binned
    log_factorial = gammaln(np.arange(401) + 1.0)
    for b in bins:
        for v in levels:
            table = contingency_matrix(b, v, sparse=True).astype(np.int64)
            expected = expected_mutual_information(table, 400)
            cells = _kernels.expected_information(
                np.bincount(b), np.bincount(v), 400, log_factorial
            )
            assert cells.sum() == pytest.approx(expected, rel=1e-9)


def test_adjusted_information_is_that_of_vinh_normalised_by_the_factor(binned):
    bins, levels, n_levels = binned
    ours = binned_table(bins, levels, 8, n_levels, "adjusted").normalised
    # Where a code has no more entropy than the factor, scikit-learn's "min" would divide by the
    # code's: compare with a factor against itself, and by the formula elsewhere.
    assert adjusted_mutual_info_score(levels[0], levels[0]) == pytest.approx(1.0)
    own = binned_table(levels[:1], levels[:1], 3, n_levels[:1], "adjusted").normalised
    assert own[0, 0] == pytest.approx(1.0)
    entropy = [mutual_info_score(v, v) for v in levels]
    for j, b in enumerate(bins):
        for k, v in enumerate(levels):
            table = contingency_matrix(b, v, sparse=True).astype(np.int64)
            chance = expected_mutual_information(table, 400)
            expected = (mutual_info_score(b, v) - chance) / (entropy[k] - chance)
            assert ours[j, k] == pytest.approx(expected, rel=1e-8)


def test_miller_madow_adds_half_a_cell_to_each_entropy(binned):
    bins, levels, n_levels = binned
    plug_in = binned_table(bins, levels, 8, n_levels).information
    ours = binned_table(bins, levels, 8, n_levels, "miller_madow").information
    for j, b in enumerate(bins):
        for k, v in enumerate(levels):
            cells = len(np.unique(b)) + len(np.unique(v)) - len(np.unique(b * 100 + v)) - 1
            assert ours[j, k] - plug_in[j, k] == pytest.approx(cells / 800)


def test_joint_entropy_is_that_of_the_pairs(binned):
    bins, levels, n_levels = binned
    pairs = bins[1] * 100 + levels[1]
    joint = binned_table(bins, levels, 8, n_levels).joint_entropy[1, 1]
    assert joint == pytest.approx(mutual_info_score(pairs, pairs))


@pytest.mark.parametrize("n_bins", [8, 300])
def test_information_between_latents_is_that_of_scikit_learn(rng, n_bins):
    codes = rng.standard_normal((900, 4)) @ rng.standard_normal((4, 4))
    bins = bin_codes(codes, n_bins)
    expected = [[mutual_info_score(a, b) for a in bins] for b in bins]
    np.testing.assert_allclose(latent_information(bins, n_bins), expected, atol=1e-12)


@pytest.mark.parametrize("n_neighbours", [1, 3, 10])
def test_information_from_neighbours_is_that_of_scikit_learn(rng, n_neighbours):
    factors = np.stack([rng.integers(0, 3, 600), rng.integers(0, 12, 600)], axis=1)
    factors[0, 1] = 77  # a level that one row alone has
    codes = factors @ rng.standard_normal((2, 3)) + 0.3 * rng.standard_normal((600, 3))
    levels, n_levels = factor_levels(factors)
    ours = neighbour_table(codes, levels, n_levels, n_neighbours).information
    for k in range(2):
        expected = mutual_info_classif(
            codes,
            factors[:, k],
            discrete_features=False,
            n_neighbors=n_neighbours,
            random_state=0,
        )
        np.testing.assert_allclose(ours[:, k], expected, atol=1e-9)


def test_information_from_neighbours_of_a_known_mixture(rng):
    # Two levels, unit normals two apart: I = h(mixture) - h(normal), by quadrature.
    grid = np.linspace(-12, 14, 20_001)
    density = sum(np.exp(-0.5 * (grid - m) ** 2) for m in (0, 2)) / np.sqrt(8 * np.pi)
    entropy = -np.trapezoid(density * np.log(density), grid)
    expected = entropy - 0.5 * np.log(2 * np.pi * np.e)
    factor = rng.integers(0, 2, (40_000, 1))
    codes = 2 * factor + rng.standard_normal((40_000, 1))
    levels, n_levels = factor_levels(factor)
    ours = neighbour_table(codes, levels, n_levels, 3).information[0, 0]
    assert ours == pytest.approx(expected, abs=0.01)


def test_equal_codes_have_neighbours_too(rng):
    factor = rng.integers(0, 5, (1000, 1))
    levels, n_levels = factor_levels(factor)
    table = neighbour_table(factor.astype(float), levels, n_levels, 10)
    assert table.normalised[0, 0] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("offset", [1e3, 1e6, 1e9])
def test_rounded_codes_are_informative_as_without_an_offset(rng, offset):
    """Beside an offset, decimals are rounded once more, which must not order equal distances."""
    factors = np.c_[rng.integers(0, 5, 600), rng.integers(0, 4, 600)]
    codes = np.round(factors + 0.3 * rng.standard_normal(factors.shape), 1)
    plain, moved = (infomec(z, factors, noise=None) for z in (codes, codes + offset))
    assert float(moved["infom"]) == pytest.approx(float(plain["infom"]), abs=1e-3)
    assert float(moved["infoc"]) == pytest.approx(float(plain["infoc"]), abs=1e-3)


def test_a_latent_that_infomec_leaves_out_is_noted(rng):
    factors = np.c_[rng.integers(0, 5, 300), rng.integers(0, 4, 300)]
    codes = factors + 0.3 * rng.standard_normal(factors.shape)
    assert infomec(codes, factors, noise=None)["infom"].notes == ()
    for score in infomec(codes * [1, 1e6], factors, noise=None).values():
        assert any(r"leave out latents [0]: each spans less than 0.05" in n for n in score.notes)
