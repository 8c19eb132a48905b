"""`unweave train` and `unweave objectives`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from unweave.cli.console import (
    patience,
    print_line,
    print_note,
    print_table,
    print_texts,
    progress_bar,
    say,
    spelled,
)
from unweave.cli.loggers import LoggerNames, set_loggers
from unweave.cli.options import Seed, comma_list

__all__ = ["objectives", "train"]

_OPTIONS = {"n_latents": "latents", "n_noise": "noise"}  # of fields that are named otherwise


def train(
    objective: str,
    /,
    *,
    preset: Literal["locatello"] | None = None,
    steps: int | None = None,
    seed: Seed = 0,
    network: Literal["burgess", "locatello", "resnet"] | None = None,
    decoder: Literal["mirrored", "spatial_broadcast"] = "mirrored",
    width: float = 1.0,
    depth: int = 1,
    latents: int = 10,
    noise: int = 0,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    milestones: Annotated[list[int] | None, comma_list()] = None,
    dataset: str = "dsprites",
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    log: LoggerNames = None,
    out: Path | None = None,
    **options: str,
) -> None:
    """Train one model, score it at its milestones, and write its codes.

    A run that was interrupted resumes. A finished run continues if more steps are asked for.

    Parameters
    ----------
    objective
        What to minimise: a name that `unweave objectives` lists.
    preset
        Network, steps, batch and learning rate of a published study, where they are not given.
    steps
        Training steps in all; by default 20,000.
    seed
        Seed of weights, batches and noise.
    network
        Encoder and decoder; by default burgess.
    decoder
        The mirrored encoder, or a spatial broadcast decoder.
    width
        Factor on the network's channel counts.
    depth
        Residual blocks at each resolution (resnet).
    latents
        Number of latents.
    noise
        Further inputs of the decoder (info_gan).
    batch_size
        Images in a step; by default 64.
    learning_rate
        Learning rate of Adam; by default 0.0005.
    milestones
        Steps at which to keep and score the model, besides the last.
    dataset
        Dataset to train on.
    accelerator
        Device to train on.
    log
        Services that show learning curves and scores during training; by default tensorboard.
    out
        Folder of the run; by default one in ./runs named after its description.
    options
        Hyper-parameters of the objective, as --beta 4 (`unweave objectives`).
    """
    from pydantic import TypeAdapter, ValidationError

    from unweave._check import check_choice
    from unweave._memory import keep_freed_memory
    from unweave.datasets import load
    from unweave.encoders import save_codes
    from unweave.models import Network
    from unweave.models.objectives import OBJECTIVES, AnyObjective
    from unweave.studies.study import Evaluation, RunDescription
    from unweave.studies.training_run import TrainingRun
    from unweave.training import TrainingConfig, load_model
    from unweave.training.device import check_accelerator
    from unweave.training.loggers import VARIABLE
    from unweave.training.presets import PRESETS

    keep_freed_memory()
    set_loggers(log)
    try:
        check_accelerator(accelerator)
    except ValueError as error:
        raise ValueError(f"--{error}") from error
    check_choice("objective", objective, OBJECTIVES)
    published = PRESETS[preset] if preset else None
    asked = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate}
    training = {
        **({"steps": 20_000} if published is None else published.training),
        **{key: value for key, value in asked.items() if value is not None},
    }
    default_network = "burgess" if published is None else published.network.name
    fields = {key.replace("-", "_"): value for key, value in options.items()}
    try:
        chosen: Any = TypeAdapter(AnyObjective).validate_python(
            {**_published_options(published, objective), "name": objective, **fields}
        )
        description = RunDescription(
            dataset=dataset,
            network=Network(
                name=network or default_network,
                decoder=decoder,
                width=width,
                depth=depth,
                n_latents=latents,
                n_noise=noise,
            ),
            objective=chosen,
            training=TrainingConfig(
                **training,
                milestones=tuple(milestones or ()),
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
    n_steps = description.training.steps
    try:
        run.check()
        with progress_bar() as report:
            run.execute(lambda step: report("training", step, n_steps))
        rows = images.sample_indices(description.evaluation.rows, seed=description.evaluation.seed)
        with patience("encoding"):
            codes = load_model(folder, step=n_steps).encode(images.images(rows))
        save_codes(folder / "codes.npz", codes, images, rows)
    except KeyboardInterrupt:
        say(f"interrupted: the same command resumes the run in {folder}", style="yellow")
        sys.exit(130)
    except ConnectionError as error:
        raise ConnectionError(f"{'--log' if log else VARIABLE}: {error}") from error
    except OSError as error:
        raise OSError(f"--out {folder}: {error.strerror or error}") from error
    title = f"{objective}: {n_steps:,} steps, seed {description.training.seed}"
    _print_scores(title, run.result()["milestones"])
    print_line(f"model, curves and codes: {folder}")


def _print_scores(title: str, milestones: dict[str, Any]) -> None:
    rows = [
        [
            f"{int(step):,}",
            name,
            f"{found['value']:.4f}",
            f"[{found['interval'][0]:.4f}, {found['interval'][1]:.4f}]",
            f"{found['chance']['mean']:.4f} ± {found['chance']['sd']:.4f}",
            f"{found['p_value']:.2g}",
            f"{found['n']:,}",
        ]
        for step, milestone in milestones.items()
        for name, found in milestone["metrics"].items()
    ]
    columns = ["step", "metric", "value", "95 % interval", "chance", "p", "rows"]
    print_table(title, columns, rows, n_left=2, n_keys=2)


def objectives() -> None:
    """What models can be trained to minimise, and the options of each."""
    from unweave.models.objectives import OBJECTIVES
    from unweave.models.objectives.terms import Objective

    rows = []
    for name, objective in OBJECTIVES.items():
        own = objective.model_fields.keys() - Objective.model_fields.keys()
        options = [
            f"--{key.replace('_', '-')} {field.default}"
            for key, field in objective.model_fields.items()
            if key in own
        ]
        title = spelled(objective.title or name)
        rows.append((name, title, "\n".join(options)))
    columns = ("name", "method", "options and their defaults")
    print_texts("Objectives", columns, rows)
    print_note("All of them take --likelihood bernoulli, gaussian or laplace.")


def _published_options(preset: Any, objective: str) -> dict[str, Any]:
    """What the study held fixed for this objective; of what it varied, its third value if it did
    not try our default.
    """  # noqa: D205
    if preset is None or objective not in preset.objectives:
        return {}
    from unweave.models.objectives import OBJECTIVES

    tried = preset.objectives[objective]
    default = OBJECTIVES[objective](name=objective).strength
    nearest = next((o for o in tried if o.strength == default), tried[2])
    return nearest.model_dump()


def _options_sentence(error: Any, objective: str) -> str:
    sentences = []
    for problem in error.errors():
        field = str(problem["loc"][-1]) if problem["loc"] else "options"
        option = _OPTIONS.get(field, field).replace("_", "-")
        if problem["type"] == "extra_forbidden":
            sentences.append(
                f"--{option} is not an option of {objective} (`unweave objectives` lists them)"
            )
        elif problem["type"] == "value_error":
            reason = str(problem["ctx"]["error"])
            sentences.append(f"--{reason}" if reason.startswith("milestones ") else reason)
        else:
            sentences.append(f"--{option}: {problem['msg']} (it is {problem['input']!r})")
    return "; ".join(sentences)
