"""How a trained model is scored, and its scores."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field, field_validator

from unweave._bounds import MOST_ROWS
from unweave.datasets import ImageDataset
from unweave.datasets.selection import rows_of, scoring_rows
from unweave.metrics import Noise
from unweave.metrics.catalogue import check_form
from unweave.models import VAE
from unweave.studies.base import MOST_DRAWS, Frozen
from unweave.studies.scoring import scorable

__all__ = ["Evaluation", "Scoring", "StudyMetric", "part_of", "score_model"]

_PIECE = 512  # images


def _known_metric(metric: str | dict[str, Any]) -> str | dict[str, Any]:
    check_form(metric)
    return metric


StudyMetric = Annotated[str | dict[str, Any], AfterValidator(_known_metric)]
"""A metric in a study file: a short name, a table of a name and options, or
``package.module:MyMetric``, which is imported where a run is scored and not before."""


class Scoring(Frozen):
    """How codes are scored, whatever made them."""

    rows: int = Field(default=10_000, ge=100, le=MOST_ROWS)
    """Rows drawn over the whole dataset, the same ones for every model; all if there are fewer."""
    seed: int = Field(default=0, ge=0)
    """Seed for drawing rows, and of all draws of the metrics."""
    metrics: tuple[StudyMetric, ...] = ("mig", "sap")
    """Short names (`unweave metrics`), tables of a name and options, or package.module:MyMetric."""
    n_permutations: int = Field(default=100, ge=2, le=MOST_DRAWS)
    """Permutations for the chance level and the p-value."""
    n_projections: int = Field(default=20, ge=2, le=MOST_DRAWS)
    """Random projections and random smooth features of the factors."""
    n_halves: int = Field(default=50, ge=2, le=MOST_DRAWS)
    """Random halves for the interval."""

    @property
    def noise(self) -> Noise:
        """The draws of each score."""
        return Noise(self.n_permutations, self.n_projections, self.n_halves)


Images = Literal["all", "training", "unseen"]


class Evaluation(Scoring):
    """How a model is scored at a milestone."""

    images: tuple[Images, ...] = Field(default=("all",), exclude_if=lambda parts: parts == ("all",))
    """On which images: all of the dataset, those that it was trained on, or the others. ``rows``
    are drawn from each. The scores of a part are named after it, as ``mig(images=unseen)``; those
    of all images are ``mig``."""

    @field_validator("metrics")
    @classmethod
    def _some(cls, metrics: tuple[StudyMetric, ...]) -> tuple[StudyMetric, ...]:
        if not metrics:
            raise ValueError("metrics are empty: name at least one, as mig")
        return metrics

    @field_validator("images")
    @classmethod
    def _distinct(cls, images: tuple[Images, ...]) -> tuple[Images, ...]:
        if not images or len(set(images)) < len(images):
            raise ValueError(
                f"images are {list(images)}: name at least one of all, training and unseen, and "
                "each once"
            )
        return images

    @property
    def metric_names(self) -> list[str]:
        """The names, without options."""
        return [m if isinstance(m, str) else m["name"] for m in self.metrics]


def part_of(key: str) -> str:
    """The part of the images that the score with this key is of."""
    return key.rpartition("images=")[2].rstrip(")") if "images=" in key else "all"


def score_model(
    model: VAE, dataset: ImageDataset, evaluation: Evaluation, *, seen: np.ndarray | None = None
) -> dict[str, Any]:
    """The study's metrics of the model's codes, and the nats of each latent.

    These are under ``kl_per_latent``, or ``entropy_per_latent`` of quantised latents. Under
    ``squared_error`` is that of the reconstructions from the codes, by part of the images: the mean
    over numbers from 0 to 1 that make up an image.

    For images without factors, the metrics that need none are computed. ``scores_left_out`` holds
    sentences that say which scores are left out and why, where some are.

    Parameters
    ----------
    model
        A trained model.
    dataset
        All images.
    evaluation
        How it is scored.
    seen
        Rows of the images that it was trained on; by default all.
    """
    metrics: dict[str, Any] = {}
    rates: dict[str, Any] = {}
    errors: dict[str, float] = {}
    left_out: list[str] = []
    for part in evaluation.images:
        own = rows_of(dataset, seen, part)
        if own is None:
            left_out.append("scores of unseen images left out: all images are training images")
            continue
        rows = scoring_rows(own, evaluation.rows, seed=evaluation.seed)
        images = own.images(rows)
        codes, nats = model.encode_with_rates(images)
        scored = scorable(own, rows, evaluation.metrics).score(
            codes, noise=evaluation.noise, seed=evaluation.seed, groups=model.groups
        )
        metrics |= {_key(key, part): one for key, one in scored.scores.to_dict().items()}
        rates.setdefault(f"{model.latent_space.rate}_per_latent", nats.tolist())
        errors[part] = _squared_error(model, codes, images)
        left_out += scored.left_out
    if not rates:  # no part has an image; what latents hold is said all the same
        images = dataset.images(scoring_rows(dataset, evaluation.rows, seed=evaluation.seed))
        nats = model.encode_with_rates(images)[1]
        rates[f"{model.latent_space.rate}_per_latent"] = nats.tolist()
    found = {"metrics": metrics, **rates, "squared_error": errors}
    return {**found, "scores_left_out": list(dict.fromkeys(left_out))} if left_out else found


def _key(metric: str, part: Images) -> str:
    if part == "all":
        return metric
    name, _, options = metric.partition("(")
    return f"{name}({options.rstrip(')')}, images={part})" if options else f"{name}(images={part})"


def _squared_error(model: VAE, codes: np.ndarray, images: np.ndarray) -> float:
    """Mean over rows, pixels and channels, in pieces that fit into memory."""
    pieces = range(0, len(codes), _PIECE)
    sums = (
        np.square(
            model.decode(codes[i : i + _PIECE]).astype(np.float32) - images[i : i + _PIECE]
        ).sum(dtype=np.float64)
        for i in pieces
    )
    return float(sum(sums) / images.size / 255**2)
