"""Training on images of users."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from unweave.datasets import ImageDataset
from unweave.models import Network, build_vae
from unweave.models.objectives import VAE, BetaVAE
from unweave.training import Member, TrainingConfig, load_model, train, train_ensemble
from unweave.training.isometric import encode_isometric, train_isometric

SHAPE = (16, 16, 1)
NETWORK = Network(width=0.25, n_latents=3)
CONFIG = TrainingConfig(steps=200, batch_size=16, learning_rate=2e-3, accelerator="cpu")
SHORT = CONFIG.model_copy(update={"steps": 3})


def squares():
    """White squares of 8 pixels on black, at all 81 places."""
    images = np.zeros((81, *SHAPE), dtype=np.uint8)
    for n, image in enumerate(images):
        image[n // 9 : n // 9 + 8, n % 9 : n % 9 + 8] = 255
    return images


SQUARES = squares()
WRITTEN = {
    "uint8": SQUARES,
    "float32": (SQUARES / 255).astype(np.float32),
    "float16": (SQUARES / 255).astype(np.float16),
    "bool": SQUARES > 0,
    "uint16": SQUARES.astype(np.uint16) * 257,
}


class Own(ImageDataset):
    """What a user writes."""

    image_shape = SHAPE

    def __init__(self, array):
        self.array = array

    def __len__(self):
        return len(self.array)

    def images(self, indices):
        return self.array[indices]


def trained(data, config=CONFIG, folder=None):
    model = build_vae(NETWORK, SHAPE, seed=0)
    return train(model, VAE(), data, config, folder=folder)


@pytest.fixture(scope="module")
def expected():
    return trained(Own(SQUARES))


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[pytest.mark.slow] if kind in ("float16", "uint16") else [])
        for kind in WRITTEN
    ],
)
def test_a_white_square_is_learned_however_it_is_written(expected, kind):
    model = expected if kind == "uint8" else trained(Own(WRITTEN[kind]))
    codes = model.encode(WRITTEN[kind])
    found = model.decode(codes)
    assert found[SQUARES == 255].mean() > 150
    assert found[SQUARES == 0].mean() < 50
    np.testing.assert_array_equal(found, expected.decode(expected.encode(SQUARES)))


@pytest.mark.parametrize(
    "data",
    [
        SQUARES,
        WRITTEN["float32"].transpose(0, 3, 1, 2),
        torch.from_numpy(SQUARES),
        TensorDataset(torch.from_numpy(WRITTEN["float32"]).permute(0, 3, 1, 2), torch.arange(81)),
        [(image, 0) for image in SQUARES],
    ],
    ids=["array", "channels first", "tensor", "TensorDataset", "list"],
)
def test_arrays_and_datasets_of_torch_are_trained_on(data):
    expected = trained(Own(SQUARES), SHORT)
    for a, b in zip(expected.parameters(), trained(data, SHORT).parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_data_loader_is_refused_with_what_to_pass():
    loader = DataLoader(TensorDataset(torch.from_numpy(SQUARES)), batch_size=4)
    with pytest.raises(TypeError, match="pass its dataset, loader.dataset"):
        trained(loader)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (WRITTEN["float32"] * 2 - 1, r"run from -1 to 1, and floats must lie in \[0, 1\]"),
        (SQUARES // 255, "hold only zeros and ones"),
        (SQUARES.astype(np.float32), "run from 0 to 255"),
        (SQUARES.astype(np.uint16), "are very dark"),
        (SQUARES[..., 0], "channel axis is missing"),
        (np.where(SQUARES > 0, np.nan, 0), "nan or infinite"),
        (SQUARES[:0], "Own is empty"),
        (np.repeat(SQUARES, 3, axis=3), "for colour images in grayscale"),
    ],
)
def test_wrong_images_are_refused_before_the_first_step(array, message):
    steps = []
    for call in (
        lambda: train(build_vae(NETWORK, SHAPE, seed=0), VAE(), Own(array), SHORT,
                      at_step=steps.append),
        lambda: train_ensemble(NETWORK, [Member(VAE(), 0), Member(VAE(), 1)], Own(array), SHORT,
                               together=True, at_step=steps.append),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            call()
    assert steps == []


def test_images_that_change_later_are_refused():
    class Changing(Own):
        n_calls = 0

        def images(self, indices):
            self.n_calls += 1
            images = super().images(indices)
            return images / 255 if self.n_calls > 3 else images

    with pytest.raises(ValueError, match="were uint8 before and are float64 now"):
        trained(Changing(SQUARES))


def test_images_of_another_size_than_the_models_are_refused():
    with pytest.raises(ValueError, match="is for images of 16 x 16 x 1, and the data has 8 x 8"):
        trained(SQUARES[:, ::2, ::2])


def test_images_that_are_turned_over_or_read_only_are_images():
    over = SQUARES[:, ::-1, ::-1]
    read_only = np.ascontiguousarray(over)
    read_only.flags.writeable = False
    first, second = (trained(Own(array), SHORT) for array in (over, read_only))
    np.testing.assert_array_equal(first.encode(over), second.encode(read_only))


def test_binary_images_of_any_size_are_unpacked():
    class Tiny(Own):
        image_shape = (10, 10, 1)
        binary = True

    images = np.random.default_rng(0).random((20, 10, 10, 1)) < 0.5
    model = build_vae(NETWORK, (10, 10, 1), seed=0)
    plain = build_vae(NETWORK, (10, 10, 1), seed=0)
    train(model, VAE(), Tiny(images), SHORT)
    train(plain, VAE(), images, SHORT)
    np.testing.assert_array_equal(model.encode(images), plain.encode(images))


def test_an_ensemble_sees_as_many_images_as_were_asked_for():
    config = SHORT.model_copy(update={"n_images": 5})
    members = [Member(BetaVAE(beta=1), 0), Member(BetaVAE(beta=4), 0)]
    together = train_ensemble(NETWORK, members, SQUARES, config, together=True)
    alone = train(build_vae(NETWORK, SHAPE, seed=0), members[1].objective, SQUARES, config)
    whole = train(build_vae(NETWORK, SHAPE, seed=0), members[1].objective, SQUARES, SHORT)
    codes = together[1].encode(SQUARES)
    np.testing.assert_allclose(codes, alone.encode(SQUARES), atol=1e-4)
    assert np.abs(codes - whole.encode(SQUARES)).max() > 1e-3


def test_a_folder_that_train_wrote_holds_a_model(tmp_path):
    model = trained(SQUARES, SHORT, folder=str(tmp_path / "run"))
    np.testing.assert_array_equal(
        load_model(str(tmp_path / "run")).encode(SQUARES), model.encode(SQUARES)
    )


@pytest.mark.parametrize("kind", WRITTEN)
def test_encode_takes_what_training_takes(expected, kind):
    np.testing.assert_array_equal(expected.encode(WRITTEN[kind]), expected.encode(SQUARES))
    tensor = torch.from_numpy(WRITTEN["float32"])
    np.testing.assert_array_equal(expected.encode(tensor), expected.encode(SQUARES))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (WRITTEN["float32"] * 2 - 1, "run from -1 to 1"),
        (SQUARES // 255, "hold only zeros and ones"),
        (SQUARES[..., 0], "channel axis is missing"),
        (np.full((2, *SHAPE), np.nan), "nan or infinite"),
    ],
)
def test_encode_refuses_what_training_refuses(expected, images, message):
    with pytest.raises(ValueError, match=message):
        expected.encode(images)
    with pytest.raises(ValueError, match=message):
        expected.encode_posterior(images)


def test_zeros_and_ones_can_be_encoded_as_they_are(expected):
    dark = expected.encode(SQUARES // 255, unscaled=True)
    np.testing.assert_allclose(dark, expected.encode(np.zeros_like(SQUARES)), atol=0.1)


def test_films_are_checked_and_converted():
    films = np.stack([SQUARES[i : i + 3] for i in range(40)])
    config = CONFIG.model_copy(update={"steps": 2, "batch_size": 4})

    def codes(clips):
        encoder = train_isometric(NETWORK, clips, config, spacing=0.1)
        return encode_isometric(encoder, clips)

    np.testing.assert_array_equal(codes(films / 255), codes(films))
    for wrong, message in [
        (films // 255, "films are uint8 and hold only zeros"),
        (films / 127.5 - 1, "films are float64 and run from -1 to 1"),
        (films[0], r"films must be of shape \(n, frames, height, width, channels\)"),
        (films[:0], "of at least one film"),
        (films[:, :1], "of two frames"),
    ]:
        with pytest.raises(ValueError, match=message):
            codes(wrong)
