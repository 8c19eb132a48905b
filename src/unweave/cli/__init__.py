"""The command line: one file a command."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from typing import TextIO

from cyclopts import App, CycloptsError

import unweave
from unweave._extras import how_to_install
from unweave.cli.assess import assess
from unweave.cli.compare import compare
from unweave.cli.console import drop, say
from unweave.cli.data import data
from unweave.cli.encode import encode, encoders
from unweave.cli.encoding import degrade_output, open_missing_streams
from unweave.cli.geomancer import geomancer
from unweave.cli.models import export, import_model, show
from unweave.cli.options import ALL, sentence
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
    default_parameter=ALL,
)
for command in (score, compare, geomancer, train, objectives, show, export, encode, encoders,
                assess, symmetry, study, data):  # fmt: skip
    app.command(command)
app.command(import_model, name="import")
study.command(study_table, name="table")
study.command(study_udr, name="udr")
study.command(study_merge, name="merge")


def main() -> None:
    """Run the command line.

    What a user can mend is said in a sentence, with exit code 2; so is a fault of the program, with
    code 1. UNWEAVE_DEBUG=1 shows where either was raised.
    """
    open_missing_streams()
    degrade_output()
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        _run(sys.argv[1:])


def _run(words: list[str]) -> None:
    try:
        app(words, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        _stop(sentence(error), error)
    except BrokenPipeError:
        drop(sys.stdout)  # whoever read it has read enough
        sys.exit(1)
    except OSError as error:
        drop(sys.stdout)
        _stop(_system_sentence(error), error)
    except ImportError as error:
        _stop(how_to_install(error), error)
    except (ValueError, ArithmeticError) as error:
        _stop(str(error), error)
    except MemoryError as error:
        _stop(f"memory is short: {error}" if str(error) else "memory is short", error)
    except KeyboardInterrupt:
        say("interrupted", style="red")
        sys.exit(130)
    except Exception as error:
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        _stop(f"{what} (please report it, with what UNWEAVE_DEBUG=1 shows)", error, code=1)


def _system_sentence(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    reason = f"{place}{error.strerror}" if error.strerror else str(error)
    if error.errno in (errno.ENOSPC, errno.EFBIG):
        reason += ": free some space, or write to another disk (--out; UNWEAVE_CACHE for the cache)"
    return reason


def _stop(reason: str, error: Exception, *, code: int = 2) -> None:
    if os.environ.get("UNWEAVE_DEBUG"):
        raise error
    say(f"error: {reason}", style="red")
    sys.exit(code)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as a sentence, without the line of the program that raised it."""
    say(f"warning: {message}", style="yellow")
