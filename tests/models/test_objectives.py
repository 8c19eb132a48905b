import math

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch.distributions import Bernoulli, Laplace, Normal, kl_divergence

from unweave.models import Posterior
from unweave.models.likelihoods import negative_log_likelihood
from unweave.models.objectives import (
    AE,
    VAE,
    AnnealedVAE,
    AnyObjective,
    Batch,
    BetaVAE,
    Pass,
)

OBJECTIVES = [AE(), VAE(), BetaVAE(beta=4), AnnealedVAE(gamma=10, max_capacity=5)]


@pytest.fixture
def posterior():
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 8, 5, generator=generator, dtype=torch.float64)
    return Posterior(mean, log_variance)


def test_kl_is_that_of_torch_distributions(posterior):
    normal = Normal(posterior.mean, torch.exp(0.5 * posterior.log_variance))
    expected = kl_divergence(normal, Normal(0.0, 1.0))
    torch.testing.assert_close(posterior.kl(), expected)


def test_reparameterised_draws_have_the_posteriors_moments():
    posterior = Posterior(torch.tensor([[1.0, -2.0]]), torch.log(torch.tensor([[0.25, 4.0]])))
    noise = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0))
    draws = posterior.sample(noise)
    torch.testing.assert_close(draws.mean(0), torch.tensor([1.0, -2.0]), atol=0.03, rtol=0)
    torch.testing.assert_close(draws.std(0), torch.tensor([0.5, 2.0]), atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("likelihood", "distribution"),
    [
        ("bernoulli", lambda o: Bernoulli(logits=o)),
        ("gaussian", lambda o: Normal(torch.sigmoid(o), 1.0)),
        ("laplace", lambda o: Laplace(torch.sigmoid(o), 1.0)),
    ],
)
def test_likelihoods_are_summed_over_pixels_and_those_of_torch(batch, likelihood, distribution):
    images = batch.images
    outputs = torch.randn(images.shape, generator=torch.Generator().manual_seed(2))
    expected = -distribution(outputs).log_prob(images).flatten(1).sum(1)
    ours = negative_log_likelihood(outputs, images, likelihood)
    assert ours.shape == (6,)
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: o.name)
def test_terms_are_means_over_the_batch_of_sums(objective, model, batch):
    terms = objective(model, batch)
    singles = [
        objective(model, batch._replace(images=batch.images[[i]], noise=batch.noise[[i]]))
        for i in range(6)
    ]
    torch.testing.assert_close(
        terms.reconstruction, torch.stack([s.reconstruction for s in singles]).mean()
    )
    torch.testing.assert_close(terms.kl, torch.stack([s.kl for s in singles]).mean(0))


def test_the_loss_at_the_start_is_near_that_of_a_coin_a_pixel(model, batch):
    reconstruction = VAE()(model, batch).reconstruction.item()
    assert 0.7 < reconstruction / (4096 * math.log(2)) < 3


def test_each_loss_is_its_formula(model, batch):
    ae, vae, beta, annealed = (o(model, batch) for o in OBJECTIVES)
    torch.testing.assert_close(ae.loss, ae.reconstruction)
    torch.testing.assert_close(vae.loss, vae.reconstruction + vae.kl.sum())
    torch.testing.assert_close(beta.loss, vae.reconstruction + 4 * vae.kl.sum())
    torch.testing.assert_close(annealed.loss, vae.reconstruction + 10 * vae.kl.sum())


def test_beta_one_is_the_vae(model, batch):
    a, b = (o(model, batch).loss for o in (BetaVAE(beta=1), VAE()))
    assert torch.equal(a, b)


def test_the_autoencoder_draws_nothing(model, batch):
    a, b = (AE()(model, batch._replace(noise=scale * batch.noise)).loss for scale in (1, 9))
    assert torch.equal(a, b)


def test_capacity_grows_linearly_and_stays():
    objective = AnnealedVAE(max_capacity=25, annealing_steps=100)
    assert [objective.capacity(s) for s in (0, 50, 100, 1000)] == [0, 12.5, 25, 25]
    batch = Batch(*torch.zeros(3, 1, 2), step=100, n_images=9)
    posterior = Posterior(*torch.zeros(2, 1, 2))

    def loss(kl):
        return objective.loss(
            Pass(batch, posterior, posterior.mean, torch.tensor(1.0), torch.tensor(kl), None)
        )

    assert loss([30.0, 5.0]).value.item() == 1 + 1000 * 10
    assert loss([3.0, 2.0]).value.item() == 1 + 1000 * 20
    assert loss([3.0, 2.0]).others["capacity"].item() == 25


@pytest.mark.parametrize("objective", OBJECTIVES[1:], ids=lambda o: o.name)
def test_every_parameter_gets_a_gradient(objective, model, batch):
    objective(model, batch).loss.backward()
    gradients = [p.grad for p in model.parameters()]
    assert all(g is not None and g.abs().sum() > 0 for g in gradients)


@pytest.mark.parametrize("beta", [-1.0, math.nan, math.inf])
def test_a_senseless_beta_is_refused(beta):
    with pytest.raises(ValidationError, match="beta"):
        BetaVAE(beta=beta)


def test_objectives_are_distinguished_by_name():
    adapter = TypeAdapter(AnyObjective)
    for objective in OBJECTIVES:
        assert adapter.validate_python(objective.model_dump()) == objective
    assert np.isclose(adapter.validate_python({"name": "beta_vae", "beta": 2}).strength, 2)
