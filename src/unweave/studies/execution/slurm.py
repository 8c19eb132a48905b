"""Studies on a cluster that Slurm shares: the script of an array of jobs."""

from __future__ import annotations

import shlex
import unicodedata
from pathlib import Path

from unweave._check import check_positive
from unweave.studies.execution.resources import RUNS_ON_A_GPU

__all__ = ["slurm_script"]

_SCRIPT = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --array=0-{last}
#SBATCH --cpus-per-task={cores}
#SBATCH --time={hours:02d}:00:00
#SBATCH --output={log}
{gpus}{partition}#SBATCH --requeue
# An interrupted job resumes where it was. When all are done:
#     unweave study report {out}
set -euo pipefail
export OMP_NUM_THREADS=1
exec {command}
"""


def slurm_script(
    study: str,
    name: str,
    out: str | Path,
    *,
    jobs: int,
    cores: int = 1,
    hours: int = 24,
    gpus: int = 0,
    partition: str | None = None,
    yes: bool = False,
) -> str:
    """A script for ``sbatch`` that runs a study as an array of jobs in one shared folder.

    Parameters
    ----------
    study
        Name of a shipped study, or its file, as the jobs see it.
    name
        Name of the jobs.
    out
        Folder of the results, which all nodes see.
    jobs
        Jobs in the array; each does every ``jobs``-th run.
    cores
        Cores of each job. Runs execute in parallel, a core each; four of them share a GPU.
    hours
        Limit of a job.
    gpus
        Number of GPUs of each job.
    partition
        Where the jobs go, if not where they go by default.
    yes
        Whether the jobs run a study of more runs than are run unasked.

    Raises
    ------
    ValueError
        If a name or path has a line break or another control character, which would end a line of
        the script; or a number is below 1 (``gpus`` below 0).
    """
    texts = {"study": study, "name": name, "out": str(out), "partition": partition or ""}
    for what, text in texts.items():
        if any(unicodedata.category(character) == "Cc" for character in text):
            raise ValueError(
                f"{what} {text!r} has a line break or another control character, which a script "
                "for Slurm cannot hold: rename it"
            )
    numbers = {"jobs": (jobs, 1), "cores": (cores, 1), "hours": (hours, 1), "gpus": (gpus, 0)}
    for what, (number, least) in numbers.items():
        check_positive(what, number, minimum=least)
    parts = [
        "unweave study",
        shlex.quote(study),
        "--out",
        shlex.quote(str(out)),
        f"--workers {min(cores, RUNS_ON_A_GPU * gpus) if gpus else cores}",
        f'--shard "$SLURM_ARRAY_TASK_ID/{jobs}"',
        *(["--yes"] if yes else []),
    ]
    # Slurm reads quotes as a shell does, and fills in what follows a per cent sign.
    log = str(Path(str(out).replace("%", "%%")) / "slurm-%a.log")
    return _SCRIPT.format(
        command=" ".join(parts),
        name=shlex.quote(f"unweave-{name}"),
        last=jobs - 1,
        cores=cores,
        hours=hours,
        log=shlex.quote(log),
        gpus=f"#SBATCH --gpus={gpus}\n" if gpus else "",
        partition=f"#SBATCH --partition={shlex.quote(partition)}\n" if partition else "",
        out=shlex.quote(str(out)),
    )
