"""Whether factors depend on each other is said where it matters, and nowhere else."""

import json

import numpy as np
import pytest
from scipy.stats import norm

from unweave.metrics import BY_DEFAULT, METRICS, Metric, Sample, evaluate
from unweave.metrics.factor_dependence import factor_dependence

GRID = np.stack(np.meshgrid(range(4), range(5), range(6), indexing="ij"), -1).reshape(-1, 3)


def drawn(rng, n, correlation, n_levels=5):
    covariance = np.full((3, 3), correlation) + (1 - correlation) * np.eye(3)
    normal = rng.multivariate_normal(np.zeros(3), covariance, n)
    return np.floor(norm.cdf(normal) * n_levels).clip(0, n_levels - 1).astype(int)


def found(factors, **options):
    return factor_dependence(Sample.of(np.arange(len(factors))[:, None], factors, **options))


def test_grids_and_independent_factors_are_not_told_of(rng):
    assert found(GRID) is None
    false = [found(drawn(rng, n, 0.0)) is not None for n in (60, 200, 1000) for _ in range(30)]
    assert np.mean(false) <= 0.05
    assert found(rng.standard_normal((500, 2)), factor_kinds=["continuous"] * 2) is None
    assert found(GRID[:, :1]) is None


def test_what_is_shared_is_0_for_independent_factors_and_1_for_one_that_follows(rng):
    size = rng.integers(6, size=900)
    told = found(np.stack([rng.integers(3, size=900), size, size % 3], axis=1))
    assert (told.first, told.second, told.p_value) == ("1", "2", 0.01)
    assert told.share == pytest.approx(1)
    half = np.where(rng.random(20_000) < 0.5, 0, rng.integers(2, size=20_000))
    coin = rng.integers(2, size=20_000)
    copied = np.where(half == 1, coin, rng.integers(2, size=20_000))
    # Agreement in 5/8 of the rows: one less the entropy of 5/8, in bits.
    expected = 1 + 5 / 8 * np.log2(5 / 8) + 3 / 8 * np.log2(3 / 8)
    told = found(np.stack([coin, copied], axis=1))
    assert told.share == pytest.approx(expected, abs=0.01)


def test_factors_of_any_kind_are_compared(rng):
    normal = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 1000)
    assert found(normal, factor_kinds=["continuous"] * 2).share > 0.1
    assert found(normal % (2 * np.pi), factor_kinds=["circular"] * 2).share > 0.1
    names = np.array([f"row {i}" for i in range(1000)])
    with_names = np.column_stack([names, np.where(normal > 0, "high", "low")])
    told = found(with_names, factor_kinds=["categorical"] * 3)
    assert (told.first, told.second) == ("1", "2")  # no row tells anything of its own name


def test_scores_that_assume_independence_have_a_note(rng, cli, tmp_path):
    factors = drawn(rng, 600, 0.7)
    codes = factors + 0.3 * rng.standard_normal(factors.shape)
    asked = ["mig", "sap", "linear_r2"]
    scores = evaluate(codes, factors, metrics=asked, factor_names=list("abc"), noise=None)
    told = scores.dependence
    (note,) = scores.notes
    assert note == told.note(["mig", "sap"])
    assert f"factors {told.first} and {told.second} depend on each other" in note
    assert "independent factors, and may be low" in note
    assert note in repr(scores)
    assert scores["mig"].to_dict()["notes"] == [note]
    assert scores["linear_r2"].notes == ()
    assert evaluate(codes, factors, metrics="linear_r2", noise=None).notes == ()
    plain = evaluate(GRID.astype(float), GRID, metrics=asked, noise=None)
    assert (plain.dependence, plain.notes) == (None, ())
    np.savez(tmp_path / "codes.npz", codes=codes, factors=factors)
    words = ("score", tmp_path / "codes.npz", "--metrics", "mig,linear_r2")
    code, printed, _ = cli(*words)
    assert code == 0
    assert "depend on each other" in " ".join(printed.split())
    _, printed, _ = cli(*words, "--json")
    assert json.loads(printed)["factor_dependence"]["share"] == pytest.approx(told.share)


def test_a_perfect_code_or_a_leak_moves_the_scores_that_assume_independence(rng):
    """And the others stay: what each metric says of itself is what it does."""
    moved = {}
    # The first two by definition alone; the last is a ratio of accuracies.
    unmoved = ("beta_vae", "factor_vae", "statistical_efficiency")
    names = [n for n in (*BY_DEFAULT, "t_mex") if n not in unmoved]
    values = []
    for correlation in (0.0, 0.9):
        factors = drawn(rng, 1500, correlation)
        codes = factors + 0.3 * rng.standard_normal(factors.shape)
        unit = (codes - codes.mean(axis=0)) / codes.std(axis=0)
        leaky = unit + 0.5 * unit[:, [1, 0, 2]] * [1, 1, 0]
        values.append([evaluate(z, factors, metrics=names, noise=None) for z in (codes, leaky)])
    for name in names:
        (perfect, leak), (perfect_too, leak_too) = [[float(s[name]) for s in v] for v in values]
        gain = perfect_too - perfect
        moved[name] = gain < -0.02 or leak_too - leak - gain > 0.04
        if METRICS[name].metric.best_when_small:
            moved[name] = abs(perfect_too - perfect) > 0.1
    assert moved == {n: METRICS[n].metric.assumes_independence(n) for n in names}


def test_a_stranger_assumes_independence_unless_it_says_otherwise(cli):
    class Mine(Metric):
        names = ("mine",)

        def read(self, sample):
            return {"mine": 0.5}

    class Bold(Mine):
        names = ("bold",)
        assume_independence = False

    assert Mine().assumes_independence("mine")
    assert not Bold().assumes_independence("bold")
    assert METRICS["dci_completeness"].metric.assumes_independence("dci_completeness")
    assert not METRICS["infoe"].metric.assumes_independence("infoe")
    _, printed, _ = cli("metrics", "t_mex")
    assert "factors: may depend on each other" in printed
    _, printed, _ = cli("metrics", "mig", "--json")
    assert json.loads(printed)["metrics"]["mig"]["assumes_independence"] is True
