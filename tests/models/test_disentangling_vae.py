"""Models of disentangling-vae, against its forward pass written down here from its layout."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from unweave.models.disentangling_vae import read_disentangling_vae


def state_dict(channels, side, n_latents):
    """Random weights under its names, in its shapes."""
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "encoder.conv1": (32, channels, 4, 4),
        "encoder.conv2": (32, 32, 4, 4),
        "encoder.conv3": (32, 32, 4, 4),
        "encoder.lin1": (256, 512),
        "encoder.lin2": (256, 256),
        "encoder.mu_logvar_gen": (2 * n_latents, 256),
        "decoder.lin1": (256, n_latents),
        "decoder.lin2": (256, 256),
        "decoder.lin3": (512, 256),
        "decoder.convT1": (32, 32, 4, 4),
        "decoder.convT2": (32, 32, 4, 4),
        "decoder.convT3": (32, channels, 4, 4),
    }
    if side == 64:
        shapes |= {"encoder.conv_64": (32, 32, 4, 4), "decoder.convT_64": (32, 32, 4, 4)}
    state = {}
    for name, shape in shapes.items():
        n_inputs = np.prod(shape[1:]) if "convT" not in name else 4 * shape[0]
        outputs = shape[1] if "convT" in name else shape[0]
        state[f"{name}.weight"] = torch.randn(shape, generator=generator) * (2 / n_inputs) ** 0.5
        state[f"{name}.bias"] = 0.1 * torch.randn(outputs, generator=generator)
    return state


def reference(state, images, side, n_latents):
    """Means, log variances and reconstructed pixels, as its `forward` has them."""

    def layer(function, x, name, **options):
        return function(x, state[f"{name}.weight"], state[f"{name}.bias"], **options)

    x = images
    for name in ("conv1", "conv2", "conv3", *(["conv_64"] if side == 64 else [])):
        x = layer(F.conv2d, x, f"encoder.{name}", stride=2, padding=1).relu()
    x = x.flatten(1)
    for name in ("lin1", "lin2"):
        x = layer(F.linear, x, f"encoder.{name}").relu()
    x = layer(F.linear, x, "encoder.mu_logvar_gen")
    mean, log_variance = x.view(-1, n_latents, 2).unbind(-1)
    x = mean
    for name in ("lin1", "lin2", "lin3"):
        x = layer(F.linear, x, f"decoder.{name}").relu()
    x = x.view(-1, 32, 4, 4)
    for name in (*(["convT_64"] if side == 64 else []), "convT1", "convT2"):
        x = layer(F.conv_transpose2d, x, f"decoder.{name}", stride=2, padding=1).relu()
    return (
        mean,
        log_variance,
        layer(F.conv_transpose2d, x, "decoder.convT3", stride=2, padding=1).sigmoid(),
    )


def write(folder, channels=1, side=64, n_latents=10, **specs):
    state = state_dict(channels, side, n_latents)
    torch.save(state, folder / "model.pt")
    content = {"img_size": [channels, side, side], "latent_dim": n_latents, "model_type": "Burgess"}
    (folder / "specs.json").write_text(json.dumps(content | specs))
    return state


@pytest.mark.parametrize(("channels", "side", "n_latents"), [(1, 64, 10), (3, 64, 6), (1, 32, 10)])
def test_codes_and_reconstructions_are_those_of_its_own_forward_pass(
    tmp_path, channels, side, n_latents
):
    state = write(tmp_path, channels, side, n_latents)
    model, specs = read_disentangling_vae(tmp_path)
    assert specs["latent_dim"] == n_latents
    images = torch.rand(4, channels, side, side, generator=torch.Generator().manual_seed(1))
    mean, log_variance, pixels = reference(state, images, side, n_latents)
    with torch.no_grad():
        out = model(images, None)
    torch.testing.assert_close(out.posterior.mean, mean, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(out.posterior.log_variance, log_variance, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(out.outputs.sigmoid(), pixels, atol=1e-5, rtol=1e-4)


def without_specs(folder):
    (folder / "specs.json").unlink()


def without_weights(folder):
    (folder / "model.pt").unlink()


def with_code(folder):
    torch.save({"encoder": torch.nn.Linear(2, 2)}, folder / "model.pt")


def cut_off(folder):
    (folder / "model.pt").write_bytes((folder / "model.pt").read_bytes()[:5000])


def with_more(folder):
    state = torch.load(folder / "model.pt", weights_only=True)
    torch.save(state | {"encoder.extra.weight": torch.zeros(2)}, folder / "model.pt")


def with_less(folder):
    state = torch.load(folder / "model.pt", weights_only=True)
    state.pop("decoder.lin3.bias")
    torch.save(state, folder / "model.pt")


def of_other_latents(folder):
    specs = json.loads((folder / "specs.json").read_text())
    (folder / "specs.json").write_text(json.dumps(specs | {"latent_dim": 5}))


def of_another_network(folder):
    specs = json.loads((folder / "specs.json").read_text())
    (folder / "specs.json").write_text(json.dumps(specs | {"model_type": "Chen"}))


def of_other_keys(folder):
    (folder / "specs.json").write_text("{}")


def of_a_list(folder):
    torch.save([torch.zeros(2)], folder / "model.pt")


def of_numbers(folder):
    torch.save({"encoder.conv1.weight": 3}, folder / "model.pt")


def with_empty_specs(folder):
    (folder / "specs.json").write_text("")


@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (of_a_list, ValueError, r"model.pt holds no state dict: save `model.state_dict\(\)`"),
        (of_numbers, ValueError, "model.pt holds no state dict"),
        (with_empty_specs, ValueError, "specs.json is empty"),
        (without_specs, FileNotFoundError, "has no specs.json"),
        (without_weights, FileNotFoundError, "has no model.pt"),
        (with_code, ValueError, "damaged, or holds more than weights"),
        (cut_off, ValueError, "model.pt is damaged"),
        (with_more, ValueError, "nothing is known of encoder.extra.weight"),
        (with_less, ValueError, "has no decoder.lin3.bias"),
        (of_other_latents, ValueError, "specs.json is of another model"),
        (of_another_network, ValueError, "a Chen network for 64 x 64 images: only"),
        (of_other_keys, ValueError, "does not say img_size, latent_dim, model_type"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, harm, error, message):
    write(tmp_path)
    harm(tmp_path)
    with pytest.raises(error, match=message):
        read_disentangling_vae(tmp_path)
