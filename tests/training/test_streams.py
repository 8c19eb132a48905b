"""Random numbers of training: independent between seeds, steps and purposes."""

import numpy as np
import pytest
import torch

from unweave._random import Stream, generator, torch_seeded
from unweave.datasets import DSprites
from unweave.datasets.selection import subset
from unweave.models import Network, build_vae
from unweave.models.objectives import VAE
from unweave.training import TrainingConfig, train
from unweave.training.batches import Batches

NETWORK = Network(width=0.125, n_latents=3)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


SEEDS = (0, 1, 2, 2**24, 2**32, 2**32 + 1, 2**40, 2**63 - 1)


def test_noise_is_independent_between_seeds_steps_and_purposes():
    """A stream that ignores the seed, or shifts it, would repeat a row of the matrix."""
    drawn = []
    for seed in SEEDS:
        batches = Batches(
            DSprites(), VAE(), batch_size=200, n_inputs=3, seed=seed, device=torch.device("cpu")
        )
        for step in (0, 1, 2, 5, 2**32):
            drawn += [batches[step].noise.flatten(), batches[step].prior.flatten()]
    matrix = torch.stack(drawn).double()
    correlations = torch.corrcoef(matrix) - torch.eye(len(matrix))
    # The largest of some 3,000 correlations of 600 pairs of independent normal numbers.
    assert correlations.abs().max() < 0.2
    assert abs(matrix.mean()) < 0.02
    assert matrix.std() == pytest.approx(1, abs=0.02)


def test_the_rows_of_batches_and_subsets_differ_between_seeds_and_steps():
    def rows(seed, step):
        return generator(seed, Stream.ROWS, step).integers(0, 737_280, 64)

    batches = [rows(seed, step) for seed in SEEDS for step in range(4)]
    subsets = [subset(DSprites(), 64, seed=seed).rows for seed in SEEDS]
    assert len({tuple(drawn) for drawn in batches + subsets}) == len(batches) + len(subsets)


def test_a_long_seed_is_not_a_short_seed_and_a_step():
    """As it is in the list [seed, step]: NumPy splits a long seed into words and adds zeros."""
    assert (
        np.random.default_rng([1 + 5 * 2**32, 0]).random() == np.random.default_rng([1, 5]).random()
    )
    long, short = generator(1 + 5 * 2**32, Stream.ROWS, 0), generator(1, Stream.ROWS, 5)
    assert long.random() != short.random()


def test_weights_follow_from_all_bits_of_the_seed_and_the_adversary_has_its_own():
    starts = [weights(build_vae(NETWORK, (64, 64, 1), seed=seed)) for seed in SEEDS]
    assert len({tuple(start[:50].tolist()) for start in starts}) == len(SEEDS)
    state = torch.get_rng_state()
    with torch_seeded(3, Stream.WEIGHTS):
        ours = torch.rand(5)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(ours, torch.rand(5, generator=torch.Generator().manual_seed(3)))
    with torch_seeded(3, Stream.ADVERSARY):
        assert not torch.equal(ours, torch.rand(5))


def test_models_of_other_seeds_differ_by_their_noise_too():
    """From the same weights and on the same images: only the draws from the posterior are left."""
    one_image = subset(DSprites(), 1)

    def trained(seed):
        config = TrainingConfig(steps=1, batch_size=8, seed=seed, accelerator="cpu")
        return weights(train(build_vae(NETWORK, (64, 64, 1), seed=0), VAE(), one_image, config))

    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


def test_the_largest_seed_trains_and_a_larger_one_is_refused():
    config = TrainingConfig(steps=1, batch_size=8, seed=2**63 - 1, accelerator="cpu")
    trained = train(build_vae(NETWORK, (64, 64, 1), seed=0), VAE(), DSprites(), config)
    assert torch.isfinite(weights(trained)).all()
    with pytest.raises(ValueError, match="less than or equal to 9223372036854775807"):
        TrainingConfig(seed=2**63)
