"""`unweave study`: run one, and report on it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App

from unweave.cli.console import (
    patience,
    print_json,
    print_line,
    print_table,
    print_texts,
    progress_bar,
    say,
)
from unweave.cli.explore import study_explore
from unweave.cli.loggers import LoggerNames, set_loggers
from unweave.cli.options import Flag, Json, Trusted, Workers, within
from unweave.cli.study_results import study_merge, study_pipe, study_table, study_udr

if TYPE_CHECKING:
    from unweave.studies.base import BaseStudy
    from unweave.studies.execution.ray_engine import Placement

__all__ = ["run_and_report", "study"]

MOST_RUNS = 10_000

study = App(name="study", help="Run a study and write its report.")
study.command(study_table, name="table")
study.command(study_udr, name="udr")
study.command(study_pipe, name="pipe")
study.command(study_merge, name="merge")
study.command(study_explore, name="explore")


@study.default
def study_run(
    name: str,
    /,
    *,
    out: Path | None = None,
    workers: Workers | None = None,
    dry_run: Flag = False,
    yes: Flag = False,
    shard: str = "0/1",
    engine: Literal["local", "ray"] = "local",
    address: str | None = None,
    cpus: Annotated[float, within(0, 4096, above=True)] = 1.0,
    gpus: Annotated[float, within(0, 4096)] = 0.0,
    log: LoggerNames = None,
) -> None:
    """Run or resume the study NAME, and write its table and its report.

    Parameters
    ----------
    name
        A shipped study (`unweave study list`) or a TOML file.
    out
        Folder of the results; by default one in ./studies named after the study.
    workers
        Number of processes, with one thread each; by default one for each core, or fewer if memory
        or GPUs are short.
    dry_run
        Print what there is to do and how long it takes, by a short measured probe, and stop.
    yes
        Run a study of more than 10,000 runs, which is refused otherwise.
    shard
        Part of the runs, as i/n: every n-th run from the i-th on, counted from 0; for the jobs of
        an array.
    engine
        Where runs are computed: in processes of this machine, or as tasks of a Ray cluster of which
        all nodes see the folder.
    address
        Address of the Ray cluster, host:port; by default that of RAY_ADDRESS, or a cluster on this
        machine.
    cpus
        Cores of the cluster for each run.
    gpus
        GPUs of the cluster for each run, as 0.25 for four runs on one GPU.
    log
        Services that show learning curves and scores of all runs during training; by default
        tensorboard.
    """
    from unweave.studies import load_study
    from unweave.studies.folder import check_same_study

    set_loggers(log)
    part = _parsed_shard(shard)
    if address and engine != "ray":
        raise ValueError("--address is of a Ray cluster: add --engine ray")
    chosen = load_study(name, most_runs=None if yes else MOST_RUNS)
    folder = out or Path("studies") / chosen.name
    if dry_run:
        check_same_study(chosen, folder, mend=False)
        print_plan(chosen, workers, shard=part)
        return
    place = None
    if engine == "ray":
        from unweave.studies.execution.ray_engine import Placement

        place = Placement(address=address, cpus=cpus, gpus=gpus)
    run_and_report(chosen, folder, workers, shard=part, ray=place)


def print_plan(chosen: BaseStudy, workers: int | None, *, shard: tuple[int, int] = (0, 1)) -> None:
    """What a study, or a shard of it, will take."""
    from unweave.studies.execution.resources import n_workers

    first, n_shards = shard
    title = f"Plan of {chosen.name}" + ("" if n_shards == 1 else f", shard {first}/{n_shards}")
    runs = chosen.descriptions[first::n_shards]
    measured: dict[str, str] = {}
    if runs:
        with patience("timing a few steps of each kind of run"):
            measured = chosen.plan(workers=workers or n_workers(runs), shard=shard)
    counted = {"size": chosen.size}
    if n_shards > 1:
        counted["runs of the shard"] = f"{len(runs):,}"
    if measured:
        title += ", timed on this machine"
    rows = [[what, how_much] for what, how_much in (measured or counted).items()]
    print_table(title, ["what", "how much"], rows)


def run_and_report(
    chosen: BaseStudy,
    folder: Path,
    workers: int | None,
    *,
    shard: tuple[int, int] = (0, 1),
    ray: Placement | None = None,
) -> None:
    """Run a study in its folder, write its table and its report, and say what failed.

    The program ends with code 1 if a run failed, and with 130 if it was interrupted.
    """
    from unweave.reports import write_report
    from unweave.studies import build_table, run_study, write_table

    try:
        with progress_bar() as report:
            failures = run_study(
                chosen, folder, workers=workers, progress=report, shard=shard, ray=ray
            )
    except KeyboardInterrupt:
        say(f"interrupted: the same command resumes in {folder}", style="yellow")
        sys.exit(130)
    table = build_table(chosen, folder)
    if table.height:
        write_table(table, folder)
        report_file = write_report(chosen, folder)
        print_line(f"report: {report_file}")
    for key, reason in failures.items():
        say(f"run {key} failed: {reason}", style="red")
    if failures:
        sys.exit(1)


@study.command(name="list")
def study_list(*, json: Json = False) -> None:  # noqa: A002
    """The shipped studies.

    Parameters
    ----------
    json
        Print JSON instead of a table.
    """
    from unweave.studies.catalogue import shipped_catalogue

    found = shipped_catalogue()
    if json:
        print_json({"studies": [vars(one) for one in found]})
        return
    print_texts(
        None, ("study", "size", "question"), [(one.name, one.size, one.question) for one in found]
    )


@study.command(name="show")
def study_show(name: str, /) -> None:
    """Print a shipped study's file, to be copied and changed.

    Parameters
    ----------
    name
        A shipped study.
    """
    from importlib import resources

    from unweave._check import check_choice
    from unweave.studies.catalogue import shipped_catalogue

    check_choice("study", name, [one.name for one in shipped_catalogue()])
    print(
        (resources.files("unweave.studies") / "shipped" / f"{name}.toml").read_text(
            encoding="utf-8"
        ),
        end="",
    )


@study.command(name="slurm")
def study_slurm(
    name: str,
    /,
    *,
    out: Path,
    jobs: Annotated[int, within(1, 100_000)],
    cores: Annotated[int, within(1, 4096)] = 1,
    hours: Annotated[int, within(1, 100_000)] = 24,
    gpus: Annotated[int, within(0, 4096)] = 0,
    partition: str | None = None,
    yes: Flag = False,
) -> None:
    """Print a script for sbatch that runs a study as an array of jobs.

    Parameters
    ----------
    name
        A shipped study or a TOML file.
    out
        Folder of the results, which all nodes see.
    jobs
        Jobs in the array, each with its share of the runs.
    cores
        Cores of each job.
    hours
        Time limit of each job.
    gpus
        GPUs of each job.
    partition
        Partition that the jobs are queued in.
    yes
        Write a script for a study of more than 10,000 runs, which is refused otherwise.
    """
    from unweave.studies import load_study
    from unweave.studies.execution.slurm import slurm_script
    from unweave.studies.folder import check_same_study

    chosen = load_study(name, most_runs=None if yes else MOST_RUNS)
    check_same_study(chosen, out, mend=False)
    script = slurm_script(
        name, chosen.name, out,
        jobs=jobs, cores=cores, hours=hours, gpus=gpus, partition=partition, yes=yes,
    )  # fmt: skip
    print(script, end="")


@study.command(name="report")
def study_report(folder: Path, /, *, trust: Trusted | None = None) -> None:
    """Write a study's report again from the runs that are finished.

    Parameters
    ----------
    folder
        Folder of the study.
    trust
        Classes from outside unweave that the study names, as package.module:Class. They are
        imported, which runs their code.
    """
    from unweave.reports import write_report
    from unweave.studies import open_study

    print_line(f"report: {write_report(open_study(folder, trust=trust or ()), folder)}")


def _parsed_shard(text: str) -> tuple[int, int]:
    first, slash, second = text.partition("/")
    if not (slash and first.isdigit() and second.isdigit() and int(first) < int(second)):
        raise ValueError(f"--shard is i/n with i from 0 to n - 1, as 0/8 or 7/8, not {text!r}")
    return int(first), int(second)
