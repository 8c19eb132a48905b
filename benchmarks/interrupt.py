"""From Ctrl-C to the prompt, in three states of a study on two workers.

Starting: workers import what they need. Compiling: one has compiled its first function of a metric,
into an empty cache, and is at the next. Training: there is a checkpoint. Ctrl-C goes to the whole
process group, as a terminal sends it. Printed, in seconds, the median and the longest: until the
command answers, until the prompt is back, until no process is left; for a second Ctrl-C half a
second after the first, from the second on; and, where the command alone is killed (SIGKILL), until
no process is left. Linux and macOS. Run:
    python benchmarks/interrupt.py [ROUNDS]
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

STUDY = """
name = "interrupted"
title = "A study that is interrupted"
question = "How long does it take?"
dataset = "torus"

[network]
width = 0.125
n_latents = 3

[training]
batch_size = 16
log_every = 10
checkpoint_every = {every}

[evaluation]
rows = 4096
metrics = ["mig", "sap", "dcimig"]

[[cells]]
objectives = [{{ name = "vae" }}]
seeds = [0, 1]
milestones = [{milestone}, 1000000]
"""
STATES: dict[str, tuple[dict[str, int], Callable[[Path], bool]]] = {
    "starting": ({"every": 10, "milestone": 1000}, lambda f: (f / "out" / "study.json").exists()),
    "compiling": ({"every": 10, "milestone": 1}, lambda f: any(f.glob("numba/**/*.nbi"))),
    "training": (
        {"every": 10, "milestone": 1000},
        lambda f: any(f.glob("out/runs/*/checkpoints/step-*")),
    ),
}
HOW = ("once", "twice", "killed")


def group(number: int) -> int:
    """How many processes of a process group there are; those that have ended are not counted."""
    listed = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return sum(row[0] == str(number) and not row[1].startswith("Z") for row in rows)


def stopped(state: str, how: str) -> tuple[float, float, float]:
    """Seconds from the last signal: to the answer, to the prompt, to the end of all processes."""
    values, is_reached = STATES[state]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "study.toml").write_text(STUDY.format(**values))
        words = ["study", str(folder / "study.toml"), "--out", str(folder / "out")]
        process = subprocess.Popen(
            [sys.executable, "-m", "unweave", *words, "--workers", "2"],
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "NUMBA_CACHE_DIR": str(folder / "numba")},
        )
        try:
            while not is_reached(folder):
                assert process.poll() is None, process.stderr.read().decode()
                time.sleep(0.02)
            time.sleep(0.5)
            start = time.perf_counter()
            if how == "killed":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGINT)
                process.stderr.readline()
            answer = time.perf_counter() - start
            if how == "twice":
                time.sleep(0.5)
                start = time.perf_counter()
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGINT)
            process.wait()
            prompt = time.perf_counter() - start
            assert process.returncode == (-signal.SIGKILL if how == "killed" else 130)
            while group(process.pid):
                time.sleep(0.02)
            return answer, prompt, time.perf_counter() - start
        finally:
            process.stderr.close()
            if group(process.pid):
                os.killpg(process.pid, signal.SIGKILL)


def shown(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} ({max(seconds):.2f})"


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for state in STATES:
        found = {how: [stopped(state, how) for _ in range(rounds)] for how in HOW}
        answer, prompt, last = (shown([row[i] for row in found["once"]]) for i in range(3))
        print(f"{state}: answer {answer}, prompt {prompt}, last process {last}")
        prompt, last = (shown([row[i] for row in found["twice"]]) for i in (1, 2))
        print(f"  second Ctrl-C: prompt {prompt}, last process {last}")
        print(f"  killed: last process {shown([row[2] for row in found['killed']])}", flush=True)


if __name__ == "__main__":
    main()
