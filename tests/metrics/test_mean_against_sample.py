import json

import numpy as np
import pytest

from unweave.metrics import compare, latent_dependence, mean_against_sample, mutual_information_gap


@pytest.fixture
def factors(rng):
    return rng.integers(0, 5, (2000, 3))


@pytest.fixture
def posterior(rng, factors):
    """Two active latents, one that is so in part of the rows, and two passive ones."""
    passive = 0.02 * rng.standard_normal((2000, 2)) @ rng.standard_normal((2, 2))
    means = np.column_stack([(factors - 2) / np.sqrt(2), passive + 0.01 * factors[:, :1]])
    log_variances = np.full((2000, 5), -4.0)
    log_variances[:, 2] = np.where(factors[:, 2] > 2, -4.0, 0.0)
    log_variances[:, 3:] = -0.01
    return means, log_variances


def total_correlation(covariance):
    """disentanglement_lib's gaussian_total_correlation."""
    return 0.5 * (np.sum(np.log(np.diag(covariance))) - np.linalg.slogdet(covariance)[1])


def test_total_correlations_are_those_of_means_and_of_many_draws(rng, posterior):
    means, log_variances = posterior
    found = mean_against_sample(means, log_variances)
    assert found.scores is None
    assert found.total_correlation_of_mean == pytest.approx(total_correlation(np.cov(means.T)))
    own = latent_dependence(means, noise=None)["total_correlation"]
    assert found.total_correlation_of_mean == pytest.approx(float(own))
    draws = np.concatenate(
        [means + np.exp(log_variances / 2) * rng.standard_normal(means.shape) for _ in range(100)]
    )
    expected = total_correlation(np.cov(draws.T))
    assert found.total_correlation_of_sample == pytest.approx(expected, abs=2e-4)


def test_noise_of_their_own_leaves_latents_less_dependent(rng):
    for _ in range(20):
        means = rng.standard_normal((50, 4)) @ rng.standard_normal((4, 4))
        found = mean_against_sample(means, rng.uniform(-3, 3, means.shape))
        assert found.total_correlation_of_sample < found.total_correlation_of_mean


def test_latents_are_active_mixed_or_passive(posterior):
    # variables_idx of bonheml/tc_study (variables_filter.py) gives active [0, 1], mixed [2],
    # passive [3, 4] for these variances.
    found = mean_against_sample(*posterior)
    assert [found.latents(kind) for kind in ("active", "mixed", "passive")] == [
        (0, 1),
        (2,),
        (3, 4),
    ]
    halfway = mean_against_sample(posterior[0], np.full((2000, 5), np.log(0.5)))
    assert halfway.kinds == ("mixed",) * 5


def test_divergences_are_those_of_normal_distributions(posterior):
    torch = pytest.importorskip("torch")
    means, log_variances = map(torch.tensor, posterior)
    prior = torch.distributions.Normal(torch.zeros(5), torch.ones(5))
    own = torch.distributions.Normal(means, (0.5 * log_variances).exp())
    expected = torch.distributions.kl_divergence(own, prior).mean(dim=0)
    found = mean_against_sample(*posterior)
    assert found.kl == pytest.approx(expected.tolist(), abs=1e-9)
    assert found.n_informative == int((expected > 0.01).sum()) == 3


def test_scores_are_those_of_means_and_of_a_draw(posterior, factors):
    found = mean_against_sample(*posterior, factors, metrics=["mig", "mcc"], n_halves=5, seed=3)
    expected = mutual_information_gap(posterior[0], factors, noise=None)
    assert found.scores["mig"].first == pytest.approx(float(expected))
    # The noise that the encoder adds hides a part of each factor.
    assert found.scores["mcc"].difference > 0.02
    assert found.scores["mcc"].p_value < 0.01
    again = mean_against_sample(*posterior, factors, metrics=["mig", "mcc"], n_halves=5, seed=3)
    assert again.to_dict() == found.to_dict()


def test_a_sharp_posterior_makes_no_difference(posterior, factors):
    sharp = np.full((2000, 5), -60.0)
    found = mean_against_sample(posterior[0], sharp, factors, metrics="sap", n_halves=3)
    same = compare(posterior[0], posterior[0], factors, metrics="sap", n_halves=3)
    assert found.scores["sap"].second == pytest.approx(same["sap"].second, abs=1e-6)
    assert found.total_correlation_of_sample == pytest.approx(found.total_correlation_of_mean)


def test_it_prints_and_is_written_as_json(posterior, factors):
    found = mean_against_sample(*posterior, factors, metrics="sap", n_halves=3)
    lines = repr(found).splitlines()
    assert lines[0].split()[:4] == ["metric", "mean", "sample", "difference"]
    assert lines[2].startswith("total correlation (nats)")
    assert "2 active [0, 1], 1 mixed [2], 2 passive [3, 4]" in repr(found)
    content = json.loads(json.dumps(found.to_dict()))
    assert content["kinds"] == list(found.kinds)
    assert content["scores"]["metrics"]["sap"]["first"] == found.scores["sap"].first


def test_rows_are_matched_by_their_labels(rng, posterior, factors):
    pandas = pytest.importorskip("pandas")
    labels = [f"row {i}" for i in range(2000)]
    means, log_variances, table = (
        pandas.DataFrame(part, index=labels) for part in (*posterior, factors)
    )
    order = rng.permutation(2000)
    options = {"metrics": "sap", "n_halves": 3}
    shuffled = mean_against_sample(means, log_variances.iloc[order], table.iloc[order], **options)
    plain = mean_against_sample(*posterior, factors, **options)
    assert shuffled.scores["sap"] == plain.scores["sap"]
    assert shuffled.kl == plain.kl


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"log_variances": np.zeros((2000, 4))}, r"have shape \(2000, 4\) and means \(2000, 5\)"),
        ({"log_variances": np.full((2000, 5), 100.0)}, "give logarithms, and not variances or"),
        ({"means": np.zeros((2000, 1))}, r"1 latent\(s\)"),
        ({"tolerance": 0.5}, "tolerance must lie between 0 and 0.5, not 0.5"),
        ({"log_variances": np.full((2000, 5), np.nan)}, "nan or infinite"),
    ],
)
def test_bad_input_is_a_sentence(posterior, change, message):
    given = {"means": posterior[0], "log_variances": posterior[1], **change}
    with pytest.raises(ValueError, match=message):
        mean_against_sample(**given)
