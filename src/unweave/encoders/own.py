"""Encoders of users: their networks, transformers of scikit-learn, and functions of images."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from torch import nn

from unweave._objects import imported_object
from unweave.datasets.pixels import as_array
from unweave.encoders.encoder import Card, Encoder, Request, hash_tensors
from unweave.encoders.network import network_encoder
from unweave.encoders.plain import PixelEncoder, fitting_images
from unweave.encoders.preprocessing import Preprocessing, checked_images

__all__ = ["FunctionEncoder", "TransformerEncoder", "load_object", "own_encoder"]

_BATCH = 256  # images
_SIDE_BY_SIDE = 2


def load_object(request: Request, known: tuple[str, ...]) -> Encoder:
    """The encoder of an object that is named as ``package.module:object``.

    Raises
    ------
    ImportError, ValueError
        As :func:`own_encoder`; or if there is no such object.
    """
    found = imported_object(request.name, "an encoder", known)
    return own_encoder(found() if isinstance(found, type) else found, request)


def own_encoder(given: object, request: Request) -> Encoder:
    """The encoder of a user's object.

    Parameters
    ----------
    given
        An :class:`~unweave.encoders.Encoder`, which is taken as it is. A torch module, which gets
        images (n, channels, height, width) in [0, 1], or what ``preprocessing`` makes of them. An
        object with ``transform``, which gets pixels (n, height * width * channels) in [0, 1]; one
        that is not fitted yet is copied, and fitted to images of the dataset. Or a function of
        images (n, height, width, channels) uint8.
    request
        What else was asked for.

    Raises
    ------
    ValueError
        If it is none of these; or there is no dataset to fit it to.
    """
    is_network = isinstance(given, nn.Module)
    unused = {
        "weights": request.weights is not None,
        "download": request.download,
        "preprocessing": request.preprocessing is not None and not is_network,
    }
    for option, is_given in unused.items():
        if is_given:
            raise ValueError(
                f"{request.name} is an object that is ready to encode, and {option} has no use for "
                "it: leave it out"
            )
    if isinstance(given, Encoder):
        return given
    if isinstance(given, nn.Module):
        return _network(given, request)
    if callable(getattr(given, "transform", None)):
        return TransformerEncoder(_fitted(given, request), request.name)
    if callable(given):
        return FunctionEncoder(given, request.name)
    raise ValueError(
        f"an encoder is a name, an Encoder, a torch module, an object with transform(pixels) or a "
        f"function of images, not {type(given).__name__}"
    )


def _network(module: nn.Module, request: Request) -> Encoder:
    channels = request.dataset.image_shape[-1] if request.dataset is not None else 3
    module = deepcopy(module)  # it is moved to the device, and to evaluation
    card = Card(
        name=request.name,
        weights="those of the module",
        sha256=hash_tensors(module.state_dict()),
        licence="",
        source=f"{type(module).__module__}.{type(module).__qualname__}",
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        preprocessing=Preprocessing(size=None, channels=channels),
        token=_token(),
    )
    return network_encoder(request, module, card)


def _fitted(transformer: Any, request: Request) -> Any:
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(transformer)
    except NotFittedError as error:
        if request.dataset is None:
            raise ValueError(
                f"{request.name} is not fitted: fit it to pixels (n, height * width * channels) in "
                "[0, 1], or give the dataset whose images it is to be fitted to"
            ) from error
        images = fitting_images(request.dataset, request.seed)
        return clone(transformer).fit(PixelEncoder().encode(images))
    except TypeError:  # it does not follow scikit-learn's rules, and so cannot be asked
        pass
    return transformer


class TransformerEncoder(Encoder):
    """A fitted transformer of pixels (n, height * width * channels) in [0, 1]."""

    def __init__(self, transformer: Any, name: str) -> None:
        self._transform = transformer.transform
        self.card = _card(transformer, name)

    def encode(self, images: object, *, unscaled: bool = False) -> np.ndarray:
        """Codes (n, latents) float32 of images (n, height, width, channels)."""
        pixels = PixelEncoder().encode(images, unscaled=unscaled)
        return _checked(self._transform(pixels), len(pixels), self.card.name)


class FunctionEncoder(Encoder):
    """A function of images (n, height, width, channels) uint8 that gives codes (n, latents)."""

    def __init__(self, function: Callable[[np.ndarray], object], name: str) -> None:
        self._function = function
        self.card = _card(function, name)

    def encode(self, images: object, *, unscaled: bool = False) -> np.ndarray:
        """Codes (n, latents) float32, in batches of 256 images."""
        array = checked_images(images, unscaled=unscaled)
        batches = (array[i : i + _BATCH] for i in range(0, len(array), _BATCH))
        return np.concatenate(
            [_checked(self._function(batch), len(batch), self.card.name) for batch in batches]
        )


def _card(given: object, name: str) -> Card:
    return Card(
        name=name, weights="", sha256="", licence="", source="", parameters=None,
        notes=(f"an object of the user: {type(given).__name__}",), token=_token(),
    )  # fmt: skip


def _token() -> str:
    """Equal names and weights do not say that the code is the same."""
    return uuid.uuid4().hex


def _checked(codes: object, n: int, name: str) -> np.ndarray:
    array = as_array(codes, "codes")
    if array.ndim != _SIDE_BY_SIDE or len(array) != n:
        raise ValueError(
            f"{name} gave codes of shape {array.shape} for {n} images: (images, latents) is needed"
        )
    return array.astype(np.float32)
