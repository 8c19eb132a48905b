"""`pretrained:NAME` where a model is taken, and `unweave pretrained`."""

import json

import numpy as np
import pytest

import unweave
from unweave.cli import console
from unweave.models import VAE, shipped_models
from unweave.models.pretrained import read_training

NAME = "pretrained:qlae-rooms"
RECORD = read_training(shipped_models()["qlae-rooms"])


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_list_has_every_model_and_its_scores(cli, monkeypatch):
    monkeypatch.setattr(console.out, "width", 160)
    code, out, _ = cli("pretrained")
    assert code == 0
    for name, folder in shipped_models().items():
        record = read_training(folder)
        assert f"pretrained:{name}" in out
        assert record["dataset"] in out
        for metric, score in record["metrics"].items():
            row = next(line for line in out.splitlines() if line.split()[:2] == [name, metric])
            assert f"{score['value']:.4f}" in row
            assert f"{score['mixture']['mean']:.3f}" in row
    code, out, _ = cli("pretrained", "--json")
    assert code == 0
    assert json.loads(out)["models"][NAME] == RECORD


def test_codes_are_of_the_dataset_that_it_was_trained_on_and_have_their_indices(cli, tmp_path):
    code, out, err = cli("encode", NAME, "--rows", 200)
    assert code == 0, err
    assert "pretrained-qlae-rooms.npz: 200 rows, 12 latents" in out
    with np.load("pretrained-qlae-rooms.npz") as file:
        codes, indices = file["codes"], file["indices"]
        assert list(file["factor_names"])[:3] == ["floor_hue", "wall_hue", "object_hue"]
    values = VAE.from_pretrained(NAME).values()
    np.testing.assert_array_equal(np.take_along_axis(values.T, indices, axis=0), codes)
    code, out, _ = cli("score", "pretrained-qlae-rooms.npz", "--metrics", "mig", "--json")
    assert code == 0
    assert json.loads(out)["n"] == 200


def test_a_run_is_encoded_with_the_dataset_that_it_was_trained_on(cli):
    words = ("--dataset", "torus", "--steps", 2, "--width", 0.125, "--latents", 2, "--out", "run")
    assert cli("train", "vae", *words)[0] == 0
    code, out, err = cli("encode", "run:run", "--rows", 50, "--out", "codes.npz")
    assert code == 0, err
    with np.load("codes.npz") as file:
        assert list(file["factor_names"]) == ["direction", "x", "y"]
    code, out, _ = cli("encoders", "show", NAME)
    assert code == 0
    assert "Apache-2.0" in out


def test_its_page_lies_in_a_folder_here_and_not_in_the_package(cli, tmp_path):
    code, out, err = cli("show", NAME)
    assert code == 0, err
    assert "pictures: pretrained-qlae-rooms/index.html" in out.replace("\\", "/")
    assert "QLAE" in (tmp_path / "pretrained-qlae-rooms/index.html").read_text(encoding="utf-8")
    assert not (shipped_models()["qlae-rooms"] / "show").exists()


def test_it_is_exported_with_its_card_and_shown_from_there(cli, tmp_path):
    code, _, err = cli("export", NAME, "--out", "mine")
    assert code == 0, err
    for name in ("README.md", "training.json", "config.json"):
        theirs = (shipped_models()["qlae-rooms"] / name).read_text(encoding="utf-8")
        made_by_today = theirs.replace("0.1.0", unweave.__version__)
        assert (tmp_path / "mine" / name).read_text(encoding="utf-8") == made_by_today
    code, out, err = cli("encode", "run:mine", "--rows", 50, "--out", "codes.npz")
    assert code == 0, err
    assert "50 rows, 12 latents" in out


def test_a_run_of_a_study_says_how_it_is_made_again(cli, tiny, tmp_path):
    run = next((tiny[1] / "runs").iterdir())
    code, _, err = cli("export", run, "--out", "model")
    assert code == 0, err
    sentence = f"Run `{run.name}` of the study `tiny`."
    assert sentence in (tmp_path / "model/README.md").read_text(encoding="utf-8")
    assert read_training("model")["made_by"] == sentence
    assert read_training("model")["steps"] == 30
    code, _, err = cli("export", run, "--out", "model", "--step", 10, "--force")
    assert code == 0, err
    card = (tmp_path / "model/README.md").read_text(encoding="utf-8")
    assert "## Scores after 10 steps" in card


@pytest.mark.filterwarnings("always")
def test_collapsed_latents_are_named_by_train_and_show(cli, tmp_path):
    words = ("--dataset", "torus", "--steps", 60, "--width", 0.125, "--latents", 2)
    words = (*words, "--learning-rate", 0.01, "--beta", 10_000)
    code, _, err = cli("train", "beta_vae", *words, "--out", "run")
    assert code == 0
    sentence = "all 2 latents hold less than 0.01 nats of an image: the model holds nothing"
    assert f"warning: {sentence}" in err
    code, out, _ = cli("show", "run")
    assert code == 0
    assert f"note: {sentence}" in out
    assert "All 2 latents hold" in (tmp_path / "run/show/index.html").read_text(encoding="utf-8")
