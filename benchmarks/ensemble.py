"""Many small models together against one after the other, in one process, alternating.

Together, the members are one model with one more dimension (`torch.func.vmap`); on a processor
the alternative is a process for each core, which takes no longer than one after the other shared
by the cores. Printed: seconds for a step of all members, and the ratio, above 1 where together is
faster. On a GPU give it as the first argument. Run:
    python benchmarks/ensemble.py [cpu|cuda] [ROUNDS]
"""

import statistics
import sys
import time

import torch

from unweave._memory import keep_freed_memory
from unweave.datasets import DSprites
from unweave.models import Network, build_vae
from unweave.models.objectives import BetaVAE
from unweave.training import Member, TrainingConfig, train, train_ensemble

STEPS, SKIPPED = 12, 4
SIZES = {"a quarter of the width": 0.25, "full width": 1.0}
COUNTS = (2, 8)


class Clock:
    def __init__(self, device: str) -> None:
        self.device, self.marks = device, []

    def __call__(self, step: int) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()
        self.marks.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        return (self.marks[-1] - self.marks[SKIPPED - 1]) / (STEPS - SKIPPED)


def together(network: Network, members: list[Member], config: TrainingConfig, device: str) -> float:
    clock = Clock(device)
    train_ensemble(network, members, DATASET, config, together=True, at_step=clock)
    return clock.seconds


def one_by_one(
    network: Network, members: list[Member], config: TrainingConfig, device: str
) -> float:
    total = 0.0
    for member in members:
        clock = Clock(device)
        model = build_vae(network, DATASET.image_shape, seed=member.seed)
        train(model, member.objective, DATASET, config, at_step=clock)
        total += clock.seconds
    return total


def main() -> None:
    device = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    keep_freed_memory()
    torch.set_num_threads(1)
    config = TrainingConfig(steps=STEPS, accelerator=device)
    for label, width in SIZES.items():
        network = Network(width=width)
        for n in COUNTS:
            members = [Member(BetaVAE(beta=1 + i), i) for i in range(n)]
            pairs = [
                (
                    one_by_one(network, members, config, device),
                    together(network, members, config, device),
                )
                for _ in range(rounds)
            ]
            alone, joined = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratios = sorted(a / b for a, b in pairs)
            print(
                f"{n} members, {label}: one by one {alone:.3f} s a step of all, together "
                f"{joined:.3f} s, ratio {statistics.median(ratios):.2f} "
                f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
            )


DATASET = DSprites().prepare()  # else drawing takes longer than training on a GPU

if __name__ == "__main__":
    main()
