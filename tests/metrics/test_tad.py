import numpy as np
import pytest
from sklearn.metrics import mutual_info_score, roc_auc_score

from unweave.metrics import total_auroc_difference


def data():
    """Codes between 0 and 1 of 2,000 rows, and six attributes, of which two are nearly one."""
    rng = np.random.default_rng(7)
    attributes = (rng.random((2000, 6)) < [0.5, 0.3, 0.5, 0.2, 0.4, 0.5]).astype(int)
    agrees = rng.random(2000) < 0.9
    attributes[:, 5] = np.where(agrees, attributes[:, 4], 1 - attributes[:, 4])
    codes = rng.standard_normal((2000, 8))
    codes[:, :6] += attributes * [4, 2, 1, 3, 3, 3]
    codes[:, 6] += attributes[:, 0] * 1.5
    codes[:, 1] += attributes[:, 2]
    return 1 / (1 + np.exp(-codes)), attributes


def test_areas_are_those_of_scikit_learn_with_ties():
    codes, attributes = data()
    codes = np.round(codes, 1)
    score = total_auroc_difference(codes, attributes, noise=None)
    expected = np.array(
        [[roc_auc_score(a, z) for a in attributes.T] for z in codes.T],
    )
    np.testing.assert_allclose(score.matrix, np.maximum(expected, 1 - expected), atol=1e-12)


def test_it_is_near_what_the_code_of_the_authors_gives():
    # calculate_auroc and the last cells of celeba_eval of ericyeats/nashae-beamsynthesis on these
    # data: 1.0351 with 4 attributes. Its sums over 101 thresholds leave out a corner of each area.
    score = total_auroc_difference(*data(), noise=None)
    theirs = [0.1421, 0.3481, 0.0927, 0.4523]
    assert score.extras["counted"] == 4
    assert float(score) == pytest.approx(1.0351, abs=0.05)
    np.testing.assert_allclose(list(score.per_factor.values())[:4], theirs, atol=0.022)


def test_an_attribute_that_another_one_tells_does_not_count():
    codes, attributes = data()
    shared = [
        mutual_info_score(attributes[:, 4], attributes[:, 5]) / mutual_info_score(a, a)
        for a in (attributes[:, 4], attributes[:, 5])
    ]
    assert min(shared) > 0.5
    score = total_auroc_difference(codes, attributes, noise=None)
    assert score.extras["shared_with_another"] == 2
    assert (score.per_factor["4"], score.per_factor["5"]) == (0, 0)
    just = total_auroc_difference(codes, attributes, max_shared=max(shared) + 1e-9, noise=None)
    assert just.extras["counted"] == 6
    below = total_auroc_difference(codes, attributes, max_shared=max(shared) - 1e-9, noise=None)
    assert below.extras["counted"] == 5


def test_only_attributes_that_a_latent_finds_count():
    codes, attributes = data()
    best = total_auroc_difference(codes, attributes, noise=None).matrix.max(axis=0)
    for bar in (0.5, 0.95, 1.0):
        score = total_auroc_difference(codes, attributes, min_auroc=bar, max_shared=1.0, noise=None)
        assert score.extras["counted"] == (best >= bar).sum()
    assert float(score) == score.extras["mean_of_counted"] == 0


def test_either_sign_of_a_latent_finds_it():
    codes, attributes = data()
    turned = total_auroc_difference(-codes, 1 - attributes, noise=None)
    assert float(turned) == pytest.approx(float(total_auroc_difference(*data(), noise=None)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_auroc": 0.4}, "min_auroc must lie between 0.5 and 1, not 0.4"),
        ({"max_shared": 1.5}, "max_shared must lie between 0 and 1, not 1.5"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        total_auroc_difference(*data(), **options)
