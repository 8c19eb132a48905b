"""Models in the hub's layout, and as ONNX."""

import json

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from unweave.models import VAE, Network, build_vae
from unweave.models.onnx import export_encoder
from unweave.models.pretrained import card, training_record

NETWORK = Network(width=0.25, n_latents=4)


def images(shape=(64, 64, 1)):
    return np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (NETWORK, (64, 64, 1)),
        (Network(name="resnet", width=0.1, decoder="spatial_broadcast"), (32, 48, 3)),
        (Network(width=0.1, n_latents=2, n_noise=3), (16, 16, 1)),
    ],
)
def test_what_was_saved_comes_back(tmp_path, network, shape):
    model = build_vae(network, shape, seed=3)
    model.save_pretrained(tmp_path / "model")
    again = VAE.from_pretrained(tmp_path / "model")
    assert (again.network, again.image_shape) == (network, shape)
    np.testing.assert_array_equal(again.encode(images(shape)), model.encode(images(shape)))
    codes = np.random.default_rng(1).standard_normal((3, network.n_latents))
    np.testing.assert_array_equal(again.decode(codes), model.decode(codes))
    assert not again.training


def test_the_folder_is_that_of_the_hub(tmp_path):
    build_vae(NETWORK, (64, 64, 1), seed=0).save_pretrained(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "README.md", "config.json", "model.safetensors",
    ]  # fmt: skip
    assert json.loads((tmp_path / "config.json").read_text())["network"]["name"] == "burgess"
    assert "encoder.0.weight" in load_file(tmp_path / "model.safetensors")
    assert "library_name: unweave" in (tmp_path / "README.md").read_text()


def test_a_disk_that_is_full_while_a_model_is_saved(tmp_path, monkeypatch):
    def full(*_, **__):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("unweave.models.pretrained.save_file", full)
    with pytest.raises(OSError, match=r"No space left on device .*: make room, or choose another"):
        build_vae(NETWORK, (64, 64, 1), seed=0).save_pretrained(tmp_path / "model")


def test_the_card_tells_settings_and_scores_with_their_noise(tmp_path):
    score = {
        "value": 0.123, "interval": [0.1, 0.15], "chance": {"mean": 0.01, "sd": 0.002},
        "mixture": {"mean": 0.05, "sd": 0.01}, "smooth": {"mean": 0.04, "sd": 0.02},
        "perfect": 0.987, "n": 10_000,
    }  # fmt: skip
    result = {
        "cpu_seconds": 930.0,
        "description": {
            "dataset": "dsprites?size=32",
            "objective": {"name": "beta_vae", "beta": 4.0},
            "training": {"steps": 7000, "learning_rate": 1e-4},
        },
        "milestones": {"10": {"metrics": {}}, "7000": {"metrics": {"mig": score}}},
    }
    model = build_vae(NETWORK, (64, 64, 1), seed=0)
    record = training_record(result, made_by="It was made by hand.")
    model.save_pretrained(tmp_path, model_card_kwargs={"record": record})
    text = (tmp_path / "README.md").read_text()
    for word in ("beta_vae on dsprites", "| beta | 4.0 |", "| learning_rate | 0.0001 |",
                 "| dataset | dsprites?size=32 |", "| CPU minutes used | 15.50 |",
                 "after 7,000 steps", "0.1230 | [0.1000, 0.1500] | 0.0100 ± 0.0020 | "
                 "0.050 ± 0.010 | 0.040 ± 0.020 | 0.987 | 10,000 |", "4 latents",
                 "\n- dsprites\n", "It was made by hand."):  # fmt: skip
        assert word in text


@pytest.mark.parametrize(
    ("dataset", "name", "images"),
    [
        ("rooms?size=32", "rooms?size=32", "rooms"),
        ("background_dsprites?picture=%2Fhome%2Fme.png&seed=1", "background_dsprites?seed=1",
         "background_dsprites"),
        ("/home/me/shots?size=64", None, "shots"),
        ("dsprites:/home/me/dsprites.npz", None, "dsprites"),
        ("hf:owner/faces?size=32", "hf:owner/faces?size=32", "owner/faces"),
        ("hf:/home/me/faces", None, "faces"),
    ],
)  # fmt: skip
def test_the_record_of_training_names_no_folder_of_this_machine(dataset, name, images):
    description = {"dataset": dataset, "objective": {"name": "vae"}, "training": {}}
    record = training_record({"description": description})
    assert (record["dataset"], record["images"]) == (name, images)


def test_a_model_of_ones_own_layers_has_no_card():
    with pytest.raises(ValueError, match="give it one, so that it can be built again"):
        card(VAE(nn.Flatten(), nn.Identity(), (2, 2, 1)), None)


def damaged(folder):
    (folder / "model.safetensors").write_bytes(b"not weights")


def of_another_network(folder):
    build_vae(Network(width=0.5, n_latents=4), (64, 64, 1), seed=0).save_pretrained(folder / "b")
    (folder / "b/model.safetensors").rename(folder / "model.safetensors")


def newer(folder):
    config = json.loads((folder / "config.json").read_text())
    config |= {"format": 2, "unweave_version": "9.1"}
    (folder / "config.json").write_text(json.dumps(config))


def foreign(folder):
    (folder / "config.json").write_text('{"model_type": "clip"}')


def cut_off(folder):
    (folder / "config.json").write_text('{"format": 1, "netw')


def without_weights(folder):
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (damaged, ValueError, "damaged or no safetensors file"),
        (of_another_network, ValueError, "belongs to another network"),
        (newer, ValueError, "format 2, of unweave 9.1; this is .* update it"),
        (foreign, ValueError, "was not written by unweave"),
        (cut_off, ValueError, "config.json is damaged"),
        (without_weights, FileNotFoundError, "there are no weights at"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, harm, error, message):
    build_vae(NETWORK, (64, 64, 1), seed=0).save_pretrained(tmp_path)
    harm(tmp_path)
    with pytest.raises(error, match=message):
        VAE.from_pretrained(tmp_path)


def test_a_model_of_ones_own_layers_cannot_be_saved_without_its_network(tmp_path):
    model = VAE(nn.Flatten(), nn.Identity(), (2, 2, 1))
    with pytest.raises(ValueError, match="were not built from a Network"):
        model.save_pretrained(tmp_path)


def test_a_model_of_ones_own_layers_knows_its_latents():
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 6))
    model = VAE(encoder, nn.Linear(3, 16), (4, 4, 1))
    assert (model.n_latents, model.n_inputs) == (3, 3)


@pytest.mark.parametrize("name", ["burgess", "resnet"])
def test_the_encoder_runs_in_onnxruntime(tmp_path, name):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model = build_vae(Network(name=name, width=0.25, n_latents=4), (64, 64, 3), seed=0)
    export_encoder(model, tmp_path / "encoder.onnx")
    session = onnxruntime.InferenceSession(
        str(tmp_path / "encoder.onnx"), providers=["CPUExecutionProvider"]
    )
    for n in (1, 5):
        batch = torch.rand(n, 3, 64, 64)
        mean, log_variance = session.run(["mean", "log_variance"], {"images": batch.numpy()})
        with torch.no_grad():
            posterior = model.posterior(batch)
        np.testing.assert_allclose(mean, posterior.mean.numpy(), atol=1e-4)
        np.testing.assert_allclose(log_variance, posterior.log_variance.numpy(), atol=1e-4)
