"""Worker processes that end when the process that started them ends or is interrupted.

A worker imports this module before it imports anything heavy, so it imports little.
"""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from multiprocessing import connection, resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from unweave._signals import STOP_SIGNALS

__all__ = ["Workers", "launching"]

_POLL_SECONDS = 0.25
_QUIET = "ignore:resource_tracker:UserWarning"
_LAUNCHER = "UNWEAVE_LAUNCHER"  # number of the process that starts those of other devices
_PATIENCE = 1.0  # seconds that workers have to stop by themselves


class Workers(ProcessPoolExecutor):
    """A pool of spawned processes, to be used in a ``with`` statement.

    When this process ends, however it ends, so do they, whatever they are at. When it is
    interrupted, :meth:`completed` raises :class:`KeyboardInterrupt`, and they are ended on the way
    out.

    Parameters
    ----------
    n
        How many processes.
    start
        What each of them calls first, as "package.module:function". It is imported once the process
        watches its parent, for an import may take seconds.
    arguments
        Arguments of that function.
    """

    def __init__(self, n: int, start: str, *arguments: Any) -> None:
        _start_tracker()
        super().__init__(n, _Context(), _begin, (start, arguments))
        self._noted = threading.Event()
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Workers:
        """Keep interrupts from now on."""
        if threading.current_thread() is threading.main_thread():
            for number in STOP_SIGNALS:
                if callable(handler := signal.getsignal(number)):  # else ignored, or fatal
                    self._handlers[number] = handler
                    signal.signal(number, self._note)
        super().__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        """Wait for the processes to end; not for long if it was an error that came."""
        try:
            if kind is not None:
                self._end()
            super().__exit__(kind, *rest)
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
        if kind is None and self._noted.is_set():  # it came when all was done
            raise KeyboardInterrupt

    def completed(self, futures: Iterable[Future]) -> Iterator[set[Future]]:
        """Those of the futures that are done since the last time, every quarter of a second.

        Raises
        ------
        KeyboardInterrupt
            If an interrupt has come.
        """
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, _POLL_SECONDS, FIRST_COMPLETED)
            if self._noted.is_set():
                raise KeyboardInterrupt
            yield done

    def _note(self, number: int, frame: Any) -> None:
        """Do what a signal has done, but keep the first interrupt for :meth:`completed`.

        Raised inside :func:`concurrent.futures.wait`, it may leave the lock of a future taken for
        ever, and shutting the pool down would then wait for ever.
        """
        is_first = not self._noted.is_set()
        try:
            self._handlers[number](number, frame)
        except KeyboardInterrupt:
            self._noted.set()
            if not is_first:
                raise

    def _end(self) -> None:
        """Let the processes finish what takes a moment, and kill those that have not."""
        processes = list((self._processes or {}).values())  # shutting down forgets them
        try:
            self.shutdown(wait=False, cancel_futures=True)
            _wait_for(processes, _PATIENCE)
        finally:
            for process in processes:
                with suppress(ValueError):  # it has ended and was closed
                    process.kill()


@contextmanager
def launching() -> Iterator[None]:
    """Where Lightning starts a process for each other device, in all of them.

    The others end when the first one ends; they would wait for it for half an hour.
    """
    launcher = os.environ.pop(_LAUNCHER, None)
    if os.environ.get("LOCAL_RANK", "0") != "0":
        if launcher is not None:  # else they were started by another program, which looks at them
            threading.Thread(target=_end_after, args=(int(launcher),), daemon=True).start()
        yield
        return
    os.environ[_LAUNCHER] = str(os.getpid())
    try:
        yield
    finally:
        del os.environ[_LAUNCHER]


def _end_after(parent: int) -> None:
    """End when the parent ends; without a pipe to it, look every quarter of a second."""
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(1)


def _wait_for(processes: Sequence[Any], seconds: float) -> None:
    """Wait until the processes have ended, or the time has passed."""
    end = time.monotonic() + seconds
    waiting = [process.sentinel for process in processes]
    while waiting and (left := end - time.monotonic()) > 0:
        ended = connection.wait(waiting, timeout=left)
        waiting = [sentinel for sentinel in waiting if sentinel not in ended]


def _start_tracker() -> None:
    """Start the process that removes semaphores after a kill, and silence its warning of them.

    Started later, it would unblock signals that are blocked then.
    """
    if hasattr(signal, "pthread_sigmask"):
        sys.warnoptions.append(_QUIET)
        try:
            resource_tracker.ensure_running()
        finally:
            sys.warnoptions.remove(_QUIET)


class _Process(SpawnProcess):
    """A process that Ctrl-C does not reach from its first moment on: its parent alone decides."""

    def start(self) -> None:
        if not hasattr(signal, "pthread_sigmask"):
            super().start()
            return
        # A signal that is blocked stays so in the process; one that comes here meanwhile waits.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Context(SpawnContext):
    Process = _Process


def _begin(start: str, arguments: tuple) -> None:
    """The first call in a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pkgutil.resolve_name(start)(*arguments)


def _end_with_parent() -> None:
    """Wait for the parent to end, which closes a pipe, and end at once: files appear whole."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
