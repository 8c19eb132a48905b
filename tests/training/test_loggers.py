"""Loggers other than TensorBoard, read back by their own libraries."""

import json
import sys

import pytest

from unweave.datasets import load
from unweave.models import Network, build_vae
from unweave.models.objectives import BetaVAE
from unweave.training import TrainingConfig, train
from unweave.training.curves import read_curves
from unweave.training.loggers import VARIABLE, open_loggers

CONFIG = TrainingConfig(steps=20, batch_size=8, log_every=5, checkpoint_every=10)
SCORES = {"mig": 0.25, "sap": 0.5}


class Stopped(Exception):
    pass


def trained(folder, stop_at=None):
    data = load("torus")
    model = build_vae(Network(width=0.125, n_latents=2), data.image_shape, seed=0)

    def at_step(step):
        if step == stop_at:
            raise Stopped

    train(
        model,
        BetaVAE(name="beta_vae", beta=4),
        data,
        CONFIG,
        folder=folder,
        at_milestone=lambda step, model: SCORES,
        at_step=at_step,
    )


def expected(folder):
    """Points as loggers are to have them: step, name, value."""
    for row in read_curves(folder):
        for name, value in row.items():
            if name != "step":
                group = "kl_per_latent" if name.startswith("kl_") else "terms"
                yield int(row["step"]), f"{group}/{name}", pytest.approx(value)
    for name, value in SCORES.items():
        yield 20, f"scores/{name}", value


def leveldb_records(file):
    """Of a log of LevelDB: blocks of 32 KiB, records in pieces, each with a head of 7 bytes.

    The format is in LevelDB's doc/log_format.md; Weights & Biases puts 7 bytes before it.
    """
    content, at, record = file.read_bytes(), 7, b""
    while at + 7 <= len(content):
        left = -at % 32768
        if 0 < left < 7:
            at += left
            continue
        size = int.from_bytes(content[at + 4 : at + 6], "little")
        kind = content[at + 6]  # 1 whole, 2 first, 3 middle, 4 last
        record += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):
            yield record
            record = b""


def wandb_runs(folder):
    """Identity and points of each file that Weights & Biases wrote offline."""
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record

    wandb.teardown()  # it answers before all is on the disk
    files = folder.glob("wandb/offline-run-*/*.wandb")
    for file in sorted(files, key=lambda file: file.parent.name):  # the second one ends in -1
        identity, points = None, {}
        for content in leveldb_records(file):
            record = Record.FromString(content)
            if record.HasField("run"):
                identity = record.run
            if record.HasField("history"):
                row = {
                    item.key or item.nested_key[0]: json.loads(item.value_json)
                    for item in record.history.item
                }
                points |= {(row["step"], name): value for name, value in row.items()}
        yield identity, points


@pytest.fixture
def offline(monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv(VARIABLE, "wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_PROJECT", "tori")


def test_weights_and_biases_has_the_curve_and_the_scores(tmp_path, offline):
    trained(tmp_path)
    ((identity, points),) = wandb_runs(tmp_path)
    assert identity.project == "tori"
    for step, name, value in expected(tmp_path):
        assert points[step, name] == value
    assert not (tmp_path / "tensorboard").exists()


def test_a_run_that_goes_on_is_the_same_run_to_weights_and_biases(tmp_path, offline):
    with pytest.raises(Stopped):
        trained(tmp_path, stop_at=12)
    trained(tmp_path)
    (first, _), (second, points) = wandb_runs(tmp_path)
    assert first.run_id == second.run_id
    assert {step for step, _ in points} == {15, 20}


@pytest.fixture
def tracked(monkeypatch, tmp_path):
    pytest.importorskip("mlflow")
    store = tmp_path / "store"
    monkeypatch.setenv(VARIABLE, "tensorboard, mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient

    return MlflowClient(store.as_uri())


def mlflow_runs(client, experiment="unweave"):
    found = client.get_experiment_by_name(experiment)
    return client.search_runs([found.experiment_id])


def test_mlflow_has_the_curve_and_the_scores_of_a_run_that_went_on(tmp_path, tracked):
    folder = tmp_path / "run"
    with pytest.raises(Stopped):
        trained(folder, stop_at=12)
    trained(folder)
    (run,) = mlflow_runs(tracked)
    assert run.info.status == "FINISHED"
    for step, name, value in expected(folder):
        history = tracked.get_metric_history(run.info.run_id, name)
        assert {point.step: point.value for point in history}[step] == value
    assert (folder / "tensorboard").exists()


@pytest.mark.slow
def test_runs_of_a_study_are_described_and_scored_in_mlflow(tmp_path, tracked, cli):
    study = tmp_path / "study.toml"
    study.write_text(
        """
        name = "tori"
        title = "t"
        question = "q"
        dataset = "torus"
        network = { width = 0.125, n_latents = 2 }
        training = { batch_size = 8 }
        evaluation = { rows = 200, n_permutations = 3, n_projections = 3, n_halves = 3 }
        [[cells]]
        objectives = [{ name = "beta_vae", beta = 4 }]
        seeds = [0, 1]
        milestones = [10]
        """
    )
    out = tmp_path / "out"
    code, _, errors = cli("study", study, "--out", out, "--log", "mlflow")
    assert code == 0, errors
    runs = {run.data.params["training.seed"]: run for run in mlflow_runs(tracked)}
    assert set(runs) == {"0", "1"}
    for result in out.glob("runs/*/result.json"):
        content = json.loads(result.read_text())
        run = runs[str(content["description"]["training"]["seed"])]
        assert run.data.params["objective.beta"] == "4.0"
        assert run.info.run_name.startswith("beta_vae-")
        scores = content["milestones"]["10"]["metrics"]
        for name, score in scores.items():
            assert run.data.metrics[f"scores/{name}"] == pytest.approx(score["value"])


def test_a_service_that_does_not_let_the_run_in_is_told_of(tmp_path, monkeypatch, offline):
    wandb = pytest.importorskip("wandb")

    def refuse(*args, **kwargs):
        raise wandb.errors.UsageError("No API key configured. Use `wandb login` to log in.")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(ConnectionError, match=r"wandb login.*WANDB_MODE=offline"):
        open_loggers(tmp_path)


def test_mlflow_without_a_server_is_told_of_and_one_that_is_lost_stops_nothing(
    tmp_path, monkeypatch, tracked
):
    pytest.importorskip("mlflow")
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    def refuse(*args, **kwargs):
        raise MlflowException("connection refused")

    monkeypatch.setattr(MlflowClient, "log_batch", refuse)
    with pytest.warns(RuntimeWarning, match="MLflow no longer answers.*connection refused"):
        trained(tmp_path / "lost")
    assert [row["step"] for row in read_curves(tmp_path / "lost")] == [5, 10, 15, 20]
    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", refuse)
    with pytest.raises(ConnectionError, match="connection refused MLFLOW_TRACKING_URI is file://"):
        trained(tmp_path / "refused")


def test_a_logger_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "tensorbord")
    with pytest.raises(ValueError, match="did you mean 'tensorboard'"):
        open_loggers(tmp_path)
    monkeypatch.setenv(VARIABLE, "wandb")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ImportError, match=r'pip install "unweave\[wandb\]"'):
        open_loggers(tmp_path)


def test_no_logger_at_all_may_be_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    trained(tmp_path)
    assert not (tmp_path / "tensorboard").exists()
    assert [row["step"] for row in read_curves(tmp_path)] == [5, 10, 15, 20]
