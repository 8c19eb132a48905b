"""Many models at once end as one by one."""

import pickle
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from unweave.datasets import DSprites
from unweave.models import Network, build_vae
from unweave.models.objectives import (
    DCIGN,
    DIPVAEII,
    VAE,
    AnnealedVAE,
    BetaTCVAE,
    BetaVAE,
    FactorVAE,
    InfoVAE,
)
from unweave.training import DivergedError, Member, TrainingConfig, train, train_ensemble
from unweave.training.ensemble import stacks

NETWORK = Network(width=0.125, n_latents=3)
CONFIG = TrainingConfig(steps=15, batch_size=8, accelerator="cpu", log_every=5)


def alone(member):
    model = build_vae(NETWORK, (64, 64, 1), seed=member.seed)
    config = CONFIG.model_copy(update={"seed": member.seed})
    return train(model, member.objective, DSprites(), config)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize(
    "members",
    [
        [Member(BetaVAE(beta=1), 0), Member(BetaVAE(beta=4), 0), Member(BetaVAE(beta=4), 1)],
        [Member(BetaTCVAE(beta=2), 0), Member(BetaTCVAE(beta=6), 1)],
        [Member(DIPVAEII(lambda_od=1), 0), Member(DIPVAEII(lambda_od=9), 0)],
        [Member(InfoVAE(lambda_prior=10), 0), Member(InfoVAE(lambda_prior=100), 1)],
        [Member(AnnealedVAE(gamma=1, annealing_steps=9), s) for s in (0, 1)],
    ],
    ids=lambda members: members[0].objective.name,
)
def test_trained_together_they_end_as_one_by_one(members):
    together = train_ensemble(NETWORK, members, DSprites(), CONFIG, together=True)
    start = weights(build_vae(NETWORK, (64, 64, 1), seed=0))
    for model, member in zip(together, members, strict=True):
        expected = weights(alone(member))
        # Adam divides by small numbers: rounding is seen relative to how far training went.
        assert (weights(model) - expected).norm() < 1e-3 * (expected - start).norm()


ALONE = """
import sys
import torch
from safetensors.torch import save_file
from unweave.datasets import DSprites
from unweave.models import Network, build_vae
from unweave.models.objectives import BetaVAE
from unweave.training import TrainingConfig, train

torch.set_num_threads(1)
model = build_vae(Network(width=0.125, n_latents=3), (64, 64, 1), seed=1)
config = TrainingConfig(steps=15, batch_size=8, accelerator="cpu", log_every=5, seed=1)
train(model, BetaVAE(beta=4), DSprites(), config)
save_file({k: t.contiguous() for k, t in model.state_dict().items()}, sys.argv[1])
"""


@pytest.mark.slow
def test_in_processes_they_end_with_the_same_bits(tmp_path):
    members = [Member(VAE(), 0), Member(BetaVAE(beta=4), 1)]
    found = train_ensemble(NETWORK, members, DSprites(), CONFIG)
    for model, member in zip(found, members, strict=True):
        # This process may have other threads and other memory, and so other bits.
        torch.testing.assert_close(weights(model), weights(alone(member)), atol=1e-4, rtol=1e-3)
    (tmp_path / "alone.py").write_text(ALONE)
    file = tmp_path / "alone.safetensors"
    subprocess.run([sys.executable, str(tmp_path / "alone.py"), str(file)], check=True, timeout=300)
    state = load_file(file)
    for name, tensor in found[1].state_dict().items():
        assert torch.equal(tensor, state[name])


@pytest.mark.parametrize(
    ("objectives", "expected"),
    [
        ([BetaVAE(beta=1), BetaVAE(beta=2)], True),
        ([BetaVAE(), VAE()], False),
        ([FactorVAE(), FactorVAE()], False),
        ([DCIGN(), DCIGN()], False),
        ([BetaTCVAE(), BetaTCVAE(estimator="weighted")], False),
    ],
    ids=["numbers differ", "kinds differ", "an adversary", "own batches", "words differ"],
)
def test_what_can_be_trained_together(objectives, expected):
    assert stacks(objectives) is expected
    if not expected:
        members = [Member(o, 0) for o in objectives]
        with pytest.raises(ValueError, match="cannot be trained together"):
            train_ensemble(NETWORK, members, DSprites(), CONFIG, together=True)


def test_an_ensemble_of_none_is_refused():
    with pytest.raises(ValueError, match="needs members"):
        train_ensemble(NETWORK, [], DSprites(), CONFIG)


def test_a_member_that_diverges_is_named():
    config = CONFIG.model_copy(update={"learning_rate": 1e30})
    members = [Member(BetaVAE(beta=1), 7), Member(BetaVAE(beta=4), 8)]
    with pytest.raises(DivergedError, match="beta_vae with seed 7"):
        train_ensemble(NETWORK, members, DSprites(), config, together=True)


@pytest.mark.usefixtures("shared_cache")
def test_a_prepared_dataset_travels_without_its_images():
    dataset = DSprites().prepare()
    assert len(pickle.dumps(dataset)) < 1000
    assert pickle.loads(pickle.dumps(dataset)).is_prepared
