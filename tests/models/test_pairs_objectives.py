"""Objectives on pairs of images, each against its formula and against the traps of other codes."""

import math

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from scipy.integrate import quad
from torch.distributions import Normal, kl_divergence

from unweave.datasets import ArrayDataset, DSprites, Factor, FactorSpace, GridDataset, ImageTable
from unweave.datasets.selection import subset
from unweave.models import Network, Posterior, build_vae
from unweave.models.objectives import (
    OBJECTIVES,
    VAE,
    AdaGVAE,
    AdaMLVAE,
    AnyObjective,
    BetaVAE,
    Pass,
    SlowVAE,
)
from unweave.models.objectives.ada_vae import (
    average_of_normals,
    kl_between,
    product_of_normals,
    shared_latents,
)
from unweave.models.objectives.pairs import halves, paired
from unweave.models.objectives.slow_vae import laplace_cross_entropy
from unweave.training import TrainingConfig, train
from unweave.training.ensemble import stacks
from unweave.training.loop import check_objective

WEAK = [name for name, o in OBJECTIVES.items() if o.is_weakly_supervised]


class Toy(GridDataset):
    name = "toy"
    image_shape = (16, 16, 1)

    def __init__(self, sizes=(3, 4, 5), kinds=("categorical", "ordinal", "ordinal")):
        factors = [
            Factor(f"f{i}", tuple(range(n)), kind)
            for i, (n, kind) in enumerate(zip(sizes, kinds, strict=False))
        ]
        self.space = FactorSpace(factors)

    def images(self, indices):
        levels = self.space.levels(indices)
        images = np.zeros((len(levels), *self.image_shape), dtype=np.uint8)
        for i in range(levels.shape[1]):
            images[:, 4 * i : 4 * i + 4] = 50 * levels[:, i, None, None, None]
        return images


def normals(mean, variance):
    mean = torch.tensor(mean, dtype=torch.float64)
    return Posterior(mean, torch.tensor(variance, dtype=torch.float64).log())


def distribution(posterior):
    return Normal(posterior.mean, torch.exp(0.5 * posterior.log_variance))


def drawn(n=6, latents=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Posterior(*torch.randn(2, n, latents, generator=generator, dtype=torch.float64))


@pytest.fixture
def sharp(model):
    """The model in double precision, its posteriors apart, so that no term is lost."""
    with torch.no_grad():
        model.encoder[-1].weight.mul_(20)
    return model.double()


@pytest.fixture
def exact(batch):
    return batch._replace(**{key: getattr(batch, key).double() for key in batch._fields[:3]})


def small_model(n_latents=3):
    return build_vae(Network(width=0.125, n_latents=n_latents), Toy.image_shape, seed=0)


class TestPairs:
    @pytest.mark.parametrize("name", WEAK)
    def test_a_batch_holds_pairs_one_after_the_other(self, name):
        data = Toy()
        rows, own = OBJECTIVES[name]().rows(data, 40, np.random.default_rng(0))
        first, second = data.space.levels(rows[::2]), data.space.levels(rows[1::2])
        assert rows.shape == (40,)
        assert own is None
        assert ((first == second).any(axis=1)).all()
        assert (first[1:] != second[:-1]).all(axis=1).any()  # neighbours of other pairs share none

    @pytest.mark.parametrize("n_changed", [1, 2])
    def test_as_many_factors_change_as_were_asked_for(self, n_changed):
        data, objective = Toy(), AdaGVAE(n_changed=n_changed, changes="other")
        rows, _ = objective.rows(data, 2000, np.random.default_rng(0))
        levels = data.space.levels(rows)
        assert ((levels[::2] != levels[1::2]).sum(axis=1) == n_changed).all()

    def test_options_reach_the_law_of_the_pairs(self):
        data = Toy()
        for options in (
            {"changes": "laplace_line", "change_rate": 5.0},
            {"changes": "other", "n_changed": "one_or_random"},
        ):
            rows, _ = SlowVAE(**options).rows(data, 60, np.random.default_rng(3))
            expected = data.pairs(
                30,
                n_changed=options.get("n_changed"),
                steps=options["changes"],
                rate=options.get("change_rate", 1.0),
                random_state=np.random.default_rng(3),
            )
            np.testing.assert_array_equal(rows[::2], expected.first)
            np.testing.assert_array_equal(rows[1::2], expected.second)

    def test_slow_vae_keeps_categorical_factors(self):
        data = Toy()
        levels = data.space.levels(SlowVAE().rows(data, 400, np.random.default_rng(0))[0])
        assert (levels[::2, 0] == levels[1::2, 0]).all()
        assert (levels[::2] != levels[1::2]).any(axis=1).all()

    def test_pairs_of_a_part_of_a_grid(self):
        data = subset(Toy(), 40, seed=0)
        rows, _ = AdaGVAE(n_changed=1).rows(data, 50, np.random.default_rng(0))
        levels = data.all_factors(rows)
        assert rows.max() < 40
        assert ((levels[::2] != levels[1::2]).sum(axis=1) <= 1).all()

    def test_devices_get_whole_pairs(self):
        """Devices take slices of a batch, in order: with first and second images in two halves,
        each would pair strangers."""  # noqa: D209
        data = Toy()
        rows, _ = AdaGVAE(n_changed=1).rows(data, 16, np.random.default_rng(0))
        for own in (slice(0, 8), slice(8, 16)):
            levels = data.space.levels(rows[own])
            assert ((levels[::2] != levels[1::2]).sum(axis=1) <= 1).all()
        config = TrainingConfig(batch_size=6, devices=2)
        with pytest.raises(ValueError, match="ada_gvae sees images in pairs: .* even .* not 3"):
            check_objective(AdaGVAE(), Network(), config)
        check_objective(AdaGVAE(), Network(), TrainingConfig(batch_size=8, devices=2))

    @pytest.mark.parametrize("name", WEAK)
    def test_an_image_without_its_pair_is_refused(self, name, model, batch):
        odd = batch._replace(images=batch.images[:5], noise=batch.noise[:5])
        with pytest.raises(ValueError, match=f"{name} sees images in pairs: .* not 5"):
            OBJECTIVES[name]()(model, odd)
        with pytest.raises(ValueError, match="needs a batch of an even number"):
            OBJECTIVES[name]()(model, batch._replace(images=batch.images[:0]))

    def test_halves_and_paired_are_inverse(self):
        posterior = drawn()
        for ours, given in zip(paired(*halves(posterior)), posterior, strict=True):
            assert torch.equal(ours, given)

    def test_posteriors_in_half_precision_are_compared_in_single(self):
        low = Posterior(*(t.to(torch.bfloat16) for t in drawn()))
        assert {t.dtype for half in halves(low) for t in half} == {torch.float32}

    @pytest.mark.parametrize("value", ["many", "0", 0, -1, 1.5, True])
    def test_a_number_of_changed_factors_without_sense_is_refused(self, value):
        with pytest.raises(ValidationError, match="n_changed must be a whole number from 1"):
            AdaGVAE(n_changed=value)

    @pytest.mark.parametrize(
        ("value", "expected"), [("2", 2), (2, 2), ("random", "random"), (None, None)]
    )
    def test_numbers_come_as_text_from_a_command_line(self, value, expected):
        found = TypeAdapter(AnyObjective).validate_python({"name": "ada_gvae", "n_changed": value})
        assert found.n_changed == expected

    @pytest.mark.parametrize("name", WEAK)
    def test_data_without_factors_is_refused_before_training(self, name, tmp_path):
        images = np.random.default_rng(0).integers(0, 255, (20, 16, 16, 1), dtype=np.uint8)
        config = TrainingConfig(steps=1, batch_size=4, accelerator="cpu")
        folder = tmp_path / "run"
        needs = f"{name} trains on pairs .* has no factors: .* no pairs: .*beta_vae"
        with pytest.raises(ValueError, match=needs) as caught:
            train(small_model(), OBJECTIVES[name](), images, config, folder=folder)
        assert not folder.exists()
        assert not {*WEAK, "dc_ign"} & {*str(caught.value).split("no pairs: ")[1].split(", ")}
        with pytest.raises(ValueError, match="has no factors"):
            OBJECTIVES[name]().rows(ArrayDataset(images), 4, np.random.default_rng(0))
        table = ImageTable(ArrayDataset(images), [Factor("x", (0, 1))], np.zeros((20, 1), int))
        with pytest.raises(ValueError, match="is not a full grid of its factors"):
            OBJECTIVES[name]().check_dataset(table)

    def test_pairs_that_would_share_nothing_are_refused(self):
        objective = AdaGVAE(n_changed=3)
        with pytest.raises(ValueError, match="share a factor, and toy has 3 that vary"):
            objective.rows(Toy(), 4, np.random.default_rng(0))
        objective.check_dataset(Toy((3, 4, 5, 2), ("ordinal",) * 4))
        with pytest.raises(ValueError, match="toy has 3 that vary"):  # one level does not vary
            objective.check_dataset(Toy((3, 4, 5, 1), ("ordinal",) * 4))
        with pytest.raises(ValueError, match="toy has 1 that vary"):
            AdaGVAE().check_dataset(Toy((3,), ("ordinal",)))


class TestAda:
    def test_the_divergence_is_that_of_the_first_posterior_from_the_second(self):
        """In disent the default is the mean of both directions."""
        first, second = drawn(seed=0), drawn(seed=1)
        a, b = distribution(first), distribution(second)
        torch.testing.assert_close(kl_between(first, second), kl_divergence(a, b))
        assert not torch.allclose(kl_between(first, second), kl_between(second, first))

    def test_the_direction_decides_which_latents_are_shared(self):
        first = normals([[0.0, 0.0, 0.0]], [[1.0, 1.0, 4.0]])
        second = normals([[0.0, 1.5, 0.0]], [[1.0, 1.0, 0.8]])
        forwards, backwards = kl_between(first, second), kl_between(second, first)
        assert shared_latents(forwards).tolist() == [[True, False, False]]
        assert shared_latents(backwards).tolist() == [[True, False, True]]

    def test_latents_below_the_middle_are_shared(self):
        """Not those below the mean, nor a fixed number of them."""
        divergences = torch.tensor([[0.0, 1.0, 4.9, 5.1, 10.0], [9.0, 9.4, 9.6, 10.0, 9.5]])
        expected = [[True, True, True, False, False], [True, True, False, False, False]]
        assert shared_latents(divergences).tolist() == expected

    def test_the_threshold_is_each_pairs_own(self):
        divergences = torch.tensor([[0.0, 1.0, 2.0], [0.0, 100.0, 200.0]])
        assert shared_latents(divergences).tolist() == [[True, False, False]] * 2

    def test_images_that_are_the_same_share_all(self):
        """The scaled divergences are 0 / 0 in slow_disentanglement."""
        posterior = Posterior(*(t.repeat_interleave(2, dim=0) for t in drawn(3)))
        first, second = halves(posterior)
        assert shared_latents(kl_between(first, second)).all()
        for ours, given in zip(AdaGVAE().share(posterior), posterior, strict=True):
            torch.testing.assert_close(ours, given)

    def test_latents_that_all_differ_as_much_are_kept(self):
        posterior = normals([[0.0, 1.0], [1.0, 2.0]], [[1.0, 1.0]] * 2)
        for ours, given in zip(AdaGVAE().share(posterior), posterior, strict=True):
            assert torch.equal(ours, given)

    def test_the_group_vae_averages_means_and_variances(self):
        """Not deviations (disent's gvae_std) nor log variances."""
        first, second = normals([[1.0]], [[4.0]]), normals([[3.0]], [[16.0]])
        found = average_of_normals(first, second)
        assert found.mean.item() == pytest.approx(2)
        assert found.log_variance.exp().item() == pytest.approx(10)  # deviations: 9; logs: 8

    def test_the_ml_vae_multiplies_densities(self):
        first, second = normals([[1.0]], [[4.0]]), normals([[3.0]], [[12.0]])
        found = product_of_normals(first, second)
        assert found.mean.item() == pytest.approx((1 / 4 + 3 / 12) / (1 / 4 + 1 / 12))
        assert found.log_variance.exp().item() == pytest.approx(1 / (1 / 4 + 1 / 12))
        z = torch.linspace(-5, 8, 7, dtype=torch.float64)
        logs = distribution(first).log_prob(z) + distribution(second).log_prob(z)
        product = distribution(found).log_prob(z[:, None])[:, 0]
        torch.testing.assert_close(product - product[0], (logs - logs[:, :1])[0])

    def test_the_harmonic_mean_of_variances_is_twice_the_products(self):
        """As disentanglement_lib has it."""
        first, second = normals([[1.0]], [[4.0]]), normals([[3.0]], [[12.0]])
        found = AdaMLVAE(variance="harmonic").average(first, second)
        assert found.log_variance.exp().item() == pytest.approx(2 * 4 * 12 / (4 + 12))
        assert found.mean.item() == AdaMLVAE().average(first, second).mean.item()

    def test_averages_of_very_unequal_posteriors_are_finite(self):
        first = Posterior(torch.tensor([[0.0]]), torch.tensor([[-80.0]]))
        second = Posterior(torch.tensor([[5.0]]), torch.tensor([[80.0]]))
        for average in (average_of_normals, product_of_normals):
            assert all(torch.isfinite(t).all() for t in average(first, second))

    @pytest.mark.parametrize("objective", [AdaGVAE(beta=3), AdaMLVAE(beta=3)])
    def test_the_loss_is_that_of_a_beta_vae_with_averaged_posteriors(self, objective, sharp, exact):
        terms = objective(sharp, exact)
        plain = sharp.posterior(exact.images)
        first, second = halves(plain)
        divergence = kl_divergence(distribution(first), distribution(second))
        middle = 0.5 * (divergence.amin(1, keepdim=True) + divergence.amax(1, keepdim=True))
        shared = (divergence < middle).repeat_interleave(2, dim=0)
        assert 0 < shared.double().mean() < 1
        average = objective.average(first, second)
        mean, log_variance = (
            torch.where(shared, a.repeat_interleave(2, dim=0), own)
            for a, own in zip(average, plain, strict=True)
        )
        posterior = Posterior(mean, log_variance)
        logits = sharp.decoder(posterior.sample(exact.noise))
        bits = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, exact.images, reduction="none"
        )
        per_image = bits.flatten(1).sum(1) + 3 * posterior.kl().sum(1)
        torch.testing.assert_close(terms.loss, 0.5 * (per_image[::2] + per_image[1::2]).mean())
        torch.testing.assert_close(terms.kl, posterior.kl().mean(0))
        n_shared = shared.double().sum(1).mean()
        torch.testing.assert_close(terms.others["shared_latents"], n_shared)

    def test_gradients_pass_through_averages_to_both_images(self):
        posterior = Posterior(*(t.requires_grad_() for t in drawn(2, 3)))
        found = AdaGVAE().share(posterior)
        shared = found.mean[0] == found.mean[1]
        assert shared.any()
        assert not shared.all()
        (gradient,) = torch.autograd.grad(found.mean[0].sum(), posterior.mean)
        assert gradient[0].tolist() == pytest.approx(torch.where(shared, 0.5, 1.0).tolist())
        assert gradient[1].tolist() == pytest.approx(torch.where(shared, 0.5, 0.0).tolist())

    @pytest.mark.parametrize("objective", [AdaGVAE(), AdaMLVAE()])
    def test_pairs_do_not_see_each_other(self, objective, sharp, exact):
        whole = objective(sharp, exact)
        pairs = [
            objective(sharp, exact._replace(images=exact.images[i : i + 2], noise=noise))
            for i in (0, 2, 4)
            for noise in [exact.noise[i : i + 2]]
        ]
        torch.testing.assert_close(whole.loss, torch.stack([p.loss for p in pairs]).mean())

    def test_a_change_of_the_posterior_is_drawn_from_and_returned(self, model, batch):
        moved = model(batch.images, batch.noise, lambda p: Posterior(p.mean + 1, p.log_variance))
        plain = model(batch.images, batch.noise)
        torch.testing.assert_close(moved.posterior.mean, plain.posterior.mean + 1)
        torch.testing.assert_close(moved.latents, plain.latents + 1)
        torch.testing.assert_close(moved.outputs, model.decoder(moved.latents))


def cross_entropy(mean, variance, rate):
    """By numerical integration, on both sides of the kink."""
    sd = math.sqrt(variance)

    def integrand(z):
        density = math.exp(-0.5 * ((z - mean) / sd) ** 2) / (sd * math.sqrt(2 * math.pi))
        return density * (rate * abs(z) - math.log(rate / 2))

    ends = (mean - 12 * sd, mean + 12 * sd)
    kink = min(max(0.0, ends[0]), ends[1])
    return quad(integrand, ends[0], kink)[0] + quad(integrand, kink, ends[1])[0]


class TestSlowVAE:
    @pytest.mark.parametrize("mean", [-3.0, -0.1, 0.0, 0.5, 4.0])
    @pytest.mark.parametrize(("variance", "rate"), [(1.0, 6.0), (0.04, 1.0), (9.0, 0.5)])
    def test_the_cross_entropy_is_its_integral(self, mean, variance, rate):
        found = laplace_cross_entropy(
            torch.tensor(mean, dtype=torch.float64),
            torch.tensor(math.log(variance), dtype=torch.float64),
            rate,
        )
        assert found.item() == pytest.approx(cross_entropy(mean, variance, rate), rel=1e-7)

    def test_of_a_narrow_posterior_it_is_the_laplace_density(self):
        mean = torch.tensor([-2.0, 0.0, 0.3], requires_grad=True)
        found = laplace_cross_entropy(mean, torch.full((3,), -100.0), 6.0)
        expected = -torch.distributions.Laplace(0.0, 1 / 6).log_prob(mean)
        torch.testing.assert_close(found, expected)
        (gradient,) = torch.autograd.grad(found.sum(), mean)
        torch.testing.assert_close(gradient, torch.tensor([-6.0, 0.0, 6.0]))

    def test_the_loss_is_that_of_the_authors_code(self, sharp, exact):
        """Two reconstructions, two cross-entropies, one KL and one entropy, in nats per pair."""
        objective = SlowVAE(beta=2, gamma=5, prior_rate=3)
        terms = objective(sharp, exact)
        posterior = sharp.posterior(exact.images)
        mean, variance = (t.detach().numpy() for t in (posterior.mean, posterior[1].exp()))
        total = 0.0
        for one, other in [(0, 1), (2, 3), (4, 5)]:
            for i, j in [(one, other), (other, one)]:
                for k in range(4):
                    total += cross_entropy(mean[i, k] - mean[j, k], variance[i, k], 3)
        entropy = distribution(posterior).entropy().sum(1).mean()
        transition = total / 3 - entropy
        expected = 2 * terms.reconstruction + 2 * terms.kl.sum() + 5 * transition
        torch.testing.assert_close(terms.loss, expected, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(terms.others["transition"], transition, rtol=1e-6, atol=1e-6)

    def test_the_other_image_is_a_point(self):
        """Its variance is not in the cross-entropy, as published."""
        posterior = drawn(2, 3)
        wide = Posterior(posterior.mean, posterior.log_variance + torch.tensor([[0.0], [1.0]]))
        zero = torch.zeros((), dtype=torch.float64)

        def transition(p):
            seen = Pass(None, p, None, zero, p.kl().mean(0), None)
            return SlowVAE().loss(seen).others["transition"]

        own = [
            laplace_cross_entropy(p.mean[1] - p.mean[0], p.log_variance[1], 6.0).sum()
            - 0.5 * distribution(p).entropy()[1].sum()
            for p in (posterior, wide)
        ]
        difference = transition(wide) - transition(posterior)
        torch.testing.assert_close(difference, own[1] - own[0])

    def test_without_the_transition_it_is_half_a_beta_vae(self, model, batch):
        slow = SlowVAE(gamma=0, beta=4)(model, batch)
        torch.testing.assert_close(slow.loss, 2 * BetaVAE(beta=2)(model, batch).loss)

    def test_latents_that_do_not_move_cost_least(self):
        steps = torch.linspace(-2, 2, 9)
        found = laplace_cross_entropy(steps, torch.zeros(9), 6.0)
        assert found.argmin() == 4
        torch.testing.assert_close(found, found.flip(0))


def test_supervision_is_marked():
    assert WEAK == ["ada_gvae", "ada_ml_vae", "slow_vae"]
    for objective in OBJECTIVES.values():
        weak, full = objective.is_weakly_supervised, objective.is_supervised
        assert not (weak and full)
        assert weak == objective.title.endswith(", weakly supervised")
        assert full == objective.title.endswith(", supervised")
    assert AdaGVAE(beta=2).label == "Ada-GVAE, weakly supervised (β = 2)"
    assert SlowVAE().label == "SlowVAE, weakly supervised (γ = 10)"


def test_defaults_are_those_of_the_papers():
    for name in WEAK:
        assert OBJECTIVES[name].defaults["training"] == {"batch_size": 128, "learning_rate": 1e-4}
        TrainingConfig(**OBJECTIVES[name].defaults["training"])
    slow = SlowVAE()
    assert (slow.beta, slow.gamma, slow.prior_rate, slow.changes) == (1, 10, 6, "laplace_line")


def test_pairs_are_not_trained_as_one_model():
    assert not stacks([AdaGVAE(beta=1), AdaGVAE(beta=2)])


@pytest.mark.parametrize("name", WEAK)
def test_training_lowers_the_loss_and_resumes_to_the_same_bits(name, tmp_path):
    objective, data = OBJECTIVES[name](), Toy()
    config = TrainingConfig(
        steps=30, batch_size=16, log_every=15, accelerator="cpu", learning_rate=2e-3
    )
    whole = train(small_model(), objective, data, config, folder=tmp_path / "whole")
    curves = np.genfromtxt(tmp_path / "whole/curves.csv", delimiter=",", names=True)
    assert curves["loss"][-1] < curves["loss"][0]
    assert objective.records[0] in curves.dtype.names
    half = config.model_copy(update={"steps": 15})
    train(small_model(), objective, data, half, folder=tmp_path / "parts")
    parts = train(small_model(), objective, data, config, folder=tmp_path / "parts")
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(a, b)


def test_other_objectives_take_any_data():
    VAE().check_dataset(ArrayDataset(np.zeros((4, 16, 16, 1), np.uint8) + 200))
    AdaGVAE().check_dataset(DSprites())
