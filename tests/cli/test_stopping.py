"""Signals that a command is sent, in a process of its own."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from unweave.cli.stopping import stoppable

ANSWER = "stopping: press Ctrl-C again to end at once"
# A command that does as it is told here.
COMMAND = """
import sys, threading, time
import unweave.cli
from unweave.cli import main, stopping

def app(words, **options):
    print("begun", flush=True)
    {body}
    print("done", flush=True)

unweave.cli.app = app
{before}
main()
"""
SLEEPS = "time.sleep(300)"
# Compiled code that never looks for signals, and lets other threads go on, as numba's and torch's.
IN_COMPILED_CODE = "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"
SWALLOWED = """
    class Lost:
        def __del__(self):
            print("in it", flush=True)
            time.sleep(3)
    lost = Lost()
    del lost  # an exception in a destructor is told, and ignored
    time.sleep(300)
"""
THREAD_LEFT = """
    threading.Thread(target=time.sleep, args=(300,)).start()
    time.sleep(300)
"""


@pytest.fixture
def begin():
    processes = []

    def call(body, before=""):
        code = COMMAND.format(body=body, before=before)
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout.readline() == "begun\n"
        return process

    yield call
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_is_answered_and_the_code_is_that_of_shells(begin, name):
    number = getattr(signal, name, None) or pytest.skip(f"there is no {name}")
    process = begin(SLEEPS)
    process.send_signal(number)
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said.splitlines() == [ANSWER, "interrupted"]
    assert printed == ""


def test_compiled_code_does_not_keep_the_answer_back(begin):
    process = begin(IN_COMPILED_CODE, before="import hashlib")
    time.sleep(1.0)  # until it is there
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline().strip() == ANSWER
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert time.monotonic() - start < 10
    assert process.stderr.read() == ""


def test_an_interrupt_that_is_swallowed_ends_the_command_all_the_same(begin):
    process = begin(SWALLOWED, before="stopping._PATIENCE = 4.0")
    assert process.stdout.readline() == "in it\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Exception ignored" in said
    assert ANSWER in said


def test_threads_are_not_waited_for(begin):
    process = begin(THREAD_LEFT)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert said.splitlines() == [ANSWER, "interrupted"]


def test_a_signal_that_comes_while_a_command_is_imported_is_no_traceback():
    # Importing this is what takes the time; whatever it was at, the answer is the same.
    code = (
        "import sys, unweave.cli; from unweave.cli import main\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'unweave.cli.commands': print('begun', flush=True)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "sys.argv = ['unweave', 'study', 'list']\n"
        "main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines() == [ANSWER, "interrupted"]


def test_the_command_line_imports_little_before_it_listens():
    code = "import sys, unweave.cli; print([m for m in ('cyclopts', 'numpy') if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert printed.stdout.strip() == "[]"


def test_a_command_that_is_not_stopped_leaves_the_handlers_as_they_were():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    n_threads = threading.active_count()
    with stoppable():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    assert threading.active_count() == n_threads


def test_in_another_thread_nothing_is_changed():
    before = signal.getsignal(signal.SIGTERM)
    found = []

    def call():
        with stoppable():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert found == [before]
