"""Reports: one self-contained page of tables and pictures drawn from the runs of a study."""

from unweave._extras import require

require("studies", needed_by="unweave.reports")

from unweave.reports.report import write_report

__all__ = ["write_report"]
