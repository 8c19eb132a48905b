"""How a command stops on a signal. It imports little, to listen before anything else does.

What raises in the main thread alone may come late, while compiled code computes, and may get lost,
as in a destructor. A thread of its own hears every signal at once, answers, and sees to the end.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from unweave._signals import STOP_SIGNALS

__all__ = ["stoppable"]

_PATIENCE = 10.0  # seconds that the command has to stop by itself
_ANSWER = b"stopping: press Ctrl-C again to end at once"
_SHOW_CURSOR, _ERASE_LINE = b"\x1b[?25h", b"\r\x1b[2K"


@contextmanager
def stoppable() -> Iterator[None]:
    """Stop what is done in here when a signal comes: interrupted by the first, ended by a second.

    The first raises :class:`KeyboardInterrupt`. The process then ends with 128 + the signal's
    number, as shells have it. Signals that are ignored, as by ``nohup``, stay so.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone has handlers
        yield
        return
    listener = _Listener()
    try:
        yield
    finally:
        listener.close()


class _Listener:
    """The thread that hears signals, and what it has heard."""

    def __init__(self) -> None:
        self.first = 0
        self._has_raised = False
        self._asked, self._answered = threading.Event(), threading.Event()
        self._receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        self._heeded = [n for n in STOP_SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
        # Python writes the number of each signal there, even while the main thread is busy.
        self._descriptor = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        self._handlers = {n: signal.signal(n, self._interrupt) for n in self._heeded}
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more; end the process if a signal has come."""
        with suppress(OSError):
            self._sender.send(b"\0")  # no signal has this number
        self._asked.wait(1.0)
        if self.first:
            atexit._run_exitfuncs()
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            _end(self.first)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._descriptor)
        self._sender.close()
        self._thread.join()
        self._receiver.close()

    def _interrupt(self, number: int, frame: Any) -> None:
        if not self._has_raised:  # a second signal would disturb what the first has begun
            self._has_raised = True
            self._answered.wait(0.5)  # so that nothing is said before it
            raise KeyboardInterrupt

    def _listen(self) -> None:
        while numbers := self._receiver.recv(64):
            for number in numbers:
                if not number:
                    self._asked.set()
                elif number in self._heeded and self.first:
                    _end(self.first)
                elif number in self._heeded:
                    self.first = number
                    # A write may never return, as to a pager that stands still.
                    for target in (self._answer, self._lose_patience):
                        threading.Thread(target=target, daemon=True).start()

    def _answer(self) -> None:
        """Say that the signal was heard, past the locks of streams and of the console."""
        with suppress(OSError, ValueError):  # no descriptor, or a terminal that is gone
            descriptor = sys.stderr.fileno()
            prefix = _ERASE_LINE if os.isatty(descriptor) else b""
            os.write(descriptor, prefix + _ANSWER + b"\n")
        self._answered.set()

    def _lose_patience(self) -> None:
        time.sleep(_PATIENCE)
        _end(self.first)


def _end(number: int) -> None:
    """End this process without waiting for its threads. Workers end with it."""
    with suppress(OSError, ValueError):
        if os.isatty(sys.stderr.fileno()):
            os.write(sys.stderr.fileno(), _SHOW_CURSOR)  # which a progress bar hides
    os._exit(128 + number)
