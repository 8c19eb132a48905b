"""Optimisers, clipping and schedules of training."""

import json
import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from unweave.models import Network, build_vae
from unweave.models.objectives import BetaVAE, FactorVAE
from unweave.training import Member, TrainingConfig, train, train_ensemble
from unweave.training.isometric import train_isometric
from unweave.training.optimizers import (
    build_optimizer,
    learning_rate_factor,
    parameter_groups,
    spared_parameters,
)

SHAPE = (16, 16, 1)
NETWORK = Network(width=0.125, n_latents=2)
IMAGES = np.random.default_rng(0).integers(0, 256, (50, *SHAPE), dtype=np.uint8)
BASE = {"batch_size": 4, "log_every": 7, "checkpoint_every": 5, "accelerator": "cpu"}
ADAMW = {"optimizer": "adamw", "weight_decay": 0.1}


def run(steps, folder=None, objective=None, **options):
    model = build_vae(NETWORK, SHAPE, seed=0)
    config = TrainingConfig(**{**BASE, "steps": steps, **options})
    return train(model, objective or BetaVAE(beta=2), IMAGES, config, folder=folder)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


class Quantised(nn.Module):
    """With a codebook of two dimensions, as a latent space has it."""

    no_decay = ("codebook",)

    def __init__(self):
        super().__init__()
        self.codebook = nn.Parameter(torch.ones(3, 4))
        self.matrix = nn.Linear(4, 2)


def test_weight_decay_spares_biases_norms_and_what_a_module_names():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.InstanceNorm2d(4, affine=True), Quantised())
    assert spared_parameters(network) == {
        "0.bias", "1.weight", "1.bias", "2.codebook", "2.matrix.bias",
    }  # fmt: skip


def test_a_step_without_a_gradient_shrinks_matrices_alone():
    network = Quantised()
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    parameters = dict(network.named_parameters())
    config = TrainingConfig(learning_rate=0.5, **ADAMW)
    optimizer = build_optimizer(parameters, spared_parameters(network), config)
    for p in parameters.values():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    for name, p in parameters.items():
        factor = 1 - 0.5 * 0.1 if name == "matrix.weight" else 1
        assert torch.allclose(p, factor * before[name], rtol=1e-6), name


def test_groups_that_are_empty_are_left_out():
    vectors = {"a": torch.zeros(3)}
    assert [g["weight_decay"] for g in parameter_groups(vectors, {"a"}, 0.1)] == [0.0]
    assert [g["weight_decay"] for g in parameter_groups(vectors, (), 0.1)] == [0.1]


def test_betas_of_the_configuration_win_over_those_of_the_objective():
    parameters = {"a": torch.zeros(3)}
    given = build_optimizer(parameters, (), TrainingConfig(betas=(0.5, 0.6)), (0.0, 0.9))
    left = build_optimizer(parameters, (), TrainingConfig(), (0.0, 0.9))
    assert given.defaults["betas"] == (0.5, 0.6)
    assert left.defaults["betas"] == (0.0, 0.9)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [("constant", [1, 1, 1]), ("linear", [1, 0.5, 0]), ("cosine", [1, 0.5, 0])],
)
def test_schedules_at_the_ends_and_in_the_middle(schedule, expected):
    found = [learning_rate_factor(schedule, share=share) for share in (0, 0.5, 1)]
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_cosine_at_a_third_and_a_warm_up():
    assert learning_rate_factor("cosine", share=1 / 3) == pytest.approx(0.75)
    found = [
        learning_rate_factor("constant", share=0, step=step, warm_up_steps=4) for step in range(6)
    ]
    assert found == [0.25, 0.5, 0.75, 1, 1, 1]


def test_a_warm_up_multiplies_the_schedule():
    factor = learning_rate_factor("linear", share=0.25, step=1, warm_up_steps=4)
    assert factor == pytest.approx(0.5 * 0.75)


def test_one_step_of_adam_with_a_schedule_is_as_long_as_its_factor():
    """The first step of Adam is the learning rate times the sign of the gradient."""
    start = weights(build_vae(NETWORK, SHAPE, seed=0))
    whole = (weights(run(1)) - start).abs().max()
    quarter = (weights(run(1, warm_up_steps=4)) - start).abs().max()
    assert quarter / whole == pytest.approx(0.25, rel=1e-3)


def test_clipped_entries_are_of_one_size():
    """A bound below every entry leaves signs, up to exact zeros; Adam sees the bound."""
    start = build_vae(NETWORK, SHAPE, seed=0)
    model = run(1, gradient_clip=1e-9, learning_rate=1e-3)
    # |g| = 1e-9 beside Adam's epsilon of 1e-8: a step of 1 / 11 of the rate.
    sizes = (weights(model) - weights(start)).abs()
    assert sizes.max() == pytest.approx(1e-3 / 11, rel=1e-2)


def test_a_norm_is_clipped_to_the_bound(monkeypatch):
    seen = []
    step = torch.optim.Adam.step

    def spy(self, *args, **kwargs):
        grads = [p.grad for group in self.param_groups for p in group["params"]]
        seen.append(torch.cat([g.flatten() for g in grads]).norm().item())
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", spy)
    run(2, gradient_clip_norm=0.5)
    assert seen == pytest.approx([0.5, 0.5], rel=1e-4)


def test_the_adversary_keeps_its_own_optimiser(monkeypatch):
    built = []
    for name in ("Adam", "AdamW"):
        original = getattr(torch.optim, name)

        def record(*args, original=original, name=name, **kwargs):
            built.append((name, kwargs["lr"], kwargs["betas"]))
            return original(*args, **kwargs)

        monkeypatch.setattr(torch.optim, name, record)
    run(1, objective=FactorVAE(discriminator_units=8), schedule="cosine", **ADAMW)
    assert built == [("AdamW", 5e-4, (0.9, 0.999)), ("Adam", 1e-4, (0.5, 0.9))]


@pytest.mark.parametrize(
    "options",
    [ADAMW, {**ADAMW, "gradient_clip": 1.0, "warm_up_steps": 9}, {"schedule": "linear"}],
)
def test_a_run_that_was_cut_off_resumes_to_the_same_bits(tmp_path, options):
    once = run(13, **options)

    def stop(step):
        if step == 8:
            raise InterruptedError

    config = TrainingConfig(**{**BASE, "steps": 13, **options})
    with pytest.raises(InterruptedError):
        train(build_vae(NETWORK, SHAPE, seed=0), BetaVAE(beta=2), IMAGES, config,
              folder=tmp_path, at_step=stop)  # fmt: skip
    assert torch.equal(weights(once), weights(run(13, tmp_path, **options)))


def test_moments_of_parameter_groups_are_resumed(tmp_path):
    once = run(13, **ADAMW)
    run(5, tmp_path, **ADAMW)
    assert torch.equal(weights(once), weights(run(13, tmp_path, **ADAMW)))


def test_a_schedule_is_not_continued_for_more_steps(tmp_path):
    run(5, tmp_path, schedule="cosine")
    with pytest.raises(ValueError, match="falls over its whole budget .schedule cosine"):
        run(8, tmp_path, schedule="cosine")
    run(5, tmp_path, schedule="cosine")


def test_another_optimiser_is_another_run(tmp_path):
    run(5, tmp_path)
    with pytest.raises(ValueError, match="training.optimizer is 'adam' there and 'adamw' here"):
        run(8, tmp_path, **ADAMW)


def test_what_is_not_set_is_not_in_the_description():
    names = TrainingConfig(steps=5).model_dump().keys()
    assert names == {
        "batch_size", "learning_rate", "log_every", "checkpoint_every", "accelerator",
        "precision", "steps", "milestones", "seed", "devices",
    }  # fmt: skip
    full = TrainingConfig(steps=5, **ADAMW, betas=(0, 0.9), schedule="linear", warm_up_steps=2)
    assert TrainingConfig(**json.loads(full.model_dump_json())) == full


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_decay": 0.1}, "weight_decay 0.1 needs the optimizer adamw, not adam"),
        ({"betas": (0.9, 1.0)}, "less than 1"),
        ({"gradient_clip": 0}, "greater than 0"),
        ({"schedule": "step"}, "'constant', 'linear' or 'cosine'"),
        ({"warm_up_steps": -1}, "greater than or equal to 0"),
        ({"steps": None}, "steps are None: give a number of steps"),
    ],
)
def test_nonsense_is_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        TrainingConfig(**options)


def test_a_member_of_an_ensemble_is_trained_as_alone():
    config = TrainingConfig(
        **BASE, steps=4, **ADAMW, gradient_clip=0.1, schedule="cosine", warm_up_steps=2
    )
    members = [Member(BetaVAE(beta=2), seed) for seed in (0, 1)]
    together = train_ensemble(NETWORK, members, IMAGES, config, together=True)
    for member, model in zip(members, together, strict=True):
        own = config.model_copy(update={"seed": member.seed})
        alone = train(build_vae(NETWORK, SHAPE, seed=member.seed), member.objective, IMAGES, own)
        assert torch.allclose(weights(model), weights(alone), atol=2e-5)


@pytest.mark.parametrize(
    "options",
    [{"cpu_minutes": 1.0}, {"gradient_clip_norm": 1.0}, {"precision": "bf16-mixed"}],
)
def test_an_ensemble_trained_together_refuses_what_members_cannot_share(options):
    config = TrainingConfig(**BASE, **options)
    with pytest.raises(ValueError, match=f"and cannot have {next(iter(options))}"):
        train_ensemble(NETWORK, [Member(BetaVAE(), 0)], IMAGES, config, together=True)


def test_the_encoder_that_keeps_lengths_has_an_optimiser_of_its_own():
    clips = np.zeros((2, 2, 8, 8, 1), dtype=np.uint8)
    config = TrainingConfig(steps=2, **ADAMW)
    with pytest.raises(ValueError, match="has Adam with a cosine schedule .* leave out optimizer"):
        train_isometric(NETWORK, clips, config, spacing=1.0)


def test_the_schedule_of_a_run_is_that_of_its_steps(monkeypatch):
    rates = []
    step = torch.optim.Adam.step

    def spy(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", spy)
    run(4, schedule="cosine", learning_rate=1e-3)
    assert rates == pytest.approx([5e-4 * (1 + math.cos(math.pi * i / 4)) for i in range(4)])
