"""Tripod (Hsu et al. 2024): latents on a grid, independent, that do not interfere."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from unweave.models.latents import Quantisation
from unweave.models.networks import Network
from unweave.models.objectives.terms import Batch, Loss, Objective, Pass, Terms
from unweave.models.style import StyleDecoder
from unweave.models.vae import VAE

__all__ = ["Tripod", "kernel_multi_information", "normalised_hessian_penalty", "silverman_factor"]

_SMALLEST_SPREAD = 1e-6
_SMALLEST_VARIANCE = 1e-10


class Tripod(Objective):
    r""":math:`-\log p(x|z) / n + w_1 KLM + w_2 NHP`, with latents on a grid, and without noise.

    Section 4 of https://arxiv.org/abs/2404.10282, where n is the number of numbers in an image. KLM
    is the multi-information of the latents in the batch, by kernel densities
    (:func:`kernel_multi_information`). NHP is the normalised Hessian penalty of the decoder
    (:func:`normalised_hessian_penalty`): how much latents change each other's effect. It is taken
    of the style and of all layers but the last, and needs a style decoder.

    Where the paper leaves a choice, this follows the authors' code:

    - Both terms are of the values that the decoder gets, on the grid. Gradients pass straight
      through to the encoder.
    - Bandwidths and lengths of steps are in units of the standard deviations over the batch of what
      the encoder gives (after tanh, before the grid; of n and not n - 1), plus 1e-6. They have
      gradients as well.
    - Kernels of the joint density are narrower than those of single latents: Silverman's factor
      times the standard deviation, against the standard deviation itself. KLM is not 0 then, even
      where the batch holds every combination of values equally often. With ``marginal_bandwidth``
      joint, both densities have the narrower kernels.
    - An image has two draws of signs and two normal ones. Ratios are taken image by image and layer
      by layer, summed over layers, and averaged over images.

    The default weights are the authors' for Shapes3D. Theirs for MPI3D are 1e-8 and 1e-4, for
    Falcor3D 1e-10 and 1e-2, for Isaac3D 1e-4 and 1e-8. They have twice as many latents as factors.
    Their networks are residual, with GELU throughout. The default network here has GELU in the
    layers that make the style, and leaky rectifiers elsewhere. With leaky rectifiers in the style
    as well, a narrow network has hardly any second differences at some images, and the ratios of
    these few decide the penalty. The constant of the default decoder starts as coordinates, that of
    the paper as normal numbers.

    A weight of 0 turns its term off: it is neither computed nor recorded.
    """

    title: ClassVar[str] = "Tripod"
    smallest_batch: ClassVar[int] = 2
    latent_spaces: ClassVar[tuple[str, ...]] = ("grid",)
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "network": {
            "name": "style",
            "n_latents": 12,
            "latent_space": {"name": "grid"},
            "style_activation": "gelu",
            "style_start": "coordinates",
        },
        "training": {
            "batch_size": 64,
            "learning_rate": 2e-4,
            "gradient_clip": 1.0,
        },
    }
    name: Literal["tripod"] = "tripod"
    multi_information_weight: float = Field(default=1e-4, ge=0)
    """Weight of the multi-information of the latents; 0 turns it off."""
    hessian_weight: float = Field(default=1e-2, ge=0)
    """Weight of the normalised Hessian penalty; 0 turns it off, so that any decoder is accepted."""
    marginal_bandwidth: Literal["published", "joint"] = "published"
    """Bandwidths of the densities of single latents: standard deviations, as in the authors' code,
    or those of the joint density."""

    @property
    def records(self) -> tuple[str, ...]:  # type: ignore[override]
        """The terms that have a weight."""
        weights = {
            "multi_information": self.multi_information_weight,
            "hessian_penalty": self.hessian_weight,
        }
        return tuple(name for name, weight in weights.items() if weight)

    @property
    def samples(self) -> bool:
        """There is no noise in the latents."""
        return False

    def check_network(self, network: Network) -> None:
        """Refuse a decoder without a style.

        Raises
        ------
        ValueError
            If the Hessian penalty has a weight, and there is no style decoder.
        """
        self._check_decoder(network.has_style_decoder)

    def loss(self, seen: Pass) -> Loss:
        """Reconstruction per number of the image, and the multi-information."""
        value = seen.reconstruction / seen.batch.images[0].numel()
        if not self.multi_information_weight:
            return Loss(value)
        spread = _spread(seen.posterior)
        joint = spread * silverman_factor(*seen.latents.shape)
        single = joint if self.marginal_bandwidth == "joint" else spread
        found = kernel_multi_information(seen.latents, joint, single)
        return Loss(
            value + self.multi_information_weight * found,
            {"multi_information": found},
        )

    def _terms(self, model: VAE, batch: Batch, adversary: nn.Module | None) -> Terms:
        decoder = model.decoder
        self._check_decoder(isinstance(decoder, StyleDecoder))
        seen = self._pass(model, batch, adversary)
        value, others, _ = self.loss(seen)
        if self.hessian_weight:
            found = _of_decoder(cast(StyleDecoder, decoder), seen)
            value = value + self.hessian_weight * found
            others = {**others, "hessian_penalty": found}
        return Terms(value, seen.reconstruction, seen.rates, others)

    def _check_decoder(self, has_style: bool) -> None:
        if self.hessian_weight and not has_style:
            raise ValueError(
                "the Hessian penalty of tripod is of the style and the layers of a style decoder, "
                "and the network has another: set decoder to style, or hessian_weight to 0"
            )


def silverman_factor(n: int, n_latents: int) -> float:
    """Bandwidth of a Gaussian kernel for ``n`` points, in standard deviations of each latent.

    Silverman's rule for ``n_latents`` dimensions: (4 / (n_latents + 2) / n)^(1 / (n_latents + 4)).
    """
    return (4 / (n_latents + 2) / n) ** (1 / (n_latents + 4))


def kernel_multi_information(latents: Tensor, joint: Tensor, single: Tensor) -> Tensor:
    r"""Multi-information of latents (n, latents) in nats, by Gaussian kernel densities.

    .. math:: \frac{1}{n} \sum_i \Big[\log \hat q(z_i) - \sum_k \log \hat q_k(z_{ik})\Big]

    Each density is the mean of the kernels at all points, the point itself among them. If both
    densities have the same bandwidths, it is 0 where the points hold every combination of values
    equally often. A batch of many latents never does: independent draws of 12 latents, 64 points,
    have about 6 nats, 12 copies of one latent about 9. So only its changes can be read.

    Parameters
    ----------
    latents
        Points (n, latents).
    joint, single
        Bandwidths (latents,) of the kernels of the joint density, whose covariance is diagonal, and
        of the densities of single latents.
    """
    differences = latents[:, None] - latents[None]
    of_all = _log_kernels(differences, joint).sum(dim=2).logsumexp(dim=1)
    of_each = _log_kernels(differences, single).logsumexp(dim=1)
    log_n = math.log(len(latents))
    return (of_all - log_n - (of_each - log_n).sum(dim=1)).mean()


def normalised_hessian_penalty(
    function: Callable[[Tensor], Sequence[Tensor]],
    latents: Tensor,
    spread: Tensor,
    signs: Tensor,
    normals: Tensor,
    *,
    step: float = 0.1,
) -> Tensor:
    r"""The share of a function's second derivatives that is between different latents.

    For each output f, with the Hessian H in units of ``spread``, it estimates

    .. math:: \sum_{i \ne j} H_{ij}^2 \Big/ \sum_{ij} H_{ij}^2

    by variances of second differences (f(z + v) - 2 f(z) + f(z - v)) / step². For directions of
    random signs their variance is twice the upper sum, and for normal ones twice the lower one. The
    variances are means over the numbers of an output. It is 0 where no latent changes the effect of
    another, and scaling the output leaves it as it is: the Hessian penalty of Peebles et al.
    (2020, https://arxiv.org/abs/2008.10599), the upper sum alone, falls with the output. With few
    draws the ratio is not in [0, 1]. Of a function that is linear it is one of rounding errors.

    Parameters
    ----------
    function
        From points (m, latents) to a sequence of outputs (m, ...), each row by itself.
    latents
        Where (n, latents).
    spread
        The unit (latents,) of each latent.
    signs, normals
        Directions (draws, n, latents): of 1 and -1, and standard normal ones. At least two each.
    step
        Length of the step along a direction.

    Returns
    -------
    Tensor
        The sum over outputs of the mean over rows of the ratios.
    """
    steps = step * spread * torch.cat([signs, normals])
    points = torch.cat([latents[None], latents + steps, latents - steps])
    outputs = function(points.flatten(0, 1))
    ratios = []
    for output in outputs:
        rows = output.reshape(len(points), len(latents), -1)
        centre, ahead, behind = rows.split([1, len(steps), len(steps)])
        second = (ahead - 2 * centre + behind) / step**2
        between, total = (
            draws.var(dim=0, correction=0).mean(dim=1)
            for draws in second.split([len(signs), len(normals)])
        )
        ratios.append((between / (total + _SMALLEST_VARIANCE)).mean())
    return torch.stack(ratios).sum()


def _of_decoder(decoder: StyleDecoder, seen: Pass) -> Tensor:
    signs, normals = _directions(seen.batch)
    # Second differences of numbers in half precision would be of their rounding errors.
    with torch.autocast(seen.latents.device.type, enabled=False):
        return normalised_hessian_penalty(
            decoder.features, seen.latents, _spread(seen.posterior), signs, normals
        )


def _directions(batch: Batch) -> tuple[Tensor, Tensor]:
    """Two draws (2, n, latents) of signs and of normal numbers, independent for each image.

    An image takes the signs of its own numbers, and the numbers of the image before it.
    """
    numbers = torch.stack([batch.noise, batch.prior])
    return torch.ones_like(numbers).copysign(numbers), numbers.roll(1, dims=1)


def _spread(found: Quantisation) -> Tensor:
    """Standard deviations (latents,) over the batch of what the encoder gave."""
    return found.continuous.std(dim=0, correction=0) + _SMALLEST_SPREAD


def _log_kernels(differences: Tensor, bandwidths: Tensor) -> Tensor:
    squares = (differences / bandwidths).square()
    return -0.5 * (squares + math.log(2 * math.pi)) - bandwidths.log()
