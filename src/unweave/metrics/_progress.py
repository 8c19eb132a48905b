"""A bar for what takes time, in terminals and notebooks; silent where nobody would see it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

__all__ = ["progress"]

_live: list[object] = []  # the bars on show


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar of ``total`` steps on stderr or in the notebook; call what is given after each.

    A bar inside another is drawn below it, except in a notebook without ipywidgets: bars are text
    there, which cannot move up by a line.
    """
    in_notebook = _in_notebook()
    if not (in_notebook or _in_terminal()) or (
        in_notebook and _live and find_spec("ipywidgets") is None
    ):
        yield lambda: None
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")  # ipywidgets is missing
        from tqdm.auto import tqdm

    with tqdm(total=total, desc=what, leave=False) as bar:

        def advance() -> None:
            bar.update()

        _live.append(bar)
        try:
            yield advance
        finally:
            _live.remove(bar)


def _in_terminal() -> bool:
    """Whether stderr is a terminal; programs without a console have no stderr, or a closed one."""
    return sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and "IPKernelApp" in shell.config
