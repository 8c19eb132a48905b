"""CLIP's five towers, of random weights, through the very path that OpenAI's files take."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from unweave.datasets import DSprites
from unweave.datasets.download import file_hash
from unweave.encoders import load_encoder
from unweave.encoders.weights import weights_folder

# Millions of parameters of both towers, as the paper counts them, and of the one that sees images;
# the size of images, and the width of codes.
TOWERS = {
    "RN50": (102, 38.3, 224, 1024),
    "RN50x4": (178, 87.1, 288, 640),
    "RN50x16": (291, 167.3, 384, 768),
    "ViT-B-16": (150, 86.2, 224, 512),
    "ViT-L-14": (428, 304.0, 224, 768),
}


@pytest.fixture(scope="module")
def open_clip():
    return pytest.importorskip("open_clip")


@pytest.fixture(scope="module")
def images():
    dataset = DSprites()
    return dataset.images(dataset.sample_indices(3, seed=1))


class Holder(nn.Module):
    """A part of a TorchScript archive, which is asked for its tensors alone."""

    def forward(self) -> int:
        return 0


def openai_archive(tensors, path):
    """The layout of OpenAI's files: a TorchScript module, weights in half precision, three counts
    as buffers.
    """
    root = Holder()
    counts = {"input_resolution": 224, "context_length": 77, "vocab_size": 49408}
    for name, tensor in {**tensors, **{k: torch.tensor(v) for k, v in counts.items()}}.items():
        *parts, last = name.split(".")
        module = root
        for part in parts:
            if part not in module._modules:
                module.add_module(part, Holder())
            module = module._modules[part]
        module.register_buffer(last, tensor)
    torch.jit.script(root).save(str(path))
    return path


def some_weights(open_clip, architecture, *, seed=0):
    """Weights of every tensor of both towers; nothing is zero or one, as it is before training."""
    with torch.device("meta"):
        model = open_clip.create_model(architecture, force_quick_gelu=True, device="meta")
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, like in model.state_dict().items():
        noise = torch.randn(like.shape, generator=generator)
        if name.endswith("num_batches_tracked"):
            noise = torch.ones((), dtype=torch.long)
        elif name.endswith("running_var") or (name.endswith("weight") and like.ndim == 1):
            noise = 1 + 0.2 * noise.abs()
        elif like.ndim > 1:
            noise /= like[0].numel() ** 0.5
        else:
            noise *= 0.1
        tensors[name] = noise.half() if noise.is_floating_point() else noise
    return tensors


def codes_by_open_clip(open_clip, path, images):
    """Through open_clip's own loader and Pillow."""
    model = open_clip.openai.load_openai_model(str(path), precision="fp32", device="cpu").eval()
    size = model.visual.image_size
    preprocess = open_clip.image_transform(
        size, is_train=False, mean=model.visual.image_mean, std=model.visual.image_std
    )
    batch = torch.stack([preprocess(Image.fromarray(image[..., 0])) for image in images])
    with torch.inference_mode():
        return model.encode_image(batch).numpy()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "architecture",
    [
        pytest.param(name, marks=[] if name in ("RN50", "ViT-B-16") else [pytest.mark.slow])
        for name in TOWERS
    ],
)
def test_openai_file_gives_the_codes_that_open_clip_gives(
    open_clip, architecture, images, tmp_path
):
    tensors = some_weights(open_clip, architecture)
    path = openai_archive(tensors, tmp_path / f"{architecture}.pt")
    encoder = load_encoder(f"clip:{architecture}", weights=path)
    expected = codes_by_open_clip(open_clip, path, images)
    found = encoder.encode(images)
    in_all, image_part, size, width = TOWERS[architecture]
    card = encoder.card
    assert round(card.parameters / 1e6, 1) == image_part
    assert round(card.parameters_in_all / 1e6) == in_all
    assert card.preprocessing.size == (size, size)
    assert found.shape == (len(images), width)
    assert card.sha256 == file_hash(path)
    # Codes of random networks lie near each other: what counts is the error against that.
    apart = np.linalg.norm(expected - expected.mean(axis=0))
    assert np.linalg.norm(found - expected) < 0.01 * apart


@pytest.fixture(scope="module")
def tower(open_clip, tmp_path_factory):
    """A small tower of ViT layout, as both kinds of file."""
    folder = tmp_path_factory.mktemp("weights")
    tensors = some_weights(open_clip, "ViT-B-32")
    save_file(tensors, folder / "ViT-B-32.safetensors")
    torch.save(tensors, folder / "state.pt")
    return tensors, folder


def test_safetensors_state_dict_and_image_tower_alone_give_the_same(tower, images):
    tensors, folder = tower
    save_file(
        {k.removeprefix("visual."): v for k, v in tensors.items() if k.startswith("visual.")},
        folder / "visual.safetensors",
    )
    codes = [
        load_encoder("clip:ViT-B-32", weights=folder / name).encode(images)
        for name in ("ViT-B-32.safetensors", "state.pt", "visual.safetensors")
    ]
    np.testing.assert_array_equal(codes[0], codes[1])
    np.testing.assert_array_equal(codes[0], codes[2])


def test_openai_weights_are_run_with_quick_gelu(open_clip, tower, images):
    """A tower with the exact GELU gives other codes from the same file."""
    tensors, folder = tower
    file = folder / "ViT-B-32.safetensors"
    quick = load_encoder("clip:ViT-B-32/openai", weights=file).encode(images)
    exact = load_encoder("clip:ViT-B-32/laion2b_s34b_b79k", weights=file).encode(images)
    model = open_clip.create_model("ViT-B-32-quickgelu", pretrained=str(file)).eval()
    encoder = load_encoder("clip:ViT-B-32/openai", weights=file)
    batch = encoder.card.preprocessing(torch.from_numpy(images))
    with torch.inference_mode():
        expected = model.encode_image(batch).numpy()
    np.testing.assert_allclose(quick, expected, atol=1e-5 * np.abs(expected).max())
    assert np.abs(exact - expected).max() > 5e-3 * np.abs(expected).max()


def test_layers_and_tokens(tower, images):
    _, folder = tower
    file = folder / "ViT-B-32.safetensors"

    def codes(**options):
        return load_encoder("clip:ViT-B-32", weights=file, **options).encode(images)

    layer = "transformer.resblocks.5"
    flat = codes(layer=layer, pool="flatten").reshape(len(images), 50, 768)
    np.testing.assert_allclose(codes(layer=layer, pool="class"), flat[:, 0], rtol=1e-5)
    np.testing.assert_allclose(codes(layer=layer), flat[:, 1:].mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(codes(layer=layer, pool="max"), flat[:, 1:].max(axis=1), rtol=1e-5)
    with pytest.raises(ValueError, match=r"no layer 'transformer.resblock.5'.*did you mean"):
        codes(layer="transformer.resblock.5")


def test_weights_of_another_architecture_are_refused_with_the_first_mismatches(tower):
    _, folder = tower
    with pytest.raises(
        ValueError, match=r"another architecture than clip:RN50: .*conv1.weight has shape.*more"
    ):
        load_encoder("clip:RN50", weights=folder / "ViT-B-32.safetensors")


def test_without_weights_it_says_what_to_get_from_where(monkeypatch, tmp_path):
    pytest.importorskip("open_clip")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(
        FileNotFoundError,
        match=r"nothing is downloaded unasked: give --download; or get https://openaipublic.*"
        r"RN50.pt.*\(sha256 afeb0e10f9e5a86d.*--weights FILE, or put it into",
    ):
        load_encoder("clip:RN50")


def test_a_cached_file_with_another_hash_is_refused():
    pytest.importorskip("open_clip")
    weights_folder().mkdir(parents=True)
    (weights_folder() / "RN50.pt").write_bytes(b"half of it")
    with pytest.raises(ValueError, match=r"not the published file of clip:RN50: its sha256 is"):
        load_encoder("clip:RN50")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clip:RN5O", r"no architecture 'RN5O' \(did you mean 'RN50'\?\)"),
        ("clip:RN50/openia", r"no weights 'openia' of RN50 \(did you mean 'openai'\?\)"),
    ],
)
def test_unknown_names(name, message):
    pytest.importorskip("open_clip")
    with pytest.raises(ValueError, match=message):
        load_encoder(name)


@pytest.mark.slow
def test_random_weights_go_by_their_seed_and_see_something(images):
    pytest.importorskip("open_clip")
    dataset = DSprites()
    first, again, other = (
        load_encoder("random:clip:RN50", seed=seed, dataset=dataset) for seed in (0, 0, 1)
    )
    assert first.card.sha256 == again.card.sha256 != other.card.sha256
    assert first.card.weights == "drawn, seed 0"
    codes = first.encode(images)
    assert np.std(codes, axis=0).mean() > 0.05 * np.std(codes)
