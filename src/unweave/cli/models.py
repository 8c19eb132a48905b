"""`unweave show`, `unweave export`, `unweave import` and `unweave pretrained`: trained models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from unweave.cli.console import (
    counted,
    patience,
    print_json,
    print_line,
    print_note,
    print_table,
)
from unweave.cli.options import Flag, Json, Seed, Step

__all__ = ["export", "import_model", "pretrained", "show"]


def show(
    run: str,
    /,
    *,
    step: Step | None = None,
    dataset: str | None = None,
    seed: Seed = 0,
    out: Path | None = None,
) -> None:
    """Draw what a model learned: reconstructions, samples, traversals, latents against factors.

    Parameters
    ----------
    run
        A folder that `unweave train`, `import` or `export` wrote, a run of a study, or
        pretrained:NAME (`unweave pretrained`).
    step
        Milestone; by default the last one.
    dataset
        Dataset whose images are shown: a name, a file or a folder; by default the one that the
        model was trained on.
    seed
        Seed for drawing images and samples.
    out
        Folder for index.html, PNG and GIF; by default RUN/show, or of pretrained:NAME
        ./pretrained-NAME.
    """
    from unweave._files import read_json
    from unweave.datasets import load
    from unweave.models.pretrained import read_training
    from unweave.models.shipped import PREFIX, model_folder
    from unweave.reports.model import collapse_text, write_model_page
    from unweave.studies.pictures import pictures
    from unweave.training import load_model
    from unweave.training.course import CONFIG, RunConfig

    model = load_model(run, step=step)
    folder = model_folder(run)
    config = {**read_json(folder / CONFIG, RunConfig), **read_training(folder)}
    images = load(dataset or config.get("dataset") or "dsprites")
    if images.image_shape != model.image_shape:
        raise ValueError(
            f"{run} is for images of {model.image_shape}, and those of {images.name} are "
            f"{images.image_shape}: name images of this size with --dataset, as "
            f"'NAME?size={model.image_shape[0]}x{model.image_shape[1]}'"
        )
    if out is None:
        out = Path(run.replace(":", "-")) if run.startswith(PREFIX) else folder / "show"
    with patience("drawing"):
        found = pictures(model, images, seed=seed)
        page = write_model_page(model, images, out, title=_title(config, folder), found=found)
    collapse = collapse_text(found)
    if collapse:
        print_line(f"note: {collapse}")
    print_line(f"pictures: {page}")


def export(
    run: str,
    /,
    *,
    out: Path,
    step: Step | None = None,
    onnx: Flag = False,
    force: Flag = False,
) -> None:
    """Export a model for the Hugging Face hub: config.json, model.safetensors and a model card.

    Parameters
    ----------
    run
        A folder that `unweave train` or `import` wrote, a run of a study, or pretrained:NAME.
    out
        Folder for the model.
    step
        Milestone; by default the last one.
    onnx
        Write encoder.onnx too: images in, mean and log variance out.
    force
        Write into a folder that is not empty.
    """
    from unweave._files import read_json
    from unweave.metrics.score import with_todays_names
    from unweave.models.onnx import export_encoder
    from unweave.models.pretrained import read_training, training_record, write_training
    from unweave.models.shipped import model_folder
    from unweave.studies.base import RESULT
    from unweave.studies.training_run import TrainingResult, refuse_foreign_result
    from unweave.training import load_model
    from unweave.training.checkpoint import recorded_seconds
    from unweave.training.course import CONFIG, RunConfig

    model = load_model(run, step=step)
    if out.exists() and any(out.iterdir()) and not force:
        raise ValueError(f"{out} is not empty: choose another folder, or give --force")
    folder = model_folder(run)
    record = read_training(folder)
    result = folder / RESULT
    if result.exists():
        content = with_todays_names(read_json(result, TrainingResult))
        refuse_foreign_result(folder, content["description"])
        if step is not None:
            kept = {k: v for k, v in content["milestones"].items() if int(k) == step}
            content["milestones"] = kept
        elif recorded_seconds(folder):
            content["cpu_seconds"] = round(recorded_seconds(folder), 3)
        record = training_record(content, made_by=_made_by(folder))
    config = read_json(folder / CONFIG, RunConfig)
    (out / "README.md").unlink(missing_ok=True)  # which save_pretrained would leave as it is
    about = {"record": record, "imported": config.get("imported")}
    model.save_pretrained(out, model_card_kwargs=about)  # type: ignore[operator]
    if record:
        write_training(out, record)
    if onnx:
        with patience("writing ONNX"):
            export_encoder(model, out / "encoder.onnx")
    names = ", ".join(sorted(p.name for p in out.iterdir()))
    print_line(f"{out}: {names}")


def import_model(source: Literal["disentangling-vae"], folder: Path, /, *, out: Path) -> None:
    """Import a model that another library trained, to encode with, score and show it.

    Parameters
    ----------
    source
        Library that trained the model.
    folder
        Folder that the library wrote: for disentangling-vae, with model.pt and specs.json.
    out
        Folder of the new run: `unweave encode run:OUT`, `unweave show OUT`.
    """
    from unweave.datasets import DATASETS
    from unweave.models import count_parameters
    from unweave.models.disentangling_vae import read_disentangling_vae
    from unweave.training.checkpoint import write_run

    model, specs = read_disentangling_vae(folder)
    description: dict[str, Any] = {"imported": {"source": source, "settings": specs}}
    if specs.get("dataset") in DATASETS:
        description["dataset"] = specs["dataset"]
    write_run(model, out, description)
    height, width, channels = model.image_shape
    latents = counted(model.n_latents, "latent")
    print_line(
        f"{out}: {count_parameters(model):,} parameters, {latents}, images of "
        f"{height} x {width} x {channels}"
    )


def pretrained(*, json: Json = False) -> None:  # noqa: A002
    """The trained models that come with the package, and how they score.

    Parameters
    ----------
    json
        Print JSON instead of tables.
    """
    from unweave.models.pretrained import WEIGHTS, read_training
    from unweave.models.shipped import PREFIX, shipped_models

    folders = shipped_models()
    records = {name: read_training(folder) for name, folder in folders.items()}
    if json:
        print_json({"models": {f"{PREFIX}{name}": record for name, record in records.items()}})
        return
    texts = []
    for name, record in records.items():
        size = (folders[name] / WEIGHTS).stat().st_size / 1e6
        budget = f"{record['steps']:,} steps"
        if "cpu_seconds" in record:
            budget += f", {record['cpu_seconds'] / 60:.3g} CPU minutes"
        objective = record["objective"]["name"]
        texts.append((f"{PREFIX}{name}", objective, record["dataset"], budget, f"{size:.1f} MB"))
    columns = ("model", "objective", "dataset", "training", "weights")
    print_table("Models", columns, texts, n_left=4)
    rows = [
        [name, metric, *_score_cells(score)]
        for name, record in records.items()
        for metric, score in record["metrics"].items()
    ]
    of_scores = ("value", "95 % interval", "chance", "mixture", "smooth", "perfect", "rows")
    print_table("Scores", ("model", "metric", *of_scores), rows, n_left=2, n_keys=2)
    print_note(
        "mixture, smooth: random projections, random smooth features of the factors, as wide as "
        "the codes. perfect: one latent a factor.",
        style="dim",
    )


def _score_cells(score: dict[str, Any]) -> list[str]:
    low, high = score["interval"]
    return [
        f"{score['value']:.4f}",
        f"[{low:.4f}, {high:.4f}]",
        *(f"{score[key]['mean']:.3f}" for key in ("chance", "mixture", "smooth")),
        f"{score['perfect']:.3f}",
        f"{score['n']:,}",
    ]


def _made_by(run: Path) -> str:
    """Which run of which study a model is; empty if it was trained alone."""
    from unweave._files import read_json
    from unweave.studies import shipped_studies
    from unweave.studies.folder import STUDY, StudyFile

    run = run.resolve()
    file = run.parent.parent / STUDY
    if run.parent.name != "runs" or not file.exists():
        return ""
    name = read_json(file, StudyFile)["name"]
    if name in shipped_studies():
        return f"`unweave study {name}` trains it: run `{run.name}`."
    return f"Run `{run.name}` of the study `{name}`."


def _title(config: dict[str, Any], run: Path) -> str:
    """What the model is."""
    from pydantic import TypeAdapter, ValidationError

    from unweave._objects import UntrustedObjectError, importing_only
    from unweave.models.objectives import AnyObjective

    if "imported" in config:
        return f"{config['imported'].get('settings', {}).get('name', run.name)}, imported"
    if "objective" not in config:
        return run.name
    try:
        with importing_only(()):
            chosen: Any = TypeAdapter(AnyObjective).validate_python(config["objective"])
    except UntrustedObjectError as error:
        return error.name
    except ValidationError as error:
        raise ValueError(
            f"{run} does not name an objective of this version ({error.errors()[0]['msg']}): "
            "restore its config.json"
        ) from error
    return chosen.label
