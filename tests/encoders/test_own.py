import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from unweave.datasets import load
from unweave.encoders import Card, Encoder, Preprocessing, encode_rows, load_encoder
from unweave.encoders.loading import FAMILIES, has_architecture, kind_of

DATASET = load("torus?size=16")
IMAGES = DATASET.images(np.arange(0, 300, 7))
PIXELS = IMAGES.reshape(len(IMAGES), -1) / np.float32(255)


class Means(Encoder):
    """The mean of each row of pixels."""

    card = Card(
        name="means", weights="", sha256="", licence="", source="", parameters=0, kind="plain"
    )

    def encode(self, images, *, unscaled=False):
        return np.asarray(images, np.float32).mean(axis=(2, 3))


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5)).train()


def test_an_encoder_is_taken_as_it_is():
    own = Means()
    assert load_encoder(own) is own


def test_a_torch_module_gets_images_in_0_to_1_with_channels_first():
    module = network()
    inputs = torch.from_numpy(PIXELS).reshape(-1, 1, 16, 16)
    expected = module(inputs).detach().numpy()
    encoder = load_encoder(module, dataset=DATASET)
    assert encoder.encode(IMAGES) == pytest.approx(expected, abs=1e-5)
    assert encoder.card.name == "Sequential"
    assert module.training  # the user's own is left alone


def test_a_layer_and_a_preprocessing_of_a_torch_module():
    module = network()
    module(torch.zeros(1, 1, 16, 16))
    own = Preprocessing(size=None, mean=(0.5,), std=(0.25,), channels=1)
    encoder = load_encoder(module, layer="1", pool="flatten", preprocessing=own)
    inputs = (torch.from_numpy(PIXELS).reshape(-1, 1, 16, 16) - 0.5) / 0.25
    expected = module[1](module[0](inputs)).flatten(2).transpose(1, 2).flatten(1)
    assert encoder.encode(IMAGES) == pytest.approx(expected.detach().numpy(), abs=1e-5)


def test_a_fitted_transformer_gets_pixels():
    fitted = PCA(3, random_state=0).fit(PIXELS)
    assert load_encoder(fitted).encode(IMAGES) == pytest.approx(fitted.transform(PIXELS), abs=1e-5)


def test_a_transformer_that_is_not_fitted_is_fitted_to_the_dataset_as_pca_is():
    given = PCA(3, svd_solver="randomized", random_state=0)
    encoder = load_encoder(given, dataset=DATASET)
    assert not hasattr(given, "components_")
    expected = load_encoder("pca:3", dataset=DATASET).encode(IMAGES)
    assert encoder.encode(IMAGES) == pytest.approx(expected, abs=1e-3)
    with pytest.raises(ValueError, match="PCA is not fitted: fit it to pixels"):
        load_encoder(given)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (nn.Sequential(nn.Flatten()), nn.Sequential(nn.AvgPool2d(4), nn.Flatten())),
        (lambda images: images.mean(axis=(1, 3)), lambda images: images.std(axis=(1, 3))),
        (PCA(3, random_state=0).fit(PIXELS), PCA(3, random_state=0, whiten=True).fit(PIXELS)),
    ],
)
def test_codes_of_objects_of_one_name_are_not_mixed_up(tmp_path, first, second):
    """Modules without weights, for one, have the same weights and the same name."""
    rows = np.arange(20)
    for own in (first, second):
        encoder = load_encoder(own, dataset=DATASET)
        codes = encode_rows(encoder, DATASET, rows, folder=tmp_path)
        expected = encoder.encode(DATASET.images(rows))
        assert codes.shape == expected.shape
        assert codes == pytest.approx(expected)


@pytest.mark.parametrize("name", ["own_encoders:means", "own_encoders:Means", "own_encoders:mean"])
def test_objects_are_named_on_the_command_line(cli, tmp_path, monkeypatch, name):
    (tmp_path / "own_encoders.py").write_text(
        "import numpy as np\nfrom unweave.encoders import Card, Encoder\n"
        "class Means(Encoder):\n"
        "    card = Card(name='m', weights='', sha256='', licence='', source='', parameters=0)\n"
        "    def encode(self, images, *, unscaled=False):\n"
        "        return mean(images).astype(np.float32)\n"
        "def mean(images):\n    return np.asarray(images).mean(axis=2)[..., 0]\n"
        "means = Means()\n"
    )
    monkeypatch.chdir(tmp_path)
    words = ["encode", name, "--dataset", "torus?size=16", "--rows", "50", "--out", "codes.npz"]
    assert cli(*words)[0] == 0
    with np.load(tmp_path / "codes.npz") as found:
        expected = DATASET.images(found["rows"]).mean(axis=2)[..., 0]
        assert found["codes"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (3, {}, "an encoder is a name, an Encoder, a torch module"),
        ("clpi:RN50", {}, "did you mean 'clip'"),
        ("nowhere.at_all:thing", {}, "name an object of yours as package.module:object"),
        (lambda images: images.mean(), {}, r"gave codes of shape \(\) for \d+ images"),
        (lambda images: np.zeros(3), {}, r"of shape \(3,\) for \d+ images"),
        (Means(), {"layer": "1"}, "has no layers to choose from"),
        (Means(), {"weights": "w.pt"}, "an object that is ready to encode, and weights has no use"),
        (
            PCA(3),
            {"preprocessing": Preprocessing(size=None)},
            "and preprocessing has no use for it",
        ),
    ],
)
def test_what_is_no_encoder_is_a_sentence(given, options, message):
    with pytest.raises(ValueError, match=message):
        load_encoder(given, **options).encode(IMAGES)


def test_a_family_says_what_it_is():
    assert {family.kind for family in FAMILIES.values()} == {"pretrained", "trained", "plain"}
    assert [kind_of(f"{name}:3") for name in ("pixels", "pca", "ica", "varimax")] == ["plain"] * 4
    assert (
        kind_of("pretrained:qlae-rooms") == kind_of("run:a") == kind_of("trained:vae") == "trained"
    )
    assert kind_of("random:lite:0") == "random"
    assert kind_of("lite:0") == kind_of("mine:net") == "pretrained"
    assert has_architecture("lite:0")
    assert not has_architecture("ica:3")
    assert load_encoder("pixels").card.kind == "plain"
