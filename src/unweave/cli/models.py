"""`unweave show`, `unweave export` and `unweave import`: trained models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from unweave._files import read_json
from unweave.cli.console import counted, patience, print_line
from unweave.cli.options import Flag, Seed, Step

__all__ = ["export", "import_model", "show"]


def show(
    run: Path,
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
        A folder that `unweave train`, `import` or `export` wrote, or a run of a study.
    step
        Milestone; by default the last one.
    dataset
        Dataset whose images are shown; by default the one that the model was trained on.
    seed
        Seed for drawing images and samples.
    out
        Folder for index.html, PNG and GIF; by default RUN/show.
    """
    from unweave.datasets import load
    from unweave.reports.model import write_model_page
    from unweave.training import load_model

    model = load_model(run, step=step)
    config = read_json(run / "config.json")
    images = load(dataset or config.get("dataset") or "dsprites")
    if images.image_shape != model.image_shape:
        raise ValueError(
            f"{run} is for images of {model.image_shape}, and those of {images.name} are "
            f"{images.image_shape}: name its data with --dataset"
        )
    with patience("drawing"):
        page = write_model_page(
            model, images, out or run / "show", title=_title(config, run), seed=seed
        )
    print_line(f"pictures: {page}")


def export(
    run: Path,
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
        A folder that `unweave train` or `import` wrote, or a run of a study.
    out
        Folder for the model.
    step
        Milestone; by default the last one.
    onnx
        Write encoder.onnx too: images in, mean and log variance out.
    force
        Write into a folder that is not empty.
    """
    from unweave.models.onnx import export_encoder
    from unweave.training import load_model

    model = load_model(run, step=step)
    if out.exists() and any(out.iterdir()) and not force:
        raise ValueError(f"{out} is not empty: choose another folder, or give --force")
    result = run / "result.json"
    told = read_json(result) if result.exists() else None
    if told is not None and step is not None:
        told["milestones"] = {k: v for k, v in told["milestones"].items() if int(k) == step}
    config = read_json(run / "config.json")
    about = {"result": told, "imported": config.get("imported")}
    model.save_pretrained(out, model_card_kwargs=about)  # type: ignore[operator]
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


def _title(config: dict[str, Any], run: Path) -> str:
    """What the model is."""
    from unweave.models.objectives import OBJECTIVES

    if "imported" in config:
        return f"{config['imported']['settings'].get('name', run.name)}, imported"
    if "objective" not in config:
        return run.name
    return OBJECTIVES[config["objective"]["name"]](**config["objective"]).label
