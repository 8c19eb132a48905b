"""Reports: one self-contained page of tables and pictures drawn from the runs of a study."""

from unweave.reports.report import write_report

__all__ = ["write_report"]
