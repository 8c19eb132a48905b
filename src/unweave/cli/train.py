"""`unweave train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from unweave.cli.console import out as console
from unweave.cli.console import patience, progress_bar

__all__ = ["train"]


def train(
    objective: Literal["ae", "vae", "beta_vae", "annealed_vae"],
    /,
    *,
    steps: int = 20_000,
    seed: int = 0,
    beta: float | None = None,
    gamma: float | None = None,
    max_capacity: float | None = None,
    annealing_steps: int | None = None,
    likelihood: Literal["bernoulli", "gaussian", "laplace"] = "bernoulli",
    network: Literal["burgess", "locatello"] = "burgess",
    width: float = 1.0,
    latents: int = 10,
    batch_size: int = 64,
    learning_rate: float = 5e-4,
    milestones: Annotated[list[int] | None, Parameter(consume_multiple=True, negative="")] = None,
    dataset: str = "dsprites",
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    out: Path | None = None,
) -> None:
    """Train one model, score it at its milestones, and write its codes. Go on where it was cut off.

    Parameters
    ----------
    objective
        What to minimise.
    steps
        Training steps.
    seed
        Of weights, batches and noise.
    beta
        Weight of the KL divergence (beta_vae).
    gamma
        Weight of the distance from the capacity (annealed_vae).
    max_capacity
        Final capacity in nats (annealed_vae).
    annealing_steps
        Steps over which the capacity grows (annealed_vae).
    likelihood
        Distribution of a pixel.
    network
        Encoder and decoder.
    width
        Factor on the network's channel counts.
    latents
        Number of latents.
    batch_size
        Images in a step.
    learning_rate
        Of Adam.
    milestones
        Steps at which to keep and score the model, besides the last.
    dataset
        Which data.
    accelerator
        Which device.
    out
        Folder of the run; by default one in ./runs named after its description.
    """
    from pydantic import TypeAdapter, ValidationError

    from unweave.datasets import load
    from unweave.encoders import save_codes
    from unweave.models import Network
    from unweave.models.objectives import AnyObjective
    from unweave.studies.run import TrainingRun
    from unweave.studies.study import Evaluation, RunDescription
    from unweave.training import TrainingConfig, load_model
    from unweave.training.memory import keep_freed_memory

    keep_freed_memory()
    options = {
        "beta": beta,
        "gamma": gamma,
        "max_capacity": max_capacity,
        "annealing_steps": annealing_steps,
    }
    given = {key: value for key, value in options.items() if value is not None}
    try:
        chosen: Any = TypeAdapter(AnyObjective).validate_python(
            {"name": objective, "likelihood": likelihood, **given}
        )
        description = RunDescription(
            dataset=dataset,
            network=Network(name=network, width=width, n_latents=latents),
            objective=chosen,
            training=TrainingConfig(
                steps=steps,
                milestones=tuple(milestones or ()),
                batch_size=batch_size,
                learning_rate=learning_rate,
                seed=seed,
                accelerator=accelerator,
            ),
            evaluation=Evaluation(),
        )
    except ValidationError as error:
        raise ValueError(_options_sentence(error, objective)) from error
    images = load(dataset)
    folder = out or Path("runs") / f"{objective}-{description.key}"
    run = TrainingRun(description, folder)
    if run.is_finished and run.result()["description"] != _described(run, images.image_shape):
        raise ValueError(f"{folder} holds another finished run: choose another with --out")
    with progress_bar() as report:
        run.execute(lambda step: report("training", step, steps))
    rows = images.sample_indices(description.evaluation.rows, seed=description.evaluation.seed)
    with patience("encoding"):
        codes = load_model(folder).encode(images.images(rows))
    save_codes(folder / "codes.npz", codes, images, rows)
    for step, milestone in run.result()["milestones"].items():
        for name, found in milestone["metrics"].items():
            console.print(
                f"{int(step):>8,} steps  {name}  {found['value']:.4f} "
                f"[{found['interval'][0]:.4f}, {found['interval'][1]:.4f}]  chance "
                f"{found['chance']['mean']:.4f} ± {found['chance']['sd']:.4f}  "
                f"p = {found['p_value']:.2g}  n = {found['n']:,}",
                markup=False,
                highlight=False,
            )
    console.print(
        f"model, curves and codes: {folder}", markup=False, highlight=False, soft_wrap=True
    )


def _described(run: Any, image_shape: tuple[int, ...]) -> dict[str, Any]:
    return {**run.description.model_dump(mode="json"), "image_shape": list(image_shape)}


def _options_sentence(error: Any, objective: str) -> str:
    sentences = []
    for problem in error.errors():
        option = str(problem["loc"][-1]).replace("_", "-") if problem["loc"] else "options"
        if problem["type"] == "extra_forbidden":
            sentences.append(f"--{option} is not an option of {objective}")
        else:
            sentences.append(f"--{option}: {problem['msg']} (it is {problem['input']!r})")
    return "; ".join(sentences)
