"""Runs that continue for more steps, and files of runs that are damaged."""

import json
import shutil

import numpy as np
import pytest
import torch

from unweave.models import Network, build_vae
from unweave.models.objectives import BetaVAE, FactorVAE
from unweave.training import TrainingConfig, load_model, train
from unweave.training.curves import read_curves
from unweave.training.isometric import train_isometric

SHAPE = (16, 16, 1)
NETWORK = Network(width=0.125, n_latents=2)
IMAGES = np.random.default_rng(0).integers(0, 256, (50, *SHAPE), dtype=np.uint8)
BASE = {"batch_size": 4, "log_every": 7, "checkpoint_every": 5, "accelerator": "cpu"}


def run(folder, steps, objective=None, **options):
    model = build_vae(NETWORK, SHAPE, seed=0)
    config = TrainingConfig(**{**BASE, "steps": steps, **options})
    return train(model, objective or BetaVAE(beta=2), IMAGES, config, folder=folder)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def checkpoint(folder, step):
    return folder / f"checkpoints/step-{step:08d}"


def steps_kept(folder):
    return sorted(int(p.name[5:]) for p in (folder / "checkpoints").iterdir())


@pytest.mark.parametrize("first", [1, 5, 7, 12, 13, 21])
@pytest.mark.parametrize("milestones", [(), (3,)])
def test_a_finished_run_continues_as_if_it_had_been_asked_for_more_steps(
    tmp_path, first, milestones
):
    """Ends that are a milestone, a checkpoint, a point of the curve, or none of them."""
    once = run(tmp_path / "once", 24, milestones=milestones if first > 3 else ())
    run(tmp_path / "twice", first, milestones=milestones if first > 3 else ())
    twice = run(tmp_path / "twice", 24, milestones=milestones if first > 3 else ())
    assert torch.equal(weights(once), weights(twice))
    curves = [(tmp_path / name / "curves.csv").read_text() for name in ("once", "twice")]
    assert curves[0] == curves[1]
    description = [
        json.loads((tmp_path / n / "config.json").read_text()) for n in ("once", "twice")
    ]
    assert description[0] == description[1]


def test_a_run_continues_again_and_again(tmp_path):
    once = run(tmp_path / "once", 13, FactorVAE(discriminator_units=8))
    for steps in (2, 4, 6, 6, 11, 13):
        often = run(tmp_path / "often", steps, FactorVAE(discriminator_units=8))
    assert torch.equal(weights(once), weights(often))
    assert read_curves(tmp_path / "once") == read_curves(tmp_path / "often")


def test_a_milestone_may_be_set_where_a_run_ended(tmp_path):
    run(tmp_path / "once", 20, milestones=(12,))
    run(tmp_path / "twice", 12)
    run(tmp_path / "twice", 20, milestones=(12,))
    assert read_curves(tmp_path / "once") == read_curves(tmp_path / "twice")
    assert torch.equal(
        weights(load_model(tmp_path / "once", step=12)),
        weights(load_model(tmp_path / "twice", step=12)),
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 11}, "was trained for 12 steps already, and 11 were asked for"),
        ({"seed": 3}, "training.seed is 0 there and 3 here"),
        (
            {"learning_rate": 0.1, "batch_size": 8},
            "batch_size is 4 .*learning_rate is 0.0005 there",
        ),
        ({"objective": BetaVAE(beta=3)}, "objective.beta is 2.0 there and 3.0 here"),
        ({"objective": FactorVAE()}, "objective.name is 'beta_vae' there and 'factor_vae' here"),
        ({"milestones": (4,)}, r"milestones up to step 12 are \[\] there and \[4\] here"),
    ],
)
def test_another_run_in_the_same_folder_is_refused(tmp_path, options, message):
    run(tmp_path, 12)
    before = (tmp_path / "config.json").read_text()
    with pytest.raises(ValueError, match=message):
        run(tmp_path, **{"steps": 20, **options})
    assert (tmp_path / "config.json").read_text() == before


def test_a_run_of_which_nothing_was_kept_is_no_other_run(tmp_path):
    def stop(step):
        raise InterruptedError

    config = TrainingConfig(**{**BASE, "steps": 5})
    with pytest.raises(InterruptedError):
        train(build_vae(NETWORK, SHAPE, seed=0), BetaVAE(), IMAGES, config,
              folder=tmp_path, at_step=stop)  # fmt: skip
    run(tmp_path, 5, seed=4)
    assert json.loads((tmp_path / "config.json").read_text())["training"]["seed"] == 4


def test_a_run_of_older_random_numbers_is_not_continued(tmp_path):
    run(tmp_path, 5)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["revision"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="begun by another version of unweave"):
        run(tmp_path, 10)


def test_a_folder_of_another_program_is_left_alone(tmp_path):
    (tmp_path / "config.json").write_text('{"architectures": ["x"]}')
    with pytest.raises(ValueError, match="was not written by unweave"):
        run(tmp_path, 5)


def test_what_differs_is_named_before_the_steps_are_counted(tmp_path):
    run(tmp_path, 12)
    with pytest.raises(
        ValueError, match="seed is 0 there and 3 here; give the settings of that run"
    ):
        run(tmp_path, 5, seed=3)


def test_checkpoints_without_a_description_are_not_used(tmp_path):
    run(tmp_path, 12)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["objective"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="does not say which run the checkpoints beside it are"):
        run(tmp_path, 20)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ValueError, match="has checkpoints, and no config.json that says of which"):
        run(tmp_path, 20)
    assert steps_kept(tmp_path) == [10, 12]


@pytest.mark.parametrize("options", [{"seed": 3}, {"objective": BetaVAE(beta=3)}])
def test_checkpoints_of_another_run_are_not_used(tmp_path, options):
    run(tmp_path / "own", 12)
    run(tmp_path / "other", 12, **options)
    (tmp_path / "other/config.json").write_bytes((tmp_path / "own/config.json").read_bytes())
    with pytest.raises(ValueError, match="step-00000012 is of another run than .*config.json"):
        run(tmp_path / "other", 20)
    with pytest.raises(ValueError, match="restore the one that belongs there, or train in another"):
        load_model(tmp_path / "other")


def test_a_checkpoint_of_another_run_is_passed_over_for_one_of_this(tmp_path, longer):
    run(tmp_path / "own", 12)
    run(tmp_path / "other", 12, seed=3)
    shutil.rmtree(checkpoint(tmp_path / "own", 12))
    shutil.copytree(checkpoint(tmp_path / "other", 12), checkpoint(tmp_path / "own", 12))
    with pytest.warns(RuntimeWarning, match="of another run .*resumed from .* step 10"):
        model = run(tmp_path / "own", 20)
    assert torch.equal(weights(model), longer[0])


def test_checkpoints_of_earlier_versions_are_resumed_from(tmp_path, finished, longer):
    """They have neither a checksum nor the name of their run."""
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    for file in folder.glob("checkpoints/*/state.json"):
        state = json.loads(file.read_text())
        del state["run"], state["files"], state["checksum"]
        file.write_text(json.dumps(state))
    assert torch.equal(weights(run(folder, 20)), longer[0])
    assert "checksum" in (checkpoint(folder, 20) / "state.json").read_text()


def cut(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def flip(file):
    content = bytearray(file.read_bytes())
    content[9] ^= 0xFF
    file.write_bytes(bytes(content))


DAMAGE = {
    "truncated": cut,
    "empty": lambda file: file.write_bytes(b""),
    "zeros": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "flipped": flip,
    "one bit": lambda file: file.write_bytes(
        file.read_bytes()[:-1] + bytes([file.read_bytes()[-1] ^ 1])
    ),
    "removed": lambda file: file.unlink(),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    run(folder, 12)
    return folder


@pytest.fixture(scope="module")
def longer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("longer") / "run"
    return weights(run(folder, 20)), read_curves(folder)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.safetensors", "state.json"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    tmp_path, finished, longer, damage, file
):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    DAMAGE[damage](checkpoint(folder, 12) / file)
    with pytest.warns(RuntimeWarning, match="resumed from the checkpoint of step 10"):
        model = run(folder, 20)
    assert torch.equal(weights(model), longer[0])
    assert read_curves(folder) == longer[1]
    assert torch.equal(weights(run(folder, 20)), longer[0])  # and now nothing is damaged


def test_the_same_step_is_written_again_over_a_damaged_one(tmp_path, finished):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    cut(checkpoint(folder, 12) / "optimizer.safetensors")
    with pytest.warns(RuntimeWarning, match="optimizer.safetensors is damaged"):
        run(folder, 12)
    for part in ("model", "optimizer"):
        name = f"{part}.safetensors"
        assert (checkpoint(folder, 12) / name).read_bytes() == (
            checkpoint(finished, 12) / name
        ).read_bytes()


def test_if_no_checkpoint_can_be_read_training_starts_from_the_beginning(
    tmp_path, finished, longer
):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    for step in (10, 12):
        cut(checkpoint(folder, step) / "optimizer.safetensors")
    with pytest.warns(RuntimeWarning, match="training starts from the beginning"):
        model = run(folder, 20)
    assert torch.equal(weights(model), longer[0])
    assert read_curves(folder) == longer[1]


def test_the_checkpoint_before_the_last_one_is_kept_whole_and_no_more(tmp_path):
    run(tmp_path, 33, milestones=(10,))
    assert steps_kept(tmp_path) == [10, 30, 33]
    whole = [s for s in steps_kept(tmp_path)
             if (checkpoint(tmp_path, s) / "optimizer.safetensors").exists()]  # fmt: skip
    assert whole == [30, 33]
    with pytest.raises(FileNotFoundError, match=r"no checkpoint of step 30; it has \[10, 33\]"):
        load_model(tmp_path, step=30)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_model_is_loaded_from_the_checkpoint_before_a_damaged_one(tmp_path, finished, damage):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    expected = weights(run(tmp_path / "shorter", 10))
    DAMAGE[damage](checkpoint(folder, 12) / "model.safetensors")
    with pytest.warns(RuntimeWarning, match="the model of step 10 was loaded"):
        found = load_model(folder)
    assert torch.equal(weights(found), expected)
    with pytest.raises((ValueError, FileNotFoundError), match="model.safetensors"):
        load_model(folder, step=12)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "config.json is empty"),
        ('{"network": {"na', "config.json is damaged"),
        ("[1, 2]", "config.json holds a JSON list"),
        ("\x00" * 40, "config.json is damaged"),
        ('{"architectures": []}', "config.json does not describe a model .* no network"),
        (
            '{"network": {"nome": 1}, "image_shape": [16, 16, 1]}',
            "does not describe a model of this",
        ),
        ('{"network": 3, "image_shape": [16, 16, 1]}', r"config.json is damaged \(network: input "),
        ('{"network": {}, "image_shape": "abc"}', r"config.json is damaged \(image_shape: input "),
        (
            '{"network": {"n_latents": 1000000000}, "image_shape": [16, 16, 1]}',
            r"of this version \(n_latents: input should be less than or equal to 65536\)",
        ),
        (
            '{"network": {"n_latents": 65536}, "image_shape": [16, 16, 1]}',
            "it has more latents than there are weights in",
        ),
        ("[" * 100_000, "config.json is damaged"),
    ],
)
def test_a_config_that_is_none_is_named(tmp_path, finished, content, message):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    (folder / "config.json").write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_model(folder)
    assert str(folder / "config.json") in str(caught.value)
    if "architectures" not in content and "network" not in content or content[-1:] != "}":
        with pytest.raises(ValueError, match="config.json"):
            run(folder, 20)


def test_a_damaged_curve_is_named(tmp_path, finished):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    (folder / "curves.csv").write_text("step,loss\nseven,x\n")
    with pytest.raises(ValueError, match=r"curves.csv is damaged"):
        run(folder, 20)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot write into .*file.*\(it is a file\)"):
        run(tmp_path / "file", 5)


def test_a_full_disk_is_told_and_leaves_no_half_checkpoint(tmp_path, monkeypatch):
    from safetensors import SafetensorError

    from unweave.training import checkpoint as module

    def full(tensors, path):
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    run(tmp_path, 5)
    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(OSError, match="cannot write the checkpoint of step 10 .*No space left"):
        run(tmp_path, 10)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["step-00000005"]


def test_an_isometric_run_of_other_steps_is_another_run(tmp_path):
    """Its learning rate falls over all of them."""
    films = IMAGES[:48].reshape(12, 4, *SHAPE)

    def train_for(steps):
        config = TrainingConfig(**{**BASE, "steps": steps})
        return train_isometric(NETWORK, films, config, spacing=0.1, folder=str(tmp_path))

    first = train_for(6)
    assert torch.equal(weights(first), weights(train_for(6)))
    with pytest.raises(ValueError, match="training.steps is 6 there and 9 here"):
        train_for(9)
