"""Latents as a choice of the model."""

import math
from typing import Literal

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from unweave.models import Network, build_vae
from unweave.models.latents import LATENT_SPACES, Gaussian, Grid, Latents, LatentSpace, Quantised
from unweave.models.latents.space import usage_entropy
from unweave.models.objectives import QLAE, Batch, BetaVAE
from unweave.training import TrainingConfig, train

SHAPE = (16, 16, 3)


def network(**options):
    options = {"name": "burgess", "width": 0.25, "n_latents": 3, **options}
    return Network(**options)


@pytest.fixture
def quantised():
    return build_vae(network(latent_space=Quantised(n_values=5)), SHAPE, seed=0).eval()


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (20, *SHAPE), dtype=np.uint8)


def batch_of(images, n_inputs=3):
    n = len(images)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    return Batch(pixels, torch.zeros(n, n_inputs), torch.zeros(n, n_inputs), 0, n)


class TestQuantised:
    def test_values_start_evenly_spaced(self):
        module = Quantised(n_values=10).build(4)
        expected = np.tile(np.linspace(-0.5, 0.5, 10), (4, 1))
        np.testing.assert_allclose(module.values().detach(), expected, atol=1e-7)

    def test_a_latent_is_the_nearest_value_of_its_own_codebook(self, rng):
        module = Quantised(n_values=4).build(2)
        with torch.no_grad():
            module.codebook.copy_(torch.tensor([[0.0, 1, 2, 3], [10, -10, 0, 5]]))
        found = module(torch.tensor([[0.4, 9.0], [0.6, -3.0], [99.0, 2.6]]))
        assert found.values.tolist() == [[0, 10], [1, 0], [3, 5]]
        assert found.indices.tolist() == [[0, 0], [1, 2], [3, 3]]

    def test_gradients_pass_straight_to_the_encoder_and_not_to_the_codebook(self):
        module = Quantised(n_values=4).build(2)
        encoded = torch.tensor([[0.1, 0.2]], requires_grad=True)
        latents = module(encoded).decoded()
        torch.testing.assert_close(latents, module(encoded).values)
        (latents * torch.tensor([[2.0, 3.0]])).sum().backward()
        assert encoded.grad.tolist() == [[2, 3]]
        assert module.codebook.grad is None

    def test_there_is_no_noise(self):
        found = Quantised().build(2)(torch.randn(5, 2))
        torch.testing.assert_close(found.decoded(torch.randn(5, 2)), found.decoded(None))

    @pytest.mark.parametrize("n", [1, 257])
    def test_numbers_of_values(self, n):
        for space in (Quantised, Grid):
            with pytest.raises(ValidationError, match="n_values"):
                space(n_values=n)


class TestGrid:
    def test_it_rounds_tanh_to_even_steps(self):
        """As the formula has it: 2 round((n - 1) (tanh x + 1) / 2) / (n - 1) - 1."""
        x = torch.linspace(-4, 4, 101)[:, None]
        for n in (2, 5, 12):
            found = Grid(n_values=n).build(1)(x)
            expected = 2 * torch.round((n - 1) * (x.tanh() + 1) / 2) / (n - 1) - 1
            torch.testing.assert_close(found.values, expected)
            assert set(found.indices[:, 0].tolist()) == set(range(n))

    def test_gradients_pass_through_tanh(self):
        x = torch.tensor([[0.3]], requires_grad=True)
        Grid().build(1)(x).decoded().sum().backward()
        assert x.grad.item() == pytest.approx(1 - math.tanh(0.3) ** 2)

    def test_nothing_is_learnt_or_saved(self):
        module = Grid().build(3)
        assert list(module.parameters()) == []
        assert module.state_dict() == {}


def test_the_entropy_of_values():
    indices = torch.tensor([[0, 0], [0, 1], [0, 0], [0, 1]])
    np.testing.assert_allclose(usage_entropy(indices, 4), [0, math.log(2)], atol=1e-6)


class TestNetwork:
    def test_gaussian_latents_are_not_mentioned(self):
        """So that names of runs, which are hashes of descriptions, stay as they were."""
        assert "latent_space" not in Network().model_dump()
        assert Network(latent_space={"name": "gaussian"}) == Network()

    def test_a_description_is_read_again(self):
        described = network(latent_space=Quantised(n_values=7)).model_dump(mode="json")
        assert described["latent_space"] == {"name": "quantised", "n_values": 7}
        assert Network(**described).latent_space == Quantised(n_values=7)
        assert set(LATENT_SPACES) == {"gaussian", "grid", "grouped", "quantised"}
        assert Network(latent_space="grid").latent_space == Grid()
        with pytest.raises(
            ValidationError, match="unknown latent space 'grit' .did you mean 'grid'"
        ):
            Network(latent_space={"name": "grit"})
        with pytest.raises(ValidationError, match="a table with a name, not 3"):
            Network(latent_space=3)

    def test_a_stranger_brings_latents_of_their_own(self, images):
        class Signs(LatentSpace):
            name: Literal["signs"] = "signs"

            def build(self, n_latents):
                return _Signs()

        class _Signs(Latents):
            def forward(self, encoded):
                return Grid(n_values=2).build(encoded.shape[1])(encoded)

        model = build_vae(network(latent_space=Signs()), SHAPE, seed=0).eval()
        assert set(model.encode(images).ravel()) <= {-1.0, 1.0}
        assert model.network.model_dump()["latent_space"] == {"name": "signs"}


class TestModel:
    def test_codes_are_values_and_have_numbers(self, quantised, images):
        codes = quantised.encode(images)
        values, indices = quantised.values(), quantised.indices_of(codes)
        assert values.shape == (3, 5)
        np.testing.assert_array_equal(np.take_along_axis(values.T, indices, axis=0), codes)
        np.testing.assert_array_equal(
            indices,
            quantised.posterior(batch_of(images).images).indices.numpy(),
        )

    def test_rates_are_entropies(self, quantised, images):
        codes, rates = quantised.encode_with_rates(images)
        for column, rate in zip(codes.T, rates, strict=True):
            shares = np.unique(column, return_counts=True)[1] / len(column)
            assert rate == pytest.approx(-(shares * np.log(shares)).sum())

    def test_rates_of_gaussian_latents_are_divergences(self, images):
        model = build_vae(network(), SHAPE, seed=0).eval()
        codes, rates = model.encode_with_rates(images)
        np.testing.assert_array_equal(codes, model.encode(images))
        posterior = model.posterior(batch_of(images).images)
        np.testing.assert_allclose(rates, posterior.kl().mean(dim=0).detach(), rtol=1e-4)
        assert model.values() is None
        assert model.indices_of(codes) is None

    def test_there_is_no_posterior(self, quantised, images):
        with pytest.raises(ValueError, match="quantised latents have no posterior: take encode"):
            quantised.encode_posterior(images)

    def test_it_is_saved_and_loaded(self, quantised, images, tmp_path):
        with torch.no_grad():
            quantised.latents.codebook.mul_(1.5)
        quantised.save_pretrained(tmp_path)
        loaded = type(quantised).from_pretrained(tmp_path)
        np.testing.assert_array_equal(loaded.encode(images), quantised.encode(images))
        card = (tmp_path / "README.md").read_text(encoding="utf-8")
        assert "Codes are values of quantised latents" in card


class TestQLAE:
    def test_the_loss_is_what_the_paper_has(self, quantised, images):
        """Binary cross-entropy, mean over pixels, plus 0.01 times both distances."""
        batch = batch_of(images)
        terms = QLAE()(quantised, batch)
        encoded = quantised.encoder(batch.images)
        codebook = quantised.latents.codebook
        nearest = (encoded[:, :, None] - codebook).abs().argmin(dim=2)
        values = codebook.T.gather(0, nearest)
        logits = quantised.decoder(values)
        cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, batch.images)
        distance = ((encoded - values) ** 2).mean()
        torch.testing.assert_close(terms.loss, cross_entropy + 0.02 * distance)
        torch.testing.assert_close(terms.others["quantisation"], distance)
        torch.testing.assert_close(terms.rates, usage_entropy(nearest, 5))

    def test_the_codebook_learns_from_its_own_distance_alone(self, quantised, images):
        """The reconstruction moves the encoder, as if there were no quantisation."""
        QLAE(quantisation_weight=0)(quantised, batch_of(images)).loss.backward()
        assert quantised.latents.codebook.grad.abs().max() == 0
        assert quantised.encoder[-1].weight.grad.abs().max() > 0
        quantised.zero_grad()
        found = quantised.posterior(batch_of(images).images)
        QLAE(quantisation_weight=1)(quantised, batch_of(images)).loss.backward()
        off = 2 * (found.values - found.continuous).detach() / found.values.numel()
        expected = torch.zeros(3, 5)
        expected.scatter_add_(1, found.indices.T, off.T)
        torch.testing.assert_close(quantised.latents.codebook.grad, expected)

    def test_it_is_for_quantised_latents(self, rng):
        images = rng.random((8, *SHAPE))
        config = TrainingConfig(steps=1, batch_size=4)
        with pytest.raises(ValueError, match="qlae trains quantised latents, and those of the"):
            train(build_vae(network(), SHAPE, seed=0), QLAE(), images, config)
        model = build_vae(network(latent_space=Quantised()), SHAPE, seed=0)
        with pytest.raises(ValueError, match="beta_vae trains gaussian latents"):
            train(model, BetaVAE(), images, config)

    def test_training_records_entropies(self, rng, tmp_path):
        images = rng.random((40, *SHAPE))
        model = build_vae(network(latent_space=Quantised()), SHAPE, seed=0)
        config = TrainingConfig(steps=4, batch_size=8, log_every=2)
        train(model, QLAE(), images, config, folder=tmp_path)
        header, *rows = (tmp_path / "curves.csv").read_text(encoding="utf-8").splitlines()
        assert header.split(",") == [
            "step", "loss", "reconstruction", "entropy", "quantisation",
            "entropy_0", "entropy_1", "entropy_2",
        ]  # fmt: skip
        last = dict(zip(header.split(","), map(float, rows[-1].split(",")), strict=True))
        assert 0 <= last["entropy_0"] <= math.log(8)
        assert last["entropy"] == pytest.approx(sum(last[f"entropy_{j}"] for j in range(3)))


def test_gaussian_is_the_default():
    assert Network().latent_space == Gaussian()
