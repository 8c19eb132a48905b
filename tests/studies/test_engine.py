import contextlib
import json
import multiprocessing
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
from filelock import FileLock
from polars.testing import assert_frame_equal

from unweave.studies import build_table, load_study, open_study, read_table, run_study, write_table
from unweave.studies.base import RunIsBusyError
from unweave.studies.execution.engine import _Pool
from unweave.studies.folder import StudyFolder

COMMAND = [sys.executable, "-m", "unweave", "study"]


@pytest.fixture
def start(tiny_file, tmp_path):
    """Start the tiny study as a user would, in a process group of its own."""
    processes = []

    def call():
        command = [*COMMAND, str(tiny_file), "--out", str(tmp_path / "out")]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(command, start_new_session=True, **pipes))
        return processes[-1]

    yield call
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(condition, process, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def table_of(folder):
    return read_table(folder).drop("run")


def test_a_finished_study_has_a_row_for_each_run_milestone_and_metric(tiny):
    study, folder = tiny
    table = build_table(study, folder)
    assert table.height == 4 * 3 * 2
    assert set(table["metric"]) == {"mig", "sap"}
    assert table.select(pl.all().is_null().any()).row(0, named=True)["value"] is False
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
    vae = table.filter(pl.col("objective") == "vae")
    assert vae["strength"].is_null().all()
    assert (table["flops"] / table["step"]).n_unique() == 1


def test_the_table_can_be_written_and_read(tiny, tmp_path):
    study, folder = tiny
    table = build_table(study, folder)
    assert_frame_equal(pl.read_parquet(write_table(table, tmp_path)), table)
    assert open_study(folder) == study


def test_finished_runs_are_not_run_again(tiny, shared_cache):
    study, folder = tiny
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*.json") if p.name != "study.json"}
    assert run_study(study, folder) == {}
    after = {p: p.stat().st_mtime_ns for p in folder.rglob("*.json") if p.name != "study.json"}
    assert before == after


def test_a_killed_study_goes_on_and_ends_with_the_same_table(
    tiny, tiny_file, start, tmp_path, shared_cache
):
    out = tmp_path / "out"
    process = start()
    wait_for(lambda: list(out.glob("runs/*/checkpoints/step-*")), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(list(out.glob("runs/*/result.json"))) < 4
    assert run_study(load_study(tiny_file), out) == {}
    assert_frame_equal(table_of(out), table_of(tiny[1]))


@pytest.mark.slow
def test_a_study_killed_at_twenty_random_moments_loses_nothing(
    tiny, tiny_file, start, tmp_path, shared_cache
):
    """No finished run is lost or done again, and the table is that of the study left alone."""
    rng = np.random.default_rng(int(time.time()))
    study, folder = tiny
    out = tmp_path / "out"
    finished: dict[str, int] = {}
    for _ in range(20):
        process = start()
        time.sleep(rng.uniform(3, 16))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for result in out.glob("runs/*/result.json"):
            written = result.stat().st_mtime_ns
            assert finished.setdefault(result.parent.name, written) == written
        assert set(finished) == {p.parent.name for p in out.glob("runs/*/result.json")}
    assert run_study(study, out) == {}
    for key, written in finished.items():
        assert (out / "runs" / key / "result.json").stat().st_mtime_ns == written
    assert_frame_equal(table_of(out), table_of(folder))


def test_workers_of_a_killed_study_end_by_themselves(tiny_file, start, tmp_path, shared_cache):
    tiny_file.write_text(tiny_file.read_text().replace("20, 30", "20, 100000"))
    out = tmp_path / "out"
    process = start()
    wait_for(lambda: list(out.glob("runs/*/checkpoints/step-*")), process)
    process.kill()  # the parent alone
    process.communicate()
    locks = [FileLock(run / ".lock", timeout=60) for run in out.glob("runs/*")]
    assert locks
    for lock in locks:  # each is let go of when its worker ends
        with lock:
            assert lock.is_locked


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pgrep") is None, reason="no pgrep to find a worker with")
def test_a_study_outlives_a_worker_that_is_killed(tiny, start, tmp_path, shared_cache):
    out = tmp_path / "out"
    process = start()
    wait_for(lambda: list(out.glob("runs/*/checkpoints/step-*")), process)
    listed = subprocess.run(
        ["pgrep", "-P", str(process.pid), "-f", "spawn_main"], capture_output=True, text=True
    )
    os.kill(int(listed.stdout.split()[0]), signal.SIGKILL)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert_frame_equal(table_of(out), table_of(tiny[1]))


def test_an_interrupted_study_says_that_it_resumes(tiny_file, start, tmp_path, shared_cache):
    tiny_file.write_text(tiny_file.read_text().replace("20, 30", "20, 100000"))
    out = tmp_path / "out"
    process = start()
    wait_for(lambda: list(out.glob("runs/*/checkpoints/step-*")), process)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "interrupted: the same command resumes" in " ".join(errors.split())
    assert "Traceback" not in errors


def test_a_run_that_another_process_is_at_is_left_alone(tiny, tmp_path, shared_cache):
    run = StudyFolder(tiny[0], tmp_path).runs[0]
    run.folder.mkdir(parents=True)
    code = f"""
import time
from filelock import FileLock
lock = FileLock({str(run.folder / ".lock")!r})
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunIsBusyError, match="another process is at work"):
            run.execute()
        holder.kill()
    run.execute()
    assert run.is_finished


@pytest.mark.slow
def test_two_studies_at_once_in_one_folder_end_as_one(tiny, start, tmp_path, shared_cache):
    out = tmp_path / "out"
    processes = [start() for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
    assert_frame_equal(table_of(out), table_of(tiny[1]))


def test_a_failed_run_is_recorded_with_its_reason(tiny_file, tmp_path, shared_cache):
    text = tiny_file.read_text().replace("log_every", "learning_rate = 1e30\nlog_every")
    tiny_file.write_text(text.replace("seeds = [0, 1]", "seeds = [0]"))
    study = load_study(tiny_file)
    told = []
    failures = run_study(study, tmp_path / "out", progress=lambda what, *_: told.append(what))
    assert any("1 of 2 runs finished" in what and "1 failed" in what for what in told)
    assert set(failures) == {run.key for run in study.runs()}
    for key, reason in failures.items():
        assert "training diverged" in reason
        kept = json.loads((tmp_path / "out/runs" / key / "failure.json").read_text())
        assert kept == {"reason": reason}


@pytest.mark.slow
def test_a_study_that_cannot_write_says_so_and_goes_on_when_it_can(
    tiny, tiny_file, tmp_path, shared_cache
):
    """No file may grow beyond 24 KiB, as on a disk that is full."""
    out = tmp_path / "out"
    command = shlex.join([*COMMAND, str(tiny_file), "--out", str(out)])
    full = subprocess.run(
        ["bash", "-c", f"ulimit -f 24; {command}"], capture_output=True, text=True, check=False
    )
    assert full.returncode == 1
    assert full.stderr.count("File too large") == 4
    assert not list(out.glob("runs/*/result.json"))
    assert run_study(load_study(tiny_file), out) == {}
    assert_frame_equal(table_of(out), table_of(tiny[1]))


def killed_while(condition, study, folder):
    """Failures of a study on two workers, all of which are killed whenever the condition holds."""
    runs = StudyFolder(study, folder).runs
    pool = _Pool(runs, runs, 2)
    n_kills = 0

    def progress(what, steps, total):
        nonlocal n_kills
        workers = multiprocessing.active_children()
        if workers and condition(pool, n_kills):
            n_kills += 1
            for worker in workers:
                worker.kill()

    return pool.finish(progress), n_kills


@pytest.mark.slow
def test_runs_whose_processes_are_killed_once_go_on(tiny, tmp_path, shared_cache):
    study, folder = tiny
    failures, n_kills = killed_while(
        lambda pool, n: n == 0 and sum(pool.steps) > 0, study, tmp_path / "out"
    )
    assert n_kills == 1
    assert failures == {}
    assert_frame_equal(build_table(study, tmp_path / "out"), build_table(study, folder))


@pytest.mark.slow
def test_only_the_run_that_kills_its_process_fails(tiny, tmp_path, shared_cache):
    study, _ = tiny
    failures, n_kills = killed_while(
        lambda pool, n: pool.steps[1] > 0 and not pool.failures, study, tmp_path / "out"
    )
    assert list(failures) == [study.runs()[1].key]
    assert "its process died twice" in failures[study.runs()[1].key]
    assert n_kills >= 2
    assert sum(run.is_finished for run in StudyFolder(study, tmp_path / "out").runs) == 3


def test_a_study_ends_when_workers_die_before_they_begin(tiny, tmp_path, shared_cache):
    study, _ = tiny
    failures, _ = killed_while(lambda pool, n: sum(pool.steps) == 0, study, tmp_path / "out")
    assert set(failures) == {run.key for run in study.runs()}
    assert all("died twice" in reason for reason in failures.values())


def test_a_folder_that_cannot_be_written_is_named(tiny, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="cannot write into .*choose another with --out"):
        run_study(tiny[0], tmp_path / "file" / "out")


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no study"):
        read_table(tmp_path)
