"""Encoders that are torch networks: batches, layers, pooling, precision."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unweave._check import check_choice, check_positive, suggestion
from unweave._random import Stream, torch_seeded
from unweave.datasets import ImageDataset
from unweave.encoders.encoder import Card, Encoder, Request, hash_tensors
from unweave.encoders.preprocessing import Preprocessing, checked_images

__all__ = [
    "POOLS",
    "NetworkEncoder",
    "calibrate",
    "drawn",
    "mixed_precision_pays",
    "network_encoder",
]

POOLS = ("mean", "max", "class", "flatten")
"""How the places of a layer become one vector: mean or maximum over the places of a feature map or
over patch tokens, the class token, or all of them side by side."""

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
_CALIBRATION_ROWS = 64
_NEAR = 1e-2  # relative; nearer than the scores of two halves of the rows are to each other


class NetworkEncoder(Encoder):
    """A torch network with its preprocessing.

    Parameters
    ----------
    module
        From images (n, channels, height, width) to codes (n, latents).
    card
        What it is; layer and pool are filled in.
    layer
        A submodule by name, whose output is taken instead of the network's own.
    pool
        One of :data:`POOLS`, for outputs that have places.
    n_prefix_tokens
        Tokens before those of the patches.
    precision
        ``auto`` for a narrower format where it is faster and gives the same codes to within 1 %, on
        a GPU; or ``float32``, ``bfloat16``, ``float16``.
    batch_size
        Images that pass at once.

    Raises
    ------
    ValueError
        If there is no such layer or pooling.
    """

    def __init__(
        self,
        module: nn.Module,
        card: Card,
        *,
        layer: str | None = None,
        pool: str = "mean",
        n_prefix_tokens: int = 0,
        precision: str = "auto",
        batch_size: int = 64,
    ) -> None:
        check_choice("pooling", pool, POOLS)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # Convolutions are faster with the channels innermost; the values are the same.
        self.module = module.eval().to(self.device)
        self.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.n_prefix_tokens = n_prefix_tokens
        self.precision = check_choice("precision", precision, PRECISIONS)
        self._used_precision: str | None = None
        self.batch_size = batch_size
        self._layer = self._find(layer, card.name) if layer is not None else None
        self.card = replace(card, layer=layer or "", pool=pool)

    @property
    def layers(self) -> list[str]:
        """Names of the submodules, in order."""
        return [name for name, _ in self.module.named_modules() if name]

    def configure(
        self,
        *,
        image_size: int | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        precision: str = "auto",
        batch_size: int = 64,
    ) -> None:
        """Set what is given, of the preprocessing and of how batches pass.

        Raises
        ------
        ValueError
            If a mean or deviation is not for each channel, or the precision is unknown.
        """
        assert self.card.preprocessing is not None
        found = self.card.preprocessing
        for what, values in (("mean", mean), ("std", std)):
            if values is not None and len(values) not in (1, found.channels):
                raise ValueError(
                    f"{what} has {len(values)} values, and {self.card.name} takes "
                    f"{found.channels} channels: give 1 or {found.channels}"
                )
        changed = replace(
            found,
            size=(image_size, image_size) if image_size else found.size,
            mean=tuple(mean) if mean else found.mean,
            std=tuple(std) if std else found.std,
        )
        self.card = replace(self.card, preprocessing=changed)
        self.precision = check_choice("precision", precision, PRECISIONS)
        self.batch_size = check_positive("batch_size", batch_size)

    def encode(self, images: object, *, unscaled: bool = False) -> np.ndarray:
        """Codes (n, latents) float32 of images (n, height, width, channels)."""
        array = checked_images(images, unscaled=unscaled)
        pieces = [
            self._codes(torch.from_numpy(np.ascontiguousarray(array[i : i + self.batch_size])))
            for i in range(0, len(array), self.batch_size)
        ]
        return np.concatenate([piece.float().cpu().numpy() for piece in pieces])

    @torch.inference_mode()
    def _codes(self, images: Tensor) -> Tensor:
        assert self.card.preprocessing is not None
        batch = self.card.preprocessing(images.to(self.device))
        batch = batch.contiguous(memory_format=torch.channels_last)
        if self._used_precision is None:
            auto = self.precision == "auto"
            self._used_precision = self._chosen_precision(batch) if auto else self.precision
        with _autocast(self.device, self._used_precision):
            return self._pooled(self._run(batch))

    def _run(self, batch: Tensor) -> Tensor:
        """The output, or a sentence where the network cannot take such images."""
        try:
            return self._output(batch)
        except ValueError:
            raise
        except Exception as error:  # those of TorchScript share no base class with others
            if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(
                error
            ):
                raise
            # The code of a TorchScript network stands in its messages, and their end is the reason.
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
            shape = " x ".join(map(str, batch.shape[1:]))
            raise ValueError(
                f"{self.card.name} cannot take images of {shape} (channels, height, width): "
                f"{reason}; set another size with --image-size"
            ) from error

    def _chosen_precision(self, batch: Tensor) -> str:
        if self.device.type != "cuda":
            return "float32"
        narrow = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"

        def codes(precision: str) -> Tensor:
            with _autocast(self.device, precision):
                return self._pooled(self._output(batch))

        return narrow if mixed_precision_pays(codes, narrow) else "float32"

    def _output(self, batch: Tensor) -> Tensor:
        if self._layer is None:
            return self.module(batch)
        caught: list[Tensor] = []
        hook = self._layer.register_forward_hook(lambda _, __, output: caught.append(output))
        try:
            self.module(batch)
        finally:
            hook.remove()
        if not caught:
            raise ValueError(
                f"the layer {self.card.layer!r} of {self.card.name} is not executed in a forward "
                "pass: choose another layer"
            )
        return caught[-1]

    def _pooled(self, output: object) -> Tensor:
        if isinstance(output, tuple | list):
            output = output[0]
        if not isinstance(output, Tensor) or output.ndim not in (2, 3, 4):
            what = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output)
            raise ValueError(
                f"{self.card.name} gives {what} where codes (n, latents), tokens (n, tokens, "
                "width) or a feature map (n, channels, height, width) were needed: choose another "
                "layer"
            )
        if output.ndim == 2:
            return output
        pool = self.card.pool
        if output.ndim == 4:
            channels_last = getattr(self.module, "output_fmt", "NCHW") == "NHWC"
            places = output.flatten(1, 2) if channels_last else output.flatten(2).transpose(1, 2)
            prefix = 0
        else:
            places, prefix = output, self.n_prefix_tokens
        if pool == "class":
            if not prefix:
                raise ValueError(
                    f"the output of {self.card.layer or 'the network'} in {self.card.name} has no "
                    "class token: choose another pooling, as mean"
                )
            return places[:, 0]
        if pool == "flatten":
            return places.flatten(1)
        patches = places[:, prefix:]
        return patches.mean(dim=1) if pool == "mean" else patches.amax(dim=1)

    def _find(self, layer: str, name: str) -> nn.Module:
        modules = {name: module for name, module in self.module.named_modules() if name}
        if layer not in modules:
            near = suggestion(layer, modules)
            some = ", ".join(list(self.module._modules)[:12])
            raise ValueError(
                f"{name} has no layer {layer!r}{near}; its outermost are {some} "
                f"(`unweave encoders show {name}` names all)"
            )
        return modules[layer]


def mixed_precision_pays(codes: Callable[[str], Tensor], narrow: str) -> bool:
    """Whether ``codes("...")`` in a narrow format are those in float32 to 1 %, and come faster."""
    times, found = {}, {}
    for precision in ("float32", narrow):
        codes(precision)  # the first call allocates and chooses kernels
        start = time.perf_counter()
        found[precision] = codes(precision).float().cpu()
        times[precision] = time.perf_counter() - start
    wide = found["float32"]
    # Against the spread over the batch: a large constant part would hide any error.
    spread = float((wide - wide.mean(dim=0)).norm())
    error = float((found[narrow] - wide).norm())
    return error <= _NEAR * spread and times[narrow] < times["float32"]


def drawn(request: Request, build: Callable[[], Any]) -> Any:
    """The network that ``build`` makes, its weights drawn from the seed of the request.

    torch's global generator is left as it was.
    """
    with torch_seeded(request.seed, Stream.WEIGHTS), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build()


@torch.no_grad()
def calibrate(module: nn.Module, preprocessing: Preprocessing, dataset: ImageDataset) -> None:
    """Give batch normalisations the statistics of images, as they have in training from the start.

    Without them a network of random weights is not what any training begins with. 64 images are
    used, and no factors.
    """
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    images = dataset.images(dataset.sample_indices(_CALIBRATION_ROWS, seed=0))
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
        norm.train()
    for batch in torch.from_numpy(images).split(32):
        module(preprocessing(batch))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def network_encoder(
    request: Request, module: nn.Module, card: Card, *, n_prefix_tokens: int = 0
) -> NetworkEncoder:
    """The encoder that was asked for, of a network whose weights are loaded or drawn."""
    card = replace(card, preprocessing=request.preprocessing or card.preprocessing)
    if request.random:
        assert card.preprocessing is not None
        if request.dataset is not None:
            calibrate(module.eval(), card.preprocessing, request.dataset)
        card = _random_card(card, module, request)
    return NetworkEncoder(
        module, card, layer=request.layer, pool=request.pool, n_prefix_tokens=n_prefix_tokens
    )


def _random_card(card: Card, module: nn.Module, request: Request) -> Card:
    notes = card.notes
    if any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules()):
        how = (
            f"those of {_CALIBRATION_ROWS} images of {request.dataset.name}"
            if request.dataset
            else "0 and 1"
        )
        notes = (*notes, f"means and variances of batch normalisations are {how}")
    return replace(
        card,
        weights=f"drawn, seed {request.seed}",
        sha256=hash_tensors(module.state_dict()),
        licence="none: the weights are drawn",
        notes=notes,
    )


@contextmanager
def _autocast(device: torch.device, precision: str) -> Iterator[None]:
    if precision == "float32":
        yield
        return
    with torch.autocast(device.type, dtype=getattr(torch, precision)):
        yield
