"""What the engines add to the work of a study: 200 runs of half a second on two workers.

Beside a bare pool of as many processes, which sleeps the same, with and without the imports that a
worker of a study has to make. Printed: seconds, and the share over the bare pool. Run:
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


def imports() -> None:
    import unweave.studies  # noqa: F401


def bare(n: int, initializer=None) -> float:
    start = time.perf_counter()
    with ProcessPoolExecutor(WORKERS, get_context("spawn"), initializer) as pool:
        list(pool.map(nap, range(n)))
    return time.perf_counter() - start


def ours(n: int, *, on_ray: bool = False) -> float:
    from naps import Naps

    from unweave.studies.engine import run_study
    from unweave.studies.ray_engine import Placement

    study = Naps(name="naps", title="Naps", question="", n=n, seconds=SECONDS)
    ray = Placement() if on_ray else None
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        assert run_study(study, Path(folder), workers=WORKERS, ray=ray) == {}
        return time.perf_counter() - start


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    ideal = bare(n)
    print(f"{n} runs of {SECONDS} s, {WORKERS} workers; bare pool: {ideal:.1f} s")
    for name, seconds in (
        ("bare pool with the imports", bare(n, imports)),
        ("local", ours(n)),
        ("ray", ours(n, on_ray=True)),
    ):
        print(f"{name}: {seconds:.1f} s, {100 * (seconds / ideal - 1):+.1f} %")


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # for Ray's workers
    main()
