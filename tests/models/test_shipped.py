"""The models that come with the package: what they hold, and that their cards tell the truth."""

import json
import re

import numpy as np
import pytest
from huggingface_hub import ModelCard

from unweave.datasets import load
from unweave.encoders import load_encoder
from unweave.models import VAE, count_parameters, shipped_models
from unweave.models.pretrained import read_training
from unweave.studies import load_study
from unweave.studies.evaluation import Evaluation, score_model
from unweave.training import load_model

NAMES = sorted(shipped_models())
QUICK = ("mig", "infom")  # metrics that take seconds


def test_there_are_three():
    assert NAMES == ["factor-vae-dsprites", "qlae-dsprites", "qlae-rooms"]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_is_that_of_the_hub_and_small(name):
    folder = shipped_models()[name]
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md", "config.json", "model.safetensors", "training.json",
    ]  # fmt: skip
    assert (folder / "model.safetensors").stat().st_size <= 3e6


@pytest.mark.parametrize("name", NAMES)
def test_every_way_to_name_a_model_loads_it(name, rng):
    model = VAE.from_pretrained(f"pretrained:{name}")
    images = rng.integers(0, 256, (3, *model.image_shape), dtype=np.uint8)
    codes = model.encode(images)
    assert np.isfinite(codes).all()
    np.testing.assert_array_equal(VAE.from_pretrained(shipped_models()[name]).encode(images), codes)
    np.testing.assert_array_equal(load_model(f"pretrained:{name}").encode(images), codes)
    encoder = load_encoder(f"pretrained:{name}")
    np.testing.assert_array_equal(encoder.encode(images), codes)
    assert encoder.card.licence == "Apache-2.0"
    assert encoder.card.parameters_in_all == count_parameters(model)


def test_a_name_that_is_none_lists_those_that_are():
    with pytest.raises(ValueError, match="'qlae-room' .did you mean 'qlae-rooms'.*" + NAMES[0]):
        VAE.from_pretrained("pretrained:qlae-room")


def printed_scores(text):
    """The columns of numbers in a card's table of scores, by metric."""
    rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in text.splitlines() if "[" in line]
    return {row[0]: row[1:] for row in rows if len(row) > 2 and re.match(r"\[-?\d", row[2])}


@pytest.mark.parametrize("name", NAMES)
def test_a_card_has_the_settings_and_scores_of_the_run(name):
    folder = shipped_models()[name]
    record = read_training(folder)
    text = ModelCard.load(folder / "README.md").text
    for word in (f"| dataset | {record['dataset']} |", f"| seed | {record['training']['seed']} |",
                 f"| objective | {record['objective']['name']} |", "CPU minutes used",
                 "unweave study"):  # fmt: skip
        assert word in text
    printed = printed_scores(text)
    assert {"dci_disentanglement", "infom", "mig"} <= set(printed) == set(record["metrics"])
    for metric, cells in printed.items():
        score = record["metrics"][metric]
        assert cells[0] == f"{score['value']:.4f}"
        assert cells[3].startswith(f"{score['mixture']['mean']:.3f} ±")
        assert cells[4].startswith(f"{score['smooth']['mean']:.3f} ±")
        assert cells[5:] == [f"{score['perfect']:.3f}", f"{score['n']:,}"]


def assert_reproduced(name, metrics):
    record = read_training(shipped_models()[name])
    noise = dict.fromkeys(("n_permutations", "n_projections", "n_halves"), 2)
    evaluation = Evaluation(**{**record["evaluation"], **noise, "metrics": metrics})
    model = VAE.from_pretrained(f"pretrained:{name}")
    found = score_model(model, load(record["dataset"]), evaluation)["metrics"]
    assert set(found) == set(metrics)
    for metric in metrics:
        # Codes of another processor differ in their last bits, and few leave their bins.
        assert found[metric]["value"] == pytest.approx(record["metrics"][metric]["value"], abs=0.01)
        assert found[metric]["n"] == record["metrics"][metric]["n"]


@pytest.mark.usefixtures("shared_cache")
@pytest.mark.parametrize("name", NAMES)
def test_the_model_has_the_scores_of_its_card(name):
    assert_reproduced(name, QUICK)


@pytest.mark.slow
@pytest.mark.usefixtures("shared_cache")
@pytest.mark.parametrize("name", NAMES)
def test_the_model_has_all_scores_of_its_card(name):
    assert_reproduced(name, tuple(read_training(shipped_models()[name])["metrics"]))


def test_the_shipped_study_trains_these_models():
    """What moves weights is the same, and there are as many steps."""
    by_name = {(run.objective.name, run.dataset): run for run in load_study("pretrained").runs()}
    assert len(by_name) == len(NAMES)
    for folder in shipped_models().values():
        record = read_training(folder)
        run = by_name[record["objective"]["name"], record["dataset"]].model_dump(mode="json")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        assert run["network"] == config["network"]
        assert run["objective"] == record["objective"]
        assert run["training"]["steps"] == record["steps"]
        watching = {"steps", "cpu_minutes", "milestones", "log_every", "checkpoint_every"}
        ours, theirs = (
            {key: value for key, value in settings.items() if key not in watching}
            for settings in (run["training"], record["training"])
        )
        assert ours == theirs
