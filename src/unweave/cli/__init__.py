"""The command line: one file a command, and commands.py, which has them all.

Importing this takes a moment alone, so that a signal is heeded from the start, and so that workers
of a study, which import the program that started them, end with it even while they start.
"""

from __future__ import annotations

import errno
import os
import sys
import warnings
from typing import Any, TextIO

from unweave._extras import how_to_install, is_own
from unweave.cli.encoding import degrade_output, open_missing_streams
from unweave.cli.stopping import stoppable

__all__ = ["app", "main"]


def __getattr__(name: str) -> Any:
    """``app``, the command line as cyclopts has it."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from unweave.cli.commands import app

    return app


def main() -> None:
    """Run the command line.

    What a user can mend is said in a sentence, with exit code 2; so is a fault of the program, with
    code 1. UNWEAVE_DEBUG=1 shows where either was raised. When a signal stops it, the code is 128
    and the signal's number, as 130 after Ctrl-C.
    """
    open_missing_streams()
    degrade_output()
    with stoppable(), warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            _run(sys.argv[1:])
        except KeyboardInterrupt:
            _say("interrupted", style="red")
            sys.exit(130)


def _run(words: list[str]) -> None:
    from cyclopts import CycloptsError

    from unweave.cli.console import drop
    from unweave.cli.options import sentence

    try:
        app = sys.modules[__name__].app
        if not words or words[0] in ("--help", "-h"):
            from unweave.cli.commands import import_all

            import_all()
        # By default cyclopts exits here, and what is buffered is written too late for a sentence.
        app(words, exit_on_error=False, print_error=False, result_action="return_value")
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
        if is_own(error):
            _stop(_fault(error), error, code=1)
        _stop(how_to_install(error), error)
    except (ValueError, ArithmeticError) as error:
        _stop(str(error), error)
    except MemoryError as error:
        _stop(f"memory is short: {error}" if str(error) else "memory is short", error)
    except RecursionError as error:
        _stop("the input is nested too deeply: make it flatter", error)
    except Exception as error:
        if _is_short_of_memory(error):
            _stop(f"memory is short: {str(error).splitlines()[0]}", error)
        _stop(_fault(error), error, code=1)


def _fault(error: Exception) -> str:
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    return f"{what} (please report it, with what UNWEAVE_DEBUG=1 shows)"


def _is_short_of_memory(error: Exception) -> bool:
    """Whether it is PyTorch's error of memory, which on CPUs has no class of its own."""
    return isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    )


def _system_sentence(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    reason = f"{place}{error.strerror}" if error.strerror else str(error)
    if error.errno in (errno.ENOSPC, errno.EFBIG):
        reason += ": free some space, or write to another disk (--out; UNWEAVE_CACHE for the cache)"
    return reason


def _stop(reason: str, error: Exception, *, code: int = 2) -> None:
    if os.environ.get("UNWEAVE_DEBUG"):
        raise error
    _say(f"error: {reason}", style="red")
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
    _say(f"warning: {message}", style="yellow")


def _say(text: str, *, style: str) -> None:
    from unweave.cli.console import say

    say(text, style=style)
