"""When a run ends: after so many steps, or so much processor time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from unweave._settings import TrainingConfig

__all__ = ["Budget"]


class Budget:
    """What a run has used of its steps or of its processor time.

    Processor time is that of the process with all its threads, as the operating system counts it,
    within training steps: drawing a batch, the passes through the networks, the optimisers. Scores,
    pictures, checkpoints, loading and the trial of precisions do not count. Steps that were lost
    when a run was killed do not count either: they come again. The run ends with the first step at
    whose end the budget is used up.

    Parameters
    ----------
    config
        Whose ``steps`` or ``cpu_minutes`` are the budget.
    steps, cpu_seconds
        What was used before.
    """

    def __init__(self, config: TrainingConfig, steps: int = 0, cpu_seconds: float = 0.0) -> None:
        self.steps = steps
        self.cpu_seconds = cpu_seconds
        self._most_steps = config.steps
        self._most_seconds = 60 * config.cpu_minutes if config.cpu_minutes is not None else 0.0

    @property
    def share(self) -> float:
        """Part of the budget that is used, in [0, 1]."""
        if self._most_steps is not None:
            return self.steps / self._most_steps
        return min(1.0, self.cpu_seconds / self._most_seconds)

    @property
    def is_spent(self) -> bool:
        """Whether it is used up."""
        return self.share >= 1

    @property
    def work(self) -> int:
        """What is used, for a progress bar: steps, or whole seconds, at least 1."""
        return self.steps if self._most_steps is not None else max(1, int(self.cpu_seconds))

    @contextmanager
    def one_step(self) -> Iterator[int]:
        """A step, whose number is given and whose processor time counts."""
        start = time.process_time()
        yield self.steps
        self.cpu_seconds += time.process_time() - start
        self.steps += 1
