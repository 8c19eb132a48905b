"""Networks in the page give what they give in torch."""

import numpy as np
import pytest
import torch
from torch import nn

from unweave.explorer.archive import pack
from unweave.explorer.layers import UnknownLayerError, decoder_layers, encoder_layers
from unweave.models import VAE, Network, build_vae

NETWORKS = {
    "burgess": {},
    "resnet": {"name": "resnet"},
    "style": {"name": "style", "style_activation": "gelu", "style_start": "coordinates"},
    "style decoder, quantised": {"decoder": "style", "latent_space": "quantised"},
    "spatial broadcast": {"decoder": "spatial_broadcast"},
    "additive": {"decoder": "additive", "decoder_groups": (1, 2, 1)},
    "additive resnet": {"decoder": "additive", "name": "resnet"},
    "matrices": {"matrix_size": 3},
    "grid": {"latent_space": "grid"},
    "noise": {"n_noise": 2},
}
IN_PAGE = """async (text) => {
  const { unpack } = await import("unweave/archive");
  const { fromBytes, run, toPixels } = await import("unweave/network");
  const { encoder, decoder, image, inputs } = await unpack(text);
  return {
    code: [...run(encoder, fromBytes(image.data, image.shape)).data],
    pixels: [...toPixels(run(decoder, inputs))],
  };
}"""


def model_of(name):
    network = Network(width=0.5, n_latents=4, **NETWORKS[name])
    model = build_vae(network, (16, 16, 3), seed=0).eval()
    if name == "matrices":
        with torch.no_grad():
            model.decoder[0].generators.mul_(300)  # at the start, exp(t A) is hardly more than 1
    return model


def of_common_layers():
    torch.manual_seed(0)
    encoder = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6), nn.SiLU(),
        nn.Conv2d(6, 4, 5, padding=2, groups=2, bias=False), nn.Tanh(), nn.Dropout(), nn.Flatten(),
        nn.Linear(256, 8),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(4, 64), nn.GELU(approximate="tanh"), nn.BatchNorm1d(64), nn.Identity(),
        nn.Unflatten(1, (4, 4, 4)), nn.ConvTranspose2d(4, 4, 2, 2, groups=2), nn.Sigmoid(),
        nn.ConvTranspose2d(4, 3, 4, 2, 1, bias=False),
    )  # fmt: skip
    model = VAE(encoder, decoder, (16, 16, 3))
    for layer in (*encoder, *decoder):
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean.uniform_(-1, 1)
            layer.running_var.uniform_(0.5, 2)
            nn.init.uniform_(layer.weight, 0.5, 2)
    return model.eval()


@pytest.fixture(scope="module")
def in_page(page_file, browser):
    """What the page makes of a model's image and of inputs of its decoder."""
    page = browser.new_page()
    page.goto(page_file.as_uri())

    def computed(model, image, inputs):
        packed = pack(
            {
                "encoder": encoder_layers(model), "decoder": decoder_layers(model),
                "image": image, "inputs": inputs,
            }
        )  # fmt: skip
        found = page.evaluate(IN_PAGE, packed)
        return np.array(found["code"]), np.array(found["pixels"]).reshape(16, 16, 4)

    yield computed
    page.close()


@pytest.mark.parametrize("name", [*NETWORKS, "common layers"])
def test_networks_in_the_page_give_what_torch_gives(name, in_page, squares):
    model = of_common_layers() if name == "common layers" else model_of(name)
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    inputs = rng.standard_normal(model.n_inputs).astype(np.float32)
    code, pixels = in_page(model, image, inputs)
    np.testing.assert_allclose(code, model.encode(image[None])[0], atol=2e-5, rtol=1e-4)
    assert (pixels[..., 3] == 255).all()
    expected = model.decode(inputs[None])[0].astype(int)
    assert np.ptp(expected) > 10  # else anything would do
    apart = np.abs(pixels[..., :3] - expected)
    assert apart.max() <= 1  # a sum that lies on an edge of two levels
    assert (apart > 0).mean() < 0.01


def test_half_precision_is_read_as_numpy_reads_it(page_file, browser):
    values = np.array([0, 1, -2.5, 6e-8, -6e-5, 65504, 1 / 3], dtype=np.float16)
    page = browser.new_page()
    page.goto(page_file.as_uri())
    read = page.evaluate(
        'async (text) => [...(await (await import("unweave/archive")).unpack(text)).x.data]',
        pack({"x": values}),
    )
    page.close()
    np.testing.assert_array_equal(np.array(read, dtype=np.float32), values.astype(np.float32))


def test_layers_that_the_page_lacks_are_named():
    class Mine(nn.Module):
        def forward(self, latents):
            return latents

    class Turned(nn.Sequential):
        def forward(self, latents):
            return -super().forward(latents)

    class Decodes(VAE):
        def decode(self, latents, **_):
            return latents

    for layer in (Mine(), Turned(nn.Linear(2, 2))):
        model = VAE(nn.Identity(), nn.Sequential(layer), (8, 8, 1))
        with pytest.raises(UnknownLayerError, match="has a layer (Mine|Turned), which the page"):
            decoder_layers(model)
    with pytest.raises(UnknownLayerError, match="Decodes has its own decode, which the page"):
        decoder_layers(Decodes(nn.Identity(), nn.Identity(), (8, 8, 1)))
    for layer, words in (
        (nn.Conv2d(1, 1, 3, dilation=2), "has a stride, padding or dilation that the page lacks"),
        (nn.BatchNorm2d(1, track_running_stats=False), "normalises by the images of a batch"),
    ):
        with pytest.raises(UnknownLayerError, match=words):
            decoder_layers(VAE(nn.Identity(), layer, (8, 8, 1)))


def test_latents_that_the_page_lacks_are_named(models):
    class Other(VAE):
        @property
        def latent_space(self):
            return type("Odd", (type(super().latent_space),), {})()

    given = models[0]
    odd = Other(given.encoder, given.decoder, given.image_shape, given.network)
    with pytest.raises(UnknownLayerError, match="the latents are Odd, which the page cannot"):
        encoder_layers(odd)


def test_a_page_holds_arrays_of_four_types():
    with pytest.raises(ValueError, match="pages hold float32, .*, not an array of int64"):
        pack({"x": np.arange(3)})
