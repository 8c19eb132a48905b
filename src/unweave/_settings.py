"""Networks and training, as study files, Python and the command line state them.

They are here, and not beside the code that reads them, because the command line has options of them
where torch is not installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from unweave._bounds import LARGEST

__all__ = [
    "Groups", "NetworkSettings", "TrainingConfig", "TrainingSettings", "filled", "over_defaults",
]  # fmt: skip

_Momentum = Annotated[float, Field(ge=0, lt=1)]


def _sizes(value: Any) -> tuple[int, ...]:
    words = value.split(",") if isinstance(value, str) else value
    try:
        sizes = tuple(int(word) if isinstance(word, str) else word for word in words)
    except (TypeError, ValueError):
        sizes = (0,)
    if not all(type(size) is int and size >= 1 for size in sizes):
        raise ValueError(
            "groups are numbers of latents, each a whole number of at least 1, as 2,2,1, not "
            f"{value!r}"
        )
    return sizes


Groups = Annotated[tuple[int, ...], BeforeValidator(_sizes)]
"""Sizes of groups of latents, in the order of the latents; or text, as ``2,2,1``."""


class NetworkSettings(BaseModel):
    """Which network, how wide and deep, and how many latents it has.

    All that a :class:`~unweave.models.Network` has but the kind of its latents.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, defer_build=True
    )

    name: Literal["burgess", "locatello", "resnet", "style"] = "burgess"
    """Encoder and decoder: ``burgess`` (Burgess et al. 2018), ``locatello`` (Locatello et al.
    2019), ``resnet``, or ``style``, with instance normalisation and a decoder whose latents are
    styles."""
    decoder: Literal["mirrored", "spatial_broadcast", "style", "additive"] = "mirrored"
    """The encoder turned round, that of Watters et al. (2019), that of ``style``, or a sum of
    images, each made from one group of latents (Lachapelle et al. 2023)."""
    decoder_groups: Groups = Field(default=(), exclude_if=lambda groups: not groups)
    """Sizes of the groups of latents of an additive decoder, as 2,2,1; by default each latent is a
    group."""
    matrix_size: int | None = Field(default=None, ge=2, le=64, exclude_if=lambda size: size is None)
    """Rows of the square matrices from which the decoder makes images in place of latents, by
    learnt generators (lie_group_vae)."""
    width: float = Field(default=1.0, gt=0, le=64)
    """Factor on all channel and hidden unit counts; 1 is the paper's network."""
    depth: int = Field(default=1, ge=1, le=64)
    """Residual blocks at each resolution (resnet)."""
    n_latents: int = Field(default=10, ge=1, le=65_536)
    """Number of latents."""
    n_noise: int = Field(default=0, ge=0, le=65_536)
    """Further inputs of the decoder that no encoder sees: the incompressible noise of InfoGAN."""
    style_activation: Literal["leaky_relu", "gelu"] = Field(
        default="leaky_relu", exclude_if=lambda a: a == "leaky_relu"
    )
    """Activation of the layers that make the style of a style decoder; ``gelu`` has no kink."""
    style_start: Literal["normal", "coordinates"] = Field(
        default="normal", exclude_if=lambda s: s == "normal"
    )
    """Start of the constant of a style decoder: normal numbers, or coordinates, with which
    positions get latents of their own."""


class _HasDefaults(Protocol):
    @property
    def defaults(self) -> Mapping[str, Mapping[str, Any]]: ...


class TrainingSettings(BaseModel):
    """The part of a training configuration that all runs of a study share."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        defer_build=True,
    )

    batch_size: int = Field(default=64, ge=1, le=65_536)
    """Images in a step, over all devices together, drawn with replacement."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Learning rate of the optimiser, the highest one of a schedule."""
    optimizer: Literal["adam", "adamw"] = Field(default="adam", exclude_if=lambda o: o == "adam")
    """Optimiser: ``adam`` (Kingma and Ba 2015) or ``adamw`` (Loshchilov and Hutter 2019)."""
    weight_decay: float = Field(default=0.0, ge=0, exclude_if=lambda w: w == 0)
    """Weight decay of adamw, which spares biases, normalisations and codebooks."""
    betas: tuple[_Momentum, _Momentum] | None = Field(default=None, exclude_if=lambda b: b is None)
    """Decay rates of the optimiser's two moments; by default those of the objective."""
    gradient_clip: float | None = Field(default=None, gt=0, exclude_if=lambda c: c is None)
    """Largest absolute value of an entry of the gradient, to which larger ones are set; by default
    there is none."""
    gradient_clip_norm: float | None = Field(default=None, gt=0, exclude_if=lambda c: c is None)
    """Largest Euclidean norm of the gradient of all parameters, to which a longer one is scaled; by
    default there is none."""
    schedule: Literal["constant", "linear", "cosine"] = Field(
        default="constant", exclude_if=lambda s: s == "constant"
    )
    """Course of the learning rate over the budget, which stays, or falls to 0 in a line or a half
    cosine."""
    warm_up_steps: int = Field(default=0, ge=0, exclude_if=lambda n: n == 0)
    """Steps over which the learning rate rises in a line at the start."""
    cpu_minutes: float | None = Field(default=None, gt=0, exclude_if=lambda m: m is None)
    """Processor minutes in training steps, of all threads, after which the run ends, in place of
    steps."""
    n_images: int | None = Field(default=None, ge=1, exclude_if=lambda n: n is None)
    """Images that training sees, drawn by the seed, fewer ones among the more; by default all."""
    log_every: int = Field(default=50, ge=1)
    """Steps over which a point of the learning curve is the mean."""
    checkpoint_every: int = Field(default=1000, ge=1)
    """Steps between checkpoints, from which an interrupted run resumes."""
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device, as Lightning Fabric names it."""
    precision: str = "auto"
    """Number format, as Lightning Fabric names it: float32 (``32-true``), bfloat16 autocast
    (``bf16-mixed``), or by ``auto`` the faster one of both in a short trial."""

    @model_validator(mode="after")
    def _decays(self) -> Self:
        if self.weight_decay and self.optimizer != "adamw":
            raise ValueError(
                f"weight_decay {self.weight_decay:g} needs the optimizer adamw, not "
                f"{self.optimizer}"
            )
        return self


class TrainingConfig(TrainingSettings):
    """Budget, optimiser and device of one training run."""

    steps: int | None = Field(default=20_000, ge=1, le=LARGEST)
    """Training steps in all, where processor minutes are not the budget."""
    milestones: tuple[int, ...] = ()
    """Steps at which the model is kept and scored; the last step always is one."""
    seed: int = Field(default=0, ge=0, le=LARGEST)
    """Seed of the weights, the batches and the latent noise."""
    devices: int = Field(default=1, ge=1, le=4_096)
    """Devices that share each batch."""

    @model_validator(mode="before")
    @classmethod
    def _one_budget(cls, content: Any) -> Any:
        if not isinstance(content, Mapping) or content.get("cpu_minutes") is None:
            return content
        if content.get("steps") is not None:
            raise ValueError(
                "cpu_minutes and steps are two budgets: give one of them, and the run ends when "
                "it is used up"
            )
        return {**content, "steps": None}

    @model_validator(mode="after")
    def _check(self) -> TrainingConfig:
        if self.cpu_minutes is not None:
            self._check_minutes()
            return self
        if self.steps is None:
            raise ValueError("steps are None: give a number of steps, or cpu_minutes")
        late = [m for m in self.milestones if not 0 < m <= self.steps]
        if late:
            raise ValueError(f"milestones {late} are not within the {self.steps} steps")
        if self.batch_size % self.devices:
            raise ValueError(
                f"a batch of {self.batch_size} cannot be shared by {self.devices} devices evenly"
            )
        return self

    def _check_minutes(self) -> None:
        if self.milestones:
            raise ValueError(
                f"milestones {list(self.milestones)} are steps, and a run of cpu_minutes is scored "
                "at its end alone: leave them out, or give steps in place of cpu_minutes"
            )
        if self.devices > 1:
            raise ValueError(
                f"cpu_minutes are those of one process, and {self.devices} devices have one each: "
                "give steps"
            )

    @property
    def all_milestones(self) -> tuple[int, ...]:
        """Milestones in order, the last step among them where it is known beforehand."""
        return tuple(sorted({*self.milestones, *([] if self.steps is None else [self.steps])}))

    @classmethod
    def for_objective(cls, objective: _HasDefaults, **given: Any) -> TrainingConfig:
        """The configuration of an objective's paper, but for what is given.

        Parameters
        ----------
        objective
            The :class:`~unweave.models.objectives.Objective` whose ``defaults`` these are.
        given
            Fields that are to be otherwise.

        Raises
        ------
        pydantic.ValidationError
            If they are not a valid configuration.
        """
        return cls(**over_defaults(given, objective.defaults.get("training", {})))


def over_defaults(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What is given over defaults, less those defaults that make no sense beside it.

    A budget takes the place of the other one, and another optimiser does without the weight decay.
    """
    dropped: set[str] = set()
    if given.get("cpu_minutes") is not None:
        dropped |= {"steps", "milestones"}
    if given.get("steps") is not None:
        dropped.add("cpu_minutes")
    if given.get("optimizer", "adamw") != "adamw":
        dropped.add("weight_decay")
    return filled(given, {k: v for k, v in defaults.items() if k not in dropped})


def filled(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, and the defaults where nothing is.

    A part that has keys of its own, as a latent space, is filled key by key, but not if another
    ``name`` is given: then it is another thing, with other keys.
    """
    found = {**defaults, **given}
    for key in given.keys() & defaults.keys():
        own, default = given[key], defaults[key]
        if isinstance(own, Mapping) and isinstance(default, Mapping):
            same = own.get("name", default.get("name")) == default.get("name")
            found[key] = filled(own, default) if same else dict(own)
    return found
