"""The commutative Lie group VAE, term by term."""

import itertools

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.linalg import expm

from unweave.models import VAE, Network, Posterior, build_vae
from unweave.models.lie_group import matrix_parts
from unweave.models.likelihoods import negative_log_likelihood
from unweave.models.objectives import OBJECTIVES, BetaVAE, LieGroupVAE
from unweave.models.objectives.lie_group_vae import commutators, products
from unweave.training import TrainingConfig, load_model, train


def generators(n=3, size=4, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, size, size)))


@pytest.fixture
def lie():
    """A model whose generators are large enough to matter."""
    model = build_vae(Network(width=0.25, n_latents=4, matrix_size=3), (64, 64, 1), seed=0)
    with torch.no_grad():
        matrix_parts(model)[2].generators.mul_(200)
    return model


class TestTerms:
    def test_matrices_are_exponentials_of_the_latents_times_the_generators(self, lie):
        exponential = matrix_parts(lie.double())[2]
        latents = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).double()
        made = exponential(latents).detach().numpy()
        basis = exponential.generators.detach().numpy()
        for row, t in zip(made, latents.numpy(), strict=True):
            np.testing.assert_allclose(row, expm(np.einsum("i,ijk->jk", t, basis)).ravel())

    def test_products_and_commutators_are_sums_over_pairs_by_hand(self):
        """The mean is over all n^2 pairs, those of one generator with itself counted as nothing."""
        found = generators()
        a = found.numpy()
        pairs = [(a[i] @ a[j], a[j] @ a[i]) for i, j in itertools.permutations(range(3), 2)]
        assert float(products(found)) == pytest.approx(sum((p**2).sum() for p, _ in pairs) / 9)
        expected = sum(((p - q) ** 2).sum() for p, q in pairs) / 9
        assert float(commutators(found)) == pytest.approx(expected)

    def test_generators_of_separate_blocks_have_no_products(self):
        blocks = torch.zeros(2, 4, 4)
        blocks[0, :2, :2] = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        blocks[1, 2:, 2:] = torch.tensor([[0.0, -2.0], [2.0, 0.0]])
        assert float(products(blocks)) == float(commutators(blocks)) == 0

    def test_the_commutator_is_no_difference_from_a_transpose(self):
        """Their `calc_commute_loss` subtracts the transpose of A B, not B A."""
        shear = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
        commuting = torch.stack([shear, torch.eye(2)])
        product = shear @ torch.eye(2)
        assert ((product - product.T) ** 2).sum() > 0
        assert float(commutators(commuting)) == 0
        first, second = torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[2.0, 0.0], [1.0, 3.0]]])
        product = first @ second
        assert torch.equal(product, product.T)
        assert float(commutators(torch.stack([first, second]))) == pytest.approx(2 / 4)

    def test_products_that_vanish_make_mixed_second_derivatives_vanish(self):
        """Of the matrix by two latents: then each latent acts alone."""
        blocks = torch.zeros(2, 4, 4).double()
        blocks[0, :2, :2], blocks[1, 2:, 2:] = generators(2, 2)

        def mixed(basis):
            def matrix(a, b):
                return torch.matrix_exp(a * basis[0] + b * basis[1])

            return matrix(0.7, -0.4) - matrix(0.7, 0) - matrix(0, -0.4) + matrix(0, 0)

        assert mixed(blocks).abs().max() < 1e-12
        assert mixed(generators(2)).abs().max() > 0.1

    @pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
    def test_the_loss_is_its_formula(self, lie, batch, share):
        objective = LieGroupVAE(
            product_weight=3, commutator_weight=2, matrix_weight=0.7, matrix_share=share
        )
        terms = objective(lie, batch)
        to_matrices, to_latents, exponential, to_outputs = matrix_parts(lie)
        g = to_matrices(batch.images)
        posterior = Posterior.of(to_latents(g))
        made = exponential(posterior.sample(batch.noise))
        chosen = torch.special.ndtr(batch.prior[:, 0]) < share
        assert chosen.all() if share == 1 else chosen.any() == (share > 0)
        losses = [
            negative_log_likelihood(to_outputs(m), batch.images, "bernoulli") for m in (g, made)
        ]
        reconstruction = torch.where(chosen, *losses).mean()
        torch.testing.assert_close(terms.reconstruction, reconstruction)
        torch.testing.assert_close(terms.kl, posterior.kl().mean(dim=0))
        expected = reconstruction + posterior.kl().sum(dim=1).mean()
        expected = expected + 0.7 * (g - made).pow(2).sum(dim=1).mean()
        basis = exponential.generators
        torch.testing.assert_close(
            terms.loss, expected + 3 * products(basis) + 2 * commutators(basis)
        )

    def test_both_sides_of_the_distance_learn(self, lie, batch):
        LieGroupVAE()(lie, batch).others["matrix_distance"].backward()
        to_matrices, _, exponential, _ = matrix_parts(lie)
        for part in (to_matrices, exponential):
            assert all(p.grad.abs().sum() > 0 for p in part.parameters())

    def test_defaults_are_those_of_the_published_code_on_dsprites(self):
        objective = OBJECTIVES["lie_group_vae"]()
        weights = objective.product_weight, objective.commutator_weight, objective.matrix_weight
        assert (*weights, objective.matrix_share) == (40, 0, 0.1, 0.2)
        assert objective.defaults["training"] == {"batch_size": 256, "learning_rate": 1e-4}
        model = build_vae(objective.default_network(), (64, 64, 1), seed=0)
        basis = matrix_parts(model)[2].generators
        assert basis.shape == (10, 10, 10)
        assert float(basis.detach().std()) == pytest.approx(1e-3, rel=0.1)


class TestModel:
    @pytest.mark.parametrize("decoder", ["mirrored", "spatial_broadcast"])
    @pytest.mark.parametrize("shape", [(8, 8, 1), (32, 48, 3)])
    def test_sizes(self, decoder, shape):
        network = Network(width=0.2, n_latents=3, matrix_size=4, decoder=decoder)
        model = build_vae(network, shape, seed=0)
        images = torch.rand(2, shape[2], *shape[:2])
        out = model(images, None)
        assert out.outputs.shape == images.shape
        assert out.latents.shape == (2, 3)
        assert model.n_latents == model.n_inputs == 3

    def test_it_is_trained_kept_and_exported(self, tmp_path):
        images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
        network = Network(width=0.2, n_latents=3, matrix_size=4)
        config = TrainingConfig(steps=3, batch_size=8)
        model = build_vae(network, (8, 8, 1), seed=0)
        before = matrix_parts(model)[2].generators.detach().clone()
        train(model, LieGroupVAE(), images, config, folder=tmp_path / "run")
        after = matrix_parts(model)[2].generators.detach()
        assert not torch.equal(before, after)
        kept = load_model(tmp_path / "run")
        assert torch.equal(matrix_parts(kept)[2].generators, after)
        model.eval().save_pretrained(tmp_path / "model")
        again = VAE.from_pretrained(tmp_path / "model")
        assert again.network == network
        codes = model.encode(images)
        np.testing.assert_array_equal(again.encode(images), codes)
        np.testing.assert_array_equal(again.decode(codes), model.decode(codes))

    def test_autocast_keeps_the_exponential_in_32_bits(self, lie):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            latents = torch.randn(5, 4, dtype=torch.bfloat16)
            assert matrix_parts(lie)[2](latents).dtype == torch.float32
            assert lie(torch.rand(2, 1, 64, 64), None).outputs.shape == (2, 1, 64, 64)

    def test_networks_without_matrices_are_refused(self, model, batch):
        with pytest.raises(
            ValueError, match="the model has no generators: build it from a Network"
        ):
            LieGroupVAE()(model, batch)
        images = np.zeros((8, 64, 64, 1), dtype=np.uint8)
        images[::2] = 255
        with pytest.raises(ValueError, match="needs a decoder of matrices: set matrix_size of the"):
            train(model, LieGroupVAE(), images, TrainingConfig(steps=1, batch_size=4))

    def test_other_objectives_take_a_decoder_of_matrices(self, lie, batch):
        assert torch.isfinite(BetaVAE(beta=1)(lie, batch).loss)

    def test_matrices_beside_noise_and_groups_are_refused(self):
        with pytest.raises(ValidationError, match="from one matrix, not for 2 inputs of noise"):
            Network(matrix_size=3, n_noise=2)
        with pytest.raises(ValidationError, match="from one matrix, not for an additive decoder"):
            Network(matrix_size=3, decoder="additive")
        with pytest.raises(
            ValidationError, match="Gaussian latents, and .* not for quantised latents"
        ):
            Network(matrix_size=3, latent_space="quantised")

    def test_style_networks_keep_their_own_weights_beside_matrices(self):
        network = Network(name="style", width=0.2, n_latents=2, matrix_size=3)
        model = build_vae(network, (16, 16, 1), seed=0)
        layers = [m for m in model.encoder[0].modules() if isinstance(m, torch.nn.Conv2d)]
        assert layers
        for layer in layers:  # torch's bound; that of He et al. is more than twice as far
            assert layer.weight.abs().max() <= layer.weight[0].numel() ** -0.5
        assert model(torch.rand(2, 1, 16, 16), None).outputs.shape == (2, 1, 16, 16)

    def test_descriptions_of_other_networks_are_as_they_were(self):
        assert "matrix_size" not in Network().model_dump()
