"""What explains scores, on tables of which the answer is known."""

import itertools

import numpy as np
import polars as pl
import pytest
from scipy import stats

from unweave.statistics.agreement import last_scores, metric_agreement, relation
from unweave.statistics.selection import selection_quality, transfer
from unweave.statistics.variance import explained_variance

DEFAULTS = {
    "dataset": "dsprites",
    "network": "burgess",
    "width": 1.0,
    "depth": 1,
    "n_latents": 10,
    "n_images": 737280,
    "batch_size": 64,
    "learning_rate": 5e-4,
    "metric": "mig",
    "step": 100,
}


def table(rows):
    made = [{**DEFAULTS, "run": str(i), **row} for i, row in enumerate(rows)]
    return pl.DataFrame(made, infer_schema_length=None)


def factorial(effect, n_seeds=8, noise=1.0, seed=0, objectives=3, strengths=4, widths=2):
    rng = np.random.default_rng(seed)
    cells = itertools.product(range(objectives), range(strengths), range(widths), range(n_seeds))
    return table(
        {
            "objective": f"o{o}",
            "strength": float(s),
            "width": 1.0 + w,
            "seed": k,
            "value": effect(o, s, w) + noise * rng.standard_normal(),
        }
        for o, s, w, k in cells
    )


def by_source(found):
    return {share.source: share for share in found}


def test_shares_of_a_balanced_study_are_those_of_the_analysis_of_variance():
    """Against sums of squares from cell means, written out."""
    data = factorial(lambda o, s, w: 0.8 * o + 0.5 * s * (o == 1) + w)
    found = by_source(explained_variance(data))
    values = data["value"].to_numpy().reshape(3, 4, 2, 8)
    total = ((values - values.mean()) ** 2).sum()
    squares = {
        "objective": 64 * ((values.mean(axis=(1, 2, 3)) - values.mean()) ** 2).sum(),
        "hyper-parameters": 16
        * ((values.mean(axis=(2, 3)) - values.mean(axis=(1, 2, 3))[:, None]) ** 2).sum(),
        "scale": 96 * ((values.mean(axis=(0, 1, 3)) - values.mean()) ** 2).sum(),
        "seed": ((values - values.mean(axis=3, keepdims=True)) ** 2).sum(),
    }
    squares["interactions"] = total - sum(squares.values())
    dfs = {"objective": 2, "hyper-parameters": 9, "scale": 1, "interactions": 11, "seed": 168}
    assert set(found) == set(squares)
    noise = squares["seed"] / dfs["seed"]
    for source, square in squares.items():
        assert found[source].share == pytest.approx(square / total)
        assert found[source].df == dfs[source]
        if source != "seed":
            expected = (square - dfs[source] * noise) / total
            assert found[source].adjusted == pytest.approx(expected)
    assert sum(share.share for share in found.values()) == pytest.approx(1)
    assert sum(share.adjusted for share in found.values()) == pytest.approx(1)
    p = stats.f_oneway(*values.reshape(3, -1)).pvalue
    assert p < 0.01
    assert found["objective"].low > 0


def test_what_counts_as_scale_can_be_said():
    data = factorial(lambda o, s, w: 0.8 * o + w * o)
    latents = data.drop("n_latents", strict=False).rename({"width": "n_latents"})
    assert explained_variance(latents, ["n_latents"]) == explained_variance(data)
    assert "scale" not in by_source(explained_variance(latents))


def test_without_any_effect_adjusted_shares_are_nought_and_plain_ones_are_not():
    plain, adjusted = [], []
    for seed in range(60):
        found = by_source(explained_variance(factorial(lambda o, s, w: 0, n_seeds=3, seed=seed)))
        plain.append(found["hyper-parameters"].share)
        adjusted.append(found["hyper-parameters"].adjusted)
    assert np.mean(plain) == pytest.approx(9 / 71, abs=0.02)
    assert abs(np.mean(adjusted)) < 3 * np.std(adjusted) / np.sqrt(60)


def adjusted_share_of_two_objectives(values):
    """Of values (objectives, widths, seeds), from their means: epsilon squared, written out."""
    o, w, s = values.shape
    total = ((values - values.mean()) ** 2).sum()
    between = w * s * ((values.mean(axis=(1, 2)) - values.mean()) ** 2).sum()
    within = ((values - values.mean(axis=2, keepdims=True)) ** 2).sum()
    return (between - (o - 1) * within / (o * w * (s - 1))) / total


def two_objectives(seed):
    return factorial(
        lambda o, s, w: 2.0 * o - 1, objectives=2, strengths=1, widths=2, n_seeds=10, seed=seed
    )


def test_the_interval_of_a_share_is_the_jackknife_over_seeds():
    data = two_objectives(0)
    share = by_source(explained_variance(data))["objective"]
    values = data["value"].to_numpy().reshape(2, 2, 10)
    left = [adjusted_share_of_two_objectives(np.delete(values, k, axis=2)) for k in range(10)]
    error = np.sqrt(9 / 10 * ((left - np.mean(left)) ** 2).sum())
    assert share.adjusted == pytest.approx(adjusted_share_of_two_objectives(values))
    assert share.high - share.adjusted == pytest.approx(stats.t.ppf(0.975, 9) * error)
    assert share.adjusted - share.low == pytest.approx(stats.t.ppf(0.975, 9) * error)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Share of an effect of known variance: 1 of 2 in all for objectives -1 and 1."""
    shares = [
        by_source(explained_variance(two_objectives(seed)))["objective"] for seed in range(60)
    ]
    inside = sum(share.low <= 0.5 <= share.high for share in shares)
    assert 52 <= inside <= 59
    half_width = np.mean([share.high - share.low for share in shares]) / 2
    spread = np.std([share.adjusted for share in shares])
    assert half_width == pytest.approx(stats.t.ppf(0.975, 9) * spread, rel=0.25)


def test_one_seed_tells_nothing():
    with pytest.raises(ValueError, match="effect of the seed cannot be separated"):
        explained_variance(factorial(lambda o, s, w: o, n_seeds=1))
    two = factorial(lambda o, s, w: o, n_seeds=2)
    assert np.isinf(by_source(explained_variance(two))["seed"].low)
    mixed = two.with_columns(metric=pl.Series(["mig", "sap"] * (two.height // 2)))
    with pytest.raises(ValueError, match="several metrics"):
        explained_variance(mixed)


def test_scores_that_do_not_vary_have_nothing_to_explain():
    flat = factorial(lambda o, s, w: 1.0, noise=0.0)
    assert all(share.share == 0 for share in explained_variance(flat))


def metrics(columns):
    return table(
        {"run": str(i), "objective": "vae", "strength": None, "seed": i, "metric": name, "value": v}
        for name, values in columns.items()
        for i, v in enumerate(values)
    )


def test_metrics_that_agree_stand_beside_each_other(rng):
    a, b = rng.standard_normal((2, 60))
    columns = {"a1": a, "b1": b, "a2": a + 0.1 * b, "b2": np.exp(b), "still": np.ones(60)}
    found = metric_agreement(metrics(columns))
    assert found.n_models == 60
    place = {name: i for i, name in enumerate(found.metrics)}
    assert abs(place["a1"] - place["a2"]) == 1
    assert abs(place["b1"] - place["b2"]) == 1
    assert found.correlations[place["b1"], place["b2"]] == pytest.approx(1)
    expected = stats.spearmanr(a, columns["a2"]).statistic
    assert found.correlations[place["a1"], place["a2"]] == pytest.approx(expected)
    assert np.isnan(found.correlations[place["still"], place["a1"]])
    assert relation(metrics(columns), "a1", "a2").correlation == pytest.approx(expected)
    assert metric_agreement(metrics({"a1": a})) is None


def test_choosing_by_a_good_ranking_gains_and_by_noise_does_not(rng):
    quality = rng.standard_normal(40)
    scored = metrics({"mig": quality, "sap": rng.standard_normal(40)})
    ranked = pl.DataFrame({"run": [str(i) for i in range(40)], "udr": np.exp(quality)})
    mig, sap = selection_quality(scored, ranked)
    assert (mig.metric, mig.correlation, mig.chosen) == ("mig", pytest.approx(1), mig.best)
    assert mig.p_value < 0.01
    assert abs(sap.correlation) < 0.5
    assert sap.mean < sap.best
    (against,) = selection_quality(metrics({"mig": -quality}), ranked)
    assert against.correlation == pytest.approx(-1)
    assert against.p_value < 0.01
    assert against.chosen == min(-quality)
    with pytest.raises(ValueError, match="a relation needs three"):
        selection_quality(scored, ranked.head(2))


def test_settings_transfer_where_data_sets_agree(rng):
    def rows(same):
        for dataset, strength, seed in itertools.product(["a", "b"], range(8), range(3)):
            value = strength if dataset == "a" or same else -strength
            yield {
                "dataset": dataset,
                "objective": "beta_vae",
                "strength": float(strength),
                "seed": seed,
                "value": value + 0.1 * rng.standard_normal(),
            }

    forth, back = transfer(table(rows(same=True)))
    assert (forth.source, forth.target, back.source) == ("a", "b", "b")
    assert forth.correlation == pytest.approx(1)
    assert forth.better_than_random == 1
    assert forth.n_settings == 8
    against, _ = transfer(table(rows(same=False)))
    assert against.correlation == pytest.approx(-1)
    assert against.better_than_random == 0
    assert transfer(table(rows(same=True)).filter(pl.col("dataset") == "a")) == []


def test_a_metric_of_few_models_does_not_cost_the_others_theirs(rng):
    """As that of quantised codes, which one method of four has."""
    data = metrics({"mig": rng.normal(size=20), "sap": rng.normal(size=20)})
    few = data.filter(pl.col("metric") == "sap").head(5).with_columns(pl.lit("few").alias("metric"))
    both = pl.concat([data, few])
    assert metric_agreement(both).metrics == metric_agreement(data).metrics
    assert metric_agreement(both).n_models == 20
    assert relation(both, "mig", "few").n_models == 5


def test_what_each_objective_has_for_itself_is_not_scale():
    """A network that one objective has and the other has not is a part of the objective."""
    data = factorial(lambda o, s, w: o + w, noise=0.1)
    own = data.with_columns(("net" + pl.col("objective")).alias("network"))
    expected, found = (by_source(explained_variance(one)) for one in (data, own))
    assert {k: v.df for k, v in found.items()} == {k: v.df for k, v in expected.items()}
    assert found["scale"].share == pytest.approx(expected["scale"].share)


def test_each_run_counts_at_its_own_last_milestone(rng):
    """As in a study of which some runs went on for longer."""
    ends = [100, 100, 200, 200, 300]
    last = {name: rng.standard_normal(5) for name in ("mig", "sap")}
    rows = [
        {"run": str(i), "seed": i, "objective": "vae", "metric": name, "step": step}
        | {"value": values[i] if step == ends[i] else 10.0 + i}
        for name, values in last.items()
        for i in range(5)
        for step in range(100, ends[i] + 1, 100)
    ]
    found = last_scores(table(rows)).sort("run")
    assert found["run"].to_list() == ["0", "1", "2", "3", "4"]
    for name, values in last.items():
        np.testing.assert_array_equal(found[name], values)
    expected = stats.spearmanr(*last.values()).statistic
    agreement = metric_agreement(table(rows))
    assert agreement.n_models == 5
    assert agreement.correlations[0, 1] == pytest.approx(expected)
    assert relation(table(rows), "mig", "sap").correlation == pytest.approx(expected)
