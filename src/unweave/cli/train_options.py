"""Options of `unweave train` that say which network, and how it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from unweave.cli.options import Count, Seed, Sizes, Step, comma_list, within

__all__ = ["NetworkOptions", "TrainingOptions", "option", "spelled_settings"]

_FIELDS = {"network": "name", "latents": "n_latents", "noise": "n_noise"}  # of other names
_OPTIONS = {field: name for name, field in _FIELDS.items() if name != "network"}


@Parameter(name="*")
@dataclass(frozen=True)
class NetworkOptions:
    """Which network.

    Parameters
    ----------
    network
        Encoder and decoder; by default those of the objective, else burgess.
    decoder
        The mirrored encoder, a spatial broadcast decoder, one whose latents are styles, or a sum of
        images, each made from one group of latents; by default that of the objective, else
        mirrored.
    decoder_groups
        Sizes of the groups of latents of an additive decoder; by default each latent is a group.
    matrix_size
        Rows of the matrices that the decoder gets in place of latents (lie_group_vae).
    width
        Factor on the network's channel counts; by default that of the objective, else 1.
    depth
        Residual blocks at each resolution (resnet); by default 1.
    latents
        Number of latents; by default that of the objective, else 10.
    noise
        Further inputs of the decoder (info_gan); by default 0.
    latent_space
        Values that latents take; by default those that the objective trains.
    latent_groups
        Sizes of the groups of latents of the latent space grouped, as 2,2,1.
    n_values
        Number of values of a quantised latent, 2 to 256; by default 10, on a grid 12.
    style_activation
        Activation of the layers that make the style of a style decoder; by default that of the
        objective, else leaky_relu.
    style_start
        Start of the constant of a style decoder: normal numbers, or coordinates, which separate
        positions; by default that of the objective, else normal.
    """

    network: Literal["burgess", "locatello", "resnet", "style"] | None = None
    decoder: Literal["mirrored", "spatial_broadcast", "style", "additive"] | None = None
    decoder_groups: Annotated[list[int] | None, comma_list()] = None
    matrix_size: Annotated[int, within(2, 64)] | None = None
    width: float | None = None
    depth: Count | None = None
    latents: Count | None = None
    noise: Step | None = None
    latent_space: Literal["gaussian", "grouped", "quantised", "grid"] | None = None
    latent_groups: Sizes | None = None
    n_values: Annotated[int, within(2, 256)] | None = None
    style_activation: Literal["leaky_relu", "gelu"] | None = None
    style_start: Literal["normal", "coordinates"] | None = None

    def given(self) -> dict[str, Any]:
        """Fields of a Network that were given."""
        found = _given(self)
        options = {"name": "latent_space", "groups": "latent_groups", "n_values": "n_values"}
        own = {key: found.pop(option) for key, option in options.items() if option in found}
        if "groups" in own:
            own.setdefault("name", "grouped")
        return {**found, "latent_space": own} if own else found


@Parameter(name="*")
@dataclass(frozen=True)
class TrainingOptions:
    """How it is trained.

    Parameters
    ----------
    steps
        Training steps in all; by default those of the objective, else 20,000.
    cpu_minutes
        Processor minutes in training steps after which the run ends, in place of --steps.
    seed
        Seed of weights, batches and noise.
    batch_size
        Images in a step; by default that of the objective, else 64.
    learning_rate
        Learning rate of the optimiser; by default that of the objective, else 0.0005.
    optimizer
        Optimiser; by default that of the objective, else adam.
    weight_decay
        Weight decay of adamw, which spares biases, normalisations and codebooks; by default 0.
    betas
        Decay rates of the optimiser's two moments; by default those of the objective.
    gradient_clip
        Largest absolute value of an entry of the gradient; by default there is none.
    gradient_clip_norm
        Largest norm of the gradient; by default there is none.
    schedule
        Course of the learning rate, which stays or falls to 0; by default constant.
    warm_up_steps
        Steps over which the learning rate rises at the start; by default 0.
    milestones
        Steps at which to keep and score the model, besides the last.
    accelerator
        Device to train on.
    precision
        Number format: float32 (32-true), bfloat16 autocast (bf16-mixed), or by default the faster
        one of both in a short trial.
    """

    steps: Count | None = None
    cpu_minutes: float | None = None
    seed: Seed = 0
    batch_size: Count | None = None
    learning_rate: float | None = None
    optimizer: Literal["adam", "adamw"] | None = None
    weight_decay: float | None = None
    betas: Annotated[list[float] | None, comma_list()] = None
    gradient_clip: float | None = None
    gradient_clip_norm: float | None = None
    schedule: Literal["constant", "linear", "cosine"] | None = None
    warm_up_steps: Step | None = None
    milestones: Annotated[list[int] | None, comma_list()] = None
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "32-true", "bf16-mixed"] | None = None

    def given(self) -> dict[str, Any]:
        """Fields of a configuration of training that were given.

        Raises
        ------
        ValueError
            If both budgets were.
        """
        if self.steps is not None and self.cpu_minutes is not None:
            raise ValueError(
                "--steps and --cpu-minutes are two budgets: give one of them, and the run ends "
                "when it is used up"
            )
        return _given(self)


def option(field: str) -> str:
    """The option of a field, as --learning-rate."""
    return f"--{_OPTIONS.get(field, field).replace('_', '-')}"


def spelled_settings(defaults: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The settings of an objective's paper, as options."""
    found = []
    for part in ("network", "training"):
        for field, value in defaults.get(part, {}).items():
            name = "--network" if (part, field) == ("network", "name") else option(field)
            found.append(f"{name} {_spelled(value)}")
    return found


def _spelled(value: Any) -> str:
    if isinstance(value, Mapping):
        rest = [f"{key} {_spelled(own)}" for key, own in value.items() if key != "name"]
        name = [str(value["name"])] if "name" in value else []
        return " ".join([*name, *([f"({', '.join(rest)})"] if rest else [])])
    return " ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _given(options: Any) -> dict[str, Any]:
    found = {_FIELDS.get(name, name): value for name, value in asdict(options).items()}
    return {
        field: tuple(value) if isinstance(value, list) else value
        for field, value in found.items()
        if value is not None
    }
