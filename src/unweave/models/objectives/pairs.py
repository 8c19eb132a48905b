"""What objectives on pairs of images have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, cast

import numpy as np
import torch
from pydantic import Field, field_validator

from unweave.datasets import FactorDataset, GridDataset, ImageDataset
from unweave.datasets.selection import FactorSelection
from unweave.models.objectives.terms import Objective
from unweave.models.vae import Posterior

__all__ = ["PairObjective", "halves", "paired"]


class PairObjective(Objective):
    """An objective whose batches are pairs of images that share factors.

    Images 2i and 2i + 1 of a batch are a pair, so that the devices that share a batch get whole
    pairs. The batch size counts images: a batch of 128 has 64 pairs, which is what the papers call
    a batch of 64. Factors choose the pairs and are not seen beyond that: this is weak supervision.
    """

    is_weakly_supervised: ClassVar[bool] = True
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "training": {"batch_size": 128, "learning_rate": 1e-4}
    }
    """Settings of the papers: 64 pairs, and Adam at 1e-4."""
    n_changed: int | str | None = None
    """Factors that are redrawn in a pair (changes uniform and other): a number, random (1 to all
    but one; the default) or one_or_random, as :meth:`~unweave.datasets.FactorDataset.pairs` has
    them."""
    changes: Literal["uniform", "other", "laplace", "laplace_line"] = "uniform"
    """How a factor changes: to any level, to another level, or by a Laplace step, round the circle
    or along a line."""
    change_rate: float = Field(default=1.0, gt=0)
    """Inverse scale of Laplace steps; a larger one makes them smaller."""
    nuisances: Literal["redrawn", "shared"] = "redrawn"
    """Whether the images of a pair share the factors that are not scored."""

    @field_validator("n_changed", mode="before")
    @classmethod
    def _check_number(cls, value: Any) -> Any:
        if value is None or value in ("random", "one_or_random"):
            return value
        text = str(value)
        if isinstance(value, int | str) and text.isdecimal() and int(text) >= 1:
            return int(text)
        raise ValueError(
            f"n_changed must be a whole number from 1, 'random' or 'one_or_random', not {value!r}"
        )

    def check_batch_size(self, size: int) -> None:
        """Refuse a batch that leaves an image alone.

        Raises
        ------
        ValueError
            If it does.
        """
        if size < 2 or size % 2:
            raise ValueError(
                f"{self.name} sees images in pairs: it needs a batch of an even number of images "
                f"on each device, not {size}"
            )

    def check_dataset(self, dataset: ImageDataset) -> None:
        """Refuse a dataset that has no pairs.

        Raises
        ------
        ValueError
            If its factors are unknown or do not form a full grid, or the images of a pair would
            share none.
        """
        grid = dataset.dataset if isinstance(dataset, FactorSelection) else dataset
        if not (isinstance(dataset, FactorDataset) and isinstance(grid, GridDataset)):
            known = isinstance(dataset, FactorDataset)
            what = "is not a full grid of its factors" if known else "has no factors"
            raise ValueError(
                f"{self.name} trains on pairs of images that share factors, and {dataset.name} "
                f"{what}: use a full grid, as rooms or dsprites, or an objective that needs no "
                f"pairs: {', '.join(_without_labels())}"
            )
        if self.changes.startswith("laplace"):
            return
        factors = [f for f in dataset.factor_columns if f.name not in dataset.nuisances]
        n_factors = sum(factor.size > 1 for factor in factors)
        least = self.n_changed if isinstance(self.n_changed, int) else 1
        if least >= n_factors:
            raise ValueError(
                f"{self.name} with n_changed={self.n_changed!r} needs pairs of images that share "
                f"a factor, and {dataset.name} has {n_factors} that vary: change fewer factors, or "
                f"take an objective that needs no pairs: {', '.join(_without_labels())}"
            )

    def rows(
        self, dataset: ImageDataset, batch_size: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, None]:
        """Rows (batch_size,) of pairs, one after the other.

        Raises
        ------
        ValueError
            As :meth:`check_dataset` and :meth:`~unweave.datasets.FactorDataset.pairs`.
        """
        self.check_dataset(dataset)
        pairs = cast(FactorDataset, dataset).pairs(
            batch_size // 2,
            n_changed=self.n_changed,
            steps=self.changes,
            rate=self.change_rate,
            nuisances=self.nuisances,
            random_state=rng,
        )
        return np.stack([pairs.first, pairs.second], axis=1).ravel(), None


def halves(posterior: Posterior) -> tuple[Posterior, Posterior]:
    """Posteriors (n, latents) of the first and of the second images of n pairs.

    In single precision at least: KL divergences of close posteriors are differences of large terms.
    """
    least = torch.promote_types(posterior.mean.dtype, torch.float32)
    mean, log_variance = (numbers.to(least) for numbers in posterior)
    return Posterior(mean[::2], log_variance[::2]), Posterior(mean[1::2], log_variance[1::2])


def paired(first: Posterior, second: Posterior) -> Posterior:
    """Posteriors of a batch from those of the first and the second images of its pairs."""
    return Posterior(
        *(torch.stack(both, dim=1).flatten(0, 1) for both in zip(first, second, strict=True))
    )


def _without_labels() -> list[str]:
    """Names of the objectives that need no factors."""
    from unweave.models.objectives import OBJECTIVES

    return [
        name
        for name, objective in OBJECTIVES.items()
        if not (objective.is_supervised or objective.is_weakly_supervised)
    ]
