"""Objectives beyond the beta-VAE, each against its formula and against the traps of other codes."""

import math
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import nn

from unweave.datasets import DSprites, Factor, FactorSpace, GridDataset
from unweave.models import Network, Posterior, build_vae, decompose_kl
from unweave.models import objectives as package
from unweave.models._found import named_kinds
from unweave.models.adversaries import build_critic, build_discriminator, frozen
from unweave.models.objectives import (
    DCIGN,
    DIPVAEI,
    DIPVAEII,
    OBJECTIVES,
    VAE,
    Batch,
    BetaTCVAE,
    FactorVAE,
    InfoGAN,
    InfoVAE,
    Objective,
)
from unweave.models.objectives.dc_ign import clamp_latents
from unweave.models.objectives.factor_vae import permute_latents
from unweave.models.objectives.info_gan import gradient_penalty
from unweave.models.objectives.info_vae import maximum_mean_discrepancy


def gradients(module):
    return [None if p.grad is None else p.grad.abs().sum().item() for p in module.parameters()]


def seeded(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def sharp(model):
    """The model in double precision, its posteriors narrow and apart, so that no term is lost."""
    last = model.encoder[-1]
    with torch.no_grad():
        last.weight[:4] *= 20
        last.bias[4:] = -4
    return model.double()


@pytest.fixture
def exact(batch):
    return batch._replace(**{key: getattr(batch, key).double() for key in batch._fields[:3]})


class TestBetaTCVAE:
    @pytest.mark.parametrize("estimator", ["stratified", "weighted"])
    def test_the_loss_is_its_formula(self, sharp, exact, estimator):
        out = sharp(exact.images, exact.noise)
        parts = decompose_kl(out.posterior, out.latents, n_images=1000, estimator=estimator)
        assert abs(parts.total_correlation) > 1
        plain = VAE()(sharp, exact)
        terms = BetaTCVAE(beta=6, estimator=estimator)(sharp, exact)
        torch.testing.assert_close(terms.loss, plain.loss + 5 * parts.total_correlation)
        torch.testing.assert_close(terms.others["total_correlation"], parts.total_correlation)

    def test_beta_one_is_the_vae(self, model, batch):
        torch.testing.assert_close(BetaTCVAE(beta=1)(model, batch).loss, VAE()(model, batch).loss)

    def test_beta_is_applied_once(self, sharp, exact):
        """In disent it multiplies KL and total correlation."""
        losses = [BetaTCVAE(beta=b)(sharp, exact).loss.item() for b in (1, 2, 3)]
        terms = BetaTCVAE(beta=2)(sharp, exact)
        correlation = terms.others["total_correlation"].item()
        assert np.diff(losses) == pytest.approx([correlation, correlation])

    def test_a_weak_beta_does_not_reward_total_correlation_by_default(self):
        """In disent the default weight is beta - 1 = -0.997."""
        assert BetaTCVAE().beta >= 1


class TestFactorVAE:
    @pytest.fixture
    def discriminator(self, model):
        return FactorVAE(discriminator_units=16).build_adversary(model, seed=0)

    def test_the_loss_is_its_formula(self, model, batch, discriminator):
        terms = FactorVAE(gamma=7)(model, batch, discriminator)
        latents = model(batch.images, batch.noise).latents
        plain = VAE()(model, batch)
        torch.testing.assert_close(terms.loss, plain.loss + 7 * discriminator(latents).mean())

    def test_the_discriminators_loss_is_the_cross_entropy_of_telling_codes_from_permuted_ones(
        self, model, batch, discriminator
    ):
        terms = FactorVAE()(model, batch, discriminator)
        latents = model(batch.images, batch.noise).latents.detach()
        mixed = permute_latents(latents, batch.prior)
        logits = discriminator(torch.cat([latents, mixed]))
        truth = torch.cat([torch.ones(6, 1), torch.zeros(6, 1)])
        expected = F.binary_cross_entropy_with_logits(logits, truth)
        torch.testing.assert_close(terms.adversary_loss, expected)

    def test_neither_loss_leaks_into_the_other_network(self, model, batch, discriminator):
        """In pythae and disentangling-vae the discriminator's gradient reaches the encoder."""
        terms = FactorVAE()(model, batch, discriminator)
        terms.loss.backward(retain_graph=True)
        assert all(g is None for g in gradients(discriminator))
        before = gradients(model)
        terms.adversary_loss.backward()
        assert gradients(model) == before
        assert all(g > 0 for g in gradients(discriminator))

    def test_the_total_correlation_reaches_the_encoder(self, model, batch, discriminator):
        terms = FactorVAE()(model, batch, discriminator)
        terms.others["total_correlation"].backward()
        assert all(g > 0 for g in gradients(model.encoder))
        assert all(g is None for g in gradients(model.decoder))

    def test_all_of_the_batch_is_used(self, model, batch, discriminator):
        """In pythae and disentangling-vae half of it is."""
        halves = batch._replace(images=torch.cat([batch.images[:3], 1 - batch.images[3:]]))
        a, b = (FactorVAE()(model, x, discriminator) for x in (batch, halves))
        assert not torch.equal(a.reconstruction, b.reconstruction)
        assert not torch.equal(a.adversary_loss, b.adversary_loss)

    def test_permuting_keeps_each_latent_and_breaks_their_bond(self):
        codes = torch.arange(1000.0)[:, None].expand(1000, 2).clone()
        mixed = permute_latents(codes, seeded(1000, 2))
        torch.testing.assert_close(mixed.sort(dim=0).values, codes)
        assert abs(np.corrcoef(mixed.T.numpy())[0, 1]) < 0.1

    def test_the_density_ratio_gives_the_total_correlation_of_a_gaussian(self):
        correlation = 0.8
        discriminator = build_discriminator(2, units=64, n_layers=3)
        optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-3)
        root = torch.linalg.cholesky(torch.tensor([[1, correlation], [correlation, 1]]))
        generator = torch.Generator().manual_seed(0)

        def draw(n):
            return torch.randn(n, 2, generator=generator) @ root.T

        for _ in range(1200):
            codes = draw(512)
            mixed = permute_latents(codes, torch.randn(512, 2, generator=generator))
            loss = (
                F.softplus(-discriminator(codes)).mean() + F.softplus(discriminator(mixed)).mean()
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        estimate = frozen(discriminator, draw(20_000)).mean().item()
        assert estimate == pytest.approx(-0.5 * math.log(1 - correlation**2), abs=0.08)

    def test_the_discriminator_is_the_papers(self):
        layers = list(FactorVAE().adversary(Network(), (64, 64, 1)))
        linear = [m for m in layers if isinstance(m, nn.Linear)]
        assert [m.out_features for m in linear] == [1000] * 6 + [1]
        assert [m.negative_slope for m in layers if isinstance(m, nn.LeakyReLU)] == [0.2] * 6
        assert FactorVAE().adversary_optimizer == (1e-4, (0.5, 0.9))


class TestDIPVAE:
    @pytest.mark.parametrize("objective", [DIPVAEI, DIPVAEII])
    def test_the_loss_is_its_formula(self, sharp, exact, objective):
        posterior = sharp.posterior(exact.images)
        means, variances = (
            t.detach().numpy() for t in (posterior.mean, posterior.log_variance.exp())
        )
        covariance = np.cov(means.T, bias=True)
        if objective is DIPVAEII:
            covariance = covariance + np.diag(variances.mean(axis=0))
        diagonal = np.diag(covariance)
        off = (covariance**2).sum() - (diagonal**2).sum()
        chosen = objective(lambda_od=3)
        penalty = 3 * off + 3 * chosen.diagonal_factor * ((diagonal - 1) ** 2).sum()
        terms = chosen(sharp, exact)
        assert terms.loss.item() == pytest.approx(VAE()(sharp, exact).loss.item() + penalty)

    def test_the_factors_are_those_of_the_paper(self):
        assert (DIPVAEI().diagonal_factor, DIPVAEII().diagonal_factor) == (10, 1)

    def test_mean_variances_go_to_the_diagonal_alone(self):
        """In disent and disentanglement-pytorch their mean is added to every entry."""
        posterior = Posterior(
            torch.zeros(7, 3), torch.log(torch.tensor([0.5, 1.0, 2.0])).expand(7, 3)
        )
        covariance = DIPVAEII().covariance(posterior)
        torch.testing.assert_close(covariance, torch.diag(torch.tensor([0.5, 1.0, 2.0])))

    def test_it_is_the_covariance_over_the_batch(self):
        """In AntixK's code it is centred over latents, and the variance is squared."""
        posterior = Posterior(seeded(50_000, 3) + 5, torch.full((50_000, 3), math.log(0.25)))
        torch.testing.assert_close(DIPVAEI().covariance(posterior), torch.eye(3), atol=0.03, rtol=0)
        torch.testing.assert_close(
            DIPVAEII().covariance(posterior), 1.25 * torch.eye(3), atol=0.03, rtol=0
        )


class TestInfoVAE:
    @pytest.mark.parametrize(("alpha", "scale"), [(0, 1000), (1, 10), (-1, 50)])
    def test_the_loss_is_its_formula(self, sharp, exact, alpha, scale):
        terms = InfoVAE(alpha=alpha, lambda_prior=scale)(sharp, exact)
        discrepancy = maximum_mean_discrepancy(
            sharp(exact.images, exact.noise).latents, exact.prior
        )
        plain = VAE()(sharp, exact)
        expected = (
            plain.reconstruction + (1 - alpha) * plain.kl.sum() + (alpha + scale - 1) * discrepancy
        )
        torch.testing.assert_close(terms.loss, expected)

    def test_the_discrepancy_is_the_closed_form_for_gaussians(self):
        shift, dim, n = 0.7, 3, 4000
        estimate = maximum_mean_discrepancy(seeded(n, dim), seeded(n, dim, seed=1) + shift)

        def kernel(mean):  # E exp(-u² / 2D) for u ~ N(mean, 2), for each latent
            return math.sqrt(dim / (dim + 2)) * math.exp(-(mean**2) / (2 * (dim + 2)))

        expected = 2 * kernel(0) ** dim - 2 * kernel(shift) ** dim
        assert estimate.item() == pytest.approx(expected, abs=0.005)

    def test_the_estimate_is_unbiased(self):
        found = [
            maximum_mean_discrepancy(seeded(8, 2, seed=2 * s), seeded(8, 2, seed=2 * s + 1)).item()
            for s in range(2000)
        ]
        assert abs(np.mean(found)) < 3 * np.std(found) / math.sqrt(len(found))
        assert min(found) < 0 < max(found)

    def test_a_weight_that_rewards_distance_from_the_prior_is_refused(self):
        with pytest.raises(ValidationError, match="below 1 codes would be driven away"):
            InfoVAE(alpha=0.2, lambda_prior=0.5)


class TestInfoGAN:
    @pytest.fixture
    def gan(self):
        return build_vae(Network(width=0.25, n_latents=3, n_noise=1), (64, 64, 1), seed=0)

    @pytest.mark.parametrize("distance", ["wasserstein", "jensen_shannon"])
    def test_neither_loss_leaks_into_the_other_network(self, gan, batch, distance):
        objective = InfoGAN(distance=distance)
        critic = objective.build_adversary(gan, seed=0)
        terms = objective(gan, batch, critic)
        terms.loss.backward()
        assert all(g is None for g in gradients(critic))
        before = gradients(gan)
        assert all(g > 0 for g in before)
        terms.adversary_loss.backward()
        assert gradients(gan) == before
        assert all(g > 0 for g in gradients(critic)[:-1])

    def test_a_linear_critic_of_slope_one_has_no_penalty(self):
        slope = seeded(1, 1, 8, 8)
        slope /= slope.norm()

        class Linear(nn.Module):
            def forward(self, images):
                return 3 * (images * slope).flatten(1).sum(dim=1)

        penalty = gradient_penalty(Linear(), torch.rand(5, 1, 8, 8))
        assert penalty.item() == pytest.approx((3 - 1) ** 2, rel=1e-5)

    @pytest.mark.parametrize("distance", ["wasserstein", "jensen_shannon"])
    def test_both_losses_are_their_formulas(self, gan, batch, distance):
        slope = seeded(1, 64, 64)
        slope *= 1.5 / slope.norm()

        class Critic(nn.Module):
            def forward(self, images):
                return (images * slope).flatten(1).sum(dim=1, keepdim=True)

        critic = Critic()
        terms = InfoGAN(distance=distance, information_weight=3)(gan, batch, critic)
        with torch.no_grad():
            made = gan.decoder(batch.prior).sigmoid()
            of_made, of_data = critic(made), critic(batch.images)
            mean, log_variance = gan.posterior(made)
        normal = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
        surprise = -normal.log_prob(batch.prior[:, :3]).sum(dim=1).mean()
        if distance == "wasserstein":
            expected = of_made.mean() - of_data.mean() + 10 * (1.5 - 1) ** 2
            generator = -of_made.mean()
        else:
            told = torch.cat([of_data, of_made])
            truth = torch.cat([torch.ones(6, 1), torch.zeros(6, 1)])
            expected = 2 * F.binary_cross_entropy_with_logits(told, truth)
            generator = F.binary_cross_entropy_with_logits(of_made, torch.ones(6, 1))
        torch.testing.assert_close(terms.adversary_loss, expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(terms.loss, generator + 3 * surprise, atol=1e-4, rtol=1e-4)

    def test_the_penalty_is_at_random_places_between_data_and_made(self, gan, batch):
        """The gradient of this critic at an image is the image, so that the place shows."""

        class Critic(nn.Module):
            def forward(self, images):
                return 0.5 * (images**2).flatten(1).sum(dim=1, keepdim=True)

        terms = InfoGAN()(gan, batch, Critic())
        with torch.no_grad():
            made = gan.decoder(batch.prior).sigmoid()
            share = torch.distributions.Normal(0, 1).cdf(batch.noise[:, 0])[:, None, None, None]
            places = share * made + (1 - share) * batch.images
            penalty = ((places.flatten(1).norm(dim=1) - 1) ** 2).mean()
            expected = Critic()(made).mean() - Critic()(batch.images).mean() + 10 * penalty
        torch.testing.assert_close(terms.adversary_loss, expected, rtol=1e-4, atol=1e-4)

    def test_information_is_that_of_a_known_channel(self):
        """A code read through noise of variance s² from a decoder that shows it."""
        objective, deviation = InfoGAN(), 0.1

        class Shows(nn.Module):
            def forward(self, codes):
                return codes[:, :, None, None].expand(len(codes), 1, 8, 8)

        class Reads(nn.Module):
            def forward(self, images):
                code = torch.logit(images[:, 0, 0, :1])
                return torch.cat([code, torch.full_like(code, 2 * math.log(deviation))], dim=1)

        model = build_vae(Network(n_latents=1), (8, 8, 1), seed=0)
        model.encoder, model.decoder = Reads(), Shows()
        codes = seeded(4000, 1)
        batch = Batch(torch.zeros(4000, 1, 8, 8), codes, codes, 0, 4000)
        terms = objective(model, batch, build_critic(Network(), (8, 8, 1)))
        # Entropy of the code less that of the reading at its true value: no error is made.
        expected = 0.5 * math.log(2 * math.pi * math.e) - 0.5 * math.log(2 * math.pi * deviation**2)
        assert terms.others["information"].item() == pytest.approx(expected, rel=1e-3)

    def test_noise_is_for_it_alone(self, gan, batch):
        with pytest.raises(ValueError, match="no use for a decoder with 1 inputs of noise"):
            VAE().check_inputs(gan.n_latents, gan.n_inputs)
        InfoGAN().check_inputs(gan.n_latents, gan.n_inputs)


class Toy(GridDataset):
    name = "toy"
    image_shape = (4, 4, 1)

    def __init__(self, space):
        self.space = space

    def images(self, indices):
        return np.zeros((len(indices), 4, 4, 1), dtype=np.uint8)


class TestDCIGN:
    SPACE = FactorSpace(
        [
            Factor("shape", (0, 1, 2), "categorical"),
            Factor("x", tuple(range(8))),
            Factor("angle", tuple(range(5)), "circular"),
        ]
    )

    def test_one_factor_varies_in_a_batch_and_its_latent_is_free(self):
        rng = np.random.default_rng(0)
        seen = []
        for _ in range(300):
            rows, own = DCIGN().rows(Toy(self.SPACE), 40, rng)
            varied = np.flatnonzero(np.ptp(self.SPACE.levels(rows), axis=0))
            assert len(varied) == 1
            seen.append((int(varied[0]), own.start, own.stop))
        assert set(seen) == {(1, 0, 1), (2, 1, 2), (0, 2, None)}
        counts = [seen.count(s) for s in set(seen)]
        assert min(counts) > 70

    def test_categorical_factors_vary_more_often_if_asked(self):
        rng = np.random.default_rng(0)
        found = [
            DCIGN(categorical_ratio=10).rows(Toy(self.SPACE), 2, rng)[1].stop for _ in range(600)
        ]
        assert found.count(None) / 600 == pytest.approx(10 / 12, abs=0.05)

    def test_clamped_latents_are_their_means_and_get_their_distance_as_gradient(self):
        latents = seeded(6, 4).requires_grad_()
        clamped, variation = clamp_latents(latents, slice(1, 2))
        means = latents.detach().mean(dim=0)
        torch.testing.assert_close(clamped[:, 1], latents[:, 1])
        for j in (0, 2, 3):
            torch.testing.assert_close(clamped[:, j].detach(), means[j].expand(6))
        (through,) = torch.autograd.grad(clamped.sum(), latents, retain_graph=True)
        torch.testing.assert_close(through, torch.tensor([0.0, 1, 0, 0]).expand(6, 4))
        (invariance,) = torch.autograd.grad(0.5 * 0.01 * variation, latents)
        expected = 0.01 * (latents.detach() - means) / 6
        expected[:, 1] = 0
        torch.testing.assert_close(invariance, expected)

    def test_the_loss_is_its_formula(self, model, batch):
        terms = DCIGN(invariance=2)(model, batch._replace(own=slice(0, 1)))
        parts = terms.reconstruction + terms.kl.sum() + terms.others["variation"]
        torch.testing.assert_close(terms.loss, parts)

    def test_it_is_marked_as_supervised(self):
        assert [name for name, o in OBJECTIVES.items() if o.is_supervised] == ["dc_ign"]

    def test_too_few_latents_are_refused(self, model, batch):
        with pytest.raises(ValueError, match="needs at least 5 latents, not 4"):
            DCIGN()(model, batch._replace(own=slice(4, 5)))

    def test_batches_of_other_objectives_are_refused(self, model, batch):
        with pytest.raises(ValueError, match="batches in which one factor varies"):
            DCIGN()(model, batch)


@pytest.mark.parametrize("name", [n for n, o in OBJECTIVES.items() if o.smallest_batch > 1])
def test_a_batch_of_one_is_refused_where_images_are_compared(name, model, batch):
    one = Batch(*(t[:1] for t in batch[:3]), 0, 1000, slice(0, 1))
    objective = OBJECTIVES[name](name=name)
    with pytest.raises(ValueError, match=f"{name} compares .* at least 2, not 1"):
        objective(model, one, objective.build_adversary(model, seed=0))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_records_what_it_says_and_trains_the_model(name, batch):
    objective = OBJECTIVES[name](name=name)
    network = objective.default_network(width=0.125, n_latents=4)
    model = build_vae(network, (64, 64, 1), seed=0)
    adversary = objective.build_adversary(model, seed=0)
    own = slice(0, 1) if objective.is_supervised else None
    terms = objective(model, batch._replace(own=own), adversary)
    assert tuple(terms.others) == objective.records
    assert (terms.adversary_loss is None) == (adversary is None)
    assert terms.rates.shape == (4,)
    assert objective.title
    terms.loss.backward()
    trained = sum(g is not None and g > 0 for g in gradients(model))
    assert trained == len(list(model.parameters()))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_numbers_without_sense_are_refused_by_name(name):
    for field, info in OBJECTIVES[name].model_fields.items():
        if info.annotation in (float, int):
            with pytest.raises(ValidationError, match=field):
                OBJECTIVES[name](**{field: math.nan})
            if field != "alpha":
                with pytest.raises(ValidationError, match=field):
                    OBJECTIVES[name](**{field: -1})


NEW = """
from typing import Literal

from unweave.models.objectives.terms import Loss, Objective


class Squared(Objective):
    name: Literal["squared"] = "squared"
    weight: float = 2.0

    def loss(self, seen):
        return Loss(seen.reconstruction + self.weight * seen.kl.sum() ** 2)
"""


def test_a_new_file_in_the_folder_is_a_new_objective(tmp_path, monkeypatch, model, batch):
    (tmp_path / "squared.py").write_text(NEW)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    found = named_kinds(package.__name__, package.__path__, Objective)
    assert found.keys() - OBJECTIVES.keys() == {"squared"}
    objective: Objective = found["squared"](weight=3)
    plain = VAE()(model, batch)
    torch.testing.assert_close(
        objective(model, batch).loss, plain.reconstruction + 3 * plain.kl.sum() ** 2
    )
    sys.modules.pop("unweave.models.objectives.squared")


def test_rows_of_other_objectives_are_uniform():
    rows, own = VAE().rows(DSprites(), 50_000, np.random.default_rng(0))
    assert own is None
    assert np.corrcoef(rows, np.arange(50_000))[0, 1] == pytest.approx(0, abs=0.02)
    assert rows.mean() / len(DSprites()) == pytest.approx(0.5, abs=0.01)
