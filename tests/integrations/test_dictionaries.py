import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from unweave.integrations.dictionaries import read_dictionary

N_LATENTS, N_DIMS = 9, 4


@pytest.fixture
def weights():
    torch.manual_seed(0)
    return {
        "W_dec": torch.randn(N_LATENTS, N_DIMS),
        "W_enc": torch.randn(N_DIMS, N_LATENTS),
        "b_enc": torch.randn(N_LATENTS),
        "b_dec": torch.randn(N_DIMS),
    }


@pytest.fixture
def saved(tmp_path):
    """A folder as `SAE.save_model` of SAELens writes it."""

    def save(weights, **config):
        save_file(weights, tmp_path / "sae_weights.safetensors")
        known = {
            "d_in": N_DIMS, "d_sae": N_LATENTS, "dtype": "float32", "device": "cpu",
            "apply_b_dec_to_input": True, "normalize_activations": "none",
            "reshape_activations": "none", "metadata": {"sae_lens_version": "6.28.0"},
        }  # fmt: skip
        (tmp_path / "cfg.json").write_text(json.dumps(known | config), encoding="utf-8")
        return tmp_path

    return save


POINTS = np.random.default_rng(1).standard_normal((50, N_DIMS))


def linear(weights, *, centred=True):
    points = torch.from_numpy(POINTS).float()
    return (points - weights["b_dec"] * centred) @ weights["W_enc"]


def test_standard_autoencoders_encode_by_rectified_linear_units(saved, weights):
    dictionary = read_dictionary(saved(weights, architecture="standard"))
    np.testing.assert_array_equal(dictionary.directions, weights["W_dec"].double())
    codes = dictionary.encode(POINTS)
    expected = torch.relu(linear(weights) + weights["b_enc"])
    np.testing.assert_allclose(codes, expected, atol=1e-5)
    made = expected @ weights["W_dec"] + weights["b_dec"]
    np.testing.assert_allclose(dictionary.decode(codes), made, atol=1e-4)
    bare = read_dictionary(saved(weights, architecture="standard", apply_b_dec_to_input=False))
    expected = torch.relu(linear(weights, centred=False) + weights["b_enc"])
    np.testing.assert_allclose(bare.encode(POINTS), expected, atol=1e-5)


def test_jumprelu_keeps_what_exceeds_its_threshold(saved, weights):
    weights["threshold"] = torch.linspace(-1, 2, N_LATENTS)
    codes = read_dictionary(saved(weights, architecture="jumprelu")).encode(POINTS)
    value = linear(weights) + weights["b_enc"]
    expected = torch.relu(value) * (value > weights["threshold"].relu())
    np.testing.assert_allclose(codes, expected, atol=1e-5)


@pytest.mark.parametrize("rescaled", [False, True])
def test_topk_keeps_the_largest(saved, weights, rescaled):
    folder = saved(weights, architecture="topk", k=3, rescale_acts_by_decoder_norm=rescaled)
    dictionary = read_dictionary(folder)
    codes = dictionary.encode(POINTS)
    lengths = weights["W_dec"].norm(dim=1) if rescaled else torch.ones(N_LATENTS)
    value = (linear(weights) + weights["b_enc"]) * lengths
    top = value.topk(3, dim=1)
    expected = torch.zeros_like(value).scatter(1, top.indices, top.values.relu())
    np.testing.assert_allclose(codes, expected, atol=1e-5)
    made = (expected / lengths) @ weights["W_dec"] + weights["b_dec"]
    np.testing.assert_allclose(dictionary.decode(codes), made, atol=1e-4)


def test_gated_autoencoders_have_a_gate_and_a_size(saved, weights):
    del weights["b_enc"]
    weights |= {name: torch.randn(N_LATENTS) for name in ("b_gate", "b_mag", "r_mag")}
    codes = read_dictionary(saved(weights, architecture="gated")).encode(POINTS)
    is_open = linear(weights) + weights["b_gate"] > 0
    points = torch.from_numpy(POINTS).float() - weights["b_dec"]
    size = points @ (weights["W_enc"] * weights["r_mag"].exp()) + weights["b_mag"]
    np.testing.assert_allclose(codes, is_open * torch.relu(size), atol=1e-5)


def test_files_of_older_versions_and_of_half_precision(saved, weights):
    older = {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2}}
    codes = read_dictionary(saved(weights, **older)).encode(POINTS)
    assert ((codes > 0).sum(axis=1) <= 2).all()
    half = {name: tensor.bfloat16() for name, tensor in weights.items()}
    dictionary = read_dictionary(saved(half, architecture="standard"))
    np.testing.assert_allclose(dictionary.directions, weights["W_dec"], rtol=1e-2)


def test_what_cannot_be_encoded_says_so_when_it_is_asked(saved, weights):
    def sentence(weights, **config):
        dictionary = read_dictionary(saved(weights, **config))
        assert dictionary.directions.shape == (N_LATENTS, N_DIMS)
        with pytest.raises(ValueError, match="points cannot be encoded by .*give the codes") as e:
            dictionary.encode(POINTS)
        return str(e.value)

    assert "its architecture is 'temporal' with relu, and known are standard, jumprelu" in sentence(
        weights, architecture="temporal"
    )
    assert "normalize_activations is 'layer_norm', which is not known here" in sentence(
        weights, normalize_activations="layer_norm"
    )
    assert "it has no 'threshold'" in sentence(weights, architecture="jumprelu")
    assert "it has no 'k'" in sentence(weights, architecture="topk")
    assert "k is 99, and there are 9 latents" in sentence(weights, architecture="topk", k=99)
    assert "b_enc is of shape (3,) and not (9,)" in sentence(
        weights | {"b_enc": torch.zeros(3)}, architecture="standard"
    )
    folder = saved(weights)
    (folder / "cfg.json").unlink()
    with pytest.raises(ValueError, match="there is no cfg.json beside it that names the arch"):
        read_dictionary(folder).encode(POINTS)
    del weights["W_enc"]
    assert read_dictionary(saved(weights)).encode is None


def test_a_decoder_of_columns_is_refused_by_its_width(saved, weights):
    weights["W_dec"] = weights["W_dec"].T.contiguous()
    sentence = r"is \(dimensions, latents\), so transpose it"
    with pytest.raises(ValueError, match=sentence):
        read_dictionary(saved(weights, architecture="standard"))
    with pytest.raises(ValueError, match=sentence):
        read_dictionary(saved(weights, d_in=None))
    weights["W_dec"] = torch.randn(N_LATENTS, 7)
    with pytest.raises(ValueError, match="weights and configuration belong to different"):
        read_dictionary(saved(weights))


def test_folders_and_files(tmp_path, saved, weights):
    folder = saved(weights, architecture="standard")
    (folder / "sae_weights.safetensors").rename(folder / "final.safetensors")
    for path in (folder, folder / "final.safetensors"):
        assert len(read_dictionary(path).encode(POINTS)) == len(POINTS)
    save_file({"b": torch.zeros(1)}, folder / "other.safetensors")
    with pytest.raises(FileNotFoundError, match="final.safetensors, other.safetensors: name the"):
        read_dictionary(folder)
    with pytest.raises(ValueError, match=r"it has b, and W_dec \(latents, dimensions\) is needed"):
        read_dictionary(folder / "other.safetensors")
    (folder / "broken.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(ValueError, match="is damaged or no safetensors file"):
        read_dictionary(folder / "broken.safetensors")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_dictionary(folder / "nowhere.safetensors")


def test_arrays_of_directions(tmp_path, weights):
    directions = weights["W_dec"].numpy()
    np.save(tmp_path / "a.npy", directions)
    np.savez(tmp_path / "b.npz", W_dec=directions, other=np.zeros(3))
    np.savez(tmp_path / "c.npz", mine=directions)
    for name in ("a.npy", "b.npz", "c.npz"):
        found = read_dictionary(tmp_path / name)
        np.testing.assert_array_equal(found.directions, directions.astype(float))
        assert found.encode is None
    np.savez(tmp_path / "d.npz", one=directions, two=directions)
    with pytest.raises(ValueError, match="it has one, two, and one of directions, features"):
        read_dictionary(tmp_path / "d.npz")
    np.save(tmp_path / "e.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(ValueError, match="holds Python objects, which may run code"):
        read_dictionary(tmp_path / "e.npy")
