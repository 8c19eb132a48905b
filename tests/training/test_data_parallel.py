import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = """
import sys
from pathlib import Path
import torch
from unweave.datasets import DSprites
from unweave.models import Network, build_vae
from unweave.models.objectives import BetaVAE
from unweave.training import TrainingConfig, train

torch.set_num_threads(1)
config = TrainingConfig(
    steps=12, batch_size=16, devices=int(sys.argv[1]), accelerator="cpu", log_every=4
)
model = build_vae(Network(width=0.125, n_latents=3), (64, 64, 1), seed=0)
train(model, BetaVAE(), DSprites(), config, folder=Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_two_processes_end_as_one_on_the_same_global_batch(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    weights = []
    for devices in (1, 2):
        folder = tmp_path / str(devices)
        command = [sys.executable, str(script), str(devices), str(folder)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        tensors = load_file(folder / "checkpoints/step-00000012/model.safetensors")
        weights.append(torch.cat([t.flatten() for t in tensors.values()]))
    # The order of a sum differs, and Adam divides by small numbers: a part in a thousand of a step.
    torch.testing.assert_close(weights[0], weights[1], atol=5e-6, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="Linux lists processes there")
def test_the_process_of_another_device_ends_with_the_first(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), "2", str(tmp_path / "run")]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)

    def others():
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == process.pid and fields[0] != "Z":
                    found.append(int(folder.name))
        return [number for number in found if number != process.pid]

    def wait_for(condition):
        end = time.monotonic() + 300
        while not condition():
            assert time.monotonic() < end, "it took too long"
            time.sleep(0.1)

    try:
        wait_for(others)
        process.kill()  # the other one still imports what it needs, and will look for this one
        process.wait()
        wait_for(lambda: not others())
    finally:
        for number in others():
            os.kill(number, signal.SIGKILL)
        process.kill()
        process.wait()
