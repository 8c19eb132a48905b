import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from unweave.datasets.superposition import Superposition


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A SAELens folder, its features with rows, and arrays."""
    sample = Superposition(n_dims=10, n_features=16, n_trees=2).sample(200, random_state=0)
    sample.save(tmp_path / "known.npz")
    rng = np.random.default_rng(0)
    directions = sample.directions + 0.1 * rng.standard_normal((16, 10))
    decoder = torch.from_numpy(directions).float()
    (tmp_path / "sae").mkdir()
    save_file(
        {
            "W_dec": decoder, "W_enc": decoder.T.contiguous(), "b_enc": torch.full((16,), -0.3),
            "b_dec": torch.zeros(10),
        },
        tmp_path / "sae/sae_weights.safetensors",
    )  # fmt: skip
    config = {"architecture": "standard", "d_in": 10, "d_sae": 16}
    (tmp_path / "sae/cfg.json").write_text(json.dumps(config), encoding="utf-8")
    np.save(tmp_path / "other.npy", sample.directions[::-1])
    np.save(tmp_path / "features.npy", sample.directions)
    np.save(tmp_path / "transposed.npy", directions.T)
    codes = sample.activations.toarray()
    np.save(tmp_path / "codes.npy", codes)
    np.savez(tmp_path / "rows.npz", codes=codes, points=sample.points)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(cli, *words):
    code, out, err = cli("score", *words, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_a_saelens_folder_is_scored_by_known_features(cli, files):
    content = found(cli, "--dictionary", "sae", "--features", "known.npz")
    scores = content["dictionaries"]["sae"]
    assert scores["dictionary_mcc"]["value"] > 0.9
    assert scores["dictionary_mcc"]["p_value"] == pytest.approx(1 / 101)
    assert scores["firing_recall"]["n"] == 200
    assert {"absorption_gap", "explained_variance"} <= set(scores)
    assert content["stability"] is None
    few = found(cli, "--dictionary", "sae", "--features", "known.npz", "--rows", "50")
    assert few["dictionaries"]["sae"]["l0"]["n"] == 50


def test_the_table_says_what_was_scored(cli, files):
    code, out, err = cli("score", "--dictionary", "sae", "--features", "known.npz")
    assert (code, err) == (0, "")
    for word in (
        "sae: 16 latents in 10 dimensions, 16 features, 200 rows, seed 0", "dictionary_mcc",
        "mixture", "chance: the dictionary rotated at random", "absorption_gap",
    ):  # fmt: skip
        assert word in out
    assert "smooth" not in out


def test_two_dictionaries_are_compared(cli, files):
    two = ("--dictionary", "sae", "--dictionary", "other.npy")
    content = found(cli, *two)
    assert content["dictionaries"] == {}
    stability = content["stability"]["dictionary_stability"]
    assert stability["value"] > 0.9 > stability["chance"]["mean"]
    both = found(cli, *two, "--features", "features.npy")
    assert both["dictionaries"]["other.npy"]["dictionary_mcc"]["value"] == pytest.approx(1)
    code, out, _ = cli("score", *two)
    assert code == 0
    assert "2 dictionaries beside each other, seed 0" in out


def test_codes_and_points_of_a_file_take_part(cli, files):
    one = ("--dictionary", "other.npy")
    alone = found(cli, "codes.npy", *one)["dictionaries"]["other.npy"]
    assert set(alone) == {"l0", "dead_latents"}
    rows = found(cli, "rows.npz", *one, "--features", "features.npy")["dictionaries"]["other.npy"]
    assert set(rows) >= {"dictionary_mcc", "explained_variance", "shrinkage"}
    points = np.load("rows.npz")["points"]
    np.save("points.npy", points)
    np.savez("fires.npz", directions=np.load("features.npy"), firings=np.load("codes.npy") > 0)
    encoded = found(cli, "points.npy", "--dictionary", "sae", "--features", "fires.npz")
    assert "firing_f1" in encoded["dictionaries"]["sae"]
    signed = found(cli, *one, "--features", "features.npy", "--signed")
    assert signed["dictionaries"]["other.npy"]["dictionary_mcc"]["settings"]["signed"] is True


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--dictionary transposed.npy --features known.npz", "transpose them, so that each row"),
        ("--dictionary sae --dictionary sae", "a dictionary is named twice: name different ones"),
        ("--dictionary other.npy", "there is nothing to score a dictionary by"),
        ("--dictionary nowhere", "there is no file nowhere"),
        ("--features known.npz rows.npz", "says something of a dictionary only: name one with"),
        ("--signed rows.npz", "--signed says something of a dictionary only"),
        ("", "FILE is missing: give codes to score, or a dictionary with --dictionary"),
        ("--dictionary sae --groups 2,2", "--groups says nothing of a dictionary: leave it out"),
        ("--dictionary sae --metrics mig", "--metrics says nothing of a dictionary"),
        ("rows.npz --dictionary sae --dictionary other.npy", "belong to one dictionary, and 2 are"),
        ("sae/cfg.json --dictionary sae", "must be an .npz with points, codes, activations, or"),
        ("features.npy --dictionary codes.npy", "neither codes of the dictionary's latents nor"),
        ("odd.npz --dictionary sae", "has none of points, codes, activations for --dictionary"),
        ("--dictionary sae --features features.npy --rows 9", "more than the 0 rows there are"),
        ("rows.npz --dictionary other.npy --rows 999", "is more than the 200 rows there are"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_a_sentence(cli, files, words, sentence):
    np.savez("odd.npz", a=np.ones(3))
    code, out, err = cli("score", *words.split())
    assert (code, out) == (2, "")
    assert sentence in " ".join(err.split())
