"""What the engines add to the work of a study: 200 runs of half a second on two workers.

Beside a bare pool of as many processes, which sleeps the same. Ray, once with the cluster that it
starts for the study and once on one that is up. Printed: seconds, and the share over the bare pool.
Run:
    python benchmarks/engines.py [RUNS]
"""

import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

# A process of a pool imports this file: what is heavy is imported where it is used.
SECONDS, WORKERS = 0.5, 2


def nap(_: int) -> None:
    time.sleep(SECONDS)


def bare(n: int) -> float:
    start = time.perf_counter()
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        list(pool.map(nap, range(n)))
    return time.perf_counter() - start


def ours(n: int, *, on_ray: bool = False, address: str | None = None) -> float:
    from naps import Naps

    from unweave.studies.execution.engine import run_study
    from unweave.studies.execution.ray_engine import Placement

    study = Naps(name="naps", title="Naps", question="", n=n, seconds=SECONDS)
    ray = Placement(address=address) if on_ray else None
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        assert run_study(study, Path(folder), workers=WORKERS, ray=ray) == {}
        return time.perf_counter() - start


def on_running_cluster(n: int) -> float:
    from ray.cluster_utils import Cluster

    cluster = Cluster(True, head_node_args={"num_cpus": WORKERS, "include_dashboard": False})
    try:
        return ours(n, on_ray=True, address=cluster.address)
    finally:
        cluster.shutdown()


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    ideal = bare(n)
    print(f"{n} runs of {SECONDS} s, {WORKERS} workers; bare pool: {ideal:.1f} s")
    for name, seconds in (
        ("local", ours(n)),
        ("ray, with its start", ours(n, on_ray=True)),
        ("ray, on a running cluster", on_running_cluster(n)),
    ):
        print(f"{name}: {seconds:.1f} s, {100 * (seconds / ideal - 1):+.1f} %")


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # for Ray's workers
    main()
