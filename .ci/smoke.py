"""Whether the core that is installed works from end to end: help, completion, scores, GEOMANCER.

Run by the Python that it is installed in, on any operating system.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy as np

COMMAND = Path(sysconfig.get_path("scripts")) / ("unweave.exe" if os.name == "nt" else "unweave")


def unweave(*words: str) -> str:
    """What the command prints; it must succeed."""
    done = subprocess.run([COMMAND, *words], capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        sys.exit(f"unweave {' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def check(what: str, holds: bool) -> None:
    """End with an error unless it holds."""
    print(f"{what}: {'as it should be' if holds else 'WRONG'}")
    if not holds:
        sys.exit(1)


os.environ["PYTHONUTF8"] = "1"
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    os.chdir(folder)
    os.environ.setdefault("UNWEAVE_CACHE", str(Path(folder) / "cache"))
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 4, (1000, 2))
    np.savez("codes.npz", codes=factors + 0.01 * rng.standard_normal((1000, 2)), factors=factors)
    check("help", {"score", "geomancer", "train"} <= set(unweave("--help").split()))
    check("completion", "geomancer" in unweave("completion", "bash"))
    scores = json.loads(unweave("score", "codes.npz", "--metrics", "mig", "sap", "--json"))
    check("MIG of codes that are the factors", scores["metrics"]["mig"]["value"] > 0.9)
    found = json.loads(unweave("geomancer", "S^2 x S^2", "--points", "1000", "--json"))
    check("GEOMANCER of a product of two spheres", found["dims"] == [2, 2])
    os.chdir(Path(__file__).parent)  # Windows deletes no folder that a process is in
