"""`unweave completion`."""

from __future__ import annotations

import sys
from typing import Literal

__all__ = ["completion"]


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print a script by which bash, zsh or fish completes commands and options.

    Parameters
    ----------
    shell
        The shell that is to read the script.
    """
    from unweave.cli.commands import app

    # rich would wrap its lines.
    sys.stdout.write(app.generate_completion(shell=shell))
