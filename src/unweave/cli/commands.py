"""All commands."""

from __future__ import annotations

from cyclopts import App

import unweave
from unweave.cli.assess import assess
from unweave.cli.compare import compare
from unweave.cli.data import data
from unweave.cli.data_check import data_check
from unweave.cli.encode import encode, encoders
from unweave.cli.generalise import generalise
from unweave.cli.geomancer import geomancer
from unweave.cli.metrics import metrics
from unweave.cli.models import export, import_model, pretrained, show
from unweave.cli.options import ALL
from unweave.cli.pipe import pipe
from unweave.cli.score import score
from unweave.cli.study import study
from unweave.cli.study_results import study_merge, study_pipe, study_table, study_udr
from unweave.cli.symmetry import symmetry
from unweave.cli.train import objectives, train

__all__ = ["app"]

app = App(
    name="unweave",
    version=unweave.__version__,
    help="Measure disentanglement, learn it, and study how it scales.",
    default_parameter=ALL,
)
for command in (score, metrics, compare, geomancer, train, objectives, show, export, pretrained,
                encode, encoders, pipe, assess, generalise, symmetry, study, data):  # fmt: skip
    app.command(command)
app.command(import_model, name="import")
study.command(study_table, name="table")
study.command(study_udr, name="udr")
study.command(study_pipe, name="pipe")
study.command(study_merge, name="merge")
data.command(data_check, name="check")
