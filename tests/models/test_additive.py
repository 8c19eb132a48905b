"""Additive decoders: a sum of images, each made from one group of latents."""

import itertools

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from unweave.models import NETWORKS, VAE, Network, build_decoder, build_vae, count_parameters
from unweave.models.objectives import BetaVAE
from unweave.training import TrainingConfig, train


def additive(groups=(), *, name="burgess", n_latents=5, width=0.25, shape=(64, 64, 1), **options):
    network = Network(
        name=name, decoder="additive", decoder_groups=groups, n_latents=n_latents, width=width,
        **options,
    )  # fmt: skip
    return build_vae(network, shape, seed=0).double().decoder


def mixed_differences(decoder, n_latents):
    """The largest |f(z + a + b) - f(z + a) - f(z + b) + f(z)| for each pair of latents."""
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.standard_normal((3, n_latents)))
    found = np.zeros((n_latents, n_latents))
    for i, j in itertools.combinations(range(n_latents), 2):
        a, b = torch.zeros(2, n_latents).double()
        a[i], b[j] = 1.3, -0.8
        with torch.no_grad():
            difference = decoder(z + a + b) - decoder(z + a) - decoder(z + b) + decoder(z)
        found[i, j] = found[j, i] = difference.abs().max()
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_each_latent_adds_an_image_of_its_own(name):
    decoder = additive(name=name)
    assert mixed_differences(decoder, 5).max() < 1e-12
    own = "burgess" if name == "style" else name  # the decoders of groups are not normalised
    plain = build_vae(Network(name=own, n_latents=5, width=0.25), (64, 64, 1), seed=0).double()
    others = mixed_differences(plain.decoder, 5)
    assert others[~np.eye(5, dtype=bool)].min() > 1e-3


def test_latents_of_one_group_may_depend_on_each_other_and_groups_add_up():
    found = mixed_differences(additive((2, 1, 3), n_latents=6), 6)
    group = np.array([0, 0, 1, 2, 2, 2])
    same = group[:, None] == group
    assert found[~same].max() < 1e-12
    assert found[same & ~np.eye(6, dtype=bool)].min() > 1e-3


def test_every_latent_changes_the_image():
    decoder = additive((2, 1, 3), n_latents=6)
    images = decoder(torch.cat([torch.zeros(1, 6), torch.eye(6)]).double())
    changes = (images[1:] - images[0]).abs().amax(dim=(1, 2, 3))
    assert (changes > 1e-3).all()


@pytest.mark.parametrize("groups", [(), (2, 2, 3)])
@pytest.mark.parametrize(
    ("name", "shape", "width"),
    [
        ("burgess", (8, 8, 1), 0.1),
        ("burgess", (96, 32, 3), 0.5),
        ("locatello", (64, 64, 3), 0.25),
        ("resnet", (28, 28, 1), 0.15),
        ("burgess", (32, 32, 3), 1.0),
        ("style", (32, 32, 3), 0.25),
    ],
)
def test_sizes_and_widths(groups, name, shape, width):
    network = Network(
        name=name, decoder="additive", decoder_groups=groups, n_latents=7, width=width
    )
    outputs = build_decoder(network, shape)(torch.randn(2, 7))
    assert outputs.shape == (2, shape[2], *shape[:2])


def test_it_has_about_as_many_parameters_as_the_mirrored_decoder():
    for name, groups in itertools.product(
        ("burgess", "locatello", "resnet"), [(), (5, 5), (1, 2, 3, 4)]
    ):
        network = Network(name=name, decoder="additive", decoder_groups=groups)
        counts = [
            count_parameters(build_decoder(n, (64, 64, 3))) for n in (network, Network(name=name))
        ]
        assert counts[0] == pytest.approx(counts[1], rel=0.03)


def test_one_group_is_the_mirrored_decoder():
    """Its layers have the same numbers, in another shape."""
    mirrored = build_vae(Network(n_latents=3, width=0.25), (32, 32, 3), seed=0)
    model = build_vae(
        Network(n_latents=3, width=0.25, decoder="additive", decoder_groups=(3,)),
        (32, 32, 3),
        seed=1,
    )
    weights = iter(mirrored.decoder.parameters())
    with torch.no_grad():
        for own in model.decoder.parameters():
            own.copy_(next(weights).reshape(own.shape))
    latents = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model.decoder(latents), mirrored.decoder(latents))


def test_factors_that_act_on_separate_parts_fit(tmp_path):
    """Two spots that move, each in a half of its own, are a sum; a model of them can be kept."""
    rng = np.random.default_rng(0)
    places = rng.integers(0, 4, (400, 2))
    images = np.zeros((400, 8, 8, 1), dtype=np.uint8)
    for side in range(2):
        images[np.arange(400), 2 * places[:, side], 4 * side + 1] = 255
    network = Network(n_latents=2, width=0.5, decoder="additive")
    config = TrainingConfig(steps=5, batch_size=32, learning_rate=1e-3)
    model = train(build_vae(network, (8, 8, 1), seed=0), BetaVAE(beta=1), images, config).eval()
    model.save_pretrained(tmp_path / "model")
    again = VAE.from_pretrained(tmp_path / "model")
    assert again.network == network
    codes = model.encode(images[:5])
    np.testing.assert_array_equal(again.decode(codes), model.decode(codes))


def test_groups_that_do_not_fit_are_refused():
    with pytest.raises(ValidationError, match="groups of 2, 2 are 4 latents, and the model has 10"):
        Network(decoder="additive", decoder_groups=(2, 2))
    with pytest.raises(ValidationError, match="are for an additive decoder, and this one is mirr"):
        Network(decoder_groups=(5, 5))
    with pytest.raises(ValidationError, match="has no use for 3 inputs of noise: set n_noise to 0"):
        Network(decoder="additive", n_noise=3)


def test_descriptions_of_other_decoders_are_as_they_were():
    assert "decoder_groups" not in Network().model_dump()
    assert Network(decoder="additive", decoder_groups="5,5").decoder_groups == (5, 5)
