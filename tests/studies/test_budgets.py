"""Studies whose runs end by processor time, and objectives with settings of their own."""

import json

import polars as pl
import pytest

from unweave._settings import over_defaults
from unweave.models import Network
from unweave.models.objectives import OBJECTIVES, BetaVAE
from unweave.reports import write_report
from unweave.statistics.budgets import with_common_steps
from unweave.statistics.variance import explained_variance
from unweave.studies import build_table, load_study, open_study, run_study
from unweave.studies.folder import write_study
from unweave.studies.plan import plan
from unweave.training import TrainingConfig

STUDY = """
name = "minutes"
title = "Minutes"
question = "What do they learn in equal time?"
dataset = "torus"

[network]
width = 0.125
n_latents = 3

[training]
batch_size = 4
accelerator = "cpu"
{training}

[evaluation]
rows = 100
metrics = ["mig"]
n_permutations = 2
n_projections = 2
n_halves = 2

[[cells]]
objectives = [{{ name = "vae" }}, {{ name = "beta_vae", beta = 4 }}]
seeds = [0, 1]
{cells}
"""
DEFAULTS = {
    "network": {"name": "resnet", "width": 0.5, "n_latents": 7},
    "training": {"optimizer": "adamw", "weight_decay": 0.1, "steps": 60, "batch_size": 5},
}


@pytest.fixture
def study(tmp_path):
    def load(training="", cells=""):
        file = tmp_path / "minutes.toml"
        file.write_text(STUDY.format(training=training, cells=cells))
        return load_study(file)

    return load


@pytest.fixture
def _defaults(monkeypatch):
    monkeypatch.setattr(BetaVAE, "defaults", DEFAULTS)


def test_a_study_of_equal_processor_time_ends_in_a_table_and_a_page(study, tmp_path):
    found = study("cpu_minutes = 0.002")
    assert found.size == "4 runs, 0.008 CPU minutes of training"
    folder = tmp_path / "out"
    assert not run_study(found, folder, workers=1)
    table = build_table(open_study(folder), folder)
    assert table["cpu_minutes"].to_list() == [0.002] * 4
    assert set(table["precision"]) == {"32-true"}
    for run in (folder / "runs").iterdir():
        result = json.loads((run / "result.json").read_text())
        assert list(result["milestones"]) == [str(result["steps"])]
        assert result["cpu_seconds"] >= 60 * 0.002
        assert result["description"]["training"]["steps"] is None
    page = write_report(found, folder).read_text()
    assert "0.002 CPU minutes of training, which are" in page


def test_runs_of_a_budget_are_compared_at_their_median_of_steps():
    table = pl.DataFrame(
        {
            "cpu_minutes": [1.0, 1.0, 1.0, None],
            "step": [10, 20, 60, 5],
            "flops": [1e3, 2e3, 6e3, 500.0],
        }
    )
    found = with_common_steps(table)
    assert found["step"].to_list() == [20, 20, 20, 5]
    assert found["flops"].to_list() == [2e3, 2e3, 2e3, 500.0]


def test_seeds_of_a_budget_have_a_share_of_the_variance():
    rows = [
        {
            "metric": "mig", "dataset": "torus", "objective": objective, "strength": None,
            "learning_rate": 1e-3, "batch_size": 4, "n_latents": 2, "optimizer": "adam",
            "weight_decay": 0.0, "gradient_clip": None, "schedule": "constant", "n_images": 9,
            "network": "burgess", "width": 1.0, "depth": 1, "cpu_minutes": 1.0, "seed": seed,
            "step": 100 + 10 * seed + offset, "flops": 1.0, "value": value + 0.01 * seed,
        }
        for objective, value, offset in [("vae", 0.1, 0), ("ae", 0.5, 3)]
        for seed in range(3)
    ]  # fmt: skip
    shares = {s.source: s.share for s in explained_variance(pl.DataFrame(rows))}
    assert shares["objective"] > 0.99
    assert 0 < shares["seed"] < 0.01


def test_a_budget_is_part_of_the_key(study):
    keys = [{r.key for r in study(f"cpu_minutes = {m}").runs()} for m in (1, 2)]
    keys.append({r.key for r in study(cells="milestones = [20]").runs()})
    assert len(set.union(*keys)) == 12


def test_minutes_may_be_an_axis(study):
    runs = study(cells='axes = { "training.cpu_minutes" = [1, 2.5] }').runs()
    assert sorted(r.training.cpu_minutes for r in runs) == [1, 1, 1, 1, 2.5, 2.5, 2.5, 2.5]
    assert [r.work for r in runs[:4]] == [60, 60, 150, 150]


def test_the_optimiser_may_be_an_axis(study):
    axes = '{ "training.weight_decay" = [0.1, 0.2], "training.schedule" = ["constant", "cosine"] }'
    runs = study('optimizer = "adamw"', f"milestones = [20]\naxes = {axes}").runs()
    assert len({run.key for run in runs}) == 16
    assert {run.training.weight_decay for run in runs} == {0.1, 0.2}


def test_a_plan_takes_the_hours_of_the_budget(study):
    found = plan(study("cpu_minutes = 3"), workers=1)
    assert found.training_hours == pytest.approx(4 * 3 / 60, rel=0.05)
    assert found.n_steps > 400
    assert found.n_scores == 4


@pytest.mark.parametrize(
    ("training", "cells", "message"),
    [
        ("cpu_minutes = 1", "milestones = [5]",
         "minutes.toml: cells.0 have milestones, which are steps, and cpu_minutes"),
        ("", "", "cells.0 do not say when training ends: give milestones .steps., or cpu_minutes"),
        ("cpu_minutes = 0", "", "'cpu_minutes' in training: input should be greater than 0"),
        ("weight_decay = 0.1", "milestones = [5]", "weight_decay 0.1 needs the optimizer adamw"),
        ("cpu_minuets = 1", "milestones = [5]", "did you mean 'cpu_minutes'"),
    ],
)  # fmt: skip
def test_budgets_that_do_not_go_together_are_refused(study, training, cells, message):
    with pytest.raises(ValueError, match=message):
        study(training, cells)


@pytest.mark.usefixtures("_defaults")
def test_cells_take_the_settings_of_their_objectives_where_none_are_given(study):
    runs = study('precision = "32-true"', "milestones = [20]").runs()
    of = {run.objective.name: run for run in runs}
    beta_vae, vae = of["beta_vae"], of["vae"]
    assert beta_vae.network == Network(name="resnet", width=0.125, n_latents=3)
    assert beta_vae.training == TrainingConfig(
        optimizer="adamw", weight_decay=0.1, batch_size=4, accelerator="cpu", steps=20,
        milestones=(20,), precision="32-true", seed=1,
    )  # fmt: skip
    assert vae.network == Network(width=0.125, n_latents=3)
    assert vae.training.optimizer == "adam"


@pytest.mark.usefixtures("_defaults")
def test_axes_win_over_the_settings_of_objectives(study):
    cells = 'axes = { "network.name" = ["burgess"], "training.cpu_minutes" = [1] }'
    run = study(cells=cells).runs()[-1]
    assert run.objective.name == "beta_vae"
    assert run.network.name == "burgess"
    assert (run.training.cpu_minutes, run.training.steps) == (1, None)


@pytest.mark.usefixtures("_defaults")
def test_a_study_is_the_same_when_it_is_opened_again(study, tmp_path):
    found = study(cells="milestones = [20]")
    write_study(found, tmp_path)
    again = open_study(tmp_path)
    assert [run.key for run in again.runs()] == [run.key for run in found.runs()]


def test_a_study_without_such_objectives_is_kept_in_full(study):
    kept = study(cells="milestones = [20]").model_dump(mode="json")
    assert kept["network"] == Network(width=0.125, n_latents=3).model_dump(mode="json")
    assert kept["training"]["precision"] == "auto"


@pytest.mark.usefixtures("_defaults")
def test_python_has_the_settings_of_an_objective_too():
    assert BetaVAE().default_network(width=2) == Network(name="resnet", width=2, n_latents=7)
    config = TrainingConfig.for_objective(BetaVAE(), seed=3)
    assert config == TrainingConfig(
        optimizer="adamw", weight_decay=0.1, steps=60, batch_size=5, seed=3
    )


@pytest.mark.parametrize(
    ("given", "defaults", "expected"),
    [
        ({"cpu_minutes": 2}, {"steps": 5, "milestones": (3,)}, {"cpu_minutes": 2}),
        ({"steps": 5}, {"cpu_minutes": 2}, {"steps": 5}),
        ({"optimizer": "adam"}, {"optimizer": "adamw", "weight_decay": 1}, {"optimizer": "adam"}),
        ({}, {"weight_decay": 1}, {"weight_decay": 1}),
    ],
)
def test_defaults_that_make_no_sense_beside_what_is_given_are_dropped(given, defaults, expected):
    assert over_defaults(given, defaults) == expected


def test_parts_are_filled_key_by_key_unless_they_are_of_another_name():
    from unweave._settings import filled

    defaults = {"space": {"name": "grid", "n": 5}, "width": 1}
    assert filled({"space": {"n": 3}}, defaults) == {"space": {"name": "grid", "n": 3}, "width": 1}
    assert filled({"space": {"name": "plain"}}, defaults)["space"] == {"name": "plain"}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_settings_of_each_objective_are_valid(name):
    objective = OBJECTIVES[name]()
    network, training = objective.default_network(), TrainingConfig.for_objective(objective)
    assert network.latent_space.name in objective.latent_spaces
    for part, found in (("network", network), ("training", training)):
        dumped = found.model_dump(mode="json")
        for field, value in objective.defaults.get(part, {}).items():
            value = list(value) if isinstance(value, tuple) else value  # as JSON has it
            wanted = value if isinstance(value, dict) else {"": value}
            given = dumped[field] if isinstance(value, dict) else {"": dumped[field]}
            assert {key: given[key] for key in wanted} == wanted, field
