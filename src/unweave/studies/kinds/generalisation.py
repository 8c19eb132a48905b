"""Studies of generalisation: what encoders and models are worth where nothing was learnt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Self

import polars as pl
from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from unweave._check import check_choice
from unweave._contents import Part
from unweave.datasets import ImageDataset, canonical, load, load_split, with_options
from unweave.datasets.names import parse
from unweave.encoders import Encoder
from unweave.encoders.run import RunEncoder
from unweave.generalisation import READOUTS, generalise
from unweave.models import Network, build_vae
from unweave.studies.base import (
    BaseStudy,
    Frozen,
    NumpySeed,
    Result,
    Seed,
    distinct,
)
from unweave.studies.data import describe_data
from unweave.studies.encoded_run import (
    EncodedDescription,
    EncodedRun,
    EncoderChoices,
    TrainedHere,
)
from unweave.training.description import content_identity

__all__ = [
    "GeneralisationDescription", "GeneralisationRun", "GeneralisationStudy", "Models", "ReadOuts",
]  # fmt: skip


class ReadOuts(Frozen):
    """How codes are read out on both parts of a dataset."""

    rows: int = Field(default=5_000, ge=20)
    """Rows to learn from, and rows of either part to be judged on."""
    readouts: tuple[str, ...] = Field(default=("ridge", "mlp"), min_length=1)
    """Names of read-outs: ridge, mlp, trees."""
    n_bootstrap: int = Field(default=1_000, ge=2)
    """Bootstrap draws for intervals."""
    seed: NumpySeed = 0
    """Seed of rows, read-outs and draws; and of encoders that are fitted to images."""

    @field_validator("readouts")
    @classmethod
    def _known(cls, readouts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_choice("read-out", name, READOUTS) for name in readouts)


class Models(TrainedHere):
    """Models that are trained on the training part of each split."""

    untrained_seeds: tuple[Seed, ...] = ()
    """For each, every network is read out as its weights are drawn: random features."""


class GeneralisationDescription(EncodedDescription):
    """All that one encoder's result on one split depends on; the dataset is the training part."""

    untrained: Network | None = None
    reading: ReadOuts

    @property
    def may_use_gpu(self) -> bool:
        """It trains or encodes on a GPU, where there is one."""
        return self.trained is None or self.trained.may_use_gpu

    @property
    def label(self) -> str:
        """Name of the encoder, whatever its seed."""
        if self.trained is not None:
            return self.trained.objective.label
        if self.untrained is not None:
            return f"random weights ({self.untrained.name})"
        assert self.encoder is not None
        return self.encoder.label

    def run(self, folder: str | Path) -> GeneralisationRun:
        """The run that it describes, in a folder."""
        return GeneralisationRun(self, folder)

    @property
    def work(self) -> int:
        """Training steps or seconds, and images."""
        return 3 * self.reading.rows + (self.trained.work if self.trained else 0)


class GeneralisationStudy(BaseStudy):
    """Every encoder and every model on every split, as a TOML file states them."""

    kind: ClassVar = "generalisation"
    file_key: ClassVar = "splits"
    page_maker: ClassVar = "unweave.reports.generalisation:generalisation_page"

    splits: tuple[str, ...] = Field(min_length=1)
    """Datasets with splits, as "rooms?size=32&split=composition"."""
    encoders: EncoderChoices = ()
    """Names, or tables of a name and what is taken of it; fitted to the training part."""
    models: Models | None = None
    """Models that are trained on the training part."""
    reading: ReadOuts = ReadOuts()
    """How codes are read out."""

    @field_validator("splits")
    @classmethod
    def _split(cls, splits: tuple[str, ...]) -> tuple[str, ...]:
        for name in splits:
            options = dict(parse(name).options)
            if "split" not in options or "part" in options:
                raise ValueError(
                    f"{name} does not name a split and both of its parts: write split=KIND after "
                    "the ? of the dataset, and no part"
                )
        return tuple(map(canonical, splits))

    @model_validator(mode="after")
    def _has_some(self) -> Self:
        if not self.encoders and self.models is None:
            raise ValueError("there is nothing to read out: give encoders, or models to train")
        return self

    def runs(self) -> list[GeneralisationDescription]:
        """One description for each split, encoder, model and seed."""
        return distinct(self._all_runs())

    @property
    def size(self) -> str:
        """How much there is to do."""
        runs = self.descriptions
        trained = [run.trained for run in runs if run.trained is not None]
        steps = sum(run.training.steps or 0 for run in trained)
        minutes = sum(run.training.cpu_minutes or 0.0 for run in trained)
        parts = [f"{len(runs)} runs, {3 * self.reading.rows * len(runs):,} images"]
        parts += [f"{steps:,} training steps"] * (steps > 0)
        parts += [f"{minutes:,g} CPU minutes of training"] * (minutes > 0)
        return ", ".join(parts)

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Draw the data into the cache."""
        for name in self.splits:
            load(with_options(name, part="train")).prepare(progress)

    def _all_runs(self) -> Iterator[GeneralisationDescription]:
        trains = [canonical(with_options(name, part="train")) for name in self.splits]
        for train, choice in product(trains, self.encoders):
            yield GeneralisationDescription(
                dataset=train, encoder=choice, seed=self.reading.seed, reading=self.reading
            )
        if self.models is not None:
            yield from self._model_runs(trains, self.models)

    def _model_runs(self, trains: list[str], models: Models) -> Iterator[GeneralisationDescription]:
        # Seed by seed, so that an interrupted study has all splits and models with fewer seeds.
        trained = [
            models.described(train, objective, seed)
            for seed, train, objective in product(models.seeds, trains, models.objectives)
        ]
        networks = dict.fromkeys(description.network for description in trained)
        for seed, train, network in product(models.untrained_seeds, trains, networks):
            yield GeneralisationDescription(
                dataset=train, untrained=network, seed=seed, reading=self.reading
            )
        for one in trained:
            yield GeneralisationDescription(
                dataset=one.dataset, trained=one, seed=one.training.seed, reading=self.reading
            )


class _Gap(Part):
    train: float
    held_out: float
    gap: float
    low: float
    high: float
    chance_train: float
    chance_held_out: float
    chance_gap: float


class _Factor(Part):
    factor: str
    r2: _Gap
    accuracy: _Gap | None = None


class _Transfer(Part):
    mean: _Gap
    factors: list[_Factor]


class GeneralisationResult(Result):
    """What ``result.json`` of an encoder on a split holds."""

    label: str
    n_latents: int
    n_train_images: int
    n_held_out_images: int
    readouts: dict[str, _Transfer]
    reconstruction: _Gap | None
    identity: str | None = None


class GeneralisationRun(EncodedRun):
    """One encoder on one split: what is read from its codes, and reconstructed, on both parts."""

    description: GeneralisationDescription
    result_type: ClassVar = GeneralisationResult
    schema: ClassVar = {
        "run": pl.String,
        "dataset": pl.String,
        "encoder": pl.String,
        "seed": pl.Int64,
        "n_latents": pl.Int64,
        "measure": pl.String,
        "readout": pl.String,
        "factor": pl.String,
        **dict.fromkeys(_Gap.model_fields, pl.Float64),
    }

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row for each read-out and factor, and one for reconstructions."""
        result = self.result()
        who = {
            "run": self.description.key,
            "dataset": self.description.dataset,
            "encoder": result["label"],
            "seed": self.description.seed,
            "n_latents": result["n_latents"],
        }
        for readout, found in result["readouts"].items():
            shared = {**who, "readout": readout}
            yield {**shared, "measure": "r2", "factor": "mean", **found["mean"]}
            for one in found["factors"]:
                yield {**shared, "measure": "r2", "factor": one["factor"], **one["r2"]}
                if one.get("accuracy"):
                    own = {"measure": "accuracy", "factor": one["factor"], **one["accuracy"]}
                    yield {**shared, **own}
        if result["reconstruction"] is not None:
            own = {"measure": "squared_error", "readout": None, "factor": None}
            yield {**who, **own, **result["reconstruction"]}

    def summary(self) -> str:
        """The encoder, and the mean of R² on both parts by the first read-out."""
        result = self.result()
        mean = next(iter(result["readouts"].values()))["mean"]
        return f"{result['label']}: R² {mean['train']:.3f}, held out {mean['held_out']:.3f}"

    def compute(self, at_step: Callable[[int], None] | None) -> None:
        """Read the codes out, and reconstruct the images, on both parts."""
        description = self.description
        parts = load_split(description.dataset)
        identity = content_identity(parts.train)
        done = description.trained.work if description.trained else 0

        def at_image(images: int, _: int) -> None:
            if at_step:
                at_step(done + images)

        encoder = self._encoder(parts.train, at_step)
        found = generalise(
            encoder,
            parts,
            readouts=description.reading.readouts,
            rows=description.reading.rows,
            n_bootstrap=description.reading.n_bootstrap,
            seed=description.reading.seed,
            progress=at_image,
        )
        result = {
            "label": description.label,
            "data": describe_data(parts.train),
            "n_train_images": len(parts.train),
            "n_held_out_images": len(parts.held_out),
            **found.to_dict(),
        }
        if identity is not None:
            result["identity"] = identity
        self.write_result(result)

    def _encoder(self, dataset: ImageDataset, at_step: Callable[[int], None] | None) -> Encoder:
        untrained = self.description.untrained
        if untrained is None:
            return super()._encoder(dataset, at_step)
        model = build_vae(untrained, dataset.image_shape, seed=self.description.seed)
        return RunEncoder(model, self.description.label, weights="drawn", licence="none needed")
