"""Models in folders as the Hugging Face hub has them: config.json, model.safetensors, README.md.

Models that were trained here have a ``training.json`` too, which the model card is made from.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub import ModelCard, ModelCardData, hf_hub_download
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import unweave
from unweave._files import DamagedFileError, is_file, read_json
from unweave._storage import written_whole
from unweave.datasets.names import parse
from unweave.metrics.catalogue import needs_factors
from unweave.metrics.score import with_todays_names
from unweave.models.networks import count_parameters

if TYPE_CHECKING:
    from unweave.models.vae import VAE

__all__ = [
    "CONFIG",
    "TRAINING",
    "WEIGHTS",
    "card",
    "load_weights",
    "local_folder",
    "read_config",
    "read_training",
    "read_tensors",
    "save",
    "set_weights",
    "training_record",
    "write_training",
]

CONFIG, WEIGHTS, TRAINING = "config.json", "model.safetensors", "training.json"
FORMAT = 1
_NO_NETWORK = (
    "the model's encoder and decoder were not built from a Network: give it one, so that it can be "
    "built again"
)


def save(model: VAE, folder: str | Path) -> None:
    """Write configuration and weights.

    Raises
    ------
    ValueError
        If the model was not built from a :class:`~unweave.models.Network`.
    """
    if model.network is None:
        raise ValueError(_NO_NETWORK)
    config = {
        "format": FORMAT,
        "unweave_version": unweave.__version__,
        "network": model.network.model_dump(mode="json"),
        "image_shape": list(model.image_shape),
    }
    tensors = {key: tensor.detach().contiguous() for key, tensor in model.state_dict().items()}
    for name, write in (
        (WEIGHTS, lambda path: _write_tensors(tensors, path)),
        (CONFIG, lambda path: path.write_text(json.dumps(config, indent=1), encoding="utf-8")),
    ):
        with written_whole(Path(folder) / name) as temporary:
            write(temporary)


def _write_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    try:
        save_file(tensors, path, metadata={"format": "pt"})
    except SafetensorError as error:
        raise OSError(
            errno.EIO, f"cannot write {path.parent} ({error}): make room, or choose another folder"
        ) from error


def local_folder(model_id: str, **options: Any) -> Path:
    """The folder itself, or where the hub's files were fetched to."""
    folder = Path(model_id)
    if folder.is_dir():
        return folder
    kept = ("revision", "cache_dir", "force_download", "local_files_only", "token")
    chosen = {key: options[key] for key in kept if key in options}
    hf_hub_download(model_id, WEIGHTS, **chosen)
    return Path(hf_hub_download(model_id, CONFIG, **chosen)).parent


def read_config(folder: str | Path) -> dict[str, Any]:
    """The configuration that :func:`save` wrote.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is of a newer version, or of something else.
    """
    file = Path(folder) / CONFIG
    if not file.exists():
        raise FileNotFoundError(f"{folder} holds no model: it has no {CONFIG}")
    config = read_json(file)
    if not {"format", "network", "image_shape"} <= set(config):
        raise ValueError(f"{file} was not written by unweave: it names no format and no network")
    if config["format"] != FORMAT:
        raise ValueError(
            f"{folder} has model format {config['format']}, of unweave "
            f"{config.get('unweave_version', '?')}; this is {unweave.__version__}, which reads "
            f"{FORMAT}: update it"
        )
    return config


def load_weights(model: nn.Module, file: str | Path) -> None:
    """Set every weight of a model from a safetensors file.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    ValueError
        If it is damaged, or of another network.
    """
    set_weights(model, read_tensors(file), file)


def read_tensors(file: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    DamagedFileError
        If it is damaged.
    """
    if not is_file(file):
        raise FileNotFoundError(f"there are no weights at {file}")
    try:
        return load_file(file)
    except SafetensorError as error:
        raise DamagedFileError(f"{file} is damaged or no safetensors file ({error})") from error


def set_weights(model: nn.Module, tensors: dict[str, Tensor], file: str | Path) -> None:
    """Set every weight of a model from the tensors of a file.

    Raises
    ------
    ValueError
        If they are of another network.
    """
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"{file} belongs to another network: {error}") from error


def training_record(result: Mapping[str, Any], *, made_by: str = "") -> dict[str, Any]:
    """How a model was trained, and how it scores: what ``training.json`` holds.

    Parameters
    ----------
    result
        The content of a run's ``result.json``.
    made_by
        A sentence that says how the model is trained again.

    Returns
    -------
    dict
        ``dataset``, its name, or None if it is files of this machine; ``images``, a short name of
        it; ``objective``, ``training`` and ``evaluation`` as in the run's description; ``steps``;
        ``cpu_seconds`` of training, if they are known; ``precision``; ``made_by``; ``metrics``
        after the last step, by name; and ``scores_left_out``, sentences.
    """
    description = result["description"]
    record = {
        "dataset": _public_name(description["dataset"]),
        "images": parse(description["dataset"]).label,
        "objective": description["objective"],
        "training": description["training"],
        "made_by": made_by,
    }
    record |= {key: result[key] for key in ("cpu_seconds", "precision") if key in result}
    if "evaluation" in description:
        record["evaluation"] = description["evaluation"]
    if result.get("milestones"):
        step, last = max(result["milestones"].items(), key=lambda item: int(item[0]))
        scored = ("metrics", "scores_left_out")
        record |= {"steps": int(step), **{key: last[key] for key in scored if key in last}}
    return record


def write_training(folder: str | Path, record: Mapping[str, Any]) -> None:
    """Write the record into a model's folder."""
    with written_whole(Path(folder) / TRAINING) as temporary:
        temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")


def read_training(folder: str | Path) -> dict[str, Any]:
    """What :func:`write_training` wrote into a model's folder; empty if it did not."""
    file = Path(folder) / TRAINING
    return with_todays_names(read_json(file)) if file.exists() else {}


def card(
    model: VAE, record: Mapping[str, Any] | None, imported: dict[str, Any] | None = None
) -> ModelCard:
    """A model card.

    ``record`` is that of :func:`training_record`, if the model comes from a run; ``imported`` says
    what else it comes from.
    """
    if model.network is None:
        raise ValueError(_NO_NETWORK)
    record = record or {}
    height, width, channels = model.image_shape
    tags = ["disentanglement", "representation-learning"]
    if record:
        tags.append(record["objective"]["name"])
    is_public = record.get("dataset") is not None
    data = ModelCardData(
        library_name="unweave", tags=tags, datasets=[record["images"]] if is_public else None
    )
    title = "An encoder and a decoder"
    if record:
        title = f"{record['objective']['name']} on {record['images']}"
    lines = [
        f"# {title}",
        "",
        f"{_origin(imported)} {_codes(model)}:",
        "",
        "```python",
        "from unweave.models import VAE",
        "",
        'model = VAE.from_pretrained("FOLDER")',
        f"codes = model.encode(images)  # uint8 (n, {height}, {width}, {channels}) to "
        f"(n, {model.network.n_latents})",
        "```",
        "",
        "## Settings",
        "",
        "| setting | value |",
        "| --- | --- |",
        *_settings(model, record, imported),
        *_scores(record),
        *_how_it_was_made(record),
    ]
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n".join(lines) + "\n")


def _public_name(dataset: str) -> str | None:
    """The dataset's name without paths of this machine; None if others do not have the dataset."""
    name = parse(dataset)
    if name.kind not in ("catalogue", "hf") or name.path is not None or name.label != name.name:
        return None
    options = tuple(option for option in name.options if not re.search(r"[\\/]", option[1]))
    return str(replace(name, options=options))


def _codes(model: VAE) -> str:
    if model.has_posterior:
        return "Codes are posterior means"
    return "Codes are values of quantised latents, and `model.indices_of(codes)` their numbers"


def _origin(imported: dict[str, Any] | None) -> str:
    ours = f"[unweave](https://pypi.org/project/unweave) {unweave.__version__}"
    if imported is None:
        return f"Trained with {ours}."
    return f"Trained with {imported['source']}, read and written by {ours}."


def _settings(model: VAE, record: Mapping[str, Any], imported: dict[str, Any] | None) -> list[str]:
    network = model.network
    assert network is not None
    options: dict[str, Any] = {
        "network": f"{network.name}, width {network.width:g}, {network.n_latents} latents, "
        f"{count_parameters(model):,} parameters",
        "latents": model.latent_space.title,
    }
    if record:
        images = record["dataset"] or record["images"]
        own = {"dataset": images, **record["objective"], **record["training"]}
        options |= {key: value for key, value in own.items() if key != "name"}
        options["objective"] = record["objective"]["name"]
        options["precision"] = record.get("precision") or options.get("precision")
        options["steps"] = record.get("steps", options.get("steps"))
        if "cpu_seconds" in record:
            options["CPU minutes used"] = f"{record['cpu_seconds'] / 60:.2f}"
    elif imported:
        options |= imported["settings"]
    shown = {key: value for key, value in options.items() if value not in (None, [], "")}
    return [f"| {key} | {value} |" for key, value in shown.items()]


def _scores(record: Mapping[str, Any]) -> list[str]:
    if "metrics" not in record:
        return []
    lines = [
        "",
        f"## Scores after {record['steps']:,} steps",
        "",
        "| metric | value | 95 % interval | chance | random mixture of the factors "
        "| random smooth features | perfect code | n |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, score in record["metrics"].items():
        low, high = score["interval"]
        others = ["–"] * 3
        if needs_factors(name):
            others = [_spread(score["mixture"]), _spread(score["smooth"])]
            others.append(f"{score['perfect']:.3f}")
        lines.append(
            f"| {name} | {score['value']:.4f} | [{low:.4f}, {high:.4f}] "
            f"| {score['chance']['mean']:.4f} ± {score['chance']['sd']:.4f} "
            f"| {' | '.join(others)} | {score['n']:,} |"
        )
    evaluation = record.get("evaluation")
    drawn = (
        [f"Rows drawn over the whole dataset with seed {evaluation['seed']}."] if evaluation else []
    )
    return [*lines, "", *drawn, *record.get("scores_left_out", ())]


def _spread(level: Mapping[str, float]) -> str:
    return f"{level['mean']:.3f} ± {level['sd']:.3f}"


def _how_it_was_made(record: Mapping[str, Any]) -> list[str]:
    made_by = record.get("made_by")
    return ["", "## How it was made", "", made_by] if made_by else []
