import subprocess
import sys

from unweave._parallel import in_threads

CODE = """
import numpy, threadpoolctl
from unweave._parallel import keep_to, n_cores
keep_to(1)
print(n_cores(), max(pool["num_threads"] for pool in threadpoolctl.threadpool_info()))
"""


def test_a_process_keeps_to_the_cores_that_it_is_given():
    # In a process of its own: what it limits stays limited.
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1"]


def test_results_come_in_order_with_and_without_linear_algebra():
    for linear_algebra in (True, False):
        found = in_threads(lambda i: i * i, range(50), linear_algebra=linear_algebra)
        assert found == [i * i for i in range(50)]


def test_an_error_does_not_wait_for_what_is_under_way():
    code = """
import os, time
from unweave._parallel import in_threads

def work(i):
    if i == 0:
        raise ValueError
    time.sleep(60)

start = time.monotonic()
try:
    in_threads(work, range(8), linear_algebra=False)
except ValueError:
    print(time.monotonic() - start, flush=True)
    os._exit(0)  # not when the others have slept
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 50
