import numpy as np
import pytest
import torch
from pydantic import ValidationError

from unweave.models import NETWORKS, Network, build_decoder, build_encoder, build_vae


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("width", [0.25, 1.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(name, width, channels):
    network = Network(name=name, width=width, n_latents=7)
    images = torch.rand(2, channels, 64, 64)
    encoded = build_encoder(network, (64, 64, channels))(images)
    assert encoded.shape == (2, 14)
    assert build_decoder(network, (64, 64, channels))(encoded[:, :7]).shape == images.shape


@pytest.mark.parametrize(
    "name",
    [
        "burgess",
        "locatello",
    ],
)
def test_parameter_counts_are_those_counted_by_hand_from_the_papers(name):
    model = build_vae(Network(name=name), (64, 64, 1), seed=0)
    by_hand = {
        "burgess": (
            (16 * 32 + 32) + 3 * (16 * 32 * 32 + 32)  # convolutions
            + (512 * 256 + 256) + (256 * 256 + 256) + (256 * 20 + 20)
            + (10 * 256 + 256) + (256 * 256 + 256) + (256 * 512 + 512)
            + 3 * (16 * 32 * 32 + 32) + (16 * 32 + 1)
        ),
        "locatello": (
            (16 * 32 + 32) + (16 * 32 * 32 + 32) + (4 * 32 * 64 + 64) + (4 * 64 * 64 + 64)
            + (1024 * 256 + 256) + (256 * 20 + 20)
            + (10 * 256 + 256) + (256 * 1024 + 1024)
            + (16 * 64 * 64 + 64) + (16 * 64 * 32 + 32) + (16 * 32 * 32 + 32) + (16 * 32 + 1)
        ),
    }  # fmt: skip
    count = sum(p.numel() for p in model.parameters())
    assert count == by_hand[name]
    if name == "burgess":  # as others counted it
        assert count == 502_005


def test_the_same_seed_gives_the_same_weights_and_leaves_torch_alone():
    before = torch.random.get_rng_state()
    first, second = (build_vae(Network(width=0.25), (64, 64, 1), seed=4) for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("shape", [(32, 32, 1), (64, 48, 3)])
def test_other_image_sizes_are_refused(shape):
    with pytest.raises(ValueError, match="takes images of 64 x 64 pixels, not"):
        build_encoder(Network(), shape)


def test_a_network_without_latents_is_refused():
    with pytest.raises(ValidationError, match="n_latents"):
        Network(n_latents=0)


def test_encode_takes_what_datasets_return(rng):
    model = build_vae(Network(width=0.25), (64, 64, 1), seed=0).eval()
    images = rng.integers(0, 2, (5, 64, 64, 1), dtype=np.uint8) * 255
    codes = model.encode(images, batch_size=2)
    batch = torch.from_numpy(images[..., 0][:, None].astype(np.float32) / 255)
    with torch.no_grad():
        np.testing.assert_allclose(codes, model.posterior(batch).mean.numpy(), atol=1e-5)
    means, log_variances = model.encode_posterior(images)
    assert means.shape == log_variances.shape == (5, 10)
    np.testing.assert_allclose(means, codes, atol=1e-5)


def test_encode_refuses_floats_and_other_sizes():
    model = build_vae(Network(width=0.25), (64, 64, 1), seed=0)
    with pytest.raises(ValueError, match="images must be uint8 of shape"):
        model.encode(np.zeros((2, 64, 64, 1)))
    with pytest.raises(ValueError, match="images must be uint8 of shape"):
        model.encode(np.zeros((2, 32, 32, 1), dtype=np.uint8))
