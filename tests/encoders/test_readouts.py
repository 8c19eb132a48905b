import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from unweave.encoders import read_out
from unweave.encoders.readouts import varimax
from unweave.encoders.sparse import train_sparse_autoencoder


def mixed(rng, n=3000):
    sources = rng.uniform(-1, 1, (n, 3)) * [3, 2, 1.5]
    rotation = np.linalg.qr(rng.standard_normal((12, 3)))[0]
    return sources, sources @ rotation.T


def agreement(found, sources):
    """The best absolute correlation of each source with a component."""
    return np.abs(np.corrcoef(found.T, sources.T)[: found.shape[1], found.shape[1] :]).max(axis=0)


def test_pca_keeps_the_variance(rng):
    sources, codes = mixed(rng)
    found = read_out(codes, "pca:3")
    assert found.shape == (3000, 3)
    np.testing.assert_allclose(found.var(axis=0).sum(), codes.var(axis=0).sum(), rtol=1e-5)
    assert np.abs(np.corrcoef(found.T) - np.eye(3)).max() < 1e-5


def test_ica_finds_independent_sources_that_pca_does_not(rng):
    sources = rng.uniform(-1, 1, (4000, 3))  # of equal variance, so that PCA has nothing to go by
    codes = sources @ np.linalg.qr(rng.standard_normal((12, 3)))[0].T
    assert agreement(read_out(codes, "ica:3"), sources).min() > 0.99
    assert agreement(read_out(codes, "pca:3"), sources).min() < 0.99


def test_varimax_is_the_best_of_all_rotations_of_the_plane(rng):
    loadings = rng.standard_normal((40, 2)) * [1, 0.2] @ [[0.8, 0.6], [-0.6, 0.8]]

    def criterion(rotation):
        return ((loadings @ rotation) ** 2).var(axis=0).sum()

    def at(angle):
        return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    angles = np.linspace(0, np.pi / 2, 400)
    near = angles[np.argmax([criterion(at(a)) for a in angles])]
    best = minimize_scalar(lambda a: -criterion(at(a)), bounds=(near - 0.01, near + 0.01))
    found = varimax(loadings)
    np.testing.assert_allclose(found.T @ found, np.eye(2), atol=1e-9)
    assert criterion(found) == pytest.approx(-best.fun, rel=1e-6)


def test_varimax_finds_components_that_own_their_latents(rng):
    sources = rng.standard_normal((4000, 3))
    owners = np.repeat(np.eye(3), 4, axis=1)  # each source moves four latents of its own
    codes = sources @ owners
    assert agreement(read_out(codes, "varimax:3"), sources).min() > 0.999


def test_components_of_varimax_are_uncorrelated_and_of_variance_one(rng):
    _, codes = mixed(rng)
    found = read_out(codes, "varimax:3")
    np.testing.assert_allclose(np.cov(found.T), np.eye(3), atol=2e-3)


def test_sparse_codes_are_sparse_and_say_the_codes(rng):
    directions = np.linalg.qr(rng.standard_normal((16, 16)))[0]
    active = rng.uniform(1, 2, (4000, 16)) * (rng.uniform(size=(4000, 16)) < 0.1)
    codes = active @ directions
    found = read_out(codes, "sparse:32:4")
    assert found.shape == (4000, 32)
    assert ((found > 0).sum(axis=1) <= 4).all()
    assert agreement(found, active).mean() > 0.9


def test_an_eighth_of_sparse_features_are_active_unless_said(rng):
    codes = rng.standard_normal((2000, 16))
    assert (read_out(codes, "sparse:32") > 0).sum(axis=1).max() == 4
    assert (read_out(codes, "sparse:32:2") > 0).sum(axis=1).max() == 2


def test_a_sparse_autoencoder_learns(rng):
    codes = rng.standard_normal((2000, 8)).astype(np.float32)
    data = torch.from_numpy(codes)
    models = [train_sparse_autoencoder(codes, 64, 8, seed=0, n_steps=n) for n in (1, 1000)]
    with torch.no_grad():
        errors = [float((model(data) - data).pow(2).mean()) for model in models]
        dictionary = models[1].decoder / models[1].decoder.norm(dim=1, keepdim=True)
        written = models[1].features(data) @ dictionary + models[1].centre
        np.testing.assert_allclose(models[1](data), written, atol=1e-5)
    assert errors[1] < 0.5 * errors[0]
    assert (models[1].decoder.norm(dim=1) - 1).abs().max() > 1e-3  # or that would say nothing


def test_same_seed_same_codes(rng):
    codes = rng.standard_normal((500, 6))
    state = torch.random.get_rng_state()
    for readout in ("ica:3", "varimax:3", "sparse:8"):
        np.testing.assert_array_equal(read_out(codes, readout), read_out(codes, readout))
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("readout", "message"),
    [
        ("pcaa:3", r"unknown readout 'pcaa' \(did you mean 'pca'\?\)"),
        ("pca", r"readout 'pca': as raw, pca:10"),
        ("pca:0", r"readout 'pca:0'"),
        ("raw:3", r"readout 'raw:3'"),
        ("sparse:8:2:1", r"readout 'sparse:8:2:1'"),
        ("pca:7", r"with 6 latents that vary have at most 6 components"),
        ("sparse:4:5", r"5 of 4 features cannot be active at once"),
    ],
)
def test_what_is_no_readout(rng, readout, message):
    with pytest.raises(ValueError, match=message):
        read_out(rng.standard_normal((50, 6)), readout)


def test_raw_codes_keep_their_precision(rng):
    codes = 1e9 + rng.standard_normal((20, 2))
    np.testing.assert_array_equal(read_out(codes, "raw"), codes)
