"""Means of the terms of a loss between two points of the learning curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from unweave.models.objectives import Terms

__all__ = ["Means"]


class Means:
    """Running sums of the terms, on the device, so that no step waits to read a number."""

    def __init__(self, device: torch.device, others: Sequence[str], n_latents: int) -> None:
        self._names = ("loss", "reconstruction", *others)
        self._others = others
        n = len(self._names) + n_latents
        self._sums = torch.zeros(n, device=device, dtype=torch.float64)
        self._n = 0

    def add(self, terms: Terms) -> None:
        """The terms of one more step."""
        others = [terms.others[name][None] for name in self._others]
        values = [terms.loss[None], terms.reconstruction[None], *others, terms.rates]
        self._sums += torch.cat([v.detach() for v in values])
        self._n += 1

    def take(self) -> tuple[dict[str, float], list[float]]:
        """The means by name, and the KL of each latent; then start again from zero."""
        values = (self._sums / self._n).tolist()
        self._sums.zero_()
        self._n = 0
        n = len(self._names)
        return dict(zip(self._names, values[:n], strict=True)), values[n:]

    def sums(self) -> dict[str, Any]:
        """What :meth:`restore` needs, for JSON; nothing where a number is not finite."""
        values = self._sums.tolist()
        return {"n": self._n, "sums": values} if all(map(math.isfinite, values)) else {}

    def restore(self, sums: Mapping[str, Any]) -> None:
        """Continue from sums that were saved."""
        self._sums.copy_(torch.tensor(sums["sums"], dtype=torch.float64))
        self._n = int(sums["n"])
