"""How a trained model is scored, and its scores."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator

from unweave._bounds import MOST_ROWS
from unweave.datasets import ImageDataset
from unweave.datasets.selection import scoring_rows
from unweave.metrics import Noise
from unweave.metrics.catalogue import check_form
from unweave.models import VAE
from unweave.studies.base import MOST_DRAWS, Frozen
from unweave.studies.scoring import scorable

__all__ = ["Evaluation", "Scoring", "StudyMetric", "score_model"]


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


class Evaluation(Scoring):
    """How a model is scored at a milestone."""

    @field_validator("metrics")
    @classmethod
    def _some(cls, metrics: tuple[StudyMetric, ...]) -> tuple[StudyMetric, ...]:
        if not metrics:
            raise ValueError("metrics are empty: name at least one, as mig")
        return metrics

    @property
    def metric_names(self) -> list[str]:
        """The names, without options."""
        return [m if isinstance(m, str) else m["name"] for m in self.metrics]


def score_model(model: VAE, dataset: ImageDataset, evaluation: Evaluation) -> dict[str, Any]:
    """The study's metrics of the model's codes, and the nats of each latent.

    These are under ``kl_per_latent``, or ``entropy_per_latent`` of quantised latents.

    For images without factors, the metrics that need none are computed. ``scores_left_out`` holds
    sentences that say which scores are left out and why, where some are.
    """
    rows = scoring_rows(dataset, evaluation.rows, seed=evaluation.seed)
    codes, rates = model.encode_with_rates(dataset.images(rows))
    scored = scorable(dataset, rows, evaluation.metrics).score(
        codes, noise=evaluation.noise, seed=evaluation.seed, groups=model.groups
    )
    found = {
        "metrics": scored.scores.to_dict(),
        f"{model.latent_space.rate}_per_latent": rates.tolist(),
    }
    return {**found, "scores_left_out": list(scored.left_out)} if scored.left_out else found
