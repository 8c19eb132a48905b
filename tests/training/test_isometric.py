"""The encoder that keeps lengths, on films of a bump that goes round."""

import numpy as np
import pytest
import torch

from unweave.models import Network
from unweave.training import TrainingConfig
from unweave.training.isometric import (
    encode_isometric,
    length_loss,
    spread_loss,
    train_isometric,
)

SIDE = 16
NETWORK = Network(width=0.5, n_latents=4)


def bumps(angles):
    """Images (..., side, side, 1) of a bright spot on a circle, at angles (...)."""
    grid = np.linspace(-1, 1, SIDE)
    x, y = 0.6 * np.cos(angles), 0.6 * np.sin(angles)
    squares = (grid - x[..., None, None]) ** 2 + (grid[:, None] - y[..., None, None]) ** 2
    return (255 * np.exp(-squares / 0.1)).astype(np.uint8)[..., None]


@pytest.fixture(scope="module")
def films():
    rng = np.random.default_rng(0)
    starts, ways = rng.uniform(0, 2 * np.pi, 400), rng.choice([-1, 1], 400)
    return bumps(starts[:, None] + ways[:, None] * 0.15 * np.arange(6))


def test_lengths_of_straight_lines_cost_nothing_and_others_their_square():
    steps = torch.arange(5.0)
    line = torch.stack([steps * 0.3, steps * 0.4], dim=1)[None]
    assert length_loss(line, 0.5).item() == pytest.approx(0, abs=1e-12)
    assert length_loss(line, 0.25).item() == pytest.approx(1)
    assert length_loss(0.5 * line, 0.5).item() == pytest.approx(0.25)


def test_films_are_pushed_apart_up_to_the_margin():
    codes = torch.zeros(3, 2, 2)
    codes[1, :, 0], codes[2, :, 1] = 3.0, 0.5
    # First against third: 0.5 is lacking; second and third, second and first: nothing.
    assert spread_loss(codes, 1.0).item() == pytest.approx(0.25 / 3)


@pytest.mark.slow
def test_codes_of_a_circle_lie_on_a_curve_of_its_length(films):
    config = TrainingConfig(steps=600, batch_size=16, learning_rate=3e-3, seed=0)
    encoder = train_isometric(NETWORK, films, config, spacing=0.15)
    angles = np.linspace(0, 2 * np.pi, 41)
    codes = encode_isometric(encoder, bumps(angles))
    steps = np.linalg.norm(np.diff(codes, axis=0), axis=1)
    assert steps.sum() == pytest.approx(2 * np.pi, rel=0.1)
    assert np.abs(steps / np.diff(angles) - 1).mean() < 0.1


def test_the_learning_rate_warms_up_and_falls_to_zero_as_a_cosine_does(films, monkeypatch):
    rates, step = [], torch.optim.Adam.step

    def recorded(optimizer, *args, **options):
        rates.append(optimizer.param_groups[0]["lr"])
        return step(optimizer, *args, **options)

    monkeypatch.setattr(torch.optim.Adam, "step", recorded)
    config = TrainingConfig(steps=8, batch_size=2, learning_rate=0.01)
    train_isometric(NETWORK, films, config, spacing=0.15)
    done = np.arange(8)
    expected = 0.01 * (1 + np.cos(np.pi * done / 8)) / 2 * (done + 1) / 300
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


def test_a_run_that_was_cut_off_goes_on_to_the_same_weights(films, tmp_path):
    config = TrainingConfig(steps=8, batch_size=4, seed=3, checkpoint_every=3)

    class Stopped(Exception):
        pass

    def stop(step):
        if step == 5:
            raise Stopped

    whole = train_isometric(NETWORK, films, config, spacing=0.15)
    with pytest.raises(Stopped):
        train_isometric(NETWORK, films, config, spacing=0.15, folder=tmp_path, at_step=stop)
    resumed = train_isometric(NETWORK, films, config, spacing=0.15, folder=tmp_path)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    images = films[:3]
    np.testing.assert_allclose(
        encode_isometric(whole, images), encode_isometric(resumed, images, batch=1), atol=1e-6
    )
    assert encode_isometric(whole, images).shape == (3, 6, 4)


def test_films_are_rolled_whole(films):
    from unweave.training.isometric import _images, _rolled

    own = _images(films[:3], torch.device("cpu"))
    rolled = _rolled(own, np.pi / 2 * np.arange(3))
    for quarters in range(3):
        expected = torch.rot90(own[quarters], quarters, dims=(2, 3))
        torch.testing.assert_close(rolled[quarters], expected, atol=1e-4, rtol=0)


def test_a_rolled_bump_goes_round_by_the_angle():
    from unweave.training.isometric import _images, _rolled

    angles = np.linspace(0, 2 * np.pi, 7)
    still = _images(bumps(np.zeros((7, 1))), torch.device("cpu"))
    rolled = _rolled(still, -angles)
    turned = _images(bumps(angles[:, None]), torch.device("cpu"))
    assert (rolled - turned).abs().max() < 0.1
    assert rolled.min() >= 0
    assert rolled.max() <= 1


def test_images_that_cannot_be_turned_are_refused(films):
    config = TrainingConfig(steps=1, batch_size=2)
    with pytest.raises(ValueError, match="images of 8 x 16 pixels cannot be turned"):
        train_isometric(NETWORK, films[:, :, :8], config, spacing=0.15, rolls=True)


def test_divergence_is_told(films):
    from unweave.training import DivergedError

    config = TrainingConfig(steps=400, batch_size=4, learning_rate=1e12)
    with pytest.raises(DivergedError, match="lower the learning rate"):
        train_isometric(NETWORK, films, config, spacing=0.15)
