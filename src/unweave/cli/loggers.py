"""The option --log."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from unweave.cli.options import comma_list

__all__ = ["LoggerNames", "set_loggers"]

LoggerNames = Annotated[
    list[Literal["tensorboard", "wandb", "mlflow"]] | None,
    comma_list(),
]


def set_loggers(names: list[Literal["tensorboard", "wandb", "mlflow"]] | None) -> None:
    """Choose the loggers of this process and of those that it will start.

    Raises
    ------
    ImportError
        If the package of one is not installed.
    """
    if names is None:
        return
    from unweave.training.loggers import VARIABLE, check_loggers

    os.environ[VARIABLE] = ",".join(check_loggers(names))
