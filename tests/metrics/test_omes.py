import numpy as np
import pytest

from unweave.metrics import omes

SIZES = (4, 5, 6)
FACTORS = np.stack(np.meshgrid(*map(range, SIZES), indexing="ij"), -1).reshape(-1, 3)


@pytest.fixture(scope="module")
def codes():
    rng = np.random.default_rng(3)
    mixed = FACTORS @ rng.normal(size=(3, 4)) * [1, 0.1, 3, 1] + rng.normal(size=(120, 4))
    mixed[:, 3] = FACTORS[:, 1]
    return mixed


def pairs(k):
    """All ordered pairs of rows that differ in factor k alone."""
    rest = np.delete(FACTORS, k, axis=1)
    agree = (rest[:, None] == rest).all(axis=2) & (FACTORS[:, None, k] != FACTORS[:, k])
    return np.nonzero(agree)


# cov_factor and disentanglement_score of JacopoDapueto/transfer_disentanglement (omes.py), given
# these pairs and not rounded: alpha, their gamma, score.
@pytest.mark.parametrize(
    ("alpha", "pooling", "theirs"),
    [
        (1.0, "max", 0.6226011532274841),
        (1.0, "mean", 0.45479044978808747),
        (0.5, "max", 0.6519706659376512),
        (0.5, "mean", 0.5186572578745926),
        (0.2, "max", 0.6695923735637516),
        (0.2, "mean", 0.5569773427264956),
    ],
)
def test_it_is_what_the_code_of_the_authors_gives(codes, alpha, pooling, theirs):
    score = omes(codes, FACTORS, alpha=alpha, pooling=pooling, convention="dapueto2024", noise=None)
    assert float(score) == pytest.approx(theirs, abs=1e-9)


def test_weights_are_correlations_within_pairs(codes):
    found = omes(codes, FACTORS, convention="dapueto2024", noise=None).matrix
    for k in range(3):
        first, second = pairs(k)
        for j in range(4):
            correlation = np.corrcoef(codes[first, j], codes[second, j])[0, 1]
            assert found[j, k] == pytest.approx(1 - abs(correlation), abs=1e-9)


def test_redrawn_weights_of_a_grid_are_total_effect_indices(codes):
    """Sobol: the mean variance with all other factors fixed, over the variance."""
    found = omes(codes, FACTORS, noise=None).matrix
    cube = codes.reshape(*SIZES, 4)
    for k in range(3):
        within = cube.var(axis=k).mean(axis=(0, 1))
        expected = within / codes.var(axis=0)
        np.testing.assert_allclose(found[:, k], expected, atol=1e-9)


@pytest.mark.parametrize("size", [2, 3, 10])
def test_pairs_that_must_differ_cost_a_perfect_code(size):
    """Its correlation within such pairs is -1 / (levels - 1): nothing is left of two levels."""
    factors = np.stack(np.meshgrid(range(size), range(size)), -1).reshape(-1, 2)
    theirs = omes(factors, factors, convention="dapueto2024", noise=None)
    np.testing.assert_allclose(np.diag(theirs.matrix), 1 - 1 / (size - 1), atol=1e-9)
    assert float(omes(factors, factors, noise=None)) == pytest.approx(1.0)


def test_rows_that_are_drawn_estimate_the_weights_of_the_grid(codes, rng):
    rows = rng.choice(120, 60, replace=False)
    whole = omes(codes, FACTORS, noise=None).matrix
    part = omes(codes[rows], FACTORS[rows], noise=None).matrix
    np.testing.assert_allclose(part, whole, atol=0.2)


def test_overlap_and_multiple_encoding_are_distinguished():
    perfect = FACTORS.astype(float)
    twice = omes(np.concatenate([perfect, perfect], axis=1), FACTORS, noise=None).extras
    assert (twice["overlap"], twice["multiple_encoding"]) == pytest.approx((1, 5 / 6))
    # One latent for two of three factors of equal variance: each follows with weight 1/2.
    spread = np.stack([(FACTORS[:, k] - FACTORS[:, k].mean()) for k in range(3)], axis=1)
    spread /= spread.std(axis=0)
    shared = np.column_stack([spread[:, 0] + spread[:, 1], spread[:, 2]])
    both = omes(shared, FACTORS, noise=None)
    np.testing.assert_allclose(both.matrix, [[0.5, 0.5, 0], [0, 0, 1]], atol=1e-9)
    # O = 1 - (1/2 + 1/2) / 3 and M = 1 - (1/2) / 2, both times W = 1/2.
    assert both.per_factor["0"] == pytest.approx((2 / 3 + 3 / 4) / 4)


def test_rows_without_pairs_are_refused():
    diagonal = np.repeat(np.arange(5)[:, None], 2, axis=1)
    with pytest.raises(ValueError, match="no two of 5 rows differ in factor 'hue' alone"):
        omes(diagonal, diagonal, factor_names=["hue", "size"], noise=None)


def test_options_out_of_range_are_refused(codes):
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1, not 1.5"):
        omes(codes, FACTORS, alpha=1.5)
    with pytest.raises(ValueError, match="unknown pooling 'avg'"):
        omes(codes, FACTORS, pooling="avg")
