"""Images of three datasets in a second, against what a training step needs: less than 5 % of it.

Random batches of 64 of `rooms`, of a folder of PNGs (decoded once, then cached) and of dSprites
(prepared, bits packed), as training reads them, beside steps of the Burgess VAE trained on the same
images, on one thread. Rounds alternate, and each gives a ratio. Times are CPU seconds of this
process, so that others on the machine count little. Also printed: what it costs once. Run:
    python benchmarks/data.py [ROUNDS]
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from PIL import Image

from unweave._memory import keep_freed_memory
from unweave.datasets import DSprites, ImageDataset, Rooms
from unweave.datasets.own.files import ImageFiles
from unweave.models import Network, build_vae
from unweave.models.objectives import VAE
from unweave.training import TrainingConfig, train

BATCH, STEPS, BATCHES, FILES = 64, 8, 40, 2_000
LIMIT = 0.05  # of a step


class Source:
    """A dataset, and a model that is trained on it."""

    def __init__(self, name: str, dataset: ImageDataset) -> None:
        self.name, self.dataset = name, dataset
        self.model = build_vae(Network(), dataset.image_shape, seed=0)
        self.batch_seconds: list[float] = []
        self.step_seconds: list[float] = []

    def run(self, seed: int) -> None:
        """One round: steps, then batches."""
        marks: list[float] = []
        config = TrainingConfig(steps=STEPS + 1, batch_size=BATCH, seed=seed, accelerator="cpu")
        train(
            self.model,
            VAE(),
            self.dataset,
            config,
            at_step=lambda _: marks.append(time.process_time()),
        )
        self.step_seconds.append((marks[-1] - marks[0]) / STEPS)
        rng = np.random.default_rng(seed)
        batches = rng.integers(0, len(self.dataset), (BATCHES, BATCH))
        start = time.process_time()
        for rows in batches:
            self.dataset.stored(rows)
        self.batch_seconds.append((time.process_time() - start) / BATCHES)

    def print(self) -> bool:
        """What was measured; whether it keeps to the limit."""
        shares = sorted(b / s for b, s in zip(self.batch_seconds, self.step_seconds, strict=True))
        batch, step = statistics.median(self.batch_seconds), statistics.median(self.step_seconds)
        share = statistics.median(shares)
        print(
            f"{self.name}: {BATCH / batch:,.0f} images per CPU second; a batch {1000 * batch:.2f} "
            f"ms, a step {1000 * step:.0f} ms: {100 * share:.2f} % "
            f"(from {100 * shares[0]:.2f} to {100 * shares[-1]:.2f})"
        )
        return share < LIMIT


def prepared(name: str, dataset: ImageDataset) -> Source:
    start = time.process_time()
    dataset.prepare()
    dataset.stored(np.arange(len(dataset))[:BATCH])
    seconds = time.process_time() - start
    print(f"{name}: prepared once in {seconds:.1f} CPU s")
    return Source(name, dataset)


def folder_of_files(folder: Path, rooms: Rooms) -> list[Path]:
    folder.mkdir()
    files = [folder / f"{i:04}.png" for i in range(FILES)]
    for file, image in zip(files, rooms.images(rooms.sample_indices(FILES, seed=0)), strict=True):
        Image.fromarray(image).save(file)
    return files


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    torch.set_num_threads(1)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["UNWEAVE_CACHE"] = f"{folder}/cache"
        rooms = Rooms()
        rooms.images([0])  # compiles
        sources = [
            prepared("rooms", rooms),
            prepared(
                f"folder of {FILES:,} PNGs",
                ImageFiles(folder_of_files(Path(folder) / "images", rooms), size=64),
            ),
            prepared("dSprites, packed", DSprites()),
        ]
        for source in sources:
            source.run(rounds)  # warms up
            source.batch_seconds.clear()
            source.step_seconds.clear()
        for seed in range(rounds):
            for source in sources:
                source.run(seed)
        print(f"median of {rounds} rounds, batches of {BATCH}, one thread:")
        kept = [source.print() for source in sources]
    slow = [source.name for source, good in zip(sources, kept, strict=True) if not good]
    print(
        f"all below the limit of {100 * LIMIT:.0f} % of a step"
        if not slow
        else f"above the limit of {100 * LIMIT:.0f} % of a step: {', '.join(slow)}"
    )


if __name__ == "__main__":
    main()
