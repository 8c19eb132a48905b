"""The definition, on representations of which it is known whether they meet it."""

import numpy as np
import pytest

from unweave.datasets import DSprites, Torus
from unweave.symmetry import check_definition
from unweave.symmetry.definition import _independence

TORUS = Torus()


def circles(rows):
    """Each factor on a circle of its own: the linear disentangled representation."""
    angles = 2 * np.pi * TORUS.space.levels(rows) / 16
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)


def mixed(rows):
    return circles(rows) @ np.random.default_rng(1).standard_normal((6, 6))


def lines(rows):
    """Disentangled in the probabilistic sense, one latent a factor, and not in this one."""
    return TORUS.space.levels(rows).astype(float)


def sums(rows):
    """Circles of direction, and of sums and differences of the places."""
    direction, x, y = 2 * np.pi * TORUS.space.levels(rows).T / 16
    angles = np.stack([direction, x + y, x - y], axis=1)
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)


def noise(rows):
    return np.random.default_rng(1).standard_normal((len(TORUS), 6))[rows]


@pytest.mark.parametrize("encode", [circles, mixed])
def test_a_product_of_circles_meets_it_in_any_linear_coordinates(encode):
    verdict = check_definition(encode, TORUS, n_rows=1000, n_draws=5)
    assert verdict.is_disentangled
    assert verdict.dimensions == {"direction": 2, "x": 2, "y": 2}
    assert all(condition.error < 0.01 for condition in verdict.conditions)
    np.testing.assert_allclose(verdict.leakage, np.eye(3), atol=1e-4)


def test_right_angles_are_what_the_independence_score_asks_for():
    of = [check_definition(e, TORUS, n_rows=1000, n_draws=3).independence for e in (circles, mixed)]
    assert of[0] == pytest.approx(1)
    assert of[1] < 0.7


def test_independence_is_one_less_the_largest_cosine_of_two_moves():
    def moves(*vectors, stays=(True, True)):
        return [(np.array(v, dtype=float), np.array(stays)) for v in vectors]

    # Two rows, two elements of each group: the largest cosines are 1 and 0.6.
    first = moves([[1, 0], [1, 0]], [[0, 1], [3, 0]])
    second = moves([[2, 0], [3, 4]], [[1, 1], [0, -1]])
    found = _independence([first, second], np.array([2, 2]))
    assert found == pytest.approx(1 - (1 + 0.6) / 2)
    # A row that leaves the data says nothing, nor does a group that moves nothing.
    left = moves([[2, 0], [3, 4]], [[1, 1], [0, -1]], stays=(False, True))
    assert _independence([first, left], np.array([2, 2])) == pytest.approx(0.4)
    assert _independence([first, second], np.array([2, 0])) == 0


def test_latents_that_wrap_from_end_to_end_have_no_linear_action():
    verdict = check_definition(lines, TORUS, n_rows=1000, n_draws=5)
    assert not verdict.equivariance.holds
    assert verdict.decomposition.holds
    assert not verdict.is_disentangled


def test_an_action_may_be_linear_and_entangled():
    verdict = check_definition(sums, TORUS, n_rows=1000, n_draws=5)
    assert verdict.action.holds
    assert verdict.equivariance.holds
    assert not verdict.decomposition.holds
    assert verdict.leakage[1, 2] == pytest.approx(0.5, abs=0.01)  # x and y move the same planes
    assert verdict.leakage[0, 1:].max() < 1e-4


def test_leakage_goes_from_the_group_of_the_row_to_that_of_the_column():
    """x moves two planes of which y moves one: what lies in both is shared by halves, so that half
    of what y moves is x's too, and of what x moves (1/4) / (1 + 1/4 + 1/4) is y's.
    """  # noqa: D205

    def encode(rows):
        direction, x, y = 2 * np.pi * TORUS.space.levels(rows).T / 16
        angles = np.stack([direction, x, x + 8 * y], axis=1)  # y moves less often, and farther
        return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)

    leakage = check_definition(encode, TORUS, n_rows=1000, n_draws=3).leakage
    assert leakage[1, 2] == pytest.approx(1 / 6, abs=0.01)
    assert leakage[2, 1] == pytest.approx(1 / 2, abs=0.01)


def test_noise_is_at_chance_in_every_condition():
    verdict = check_definition(noise, TORUS, n_rows=1000, n_draws=10)
    for condition in verdict.conditions:
        assert not condition.holds
        assert condition.error == pytest.approx(condition.chance.mean, abs=0.03)


def test_errors_are_those_on_rows_that_no_matrix_was_fitted_to():
    """What half of the rows says of codes without structure is wrong of the other half."""
    verdict = check_definition(noise, TORUS, n_rows=100, n_draws=10)
    assert verdict.equivariance.error > 1.05
    assert verdict.equivariance.chance.mean > 1.05


def test_a_group_that_codes_ignore_is_named():
    verdict = check_definition(lambda rows: circles(rows)[:, [1, 2, 4, 5]], TORUS, n_draws=3)
    assert verdict.dimensions["direction"] == 0
    assert all(condition.holds for condition in verdict.conditions)
    assert not verdict.is_disentangled
    assert "not in the codes at all: direction" in str(verdict)


def test_translations_act_within_the_image_only():
    dataset = DSprites()

    def values(rows):
        orientation, x, y = 2 * np.pi * dataset.space.levels(rows)[:, 2:].T / [[39], [80], [80]]
        return np.stack([np.cos(orientation), np.sin(orientation), x, y], axis=1)

    verdict = check_definition(values, dataset, n_rows=1000, n_draws=5)
    assert verdict.dimensions == {"orientation": 2, "posX": 1, "posY": 1}
    assert verdict.decomposition.holds
    # A shift of a line is not linear about any one centre.
    assert verdict.equivariance.per_group["orientation"] < 0.01
    assert verdict.equivariance.per_group["posX"] > 0.05


def test_it_is_said_with_numbers():
    text = str(check_definition(circles, TORUS, n_rows=500, n_draws=3))
    assert "equivariance: holds (error 0.0" in text
    assert "disentangled (n = 500)" in text


def test_data_without_symmetries_and_codes_without_variance_are_refused():
    class Plain(Torus):
        symmetries = ()

    with pytest.raises(ValueError, match="declares 0 symmetries: the definition is about two"):
        check_definition(circles, Plain())
    with pytest.raises(
        ValueError, match="200 rows are too few to fit matrices of 40 latents: give 320"
    ):
        check_definition(lambda rows: np.tile(lines(rows), (1, 14))[:, :40], TORUS, n_rows=200)
    with pytest.raises(ValueError, match="all rows have the same code"):
        check_definition(lambda rows: np.ones((len(rows), 2)), TORUS)
