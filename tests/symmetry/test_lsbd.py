"""D_LSBD against the values of the authors' code."""

import json
from pathlib import Path

import numpy as np
import pytest

from unweave.metrics import Noise
from unweave.symmetry import linear_symmetry_distance

REFERENCE = json.loads((Path(__file__).parent / "reference_lsbd.json").read_text())
SIZES = (16, 12)
A, B = np.meshgrid(*(2 * np.pi * np.arange(n) / n for n in SIZES), indexing="ij")
TORUS = np.stack([np.cos(A), np.sin(A), np.cos(B), np.sin(B)], axis=-1).reshape(-1, 4)


def made(name):
    if name in REFERENCE["inputs"]:
        array = np.array(REFERENCE["inputs"][name])
        return array.reshape(-1, array.shape[-1])
    if name == "torus_perfect":
        return TORUS
    if name == "torus_rotated6":
        return np.pad(TORUS, ((0, 0), (0, 2))) @ np.array(REFERENCE["rotation6"])
    if name == "torus_freq_2_-1":
        angles = np.stack([np.cos(2 * A), np.sin(2 * A), np.cos(-B), np.sin(-B)], axis=-1)
        return angles.reshape(-1, 4)
    return np.stack([np.cos(A + B), np.sin(A + B)], axis=-1).reshape(-1, 2)


@pytest.mark.parametrize("name", REFERENCE["values"])
def test_it_is_that_of_the_authors_code(name):
    score = linear_symmetry_distance(made(name), SIZES, noise=None)
    assert float(score) == pytest.approx(REFERENCE["values"][name]["dlsbd"], abs=1e-8)


def test_frequencies_are_found_up_to_the_direction_of_the_plane():
    score = linear_symmetry_distance(made("torus_freq_2_-1"), SIZES, names=["a", "b"], noise=None)
    assert abs(score.extras["frequency of a"]) == 2
    assert abs(score.extras["frequency of b"]) == 1


def test_chance_is_just_below_one_and_a_torus_is_significant():
    rng = np.random.default_rng(0)
    noisy = TORUS + 0.3 * rng.standard_normal(TORUS.shape)
    score = linear_symmetry_distance(noisy, SIZES, noise=Noise(50, 2, 10))
    assert 0.95 < score.chance.mean < 1
    assert score.p_value < 0.03
    low, high = score.interval
    assert low < float(score) < high
    assert 0.7 < score.adjusted < 1
    noise = linear_symmetry_distance(
        rng.standard_normal(TORUS.shape), SIZES, noise=Noise(50, 2, 10)
    )
    assert noise.p_value > 0.02
    assert abs(noise.adjusted) < 0.05


def test_one_factor_alone_can_be_at_fault():
    weak = 0.05 * np.random.default_rng(0).standard_normal((192, 2))
    half = np.concatenate([TORUS[:, :2], weak], axis=1)
    score = linear_symmetry_distance(half, SIZES, names=["a", "b"], noise=None)
    assert score.per_factor["a"] < 1e-4
    assert score.per_factor["b"] > 0.9


def test_a_code_on_a_line_turns_nothing():
    line = np.stack([A.ravel(), np.zeros(A.size)], axis=1)
    assert float(linear_symmetry_distance(line, SIZES, noise=None)) == 1


@pytest.mark.parametrize(
    ("codes", "sizes", "message"),
    [
        (TORUS[:-1], SIZES, "191 rows are not a full grid: 16 x 12 levels have 192 combinations"),
        (TORUS, (96, 2), "at least 3 levels"),
        (TORUS[:, :1], SIZES, "at least 2"),
        (TORUS * np.nan, SIZES, "nan"),
    ],
)
def test_what_is_no_grid_of_codes_is_refused(codes, sizes, message):
    with pytest.raises(ValueError, match=message):
        linear_symmetry_distance(codes, sizes)
