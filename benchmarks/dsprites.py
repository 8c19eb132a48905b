"""Drawing and reading dSprites against the limits: 15 CPU seconds for all, 5 ms for 1,024 images.

Run:
    python benchmarks/dsprites.py
"""

import os
import resource
import statistics
import tempfile
import time

from unweave.datasets import DSprites


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["UNWEAVE_CACHE"] = folder
        dataset = DSprites()
        rows = dataset.sample_indices(1024, seed=0)
        dataset.images(rows)  # compiles
        start = time.process_time()
        dataset.prepare()
        seconds = time.process_time() - start
        print(
            f"all {len(dataset):,} images drawn and cached: {seconds:.1f} CPU s, "
            f"{seconds / 15:.2f} of the limit of 15"
        )
        batches = [dataset.sample_indices(1024, seed=seed) for seed in range(50)]
        times = []
        for batch in batches:
            start = time.perf_counter()
            dataset.images(batch)
            times.append(1000 * (time.perf_counter() - start))
        print(
            f"1,024 random images from the cache: median {statistics.median(times):.2f} ms, worst "
            f"{max(times):.2f} ms, {statistics.median(times) / 5:.2f} of the limit of 5"
        )
        uncached = []
        os.environ["UNWEAVE_CACHE"] = folder + "/none"
        fresh = DSprites()
        for batch in batches[:10]:
            start = time.perf_counter()
            fresh.images(batch)
            uncached.append(1000 * (time.perf_counter() - start))
        print(f"1,024 random images drawn on demand: median {statistics.median(uncached):.1f} ms")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory of this process: {peak:.0f} MB, mapped pages of the cache included")


if __name__ == "__main__":
    main()
