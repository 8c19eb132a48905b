"""PIPE, where the distance of the two distributions is known."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from unweave.metrics import posterior_indifference_projection_equivalence as pipe


def same(values):
    return values


def as_images(codes):
    return np.kron(codes[:, :, None, None], np.ones((1, 1, 2, 2))).reshape(len(codes), -1, 2, 1)


@pytest.mark.parametrize("n_copies", [2, 3])
def test_copies_of_one_bit_have_the_closed_form(rng, n_copies):
    codes = np.repeat(rng.integers(2, size=(4000, 1)), n_copies, axis=1)
    score = pipe((same, as_images), codes)
    # Two of 2^L patterns are possible, and all are as likely once latents are permuted.
    assert float(score) == pytest.approx(2 ** (1 - n_copies), abs=0.08)
    assert score.interval[0] <= float(score) <= score.interval[1]
    assert score.p_value < 1e-9
    assert score.extras["accuracy"] == pytest.approx(1 - float(score) / 2)


def test_half_dependent_bits_lie_between(rng):
    codes = rng.integers(2, size=(6000, 2))
    codes[:, 1] = np.where(rng.random(6000) < 0.5, codes[:, 0], codes[:, 1])
    assert float(pipe((same, same), codes)) == pytest.approx(0.75, abs=0.08)


@pytest.mark.parametrize("n_values", [3, None])
def test_independent_latents_with_a_perfect_decoder_have_1(rng, n_values):
    codes = rng.standard_normal((1200, 3)) if n_values is None else rng.integers(3, size=(1200, 3))
    score = pipe((same, same), codes)
    assert float(score) == pytest.approx(1, abs=4 * score.chance.sd)
    assert score.p_value > 0.001
    assert score.n_samples == 1200


def test_identical_distributions_have_the_chance_that_is_said(rng):
    found = [
        float(pipe((same, same), rng.standard_normal((80, 2)), seed=i,
                   discriminator=LogisticRegression()))
        for i in range(60)
    ]  # fmt: skip
    chance = pipe((same, same), rng.standard_normal((80, 2))).chance
    assert (chance.mean, chance.sd) == (1.0, pytest.approx(1 / np.sqrt(40)))
    assert np.mean(found) == pytest.approx(1, abs=4 * chance.sd / np.sqrt(60))
    assert np.std(found) == pytest.approx(chance.sd, rel=0.4)


def test_a_discriminator_of_the_user_takes_the_place_of_ours(rng):
    codes = np.repeat(rng.standard_normal((400, 1)), 2, axis=1)
    # Rows with equal pixels are no half-space: a linear classifier cannot tell.
    linear = pipe((same, same), codes, discriminator=LogisticRegression())
    assert float(linear) > 0.8
    assert float(pipe((same, same), codes)) < 0.5


def test_a_decoder_that_ignores_its_latents_is_said(rng):
    images = rng.random((200, 2, 2, 1))
    score = pipe(
        (lambda x: x.reshape(len(x), -1), lambda z: np.full((len(z), 2, 2, 1), 0.5)), images
    )
    assert float(score) == pytest.approx(1, abs=4 * score.chance.sd)
    assert "explain 0 % of the variance of the images" in score.notes[0]
    whole = pipe((lambda x: x.reshape(len(x), -1), lambda z: z.reshape(-1, 2, 2, 1)), images)
    assert whole.extras["explained"] == pytest.approx(1)
    assert whole.notes == ()


def test_a_model_and_tensors_do(rng):
    class Model:
        def encode(self, images):
            return torch.from_numpy(images).requires_grad_()

        def decode(self, codes):
            return torch.from_numpy(np.asarray(codes)).float().requires_grad_()

    codes = rng.standard_normal((200, 3))
    codes[:, 2] = 7.0
    score = pipe(Model(), codes, discriminator=LogisticRegression())
    assert score.dead_latents == (2,)
    assert score.to_dict() == pipe(Model(), codes, discriminator=LogisticRegression()).to_dict()


@pytest.mark.parametrize(
    ("model", "images", "options", "message"),
    [
        (same, np.eye(50), {}, "PIPE encodes and decodes, and function cannot"),
        ((same, None), np.eye(50), {}, "a pair of functions"),
        ((same, same), np.eye(39), {}, "39 images were given: give at least 40"),
        ((same, same), np.eye(50)[:, :1], {}, "at least two latents"),
        ((lambda x: x[:9], same), np.eye(50), {}, r"shape \(9, 50\) for 50 images"),
        ((same, lambda z: z[1:]), np.eye(50), {}, r"decode gave an array of shape \(49, 50\)"),
        ((same, lambda z: z.astype(str)), np.eye(50), {}, "give numbers, and a decoding for each"),
        ((same, lambda z: z / 0.0), np.eye(50), {}, "decode gave nan or infinite values"),
        ((same, same), np.eye(50), {"confidence": 1.0}, "interval lies between 0 and 1, not 1.0"),
    ],
)
def test_wrong_input_is_refused(model, images, options, message):
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
        pipe(model, images, **options)


def test_large_seeds_are_taken(rng):
    codes = rng.standard_normal((80, 3))
    first, again = (pipe((same, as_images), codes, seed=2**40) for _ in range(2))
    assert float(first) == float(again)
    assert first.seed == 2**40
