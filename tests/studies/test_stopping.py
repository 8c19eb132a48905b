"""Commands that are told to stop, or killed: what they say, and that no process outlives them.

Bounds are generous, for a machine that is busy; `benchmarks/interrupt.py` prints the seconds.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="processes are counted as Linux lists them"
)

STUDY = """
name = "stopped"
title = "A study that is stopped"
question = "Does anything go on?"
dataset = "torus"

[network]
width = 0.125
n_latents = 3

[training]
batch_size = 16
log_every = 5
checkpoint_every = 5

[evaluation]
rows = 200
metrics = ["mig"]
n_permutations = 3
n_projections = 3
n_halves = 3

[[cells]]
objectives = [{ name = "vae" }]
seeds = [0]
milestones = [5]

[[cells]]
objectives = [{ name = "vae" }]
seeds = [0]
milestones = [1000000]
"""
ENSEMBLE = """
import sys
from pathlib import Path

if __name__ == "__main__":
    from unweave.datasets import load
    from unweave.models import Network
    from unweave.models.objectives import VAE
    from unweave.training import Member, TrainingConfig, train_ensemble

    config = TrainingConfig(steps=1_000_000, batch_size=8)
    members = [Member(VAE(), seed) for seed in range(3)]
    Path(sys.argv[1]).touch()
    train_ensemble(Network(width=0.125, n_latents=2), members, load("torus"), config)
"""
# A terminal of its own, which it reads from: closing the other end hangs up.
ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def living(session):
    """Processes of a session, each with what it was started as."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, _, its_session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
    return found


def workers(session):
    return [number for number, words in living(session).items() if b"spawn_main" in words]


def wait_for(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


@pytest.fixture
def begin():
    """Start Python in a session of its own; whatever is left of it is killed at the end."""
    processes = []

    def call(*words, **options):
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **options}
        command = [sys.executable, *map(str, words)]
        processes.append(subprocess.Popen(command, start_new_session=True, **pipes))
        return processes[-1]

    yield call
    for process in processes:
        for number in living(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def study(tmp_path, begin, shared_cache):
    """Start a study of a short run and one without end, on two workers."""
    file = tmp_path / "study.toml"
    file.write_text(STUDY)
    words = ["-m", "unweave", "study", file, "--out", tmp_path / "out", "--workers", "2"]

    def call(*before, **options):
        return begin(*before, *words, **options)

    return call


def is_starting(folder, process):
    return len(workers(process.pid)) == 2


def is_training(folder, process):
    """Each run has a checkpoint. One without end soon keeps two."""
    return len({file.parent for file in folder.glob("out/runs/*/checkpoints/step-*")}) == 2


def is_half_idle(folder, process):
    """One worker has nothing left to do, and the other never ends."""
    return any(folder.glob("out/runs/*/result.json"))


def states(*quick):
    """All of them, of which those that are not named wait for `make test-all`."""
    every = (is_starting, is_training, is_half_idle)
    return [s if s in quick else pytest.param(s, marks=pytest.mark.slow) for s in every]


def bring_to(state, folder, process):
    def is_there():
        assert process.poll() is None, process.stderr.read().decode()
        return state(folder, process)

    wait_for(is_there)
    assert len(workers(process.pid)) == 2


@pytest.mark.parametrize("state", states(is_starting, is_half_idle))
def test_no_worker_outlives_a_study_that_is_killed(study, tmp_path, state):
    process = study()
    bring_to(state, tmp_path, process)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    wait_for(lambda: not living(process.pid), seconds=60)


@pytest.mark.parametrize("state", states(is_training))
def test_a_study_that_is_told_to_stop_does(study, tmp_path, state):
    number = signal.SIGTERM
    process = study()
    bring_to(state, tmp_path, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    said = " ".join(errors.decode().split())
    assert "stopping: press Ctrl-C again to end at once" in said
    assert "interrupted: the same command resumes in" in said
    assert "Traceback" not in said
    wait_for(lambda: not living(process.pid), seconds=60)


@pytest.mark.parametrize("state", states(is_starting))
def test_a_second_interrupt_ends_all_at_once(study, tmp_path, state):
    process = study()
    bring_to(state, tmp_path, process)
    os.killpg(process.pid, signal.SIGINT)
    assert process.stderr.readline().startswith(b"stopping")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 130
    wait_for(lambda: not living(process.pid), seconds=60)


@pytest.mark.slow
def test_nothing_outlives_the_terminal(study, tmp_path):
    terminal, own_end = os.openpty()
    process = study("-c", ON_TERMINAL, stdin=own_end, stdout=own_end, stderr=own_end)
    os.close(own_end)
    wait_for(lambda: is_training(tmp_path, process))
    assert len(workers(process.pid)) == 2
    os.close(terminal)
    assert process.wait(timeout=60) == 128 + signal.SIGHUP
    wait_for(lambda: not living(process.pid), seconds=60)


@pytest.mark.slow
def test_what_ignores_a_closed_terminal_goes_on(study, tmp_path):
    """As with nohup."""
    ignoring = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
    process = study("-c", ignoring + "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])")
    bring_to(is_training, tmp_path, process)
    os.killpg(process.pid, signal.SIGHUP)
    time.sleep(1.0)
    assert process.poll() is None
    assert len(workers(process.pid)) == 2


@pytest.mark.parametrize(
    ("number", "state"),
    [
        (signal.SIGKILL, "starting"),
        *(
            pytest.param(number, state, marks=pytest.mark.slow)
            for number, state in [
                (signal.SIGKILL, "training"), (signal.SIGTERM, "training"),
                (signal.SIGINT, "starting"), (signal.SIGINT, "training"),
            ]
        ),
    ],
)  # fmt: skip
def test_no_worker_outlives_an_ensemble(begin, tmp_path, number, state):
    (tmp_path / "script.py").write_text(ENSEMBLE)
    process = begin(tmp_path / "script.py", tmp_path / "begun")
    wait_for((tmp_path / "begun").exists)
    wait_for(lambda: workers(process.pid))
    if state == "training":
        time.sleep(10)  # nothing tells
    process.send_signal(number)
    process.wait(timeout=60)
    assert process.returncode == -number
    wait_for(lambda: not living(process.pid), seconds=60)
