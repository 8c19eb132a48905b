"""The command line: one file a command."""

from __future__ import annotations

import os
import sys

from cyclopts import App

import unweave
from unweave._extras import how_to_install
from unweave.cli.assess import assess
from unweave.cli.compare import compare
from unweave.cli.console import err
from unweave.cli.data import data
from unweave.cli.encode import encode, encoders
from unweave.cli.encoding import degrade_output
from unweave.cli.geomancer import geomancer
from unweave.cli.models import export, import_model, show
from unweave.cli.score import score
from unweave.cli.study import study
from unweave.cli.study_results import study_merge, study_table, study_udr
from unweave.cli.symmetry import symmetry
from unweave.cli.train import objectives, train

__all__ = ["app", "main"]

app = App(
    name="unweave",
    version=unweave.__version__,
    help="Measure disentanglement, learn it, and study how it scales.",
)
for command in (score, compare, geomancer, train, objectives, show, export, encode, encoders,
                assess, symmetry, study, data):  # fmt: skip
    app.command(command)
app.command(import_model, name="import")
study.command(study_table, name="table")
study.command(study_udr, name="udr")
study.command(study_merge, name="merge")


def main() -> None:
    """Run the command line; what a user can mend is said in a sentence, with exit code 2."""
    degrade_output()
    try:
        app(sys.argv[1:])
    except (ValueError, OSError, ArithmeticError, ImportError) as error:
        if os.environ.get("UNWEAVE_DEBUG"):
            raise
        text = how_to_install(error) if isinstance(error, ImportError) else str(error)
        err.print("error:", text, style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        err.print("interrupted", style="red")
        sys.exit(130)
