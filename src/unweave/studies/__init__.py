"""Studies: many runs described in one file, run without losing anything, joined in one table."""

from unweave._extras import require

require("studies", needed_by="unweave.studies")

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unweave.studies.base import BaseStudy, Description, Run
    from unweave.studies.execution.engine import run_study
    from unweave.studies.folder import Finished, StudyFolder, open_study
    from unweave.studies.kinds.combined import CombinedStudy
    from unweave.studies.kinds.manifolds import ManifoldStudy
    from unweave.studies.kinds.training import TrainingStudy
    from unweave.studies.kinds.training import TrainingStudy as Study
    from unweave.studies.loading import load_study, shipped_studies
    from unweave.studies.ranking import rank_models, rank_models_by_pipe
    from unweave.studies.table import build_table, read_table, write_table

__all__ = [
    "BaseStudy",
    "CombinedStudy",
    "Description",
    "Finished",
    "ManifoldStudy",
    "Run",
    "Study",
    "StudyFolder",
    "TrainingStudy",
    "build_table",
    "load_study",
    "open_study",
    "rank_models",
    "rank_models_by_pipe",
    "read_table",
    "run_study",
    "shipped_studies",
    "write_table",
]

_MODULES = {
    "BaseStudy": "base",
    "CombinedStudy": "kinds.combined",
    "Description": "base",
    "Finished": "folder",
    "ManifoldStudy": "kinds.manifolds",
    "Run": "base",
    "StudyFolder": "folder",
    "TrainingStudy": "kinds.training",
    "build_table": "table",
    "load_study": "loading",
    "open_study": "folder",
    "rank_models": "ranking",
    "rank_models_by_pipe": "ranking",
    "read_table": "table",
    "run_study": "execution.engine",
    "shipped_studies": "loading",
    "write_table": "table",
}
_FORMER = {"Study": "TrainingStudy"}  # the general name, of when there was one kind


def __getattr__(name: str) -> Any:
    # A worker imports what its run needs, and not all that a study may be.
    name = _FORMER.get(name, name)
    if name in _MODULES:
        return getattr(import_module(f"unweave.studies.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
