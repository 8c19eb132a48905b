"""Networks as lists of layers, which the page computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from torch import nn

from unweave.models import VAE
from unweave.models.additive import Blocks, FeatureGrid
from unweave.models.latents import Gaussian, Grid, Grouped, Quantised
from unweave.models.lie_group import MatrixExponential, MatrixHeads
from unweave.models.residual import ResidualBlock
from unweave.models.spatial_broadcast import SpatialBroadcast
from unweave.models.style import EPSILON, SLOPE, InstanceNorm, StyleDecoder

__all__ = ["Layer", "UnknownLayerError", "decoder_layers", "encoder_layers"]

Layer = dict[str, Any]
"""``op`` names what is computed; arrays are weights, float32 and in C order, or indices."""


class UnknownLayerError(ValueError):
    """A network has a layer that the page cannot compute."""


def decoder_layers(model: VAE) -> list[Layer]:
    """From inputs of the decoder (n_inputs,) to its outputs (channels, height, width).

    Raises
    ------
    UnknownLayerError
        If it has a layer that the page cannot compute.
    """
    _refuse_overridden(model, "decode", "decoder")
    return list(_layers(model.decoder, "decoder"))


def encoder_layers(model: VAE) -> list[Layer]:
    """From images (channels, height, width) in [0, 1] to codes (latents,).

    Raises
    ------
    UnknownLayerError
        If it has a layer that the page cannot compute.
    """
    _refuse_overridden(model, "encode", "encoder")
    _refuse_overridden(model, "posterior", "encoder")
    return [*_layers(model.encoder, "encoder"), *_latents(model)]


def _refuse_overridden(model: VAE, method: str, part: str) -> None:
    if getattr(type(model), method) is not getattr(VAE, method):
        raise UnknownLayerError(
            f"{type(model).__name__} has its own {method}, which the page cannot compute: its "
            f"{part} must be one of unweave's networks, or a torch.nn.Sequential of common layers"
        )


def _latents(model: VAE) -> Iterator[Layer]:
    space, values = type(model.latent_space), model.latents.values()
    if space in (Gaussian, Grouped):
        yield {"op": "first_half"}
    elif space is Quantised:
        yield {"op": "nearest", "values": _array(values)}
    elif space is Grid:
        yield {"op": "grid", "values": _array(values)[0]}
    else:
        raise UnknownLayerError(
            f"the latents are {space.__name__}, which the page cannot compute from images"
        )


def _layers(module: nn.Module, part: str) -> Iterator[Layer]:
    if type(module).forward is nn.Sequential.forward:
        for layer in module.children():
            yield from _layers(layer, part)
        return
    make = _KINDS.get(type(module))
    if make is None:
        raise _unknown(module, part)
    yield from make(module)


def _unknown(module: nn.Module, part: str) -> UnknownLayerError:
    return UnknownLayerError(
        f"the {part} has a layer {type(module).__name__}, which the page cannot compute"
    )


def _linear(layer: nn.Linear) -> Iterator[Layer]:
    yield {"op": "linear", "weight": _array(layer.weight), "bias": _bias(layer)}


def _convolution(layer: nn.Conv2d | nn.ConvTranspose2d) -> Iterator[Layer]:
    is_plain = (
        layer.dilation == (1, 1)
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and len({*layer.stride}) == len({*layer.padding}) == 1
    )
    transposed = isinstance(layer, nn.ConvTranspose2d)
    if not is_plain or (transposed and any(layer.output_padding)):
        raise UnknownLayerError(f"{layer} has a stride, padding or dilation that the page lacks")
    yield {
        "op": "transposed" if transposed else "convolution",
        "weight": _array(layer.weight),
        "bias": _bias(layer),
        "stride": layer.stride[0],
        "padding": int(layer.padding[0]),
        "groups": layer.groups,
    }


def _leaky(layer: nn.LeakyReLU) -> Iterator[Layer]:
    yield {"op": "leaky_relu", "slope": layer.negative_slope}


def _gelu(layer: nn.GELU) -> Iterator[Layer]:
    yield {"op": "gelu" if layer.approximate == "none" else "gelu_tanh"}


def _batch_norm(layer: nn.BatchNorm1d | nn.BatchNorm2d) -> Iterator[Layer]:
    if layer.running_mean is None or layer.running_var is None:
        raise UnknownLayerError(
            f"{layer} normalises by the images of a batch, and the page has one image at a time"
        )
    mean, spread = _array(layer.running_mean), np.sqrt(_array(layer.running_var) + layer.eps)
    scale = (1.0 if layer.weight is None else _array(layer.weight)) / spread
    shift = (0.0 if layer.bias is None else _array(layer.bias)) - mean * scale
    yield {"op": "affine", "scale": scale.astype("f4"), "shift": shift.astype("f4")}


def _instance_norm(layer: InstanceNorm) -> Iterator[Layer]:
    yield {"op": "styled", **_STYLED, "scale": _array(layer.scale), "shift": _array(layer.shift)}


def _residual(layer: ResidualBlock) -> Iterator[Layer]:
    rectifier = {"op": "relu"}
    inner = [rectifier, *_convolution(layer.first), rectifier, *_convolution(layer.second)]
    yield {"op": "residual", "layers": inner}


def _style_decoder(layer: StyleDecoder) -> Iterator[Layer]:
    yield from _layers(layer.style, "decoder")
    yield from _linear(layer.styles)
    yield {
        "op": "style_stack",
        **_STYLED,
        "constant": _array(layer.constant)[0],
        "layers": [one for each in layer.layers for one in _convolution(each)],  # type: ignore[arg-type]
    }


def _blocks(layer: Blocks) -> Iterator[Layer]:
    index = layer.index.cpu().numpy().astype("i4")
    yield {"op": "gather", "index": index}
    yield {"op": "reshape", "shape": [len(index), 1, 1]}


def _matrix_exponential(layer: MatrixExponential) -> Iterator[Layer]:
    yield {"op": "matrix_exponential", "generators": _array(layer.generators)}


def _heads(layer: MatrixHeads) -> Iterator[Layer]:
    parts = [list(_layers(head, "encoder")) for head in (layer.mean, layer.log_variance)]
    yield {"op": "beside", "parts": parts}


def _broadcast(layer: SpatialBroadcast) -> Iterator[Layer]:
    yield {"op": "broadcast", "coordinates": _array(layer.coordinates)}


def _unflatten(layer: nn.Unflatten) -> Iterator[Layer]:
    yield {"op": "reshape", "shape": [int(side) for side in layer.unflattened_size]}


def _flatten(_: nn.Flatten) -> Iterator[Layer]:
    yield {"op": "reshape", "shape": [-1]}


def _plain(op: str) -> Callable[[Any], Iterator[Layer]]:
    return lambda _: iter([{"op": op}])


def _array(tensor: Any) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())


def _bias(layer: Any) -> np.ndarray:
    n = getattr(layer, "out_channels", None) or layer.out_features
    return np.zeros(n, dtype="f4") if layer.bias is None else _array(layer.bias)


_STYLED = {"slope": SLOPE, "epsilon": EPSILON}
_KINDS: dict[type, Callable[[Any], Iterator[Layer]]] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
    nn.ConvTranspose2d: _convolution,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.ReLU: _plain("relu"),
    nn.LeakyReLU: _leaky,
    nn.GELU: _gelu,
    nn.SiLU: _plain("silu"),
    nn.Tanh: _plain("tanh"),
    nn.Sigmoid: _plain("sigmoid"),
    nn.Identity: lambda _: iter(()),
    nn.Dropout: lambda _: iter(()),
    nn.Flatten: _flatten,
    nn.Unflatten: _unflatten,
    InstanceNorm: _instance_norm,
    ResidualBlock: _residual,
    StyleDecoder: _style_decoder,
    Blocks: _blocks,
    FeatureGrid: lambda layer: iter([{"op": "reshape", "shape": list(layer.shape)}]),
    MatrixExponential: _matrix_exponential,
    MatrixHeads: _heads,
    SpatialBroadcast: _broadcast,
}
"""What the page computes, by the exact type of the layer: a subclass may compute something else."""
