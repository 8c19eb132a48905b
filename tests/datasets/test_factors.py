import numpy as np
import pytest

from unweave.datasets import Factor, FactorSpace

SPACE = FactorSpace(
    [
        Factor("shape", (1, 2, 3), "categorical"),
        Factor("angle", (0, 1.5, 3, 4.5), "circular"),
        Factor("x", (0, 0.5), "ordinal"),
    ]
)


def test_rows_count_as_numpy_unravels_them():
    expected = np.stack(np.unravel_index(np.arange(24), (3, 4, 2)), axis=1)
    np.testing.assert_array_equal(SPACE.levels(np.arange(24)), expected)


def test_indices_undo_levels(rng):
    rows = rng.integers(0, len(SPACE), 100)
    np.testing.assert_array_equal(SPACE.indices(SPACE.levels(rows)), rows)


def test_values_are_looked_up():
    np.testing.assert_array_equal(SPACE.values([[2, 1, 1]]), [[3, 1.5, 0.5]])


def test_a_fixed_factor_stays_and_the_others_are_uniform():
    levels = SPACE.sample(12_000, random_state=0, fixed={"angle": 2})
    assert (levels[:, 1] == 2).all()
    counts = np.bincount(levels[:, 0] * 2 + levels[:, 2])
    # Six cells of 2000 expected: five degrees of freedom, chi-square below its 0.9999 quantile.
    assert ((counts - 2000) ** 2 / 2000).sum() < 25.7


def test_the_same_seed_gives_the_same_sample():
    first, second = (SPACE.sample(50, random_state=3) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Factor("x", ()), ValueError, "factor 'x' has no values"),
        (lambda: Factor("x", (1,), "cicular"), ValueError, "did you mean 'circular'"),
        (lambda: FactorSpace([]), ValueError, "at least one factor"),
        (lambda: FactorSpace([Factor("x", (1,))] * 2), ValueError, "must differ"),
        (lambda: SPACE.levels([24]), IndexError, r"must lie in \[0, 24\)"),
        (lambda: SPACE.levels([0.5]), TypeError, "must be integers"),
        (lambda: SPACE.levels([[0]]), IndexError, "one-dimensional"),
        (lambda: SPACE.indices([[0, 4, 0]]), ValueError, r"levels of 'angle' must lie in \[0, 4\)"),
        (lambda: SPACE.indices([[0, 0]]), ValueError, r"shape \(n, 3\)"),
        (
            lambda: SPACE.sample(1, random_state=0, fixed={"ange": 1}),
            ValueError,
            "did you mean 'angle'",
        ),
        (lambda: SPACE.sample(1, random_state=0, fixed={"angle": 4}), ValueError, "levels 0 to 3"),
    ],
)
def test_bad_input_is_a_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call()
