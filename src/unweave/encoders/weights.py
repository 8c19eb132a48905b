"""Weights: where they are found, how they are read, and how they get into a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unweave._files import check_regular
from unweave._limits import check_whole_archive, is_archive
from unweave._storage import cache_folder
from unweave.datasets.download import download as fetch
from unweave.datasets.download import file_hash
from unweave.encoders.archives import archive_tensors, is_torchscript

__all__ = [
    "Source",
    "check_weights_archive",
    "find_weights",
    "load_strictly",
    "read_weights",
    "weights_folder",
]

_MISMATCHES = 5


@dataclass(frozen=True)
class Source:
    """Where the weights of an encoder are published."""

    url: str = ""
    sha256: str = ""
    """SHA-256 of the file at ``url``; empty if it is not known."""
    repository: str = ""
    """On the Hugging Face hub."""
    files: tuple[str, ...] = ()
    """Names there, the preferred first."""
    folders: tuple[Path, ...] = ()
    """Where other tools keep the file of ``url``."""

    def __str__(self) -> str:
        hub = f"https://huggingface.co/{self.repository}" if self.repository else ""
        return " or ".join(filter(None, (self.url, f"{hub} ({self.files[0]})" if hub else "")))


def weights_folder() -> Path:
    """Where weights are kept and looked for first."""
    return cache_folder() / "weights"


def find_weights(
    name: str,
    source: Source,
    *,
    weights: str | Path | None = None,
    download: bool = False,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """The file with the weights of ``name``: given, cached here or by other tools, or downloaded.

    Parameters
    ----------
    name
        Name of the encoder, for messages.
    source
        Where they are published.
    weights
        A local file, which is taken as it is.
    download
        Whether a file that is not here may be fetched. Nothing is fetched unasked.
    progress
        Called with (bytes received, total).

    Raises
    ------
    FileNotFoundError
        If the file is not here and not to be downloaded, with where to get it.
    ValueError
        If a cached file is not the published one, by its hash; or the one given is a pipe or a
        device.
    ConnectionError
        If a download fails.
    """
    if weights is not None:
        weights = Path(weights)
        check_regular(weights)
        if not weights.is_file():
            raise FileNotFoundError(f"{name}: there is no file of weights at {weights}")
        return weights
    found = _cached(source)
    if found is not None:
        _check_hash(name, found, source)
        return found
    if not download:
        put = f", or put it into {weights_folder()}" if source.url else ""
        raise FileNotFoundError(
            f"the weights of {name} are not on this machine, and nothing is downloaded unasked: "
            f"give --download; or get {source or 'them'}"
            f"{f' (sha256 {source.sha256})' if source.sha256 else ''} and give --weights FILE{put}"
        )
    if source.url and source.sha256:
        path = weights_folder() / _file_name(source.url)
        return fetch(source.url, path, known_hash=f"sha256:{source.sha256}", progress=progress)
    return _from_hub(name, source)


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file: safetensors, TorchScript (as OpenAI ships CLIP), or of torch.save.

    No code in the file is run: pickles are read with ``weights_only``, and of TorchScript the
    tensors and their names alone.

    Raises
    ------
    ValueError
        If it is none of these, or holds more than tensors; or is a pipe or a device.
    """
    path = Path(path)
    check_regular(path)
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is not a complete safetensors file: {error}") from error
    if is_archive(path):
        check_weights_archive(path)
        if is_torchscript(path):
            return archive_tensors(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=None)
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as weights: it is not a safetensors file, nor TorchScript, nor "
            "a file of torch.save that holds tensors alone. Files that hold pickled objects "
            "are never loaded, because they can run code; save the state dict as safetensors"
        ) from error
    return _tensors(path, content)


def check_weights_archive(path: str | Path) -> None:
    """Refuse an archive that memory cannot hold, or that is encrypted, odd or damaged.

    Raises
    ------
    ValueError
        If it is.
    """
    try:
        check_whole_archive(path)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as weights: {error}") from error


def load_strictly(
    module: nn.Module, tensors: Mapping[str, Tensor], *, name: str, file: str | Path
) -> None:
    """Set all parameters and buffers of ``module``, none missing and none left over.

    Raises
    ------
    ValueError
        If names or shapes differ, with the first that do.
    """
    wanted = module.state_dict()
    # Counts of batches say nothing about the codes, and old files have none.
    counts = {key for key in {*wanted, *tensors} if key.endswith("num_batches_tracked")}
    missing = [f"{key} is missing" for key in wanted if key not in tensors and key not in counts]
    extra = [f"{key} is unexpected" for key in tensors if key not in wanted and key not in counts]
    shapes = [
        f"{key} has shape {tuple(tensors[key].shape)}, not {tuple(wanted[key].shape)}"
        for key in wanted
        if key in tensors and tensors[key].shape != wanted[key].shape
    ]
    wrong = shapes + missing + extra
    if wrong:
        shown = "; ".join(wrong[:_MISMATCHES])
        more = f"; and {len(wrong) - _MISMATCHES} more" if len(wrong) > _MISMATCHES else ""
        raise ValueError(f"{file} holds weights of another architecture than {name}: {shown}{more}")
    module.load_state_dict({k: v for k, v in tensors.items() if k in wanted}, strict=False)


def _file_name(url: str) -> str:
    return url.rsplit("/", 1)[-1]


def _cached(source: Source) -> Path | None:
    folders = (weights_folder(), *source.folders)
    if source.url:
        for folder in folders:
            if (folder / _file_name(source.url)).is_file():
                return folder / _file_name(source.url)
    if source.repository:
        from huggingface_hub import try_to_load_from_cache

        for file in source.files:
            found = try_to_load_from_cache(source.repository, file)
            if isinstance(found, str):
                return Path(found)
    return None


def _check_hash(name: str, path: Path, source: Source) -> None:
    if not source.sha256 or path.name != _file_name(source.url):
        return
    found = file_hash(path)
    if found != source.sha256:
        raise ValueError(
            f"{path} is not the published file of {name}: its sha256 is {found}, and "
            f"{source.sha256} was published; remove it and get it again, or give it as --weights "
            "if it is what you want"
        )


def _from_hub(name: str, source: Source) -> Path:
    if not source.repository:
        raise FileNotFoundError(
            f"the weights of {name} are published without a hash that could be checked, at "
            f"{source or 'no known place'}: get the file yourself and give --weights FILE"
        )
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    for file in source.files:
        try:
            return Path(hf_hub_download(source.repository, file))
        except LocalEntryNotFoundError as error:
            raise ConnectionError(_unreachable(name, source)) from error
        except EntryNotFoundError:
            continue
        except OSError as error:
            raise ConnectionError(_unreachable(name, source)) from error
    raise FileNotFoundError(
        f"{source.repository} has none of {', '.join(source.files)}: get weights of {name} "
        "elsewhere and give --weights FILE"
    )


def _unreachable(name: str, source: Source) -> str:
    return (
        f"the hub cannot be reached for the weights of {name}: get {source} where there is a "
        "network, and give --weights FILE"
    )


def _tensors(path: Path, content: Any) -> dict[str, Tensor]:
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(
        isinstance(value, Tensor) for value in content.values()
    ):
        raise ValueError(f"{path} holds no table of tensors by name, but {type(content).__name__}")
    return {re.sub(r"^module\.", "", key): value for key, value in content.items()}
