"""Studies of encoders that were not trained to disentangle, beside controls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from unweave._contents import Part
from unweave.datasets import ImageDataset, canonical, load
from unweave.encoders import PROTOCOLS, encode_rows, read_out
from unweave.encoders.encoding import ConstantCodesError
from unweave.encoders.loading import has_architecture
from unweave.encoders.protocols import Protocol, ProtocolError
from unweave.encoders.readouts import parse_readout
from unweave.metrics.catalogue import chosen
from unweave.metrics.comparison import scores_of_halves
from unweave.studies.base import (
    MOST_DRAWS,
    BaseStudy,
    Result,
    Seed,
    distinct,
)
from unweave.studies.columns import SCORE_COLUMNS, ScoreContent, score_cells
from unweave.studies.data import describe_data
from unweave.studies.encoded_run import (
    EncodedDescription,
    EncodedRun,
    EncoderChoices,
    TrainedHere,
)
from unweave.studies.evaluation import Scoring, StudyMetric
from unweave.studies.scoring import scorable
from unweave.training.description import content_identity

__all__ = ["EncoderDescription", "EncoderRun", "EncoderStudy"]

ProtocolName = Literal["sound", "paper"]


class EncoderScoring(Scoring):
    """How codes are scored; the rows are those of the sound protocol, the paper's has 1,000."""

    readouts: tuple[str, ...] = ("raw",)
    """Axes on which codes are scored: raw, pca:10, ica:10, varimax:10, sparse:128."""
    whole_metrics: tuple[StudyMetric, ...] = ()
    """Axis-independent metrics, computed on the raw codes in the sound protocol only."""
    n_halves: int = Field(default=50, ge=3, le=MOST_DRAWS)
    """Random halves for intervals and comparisons."""

    @field_validator("readouts")
    @classmethod
    def _parsed(cls, readouts: tuple[str, ...]) -> tuple[str, ...]:
        for readout in readouts:
            parse_readout(readout)
        return readouts


class EncoderDescription(EncodedDescription):
    """All that one encoder's scores depend on."""

    protocols: tuple[ProtocolName, ...]
    reading: EncoderScoring

    @property
    def may_use_gpu(self) -> bool:
        """It encodes on a GPU, where there is one."""
        return True

    @property
    def label(self) -> str:
        """Name of the encoder, whatever its seed."""
        if self.trained is None:
            assert self.encoder is not None
            return self.encoder.label
        objective = self.trained.objective
        strength = "" if objective.strength is None else f"({objective.strength:g})"
        return f"trained:{objective.full_name()}{strength}"

    def rows_of(self, protocol: Protocol) -> int:
        """How many rows are encoded."""
        return protocol.n_rows if protocol.first else self.reading.rows

    def run(self, folder: str | Path) -> EncoderRun:
        """The run that it describes, in a folder."""
        return EncoderRun(self, folder)

    @property
    def work(self) -> int:
        """Training steps and images."""
        images = sum(self.rows_of(PROTOCOLS[name]) for name in self.protocols)
        return images + (self.trained.work if self.trained else 0)


class EncoderStudy(BaseStudy):
    """Encoders, each in every protocol, with their random controls, as a TOML file states them."""

    kind: ClassVar = "encoders"
    file_key: ClassVar = "encoders"
    page_maker: ClassVar = "unweave.reports.encoders:encoders_page"

    dataset: str = "dsprites"
    """Which data: a name, a file or a folder (:mod:`unweave.datasets.names`)."""
    encoders: EncoderChoices = Field(min_length=1)
    """Names, or tables of a name and what is taken of it."""
    random_seeds: tuple[Seed, ...] = ()
    """For each, the same architecture of random weights is scored beside those that have one."""
    protocols: tuple[ProtocolName, ...] = Field(default=("sound",), min_length=1)
    """Which rows, and how they are shown."""
    reading: EncoderScoring = EncoderScoring()
    """How codes are scored."""
    trained: TrainedHere | None = None
    """Models trained here."""
    limits: str = ""
    """What these encoders can and cannot show, for the report."""

    @field_validator("trained", mode="before")
    @classmethod
    def _of_earlier_versions(cls, value: Any) -> Any:
        """Training had a learning rate alone."""
        if isinstance(value, dict) and "learning_rate" in value:
            value = dict(value)
            own = {"learning_rate": value.pop("learning_rate"), "precision": "32-true"}
            value["training"] = own | dict(value.get("training", {}))
        return value

    @field_validator("dataset")
    @classmethod
    def _known(cls, value: str) -> str:
        return canonical(value)

    def runs(self) -> list[EncoderDescription]:
        """One description an encoder, a seed and a trained model."""
        return distinct(self._all_runs())

    @property
    def size(self) -> str:
        """How much there is to do."""
        runs = self.descriptions
        steps = sum(run.trained.work for run in runs if run.trained)
        images = sum(run.work for run in runs) - steps
        trained = f", {steps:,} training steps" if steps else ""
        return f"{len(runs)} encoders, {images:,} images{trained}"

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Draw the data into the cache; refuse metrics that cannot be made."""
        chosen((*self.reading.metrics, *self.reading.whole_metrics))
        load(self.dataset).prepare(progress)

    def _all_runs(self) -> Iterator[EncoderDescription]:
        shared: dict[str, Any] = {
            "dataset": self.dataset,
            "protocols": self.protocols,
            "reading": self.reading,
        }
        for choice in self.encoders:
            yield EncoderDescription(encoder=choice, seed=self.reading.seed, **shared)
        for seed in self.random_seeds:
            for choice in filter(lambda e: has_architecture(e.name), self.encoders):
                control = choice.model_copy(
                    update={"name": f"random:{choice.name}", "weights": None, "download": False}
                )
                yield EncoderDescription(encoder=control, seed=seed, **shared)
        if self.trained is not None:
            for objective in self.trained.objectives:
                for seed in self.trained.seeds:
                    training = self.trained.described(self.dataset, objective, seed)
                    yield EncoderDescription(encoder=None, trained=training, seed=seed, **shared)


class _Read(Part):
    n_latents: int = 0
    scores: dict[str, ScoreContent] = {}


class _ByProtocol(Part):
    readouts: dict[str, _Read]


class _Card(Part):
    parameters: int | None
    parameters_in_all: int | None


class EncoderResult(Result):
    """What ``result.json`` of an encoder holds."""

    label: str
    card: _Card
    protocols: dict[str, _ByProtocol]
    identity: str | None = None


class EncoderRun(EncodedRun):
    """One encoder: its codes, and what they score in each protocol and on each readout."""

    description: EncoderDescription
    result_type: ClassVar = EncoderResult
    schema: ClassVar = {
        "run": pl.String,
        "encoder": pl.String,
        "seed": pl.Int64,
        "parameters": pl.Int64,
        "parameters_in_all": pl.Int64,
        "protocol": pl.String,
        "readout": pl.String,
        "n_latents": pl.Int64,
        "metric": pl.String,
        **SCORE_COLUMNS,
    }

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row for each protocol, readout and metric."""
        result = self.result()
        who = {
            "run": self.description.key,
            "encoder": result["label"],
            "seed": result["description"]["seed"],
            "parameters": result["card"]["parameters"],
            "parameters_in_all": result["card"]["parameters_in_all"],
        }
        for protocol, found in result["protocols"].items():
            for readout, read in found["readouts"].items():
                for metric, score in read.get("scores", {}).items():
                    yield {
                        **who,
                        "protocol": protocol,
                        "readout": readout,
                        "n_latents": read["n_latents"],
                        "metric": metric,
                        **score_cells(score),
                    }

    def compute(self, at_step: Callable[[int], None] | None) -> None:
        """Encode the rows of each protocol, and score each readout."""
        description = self.description
        dataset = load(description.dataset)
        identity = content_identity(dataset)
        done = 0

        def at_unit(units: int) -> None:
            if at_step:
                at_step(done + units)

        at_unit(1)
        encoder = self._encoder(dataset, at_unit)
        done = description.trained.work if description.trained else 0
        protocols: dict[str, Any] = {}
        for name in description.protocols:
            protocol = PROTOCOLS[name]
            n_rows = description.rows_of(protocol)
            try:
                rows = protocol.rows(dataset, n_rows, seed=description.reading.seed)
                codes = encode_rows(
                    encoder,
                    dataset,
                    rows,
                    unscaled=protocol.unscaled,
                    progress=lambda images, _: at_unit(images),
                )
            except (ConstantCodesError, ProtocolError) as error:  # blind to almost black images
                protocols[name] = {"readouts": {}, "skipped": f"{name} protocol: {error}"}
                continue
            finally:
                done += n_rows
            protocols[name] = _scored(codes, dataset, rows, description.reading, name == "sound")
            at_unit(0)
        if not any(found["readouts"] for found in protocols.values()):
            raise ValueError("; ".join(found["skipped"] for found in protocols.values()))
        result = {
            "label": description.label,
            "card": json.loads(json.dumps(encoder.card.to_dict())),
            "data": describe_data(dataset),
            "protocols": protocols,
        }
        if identity is not None:
            result["identity"] = identity
        self.write_result(result)


def _scored(
    codes: np.ndarray, dataset: ImageDataset, rows: np.ndarray, reading: EncoderScoring, whole: bool
) -> dict[str, Any]:
    """Scores of every readout; factors that never vary among the rows are left out."""
    found = scorable(dataset, rows, reading.metrics)
    readouts: dict[str, Any] = {}
    left_out = dict.fromkeys(found.left_out)
    for readout in reading.readouts:
        try:
            axes = read_out(codes, readout, seed=reading.seed)
        except ValueError as error:  # fewer latents than components, say: no reason to stop
            readouts[readout] = {"skipped": str(error)}
            continue
        metrics = dict(found.metrics)
        if whole and readout == "raw" and found.factors is not None:
            metrics |= chosen(reading.whole_metrics)
        scored = found.score(axes, noise=reading.noise, seed=reading.seed, metrics=metrics)
        left_out |= dict.fromkeys(scored.left_out)
        scores = scored.scores.to_dict()
        for score in scores.values():
            del score["matrix"]  # of a thousand latents: not for a result that is read often
        halves = scores_of_halves(
            axes,
            found.factors,
            metrics={key: one for key, one in found.metrics.items() if key in scores},
            n_halves=reading.n_halves,
            seed=reading.seed,
            **found.options,
        )
        readouts[readout] = {
            "n_latents": axes.shape[1],
            "scores": scores,
            "halves": {name: values.tolist() for name, values in halves.items()},
        }
    result = {"n_rows": len(rows), "factors": list(found.names), "readouts": readouts}
    return {**result, "scores_left_out": list(left_out)} if left_out else result
