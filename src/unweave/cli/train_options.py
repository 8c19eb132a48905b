"""Options of `unweave train` that say which network, and how it is trained."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from cyclopts import Parameter
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from unweave._settings import NetworkSettings, TrainingConfig
from unweave.cli.options import Sizes, comma_list, within

__all__ = ["NetworkOptions", "TrainingOptions", "option", "spelled_settings"]

_FIELDS = {"network": "name", "latents": "n_latents", "noise": "n_noise"}  # of other names
_OPTIONS = {field: name for name, field in _FIELDS.items()}
_NOT_OPTIONS = {"n_images", "log_every", "checkpoint_every", "devices"}

_Options = TypeVar("_Options")


def _options_of(model: type[BaseModel]) -> Callable[[type[_Options]], type[_Options]]:
    """Give a class the fields of a model as options, before those that it has itself.

    An option that is not given is None. A field that the class annotates keeps that type.
    """

    def with_options(cls: type[_Options]) -> type[_Options]:
        own = get_type_hints(cls, include_extras=True)
        fields = {
            _OPTIONS.get(name, name): field
            for name, field in model.model_fields.items()
            if name not in _NOT_OPTIONS
        }
        made = {
            name: Annotated[own.get(name, _option_type(field)) | None, Parameter(help=_help(field))]
            for name, field in fields.items()
        }
        cls.__annotations__ = {**made, **{k: v for k, v in own.items() if k not in made}}
        for name in made:
            setattr(cls, name, None)
        return Parameter(name="*")(dataclass(frozen=True)(cls))

    return with_options


def _option_type(field: FieldInfo) -> Any:
    """The type of the option of a field; bounds of numbers that are not whole are the model's."""
    kind: Any = field.annotation
    if isinstance(kind, types.UnionType):
        (kind,) = (one for one in get_args(kind) if one is not types.NoneType)
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        item = get_args(item)[0] if get_origin(item) is Annotated else item
        return Annotated[list.__class_getitem__(item), comma_list()]
    if kind is not int:
        return kind
    metadata: list[Any] = field.metadata
    least = [one.ge for one in metadata if hasattr(one, "ge")]
    most = [one.le for one in metadata if hasattr(one, "le")]
    return Annotated[int, within(least[0], *most)]


def _help(field: FieldInfo) -> str:
    """What the model says of a field, and its default."""
    text = " ".join((field.description or "").replace("`", "").split()).removesuffix(".")
    if isinstance(field.default, int | float):
        return f"{text}; by default {field.default:,}.".replace(".0.", ".")
    return f"{text}; by default {field.default}." if field.default else f"{text}."


class _Given:
    def given(self) -> dict[str, Any]:
        """Fields of the model that were given."""
        found = {_FIELDS.get(k, k): value for k, value in vars(self).items()}
        return {
            field: tuple(value) if isinstance(value, list) else value
            for field, value in found.items()
            if value is not None
        }


@_options_of(NetworkSettings)
class NetworkOptions(_Given):
    """Which network.

    Parameters
    ----------
    latent_space
        Values that latents take; by default those that the objective trains.
    latent_groups
        Sizes of the groups of latents of the latent space grouped, as 2,2,1.
    n_values
        Number of values of a quantised latent, 2 to 256; by default 10, on a grid 12.
    """

    latent_space: Literal["gaussian", "grouped", "quantised", "grid"] | None = None
    latent_groups: Sizes | None = None
    n_values: Annotated[int, within(2, 256)] | None = None

    def given(self) -> dict[str, Any]:
        """Fields of a Network that were given."""
        found = super().given()
        options = {"name": "latent_space", "groups": "latent_groups", "n_values": "n_values"}
        own = {key: found.pop(option) for key, option in options.items() if option in found}
        if "groups" in own:
            own.setdefault("name", "grouped")
        return {**found, "latent_space": own} if own else found


@_options_of(TrainingConfig)
class TrainingOptions(_Given):
    """How it is trained."""

    precision: Literal["auto", "32-true", "bf16-mixed"] | None

    def given(self) -> dict[str, Any]:
        """Fields of a configuration of training that were given.

        Raises
        ------
        ValueError
            If both budgets were.
        """
        found = super().given()
        if {"steps", "cpu_minutes"} <= found.keys():
            raise ValueError(
                "--steps and --cpu-minutes are two budgets: give one of them, and the run ends "
                "when it is used up"
            )
        return found


def option(field: str) -> str:
    """The option of a field, as --learning-rate."""
    name = field if field == "name" else _OPTIONS.get(field, field)  # other things have names, too
    return f"--{name.replace('_', '-')}"


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
