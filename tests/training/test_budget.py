"""Runs that end when their processor time is used up."""

import json

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from unweave.models import Network, build_vae
from unweave.models.objectives import BetaVAE
from unweave.training import TrainingConfig, load_model, train
from unweave.training.budget import Budget
from unweave.training.checkpoint import recorded_seconds, steps_done
from unweave.training.curves import read_curves
from unweave.training.loop import _check_budget

SHAPE = (16, 16, 1)
NETWORK = Network(width=0.125, n_latents=2)
IMAGES = np.random.default_rng(0).integers(0, 256, (50, *SHAPE), dtype=np.uint8)
BASE = {"batch_size": 4, "log_every": 7, "checkpoint_every": 5, "accelerator": "cpu"}


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    """A processor on which each step takes two seconds."""
    now = 0.0

    def process_time():
        nonlocal now
        now += 1.0
        return 2 * now

    monkeypatch.setattr("unweave.training.budget.time.process_time", process_time)


def run(folder, minutes, *, at_step=None, at_milestone=None, **options):
    model = build_vae(NETWORK, SHAPE, seed=0)
    config = TrainingConfig(**{**BASE, "cpu_minutes": minutes, **options})
    return train(model, BetaVAE(beta=2), IMAGES, config, folder=folder, at_step=at_step,
                 at_milestone=at_milestone)  # fmt: skip


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_a_run_ends_at_the_first_step_at_which_the_budget_is_used_up(tmp_path):
    seen, scored = [], []
    run(tmp_path, 0.35, at_step=seen.append, at_milestone=lambda step, _: scored.append(step))
    assert seen == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]  # seconds: 21 are the budget
    assert scored == [11]
    assert steps_done(tmp_path) == 11
    assert recorded_seconds(tmp_path) == 22.0
    assert read_curves(tmp_path)[-1]["step"] == 11
    assert torch.equal(weights(load_model(tmp_path)), weights(load_model(tmp_path, step=11)))


def test_its_weights_are_those_of_its_number_of_steps(tmp_path):
    by_time = run(tmp_path / "time", 0.35)
    config = TrainingConfig(**BASE, steps=11)
    by_steps = train(build_vae(NETWORK, SHAPE, seed=0), BetaVAE(beta=2), IMAGES, config)
    assert torch.equal(weights(by_time), weights(by_steps))


def test_time_counts_across_resumes(tmp_path):
    def stop(seconds):
        if seconds == 16:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run(tmp_path, 0.35, at_step=stop)
    assert recorded_seconds(tmp_path) == 10.0  # the checkpoint of step 5: the others come again
    resumed = run(tmp_path, 0.35)
    assert steps_done(tmp_path) == 11
    assert torch.equal(weights(resumed), weights(run(None, 0.35)))


def test_a_finished_run_does_no_step_and_continues_for_more_minutes(tmp_path):
    seen = []
    run(tmp_path, 0.2)
    run(tmp_path, 0.2, at_step=seen.append)
    assert not seen
    longer = run(tmp_path, 0.35)
    assert torch.equal(weights(longer), weights(run(None, 0.35)))
    curves = (tmp_path / "curves.csv").read_text()
    run(tmp_path / "once", 0.35)
    assert curves == (tmp_path / "once/curves.csv").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cpu_minutes": 0.1}, "trained for 0.2 CPU minutes already, and 0.1 were asked for"),
        ({"cpu_minutes": None, "steps": 20}, "cpu_minutes is 0.2 there and None here"),
    ],
)
def test_other_budgets_in_the_same_folder_are_refused(tmp_path, options, message):
    run(tmp_path, 0.2)
    config = TrainingConfig(**{**BASE, **options})
    with pytest.raises(ValueError, match=message):
        train(build_vae(NETWORK, SHAPE, seed=0), BetaVAE(beta=2), IMAGES, config, folder=tmp_path)


def test_a_schedule_falls_over_the_time(monkeypatch):
    rates = []
    step = torch.optim.Adam.step

    def spy(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", spy)
    run(None, 0.1, schedule="linear", learning_rate=3e-4)
    assert rates == pytest.approx([3e-4, 2e-4, 1e-4])


def test_a_schedule_is_not_continued_for_more_minutes(tmp_path):
    run(tmp_path, 0.1, schedule="linear")
    with pytest.raises(ValueError, match="falls over its whole budget .schedule linear"):
        run(tmp_path, 0.2, schedule="linear")


def test_shares_and_work():
    steps = Budget(TrainingConfig(steps=4), steps=3)
    assert (steps.share, steps.is_spent, steps.work) == (0.75, False, 3)
    minutes = Budget(TrainingConfig(cpu_minutes=1), cpu_seconds=45.9)
    assert (minutes.share, minutes.is_spent, minutes.work) == (0.765, False, 45)
    assert Budget(TrainingConfig(cpu_minutes=0.5), cpu_seconds=31.0).is_spent
    assert Budget(TrainingConfig(cpu_minutes=0.5)).work == 1  # under way


def test_its_description_has_no_steps(tmp_path):
    config = TrainingConfig(cpu_minutes=15)
    assert config.steps is None
    assert config.all_milestones == ()
    content = json.loads(config.model_dump_json())
    assert content["cpu_minutes"] == 15
    assert TrainingConfig(**content) == config


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cpu_minutes": 1, "steps": 5}, "cpu_minutes and steps are two budgets"),
        ({"cpu_minutes": 1, "milestones": (3,)}, r"milestones \[3\] are steps, and a run of cpu"),
        ({"cpu_minutes": 1, "devices": 2}, "cpu_minutes are those of one process, and 2 devices"),
        ({"cpu_minutes": 0}, "greater than 0"),
    ],
)
def test_budgets_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        TrainingConfig(**options)


def test_time_of_the_processor_is_no_budget_on_a_gpu():
    with pytest.raises(ValueError, match="this run computes on cuda: take the accelerator cpu"):
        _check_budget(TrainingConfig(cpu_minutes=1), torch.device("cuda"))
