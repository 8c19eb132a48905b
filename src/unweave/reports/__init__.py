"""Reports: one self-contained page of tables and pictures drawn from the runs of a study."""

from unweave.reports.html import write_report

__all__ = ["write_report"]
