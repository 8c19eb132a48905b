"""The three parts of the KL divergence, against numerical integration."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm

from unweave.models import Posterior, decompose_kl
from unweave.models.decomposition import log_densities

N = 5
MEANS = np.array([[-1.5, 0.4], [0.3, -0.9], [1.2, 1.1], [0.1, 1.6], [-0.8, -1.4]])
DEVIATIONS = np.array([[0.5, 0.9], [0.7, 0.4], [0.6, 0.5], [0.4, 0.8], [0.9, 0.6]])
POSTERIOR = Posterior(torch.from_numpy(MEANS), torch.from_numpy(2 * np.log(DEVIATIONS)))


def integrated():
    """Mutual information, total correlation and dimension-wise KL on a fine grid."""
    axis = np.linspace(-7, 7, 1401)
    cell = axis[1] - axis[0]
    each = norm.pdf(axis[:, None, None], MEANS, DEVIATIONS)  # points, images, latents
    joint = np.einsum("an,bn->nab", each[:, :, 0], each[:, :, 1])
    aggregate = joint.mean(axis=0)
    marginals = each.mean(axis=1)
    prior = norm.pdf(axis)

    def divergence(p, q, area):
        return float(np.sum(p * (np.log(p + 1e-300) - np.log(q + 1e-300))) * area)

    product = np.outer(marginals[:, 0], marginals[:, 1])
    information = np.mean([divergence(p, aggregate, cell**2) for p in joint])
    correlation = divergence(aggregate, product, cell**2)
    return information, correlation, sum(divergence(m, prior, cell) for m in marginals.T)


def estimated(estimator="stratified", n_draws=20_000):
    """Means over many draws from all posteriors, the batch being the data."""
    generator = torch.Generator().manual_seed(0)
    parts = [
        decompose_kl(
            POSTERIOR,
            POSTERIOR.sample(torch.randn(N, 2, generator=generator, dtype=torch.float64)),
            n_images=N,
            estimator=estimator,
        )
        for _ in range(n_draws)
    ]
    return np.mean([[float(p) for p in part] for part in parts], axis=0)


def test_the_parts_add_up_to_the_closed_form():
    assert sum(integrated()) == pytest.approx(POSTERIOR.kl().sum(dim=1).mean().item(), abs=1e-6)


def test_the_stratified_estimate_is_exact_when_the_batch_is_the_data():
    assert estimated() == pytest.approx(np.array(integrated()), abs=0.02)


def test_each_draw_adds_up_to_its_own_log_ratio():
    latents = torch.randn(N, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    own = norm.logpdf(latents.numpy(), MEANS, DEVIATIONS).sum(axis=1)
    ratio = own - norm.logpdf(latents.numpy()).sum(axis=1)
    for n_images, estimator in itertools.product((N, 1000), ("stratified", "weighted")):
        parts = decompose_kl(POSTERIOR, latents, n_images=n_images, estimator=estimator)
        assert sum(parts).item() == pytest.approx(ratio.mean())


def test_densities_are_those_of_scipy():
    latents = torch.randn(3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = norm.logpdf(latents.numpy()[:, None], MEANS, DEVIATIONS)
    np.testing.assert_allclose(log_densities(POSTERIOR, latents).numpy(), expected)


def test_the_stratified_density_is_unbiased():
    """The mean over all batches that hold the image is the density itself, unlike with the weights
    in a column that several public implementations have.
    """  # noqa: D205
    latent = np.array([0.2, -0.3])
    each = norm.pdf(latent, MEANS, DEVIATIONS).prod(axis=1)
    estimates = []
    for others in itertools.permutations(range(1, N), 2):
        weights = weights_of(3, N)[0]
        estimates.append(weights @ each[[0, *others]])
    assert np.mean(estimates) == pytest.approx(each.mean())


def weights_of(n, n_images):
    """The weights that `decompose_kl` gives to the images of a batch, seen from outside.

    With posteriors that do not overlap but for chosen pairs, the estimated density is one weight.
    """
    found = np.empty((n, n))
    for own in range(n):
        for other in range(n):
            means = torch.arange(n, dtype=torch.float64)[:, None] * 1e4
            latents = means.clone()
            latents[own] = means[other]
            parts = decompose_kl(
                Posterior(means, torch.zeros_like(means)), latents, n_images=n_images
            )
            # Mutual information is the mean of log q(z|x) - log q(z) over the draws.
            log_own = norm.logpdf(latents.numpy(), means.numpy()).sum(axis=1)
            log_aggregate = log_own.mean() - float(parts.mutual_information)
            at_itself = math.log(1 / n_images) + norm.logpdf(0)
            total = n * log_aggregate - (n - 1) * at_itself
            found[own, other] = math.exp(total - norm.logpdf(0))
    return found


def test_the_stratified_weights_are_one_over_n_on_the_diagonal_and_rows_sum_to_one():
    weights = weights_of(4, 50)
    np.testing.assert_allclose(np.diag(weights), 1 / 50)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    off = weights[~np.eye(4, dtype=bool)]
    np.testing.assert_allclose(off, 49 / (50 * 3))


def test_the_estimate_converges_to_the_exact_value_as_the_batch_grows_to_the_data():
    rng = np.random.default_rng(0)
    n_images = 256
    means = torch.from_numpy(rng.standard_normal((n_images, 2)) @ [[1, 0.8], [0, 0.6]])
    log_variances = torch.full_like(means, math.log(0.3**2))
    noise = torch.from_numpy(rng.standard_normal((n_images, 2)))
    everything = Posterior(means, log_variances)
    exact = decompose_kl(everything, everything.sample(noise), n_images=n_images)

    def error(n):
        found = []
        for _ in range(40):
            rows = rng.choice(n_images, n, replace=False)
            batch = Posterior(means[rows], log_variances[rows])
            parts = decompose_kl(batch, batch.sample(noise[rows]), n_images=n_images)
            found.append(float(parts.total_correlation))
        return abs(np.mean(found) - float(exact.total_correlation))

    errors = [error(n) for n in (8, 32, 128, 256)]
    assert errors[0] > errors[1] > errors[2] > errors[3]
    assert errors[3] < 1e-9


def test_the_weighted_estimate_is_off_by_a_known_constant_at_the_data():
    """Each logarithm is short by log N, so that total correlation is over by (D - 1) log N."""
    generator = torch.Generator().manual_seed(2)
    latents = POSTERIOR.sample(torch.randn(N, 2, generator=generator, dtype=torch.float64))
    exact, weighted = (
        decompose_kl(POSTERIOR, latents, n_images=N, estimator=e)
        for e in ("stratified", "weighted")
    )
    assert float(weighted.total_correlation - exact.total_correlation) == pytest.approx(math.log(N))
    assert float(weighted.mutual_information - exact.mutual_information) == pytest.approx(
        math.log(N)
    )
    assert float(weighted.dimension_wise - exact.dimension_wise) == pytest.approx(-2 * math.log(N))


def test_the_weighted_estimate_is_chens_formula():
    latents = torch.randn(N, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    each = norm.logpdf(latents.numpy()[:, None], MEANS, DEVIATIONS)
    n_images = 700
    joint = logsumexp(each.sum(axis=2), axis=1) - math.log(n_images * N)
    marginals = logsumexp(each, axis=1) - math.log(n_images * N)
    parts = decompose_kl(POSTERIOR, latents, n_images=n_images, estimator="weighted")
    assert float(parts.total_correlation) == pytest.approx((joint - marginals.sum(axis=1)).mean())


def test_densities_too_small_for_a_float_do_no_harm():
    """Where a logarithm is taken of a sum of exponentials, they come out infinite."""
    means = torch.arange(8.0)[:, None].expand(8, 3) * 100
    posterior = Posterior(means, torch.full((8, 3), -20.0))
    parts = decompose_kl(posterior, means, n_images=1000)
    assert all(torch.isfinite(part) for part in parts)
    assert parts.mutual_information.item() == pytest.approx(math.log(1000), rel=1e-3)


@pytest.mark.parametrize("n", [1, 6])
def test_a_batch_of_one_and_one_above_the_data_are_refused(n):
    posterior = Posterior(torch.zeros(n, 2), torch.zeros(n, 2))
    with pytest.raises(ValueError, match=f"must have 2 to 5 images .all of the data., not {n}"):
        decompose_kl(posterior, torch.zeros(n, 2), n_images=5)
