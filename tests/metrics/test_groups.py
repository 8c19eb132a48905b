"""Groups of latents as units, and the codes of quantised models, by known answers."""

import json
import math

import numpy as np
import pytest
from sklearn.feature_selection import mutual_info_classif
from sklearn.metrics import mutual_info_score

from unweave.metrics import (
    GROUPED,
    METRICS,
    Noise,
    disentanglement_completeness_informativeness,
    evaluate,
    infomec,
    jemmig,
    mig_sup,
    modularity,
    mutual_information_entropy_disentanglement,
    mutual_information_gap,
)
from unweave.metrics._groups import read_groups
from unweave.metrics._information import ESTIMATORS, factor_levels, neighbour_table

FACTORS = np.stack(np.meshgrid(range(4), range(5), range(8), indexing="ij"), -1).reshape(-1, 3)
ANGLE = 2 * np.pi * FACTORS[:, 2] / 8
CIRCLE = np.column_stack([FACTORS[:, :2], np.cos(ANGLE), np.sin(ANGLE)])
GROUPS = [1, 1, 2]
FEW = Noise(n_permutations=6, n_projections=2, n_halves=6)


def grouped(name, codes=CIRCLE, factors=FACTORS, **options):
    return METRICS[name](codes, factors, noise=None, **options)


class TestGroups:
    @pytest.mark.parametrize(
        "name", ["mig", "rmig", "dcimig", "med_completeness", "infoc", "dci_completeness"]
    )
    def test_of_an_angle_are_as_good_as_one_latent(self, name):
        perfect = grouped(name, FACTORS.astype(float))
        assert float(grouped(name, groups=GROUPS)) == pytest.approx(float(perfect), abs=0.01)
        assert float(grouped(name)) < float(perfect) - 0.05

    @pytest.mark.parametrize("name", ["mig_sup", "modularity", "med_disentanglement", "infom"])
    def test_keep_what_asks_for_one_factor_a_latent(self, name):
        assert float(grouped(name, groups=GROUPS)) == pytest.approx(1, abs=0.01)

    def test_are_named_where_the_values_are_theirs(self):
        given = {"size": [0], "shelf": [1], "hue": [3, 2]}
        score = grouped("modularity", groups=given)
        assert list(score.per_factor) == list(given)
        assert score.settings["groups"] == given
        assert list(json.loads(json.dumps(score.to_dict()))["settings"]["groups"]) == list(given)
        assert list(grouped("mig", groups=given).per_factor) == ["0", "1", "2"]
        assert list(grouped("mig_sup", groups=GROUPS).per_factor) == ["0", "1", "2+3"]
        assert list(grouped("dci_disentanglement", groups=[1, 3]).per_factor) == ["0", "1-3"]
        dead = np.insert(CIRCLE, 1, 7.0, axis=1)
        for name in ("infom", "med_disentanglement"):
            found = grouped(name, dead, groups=[[0], [1], [2], [3, 4]])
            assert list(found.per_factor) == ["0", "2", "3+4"]

    @pytest.mark.parametrize("estimator", ESTIMATORS)
    def test_of_one_latent_each_change_no_bit(self, estimator, rng):
        codes = FACTORS @ rng.standard_normal((3, 4)) + rng.standard_normal((160, 4))
        plain, ones = (
            mutual_information_gap(codes, FACTORS, estimator=estimator, groups=groups, noise=FEW)
            for groups in (None, [1] * 4)
        )
        assert {**ones.to_dict(), "settings": 0} == {**plain.to_dict(), "settings": 0}

    @pytest.mark.parametrize("metric", [disentanglement_completeness_informativeness, infomec])
    def test_of_one_latent_each_change_no_bit_of_several_scores(self, metric, rng):
        codes = FACTORS @ rng.standard_normal((3, 4)) + rng.standard_normal((160, 4))
        plain, ones = (
            metric(codes, FACTORS, groups=groups, noise=FEW).to_dict() for groups in (None, [1] * 4)
        )
        for name in plain:
            assert {**ones[name], "settings": 0} == {**plain[name], "settings": 0}

    def test_have_the_information_of_their_joint_bins(self, rng):
        codes = rng.integers(0, 3, (400, 3)).astype(float)
        factors = np.stack([(codes[:, 0] + codes[:, 1]) % 3, codes[:, 2]], axis=1).astype(int)
        score = mutual_information_gap(codes, factors, groups=[[0, 1], [2]], noise=None)
        joint = 3 * codes[:, 0] + codes[:, 1]
        expected = [[mutual_info_score(z, v) for v in factors.T] for z in (joint, codes[:, 2])]
        np.testing.assert_allclose(score.matrix, expected, atol=1e-12)
        # Neither latent knows anything of their sum, and both together all.
        assert score.per_factor["0"] > 0.97
        assert mutual_information_gap(codes, factors, noise=None).per_factor["0"] < 0.03

    def test_of_many_latents_are_noted_where_chance_fills_their_bins(self, rng):
        factors = rng.integers(0, 5, (500, 2))
        codes = rng.standard_normal((500, 5))
        options = {"groups": {"noise": [0, 1, 2], "a": [3], "b": [4]}, "noise": FEW}
        score = mutual_information_gap(codes, factors, **options)
        assert any("joint bins of groups ['noise']" in note for note in score.notes)
        # Chance is as high as the value, so that what is adjusted is small.
        assert float(score) > 0.5
        assert abs(score.adjusted) < 0.1
        by_neighbours = mutual_information_gap(codes, factors, estimator="ksg", **options)
        assert float(by_neighbours) < 0.1
        assert not any("joint bins" in note for note in by_neighbours.notes)

    def test_sum_importances_in_dci(self, rng):
        codes = CIRCLE @ rng.standard_normal((4, 5)) + 0.2 * rng.standard_normal((160, 5))
        plain, blocks = (
            disentanglement_completeness_informativeness(codes, FACTORS, groups=g, noise=None)
            for g in (None, [2, 3])
        )
        name = "dci_completeness"
        sums = np.add.reduceat(plain[name].matrix, [0, 2])
        np.testing.assert_allclose(blocks[name].matrix, sums, atol=1e-12)
        assert float(blocks["dci_informativeness"]) == float(plain["dci_informativeness"])
        shares = sums[:, 0] / sums[:, 0].sum()
        entropy = -(shares * np.log2(shares)).sum()
        assert blocks[name].per_factor["0"] == pytest.approx(1 - entropy)

    def test_perfect_code_has_one_latent_a_factor(self, rng):
        # As many latents as factors, in fewer groups.
        codes = FACTORS + 0.1 * rng.standard_normal(FACTORS.shape)
        for name in ("mig", "dci_completeness", "infoc"):
            score = METRICS[name](codes, FACTORS, groups=[1, 2], noise=FEW)
            assert score.perfect == pytest.approx(1, abs=0.02)

    def test_dead_latents_of_a_group_change_nothing(self):
        dead = np.insert(CIRCLE, 4, 7.0, axis=1)
        for name in ("mig", "infoc", "infom", "dci_completeness"):
            assert float(grouped(name, dead, groups=[1, 1, 3])) == pytest.approx(
                float(grouped(name, groups=GROUPS)), abs=1e-9
            )
        assert grouped("mig", dead, estimator="ksg", groups=[1, 1, 3]).matrix == pytest.approx(
            grouped("mig", estimator="ksg", groups=GROUPS).matrix
        )

    @pytest.mark.parametrize(
        ("groups", "message"),
        [
            ([1, 2], r"sizes of groups \[1, 2\] are 3 latents in all and codes have 4"),
            ([4, 0], "sizes are at least 1"),
            ([[0, 1], [1, 2, 3]], r"latents \[1\] are listed more than once"),
            ([[0, 1], [3]], r"latents \[2\] are in none of the groups"),
            ([], "in none of the groups"),
            ([[0, 1], [2, 4]], "4 in groups is not a latent: they are numbered from 0 to 3"),
            ([[0, 1], [2, "hue"]], "'hue' in groups is not a latent"),
            ([[0, 1, 2, 3], []], "a group has no latents"),
            ([0, [1, 2], 3], "0 is not a group of latents: give the sizes"),
            ("1,1,2", "groups are '1,1,2'"),
            (3, "groups are 3"),
            ({"a": 2, "b": 2}, "2 is not a group of latents"),
            ({1: [0, 1], "1": [2, 3]}, "'1' is the name of groups 0, 1"),
            ([4], "there is 1 group of latents, and this score compares groups"),
        ],
    )
    def test_that_are_none_are_refused(self, groups, message):
        with pytest.raises(ValueError, match=message):
            mutual_information_gap(CIRCLE, FACTORS, groups=groups, noise=None)

    def test_are_named_in_pictures(self):
        pytest.importorskip("matplotlib")
        names = {"size": [0], "$x$": [1], "hue": [2, 3]}
        scores = disentanglement_completeness_informativeness(
            CIRCLE, FACTORS, groups=names, factor_names=["a", "b", "c"], noise=None
        )
        (_, axes, *_) = scores.plot().axes
        assert [text.get_text() for text in axes.get_yticklabels()] == list(names)
        assert [text.get_text() for text in axes.get_xticklabels()] == ["a", "b", "c"]
        assert axes.get_ylabel() == "group"

    def test_are_not_for_jemmig(self):
        with pytest.raises(ValueError, match="jemmig counts the bins of single latents"):
            jemmig(CIRCLE, FACTORS, groups=GROUPS, noise=None)

    def test_are_options_of_the_relatives_of_mig(self):
        for metric in (mig_sup, modularity):
            assert metric(CIRCLE, FACTORS, groups=GROUPS, noise=None).matrix.shape == (3, 3)
        scores = mutual_information_entropy_disentanglement(
            CIRCLE, FACTORS, groups=GROUPS, noise=None
        )
        assert scores["med_completeness"].matrix.shape == (3, 3)


class TestJointNeighbours:
    def test_of_a_latent_twice_are_those_of_the_latent(self, rng):
        factors = rng.integers(0, 4, (300, 2))
        column = factors[:, :1] + rng.standard_normal((300, 1))
        levels, n_levels = factor_levels(factors)
        for k in (3, 10):
            alone = neighbour_table(column, levels, n_levels, k).information
            both = neighbour_table(
                np.concatenate([column, 5 * column], axis=1),
                levels,
                n_levels,
                k,
                read_groups([2], 2),
            ).information
            np.testing.assert_allclose(both, alone, atol=1e-6)
            expected = mutual_info_classif(column, factors[:, 0], n_neighbors=k, random_state=0)
            assert both[0, 0] == pytest.approx(expected[0], abs=1e-6)

    def test_find_the_information_of_a_mixture_of_two_gaussians(self, rng):
        # Means apart along the diagonal of a plane: the information of their projection on it.
        n, apart = 4000, 1.5
        label = np.arange(n) % 2
        codes = rng.standard_normal((n, 2)) + apart * label[:, None] / math.sqrt(2)
        levels, n_levels = factor_levels(label[:, None])
        found = neighbour_table(codes, levels, n_levels, 10, read_groups([2], 2)).information
        x = np.linspace(-8, 10, 20_001)
        parts = [np.exp(-((x - m) ** 2) / 2) / math.sqrt(2 * math.pi) for m in (0, apart)]
        mixed = (parts[0] + parts[1]) / 2
        expected = np.trapezoid(
            sum(p * np.log(np.maximum(p, 1e-300) / mixed) for p in parts) / 2, x
        )
        assert found[0, 0] == pytest.approx(expected, abs=0.03)

    def test_leave_out_rows_that_are_alone_in_their_level(self):
        levels = np.array([[0, 0, 0, 1]], dtype=np.int32)
        codes = np.array([[0.0, 0], [1, 0], [0, 1], [5, 5]])
        table = neighbour_table(codes, levels, np.array([2]), 3, read_groups([2], 2))
        assert table.information[0, 0] == 0
        lonely = np.arange(4, dtype=np.int32)[None]
        table = neighbour_table(codes, lonely, np.array([4]), 3, read_groups([2], 2))
        assert table.information[0, 0] == 0


class TestDiscreteCodes:
    def score(self, codes, factors=FACTORS, **options):
        return infomec(codes, factors, code_kind="discrete", **{"noise": None, **options})

    def test_are_perfect_whatever_their_indices(self, rng):
        indices = [rng.permutation(size) for size in (4, 5, 8)]
        codes = np.stack([names[FACTORS[:, k]] for k, names in enumerate(indices)], axis=1)
        for given in (FACTORS, codes, 0.37 * codes - 1, codes.astype(np.float32)):
            scores = self.score(given)
            assert [float(scores[n]) for n in ("infom", "infoc")] == pytest.approx([1, 1])
            assert scores["infoe"] > 0.999
            np.testing.assert_allclose(scores["infom"].matrix, np.eye(3), atol=1e-12)

    def test_have_no_order(self):
        # A line cannot tell odd from even values.
        factors = np.stack([FACTORS[:, 2] % 2, FACTORS[:, 1]], axis=1)
        codes = FACTORS[:, [2, 1]]
        assert self.score(codes, factors)["infoe"].per_factor["0"] > 0.99
        assert infomec(codes, factors, noise=None)["infoe"].per_factor["0"] < 0.1

    def test_that_merge_levels_know_the_entropy_that_is_left(self):
        merged = np.stack([FACTORS[:, 0] // 2, FACTORS[:, 1], FACTORS[:, 2] // 4], axis=1)
        scores = self.score(merged)
        known = np.diag([math.log(2) / math.log(4), 1, math.log(2) / math.log(8)])
        np.testing.assert_allclose(scores["infom"].matrix, known, atol=1e-12)
        assert float(scores["infom"]) == pytest.approx(1)
        # With two levels as likely as each other given the code, half of log 4 is left.
        assert scores["infoe"].per_factor["0"] == pytest.approx(1 / 2, abs=1e-3)
        assert scores["infoe"].per_factor["2"] == pytest.approx(1 / 3, abs=1e-3)

    def test_of_two_factors_in_a_latent_are_halved(self):
        both = 5 * FACTORS[:, 0] + FACTORS[:, 1]
        scores = self.score(np.stack([both, FACTORS[:, 2]], axis=1))
        # The first latent knows all of two factors of three.
        expected = ((1 / 2 + 1) / 2 - 1 / 3) / (1 - 1 / 3)
        assert float(scores["infom"]) == pytest.approx(expected)
        assert float(scores["infoc"]) == pytest.approx(1)

    def test_are_pruned_only_if_they_never_vary(self):
        small = np.column_stack([FACTORS[:, 0], 1e-3 * FACTORS[:, 1], FACTORS[:, 2], FACTORS[:, 0]])
        dead = np.insert(small.astype(float), 2, 3.0, axis=1)
        assert self.score(dead)["infom"].dead_latents == (2,)
        assert float(self.score(dead)["infoc"]) == pytest.approx(float(self.score(small)["infoc"]))
        assert float(self.score(dead)["infoe"]) == pytest.approx(float(self.score(small)["infoe"]))
        assert len(self.score(small)["infom"].per_factor) == 4
        assert len(infomec(small, FACTORS, noise=None)["infom"].per_factor) == 3
        asked = self.score(small, prune_below=0.05)["infom"]
        assert len(asked.per_factor) == 3
        assert "(prune_below)" in " ".join(asked.notes)

    def test_that_are_all_dead_score_nothing(self):
        scores = self.score(np.zeros((160, 3)))
        assert {k: float(v) for k, v in scores.items()} == pytest.approx(
            {"infom": 0, "infoc": 0, "infoe": 0}, abs=1e-9
        )

    def test_in_groups_count_joint_values(self):
        halves = np.column_stack([FACTORS[:, :2], FACTORS[:, 2] // 4, FACTORS[:, 2] % 4])
        scores = self.score(halves, groups=GROUPS)
        assert float(scores["infoc"]) == pytest.approx(1)
        assert float(self.score(halves)["infoc"]) < 0.95

    def test_are_compared_with_mixtures_of_as_many_values(self, rng):
        factors = rng.integers(0, 12, (1500, 3))
        scores = self.score(factors // 3, factors, noise=FEW)
        score = scores["infom"]
        assert score.settings["code_kind"] == "discrete"
        assert score.settings["n_neighbors"] is None
        # As many values as rows would know everything of all factors, and no preference.
        assert 0.1 < score.mixture.mean < 0.9
        assert scores["infoe"].mixture.mean < 0.7
        # Four values for twelve levels, as the codes have.
        assert scores["infoe"].perfect == pytest.approx(math.log(4) / math.log(12), abs=0.02)
        assert score.chance.mean < 0.5

    def test_are_never_guessed_and_noted(self, rng):
        scores = infomec(FACTORS, FACTORS, noise=None)
        assert "code_kind='discrete' counts their values" in scores["infom"].notes[-1]
        assert scores["infom"].settings["code_kind"] == "continuous"
        noisy = FACTORS + 0.1 * rng.standard_normal(FACTORS.shape)
        assert infomec(noisy, FACTORS, noise=None)["infom"].notes == ()
        assert self.score(FACTORS)["infom"].notes == ()

    def test_with_too_many_values_are_refused(self, rng):
        codes = np.column_stack([FACTORS[:, 0], rng.standard_normal(160)])
        with pytest.raises(ValueError, match="latent 1 takes 160 values in 160 rows and is not"):
            self.score(codes)
        with pytest.raises(ValueError, match="unknown kind of codes 'indices'"):
            infomec(FACTORS, FACTORS, code_kind="indices")

    def test_that_rounding_has_split_are_noted(self):
        values = (FACTORS / 7).astype(np.float32)
        z = np.linspace(-1, 1, 160, dtype=np.float32)[:, None]
        straight_through = z + (values - z)
        assert len(np.unique(straight_through[:, 2])) > 8
        notes = self.score(straight_through)["infom"].notes
        assert any("nearer to each other than a millionth" in note for note in notes)

    def test_are_an_option_of_the_short_names(self):
        assert float(METRICS["infom"](FACTORS, FACTORS, code_kind="discrete", noise=None)) == 1
        assert evaluate(FACTORS, FACTORS, metrics=["infom"], noise=None)["infom"] > 0.9


def test_evaluate_gives_groups_to_the_metrics_that_have_them():
    assert set(GROUPED) == {
        "mig", "rmig", "mig_sup", "dcimig", "modularity", "med_disentanglement",
        "med_completeness", "infom", "infoc", "infoe", "dci_disentanglement", "dci_completeness",
        "dci_informativeness",
    }  # fmt: skip
    asked = ["mig", "jemmig", "modularity", "sap", "infom"]
    options = {"noise": None}
    found = evaluate(CIRCLE, FACTORS, metrics=asked, groups=GROUPS, **options)
    for name in asked:
        own = {"groups": GROUPS} if name in GROUPED else {}
        assert float(found[name]) == float(METRICS[name](CIRCLE, FACTORS, **own, **options))
    assert found["mig"] > METRICS["mig"](CIRCLE, FACTORS, **options) + 0.1
