"""Objectives: what a model is trained to minimise. One file each; a new file needs nothing else."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, SerializeAsAny, WrapValidator

from unweave._check import check_choice
from unweave._objects import imported_object, is_object_name
from unweave.models._found import named_kinds
from unweave.models.objectives.ada_vae import AdaGVAE, AdaMLVAE
from unweave.models.objectives.annealed_vae import AnnealedVAE
from unweave.models.objectives.autoencoder import AE
from unweave.models.objectives.beta_tc_vae import BetaTCVAE
from unweave.models.objectives.beta_vae import BetaVAE
from unweave.models.objectives.dc_ign import DCIGN
from unweave.models.objectives.dip_vae import DIPVAEI, DIPVAEII
from unweave.models.objectives.factor_vae import FactorVAE
from unweave.models.objectives.info_gan import InfoGAN
from unweave.models.objectives.info_vae import InfoVAE
from unweave.models.objectives.lie_group_vae import LieGroupVAE
from unweave.models.objectives.pairs import PairObjective
from unweave.models.objectives.qlae import QLAE
from unweave.models.objectives.slow_vae import SlowVAE
from unweave.models.objectives.terms import Batch, Loss, Objective, Pass, Terms
from unweave.models.objectives.tripod import Tripod
from unweave.models.objectives.vae import VAE

__all__ = [
    "AE",
    "DCIGN",
    "DIPVAEI",
    "DIPVAEII",
    "OBJECTIVES",
    "QLAE",
    "VAE",
    "AdaGVAE",
    "AdaMLVAE",
    "AnnealedVAE",
    "AnyObjective",
    "Batch",
    "BetaTCVAE",
    "BetaVAE",
    "FactorVAE",
    "InfoGAN",
    "InfoVAE",
    "LieGroupVAE",
    "Loss",
    "Objective",
    "PairObjective",
    "Pass",
    "SlowVAE",
    "Terms",
    "Tripod",
    "objective_class",
]


OBJECTIVES = named_kinds(__name__, __path__, Objective)
"""Every objective of this package, by its name."""


def objective_class(name: str) -> type[Objective]:
    """The class of an objective: a name of ``OBJECTIVES``, or ``package.module:Class``.

    Raises
    ------
    ImportError
        If there is no such module.
    ValueError
        If there is no such objective, or the object is not an objective that can be trained.
    """
    if not is_object_name(name):
        return OBJECTIVES[check_choice("objective", name, OBJECTIVES)]
    found = imported_object(name, "an objective")
    if not (isinstance(found, type) and issubclass(found, Objective)):
        raise ValueError(
            f"{name} is not an objective: name a class that inherits from "
            "unweave.models.objectives.Objective"
        )
    if found.loss is Objective.loss and found._terms is Objective._terms:
        raise ValueError(f"{name} has no loss: give the class a method loss(self, seen)")
    if found.model_fields["name"].is_required():
        raise ValueError(
            f"{name} has no name: give the class a field as name: Literal['mine'] = 'mine'"
        )
    return found


def _read(given: Any, shipped: Callable[[Any], Objective]) -> Objective:
    """An objective from a study file's entry; ``shipped`` reads those of this package."""
    if isinstance(given, Objective):
        return _importable(given)
    name = given.get("name") if isinstance(given, Mapping) else None
    if not (isinstance(name, str) and is_object_name(name)):
        return shipped(given)
    own = {key: value for key, value in given.items() if key != "name"}
    return _importable(objective_class(name).model_validate(own))


def _importable(objective: Objective) -> Objective:
    if "<" in objective.full_name():
        raise ValueError(
            f"{objective.full_name()} lies in a function, where no other process finds it: define "
            "the class of the objective in a module"
        )
    return objective


if TYPE_CHECKING:
    AnyObjective = Objective
else:
    _union = functools.reduce(operator.or_, OBJECTIVES.values())
    AnyObjective = Annotated[
        _union, Field(discriminator="name"), WrapValidator(_read), SerializeAsAny()
    ]
    """Any objective, chosen by its name: the type of a study file's entry.

    The name is one of ``OBJECTIVES`` or ``package.module:Class``; the other keys are its fields.
    """
