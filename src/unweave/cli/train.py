"""`unweave train` and `unweave objectives`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

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
from unweave.cli.options import ImageSize, ResizeFilter
from unweave.cli.train_options import (
    NetworkOptions,
    TrainingOptions,
    option,
    spelled_settings,
)

__all__ = ["objectives", "train"]

_NO_NETWORK, _NO_TRAINING = NetworkOptions(), TrainingOptions()  # nothing is given


def train(
    objective: str,
    /,
    *,
    preset: Literal["locatello"] | None = None,
    network: NetworkOptions = _NO_NETWORK,
    training: TrainingOptions = _NO_TRAINING,
    dataset: str = "dsprites",
    image_size: ImageSize | None = None,
    resize_filter: ResizeFilter | None = None,
    log: LoggerNames = None,
    out: Path | None = None,
    **options: str,
) -> None:
    """Train one model, score it at its milestones, and write its codes.

    Scores that need factors are left out where the images have none. A run that was interrupted
    resumes. A finished run continues if more steps, or more minutes, are asked for. Settings of the
    objective's paper come before the defaults below (`unweave objectives` lists them).

    Parameters
    ----------
    objective
        What to minimise: a name that `unweave objectives` lists, or package.module:Class.
    preset
        Network, steps, batch and learning rate of a published study, where they are not given.
    network
        Which network.
    training
        How it is trained.
    dataset
        Dataset to train on: a name (`unweave data list`), a file, a folder of images,
        hf:OWNER/NAME or package.module:object.
    image_size
        Height and width that images are resized to.
    resize_filter
        Filter for resizing; by default lanczos.
    log
        Services that show learning curves and scores during training; by default tensorboard.
    out
        Folder of the run; by default one in ./runs named after its description.
    options
        Hyper-parameters of the objective, as --beta 4 (`unweave objectives`).
    """
    from unweave._memory import keep_freed_memory
    from unweave.datasets import load, with_options
    from unweave.datasets.names import parse
    from unweave.datasets.selection import scoring_rows
    from unweave.encoders import save_codes
    from unweave.studies.training_run import TrainingRun
    from unweave.training import load_model
    from unweave.training.checkpoint import steps_done
    from unweave.training.device import check_accelerator
    from unweave.training.loggers import VARIABLE

    keep_freed_memory()
    set_loggers(log)
    source = with_options(dataset, size=image_size, resample=resize_filter)
    description = _description(objective, preset, source, network, training, options)
    try:
        check_accelerator(description.training.accelerator)
    except ValueError as error:
        raise ValueError(f"--{error}") from error
    images = load(description.dataset)
    folder = out or Path("runs") / f"{description.objective.name}-{description.key}"
    run = TrainingRun(description, folder)
    try:
        run.check()
        with progress_bar() as report:
            if parse(description.dataset).kind != "catalogue":  # those are drawn as they are needed
                images.prepare(lambda done, total: report("reading images", done, total))
            run.execute(lambda done: report("training", done, description.work))
        evaluation = description.evaluation
        rows = scoring_rows(images, evaluation.rows, seed=evaluation.seed)
        with patience("encoding"):
            model = load_model(folder, step=steps_done(folder))
            codes = model.encode(images.images(rows))
        values, file = model.indices_of(codes), folder / "codes.npz"
        save_codes(file, codes, images, rows, indices=values, groups=model.groups)
    except KeyboardInterrupt:
        say(f"interrupted: the same command resumes the run in {folder}", style="yellow")
        sys.exit(130)
    except ConnectionError as error:
        raise ConnectionError(f"{'--log' if log else VARIABLE}: {error}") from error
    except OSError as error:
        raise OSError(f"--out {folder}: {error.strerror or error}") from error
    result = run.result()
    _print_scores(_title(description, result), result["milestones"])
    _print_collapse(result["milestones"])
    print_line(f"model, curves and codes: {folder}")


def _description(
    objective: str,
    preset: str | None,
    dataset: str,
    network: NetworkOptions,
    training: TrainingOptions,
    options: Mapping[str, str],
) -> Any:
    """What is run: what is given, else what the preset has, else the objective's settings."""
    from pydantic import TypeAdapter, ValidationError

    from unweave._settings import filled, over_defaults
    from unweave.models.objectives import AnyObjective, objective_class
    from unweave.studies.evaluation import Evaluation
    from unweave.studies.training_run import TrainingDescription
    from unweave.training import TrainingConfig

    objective_class(objective)
    settings, fields = training.given(), network.given()
    published = None
    if preset:
        from unweave.studies.presets import load_preset

        published = load_preset(preset)
        settings = over_defaults(settings, published.training)
        fields = filled(fields, {"name": published.network})
    own = {key.replace("-", "_"): value for key, value in options.items()}
    try:
        chosen: Any = TypeAdapter(AnyObjective).validate_python(
            {**_published_options(published, objective), "name": objective, **own}
        )
        return TrainingDescription(
            dataset=dataset,
            network=chosen.default_network(**fields),
            objective=chosen,
            training=TrainingConfig.for_objective(chosen, **settings),
            evaluation=Evaluation(),
        )
    except ValidationError as error:
        raise ValueError(_options_sentence(error, objective)) from error


def _title(description: Any, result: dict[str, Any]) -> str:
    steps = max(int(step) for step in result["milestones"])
    parts = [f"{description.objective.name}: {steps:,} steps"]
    if "cpu_seconds" in result:
        parts.append(f"{result['cpu_seconds'] / 60:.3g} CPU minutes")
    if result.get("precision") not in (None, "32-true"):
        parts.append(result["precision"])
    return ", ".join([*parts, f"seed {description.training.seed}"])


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
    if rows:
        print_table(title, columns, rows, n_left=2, n_keys=2)
    sentences = (s for found in milestones.values() for s in found.get("scores_left_out", ()))
    for sentence in dict.fromkeys(sentences):
        print_note(f"note: {sentence}")


def _print_collapse(milestones: dict[str, Any]) -> None:
    """Which latents of the finished model hold nothing; a warning if none of them does."""
    from unweave.models.collapse import collapse_sentence, collapsed_latents

    last = milestones[max(milestones, key=int)]
    rate = "kl" if "kl_per_latent" in last else "entropy"
    rates = last[f"{rate}_per_latent"]
    sentence = collapse_sentence(rates, rate)
    if len(collapsed_latents(rates, rate)) == len(rates):
        say(f"warning: {sentence}", style="yellow")
    elif sentence:
        print_note(f"note: {sentence}")


def objectives(*names: str) -> None:
    """What models can be trained to minimise, with options and the settings of the papers.

    Parameters
    ----------
    names
        Which objectives: names, or package.module:Class; by default all of unweave.
    """
    from unweave.models.objectives import OBJECTIVES, Objective, objective_class

    chosen = {name: objective_class(name) for name in names} or OBJECTIVES
    rows: list[tuple[str, ...]] = []
    for name, objective in chosen.items():
        own = objective.model_fields.keys() - Objective.model_fields.keys()
        options = [
            f"--{key.replace('_', '-')} {'none' if field.default == () else field.default}"
            for key, field in objective.model_fields.items()
            if key in own
        ]
        title = spelled(objective.title or name)
        settings = spelled_settings(objective.defaults)
        rows.append((name, title, "\n".join(options), "\n".join(settings)))
    columns = ["name", "method", "options and their defaults", "network and training"]
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    print_texts("Objectives", columns, rows)
    print_note("All of them take --likelihood bernoulli, gaussian or laplace.")


def _published_options(preset: Any, objective: str) -> dict[str, Any]:
    """What the study held fixed for this objective; of what it varied, its third value if it did
    not try our default.
    """  # noqa: D205
    from unweave.models.objectives import OBJECTIVES

    tried = [one for one in preset.objectives if one.name == objective] if preset else []
    if not tried:
        return {}
    default = OBJECTIVES[objective](name=objective).strength
    nearest = next((o for o in tried if o.strength == default), tried[2])
    return nearest.model_dump()


def _options_sentence(error: Any, objective: str) -> str:
    from unweave.models import Network
    from unweave.training import TrainingConfig

    sentences = []
    for problem in error.errors():
        names = [part for part in problem["loc"] if isinstance(part, str)]
        name = option(names[-1] if names else "options")
        if problem["type"] == "extra_forbidden":
            given = f"--{names[-1].replace('_', '-')}"
            listed = f"`unweave objectives {objective}` lists them"
            remedy = listed if given == name else f"write {name}"
            sentences.append(f"{given} is not an option of {objective} ({remedy})")
        elif problem["type"] == "value_error":
            first, *rest = str(problem["ctx"]["error"]).split(" ")
            is_field = first in {**TrainingConfig.model_fields, **Network.model_fields}
            sentences.append(" ".join([option(first) if is_field else first, *rest]))
        else:
            sentences.append(f"{name}: {problem['msg']} (it is {problem['input']!r})")
    return "; ".join(sentences)
