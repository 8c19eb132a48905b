"""Claims: encoding a dataset costs within 5 % of the bare network's forward pass on the same
batches, and memory does not grow with the number of images.

The bare pass gets batches that lie ready in memory, in the layout that the encoder uses. What is
compared is the processor time of the whole process, so that others at work on the machine do not
count; both are run in turns. Peak memory is that of a fresh process for each number of images.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from unweave._memory import keep_freed_memory
from unweave.datasets import DSprites
from unweave.encoders import encode_rows, load_encoder

BATCH = 64


def bare_forward(encoder, batches):
    with torch.inference_mode():
        for batch in batches:
            encoder.module(batch)


def throughput(name, n_batches, rounds):
    dataset = DSprites()
    encoder = load_encoder(name, dataset=dataset)
    images = dataset.images(np.arange(BATCH) * 9_973)
    batch = encoder.card.preprocessing(torch.from_numpy(images))
    batches = [batch.contiguous(memory_format=torch.channels_last)] * n_batches
    bare_forward(encoder, batches[:1])
    ratios, speeds = [], []
    for i in range(rounds):
        start = time.process_time()
        bare_forward(encoder, batches)
        bare = time.process_time() - start
        rows = dataset.sample_indices(BATCH * n_batches, seed=i)
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            encode_rows(encoder, dataset, rows, batch_size=BATCH, folder=Path(folder))
            ours = time.process_time() - start
        ratios.append(ours / bare)
        speeds.append(len(rows) / ours)
    print(
        f"{name:16} {np.median(speeds):6.1f} images per CPU-second; encoding / bare forward: median"
        f" {np.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f} in {rounds} rounds"
    )


def peak(n_rows):
    """Print the peak memory of encoding so many rows, in MiB; called in a process of its own."""
    dataset = DSprites()
    with tempfile.TemporaryDirectory() as folder:
        encode_rows(load_encoder("pixels"), dataset, np.arange(n_rows), folder=Path(folder))
    # Not getrusage: a child begins with its parent's peak there.
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    if options.peak:
        peak(options.peak)
        return
    for name in ("lite:0", "lite:2"):
        throughput(name, options.batches, options.rounds)
    for n_rows in (2_000, 8_000, 32_000):
        command = [sys.executable, __file__, "--peak", str(n_rows)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        held = n_rows * 4096 * 4 / 2**20
        print(f"{n_rows:6,} images, {held:5.0f} MiB of codes: peak {float(printed):.0f} MiB")


if __name__ == "__main__":
    main()
