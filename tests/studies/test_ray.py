"""The Ray engine, on a cluster of two nodes on this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from unweave.studies import build_table, read_table, run_study
from unweave.studies.execution.ray_engine import Placement
from unweave.studies.loading import checked_study

pytest.importorskip("ray")

MODELS = {
    "name": "models",
    "title": "t",
    "question": "q",
    "dataset": "torus",
    "network": {"width": 0.125, "n_latents": 3},
    "training": {"batch_size": 16, "log_every": 5, "checkpoint_every": 20},
    "evaluation": {"rows": 200, "n_permutations": 3, "n_projections": 3, "n_halves": 3},
    "cells": [{"objectives": [{"name": "vae"}], "seeds": [0, 1, 2, 3], "milestones": [60, 120]}],
}
# In a process of its own: Ray leaves threads and sockets behind, and its nodes are its children.
CLUSTER = """
import json, sys, time
from ray.cluster_utils import Cluster
size = {"num_cpus": 1, "object_store_memory": 80_000_000}
cluster = Cluster(initialize_head=True, head_node_args={**size, "include_dashboard": False})
second = cluster.add_node(**size)
print(cluster.address, flush=True)
sys.stdin.readline()
cluster.remove_node(second, allow_graceful=False)
cluster.add_node(**size)
print("killed one node, added another", flush=True)
sys.stdin.readline()
cluster.shutdown()
"""
STUDY = """
import sys
from pathlib import Path
from unweave.studies import load_study, run_study
from unweave.studies.execution.ray_engine import Placement
failures = run_study(load_study(sys.argv[1]), Path(sys.argv[2]), ray=Placement(address=sys.argv[3]))
print(failures)
"""


@pytest.fixture(scope="module")
def cluster():
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process, process.stdout.readline().strip()
    finally:
        try:
            process.communicate("\n\n", timeout=30)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def toml(tmp_path, study):
    cells = study["cells"][0]
    text = "\n".join(
        f"{key} = {json.dumps(value)}"
        for key, value in study.items()
        if key not in ("cells", "network", "training", "evaluation")
    )
    for key in ("network", "training", "evaluation"):
        text += f"\n[{key}]\n" + "\n".join(f"{k} = {v}" for k, v in study[key].items())
    text += "\n[[cells]]\nobjectives = [{ name = 'vae' }]\n"
    text += f"seeds = {cells['seeds']}\nmilestones = {cells['milestones']}\n"
    path = tmp_path / "models.toml"
    path.write_text(text)
    return path


@pytest.mark.slow
def test_two_nodes_one_of_which_dies_end_with_the_same_table(cluster, tmp_path):
    node, address = cluster
    study = checked_study(MODELS, "here")
    assert run_study(study, tmp_path / "local") == {}
    out = tmp_path / "ray"
    command = [sys.executable, "-c", STUDY, toml(tmp_path, MODELS), out, address]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "UNWEAVE_LOGGERS": ""},
    )  # fmt: skip
    deadline = time.monotonic() + 600
    while not list(out.glob("runs/*/checkpoints/step-*")):  # both nodes are at work
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    node.stdin.write("kill\n")
    node.stdin.flush()
    assert "killed" in node.stdout.readline()
    printed, said = process.communicate(timeout=600)
    assert printed.strip().endswith("{}"), said
    assert read_table(out).equals(build_table(study, tmp_path / "local"))
    assert list(tmp_path.glob("local/runs/*/tensorboard"))
    assert not list(out.glob("runs/*/tensorboard"))  # workers of other nodes know the loggers


def test_a_run_that_fails_is_reported_and_the_others_continue(tmp_path):
    """On a cluster that Ray starts here for this call."""
    wrong = {**MODELS, "training": {**MODELS["training"], "n_images": 10**9}}
    mixed = {
        "products": ["S^2 x S^2"], "points": [120], "seeds": [0], "name": "one", "title": "t",
        "question": "q", "settings": ["paper"],
    }  # fmt: skip
    code = """
import json, sys
from pathlib import Path
from unweave.studies import run_study
from unweave.studies.loading import checked_study
from unweave.studies.execution.ray_engine import Placement
for text, folder in zip(sys.argv[1:3], sys.argv[3:5]):
    told = []
    study = checked_study(json.loads(text), "here")
    failures = run_study(
        study, Path(folder), ray=Placement(cpus=0.5), progress=lambda *what: told.append(what)
    )
    print(json.dumps([list(failures.values()), told[-1]]))
"""
    folders = [str(tmp_path / "wrong"), str(tmp_path / "right")]
    texts = [json.dumps(wrong), json.dumps(mixed)]
    done = subprocess.run(
        [sys.executable, "-c", code, *texts, *folders], capture_output=True, text=True, check=True
    )
    first, second = [json.loads(line) for line in done.stdout.splitlines() if line[:2] == "[["
                     or line[:3] == "[[]"]  # fmt: skip
    assert len(first[0]) == 4
    assert all("n_images=1,000,000,000 is more than torus has" in reason for reason in first[0])
    failures, (what, done, total) = second
    assert (failures, done, total) == ([], 120, 120)
    assert what.startswith("1 of 1 runs finished | S^2 x S^2, 120 points: ")
    assert "4 of 4 runs finished, 4 failed" in first[1][0]
    kept = list((tmp_path / "wrong" / "runs").glob("*/failure.json"))
    assert len(kept) == 4


def test_an_address_that_does_not_answer_is_told_at_once(tmp_path, cli):
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        port = own.getsockname()[1]
    start = time.monotonic()
    study = checked_study(MODELS, "here")
    for address in (f"127.0.0.1:{port}", "nowhere"):
        with pytest.raises(ConnectionError, match=f"no Ray cluster answers at {address}"):
            run_study(study, tmp_path, ray=Placement(address=address))
    assert time.monotonic() - start < 60
    code, _, said = cli("study", "quick", "--address", "127.0.0.1:1", "--out", tmp_path / "q")
    assert code == 2
    assert "add --engine ray" in said
