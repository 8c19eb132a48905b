"""All commands. Each is imported when it is called, or when the list of all is shown."""

from __future__ import annotations

from cyclopts import App

import unweave
from unweave.cli.options import ALL

__all__ = ["app", "import_all"]

app = App(
    name="unweave",
    version=unweave.__version__,
    help="Measure disentanglement, learn it, and study how it scales.",
    default_parameter=ALL,
)
for place in (
    "score:score", "metrics:metrics", "stress:stress", "compare:compare", "geomancer:geomancer",
    "train:train", "train:objectives", "models:show", "models:export", "models:pretrained",
    "encode:encode", "encode:encoders", "pipe:pipe", "assess:assess", "generalise:generalise",
    "symmetry:symmetry", "explore:explore", "study:study", "data:data", "completion:completion",
):  # fmt: skip
    app.command(f"unweave.cli.{place}")
app.command("unweave.cli.models:import_model", name="import")


def import_all() -> None:
    """Import all commands: the list of commands has their help."""
    for name in app:
        app[name]
