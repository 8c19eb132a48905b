"""Studies of images that are not a full grid: with gaps in their factors, or without factors."""

import json

import numpy as np
import pytest

from unweave._storage import write_json
from unweave.datasets import ArrayDataset, DSprites, Factor, ImageTable
from unweave.datasets.selection import scoring_rows
from unweave.metrics import DCI, LABEL_FREE, Noise
from unweave.models import Network, build_vae
from unweave.reports import write_report
from unweave.studies import rank_models, run_study
from unweave.studies.data import data_sentence, describe_data
from unweave.studies.evaluation import Evaluation, score_model
from unweave.studies.levels import factors_by_level
from unweave.studies.loading import validated
from unweave.studies.pictures import pictures
from unweave.studies.scoring import scorable

N = 240
FEW = {"n_permutations": 2, "n_projections": 2, "n_halves": 3}
FACTORS = [
    Factor("place", kind="continuous"),
    Factor("angle", kind="circular"),
    Factor("shape", (0, 1, 2), "categorical", ("cube", "ball", "cone")),
    Factor("camera", (0, 1)),
    Factor("still", (0, 1)),
]


def spots(seed=0):
    """Images (n, 8, 8, 3) of a spot, and where it is."""
    rng = np.random.default_rng(seed)
    across, down, shape = rng.uniform(1, 6, N), rng.uniform(1, 6, N), rng.integers(3, size=N)
    grid = np.arange(8)
    spot = np.exp(
        -((grid - across[:, None, None]) ** 2) - (grid[:, None] - down[:, None, None]) ** 2
    )
    images = np.rint(
        200 * spot[..., None] * (0.4 + 0.6 * (shape[:, None] == np.arange(3)))[:, None, None]
    )
    return images.astype(np.uint8), across, down, shape


@pytest.fixture(scope="module")
def table():
    images, across, down, shape = spots()
    values = np.stack([across, down, shape, np.arange(N) % 2, np.zeros(N)], axis=1)
    values[::4, 0] = np.nan
    return ImageTable(
        ArrayDataset(images, name="spots"), FACTORS, values, nuisances=["camera"], name="spots"
    )


@pytest.fixture(scope="module")
def plain():
    return ArrayDataset(spots()[0], name="spots")


@pytest.fixture(scope="module")
def model():
    return build_vae(Network(width=0.125, n_latents=3), (8, 8, 3), seed=0).eval()


def evaluation(*metrics, rows=10_000):
    return Evaluation(rows=rows, metrics=metrics, **FEW)


def test_labelled_rows_are_scored_each_once(table):
    rows = scoring_rows(table, 10_000, seed=0)
    assert sorted(rows) == [row for row in range(N) if row % 4]
    assert len(scoring_rows(table, 50, seed=0)) == 50
    assert sorted(scoring_rows(ArrayDataset(spots()[0]), 999, seed=0)) == list(range(N))
    drawn = DSprites().sample_indices(100, seed=3)
    assert (scoring_rows(DSprites(), 100, seed=3) == drawn).all()


def test_of_a_table_the_factors_that_vary_are_scored(model, table):
    found = score_model(model, table, evaluation("mig", "sap"))
    assert list(found["metrics"]) == ["mig", "sap"]
    assert list(found["metrics"]["mig"]["per_factor"]) == ["place", "angle", "shape"]
    assert found["metrics"]["sap"]["n"] == 180
    assert found["scores_left_out"] == [
        "factors left out because they do not vary among the images drawn: still"
    ]


def test_without_factors_the_scores_that_need_none_are_computed(model, plain):
    found = score_model(model, plain, evaluation("mig", "latent_mi"))
    assert list(found["metrics"]) == ["latent_mi"]
    assert found["scores_left_out"] == ["mig left out: spots has no factors"]
    found = score_model(model, plain, evaluation("mig", "sap"))
    assert list(found["metrics"]) == list(LABEL_FREE)
    assert found["scores_left_out"] == ["mig, sap left out: spots has no factors"]


def test_what_cannot_be_scored_is_said_and_the_rest_is(table):
    rows = scoring_rows(table, 6, seed=0)
    noise = Noise(2, 2, 3)
    codes = np.random.default_rng(0).normal(size=(6, 1))
    scored = scorable(table, rows, ("linear_r2", "sap", "irs")).score(codes, noise=noise, seed=0)
    assert "sap" not in scored.scores
    assert any("sap left out: codes have 1 latent" in sentence for sentence in scored.left_out)


def test_a_metric_that_does_not_suit_leaves_others_one_computation(table, rng, monkeypatch):
    """Codes that take any value have no discrete InfoMEC; three scores of DCI share their trees."""
    reads, read = [], DCI.read
    monkeypatch.setattr(DCI, "read", lambda metric, sample: reads.append(1) or read(metric, sample))
    rows = scoring_rows(table, 100, seed=0)
    codes = rng.standard_normal((len(rows), 3))
    dci = ("dci_disentanglement", "dci_completeness", "dci_informativeness")
    asked = (*dci, {"name": "infom", "code_kind": "discrete"})
    scored = scorable(table, rows, asked).score(codes, noise=Noise(**FEW), seed=0)
    assert set(scored.scores) == set(dci)
    assert len(reads) == 1 + 2 + 2 * 2 + 3 + 1  # the value, and its noise
    assert "infom left out: latent 0 takes 100 values" in scored.left_out[-1]


def test_factors_that_are_unknown_or_constant_leave_the_others(plain):
    values = np.stack([np.full(N, np.nan), np.arange(N) % 2], axis=1)
    columns = [Factor("unknown", (0, 1)), Factor("known", (0, 1))]
    dataset = ImageTable(plain, columns, values)
    rows = scoring_rows(dataset, N, seed=0)
    found = scorable(dataset, rows, ("mig",))
    assert found.names == ("known",)
    assert found.left_out == (
        "factors left out because not all of their values are known among the images drawn: "
        "unknown",
    )
    found = scorable(ImageTable(plain, columns[:1], values[:, :1]), rows, ("mig",))
    assert found.factors is None
    assert found.left_out[-1] == "mig left out: spots has no factor to score them by"


def test_pictures_of_a_table_have_levels_and_bins_and_no_plane(model, table):
    found = pictures(model, table)
    assert "plane" not in found
    assert found["factor_names"].tolist() == ["place", "angle", "shape", "still"]
    assert found["factor_sizes"].tolist() == [20, 20, 3, 2]
    assert found["factor_ends"][2].tolist() == ["cube", "cone"]
    assert found["means"].shape == (3, 45)
    assert np.isfinite(found["means"][:, :43]).all()  # the second level of `still` has no images


def test_levels_of_factors_are_those_of_known_rows(table):
    rows = np.arange(N)
    values = table.factors(rows)
    codes = np.nan_to_num(values[:, :1])
    found = factors_by_level(codes, table, rows)
    first = found["means"][0, :20]
    assert (np.diff(first) > 0).all()  # bins of the factor itself, in its order
    assert found["deviations"][0, :20].max() < 0.5
    shapes = found["means"][0, 40:43]
    expected = [codes[values[:, 2] == level].mean() for level in range(3)]
    np.testing.assert_allclose(shapes, expected)


def test_very_many_levels_are_cut_into_bins(plain):
    columns = [Factor("time", tuple(range(N))), Factor("name", tuple(range(N)), "categorical")]
    dataset = ImageTable(plain, columns, np.stack([np.arange(N)] * 2, axis=1))
    found = factors_by_level(np.zeros((N, 1)), dataset, np.arange(N))
    assert found["factor_names"].tolist() == ["time"]
    assert found["factor_sizes"].tolist() == [20]


def test_pictures_without_factors(model, plain):
    assert not {"means", "plane", "factor_names"} & set(pictures(model, plain))


def test_what_is_said_of_the_data(table, plain):
    said = data_sentence(describe_data(table))
    assert said.startswith("spots: 240 images of 8 x 8 x 3; with factors: place (continuous), ")
    assert "shape (3 categorical)" in said
    assert said.endswith("not scored: camera; all factors are known of 180 images")
    assert data_sentence(describe_data(plain)) == "spots: 240 images of 8 x 8 x 3; without factors"
    assert "a full grid of factors: shape (3 categorical)" in data_sentence(
        describe_data(DSprites())
    )
    json.dumps(describe_data(table))


def study(dataset, **changes):
    content = {
        "name": "own",
        "title": "Own data",
        "question": "?",
        "dataset": str(dataset),
        "network": {"width": 0.125, "n_latents": 3},
        "training": {"batch_size": 4, "log_every": 2, "accelerator": "cpu"},
        "evaluation": {"metrics": ["mig", "sap"], **FEW},
        "cells": [{"objectives": [{"name": "vae"}], "seeds": [0, 1], "milestones": [2, 4]}],
    }
    return validated({**content, **changes})


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unlabelled")
    np.savez(folder / "own.npz", images=spots()[0])
    chosen = study(folder / "own.npz")
    assert run_study(chosen, folder / "results", workers=1) == {}
    return chosen, folder


def test_a_study_of_unlabelled_images_is_reported_and_ranked(unlabelled):
    chosen, folder = unlabelled
    page = write_report(chosen, folder / "results").read_text(encoding="utf-8")
    assert "own" in page
    assert "240 images of 8 x 8 x 3; without factors" in page
    assert str(folder / "own.npz") in page
    assert "mig, sap left out: own has no factors" in page
    assert "There are no factors to compare the latents with." in page
    assert "random mixture of factors" not in page
    assert "the paper" not in page
    assert rank_models(folder / "results", rows=100, method="spearman").height == 2


def test_runs_on_other_images_under_the_same_name_are_refused(unlabelled, tmp_path):
    _, folder = unlabelled
    np.savez(tmp_path / "own.npz", images=spots()[0])
    first = study(tmp_path / "own.npz", cells=[cells(seeds=[0])])
    assert run_study(first, tmp_path / "results", workers=1) == {}
    np.savez(tmp_path / "own.npz", images=spots(seed=1)[0])
    more = study(tmp_path / "own.npz", cells=[cells(seeds=[0, 1])])
    with pytest.raises(ValueError, match="are not those that the finished run"):
        run_study(more, tmp_path / "results", workers=1)


def cells(**changes):
    return {"objectives": [{"name": "vae"}], "seeds": [0], "milestones": [2], **changes}


def test_a_study_without_any_score_has_no_report(tmp_path):
    np.savez(tmp_path / "own.npz", images=spots()[0])
    chosen = study(tmp_path / "own.npz", network={"width": 0.125, "n_latents": 1}, cells=[cells()])
    assert run_study(chosen, tmp_path / "results", workers=1) == {}
    with pytest.raises(ValueError, match="have no scores, and a report is about scores"):
        write_report(chosen, tmp_path / "results")


def test_an_older_run_gets_the_names_of_its_factors_from_the_dataset(tmp_path):
    from unweave.studies.training_run import TrainingRun

    description = study("torus", cells=[cells()]).runs()[0]
    write_json(tmp_path / "result.json", {})
    np.savez(tmp_path / "pictures.npz", means=np.zeros((3, 48)), kl=np.ones(3))
    found = TrainingRun(description, tmp_path).pictures()
    assert found["factor_names"].tolist() == ["direction", "x", "y"]
    assert found["factor_sizes"].tolist() == [16, 16, 16]
    assert (found["rates"].tolist(), str(found["rate"]), found["reach"]) == ([1, 1, 1], "kl", 3)


def test_names_of_datasets_are_kept_with_whole_paths(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert study("own.npz?size=64").dataset == f"{tmp_path}/own.npz?size=64"
    assert study("dsprites").dataset == "dsprites"
    axes = {"dataset": ["dsprites", "own.npz"]}
    runs = study("dsprites", cells=[cells(axes=axes)]).runs()
    assert {run.dataset for run in runs} == {"dsprites", f"{tmp_path}/own.npz"}


def test_keys_of_runs_of_datasets_with_a_name_stay():
    """They are the names of folders that earlier versions wrote."""
    training = {"batch_size": 4, "log_every": 2, "accelerator": "cpu", "precision": "32-true"}
    described = study("dsprites", cells=[cells()], training=training)
    assert described.runs()[0].key == "21c9da8e5d4dbcd2"
