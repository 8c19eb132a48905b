"""How many runs go side by side, and on what."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest

from unweave import _memory
from unweave.studies import load_study
from unweave.studies.execution import resources
from unweave.studies.execution.worker import start_worker


@pytest.fixture
def machine(monkeypatch):
    """A machine of so many cores, with so much memory and such GPUs."""

    def make(cores, gibibytes, gpus=()):
        monkeypatch.setattr(resources, "n_cores", lambda: cores)
        memory = None if gibibytes is None else int(gibibytes * 2**30)
        monkeypatch.setattr(resources, "free_memory", lambda: memory)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(gpus))

    return make


def test_there_is_a_worker_for_each_core_that_memory_is_left_for(machine):
    runs = load_study("quick").runs()
    machine(8, None)
    assert resources.n_workers(runs) == 8
    machine(8, 100)
    assert resources.n_workers(runs) == 8
    machine(8, 4.6)
    assert resources.n_workers(runs) == 3
    machine(8, 0.1)
    assert resources.n_workers(runs) == 1


def test_four_runs_that_train_share_a_gpu(machine):
    machine(64, 1000, ["0", "GPU-2f"])
    assert resources.gpus() == ["0", "GPU-2f"]
    assert resources.n_workers(load_study("quick").runs()) == 8
    assert resources.n_workers(load_study("geomancer").runs()) == 64


def test_gpus_are_those_that_the_driver_lists(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H100'\necho 'GPU 1: NVIDIA H100'\n")
    tool.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert resources.gpus() == ["0", "1"]
    tool.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert resources.gpus() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert resources.gpus() == []


def device(_):
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_workers_take_gpus_in_turn():
    context = multiprocessing.get_context("fork")
    found = set()
    for _ in range(2):
        with ProcessPoolExecutor(1, context, start_worker, (None, None, ["a", "b"])) as pool:
            found |= set(pool.map(device, range(2)))
    assert found == {"a", "b"}


def test_memory_is_no_more_than_a_container_has_left(monkeypatch, tmp_path):
    inner = tmp_path / "job"
    inner.mkdir()
    (tmp_path / "memory.max").write_text("max\n")
    (inner / "memory.max").write_text(f"{3 << 30}\n")
    (inner / "memory.current").write_text(f"{3 << 29}\n")
    (inner / "memory.stat").write_text(f"anon {1 << 30}\ninactive_file {1 << 29}\n")
    whole = resources.free_memory()
    monkeypatch.setattr(_memory, "_CGROUP", inner)
    assert resources.free_memory() == min(whole, 2 << 30)
