import csv
import json
import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from unweave.datasets import DSprites
from unweave.models import Network, build_vae, count_parameters
from unweave.models.objectives import AE, VAE, BetaVAE, Loss
from unweave.training import DivergedError, TrainingConfig, load_model, train
from unweave.training.batches import Batches, unpack
from unweave.training.checkpoint import write_json
from unweave.training.compute import step_flops
from unweave.training.curves import read_curves

NETWORK = Network(width=0.125, n_latents=3)
CONFIG = TrainingConfig(
    steps=40, milestones=(25,), batch_size=8, log_every=10, checkpoint_every=15, accelerator="cpu"
)


def model():
    return build_vae(NETWORK, (64, 64, 1), seed=0)


def run(folder=None, config=CONFIG, objective=None, **hooks):
    objective = objective or BetaVAE(beta=2)
    return train(model(), objective, DSprites(), config, folder=folder, **hooks)


def weights(trained):
    return torch.cat([p.detach().flatten() for p in trained.parameters()])


class KilledError(Exception):
    pass


def kill_at(step):
    def at_step(done):
        if done == step:
            raise KilledError

    return at_step


@pytest.mark.parametrize("killed_at", [15, 22, 27, 39])
def test_a_killed_run_ends_as_the_uninterrupted_one(tmp_path, killed_at):
    whole = run(tmp_path / "whole")
    with pytest.raises(KilledError):
        run(tmp_path / "killed", at_step=kill_at(killed_at))
    resumed = run(tmp_path / "killed")
    assert torch.equal(weights(whole), weights(resumed))
    assert (tmp_path / "whole/curves.csv").read_text() == (
        tmp_path / "killed/curves.csv"
    ).read_text()


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    first, second, other = (
        weights(run(config=CONFIG.model_copy(update={"seed": s}))) for s in (1, 1, 2)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_training_lowers_the_loss():
    losses = []
    config = CONFIG.model_copy(update={"steps": 250, "milestones": ()})
    trained = run(config=config, objective=VAE())
    batches = Batches(
        DSprites(), VAE(), batch_size=64, n_inputs=3, seed=99, device=torch.device("cpu")
    )
    for m in (model(), trained):
        with torch.no_grad():
            losses.append(VAE()(m, batches[0]).loss.item())
    assert losses[1] < 0.4 * losses[0]


def test_milestones_are_seen_and_kept(tmp_path):
    seen = []
    trained = run(tmp_path, at_milestone=lambda step, m: seen.append((step, m.training)))
    assert seen == [(25, False), (40, False)]
    write_json(
        tmp_path / "config.json",
        {"network": NETWORK.model_dump(mode="json"), "image_shape": [64, 64, 1]},
    )
    assert torch.equal(weights(load_model(tmp_path)), weights(trained))
    assert not torch.equal(weights(load_model(tmp_path, step=25)), weights(trained))
    with pytest.raises(FileNotFoundError, match=r"no checkpoint of step 30; it has \[25, 40\]"):
        load_model(tmp_path, step=30)


def test_curves_hold_the_terms_and_tensorboard_reads_them(tmp_path):
    run(tmp_path)
    rows = read_curves(tmp_path)
    assert [r["step"] for r in rows] == [10, 15, 20, 25, 30, 40]
    for row in rows:
        assert row["kl"] == pytest.approx(sum(row[f"kl_{j}"] for j in range(3)))
        assert row["loss"] == pytest.approx(row["reconstruction"] + 2 * row["kl"], rel=1e-5)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    scalars = events.Scalars("terms/reconstruction")
    assert [e.step for e in scalars] == [r["step"] for r in rows]
    assert scalars[0].value == pytest.approx(rows[0]["reconstruction"], rel=1e-6)


def test_a_line_that_was_cut_off_is_dropped(tmp_path):
    run(tmp_path)
    path = tmp_path / "curves.csv"
    path.write_text(path.read_text() + "41,12.")
    assert read_curves(tmp_path)[-1]["step"] == 40
    with open(path, newline="") as file:
        assert len(list(csv.reader(file))) == 8


def test_a_diverged_run_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    class Exploding(VAE):
        def loss(self, seen):
            return Loss(seen.reconstruction * (math.nan if seen.batch.step >= 33 else 1.0))

    with pytest.raises(DivergedError, match="lower the learning rate.*step-00000030"):
        run(tmp_path, objective=Exploding())
    assert [p.name for p in sorted((tmp_path / "checkpoints").iterdir())] == [
        "step-00000025",
        "step-00000030",
    ]


def test_a_checkpoint_of_another_version_is_refused(tmp_path):
    with pytest.raises(KilledError):
        run(tmp_path, at_step=kill_at(20))
    state = tmp_path / "checkpoints/step-00000015/state.json"
    state.write_text(json.dumps({"format": 99, "step": 15}))
    with pytest.raises(ValueError, match="checkpoint format 99, this version reads 1"):
        run(tmp_path)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    with pytest.raises(KilledError):
        run(tmp_path, at_step=kill_at(20))
    other = build_vae(Network(width=0.25, n_latents=3), (64, 64, 1), seed=0)
    with pytest.raises(ValueError, match="belongs to another network"):
        train(other, VAE(), DSprites(), CONFIG, folder=tmp_path)


def test_batches_are_the_datasets_images(rng):
    dataset = DSprites()
    rows = rng.integers(0, len(dataset), 20)
    unpacked = unpack(torch.from_numpy(dataset.stored(rows)), dataset).numpy()
    expected = dataset.images(rows).transpose(0, 3, 1, 2) / np.float32(255)
    np.testing.assert_array_equal(unpacked, expected)


def test_two_ranks_share_the_batch_and_the_noise_of_one():
    def batches(rank, world_size):
        return Batches(
            DSprites(), VAE(), batch_size=8, n_inputs=3, seed=0, device=torch.device("cpu"),
            rank=rank, world_size=world_size,
        )  # fmt: skip

    whole, halves = batches(0, 1), [batches(r, 2) for r in range(2)]
    for of in ("images", "noise", "prior"):
        shares = [getattr(half[5], of) for half in halves]
        assert torch.equal(getattr(whole[5], of), torch.cat(shares))
    assert not torch.equal(whole[5].noise, whole[6].noise)
    assert not torch.equal(whole[5].noise, whole[5].prior)


def test_flops_are_those_counted_by_hand():
    vae = build_vae(Network(), (64, 64, 1), seed=0)
    forward = 2 * (
        32 * 32 * 16 * 32 + (16 * 16 + 8 * 8 + 4 * 4) * 16 * 32 * 32  # encoder's convolutions
        + 512 * 256 + 256 * 256 + 256 * 20
        + 10 * 256 + 256 * 256 + 256 * 512
        + (4 * 4 + 8 * 8 + 16 * 16) * 16 * 32 * 32 + 32 * 32 * 16 * 32
    )  # fmt: skip
    # Backward costs twice the forward pass, but for the gradient at the images, which none needs.
    expected = 64 * (3 * forward - 2 * 32 * 32 * 16 * 32)
    ours = step_flops(vae, VAE(), batch_size=64)
    assert ours == pytest.approx(expected, rel=1e-3)
    assert count_parameters(vae) == 502_005


def test_the_counter_leaves_no_gradient():
    vae = model()
    step_flops(vae, AE(), batch_size=2)
    assert all(p.grad is None for p in vae.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "greater than or equal to 1"),
        ({"steps": 10, "milestones": (11,)}, r"milestones \[11\] are not within the 10 steps"),
        ({"batch_size": 9, "devices": 2}, "cannot be shared by 2 devices evenly"),
        ({"learning_rate": math.nan}, "finite number"),
    ],
)
def test_a_senseless_configuration_is_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        TrainingConfig(**options)
