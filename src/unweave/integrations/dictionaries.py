"""Dictionaries from files: sparse autoencoders as SAELens writes them, and arrays of directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unweave._files import DamagedFileError, read_json
from unweave._limits import check_room
from unweave.datasets.members import array_members, open_member
from unweave.metrics.dictionary import Dictionary
from unweave.metrics.dictionary.dictionary import check_directions

__all__ = ["ARCHITECTURES", "DIRECTIONS", "read_dictionary"]

DIRECTIONS = ("directions", "features", "W_dec", "decoder")
"""Names of the array of directions, in an .npz or a safetensors file."""
_WEIGHTS, _CONFIG = "sae_weights.safetensors", "cfg.json"
_SAME_AS_NONE = (None, "none", "expected_average_only_in")
"""Values of ``normalize_activations`` with which SAELens leaves points as they are."""


def read_dictionary(path: str | Path) -> Dictionary:
    """A dictionary from a file or folder; nothing that lies in it is run.

    A folder has ``sae_weights.safetensors``, or another single safetensors file, and ``cfg.json``,
    as SAELens writes them: ``W_dec`` (latents, dimensions), ``b_dec``, and what encodes points,
    by the ``architecture``: ``W_enc`` (dimensions, latents) and ``b_enc``; ``threshold`` for
    ``jumprelu``; ``b_gate``, ``b_mag`` and ``r_mag`` for ``gated``; ``k`` in ``cfg.json`` for
    ``topk``. A safetensors file is read with the ``cfg.json`` beside it. An .npz, .h5 or .npy has
    directions alone, as rows.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or none with weights in the folder.
    ValueError
        If it is damaged, has no directions, or has them as columns. ``encode`` of the dictionary
        raises it where the architecture is not known.
    """
    path = Path(path)
    if path.is_dir():
        path = _weights_in(path)
    if path.suffix.lower() == ".safetensors":
        return _autoencoder(path)
    members = array_members(path)
    known = [name for name in ("", *DIRECTIONS) if name in members]
    known = known or (list(members) if len(members) == 1 else [])
    if not known:
        raise ValueError(
            f"{path} has no directions: it has {', '.join(members) or 'nothing'}, and one of "
            f"{', '.join(DIRECTIONS)} is needed"
        )
    directions = open_member(path, known[0] or None).read()
    return Dictionary(check_directions(directions, f"the directions in {path}"))


def _weights_in(folder: Path) -> Path:
    if (folder / _WEIGHTS).is_file():
        return folder / _WEIGHTS
    found = sorted(folder.glob("*.safetensors"))
    if len(found) != 1:
        listed = ", ".join(file.name for file in found[:10]) or "none"
        raise FileNotFoundError(
            f"{folder} has no {_WEIGHTS}, and of other safetensors files {listed}: name the file"
        )
    return found[0]


def _autoencoder(file: Path) -> Dictionary:
    tensors = _tensors(file)
    config = read_json(file.parent / _CONFIG) if (file.parent / _CONFIG).is_file() else {}
    name = next((name for name in DIRECTIONS if name in tensors), None)
    if name is None:
        raise ValueError(
            f"{file} has no directions: it has {', '.join(tensors)}, and W_dec (latents, "
            "dimensions) is needed"
        )
    directions = check_directions(tensors[name], f"{name} in {file}")
    _check_orientation(directions, tensors, config, f"{name} in {file}")
    if config.get("rescale_acts_by_decoder_norm"):
        # Codes are multiplied by the lengths and divided by them again.
        directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    offset = tensors.get("b_dec")
    has_encoder = "W_enc" in tensors
    return Dictionary(directions, offset, _encoder(tensors, config, file) if has_encoder else None)


def _tensors(file: Path) -> dict[str, np.ndarray]:
    """All tensors, those of half precision in single precision."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}")
    check_room(file.stat().st_size, str(file))
    try:
        found = load_file(file)
    except SafetensorError as error:
        raise DamagedFileError(f"{file} is damaged or no safetensors file ({error})") from error
    return {
        name: (tensor.to(torch.float32) if tensor.is_floating_point() else tensor).numpy()
        for name, tensor in found.items()
    }


def _check_orientation(
    directions: np.ndarray, tensors: Mapping[str, np.ndarray], config: Mapping[str, Any], what: str
) -> None:
    """Refuse a decoder whose columns are directions, by the widths that are known besides."""
    n_dims = config.get("d_in")
    if n_dims is None and "b_dec" in tensors:
        n_dims = len(tensors["b_dec"])
    if n_dims is None or directions.shape[1] == n_dims:
        return
    how = f"{what} is of shape {directions.shape}, and points have {n_dims} dimensions"
    if directions.shape[0] == n_dims:
        raise ValueError(f"{how}: the dictionary is (dimensions, latents), so transpose it")
    raise ValueError(f"{how}: weights and configuration belong to different autoencoders")


@dataclass(frozen=True, eq=False)
class _Encoder:
    """Codes of points by the weights of SAELens."""

    weights: np.ndarray
    """(dimensions, latents)"""
    centre: np.ndarray | float
    """(dimensions,): what is taken from points first."""
    activate: Callable[[np.ndarray], np.ndarray]
    """Codes (rows, latents) of linear functions (rows, latents) of the points."""

    def __call__(self, points: np.ndarray) -> np.ndarray:
        centred = points.astype(np.float32) - self.centre
        return self.activate(centred @ self.weights)


def _encoder(
    tensors: Mapping[str, np.ndarray], config: Mapping[str, Any], file: Path
) -> Callable[[np.ndarray], np.ndarray]:
    """The encoder, or one that says why there is none."""
    try:
        if not config:
            raise ValueError(f"there is no {_CONFIG} beside it that names the architecture")
        normalization = config.get("normalize_activations")
        if normalization not in _SAME_AS_NONE:
            raise ValueError(f"normalize_activations is {normalization!r}, which is not known here")
        _check_shapes(tensors)
        activate = _activation(tensors, config)
    except (ValueError, KeyError) as error:
        missing = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        return _refusal(f"points cannot be encoded by {file}: {missing}; give the codes")
    centre = tensors.get("b_dec", 0.0) if config.get("apply_b_dec_to_input", True) else 0.0
    return _Encoder(tensors["W_enc"], centre, activate)


def _check_shapes(tensors: Mapping[str, np.ndarray]) -> None:
    n_dims, n_latents = tensors["W_dec"].shape[::-1]
    expected = {"W_enc": (n_dims, n_latents), "b_dec": (n_dims,)}
    for name in ("b_enc", "threshold", "b_gate", "b_mag", "r_mag"):
        expected[name] = (n_latents,)
    for name, shape in expected.items():
        if name in tensors and tensors[name].shape != shape:
            raise ValueError(f"{name} is of shape {tensors[name].shape} and not {shape}")


def _refusal(sentence: str) -> Callable[[np.ndarray], np.ndarray]:
    def encode(_: np.ndarray) -> np.ndarray:
        raise ValueError(sentence)

    return encode


def _activation(
    tensors: Mapping[str, np.ndarray], config: Mapping[str, Any]
) -> Callable[[np.ndarray], np.ndarray]:
    architecture = config.get("architecture") or "standard"
    older = config.get("activation_fn_str", config.get("activation_fn", "relu"))
    if architecture == "standard" and older == "topk":
        architecture, older = "topk", "relu"
        config = {**config, **(config.get("activation_fn_kwargs") or {})}
    if architecture not in ARCHITECTURES or older not in (None, "relu"):
        raise ValueError(
            f"its architecture is {architecture!r} with {older}, and known are "
            f"{', '.join(ARCHITECTURES)} with relu"
        )
    return ARCHITECTURES[architecture](tensors, config)


def _standard(tensors: Mapping[str, np.ndarray], _: Mapping[str, Any]) -> Callable:
    bias = tensors["b_enc"]
    return lambda linear: np.maximum(linear + bias, 0)


def _jumprelu(tensors: Mapping[str, np.ndarray], _: Mapping[str, Any]) -> Callable:
    bias, threshold = tensors["b_enc"], np.maximum(tensors["threshold"], 0)

    def activate(linear: np.ndarray) -> np.ndarray:
        value = linear + bias
        return np.where(value > threshold, value, 0)

    return activate


def _topk(tensors: Mapping[str, np.ndarray], config: Mapping[str, Any]) -> Callable:
    bias, k = tensors["b_enc"], int(config["k"])
    lengths = np.float32(1)
    if config.get("rescale_acts_by_decoder_norm"):
        lengths = np.linalg.norm(tensors["W_dec"], axis=1)
    if not 1 <= k <= len(bias):
        raise ValueError(f"k is {k}, and there are {len(bias)} latents")

    def activate(linear: np.ndarray) -> np.ndarray:
        value = (linear + bias) * lengths
        largest = np.argpartition(value, -k, axis=1)[:, -k:]
        codes = np.zeros_like(value)
        kept = np.maximum(np.take_along_axis(value, largest, axis=1), 0)
        np.put_along_axis(codes, largest, kept, axis=1)
        return codes

    return activate


def _gated(tensors: Mapping[str, np.ndarray], _: Mapping[str, Any]) -> Callable:
    gate, bias = tensors["b_gate"], tensors["b_mag"]
    factor = np.exp(tensors["r_mag"])
    return lambda linear: np.where(linear + gate > 0, np.maximum(linear * factor + bias, 0), 0)


ARCHITECTURES: dict[str, Callable[[Mapping[str, np.ndarray], Mapping[str, Any]], Callable]] = {
    "standard": _standard,
    "jumprelu": _jumprelu,
    "topk": _topk,
    "gated": _gated,
}
"""What makes codes of linear functions of points, by the name that SAELens gives it."""
