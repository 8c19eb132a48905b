"""Training throughput against a plain PyTorch loop over a DataLoader, one thread, alternating.

The plain loop is what the peers do: a `DataLoader` over a NumPy array of images, contiguous
layout, Adam as it comes, the loss read with `.item()` every step. Both train the Burgess network
on the same images at the same batch size, each in a process of its own, because ours also sets how
the process keeps freed memory. Ours is timed in float32 and in the precision that `auto` chooses on
this machine. Also printed: which share of the machine's rate of matrix multiplication the step in
float32 reaches, and where the time of both goes. Run:
    python benchmarks/training_step.py [ROUNDS]
"""

import multiprocessing
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader, Dataset

from unweave._memory import keep_freed_memory
from unweave.datasets import DSprites
from unweave.models import Network, build_vae
from unweave.models.objectives import VAE
from unweave.training import TrainingConfig, train
from unweave.training.compute import step_flops
from unweave.training.precision import choose_precision

BATCH, STEPS = 64, 12
ROWS = 20_000


class ArrayDataset(Dataset):
    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> torch.Tensor:
        return torch.from_numpy(self.images[i].astype(np.float32)).unsqueeze(0)


class PlainLoop:
    """The way of the peers."""

    def __init__(self, images: np.ndarray) -> None:
        self.model = build_vae(Network(), (64, 64, 1), seed=0)
        for parent in (self.model.encoder, self.model.decoder):
            for layer in parent:
                if isinstance(layer, torch.nn.ReLU):
                    layer.inplace = False
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=5e-4)
        loader = DataLoader(ArrayDataset(images), batch_size=BATCH, shuffle=True, drop_last=True)
        self.batches = iter(loader)

    def run(self) -> float:
        start = time.process_time()
        for _ in range(STEPS):
            images = next(self.batches)
            mean, log_variance = self.model.encoder(images).chunk(2, dim=1)
            latents = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
            outputs = self.model.decoder(latents)
            reconstruction = F.binary_cross_entropy_with_logits(outputs, images, reduction="sum")
            kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
            loss = (reconstruction + kl) / BATCH
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss.item()
        return STEPS / (time.process_time() - start)


class Ours:
    def __init__(self, dataset: DSprites, precision: str) -> None:
        self.dataset = dataset
        self.model = build_vae(Network(), (64, 64, 1), seed=0)
        asked = TrainingConfig(batch_size=BATCH, accelerator="cpu", precision=precision)
        self.precision = choose_precision(self.model, VAE(), dataset, asked)

    def run(self) -> float:
        marks: list[float] = []
        config = TrainingConfig(
            steps=STEPS + 1, batch_size=BATCH, accelerator="cpu", precision=self.precision
        )
        train(
            self.model,
            VAE(),
            self.dataset,
            config,
            at_step=lambda _: marks.append(time.process_time()),
        )
        return STEPS / (marks[-1] - marks[0])


def matmul_rate() -> float:
    a = torch.randn(1024, 1024)
    start = time.process_time()
    for _ in range(5):
        a @ a
    return 5 * 2 * 1024**3 / (time.process_time() - start)


_loop: PlainLoop | Ours | None = None


def prepare(kind: str) -> None:
    global _loop
    torch.set_num_threads(1)
    dataset = DSprites()
    if kind != "plain":
        keep_freed_memory()
        _loop = Ours(dataset, kind)
    else:
        images = dataset.images(dataset.sample_indices(ROWS, seed=0))[..., 0]
        _loop = PlainLoop((images // 255).astype(np.uint8))
    _loop.run()


def run() -> float:
    assert _loop is not None
    return _loop.run()


def chosen_precision() -> str:
    assert isinstance(_loop, Ours)
    return _loop.precision


def where_the_time_goes() -> list[tuple[float, str]]:
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        run()
    events = profiler.key_averages()
    total = sum(e.self_cpu_time_total for e in events)
    ranked = sorted(events, key=lambda e: -e.self_cpu_time_total)[:8]
    return [(100 * e.self_cpu_time_total / total, e.key) for e in ranked]


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    model = build_vae(Network(), (64, 64, 1), seed=0)
    flops = step_flops(model, VAE(), batch_size=BATCH)
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, context, prepare, ("plain",)) as plain,
        ProcessPoolExecutor(1, context, prepare, ("32-true",)) as ours,
        ProcessPoolExecutor(1, context, prepare, ("auto",)) as auto,
    ):
        rates = [
            (
                plain.submit(run).result(),
                ours.submit(run).result(),
                auto.submit(run).result(),
                ours.submit(matmul_rate).result(),
            )
            for _ in range(rounds)
        ]
        chosen = auto.submit(chosen_precision).result()
        shares = {
            "32-true": ours.submit(where_the_time_goes).result(),
            f"auto ({chosen})": auto.submit(where_the_time_goes).result(),
        }
    slow, fast, fastest, matmul = (statistics.median(column) for column in zip(*rates, strict=True))
    print(
        f"steps per CPU second, median of {rounds} rounds: plain {slow:.2f}, float32 {fast:.2f}, "
        f"auto ({chosen}) {fastest:.2f}"
    )
    print_ratio("float32", [row[1] / row[0] for row in rates], asked="at least 1.3")
    print_ratio(
        f"auto ({chosen})",
        [row[2] / row[0] for row in rates],
        asked="at least 2.2 where the processor has AMX",
    )
    print(
        f"a step is {flops / 1e9:.2f} GFLOP: in float32 {flops * fast / 1e9:.0f} GFLOP/s, "
        f"{100 * flops * fast / matmul:.0f} % of the {matmul / 1e9:.0f} GFLOP/s of a 1024 x 1024 "
        "matrix product"
    )
    for name, own in shares.items():
        print(f"where the time goes in {name}:")
        for share, event in own:
            print(f"  {share:5.1f} %  {event}")


def print_ratio(name: str, ratios: list[float], *, asked: str) -> None:
    middle = statistics.median(ratios)
    print(
        f"{name}: {middle:.2f} times the plain loop (from {min(ratios):.2f} to {max(ratios):.2f}); "
        f"{asked} was asked for"
    )


if __name__ == "__main__":
    main()
