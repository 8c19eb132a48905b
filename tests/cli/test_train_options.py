"""`unweave train`: optimiser, schedule, budget and precision, and the settings of objectives."""

import json

import numpy as np
import pytest

from unweave.models import Network
from unweave.models.objectives import BetaVAE
from unweave.training import TrainingConfig

WORDS = ["--dataset", "torus", "--width", 0.125, "--latents", 2, "--batch-size", 4]


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    """What is scored is not what is tested here."""
    import unweave.studies.loading  # noqa: F401 - takes the class before it is replaced
    from unweave.studies.evaluation import Evaluation

    fields = {"rows": 100, "n_permutations": 2, "n_projections": 2, "n_halves": 2}
    monkeypatch.setattr("unweave.studies.evaluation.Evaluation", lambda: Evaluation(**fields))


@pytest.fixture
def train(cli, tmp_path):
    def call(*words):
        code, out, err = cli("train", "beta_vae", *words, "--out", tmp_path / "run")
        file = tmp_path / "run/config.json"
        return code, out + err, json.loads(file.read_text()) if file.exists() else {}

    return call


def test_options_reach_the_configuration(train):
    code, text, config = train(
        *WORDS, "--steps", 3, "--optimizer", "adamw", "--weight-decay", 0.1, "--betas", "0.9,0.99",
        "--gradient-clip", 1, "--gradient-clip-norm", 10, "--schedule", "cosine",
        "--warm-up-steps", 2, "--precision", "bf16-mixed", "--milestones", 2,
    )  # fmt: skip
    assert code == 0, text
    assert "beta_vae: 3 steps, bf16-mixed, seed 0" in text
    own = config["training"]
    assert (own["optimizer"], own["weight_decay"], own["betas"]) == ("adamw", 0.1, [0.9, 0.99])
    assert (own["gradient_clip"], own["gradient_clip_norm"]) == (1, 10)
    assert (own["schedule"], own["warm_up_steps"]) == ("cosine", 2)
    assert (own["precision"], own["milestones"]) == ("bf16-mixed", [2])


def test_every_setting_is_an_option_with_its_docstring_as_help(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "4000")
    code, out, _ = cli("train", "--help")
    assert code == 0
    fields = {**Network.model_fields, **TrainingConfig.model_fields}
    named = {"name": "network", "n_latents": "latents", "n_noise": "noise"}
    without = {"n_images", "log_every", "checkpoint_every", "devices"}
    for name in fields.keys() - without:
        assert f"--{named.get(name, name).replace('_', '-')} " in out
    said = " ".join(out.replace("│", " ").split())  # whatever the width is
    assert "over all devices together, drawn with replacement; by default 64" in said
    assert "Which" not in out
    assert "``" not in out


def test_a_run_by_processor_time_says_its_steps(train, tmp_path):
    code, text, config = train(*WORDS, "--cpu-minutes", 0.002)
    assert code == 0, text
    assert config["training"]["steps"] is None
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert f"beta_vae: {result['steps']:,} steps, 0.00" in text
    assert "CPU minutes, seed 0" in text
    assert (tmp_path / "run/codes.npz").exists()
    code, text, _ = train(*WORDS, "--cpu-minutes", 0.002)
    assert code == 0, text
    code, text, _ = train(*WORDS, "--cpu-minutes", 0.001)
    assert code == 2
    assert "CPU minutes already, and 0.001 were asked for" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--steps", 5, "--cpu-minutes", 1), "--steps and --cpu-minutes are two budgets"),
        (("--cpu-minutes", 0), "--cpu-minutes: Input should be greater than 0"),
        (("--cpu-minutes", 1, "--milestones", 3), "--milestones [3] are steps, and a run of cpu"),
        (("--weight-decay", 0.1), "--weight-decay 0.1 needs the optimizer adamw, not adam"),
        (("--betas", "0.9,1.5"), "--betas: Input should be less than 1"),
        (("--betas", "0.9"), "--betas"),
        (("--matrix-size", 65), "--matrix-size: a number of at most 64 is needed"),
        (("--warm-up-steps", -1), "--warm-up-steps: a number of at least 0 is needed"),
        (("--schedule", "step"), "--schedule"),
        (("--precision", "float8"), "--precision"),
        (("--gradient-clip", "nan"), "--gradient-clip"),
    ],
)
def test_nonsense_is_refused_by_the_option(train, words, message):
    code, text, _ = train(*words)
    assert code == 2
    assert message in text
    assert "Traceback" not in text


@pytest.fixture
def plain(tmp_path, monkeypatch, rng):
    """Images without factors, in two sizes, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name, sides in (("plain", (32, 32)), ("odd", (36, 32))):
        np.savez(f"{name}.npz", images=rng.integers(0, 256, (60, *sides, 3), dtype=np.uint8))


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("ada_gvae plain.npz", "plain has no factors: use a full grid, as rooms or dsprites, or "
         "an objective that needs no pairs: annealed_vae, ae,"),
        ("qlae plain.npz --n-values 257", "--n-values: a number of at most 256 is needed"),
        ("beta_tc_vae plain.npz --groups 2,2", "groups of 2, 2 are 4 latents, and the model has "
         "10: give sizes that sum to 10"),
        ("vae plain.npz --latent-space quantised", "vae trains gaussian latents, and those of the "
         "network are quantised: set latent_space to gaussian"),
        ("qlae odd.npz", "the style network needs images whose sides are multiples of 8, not "
         "36 x 32: resize them to 32 x 32 (?size=32x32"),
    ],
)  # fmt: skip
def test_what_an_objective_cannot_train_is_answered_by_what_it_can(cli, words, message):
    objective, dataset, *options = words.split()
    code, _, err = cli("train", objective, "--dataset", dataset, "--steps", 2, *options)
    assert code == 2
    assert message in err


@pytest.mark.usefixtures("plain")
def test_a_run_does_not_resume_with_another_latent_space(cli):
    words = ("--dataset", "plain.npz", "--steps", 2, "--width", 0.125, "--out", "run")
    assert cli("train", "ae", *words)[0] == 0
    code, _, err = cli("train", "qlae", *words)
    assert code == 2
    assert "network.latent_space.name is 'gaussian' there and 'quantised' here" in err
    code, _, err = cli("train", "tripod", *words)
    assert code == 2
    assert "network.latent_space.name is 'gaussian' there and 'grid' here" in err


def test_settings_of_the_objective_hold_where_nothing_is_given(train, cli, monkeypatch):
    defaults = {
        "network": {"decoder": "spatial_broadcast", "n_latents": 5},
        "training": {"optimizer": "adamw", "weight_decay": 0.1, "steps": 4, "batch_size": 3},
    }
    monkeypatch.setattr(BetaVAE, "defaults", defaults)
    code, text, config = train("--dataset", "torus", "--width", 0.125, "--latents", 2,
                               "--decoder", "mirrored")  # fmt: skip
    assert code == 0, text
    assert (config["network"]["n_latents"], config["network"]["decoder"]) == (2, "mirrored")
    assert (config["training"]["weight_decay"], config["training"]["steps"]) == (0.1, 4)
    assert config["training"]["batch_size"] == 3
    code, out, _ = cli("objectives")
    assert code == 0
    for words in ("--decoder spatial_broadcast", "--latents 5", "--weight-decay 0.1"):
        assert words in " ".join(out.split()) or words.split()[0] in out


def test_objectives_without_settings_have_no_column_for_them(cli, monkeypatch):
    from unweave.models.objectives import OBJECTIVES

    for objective in OBJECTIVES.values():
        monkeypatch.setattr(objective, "defaults", {})
    code, out, _ = cli("objectives")
    assert code == 0
    assert "network and training" not in out
