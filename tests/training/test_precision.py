"""The choice between float32 and bfloat16, by the time that steps take."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from unweave.datasets import as_image_dataset
from unweave.models import Network, build_vae
from unweave.models.objectives import BetaVAE, FactorVAE, InfoGAN
from unweave.training import TrainingConfig, precision, train
from unweave.training.checkpoint import recorded_precision
from unweave.training.precision import FLOAT32, MIXED, choose_precision, has_bfloat16

SHAPE = (16, 16, 1)
NETWORK = Network(width=0.125, n_latents=2)
IMAGES = np.random.default_rng(0).integers(0, 256, (50, *SHAPE), dtype=np.uint8)
BASE = {"batch_size": 4, "log_every": 7, "checkpoint_every": 5, "accelerator": "cpu"}


def model():
    return build_vae(NETWORK, SHAPE, seed=0)


def weights(trained):
    return torch.cat([p.detach().flatten() for p in trained.parameters()])


def run(folder, steps, **options):
    config = TrainingConfig(**{**BASE, "steps": steps, **options})
    return train(model(), BetaVAE(beta=2), IMAGES, config, folder=folder)


def chosen(objective=None, folder=None, **options):
    config = TrainingConfig(**{**BASE, **options})
    dataset = as_image_dataset(IMAGES)
    return choose_precision(model(), objective or BetaVAE(), dataset, config, folder)


@pytest.fixture
def timed(monkeypatch):
    """Replaces the trial by seconds and losses, on a processor with bfloat16; counts trials."""
    trials = []

    def replace(float32, mixed, losses=(1.0, 1.0)):
        def try_both(*_):
            trials.append(1)
            return {FLOAT32: float32, MIXED: mixed}, dict(
                zip((FLOAT32, MIXED), losses, strict=True)
            )

        monkeypatch.setattr(precision, "_try_both", try_both)
        monkeypatch.setattr(precision, "_processor_flags", lambda: {"amx_bf16"})
        monkeypatch.setattr(precision, "_FEWEST_STEPS", 2)
        return trials

    return replace


@pytest.mark.parametrize(
    ("float32", "mixed", "expected"),
    [(0.08, 0.04, MIXED), (0.08, 0.4, FLOAT32), (0.08, 0.079, FLOAT32), (0.08, np.inf, FLOAT32)],
)
def test_the_faster_one_is_taken_if_it_is_worth_it(timed, float32, mixed, expected):
    timed(float32, mixed)
    assert chosen() == expected


@pytest.mark.parametrize("losses", [(1.0, np.nan), (1.0, 1.2)])
def test_a_loss_that_does_not_agree_is_not_worth_any_speed(timed, losses):
    timed(0.08, 0.01, losses)
    assert chosen() == FLOAT32


def test_no_trial_where_it_cannot_pay(timed, monkeypatch):
    trials = timed(0.08, 0.01)
    assert chosen(precision="64-true") == "64-true"
    assert chosen(InfoGAN()) == FLOAT32
    assert chosen(steps=1) == FLOAT32
    assert chosen(cpu_minutes=0.1) == FLOAT32
    assert chosen(devices=2) == FLOAT32
    monkeypatch.setattr(precision, "_processor_flags", set)
    assert chosen() == FLOAT32
    assert not trials


def test_the_choice_is_recorded_and_kept(timed, tmp_path):
    trials = timed(0.08, 0.01)
    mixed = run(tmp_path, 6)
    assert recorded_precision(tmp_path) == MIXED
    assert json.loads((tmp_path / "config.json").read_text())["training"]["precision"] == "auto"
    timed(0.01, 0.08)
    longer = run(tmp_path, 9)
    assert len(trials) == 1
    assert recorded_precision(tmp_path) == MIXED
    stated = [run(None, steps, precision=MIXED) for steps in (6, 9)]
    assert torch.equal(weights(mixed), weights(stated[0]))
    assert torch.equal(weights(longer), weights(stated[1]))
    assert not torch.equal(weights(longer), weights(run(None, 9, precision=FLOAT32)))


def test_a_run_of_an_earlier_version_stays_in_its_float32(timed, tmp_path):
    trials = timed(0.08, 0.01)
    run(tmp_path, 6, precision=FLOAT32)
    for state in tmp_path.glob("checkpoints/*/state.json"):
        content = json.loads(state.read_text())
        del content["precision"], content["cpu_seconds"], content["checksum"]
        state.write_text(json.dumps(content))
    longer = run(tmp_path, 9)
    assert not trials
    assert torch.equal(weights(longer), weights(run(None, 9, precision=FLOAT32)))


@pytest.mark.parametrize("objective", [BetaVAE(), FactorVAE(discriminator_units=8)])
def test_a_trial_leaves_the_model_and_torchs_generator_alone(objective):
    own = model()
    before, state = weights(own).clone(), torch.get_rng_state()
    config = TrainingConfig(**BASE)
    seconds, losses = precision._try_both(own, objective, as_image_dataset(IMAGES), config)
    assert torch.equal(before, weights(own))
    assert torch.equal(state, torch.get_rng_state())
    assert all(p.grad is None for p in own.parameters())
    assert 0 < seconds[FLOAT32] < 60
    assert losses[MIXED] == pytest.approx(losses[FLOAT32], rel=0.02)


def test_an_operation_without_bfloat16_is_slower_than_any_other(monkeypatch):
    def trial(*args):
        def step():
            if args[-1] == MIXED:
                raise RuntimeError("not implemented for 'BFloat16'")
            return 1.0, 2.0

        return step

    monkeypatch.setattr(precision, "_trial", trial)
    seconds, losses = precision._try_both(model(), BetaVAE(), None, TrainingConfig())
    assert seconds == {FLOAT32: 1.0, MIXED: np.inf}
    assert np.isnan(losses[MIXED])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model name: x\nflags : fpu amx_bf16 sse\n", True),
        ("flags : fpu sse\n", False),
        ("", False),
    ],
)
def test_processors_say_what_they_can(monkeypatch, text, expected):
    monkeypatch.setattr(Path, "read_text", lambda self, **_: text)
    assert has_bfloat16(torch.device("cpu")) == expected


def test_elsewhere_than_on_linux_no_processor_is_tried(monkeypatch):
    def missing(self, **_):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert not has_bfloat16(torch.device("cpu"))
    assert not has_bfloat16(torch.device("mps"))


def test_gpus_say_what_they_can(monkeypatch):
    asked = []
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: asked.append(1) or True
    )
    assert has_bfloat16(torch.device("cuda"))
    assert asked


def test_a_precision_that_lightning_does_not_know_is_named():
    with pytest.raises(ValueError, match="precision 31-true: "):
        run(None, 2, precision="31-true")
