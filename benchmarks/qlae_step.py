"""A training step of QLAE against one of the Burgess VAE, and where the time of both goes.

Colour images of 32 x 32 pixels in batches of 64, one thread, float32, CPU time, alternating in one
process. QLAE has the network of its defaults, with the style decoder and instance normalisation.
Run:
    python benchmarks/qlae_step.py [ROUNDS]
"""

import statistics
import sys
import time

import torch
from torch.profiler import ProfilerActivity, profile

from unweave._memory import keep_freed_memory
from unweave.datasets import load
from unweave.models import build_vae
from unweave.models.objectives import QLAE, VAE, Objective
from unweave.training import TrainingConfig, train

DATA = "rooms?size=32"
STEPS = 12
MOST_EVENTS = 10


class Trained:
    """A model, trained for some steps at a time."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.dataset = load(DATA)
        network = objective.default_network()
        self.model = build_vae(network, self.dataset.image_shape, seed=0)
        self.config = TrainingConfig.for_objective(
            objective, steps=STEPS + 1, accelerator="cpu", precision="32-true"
        )

    def run(self) -> float:
        """CPU seconds of a step; the first one is not counted."""
        marks: list[float] = []
        train(
            self.model,
            self.objective,
            self.dataset,
            self.config,
            at_step=lambda _: marks.append(time.process_time()),
        )
        return (marks[-1] - marks[0]) / STEPS

    def shares(self) -> list[tuple[float, str]]:
        """Percentages of the time, by operation, the largest first."""
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            self.run()
        events = profiler.key_averages()
        total = sum(event.self_cpu_time_total for event in events)
        ranked = sorted(events, key=lambda event: -event.self_cpu_time_total)
        return [(100 * e.self_cpu_time_total / total, e.key) for e in ranked[:MOST_EVENTS]]


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    torch.set_num_threads(1)
    keep_freed_memory()
    qlae, vae = Trained(QLAE()), Trained(VAE())
    for one in (qlae, vae):
        one.run()
    times = [(qlae.run(), vae.run()) for _ in range(rounds)]
    ratios = sorted(of_qlae / of_vae for of_qlae, of_vae in times)
    of_qlae, of_vae = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"CPU ms a step, median of {rounds}: QLAE {1e3 * of_qlae:.1f}, VAE {1e3 * of_vae:.1f}")
    print(
        f"QLAE takes {statistics.median(ratios):.2f} times the step of the Burgess VAE "
        f"(from {ratios[0]:.2f} to {ratios[-1]:.2f}); at most 2.0 was asked for"
    )
    for name, one in (("QLAE", qlae), ("VAE", vae)):
        print(f"where the time goes in {name}:")
        for share, event in one.shares():
            print(f"  {share:5.1f} %  {event}")


if __name__ == "__main__":
    main()
