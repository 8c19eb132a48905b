import subprocess
import sys

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
