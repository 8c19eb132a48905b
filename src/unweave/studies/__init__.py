"""Studies: many runs described in one file, run without losing anything, joined in one table."""

from unweave.studies.engine import run_study
from unweave.studies.loading import load_study, open_study, shipped_studies
from unweave.studies.manifolds import ManifoldStudy
from unweave.studies.ranking import rank_models
from unweave.studies.study import Study
from unweave.studies.table import build_table, read_table, write_table

__all__ = [
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
