"""`unweave generalise`."""

import json

import pytest

DATA = "xysinglesquare?size=16&split=extrapolation"


def test_pixels(cli, tmp_path):
    words = ("generalise", "pixels", "--dataset", DATA, "--rows", 20, "--n-bootstrap", 50)
    code, out, _ = cli(*words)
    assert code == 0
    assert "pixels: 49 images to learn from, 15 held out, seed 0" in out
    assert "R² by ridge" in out
    assert "R² by mlp" in out
    assert "relative to the variance" in " ".join(out.split())
    assert "squared error of reconstructions" not in out
    code, printed, _ = cli(*words, "--json", "--readouts", "ridge", "--out", tmp_path / "x.json")
    content = json.loads(printed)
    assert content == json.loads((tmp_path / "x.json").read_text())
    assert content["held_out"] == "xysinglesquare?part=held_out&size=16&split=extrapolation"
    assert list(content["readouts"]) == ["ridge"]
    mean = content["readouts"]["ridge"]["mean"]
    assert mean["low"] < mean["gap"] < mean["high"]
    assert f"{mean['gap']:.4f}" in out
    assert content["reconstruction"] is None
    assert content["notes"] == []


def test_categorical_factors_have_accuracies(cli):
    words = ("--dataset", "rooms?size=32", "--split", "montero_range", "--rows", 30)
    code, out, _ = cli("generalise", "pca:3", *words, "--readouts", "ridge", "--n-bootstrap", 20)
    assert code == 0
    assert "420,000 images to learn from, 60,000 held out" in out
    assert "accuracy by ridge" in out


def test_a_run_is_judged_on_the_split_that_it_was_trained_on(cli, tmp_path):
    run = tmp_path / "run"
    train = ("train", "vae", "--steps", 2, "--batch-size", 4, "--width", 0.125, "--latents", 3)
    code, _, errors = cli(*train, "--dataset", f"{DATA}&part=train", "--out", run)
    assert code == 0, errors
    small = ("--rows", 20, "--n-bootstrap", 20, "--readouts", "ridge")
    code, out, errors = cli("generalise", f"run:{run}", *small)
    assert code == 0, errors
    assert "49 images to learn from, 15 held out" in out
    assert "squared error of reconstructions" in out
    assert "note:" not in out
    code, out, errors = cli("generalise", f"run:{run}", *small, "--split", "random")
    assert code == 0, errors
    said = " ".join(out.split())
    assert "which is not the training part: it may have seen images that are held out here" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pixels",), "dsprites is not split: say what is held out, as with ?split=composition"),
        (("pixels", "--dataset", "torus", "--split", "extra"), "unknown split 'extra' of torus"),
        (("pixels", "--dataset", DATA, "--readouts", "rigde"), "did you mean 'ridge'"),
        (("pixles", "--dataset", DATA), "unknown encoder 'pixles' (did you mean 'pixels'?)"),
        (("pixels", "--dataset", DATA, "--rows", 0), "--rows: a number of at least 1 is needed"),
        (("pixels", "--dataset", DATA, "--rows", 5), "a read-out needs at least 20 rows"),
    ],
)
def test_what_is_wrong_is_said(cli, words, said):
    code, out, errors = cli("generalise", *words)
    assert code == 2
    assert not out
    assert said in errors
