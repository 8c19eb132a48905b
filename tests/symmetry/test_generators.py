"""Learnt generators against the true ones, where what was learnt is known."""

import json

import numpy as np
import pytest

from unweave.datasets import Torus
from unweave.models import Network, build_vae
from unweave.models.lie_group import decode_matrices, learnt_generators
from unweave.models.objectives import LieGroupVAE
from unweave.symmetry import compare_generators
from unweave.symmetry.generators import _matrices
from unweave.training import TrainingConfig, train

TORUS = Torus()
TURN = 2 * np.pi / 16
OPTIONS = {"n_rows": 400, "n_draws": 3}


def planes(n=4, speed=1.0):
    """Generators (n, 8, 8) that turn a plane each."""
    basis = np.zeros((n, 8, 8))
    for i in range(n):
        basis[i, 2 * i, 2 * i + 1], basis[i, 2 * i + 1, 2 * i] = -speed, speed
    return basis


def angles(rows, speed=1.0):
    """Latents that grow with each factor and jump at the end of its circle; a fourth is still."""
    found = TURN * TORUS.space.levels(rows)[:, [2, 0, 1]] / speed
    return np.column_stack([found, np.full(len(rows), 0.3)])


def decode(matrices):
    """The image of the nearest angles: the decoder is known."""
    turns = np.arctan2(matrices[:, [1, 3, 5], [0, 2, 4]], matrices[:, [0, 2, 4], [0, 2, 4]])
    levels = np.rint(turns / TURN).astype(int) % 16
    return TORUS.images(TORUS.space.indices(levels[:, [1, 2, 0]]))


@pytest.mark.parametrize("speed", [1.0, 0.25])
def test_each_group_is_found_in_its_own_generator(speed):
    found = compare_generators(
        lambda rows: angles(rows, speed), planes(speed=speed), TORUS, decode=decode, **OPTIONS
    )
    assert [(m.factor, m.latent) for m in found] == [("direction", 1), ("x", 2), ("y", 0)]
    for match in found:
        assert match.best == pytest.approx(1, abs=1e-6)
        # To go one level on is to go 15 back.
        levels = match.amount * speed / TURN
        assert levels % 16 == pytest.approx(1, abs=1e-3)
        others = np.delete(match.explained, match.latent)
        assert others == pytest.approx(np.zeros(3), abs=0.01)
        assert match.linear == pytest.approx(1, abs=1e-6)
        assert match.cycle_error == pytest.approx(0, abs=1e-5)
        assert match.image_explained == 1
        assert match.best > match.chance.mean + 0.5
        assert str(match).startswith(f"{match.factor}: generator {match.latent} makes 1.000 of the")


def test_a_group_that_takes_two_generators_is_in_neither():
    """Latents and generators are turned against each other: the matrices are the same."""
    mix = np.eye(4)
    mix[:2, :2] = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    mixed = np.einsum("ij,jkl->ikl", mix, planes())
    codes = angles(np.arange(5))
    np.testing.assert_allclose(
        _matrices(codes @ mix.T, mixed), _matrices(codes, planes()), atol=1e-12
    )
    found = compare_generators(lambda rows: angles(rows) @ mix.T, mixed, TORUS, **OPTIONS)
    by_name = {match.factor: match for match in found}
    for name in ("direction", "y"):
        assert by_name[name].best < 0.7
        assert by_name[name].linear == pytest.approx(1, abs=1e-6)
    assert by_name["x"].best == pytest.approx(1, abs=1e-6)


def test_translations_on_a_line_do_not_close():
    """A generator whose square is zero adds, and a circle has a place where it jumps."""
    basis = np.zeros((3, 4, 4))
    basis[[0, 1, 2], 0, [1, 2, 3]] = 1
    match = compare_generators(lambda rows: angles(rows)[:, :3], basis, TORUS, **OPTIONS)[0]
    assert match.cycle_error == pytest.approx(1)
    assert match.best < 0.2


def test_a_group_that_codes_ignore_is_reported():
    def encode(rows):
        return angles(rows) * [1, 0, 1, 1]

    match = compare_generators(encode, planes(), TORUS, **OPTIONS)[0]
    assert match.latent is None
    assert match.best == 0
    assert str(match) == "direction: not in the codes"


def test_a_models_own_generators_and_decoder_are_taken():
    model = build_vae(Network(width=0.1, n_latents=2, matrix_size=3), (32, 32, 1), seed=0).eval()
    basis = learnt_generators(model)
    assert basis.shape == (2, 3, 3)
    codes = np.random.default_rng(0).standard_normal((5, 2))
    images = decode_matrices(model, _matrices(codes, basis))
    assert np.abs(images.astype(int) - model.decode(codes)).max() <= 1

    def encode(rows):
        return model.encode(TORUS.images(rows))

    found = compare_generators(
        encode, basis, TORUS, decode=lambda m: decode_matrices(model, m), **OPTIONS
    )
    assert len(found) == 3
    assert all(match.best <= 1 for match in found)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match=r"square matrices \(4, size, size\), one for each latent"):
        compare_generators(angles, planes(3), TORUS, **OPTIONS)
    still = Torus()
    still.symmetries = ()
    with pytest.raises(ValueError, match="no group is known to act on torus: declare its symm"):
        compare_generators(angles, planes(), still, **OPTIONS)
    with pytest.raises(ValueError, match="the model has no generators"):
        learnt_generators(build_vae(Network(width=0.1), (32, 32, 1), seed=0))


def test_the_command_compares_the_generators_of_a_run(tmp_path, cli):
    model = build_vae(Network(width=0.1, n_latents=2, matrix_size=3), (32, 32, 1), seed=0)
    config = TrainingConfig(steps=2, batch_size=4)
    train(model, LieGroupVAE(), TORUS, config, folder=tmp_path / "run")
    run = f"run:{tmp_path / 'run'}"
    code, out, err = cli("symmetry", run, "--rows", 100, "--analogies", 3, "--json")
    assert code == 0, err
    found = json.loads(out)["generators"]
    assert [match["factor"] for match in found] == ["direction", "x", "y"]
    assert all(len(match["explained"]) == 2 for match in found)
