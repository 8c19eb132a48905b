"""Studies: many runs described in one file, run without losing anything, joined in one table."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unweave.studies.execution.engine import run_study
    from unweave.studies.kinds.combined import CombinedStudy
    from unweave.studies.kinds.manifolds import ManifoldStudy
    from unweave.studies.kinds.training import Study
    from unweave.studies.loading import load_study, open_study, shipped_studies
    from unweave.studies.ranking import rank_models
    from unweave.studies.table import build_table, read_table, write_table

__all__ = [
    "CombinedStudy",
    "ManifoldStudy",
    "Study",
    "build_table",
    "load_study",
    "open_study",
    "rank_models",
    "read_table",
    "run_study",
    "shipped_studies",
    "write_table",
]

_MODULES = {
    "CombinedStudy": "kinds.combined",
    "ManifoldStudy": "kinds.manifolds",
    "Study": "kinds.training",
    "build_table": "table",
    "load_study": "loading",
    "open_study": "loading",
    "rank_models": "ranking",
    "read_table": "table",
    "run_study": "execution.engine",
    "shipped_studies": "loading",
    "write_table": "table",
}


def __getattr__(name: str) -> Any:
    # A worker imports what its run needs, and not all that a study may be.
    if name in _MODULES:
        return getattr(import_module(f"unweave.studies.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
