"""`unweave train`: runs that continue, and what it refuses."""

import json
import os
import warnings

import pytest
import torch

WORDS = ["--dataset", "torus", "--width", 0.125, "--latents", 2, "--batch-size", 4]


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    """What is scored is not what is tested here."""
    from unweave.studies.evaluation import Evaluation

    fields = {"rows": 100, "n_permutations": 2, "n_projections": 2, "n_halves": 2}
    monkeypatch.setattr("unweave.studies.evaluation.Evaluation", lambda: Evaluation(**fields))


@pytest.fixture
def train(cli, tmp_path):
    def call(*words, objective="beta_vae", out="run"):
        return cli("train", objective, *WORDS, *words, "--out", tmp_path / out)

    return call


def test_a_finished_run_continues_for_more_steps(train, tmp_path):
    for steps in (5, 8):
        code, out, err = train("--steps", steps)
        assert code == 0, err
        assert f"{steps} steps" in out
    code, _, err = train("--steps", 8, out="once")
    assert code == 0, err
    files = ["curves.csv", "config.json", "result.json", "codes.npz", "pictures.npz"]
    for name in [*files, "checkpoints/step-00000008/model.safetensors",
                 "checkpoints/step-00000008/optimizer.safetensors"]:  # fmt: skip
        once, twice = ((tmp_path / folder / name).read_bytes() for folder in ("once", "run"))
        assert once == twice, name
    code, out, _ = train("--steps", 8)
    assert code == 0
    assert "8 steps" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--steps", 3), "was trained for 5 steps already, and 3 were asked for"),
        (("--steps", 8, "--beta", 7, "--seed", 3),
         "holds another finished run: objective.beta is 4.0 there and 7.0 here; training.seed is 0 "
         "there and 3 here"),
        (("--steps", 5, "--seed", 3), "training.seed is 0 there and 3 here"),
        (("--steps", 9, "--milestones", 2), "milestones up to step 5 are [] there and [2] here"),
    ],
)  # fmt: skip
def test_another_run_is_refused_by_what_differs(train, words, message):
    assert train("--steps", 5)[0] == 0
    code, _, err = train(*words)
    assert code == 2
    assert message in err
    assert train("--steps", 5)[0] == 0  # the finished run is as it was


@pytest.mark.parametrize("name", ["config.json", "result.json"])
@pytest.mark.parametrize("content", ["", '{"descr', "[]"])
def test_a_damaged_description_is_named(train, tmp_path, name, content):
    assert train("--steps", 5)[0] == 0
    (tmp_path / "run" / name).write_text(content)
    code, _, err = train("--steps", 8)
    assert code == 2
    assert f"run/{name}" in err


def test_without_its_damaged_result_a_run_is_finished_again(train, tmp_path):
    assert train("--steps", 5)[0] == 0
    result = tmp_path / "run/result.json"
    before = result.read_text()
    result.write_text("")
    code, _, err = train("--steps", 5)
    assert code == 2
    assert "result.json is empty: remove it and start the run again" in err
    result.unlink()
    assert train("--steps", 5)[0] == 0
    assert json.loads(result.read_text()) == json.loads(before)


UNFINISHED = [
    (("--steps", 8, "--beta", 7, "--seed", 3), "beta_vae",
     "holds another run: objective.beta is 4.0 there and 7.0 here; training.seed is 0 there and 3"),
    (("--steps", 2), "vae", "objective.name is 'beta_vae' there and 'vae' here"),
    (("--steps", 8, "--learning-rate", 0.1), "beta_vae", "learning_rate is 0.0005 there and 0.1"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "objective", "message"), UNFINISHED)
def test_an_unfinished_run_of_another_description_is_refused(
    train, tmp_path, words, objective, message
):
    assert train("--steps", 5)[0] == 0
    (tmp_path / "run/result.json").unlink()
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*.json")}
    code, out, err = train(*words, objective=objective)
    assert (code, out) == (2, "")
    assert message in err
    assert (
        "give the settings of that run to resume it, or choose another folder for a new one" in err
    )
    assert {p: p.read_bytes() for p in (tmp_path / "run").rglob("*.json")} == before


def test_a_result_of_another_run_is_noticed(train, cli, tmp_path):
    assert train("--steps", 5)[0] == 0
    assert train("--steps", 5, "--seed", 3, out="other")[0] == 0
    result = tmp_path / "run/result.json"
    before = result.read_bytes()
    result.write_bytes((tmp_path / "other/result.json").read_bytes())
    for call in (train, lambda *_: cli("export", tmp_path / "run", "--out", tmp_path / "x")):
        code, _, err = call("--steps", 5)
        assert code == 2
        assert "is of another run than config.json beside it (training.seed is 3 in the res" in err
        assert "put back the result.json that belongs there" in err
    result.unlink()
    assert train("--steps", 5)[0] == 0
    assert result.read_bytes() == before


def test_an_edited_result_is_noticed(train, cli, tmp_path):
    assert train("--steps", 5)[0] == 0
    result = tmp_path / "run/result.json"
    content = json.loads(result.read_text())
    content["milestones"]["5"]["metrics"]["mig"]["value"] = 0.9
    result.write_text(json.dumps(content))
    for call in (train, lambda *_: cli("export", tmp_path / "run", "--out", tmp_path / "x")):
        code, _, err = call("--steps", 5)
        assert code == 2
        assert "result.json is damaged (its contents are not those that were written)" in err


def test_scores_that_are_damaged_or_of_another_run_are_computed_again(train, tmp_path):
    words = ("--milestones", 3, 5)
    assert train("--steps", 5, *words, "--seed", 3, out="other")[0] == 0
    assert train("--steps", 5, *words)[0] == 0
    result = tmp_path / "run/result.json"
    before = result.read_bytes()
    file = tmp_path / "run/scores-00000003.json"
    foreign = (tmp_path / "other" / file.name).read_bytes()
    own = file.read_bytes()
    for content in (foreign, b"", own.replace(b'"value": 0', b'"value": 1', 1)):
        result.unlink()
        file.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("always", RuntimeWarning)
            code, _, err = train("--steps", 5, *words)
        assert code == 0, err
        assert "scores-00000003.json" in err
        assert "the model of step 3 is scored again" in err
        assert file.read_bytes() == own
        assert result.read_bytes() == before


def test_a_finished_run_mends_its_last_checkpoint(train, tmp_path):
    assert train("--steps", 3)[0] == 0
    assert train("--steps", 5)[0] == 0
    file = tmp_path / "run/checkpoints/step-00000005/model.safetensors"
    before = file.read_bytes()
    file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    result = (tmp_path / "run/result.json").read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("always", RuntimeWarning)
        code, _, err = train("--steps", 5)
    assert code == 0, err
    assert "model.safetensors is damaged" in err
    assert file.read_bytes() == before
    assert (tmp_path / "run/result.json").read_bytes() == result


@pytest.mark.parametrize("content", ["{}", '{"objective": {"name": "nothing"}}'])
def test_a_config_without_an_objective_is_no_traceback(train, cli, tmp_path, content):
    assert train("--steps", 5)[0] == 0
    config = tmp_path / "run/config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **json.loads(content)}))
    code, _, err = cli("show", tmp_path / "run")
    assert code == (2 if "nothing" in content else 0), err
    for state in tmp_path.glob("run/checkpoints/*/state.json"):  # of an earlier version
        state.write_text(json.dumps({"format": 1, "step": 5}))
    code, _, err = cli("show", tmp_path / "run")
    assert code == (2 if "nothing" in content else 0), err
    assert "nothing" not in content or "does not name an objective of this version" in err


def test_a_damaged_last_checkpoint_is_passed_over(train, tmp_path):
    assert train("--steps", 5)[0] == 0
    assert train("--steps", 8)[0] == 0
    (tmp_path / "run/checkpoints/step-00000008/model.safetensors").write_bytes(b"")
    with warnings.catch_warnings():
        warnings.simplefilter("always", RuntimeWarning)
        code, _, err = train("--steps", 10)
    assert code == 0, err
    assert err.startswith("warning: ")
    assert err.endswith("; resumed from the checkpoint of step 5")
    assert train("--steps", 10, out="once")[0] == 0
    once, mended = (
        tmp_path / f / "checkpoints/step-00000010/model.safetensors" for f in ("once", "run")
    )
    assert once.read_bytes() == mended.read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--seed", -1), "--seed"),
        (("--seed", 10**30), "--seed"),
        (("--steps", 0), "--steps"),
        (("--steps", -5), "--steps"),
        (("--learning-rate", "nan"), "--learning-rate"),
        (("--milestones", -3), "--milestones [-3] are not within"),
        (("--milestones", 50), "--milestones [50] are not within the 2 steps"),
        (("--latents", 0), "--latents: "),
        (("--noise", -1), "--noise: "),
        (("--beta", "x"), "--beta"),
        (("--bata", 3), "--bata"),
    ],
)
def test_nonsense_is_refused_by_the_option(cli, tmp_path, words, message):
    steps = () if "--steps" in words else ("--steps", 2)
    code, out, err = cli("train", "beta_vae", *steps, *words, "--out", tmp_path / "run")
    assert code == 2
    assert message in out + err
    assert "Traceback" not in out + err
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("always")
def test_an_empty_state_is_passed_over_in_one_voice(train, tmp_path):
    for steps in (2, 4):
        assert train("--steps", steps)[0] == 0
    (tmp_path / "run/checkpoints/step-00000004/state.json").write_text("")
    code, _, err = train("--steps", 5)
    assert code == 0
    assert "state.json is empty; resumed from the checkpoint of step 2" in err


def test_another_objective_is_one_difference(train):
    assert train("--steps", 2)[0] == 0
    code, _, err = train("--steps", 2, objective="factor_vae")
    assert code == 2
    assert "objective.name is 'beta_vae' there and 'factor_vae' here" in err
    assert err.count(" there and ") == 1


def test_an_interrupted_run_says_that_it_resumes(train, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("unweave.studies.training_run.TrainingRun.execute", interrupt)
    code, _, err = train("--steps", 2)
    assert code == 130
    assert err.startswith("interrupted: the same command resumes the run in ")


@pytest.mark.parametrize("words", [(), ("--log", "tensorboard")])
def test_a_logger_that_refuses_is_named(train, monkeypatch, words):
    def refuse(*_, **__):
        raise ConnectionError("Weights & Biases: no key")

    monkeypatch.setattr("unweave.studies.training_run.TrainingRun.execute", refuse)
    monkeypatch.setenv("UNWEAVE_LOGGERS", "tensorboard")
    code, _, err = train("--steps", 2, *words)
    assert code == 2
    name = "--log" if words else "UNWEAVE_LOGGERS"
    assert err == f"error: {name}: Weights & Biases: no key"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named(train):
    code, _, err = train("--steps", 2, "--accelerator", "cuda")
    assert code == 2
    assert "--accelerator cuda: torch finds no CUDA device" in err


def test_a_folder_that_is_a_file_is_named(train, tmp_path):
    (tmp_path / "run").write_text("")
    code, _, err = train("--steps", 2)
    assert code == 2
    assert "--out" in err
    assert "it is a file" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(train, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    code, _, err = train("--steps", 2, out="locked/run")
    assert code == 2
    assert "--out" in err
    assert "Permission denied" in err


@pytest.mark.parametrize("size", [0, 2_000, 60_000])
def test_a_full_disk_is_a_sentence(train, monkeypatch, size, tmp_path):
    """As if files could not grow beyond a size, which the kernel answers like a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            code, out, err = train("--steps", 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 2
    assert "--out" in err
    assert "File too large" in err
    assert not list((tmp_path / "run").glob("checkpoints/*/*"))


def test_loggers_of_the_environment_are_checked(train, monkeypatch):
    monkeypatch.setenv("UNWEAVE_LOGGERS", "nonsense")
    code, _, err = train("--steps", 2)
    assert code == 2
    assert "UNWEAVE_LOGGERS names an unknown logger 'nonsense'" in err
