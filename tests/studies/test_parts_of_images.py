"""Scores of training images beside those of images that were not trained on."""

import numpy as np
import pytest
from pydantic import ValidationError

from unweave.datasets import ArrayDataset, load
from unweave.datasets.selection import rows_of, subset
from unweave.metrics import evaluate
from unweave.metrics.catalogue import title
from unweave.models import Network
from unweave.models.objectives import VAE
from unweave.studies.evaluation import Evaluation, part_of
from unweave.studies.training_run import TrainingDescription, TrainingRun
from unweave.training import TrainingConfig, load_model

N_IMAGES = 300


def described(images=("all", "training", "unseen"), **training):
    return TrainingDescription(
        dataset="torus",
        network=Network(width=0.125, n_latents=3),
        objective=VAE(),
        training=TrainingConfig(steps=3, batch_size=8, precision="32-true", seed=2, **training),
        evaluation=Evaluation(
            rows=150,
            seed=1,
            metrics=("mig", {"name": "mig", "n_bins": 7}),
            n_permutations=3,
            n_projections=3,
            n_halves=3,
            images=images,
        ),
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    found = TrainingRun(described(n_images=N_IMAGES), tmp_path_factory.mktemp("run"))
    found.execute()
    return found


def test_each_part_is_scored_on_its_own_images(run):
    dataset = load("torus")
    milestone = run.result()["milestones"]["3"]
    assert list(milestone["metrics"]) == [
        "mig", "mig(n_bins=7)",
        "mig(images=training)", "mig(n_bins=7, images=training)",
        "mig(images=unseen)", "mig(n_bins=7, images=unseen)",
    ]  # fmt: skip
    seen = subset(dataset, N_IMAGES, seed=2).rows
    unseen = np.setdiff1d(np.arange(len(dataset)), seen)
    model = load_model(run.folder)
    for part, rows in (("training", seen), ("unseen", unseen)):
        own = rows_of(dataset, seen, part)
        assert len(own) == len(rows)
        drawn = own.rows[own.sample_indices(150, seed=1)]
        assert set(drawn) <= set(rows)
        images = dataset.images(drawn)
        codes = model.encode(images)
        (by_hand,) = evaluate(codes, dataset.factors(drawn), metrics=["mig"], noise=None).values()
        assert milestone["metrics"][f"mig(images={part})"]["value"] == pytest.approx(by_hand.value)
        pixels = (model.decode(codes) / 255.0 - images / 255.0) ** 2
        assert milestone["squared_error"][part] == pytest.approx(pixels.mean())
    assert len(milestone["kl_per_latent"]) == 3


def test_the_table_names_the_parts(run):
    rows = list(run.rows())
    errors = run.result()["milestones"]["3"]["squared_error"]
    assert {part_of(row["metric"]) for row in rows} == {"all", "training", "unseen"}
    assert all(row["squared_error"] == errors[part_of(row["metric"])] for row in rows)
    assert title("mig(n_bins=7, images=unseen)") == "MIG (n_bins=7, images=unseen)"


def test_without_unseen_images_a_sentence_says_so(tmp_path):
    run = TrainingRun(described(), tmp_path)
    run.execute()
    milestone = run.result()["milestones"]["3"]
    assert milestone["scores_left_out"] == [
        "scores of unseen images left out: all images are training images"
    ]
    metrics = milestone["metrics"]
    assert not any("unseen" in key for key in metrics)
    assert metrics["mig(images=training)"]["value"] == metrics["mig"]["value"]


def test_a_run_without_any_score_still_has_rates(tmp_path):
    run = TrainingRun(described(("unseen",)), tmp_path)
    run.execute()
    milestone = run.result()["milestones"]["3"]
    assert milestone["metrics"] == milestone["squared_error"] == {}
    assert len(milestone["kl_per_latent"]) == 3
    assert list(run.rows()) == []


def test_images_without_factors_have_parts_too():
    data = ArrayDataset(np.zeros((20, 8, 8, 1), np.uint8))
    seen = np.array([3, 5])
    assert rows_of(data, seen, "all") is data
    assert rows_of(data, None, "training") is data
    assert list(rows_of(data, seen, "training").rows) == [3, 5]
    assert set(rows_of(data, seen, "unseen").rows) == set(range(20)) - {3, 5}
    assert rows_of(data, np.arange(20), "unseen") is None


@pytest.mark.parametrize("images", [(), ("all", "all"), ("some",)])
def test_wrong_parts_are_refused(images):
    with pytest.raises(ValidationError, match="images"):
        Evaluation(images=images)


def test_the_default_is_not_part_of_a_description():
    assert "images" not in Evaluation().model_dump()
