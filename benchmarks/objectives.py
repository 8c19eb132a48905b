"""Every objective on dSprites with one small budget: does each do what it is for, and at what cost?

A study of two seeds each (half the width of the Burgess network), then for each model on the same
10,000 images: reconstruction and KL in nats; the total correlation of the aggregate posterior,
once of the Gaussian with its covariance, once by a discriminator trained afterwards on draws of
the finished model, which shares nothing with what the objectives estimate; how far the covariance
of codes is from the identity; MIG and the FactorVAE score with their chance levels. The orderings
that theory gives are asserted at the end. Then the time of a training step, as a ratio to the
VAE's, alternating in one process. An hour on two cores; what is finished is not done again. Run:
    python benchmarks/objectives.py [FOLDER]
"""

import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from unweave._memory import keep_freed_memory
from unweave.datasets import DSprites
from unweave.metrics import latent_dependence
from unweave.models import VAE, Network, build_vae, initialise
from unweave.models.adversaries import build_discriminator
from unweave.models.likelihoods import negative_log_likelihood
from unweave.models.objectives import OBJECTIVES
from unweave.models.objectives.factor_vae import permute_latents
from unweave.studies import run_study
from unweave.studies.evaluation import Evaluation
from unweave.studies.folder import StudyFolder
from unweave.studies.kinds.training import Cells, TrainingStudy
from unweave.training import TrainingConfig, TrainingSettings, load_model, train

STEPS, SEEDS, ROWS = 3000, (0, 1), 10_000
WIDTH = 0.5
CHOSEN = {
    "autoencoder": {"name": "ae"},
    "VAE": {"name": "vae"},
    "β-VAE (2)": {"name": "beta_vae", "beta": 2},
    "β-VAE (4)": {"name": "beta_vae", "beta": 4},
    "β-VAE (8)": {"name": "beta_vae", "beta": 8},
    "AnnealedVAE (10)": {
        "name": "annealed_vae", "max_capacity": 10, "gamma": 100, "annealing_steps": STEPS,
    },
    "FactorVAE (10)": {"name": "factor_vae", "gamma": 10},
    "FactorVAE (35)": {"name": "factor_vae", "gamma": 35},
    "β-TCVAE (6)": {"name": "beta_tc_vae", "beta": 6},
    "DIP-VAE-I (10)": {"name": "dip_vae_i", "lambda_od": 10},
    "DIP-VAE-II (10)": {"name": "dip_vae_ii", "lambda_od": 10},
    "InfoVAE (1000)": {"name": "info_vae"},
    "DC-IGN": {"name": "dc_ign"},
}  # fmt: skip
GAN = {"InfoGAN (1)": {"name": "info_gan"}}


def study(name: str, chosen: dict[str, dict], n_noise: int) -> TrainingStudy:
    return TrainingStudy(
        name=name,
        title="Does each objective do what it is for?",
        question="Reconstruction, KL, total correlation and scores of every objective.",
        network=Network(width=WIDTH, n_noise=n_noise),
        training=TrainingSettings(learning_rate=1e-3),
        evaluation=Evaluation(
            rows=ROWS, metrics=("mig", "factor_vae"), n_permutations=20, n_projections=3,
            n_halves=3,
        ),
        cells=(Cells(objectives=tuple(chosen.values()), seeds=SEEDS, milestones=(STEPS,)),),
    )  # fmt: skip


def total_correlation(codes: np.ndarray) -> float:
    """In nats, of (rows, latents), by a discriminator, on rows that it was not trained on.

    Only latents that vary: a constant adds nothing.
    """
    codes = codes[:, codes.std(axis=0) > 1e-3]
    scaled = torch.from_numpy(((codes - codes.mean(0)) / codes.std(0)).astype(np.float32))
    fitted, held_out = scaled[: len(scaled) // 2], scaled[len(scaled) // 2 :]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        discriminator = build_discriminator(codes.shape[1], units=128, n_layers=3)
        initialise(discriminator)
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-3, weight_decay=1e-4)
    generator = torch.Generator().manual_seed(0)
    for _ in range(1000):
        rows = fitted[torch.randint(len(fitted), (256,), generator=generator)]
        mixed = permute_latents(rows, torch.randn(rows.shape, generator=generator))
        loss = F.softplus(-discriminator(rows)).mean() + F.softplus(discriminator(mixed)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        mixed = permute_latents(held_out, torch.randn(held_out.shape, generator=generator))
        # Donsker and Varadhan (1983): a lower bound whatever the discriminator is.
        ratio = discriminator(held_out).mean()
        return float(ratio - torch.logsumexp(discriminator(mixed).flatten(), 0)
                     + np.log(len(mixed)))  # fmt: skip


def off_identity(covariance: np.ndarray) -> float:
    """Root mean square over entries."""
    return float(np.sqrt(np.mean((covariance - np.eye(len(covariance))) ** 2)))


@torch.no_grad()
def reconstruction(model: VAE, images: np.ndarray, latents: np.ndarray) -> float:
    losses = []
    for start in range(0, len(images), 500):
        batch = torch.from_numpy(images[start : start + 500]).permute(0, 3, 1, 2).float() / 255
        codes = torch.from_numpy(latents[start : start + 500])
        outputs = model.decoder(F.pad(codes, (0, model.n_inputs - model.n_latents)))
        losses.append(negative_log_likelihood(outputs, batch, "bernoulli"))
    return float(torch.cat(losses).mean())


def measure(run, dataset: DSprites) -> dict[str, float]:
    model = load_model(run.folder)
    images = dataset.images(dataset.sample_indices(ROWS, seed=1))
    mean, log_variance = model.encode_posterior(images)
    noise = np.random.default_rng(0).standard_normal(mean.shape).astype(np.float32)
    samples = run.description.objective.samples
    latents = mean + np.exp(0.5 * log_variance) * noise if samples else mean
    metrics = run.result()["milestones"][str(STEPS)]["metrics"]
    covariance = np.cov(latents.T)
    return {
        "reconstruction": reconstruction(model, images, latents),
        "kl": float(0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(1).mean()),
        "tc": total_correlation(latents),
        "gaussian_tc": latent_dependence(latents, noise=None)["total_correlation"].value,
        "off_means": off_identity(np.cov(mean.T)),
        "off": off_identity(covariance),
        "mig": metrics["mig"]["value"],
        "mig_chance": metrics["mig"]["chance"]["mean"],
        "factor_vae": metrics["factor_vae"]["value"],
        "factor_vae_chance": metrics["factor_vae"]["chance"]["mean"],
    }


def table(found: dict[str, list[dict[str, float]]]) -> None:
    columns = ("reconstruction", "kl", "tc", "gaussian_tc", "off_means", "off", "mig", "factor_vae")
    print(f"{'mean of two seeds':<20}" + "".join(f"{c:>15}" for c in columns))
    for label, runs in found.items():
        cells = "".join(f"{np.mean([r[c] for r in runs]):>15.4g}" for c in columns)
        print(f"{label:<20}{cells}")
        spread = "".join(f"{np.ptp([r[c] for r in runs]) / 2:>14.2g} " for c in columns)
        print(f"{'  ± half their gap':<20}{spread}")
    every = [r for runs in found.values() for r in runs]
    for name in ("mig", "factor_vae"):
        print(f"chance of {name}: {np.mean([r[f'{name}_chance'] for r in every]):.4f}")


def check(found: dict[str, list[dict[str, float]]]) -> None:
    def mean(label: str, column: str) -> float:
        return float(np.mean([run[column] for run in found[label]]))

    betas = ["VAE", "β-VAE (2)", "β-VAE (4)", "β-VAE (8)"]
    for column, sign in (("kl", -1), ("reconstruction", 1)):
        values = [mean(label, column) for label in betas]
        assert (np.diff(values) * sign > 0).all(), (column, values)
    assert mean("autoencoder", "reconstruction") < mean("VAE", "reconstruction")
    capacity = mean("AnnealedVAE (10)", "kl")
    assert abs(capacity - 10) < 1.5, capacity
    # At equal reconstruction: the beta-VAE's total correlation there, between its neighbours.
    levels = [mean(label, "reconstruction") for label in betas]
    for column in ("tc", "gaussian_tc"):
        correlations = [mean(label, column) for label in betas]
        for label in ("FactorVAE (10)", "FactorVAE (35)", "β-TCVAE (6)"):
            there = np.interp(mean(label, "reconstruction"), levels, correlations)
            assert mean(label, column) < there, (label, column, mean(label, column), there)
    assert mean("DIP-VAE-I (10)", "off_means") < 0.2 * mean("VAE", "off_means")
    assert mean("DIP-VAE-II (10)", "off") < 0.5 * mean("VAE", "off")
    print("all orderings hold")


def step_times(rounds: int = 5, steps: int = 8) -> None:
    """Seconds of a step at full width, alternating; the first steps of each round do not count."""
    keep_freed_memory()
    torch.set_num_threads(1)
    dataset = DSprites().prepare()
    config = TrainingConfig(steps=steps, accelerator="cpu")
    times: dict[str, list[float]] = {name: [] for name in OBJECTIVES}
    for _ in range(rounds):
        for name, objective in OBJECTIVES.items():
            model = build_vae(Network(), (64, 64, 1), seed=0)
            marks: list[float] = []
            train(model, objective(), dataset, config,
                  at_step=lambda _, marks=marks: marks.append(time.process_time()))  # fmt: skip
            times[name].append(statistics.median(np.diff(marks)[2:]))
    base = times["vae"]
    print(f"CPU seconds of a step of the VAE: {statistics.median(base):.3f}; ratios to it:")
    for name, own in times.items():
        ratios = sorted(a / b for a, b in zip(own, base, strict=True))
        print(f"  {name:<14}{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("studies/objectives")
    dataset = DSprites()
    found: dict[str, list[dict[str, float]]] = {}
    studies = [(study("objectives", CHOSEN, 0), CHOSEN), (study("info-gan", GAN, 5), GAN)]
    for described, _ in studies:
        failures = run_study(described, folder / described.name)
        assert not failures, failures
    for described, chosen in studies:
        for run in StudyFolder(described, folder / described.name).runs:
            wanted = run.description.objective
            label = next(k for k, v in chosen.items() if OBJECTIVES[v["name"]](**v) == wanted)
            found.setdefault(label, []).append(measure(run, dataset))
    table(found)
    step_times()
    check(found)


if __name__ == "__main__":
    main()
