"""Models in folders as the Hugging Face hub has them: config.json, model.safetensors, README.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub import ModelCard, ModelCardData, hf_hub_download
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import unweave
from unweave._files import DamagedFileError, read_json
from unweave.datasets.cache import written_whole
from unweave.models.networks import count_parameters

if TYPE_CHECKING:
    from unweave.models.vae import VAE

__all__ = [
    "CONFIG",
    "WEIGHTS",
    "card",
    "load_weights",
    "local_folder",
    "read_config",
    "read_tensors",
    "save",
    "set_weights",
]

CONFIG, WEIGHTS = "config.json", "model.safetensors"
FORMAT = 1


def save(model: VAE, folder: str | Path) -> None:
    """Write configuration and weights.

    Raises
    ------
    ValueError
        If the model was not built from a :class:`~unweave.models.Network`.
    """
    if model.network is None:
        raise ValueError(
            "the model's encoder and decoder were not built from a Network: give it one, so that "
            "it can be built again"
        )
    config = {
        "format": FORMAT,
        "unweave_version": unweave.__version__,
        "network": model.network.model_dump(mode="json"),
        "image_shape": list(model.image_shape),
    }
    tensors = {key: tensor.detach().contiguous() for key, tensor in model.state_dict().items()}
    for name, write in (
        (WEIGHTS, lambda path: save_file(tensors, path, metadata={"format": "pt"})),
        (CONFIG, lambda path: path.write_text(json.dumps(config, indent=1), encoding="utf-8")),
    ):
        with written_whole(Path(folder) / name) as temporary:
            write(temporary)


def local_folder(model_id: str, **options: Any) -> Path:
    """The folder itself, or where the hub's files were fetched to."""
    if Path(model_id).is_dir():
        return Path(model_id)
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
    if not Path(file).exists():
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


def card(
    model: VAE, result: dict[str, Any] | None, imported: dict[str, Any] | None = None
) -> ModelCard:
    """A model card.

    ``result`` is the content of a run's result.json, if the model comes from a run; ``imported``
    says what else it comes from.
    """
    network = model.network
    assert network is not None
    height, width, channels = model.image_shape
    tags = ["disentanglement", "representation-learning"]
    objective = result["description"]["objective"] if result else {}
    dataset = result["description"]["dataset"] if result else None
    if objective:
        tags.append(objective["name"])
    data = ModelCardData(library_name="unweave", tags=tags, datasets=[dataset] if dataset else None)
    lines = [
        f"# {objective.get('name', 'An encoder and a decoder')}"
        + (f" on {dataset}" if dataset else ""),
        "",
        f"{_origin(imported)} Codes are posterior means:",
        "",
        "```python",
        "from unweave.models import VAE",
        "",
        'model = VAE.from_pretrained("FOLDER")',
        f"codes = model.encode(images)  # uint8 (n, {height}, {width}, {channels}) to "
        f"(n, {network.n_latents})",
        "```",
        "",
        "## Settings",
        "",
        "| setting | value |",
        "| --- | --- |",
        f"| network | {network.name}, width {network.width:g}, {network.n_latents} latents, "
        f"{count_parameters(model):,} parameters |",
        *_settings(result, imported),
        *_scores(result),
    ]
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n".join(lines) + "\n")


def _origin(imported: dict[str, Any] | None) -> str:
    ours = f"[unweave](https://pypi.org/project/unweave) {unweave.__version__}"
    if imported is None:
        return f"Trained with {ours}."
    return f"Trained with {imported['source']}, read and written by {ours}."


def _settings(result: dict[str, Any] | None, imported: dict[str, Any] | None) -> list[str]:
    options = imported["settings"] if imported else {}
    if result is not None:
        options = {**result["description"]["objective"], **result["description"]["training"]}
    shown = {key: value for key, value in options.items() if value not in (None, [], "")}
    return [f"| {key} | {value} |" for key, value in shown.items()]


def _scores(result: dict[str, Any] | None) -> list[str]:
    if result is None or not result.get("milestones"):
        return []
    step, last = max(result["milestones"].items(), key=lambda item: int(item[0]))
    lines = [
        "",
        f"## Scores after {int(step):,} steps",
        "",
        "| metric | value | 95 % interval | chance | random mixture of the factors | n |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, score in last["metrics"].items():
        low, high = score["interval"]
        lines.append(
            f"| {name} | {score['value']:.4f} | [{low:.4f}, {high:.4f}] "
            f"| {score['chance']['mean']:.4f} ± {score['chance']['sd']:.4f} "
            f"| {score['projection']['mean']:.3f} | {score['n']:,} |"
        )
    return lines
