"""Studies of generalisation: their runs, their table and their page."""

import json

import numpy as np
import pytest

from unweave.reports import write_report
from unweave.studies import build_table, load_study, open_study, run_study
from unweave.studies.folder import write_study
from unweave.studies.loading import checked_study

SPLIT = "xysinglesquare?size=16&split=extrapolation"
TINY = {
    "name": "tiny",
    "title": "A tiny study of generalisation",
    "question": "Does it run?",
    "splits": [SPLIT, "xysinglesquare?size=16&split=random"],
    "encoders": ["pixels"],
    "reading": {"rows": 20, "n_bootstrap": 20},
    "models": {
        "objectives": [{"name": "vae"}, {"name": "qlae"}, {"name": "ada_gvae"}],
        "seeds": [0, 1],
        "untrained_seeds": [0],
        "steps": 2,
        "network": {"width": 0.125, "n_latents": 3},
        "training": {"batch_size": 4, "accelerator": "cpu", "precision": "32-true"},
    },
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The tiny study, and its folder."""
    study = checked_study(TINY, "here")
    folder = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNWEAVE_CACHE", str(tmp_path_factory.mktemp("cache")))
        assert run_study(study, folder, workers=1) == {}
    return study, folder


def test_runs_are_encoders_then_networks_then_models_seed_by_seed():
    study = checked_study(TINY, "here")
    runs = study.runs()
    labels = [run.label for run in runs]
    assert labels[:2] == ["pixels"] * 2
    # VAE and Ada-GVAE have one network, QLAE has another.
    assert labels[2:6] == ["random weights (burgess)", "random weights (style)"] * 2
    trained = [run for run in runs if run.trained is not None]
    assert [run.seed for run in trained] == [0] * 6 + [1] * 6
    assert {run.trained.dataset for run in trained} == {
        f"xysinglesquare?part=train&size=16&split={kind}" for kind in ("extrapolation", "random")
    }
    assert study.size == "18 runs, 1,080 images, 24 training steps"


def test_the_table_has_both_parts_of_each_factor(finished):
    study, folder = finished
    table = build_table(study, folder)
    assert table["run"].n_unique() == 18
    r2 = table.filter(table["measure"] == "r2")
    assert r2.height == 18 * 2 * 3  # two read-outs, two factors and their mean
    assert set(r2["factor"]) == {"x", "y", "mean"}
    assert np.isfinite(table.select("train", "held_out", "low", "high").to_numpy()).all()
    np.testing.assert_allclose(r2["gap"], r2["train"] - r2["held_out"])
    errors = table.filter(table["measure"] == "squared_error")
    assert errors.height == 16  # all but the pixels
    np.testing.assert_allclose(errors["gap"], errors["held_out"] - errors["train"])


def test_models_are_trained_on_the_training_part_alone(finished):
    study, folder = finished
    run = next(run for run in study.runs() if run.trained is not None)
    config = json.loads((folder / "runs" / run.key / "model/config.json").read_text())
    assert config["dataset"] == "xysinglesquare?part=train&size=16&split=extrapolation"
    result = json.loads((folder / "runs" / run.key / "result.json").read_text())
    assert (result["n_train_images"], result["n_held_out_images"]) == (49, 15)
    assert result["data"]["images"] == 49


def test_the_page_has_both_parts_side_by_side(finished):
    study, folder = finished
    page = write_report(study, folder).read_text(encoding="utf-8")
    assert "xysinglesquare, extrapolation: best on held-out images is " in page
    assert page.count("<h2>xysinglesquare, ") == 2
    assert page.count(">training part</text>") == page.count(">held-out part</text>") == 4
    for label in ("pixels", "random weights (style)", "QLAE", "Ada-GVAE"):
        assert label in page
    assert "Held out: 15 images." in page
    assert "Squared error of a pixel" in page
    assert "runs are finished" not in page


def test_a_finished_study_is_opened_and_does_nothing(finished):
    study, folder = finished
    again = open_study(folder)
    assert [run.key for run in again.runs()] == [run.key for run in study.runs()]
    results = {file: file.stat().st_mtime_ns for file in folder.glob("runs/*/result.json")}
    assert run_study(again, folder, workers=1) == {}
    assert results == {file: file.stat().st_mtime_ns for file in results}


def test_the_shipped_study_is_kept_as_it_is(tmp_path):
    study = load_study("generalise")
    write_study(study, tmp_path)
    kept = open_study(tmp_path)
    assert [run.key for run in kept.runs()] == [run.key for run in study.runs()]
    minutes = {run.trained.training.cpu_minutes for run in study.runs() if run.trained}
    assert minutes == {15}
    decays = {
        run.trained.objective.name: run.trained.training.weight_decay
        for run in study.runs()
        if run.trained
    }
    assert decays["qlae"] > 0 == decays["beta_vae"]  # each with its own defaults


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"splits": []}, "'splits' is empty: at least one value is needed"),
        ({"splits": ["torus"]}, "torus does not name a split and both of its parts: write split="),
        ({"splits": [f"{SPLIT}&part=train"]}, "and no part"),
        (
            {"encoders": [], "models": None},
            "there is nothing to read out: give encoders, or models",
        ),
        ({"models": {**TINY["models"], "steps": None}}, "trained for steps, or for cpu_minutes in"),
        ({"reading": {"readouts": ["tree"]}}, "unknown read-out 'tree'.*did you mean 'trees'"),
        ({"reading": {"row": 30}}, "unknown key 'row' in reading.*did you mean 'rows'"),
    ],
)
def test_what_is_wrong_is_said(change, said):
    with pytest.raises(ValueError, match=said):
        checked_study({**TINY, **change}, "here")
