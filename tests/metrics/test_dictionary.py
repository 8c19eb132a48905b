import numpy as np
import pytest
from scipy import sparse
from scipy.integrate import quad
from scipy.optimize import linear_sum_assignment
from scipy.special import betainc
from sklearn.metrics import precision_recall_fscore_support, r2_score

from unweave.datasets.superposition import Superposition
from unweave.metrics import Noise
from unweave.metrics.dictionary import (
    Dictionary,
    dictionary_stability,
    match_directions,
    matching,
    score_dictionary,
)
from unweave.metrics.dictionary.dictionary import unit

FEW = Noise(n_permutations=9, n_projections=3, n_halves=10)


@pytest.fixture
def features(rng):
    return unit(rng.standard_normal((30, 12)))


@pytest.fixture(scope="module")
def sample():
    return Superposition(n_dims=16, n_features=40, n_trees=3).sample(600, random_state=0)


def mcc(*given, **options):
    return float(score_dictionary(*given, noise=None, **options)["dictionary_mcc"])


def uniqueness(*given, **options):
    return float(score_dictionary(*given, noise=None, **options)["uniqueness"])


def test_the_features_themselves_are_found_in_any_order_sign_and_length(rng, features):
    moved = -3 * features[rng.permutation(30)]
    assert mcc(moved, features) == pytest.approx(1)
    assert uniqueness(moved, features) == 1
    assert score_dictionary(moved, features, noise=None)["dictionary_mcc"].extras["recovered"] == 1
    assert mcc(moved, features, signed=True) < 0.7
    assert mcc(-moved, features, signed=True) == pytest.approx(1)


def test_uniqueness_has_the_values_of_the_tests_of_saelens(features):
    # tests/synthetic/test_evals.py of SAELens 6: 3 features of 4 latents, and 5 copies of one.
    assert uniqueness(np.eye(8)[[0, 1, 0, 2]], np.eye(8)) == 0.75
    assert uniqueness(np.repeat(features[:1], 5, axis=0), features) == pytest.approx(0.2)


def test_firing_has_the_values_of_the_tests_of_saelens():
    # The same file: one latent right in half of its firings, and one that never fires.
    active, codes = np.zeros((2, 100, 2))
    active[:50, 0] = codes[:, 0] = 1
    scores = score_dictionary(np.eye(2), np.eye(2), codes=codes, activations=active, noise=None)
    found = [float(scores[f"firing_{name}"]) for name in ("precision", "recall", "f1")]
    assert found == pytest.approx([0.25, 0.5, 1 / 3])
    assert (float(scores["l0"]), float(scores["dead_latents"])) == (1.0, 0.5)


def test_explained_variance_and_shrinkage_have_the_values_of_the_formula_of_saelens(rng):
    # Its test: noise of half the deviation leaves 0.75 of the variance explained.
    points = rng.standard_normal((20_000, 1))
    codes = points + 0.5 * rng.standard_normal((20_000, 1))
    found = score_dictionary([[1.0]], points=points, codes=codes, noise=None)
    assert float(found["explained_variance"]) == pytest.approx(0.75, abs=0.02)
    half = score_dictionary([[1.0]], points=points, codes=points / 2, noise=None)
    assert float(half["shrinkage"]) == pytest.approx(0.5)


def test_rows_agree_with_scikit_learn(rng, features):
    active = rng.random((500, 30)) < 0.2
    codes = (active[:, :20] ^ (rng.random((500, 20)) < 0.1)) * rng.random((500, 20))
    points = rng.standard_normal((500, 12)) + 1
    directions = features[:20] + 0.01
    dictionary = Dictionary(directions, offset=np.full(12, 0.5))
    scores = score_dictionary(
        dictionary, features, points=points, codes=codes, activations=active, noise=None
    )
    *expected, _ = precision_recall_fscore_support(active[:, :20], codes > 0, average="macro")
    found = [float(scores[f"firing_{name}"]) for name in ("precision", "recall", "f1")]
    assert found == pytest.approx(expected)
    made = codes @ directions + 0.5
    explained = r2_score(points, made, multioutput="variance_weighted")
    assert float(scores["explained_variance"]) == pytest.approx(explained)
    shares = np.linalg.norm(made, axis=1) / np.linalg.norm(points, axis=1)
    assert float(scores["shrinkage"]) == pytest.approx(shares.mean())
    assert scores["firing_f1"].n_samples == 500


def test_sparse_and_dense_tables_and_blocks_give_the_same(monkeypatch, sample):
    known = {"points": sample.points, "parents": sample.parents}
    given = sample.directions, sample.directions

    def found(activations):
        scores = score_dictionary(
            *given, **known, codes=activations, activations=activations, noise=FEW
        )
        return {name: one.to_dict() for name, one in scores.items()}

    whole = found(sample.activations)
    assert found(sample.activations.toarray()) == whole
    monkeypatch.setattr("unweave.metrics.dictionary.firings._BLOCK", 40 * 64)
    parts = found(sparse.coo_array(sample.activations))
    for name in whole:
        assert parts[name]["value"] == pytest.approx(whole[name]["value"])
        assert parts[name]["interval"] == pytest.approx(whole[name]["interval"])


@pytest.mark.parametrize(("kept", "gap"), [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)])
def test_the_gap_of_an_absorbed_pair_is_the_share_that_its_child_took(kept, gap):
    # Rows: parent alone; parent and child; parent and another child; nothing.
    active = np.repeat([[1, 0, 0], [1, 1, 0], [1, 0, 1], [0, 0, 0]], 20, axis=0)
    codes = active.astype(float)
    codes[20:60, 0] = np.tile(np.arange(20) < 20 * kept, 2)
    scores = score_dictionary(
        np.eye(3), np.eye(3), codes=codes, activations=active, parents=[-1, 0, 0], noise=None
    )
    assert float(scores["absorption_gap"]) == pytest.approx(gap)
    assert scores["absorption_gap"].per_factor == pytest.approx({"0>1": gap, "0>2": gap})
    names = ["animal", "cat", "dog"]
    named = score_dictionary(
        np.eye(3), np.eye(3), codes=codes, activations=active, parents=[-1, 0, 0], noise=None,
        feature_names=names,
    )  # fmt: skip
    assert list(named["absorption_gap"].per_factor) == ["animal>cat", "animal>dog"]


def test_a_gap_that_rows_cannot_show_is_left_out_with_the_reason():
    active = np.tile([[1, 1], [0, 0]], (10, 1))
    scores = score_dictionary(
        np.eye(2), np.eye(2), codes=active, activations=active, parents=[-1, 0], noise=None
    )
    assert "absorption_gap" not in scores
    assert "no parent fires both with a child and without any" in scores.notes[-1]
    still = score_dictionary(np.eye(2), points=np.zeros((10, 2)), codes=active[:10], noise=None)
    assert set(still.skipped) == {"explained_variance", "shrinkage"}


def test_one_to_one_judges_each_latent_by_its_own_feature(features):
    directions = features[[0, 0, 1]] + [[0.0], [0.01], [0.0]]
    active = np.zeros((90, 30))
    active[np.arange(90), np.arange(90) % 30] = 1
    codes = active[:, [0, 0, 1]]
    nearest = score_dictionary(directions, features, codes=codes, activations=active, noise=None)
    assert float(nearest["firing_f1"]) == 1
    single = score_dictionary(
        directions, features, codes=codes, activations=active, judged_by="one_to_one", noise=None
    )
    assert float(single["firing_f1"]) == pytest.approx(2 / 3)


def test_chance_of_one_latent_is_the_expected_largest_cosine_of_random_directions(rng):
    n_features, n_dims = 40, 16
    below = lambda t: betainc(0.5, (n_dims - 1) / 2, t**2) ** n_features  # noqa: E731
    expected = quad(lambda t: 1 - below(t), 0, 1)[0]
    features = rng.standard_normal((n_features, n_dims))
    score = score_dictionary(
        rng.standard_normal((1, n_dims)), features, noise=Noise(n_permutations=600)
    )["dictionary_mcc"]
    assert score.chance.mean == pytest.approx(expected, abs=0.015)


def test_mixtures_share_features_as_often_as_balls_fall_into_boxes():
    # The nearest of orthogonal features to a direction without a preference is any of them.
    n_latents, n_features = 32, 8
    dictionary = np.tile(np.eye(n_features), (4, 1))
    score = score_dictionary(dictionary, np.eye(n_features), noise=Noise(n_projections=400))
    expected = n_features * (1 - (1 - 1 / n_features) ** n_latents) / n_latents
    assert score["uniqueness"].mixture.mean == pytest.approx(expected, abs=0.004)
    assert float(score["uniqueness"]) == 8 / 32
    assert score["uniqueness"].perfect == 8 / 32


def test_mixtures_know_the_dimensions_that_matter(rng):
    features = np.zeros((10, 40))
    features[:, :4] = rng.standard_normal((10, 4))
    other = np.zeros((10, 40))
    other[:, :4] = rng.standard_normal((10, 4))
    score = score_dictionary(other, features, noise=FEW)["dictionary_mcc"]
    assert score.mixture.mean > 0.5 > score.chance.mean
    assert score.p_value == pytest.approx(0.1, abs=0.1)


def test_p_values_of_dictionaries_that_know_nothing_are_uniform(rng):
    features = rng.standard_normal((10, 6))
    noise = Noise(n_permutations=59, n_projections=2, n_halves=2)
    found = [
        score_dictionary(rng.standard_normal((8, 6)), features, noise=noise)["dictionary_mcc"]
        for _ in range(24)
    ]
    n_small = sum(score.p_value <= 0.25 for score in found)
    assert 1 <= n_small <= 13  # binomial, n = 24, p = 0.25: 0.1 % on each side


def test_a_rotation_of_everything_changes_nothing(rng, sample):
    turn = np.linalg.qr(rng.standard_normal((16, 16)))[0]
    directions = sample.directions

    def encode(points):
        return np.maximum(points @ directions.T - 0.3, 0)

    dictionary = Dictionary(directions, np.full(16, 0.1), encode)
    known = {"activations": sample.activations, "noise": None}
    before = score_dictionary(dictionary, sample.directions, points=sample.points, **known)
    after = score_dictionary(
        dictionary.rotated(turn), sample.directions @ turn, points=sample.points @ turn, **known
    )
    for name, score in before.items():
        assert float(after[name]) == pytest.approx(float(score), abs=1e-5)


def test_chance_is_the_whole_autoencoder_rotated(sample):
    directions = sample.directions
    dictionary = Dictionary(directions, encode=lambda x: np.maximum(x @ directions.T - 0.3, 0))
    scores = score_dictionary(
        dictionary, directions, points=sample.points, activations=sample.activations,
        parents=sample.parents, noise=FEW,
    )  # fmt: skip
    assert set(scores) == {
        "dictionary_mcc", "uniqueness", "l0", "dead_latents", "explained_variance", "shrinkage",
        "firing_precision", "firing_recall", "firing_f1", "absorption_gap",
    }  # fmt: skip
    for name, score in scores.items():
        assert score.chance.n_draws == 9
        low, high = score.interval
        assert low <= score <= high
        assert (score.p_value is None) == (name in ("l0", "dead_latents", "shrinkage"))
        assert score.seed == 0
    for name in ("dictionary_mcc", "firing_f1"):
        assert scores[name] > scores[name].chance.upper
    assert scores["l0"].chance.mean != float(scores["l0"])
    labels = scores.plot().axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == list(scores)
    text = str(scores)
    assert "mixture" in text
    assert "smooth" not in text


def test_codes_that_are_given_are_put_beside_other_rows(sample):
    scores = score_dictionary(
        sample.directions, sample.directions, points=sample.points, codes=sample.activations,
        activations=sample.activations, noise=FEW,
    )  # fmt: skip
    assert float(scores["explained_variance"]) == pytest.approx(1)
    assert scores["explained_variance"].chance.mean < 0
    assert scores["firing_precision"].chance.mean < 0.3
    assert scores["l0"].chance is None
    assert scores["l0"].interval[0] < sample.rates.sum() < scores["l0"].interval[1]


def test_many_directions_are_matched_as_the_hungarian_algorithm_does(monkeypatch, rng):
    monkeypatch.setattr(matching, "_DENSE", 0)
    features = unit(rng.standard_normal((300, 20)))
    copies = unit(np.repeat(features[:3], 60, axis=0) + 0.01 * rng.standard_normal((180, 20)))
    others = unit(rng.standard_normal((200, 20)))
    for latents, short in ((others, 1e-9), (-features[:250], 1e-9), (copies, 1e-4)):
        cosines = np.abs(latents @ features.T)
        expected = cosines[linear_sum_assignment(cosines, maximize=True)].mean()
        for pair in ((latents, features), (features, latents)):
            found = match_directions(*pair)
            assert -1e-9 < expected - found.cosines.mean() < short
            assert len(set(found.latents)) == len(set(found.features)) == len(latents)
            assert (np.diff(found.features) > 0).all()


def test_latents_without_a_direction_stand_for_nothing(features):
    directions = features.copy()
    directions[:10] = 0
    scores = score_dictionary(directions, features, noise=None)
    assert float(scores["dictionary_mcc"]) == pytest.approx(20 / 30)
    assert "10 of 30 directions are zero, and stand for no feature" in scores.notes
    assert mcc(1e-200 * features, 1e200 * features) == pytest.approx(1)


def test_fewer_latents_than_features_and_square_dictionaries_are_noted(features):
    scores = score_dictionary(features[:12], features, noise=None)
    assert float(scores["dictionary_mcc"]) == pytest.approx(1)
    assert scores["dictionary_mcc"].extras["recovered"] == pytest.approx(12 / 30)
    few, square = scores["dictionary_mcc"].notes
    assert few == "dictionary_mcc is over 12 pairs of 12 latents and 30 features"
    assert square.startswith("there are as many latents as dimensions")


def test_stability_of_copies_and_of_halves(rng, features):
    score = dictionary_stability([features, -features[::-1], 2 * features], noise=FEW)
    assert float(score) == pytest.approx(1)
    assert score.chance.mean < 0.75
    other = np.concatenate([features[:15], rng.standard_normal((15, 12))])
    pair = dictionary_stability([features, other], names=["a", "b"], noise=FEW)
    cosines = np.abs(features @ unit(other).T)
    expected = cosines[linear_sum_assignment(cosines, maximize=True)].mean()
    assert float(pair) == pytest.approx(expected)
    assert pair.per_factor == pytest.approx({"a": expected, "b": expected})
    assert pair.interval[0] < expected < pair.interval[1]
    third = dictionary_stability([features, features, other], noise=None)
    assert float(third) == pytest.approx((1 + 2 * expected) / 3)
    assert third.matrix[0].tolist() == pytest.approx([1, 1, expected])


def test_stability_of_random_dictionaries_is_chance(rng):
    given = [rng.standard_normal((25, 10)) for _ in range(3)]
    score = dictionary_stability(given, noise=Noise(n_permutations=60, n_projections=3))
    assert abs(float(score) - score.chance.mean) < 4 * score.chance.sd


def test_every_score_is_a_function_of_its_seed(sample):
    def found(seed):
        scores = score_dictionary(sample.directions[:20], sample.directions, noise=FEW, seed=seed)
        return scores["dictionary_mcc"].chance.mean

    assert found(1) == found(1) != found(2)


def refusals():
    e, rows = np.eye(3), np.ones((12, 3))
    nan = np.full((3, 3), np.nan)
    return {
        "directions of the dictionary have shape": ((np.ones(3), e), {}),
        "are all zero, and have no direction": ((np.zeros((3, 3)), e), {}),
        "features hold 9 values that are nan or infinite": ((e, nan), {}),
        "features are of type object, and numbers are needed": ((e, [["a", "b", "c"]]), {}),
        r"of the dictionary have shape \(3, 7\), \(dimensions, n\)": (
            (np.ones((3, 7)), e),
            {},
        ),
        "have 7 dimensions, and the features have 3: give both in one space": (
            (np.ones((5, 7)), e),
            {},
        ),
        "features of type list cannot be read as an array": ((e, [[1.0], [1.0, 2.0]]), {}),
        "there is nothing to score a dictionary by": ((e,), {}),
        "points say nothing without codes": ((e, e), {"points": rows}),
        "activations are those of features: give the features as well": (
            (e,),
            {"activations": rows, "codes": rows},
        ),
        "codes have 2 columns, and there are 3 latents": ((e, e), {"codes": rows[:, :2]}),
        "points have 12 columns, and there are 3 dimensions of the dictionary: transpose them": (
            (e, e),
            {"points": rows.T, "codes": rows},
        ),
        "all tables must have the same rows, and their numbers differ: points 12, codes 11": (
            (e, e),
            {"points": rows, "codes": rows[1:]},
        ),
        "rows say little of how often latents fire": ((e, e), {"codes": rows[:5]}),
        "fires_above is a size of at least 0": ((e, e), {"fires_above": -1.0}),
        "unknown judged_by 'best'": ((e, e), {"judged_by": "best"}),
        r"parents are float64 of shape \(2,\), and there are 3 features": (
            (e, e),
            {"parents": [0.0, 1.0]},
        ),
        "feature 1 has the parent 1: give the position of another": (
            (e, e),
            {"parents": [-1, 1, 0]},
        ),
        r"encode of the dictionary gave float64 of shape \(2, 3\)": (
            (Dictionary(e, encode=lambda x: x[:2]), e),
            {"points": rows},
        ),
        r"offset of the dictionary has shape \(2,\): a finite number for each of 3": (
            (Dictionary(e, offset=np.zeros(2)), e),
            {},
        ),
        "2 feature names were given for 3 features": ((e, e), {"feature_names": ["a", "b"]}),
    }


@pytest.mark.parametrize(
    ("sentence", "given", "options"), [(s, *rest) for s, rest in refusals().items()]
)
def test_what_cannot_be_scored_is_refused(sentence, given, options):
    with pytest.raises(ValueError, match=sentence):
        score_dictionary(*given, **options, noise=None)


def test_what_cannot_be_compared_is_refused(features):
    with pytest.raises(ValueError, match="stability compares dictionaries, and 1 was given"):
        dictionary_stability([features])
    with pytest.raises(ValueError, match="directions of dictionary 1 have 5 dimensions"):
        dictionary_stability([features, features[:, :5]])
