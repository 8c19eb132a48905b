import pytest
import torch

from unweave.models import Network, build_vae
from unweave.models.objectives import Batch


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    images = (torch.rand(6, 1, 64, 64, generator=generator) < 0.2).float()
    noise, prior = torch.randn(2, 6, 4, generator=generator)
    return Batch(images, noise, prior, 0, 1000)


@pytest.fixture
def model():
    return build_vae(Network(width=0.25, n_latents=4), (64, 64, 1), seed=0)
