import numpy as np
import pytest
import torch
from pydantic import ValidationError

from unweave.models import (
    NETWORKS,
    Network,
    build_decoder,
    build_encoder,
    build_vae,
    count_parameters,
)
from unweave.models.residual import ResidualBlock
from unweave.models.spatial_broadcast import SpatialBroadcast


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("decoder", ["mirrored", "spatial_broadcast"])
@pytest.mark.parametrize("width", [0.25, 1.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(name, decoder, width, channels):
    network = Network(name=name, decoder=decoder, width=width, n_latents=7)
    images = torch.rand(2, channels, 64, 64)
    encoded = build_encoder(network, (64, 64, channels))(images)
    assert encoded.shape == (2, 14)
    assert build_decoder(network, (64, 64, channels))(encoded[:, :7]).shape == images.shape


@pytest.mark.parametrize("name", ["burgess", "resnet"])
@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3), (64, 48, 3), (96, 128, 1)])
def test_other_sizes(name, shape):
    model = build_vae(Network(name=name, width=0.25), shape, seed=0)
    images = torch.rand(2, shape[2], shape[0], shape[1])
    assert model(images, None).outputs.shape == images.shape


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


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("locatello", (32, 32, 1), "takes images of 64 x 64 pixels, not 32 x 32"),
        ("burgess", (60, 64, 1), "multiples of 8, not 60 x 64: .* to 64 x 64 "),
        ("resnet", (100, 100, 3), "multiples of 16, not 100 x 100: .*size=96x96 after"),
        ("burgess", (6, 6, 1), "at least 8 pixels on a side"),
        ("burgess", (64, 64, 0), "a channel or more"),
    ],
)
def test_sizes_that_a_network_cannot_take_are_refused_with_those_that_it_can(name, shape, message):
    with pytest.raises(ValueError, match=message):
        build_encoder(Network(name=name), shape)


def test_a_resnet_spans_the_scales():
    counts = [
        count_parameters(build_vae(Network(name="resnet", width=w, depth=d), (64, 64, 1), seed=0))
        for w, d in ((0.15, 1), (1, 1), (1, 3), (3, 3))
    ]
    assert counts == sorted(counts)
    assert counts[0] < 100_000
    assert counts[-1] > 50_000_000


def test_residual_blocks_start_as_the_identity():
    model = build_vae(Network(name="resnet", width=0.25, depth=2), (32, 32, 1), seed=0)
    blocks = [m for m in model.modules() if isinstance(m, ResidualBlock)]
    assert len(blocks) == 2 * 2 * 3
    for block in blocks:
        inputs = torch.randn(2, block.first.in_channels, 4, 4)
        assert torch.equal(block(inputs), inputs)


def test_the_spatial_broadcast_shows_each_pixel_where_it_is():
    tiled = SpatialBroadcast(3, 5)(torch.tensor([[7.0]]))
    assert tiled.shape == (1, 3, 3, 5)
    assert torch.equal(tiled[0, 0], torch.full((3, 5), 7.0))
    assert tiled[0, 1, :, 0].tolist() == [-1, 0, 1]
    assert tiled[0, 2, 0].tolist() == [-1, -0.5, 0, 0.5, 1]


def test_the_decoder_takes_noise_beside_the_latents():
    model = build_vae(Network(width=0.25, n_latents=3, n_noise=2), (64, 64, 1), seed=0)
    assert model.decoder[0].in_features == 5
    codes = np.random.default_rng(0).standard_normal((4, 3))
    padded = np.pad(codes, ((0, 0), (0, 2)))
    assert np.array_equal(model.decode(codes), model.decode(padded))


@pytest.mark.parametrize(
    ("of_model", "given", "message"),
    [(3, 1, "for grayscale images in colour, repeat them"), (1, 3, "take their mean")],
)
def test_grayscale_and_colour_are_not_mixed_up(of_model, given, message):
    model = build_vae(Network(width=0.25), (64, 64, of_model), seed=0)
    with pytest.raises(ValueError, match=message):
        model.encode(np.zeros((2, 64, 64, given), dtype=np.uint8))


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


def test_encode_refuses_other_sizes():
    model = build_vae(Network(width=0.25), (64, 64, 1), seed=0)
    with pytest.raises(
        ValueError, match=r"must be of shape \(n, 64, 64, 1\).*not \(2, 32, 32, 1\)"
    ):
        model.encode(np.zeros((2, 32, 32, 1), dtype=np.uint8))
