"""Analogies: where the parallelogram is right, and where only the group is."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from unweave.datasets import DSprites, Torus
from unweave.symmetry import analogy_accuracy, by_rotation, by_transport, parallelogram

TORUS = Torus()


def on_sphere(n, seed, dim=3):
    points = np.random.default_rng(seed).standard_normal((n, dim))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def circles(rows):
    angles = 2 * np.pi * TORUS.space.levels(rows) / 16
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)


def test_the_parallelogram_leaves_the_sphere_and_transport_stays_on_it():
    a, b, c = (on_sphere(500, s) for s in range(3))
    off = np.abs(np.linalg.norm(parallelogram(a, b, c), axis=1) - 1)
    assert np.median(off) > 0.3
    answers = by_transport(a, b, c)
    np.testing.assert_allclose(np.linalg.norm(answers, axis=1), 1, atol=1e-12)
    # As far from c as b is from a: transport keeps lengths.
    np.testing.assert_allclose((answers * c).sum(1), (a * b).sum(1), atol=1e-10)


def test_transport_along_the_step_itself_goes_on_along_the_great_circle():
    angles = np.array([0.3, 1.1])
    a = np.array([[1.0, 0, 0]])
    b, c = (np.array([[np.cos(t), np.sin(t), 0]]) for t in angles)
    expected = np.array([[np.cos(1.4), np.sin(1.4), 0]])
    np.testing.assert_allclose(by_transport(a, b, c), expected, atol=1e-12)


def test_for_small_steps_both_agree():
    a, c = on_sphere(200, 0), on_sphere(200, 1)
    c = a + 1e-3 * c
    c /= np.linalg.norm(c, axis=1, keepdims=True)
    b = a + 1e-3 * on_sphere(200, 2)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    np.testing.assert_allclose(by_transport(a, b, c), parallelogram(a, b, c), atol=1e-5)


def test_rotations_answer_exactly_and_the_parallelogram_is_no_rotation():
    g, a, c = (Rotation.random(300, random_state=s).as_matrix() for s in range(3))
    b, d = g @ a, g @ c
    np.testing.assert_allclose(by_rotation(a, b, c), d, atol=1e-12)
    flat = parallelogram(a, b, c)
    off = np.linalg.norm(flat.swapaxes(1, 2) @ flat - np.eye(3), axis=(1, 2))
    assert np.median(off) > 1


def test_of_a_product_each_factor_by_itself_is_flat_enough():
    """Where b differs from a in one factor and c in the other, b + c - a is the answer."""
    p, q, p2, q2 = (on_sphere(50, s) for s in range(4))
    a, b, c, d = (np.hstack(pair) for pair in ((p, q), (p2, q), (p, q2), (p2, q2)))
    np.testing.assert_allclose(parallelogram(a, b, c), d, atol=1e-12)


@pytest.mark.parametrize("group", TORUS.symmetries, ids=lambda g: g.factor)
def test_on_circles_the_action_answers_and_the_parallelogram_guesses(group):
    found = analogy_accuracy(circles, TORUS, group, n_analogies=400)
    assert found.action == 1
    assert found.parallelogram < 0.2
    assert found.chance == 1 / 16


def test_on_a_line_both_answer():
    dataset = DSprites()
    found = analogy_accuracy(
        lambda rows: dataset.space.levels(rows).astype(float), dataset, dataset.symmetries[1]
    )
    assert found.action == found.parallelogram == 1


def test_noise_answers_at_chance_or_with_where_it_started():
    codes = np.random.default_rng(0).standard_normal((len(TORUS), 5))
    found = analogy_accuracy(lambda rows: codes[rows], TORUS, TORUS.symmetries[0], n_analogies=2000)
    assert found.action == pytest.approx(1 / 16, abs=0.02)
    assert found.parallelogram < 1 / 16 + 0.02  # f(v) itself is often the nearest


def test_none_to_ask_is_refused():
    with pytest.raises(ValueError, match="n_analogies must be a whole number of at least 1"):
        analogy_accuracy(circles, TORUS, TORUS.symmetries[0], n_analogies=0)
