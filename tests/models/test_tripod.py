"""Tripod: grid latents, multi-information by kernels, normalised Hessian penalty."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from unweave.models import Network, build_vae
from unweave.models.objectives import AE, Batch, Tripod
from unweave.models.objectives.tripod import (
    _directions,
    kernel_multi_information,
    normalised_hessian_penalty,
    silverman_factor,
)
from unweave.training import TrainingConfig, train
from unweave.training.compute import step_flops
from unweave.training.ensemble import stacks

SHAPE = (16, 16, 3)
N_LATENTS = 4


def built(objective=None, **options):
    options = {"width": 0.125, "n_latents": N_LATENTS, **options}
    return build_vae((objective or Tripod()).default_network(**options), SHAPE, seed=0)


@pytest.fixture
def model():
    return built()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(8, 3, 16, 16, generator=generator)
    noise, prior = torch.randn(2, 8, N_LATENTS, generator=generator)
    return Batch(images, noise, prior, 0, 100)


def all_combinations(*values):
    return torch.tensor(list(itertools.product(*values)), dtype=torch.float64)


def log_kernel(x, y, bandwidth):
    return -0.5 * ((x - y) / bandwidth) ** 2 - math.log(bandwidth * math.sqrt(2 * math.pi))


class TestMultiInformation:
    def test_it_is_the_loop_over_pairs(self, rng):
        latents, (joint, single) = rng.normal(size=(7, 3)), rng.uniform(0.2, 1, (2, 3))
        total = 0.0
        for i in range(7):
            kernels = [
                [[log_kernel(latents[i, k], latents[j, k], h[k]) for k in range(3)]
                 for j in range(7)]
                for h in (joint, single)
            ]  # fmt: skip
            total += np.log(np.mean(np.exp(np.sum(kernels[0], axis=1))))
            total -= np.log(np.mean(np.exp(kernels[1]), axis=0)).sum()
        found = kernel_multi_information(*map(torch.from_numpy, (latents, joint, single)))
        assert found.item() == pytest.approx(total / 7)

    def test_independent_latents_have_none_if_bandwidths_agree(self):
        latents = all_combinations([-1, 0, 0.5], [0, 1], [-1, -0.2, 0.3, 1])
        bandwidths = torch.tensor([0.3, 0.5, 0.1], dtype=torch.float64)
        found = kernel_multi_information(latents, bandwidths, bandwidths)
        assert found.item() == pytest.approx(0, abs=1e-12)

    def test_independent_latents_have_some_with_the_published_bandwidths(self):
        """The kernels of the joint density are narrower, so that its logarithm is larger."""
        latents = all_combinations([-1, 1], [-1, 1], [-1, 1])
        spread = torch.ones(3, dtype=torch.float64)
        factor = silverman_factor(8, 3)
        found = kernel_multi_information(latents, factor * spread, spread)

        def log_density(h):  # at one of two points -1 and 1, which have half the kernels each
            return math.log((1 + math.exp(-2 / h**2)) / (2 * h * math.sqrt(2 * math.pi)))

        assert found.item() == pytest.approx(3 * (log_density(factor) - log_density(1)))
        assert found.item() > 0.5

    def test_a_batch_of_independent_draws_has_much(self):
        """The kernel at the point itself is most of the joint density of many latents."""
        latents = 2 * torch.rand(64, 12, generator=torch.Generator().manual_seed(0)) - 1
        narrow = silverman_factor(64, 12) * latents.std(dim=0, correction=0)
        independent = kernel_multi_information(latents, narrow, narrow)
        copied = kernel_multi_information(latents[:, :1].expand(-1, 12), narrow, narrow)
        assert 5 < independent < 7 < 8 < copied < 10

    def test_duplicates_have_the_entropy_of_the_one(self):
        """With narrow kernels: three latents that are one uniform latent of 5 values."""
        latents = torch.linspace(-1, 1, 5, dtype=torch.float64)[:, None].expand(5, 3)
        narrow = torch.full((3,), 1e-3, dtype=torch.float64)
        found = kernel_multi_information(latents, narrow, narrow)
        assert found.item() == pytest.approx(2 * math.log(5))

    def test_units_of_latents_do_not_matter(self, rng):
        """Neither density has a unit of its own: bandwidths are in those of the latents."""
        latents, joint, single = map(
            torch.from_numpy, (rng.normal(size=(9, 2)), *rng.uniform(0.2, 1, (2, 2)))
        )
        scales = torch.tensor([3.0, 0.1])
        found = kernel_multi_information(latents * scales, joint * scales, single * scales)
        torch.testing.assert_close(found, kernel_multi_information(latents, joint, single))

    def test_one_latent_has_none(self, rng):
        latents, joint = torch.from_numpy(rng.normal(size=(9, 1))), torch.tensor([0.4])
        assert kernel_multi_information(latents, joint, joint).item() == pytest.approx(0)

    def test_silvermans_rule(self):
        """In one dimension the well-known 1.06 n^(-1/5)."""
        assert silverman_factor(100, 1) == pytest.approx(1.0592 * 100 ** (-1 / 5), rel=1e-4)


# Uniform weights on these six numbers have the first five moments of a standard normal one.
NORMAL_MOMENTS = [0, 0, 0, 0, math.sqrt(3), -math.sqrt(3)]


def penalty(function, n_latents, spread=None, at=None):
    """With all signs, and directions with the moments of normal ones, instead of random draws."""
    signs, normals = (
        all_combinations(*n_latents * [values])[:, None] for values in ([1, -1], NORMAL_MOMENTS)
    )
    latents = torch.zeros(1, n_latents, dtype=torch.float64) if at is None else at
    spread = torch.ones(n_latents, dtype=torch.float64) if spread is None else spread
    n = len(latents)
    directions = [t.expand(-1, n, -1) for t in (signs, normals)]
    return normalised_hessian_penalty(function, latents, spread, *directions).item()


class TestNormalisedHessianPenalty:
    def test_it_is_exactly_zero_for_additive_functions(self):
        """Numbers that binary fractions hold exactly, so that nothing is rounded."""
        latents = torch.tensor([[0.5, -0.25], [1.0, 2.0]])
        signs = torch.tensor([[[1.0, 1], [1, -1]], [[-1, 1], [1, 1]]])
        normals = torch.tensor([[[0.5, 2], [1, -3]], [[-1, 0.25], [2, 1]]])

        def additive(z):
            return [z[:, :1] ** 2 - 3 * z[:, 1:] ** 2 + z[:, :1], z**2]

        given = (additive, latents, torch.tensor([1.0, 0.5]), signs, normals)
        assert normalised_hessian_penalty(*given, step=0.125).item() == 0

    def test_a_product_is_nothing_but_interference(self):
        assert penalty(lambda z: [z[:, :1] * z[:, 1:]], 2) == pytest.approx(1, rel=1e-6)

    def test_a_product_with_two_draws(self):
        """The second differences of z0 z1 are 2 v0 v1 / step²."""
        signs = torch.tensor([[[1.0, 1]], [[1, -1]]], dtype=torch.float64)
        normals = torch.tensor([[[0.5, 2]], [[3, 1]]], dtype=torch.float64)
        latents, spread = torch.zeros(1, 2).double(), torch.tensor([2.0, 0.5]).double()
        found = normalised_hessian_penalty(
            lambda z: [z[:, 0] * z[:, 1]], latents, spread, signs, normals
        )
        assert found.item() == pytest.approx(np.var([2, -2]) / np.var([2, 6]))

    @pytest.mark.parametrize("spread", [[1, 1, 1], [0.5, 2, 3]])
    def test_quadratic_forms(self, rng, spread):
        """The share of the squares off the diagonal, in units of the latents' spreads."""
        hessians = rng.normal(size=(2, 3, 3))
        hessians = hessians + hessians.transpose(0, 2, 1)
        scaled = hessians * np.outer(spread, spread)
        squares = (scaled**2).sum(axis=0)  # means over the numbers of one output
        expected = 1 - np.trace(squares) / squares.sum()
        forms = torch.from_numpy(hessians)
        found = penalty(
            lambda z: [0.5 * torch.einsum("ni,uij,nj->nu", z, forms, z)],
            3,
            torch.tensor(spread, dtype=torch.float64),
            torch.from_numpy(rng.normal(size=(4, 3))),
        )
        assert found == pytest.approx(expected, rel=1e-6)

    def test_scaling_an_output_leaves_it(self):
        """A decoder cannot escape it by small outputs, as it can the Hessian penalty."""

        def function(scale):
            return lambda z: [scale * (z[:, :1] * z[:, 1:] + z[:, :1] ** 2)]

        found = [penalty(function(scale), 2) for scale in (1, 0.01, 100)]
        np.testing.assert_allclose(found, found[0], rtol=1e-5)
        assert found[0] == pytest.approx(2 / 6)  # H has 2 on the diagonal, and 1 beside it twice

    def test_outputs_are_summed_and_rows_averaged(self):
        def function(z):
            interferes = z[:, :1] * z[:, 1:] * (z[:, :1] > 5)
            return [z[:, :1] * z[:, 1:], interferes + z[:, :1] ** 2 * (z[:, :1] < 5)]

        at = torch.tensor([[0.0, 0], [0, 0], [10, 0], [0, 0]], dtype=torch.float64)
        assert penalty(function, 2, at=at) == pytest.approx(1 + 1 / 4, rel=1e-6)

    def test_a_function_without_curvature_divides_nothing_by_nothing(self):
        assert penalty(lambda z: [torch.ones_like(z)], 2) == 0


def test_directions_of_an_image_are_independent_draws():
    generator = torch.Generator().manual_seed(0)
    noise, prior = torch.randn(2, 20_000, 2, generator=generator)
    signs, normals = _directions(Batch(noise, noise, prior, 0, 1))
    assert signs.shape == normals.shape == (2, 20_000, 2)
    assert set(signs.unique().tolist()) == {-1, 1}
    columns = torch.cat([*signs, *normals], dim=1)
    for numbers in (columns, columns.abs()[:, 4:]):
        off = torch.corrcoef(numbers.T) - torch.eye(numbers.shape[1])
        assert off.abs().max() < 0.03
    torch.testing.assert_close(columns.square().mean(dim=0), torch.ones(8), atol=0.05, rtol=0)
    assert (_directions(Batch(noise, 0 * noise, prior, 0, 1))[0].abs() == 1).all()


class TestStyleFeatures:
    def test_they_are_the_style_and_all_layers_but_the_last(self):
        decoder = build_vae(Network(name="style", width=0.25), (32, 32, 3), seed=0).decoder
        latents = torch.randn(2, 10)
        style, *maps = decoder.features(latents)
        torch.testing.assert_close(style, decoder.style(latents))
        assert [tuple(m.shape) for m in maps] == [(2, 16, 8, 8), (2, 8, 16, 16)]
        outputs = list(decoder._stages(latents))[-1]
        assert torch.equal(outputs, decoder(latents))

    def test_a_smooth_style(self):
        options = {"width": 0.25, "n_latents": 3, "latent_space": "grid"}
        smooth = Network(name="style", style_activation="gelu", **options)
        decoder = build_vae(smooth, (16, 16, 3), seed=0).decoder
        latents = torch.randn(2, 3)
        first, _, second, _ = decoder.style
        expected = F.gelu(second(F.gelu(first(latents))))
        torch.testing.assert_close(decoder.features(latents)[0], expected)
        assert smooth.model_dump()["style_activation"] == "gelu"
        assert "style_activation" not in Network(name="style").model_dump()

    def test_kinks_of_a_narrow_style_ruin_the_penalty(self, batch):
        """Images at which hardly any unit crosses a kink have ratios of hundreds."""
        hessian = []
        for activation in ("gelu", "leaky_relu"):
            model = built(width=0.125, style_activation=activation)
            hessian.append(Tripod()(model, batch).others["hessian_penalty"].item())
        assert hessian[0] < 10 < 3 * hessian[0] < hessian[1]


class TestTripod:
    def test_the_loss_is_what_the_authors_have(self, model, batch):
        terms = Tripod(multi_information_weight=0.3, hessian_weight=0.2)(model, batch)
        continuous = model.encoder(batch.images).tanh()
        latents = 2 * torch.round(11 * (continuous + 1) / 2) / 11 - 1
        spread = continuous.std(dim=0, correction=0) + 1e-6
        narrow = (
            spread * (4 / (N_LATENTS + 2)) ** (1 / (N_LATENTS + 4)) * 8 ** (-1 / (N_LATENTS + 4))
        )
        information = kernel_multi_information(latents, narrow, spread)
        ratios = [
            normalised_hessian_penalty(
                model.decoder.features, latents[[i]], spread,
                torch.stack([batch.noise[[i]], batch.prior[[i]]]).sign(),
                torch.stack([batch.noise[[i - 1]], batch.prior[[i - 1]]]),
            )
            for i in range(8)
        ]  # fmt: skip
        hessian = torch.stack(ratios).mean()
        cross_entropy = F.binary_cross_entropy_with_logits(model.decoder(latents), batch.images)
        torch.testing.assert_close(terms.others["multi_information"], information)
        torch.testing.assert_close(terms.others["hessian_penalty"], hessian, rtol=1e-2, atol=1e-2)
        found = terms.others["hessian_penalty"]
        torch.testing.assert_close(
            terms.loss, cross_entropy + 0.3 * information + 0.2 * found, rtol=1e-4, atol=1e-5
        )

    def test_each_term_alone(self, model, batch):
        """A weight of 0 is neither computed nor recorded."""
        none = Tripod(multi_information_weight=0, hessian_weight=0)
        terms = none(model, batch)
        torch.testing.assert_close(terms.loss, terms.reconstruction / 768)
        assert none.records == ()
        for name, weight in (
            ("multi_information", "multi_information_weight"),
            ("hessian_penalty", "hessian_weight"),
        ):
            alone = none.model_copy(update={weight: 0.5})
            found = alone(model, batch)
            assert tuple(found.others) == alone.records == (name,)
            torch.testing.assert_close(found.loss, terms.loss + 0.5 * found.others[name])

    def test_a_term_without_weight_runs_nothing(self, model, batch, monkeypatch):
        def unexpected(*given):
            raise AssertionError

        monkeypatch.setattr(type(model.decoder), "features", unexpected)
        Tripod(hessian_weight=0)(model, batch)
        module = "unweave.models.objectives.tripod.kernel_multi_information"
        monkeypatch.setattr(module, unexpected)
        Tripod(hessian_weight=0, multi_information_weight=0)(model, batch)

    def test_the_bandwidth_is_a_choice(self, model, batch):
        published, joint = (
            Tripod(hessian_weight=0, marginal_bandwidth=b)(model, batch).others["multi_information"]
            for b in ("published", "joint")
        )
        found = model.posterior(batch.images)
        narrow = found.continuous.std(dim=0, correction=0) * silverman_factor(8, N_LATENTS)
        expected = kernel_multi_information(found.values, narrow, narrow)
        torch.testing.assert_close(joint, expected, rtol=1e-4, atol=1e-4)
        assert published > joint + 0.1

    def test_gradients_reach_what_each_term_is_about(self, model, batch):
        """Multi-information moves the encoder alone, the Hessian penalty both networks."""
        for name, reaches_decoder in (("multi_information", False), ("hessian_penalty", True)):
            model.zero_grad()
            Tripod()(model, batch).others[name].backward()
            assert model.encoder[-1].weight.grad.abs().max() > 0
            found = [p.grad for p in model.decoder.parameters()]
            assert any(g is not None and g.abs().max() > 0 for g in found) == reaches_decoder
        assert model.decoder.layers[-1].weight.grad is None  # pixels are not regularised

    def test_dead_latents_have_finite_gradients(self, model, batch):
        with torch.no_grad():
            model.encoder[-1].weight[:2] = 0
        terms = Tripod(multi_information_weight=1, hessian_weight=1)(model, batch)
        terms.loss.backward()
        assert torch.isfinite(terms.loss)
        gradients = [p.grad for p in model.parameters()]
        assert all(torch.isfinite(g).all() for g in gradients if g is not None)

    def test_the_hessian_penalty_needs_a_style_decoder(self, batch):
        config = TrainingConfig(steps=1, batch_size=4)
        for options in ({"name": "burgess"}, {"decoder": "spatial_broadcast"}):
            other = built(**options)
            with pytest.raises(ValueError, match="tripod is of the style .* set decoder to style"):
                train(other, Tripod(), np.zeros((8, *SHAPE), np.uint8) + 9, config)
            with pytest.raises(ValueError, match="or hessian_weight to 0"):
                Tripod()(other, batch)
            Tripod(hessian_weight=0)(other, batch)
        Tripod().check_network(Network(name="burgess", decoder="style"))

    def test_it_is_for_grids(self):
        with pytest.raises(ValueError, match="tripod trains grid latents"):
            Tripod().check_latent_space(Network().latent_space)

    def test_a_batch_of_one_is_refused(self, model, batch):
        one = Batch(*(t[:1] for t in batch[:3]), 0, 100)
        with pytest.raises(ValueError, match="tripod compares .* at least 2, not 1"):
            Tripod()(model, one)

    def test_settings_of_the_paper(self):
        network = Tripod().default_network()
        assert (network.name, network.latent_space.n_values) == ("style", 12)
        assert network.style_activation == "gelu"
        config = TrainingConfig.for_objective(Tripod())
        assert (config.optimizer, config.learning_rate, config.batch_size) == ("adam", 2e-4, 64)
        assert (config.gradient_clip, config.weight_decay) == (1, 0)

    def test_the_hessian_penalty_costs_nine_runs_of_the_decoder(self):
        """Without the last layer: at z, and both ways in four directions. Backward costs twice."""
        model = built(width=0.5)
        decoder = model.decoder
        first, second = decoder.layers[0], decoder.style[2]
        matrices = sum(m.weight.numel() for m in (decoder.style[0], second, decoder.styles))
        places = decoder.constant.shape[2] * decoder.constant.shape[3]
        forward = 2 * (matrices + places * first.weight.numel())
        with_penalty, without = (
            step_flops(model, Tripod(hessian_weight=w), batch_size=4) for w in (1, 0)
        )
        assert with_penalty - without == pytest.approx(9 * 4 * 3 * forward, rel=0.02)

    def test_members_are_not_trained_as_one_model(self):
        assert not stacks([Tripod(), Tripod()])
        assert stacks([AE(), AE()])

    def test_a_resumed_run_has_the_same_bits(self, rng, tmp_path):
        images = rng.integers(0, 256, (20, *SHAPE), dtype=np.uint8)

        def run(steps, folder):
            config = TrainingConfig(
                steps=steps, batch_size=4, log_every=2, checkpoint_every=2, precision="32-true"
            )
            objective = Tripod(multi_information_weight=0.1, hessian_weight=0.1)
            return train(built(), objective, images, config, folder=folder)

        run(2, tmp_path / "a")
        first, second = run(4, tmp_path / "a"), run(4, tmp_path / "b")
        for a, b in zip(first.parameters(), second.parameters(), strict=True):
            assert torch.equal(a, b)
        header = (tmp_path / "a" / "curves.csv").read_text(encoding="utf-8").splitlines()[0]
        assert "multi_information,hessian_penalty" in header
