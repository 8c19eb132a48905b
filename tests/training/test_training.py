import csv
import json
import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from unweave._storage import write_json
from unweave.datasets import DSprites, Torus
from unweave.datasets.selection import subset
from unweave.models import Network, build_vae, count_parameters
from unweave.models.latents import Gaussian
from unweave.models.objectives import (
    AE,
    OBJECTIVES,
    VAE,
    BetaTCVAE,
    BetaVAE,
    FactorVAE,
    InfoGAN,
    Loss,
)
from unweave.studies import load_study
from unweave.studies.presets import load_preset
from unweave.training import DivergedError, TrainingConfig, load_model, train
from unweave.training.batches import Batches, unpack
from unweave.training.checkpoint import write_run
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


@pytest.mark.parametrize("objective", [FactorVAE(discriminator_units=32), InfoGAN()])
def test_a_killed_run_with_an_adversary_ends_as_the_uninterrupted_one(tmp_path, objective):
    whole = run(tmp_path / "whole", objective=objective)
    with pytest.raises(KilledError):
        run(tmp_path / "killed", objective=objective, at_step=kill_at(22))
    checkpoint = tmp_path / "killed/checkpoints/step-00000015"
    assert (checkpoint / "adversary.safetensors").exists()
    resumed = run(tmp_path / "killed", objective=objective)
    assert torch.equal(weights(whole), weights(resumed))
    kept = {p.name for p in (tmp_path / "killed/checkpoints/step-00000025").iterdir()}
    assert kept == {"model.safetensors", "state.json"}


def test_fewer_images_are_those_that_the_seed_draws():
    class Recorded(Torus):
        def stored(self, indices):
            seen.update(np.asarray(indices).tolist())
            return super().stored(indices)

    for seed in (0, 5):
        seen = set()
        config = CONFIG.model_copy(update={"n_images": 20, "seed": seed})
        train(build_vae(NETWORK, (32, 32, 1), seed=0), VAE(), Recorded(), config)
        assert seen == set(subset(Torus(), 20, seed=seed).rows.tolist())


def test_what_an_objective_records_is_in_the_curves(tmp_path):
    run(tmp_path, objective=FactorVAE(discriminator_units=32))
    rows = read_curves(tmp_path)
    assert all(0 < row["discriminator_loss"] < 2 for row in rows)
    for row in rows:
        expected = row["reconstruction"] + row["kl"] + 35 * row["total_correlation"]
        assert row["loss"] == pytest.approx(expected, rel=1e-4)


def test_the_discriminator_learns(tmp_path):
    """Its cross-entropy falls below that of guessing where the model's codes are dependent."""
    config = CONFIG.model_copy(update={"steps": 400, "milestones": (), "batch_size": 32})
    objective = FactorVAE(gamma=0, discriminator_units=64, discriminator_learning_rate=1e-3)
    run(tmp_path, config=config, objective=objective)
    last = np.mean([row["discriminator_loss"] for row in read_curves(tmp_path)[-5:]])
    assert last < math.log(2) - 0.005


@pytest.mark.slow
def test_info_gan_learns_codes_that_can_be_read_off_its_images(tmp_path):
    config = CONFIG.model_copy(
        update={"steps": 600, "milestones": (), "batch_size": 32, "learning_rate": 1e-3}
    )
    run(tmp_path, config=config, objective=InfoGAN())
    rows = read_curves(tmp_path)
    assert rows[-1]["information"] > rows[0]["information"] + 2  # nats, of three codes
    assert all(math.isfinite(row["critic_loss"]) for row in rows)


def test_a_folder_for_the_hub_is_a_model_too(tmp_path):
    trained = model()
    trained.save_pretrained(tmp_path)
    assert torch.equal(weights(load_model(tmp_path)), weights(trained))


def test_a_model_from_elsewhere_becomes_a_run(tmp_path):
    write_run(model(), tmp_path / "run", {"imported": {"source": "elsewhere"}})
    assert torch.equal(weights(load_model(tmp_path / "run")), weights(model()))
    with pytest.raises(ValueError, match="is not empty"):
        write_run(model(), tmp_path / "run", {})


def test_a_damaged_checkpoint_is_refused(tmp_path):
    write_run(model(), tmp_path, {})
    (tmp_path / "checkpoints/step-00000000/model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="is damaged .its SHA-256 is not that in state.json"):
        load_model(tmp_path)


def test_a_model_of_another_version_is_refused(tmp_path):
    write_run(model(), tmp_path, {})
    (tmp_path / "checkpoints/step-00000000/state.json").write_text('{"format": 2, "step": 0}')
    with pytest.raises(ValueError, match="checkpoint format 2, this version reads 1"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("shape", "objective", "options", "message"),
    [
        ((32, 32, 1), VAE(), {}, "is for images of 32 x 32 x 1, and the data has 64 x 64 x 1"),
        ((64, 64, 3), VAE(), {}, "is for images of 64 x 64 x 3"),
        ((64, 64, 1), BetaTCVAE(), {"batch_size": 1}, "at least 2, not 1"),
        ((64, 64, 1), BetaTCVAE(), {"devices": 2}, "devices share the batch"),
    ],
)
def test_what_does_not_go_together_is_refused(shape, objective, options, message):
    other = build_vae(NETWORK, shape, seed=0)
    with pytest.raises(ValueError, match=message):
        train(other, objective, DSprites(), CONFIG.model_copy(update=options))


def test_noise_that_nothing_would_draw_is_refused():
    other = build_vae(Network(width=0.125, n_latents=3, n_noise=1), (64, 64, 1), seed=0)
    with pytest.raises(ValueError, match="set n_noise to 0"):
        train(other, VAE(), DSprites(), CONFIG)


def test_the_preset_is_that_of_tables_2_and_3_of_locatello_et_al():
    preset, study = load_preset("locatello"), load_study("locatello-dsprites")
    tried = {
        "beta_vae": [1, 2, 4, 6, 8, 16],
        "annealed_vae": [5, 10, 25, 50, 75, 100],
        "factor_vae": [10, 20, 30, 40, 50, 100],
        "dip_vae_i": [1, 2, 5, 10, 20, 50],
        "dip_vae_ii": [1, 2, 5, 10, 20, 50],
        "beta_tc_vae": [1, 2, 4, 6, 8, 10],
    }
    wanted = [(name, value) for name, values in tried.items() for value in values]
    assert [(one.name, one.strength) for one in preset.objectives] == wanted
    fixed = {
        "annealed_vae": {"gamma": 1000, "annealing_steps": 100_000},
        "dip_vae_i": {"diagonal_factor": 10},
        "dip_vae_ii": {"diagonal_factor": 1},
        "beta_tc_vae": {"estimator": "weighted"},
    }
    for one in preset.objectives:
        for option, value in fixed.get(one.name, {}).items():
            assert getattr(one, option) == value
    assert preset.network == "locatello"
    assert preset.training == {"steps": 300_000, "batch_size": 64, "learning_rate": 1e-4}
    assert len(study.runs()) == 36 * 50


@pytest.mark.parametrize("images", [1, 50])
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(images):
    """All start from the same weights; with one image the rows of all batches are the same too."""
    data = np.full((images, 64, 64, 1), 255, dtype=np.uint8)
    data[:, :20] = 0
    config = CONFIG.model_copy(update={"steps": 3, "milestones": ()})
    first, second, other, far = (
        weights(train(model(), VAE(), data, config.model_copy(update={"seed": s})))
        for s in (1, 1, 2, 2**24 + 1)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert not torch.equal(first, far)


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
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
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


def test_a_weight_that_is_not_finite_stops_training_though_the_loss_is(tmp_path):
    """The log variance has no part in an autoencoder's loss."""
    vae = model()

    def spoil(step):
        if step == 31:
            with torch.no_grad():
                vae.encoder[-1].bias[-1] = math.nan

    with pytest.raises(DivergedError, match="diverged: a weight was not finite by step 40.*00030"):
        train(vae, AE(), DSprites(), CONFIG, folder=tmp_path, at_step=spoil)


def test_a_folder_without_state_is_no_checkpoint(tmp_path):
    write_run(model(), tmp_path, {})
    (tmp_path / "checkpoints/step-00000000/state.json").unlink()
    with pytest.raises(ValueError, match="is not a checkpoint: it has no state.json"):
        load_model(tmp_path)


def test_a_device_that_is_not_there_is_named():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ValueError, match="accelerator cuda: torch finds no CUDA device"):
        run(config=CONFIG.model_copy(update={"accelerator": "cuda"}))


def test_loggers_that_the_environment_misspells_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_LOGGERS", "tensorbord")
    with pytest.raises(ValueError, match="UNWEAVE_LOGGERS names an unknown logger 'tensorbord'"):
        run(tmp_path)


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


@pytest.mark.parametrize("name", OBJECTIVES)
def test_what_an_adversary_costs_is_counted(name):
    without_penalty = {"hessian_weight": 0} if name == "tripod" else {}
    objective = OBJECTIVES[name](name=name, **without_penalty)
    network = objective.default_network(**NETWORK.model_dump(exclude={"latent_space"}))
    plain_network = network.model_copy(update={"latent_space": Gaussian()})
    plain_model, model = (build_vae(n, (64, 64, 1), seed=0) for n in (plain_network, network))
    plain = step_flops(plain_model, VAE(), batch_size=8)
    own = step_flops(model, objective, batch_size=8)
    discriminator = 2 * (3 * 1000 + 5 * 1000**2 + 1000)  # of one code, forward
    if name == "factor_vae":
        # Forward and back to the codes; then forward and back for codes and permuted codes.
        assert own - plain == pytest.approx(8 * discriminator * (2 + 2 * 3), rel=0.02)
    elif name == "info_gan":
        assert own > 2 * plain
    else:
        assert own == pytest.approx(plain, rel=0.02)


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
