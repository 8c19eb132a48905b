"""Latents that hold nothing of the images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["LEAST_KL", "collapse_sentence", "collapsed_latents"]

LEAST_KL = 0.01  # nats; the threshold of disentanglement_lib's UDR


def collapsed_latents(rates: Sequence[float] | np.ndarray, rate: str) -> list[int]:
    """Positions of the latents that hold nothing of the images.

    Parameters
    ----------
    rates
        Nats (latents,) of each latent, as
        :meth:`~unweave.models.VAE.encode_with_rates` gives them.
    rate
        What they are: ``kl``, of which less than 0.01 is nothing, or the ``entropy`` of quantised
        latents, which is 0 where one value stands for all images.
    """
    found = np.asarray(rates)
    return np.flatnonzero(found < LEAST_KL if rate == "kl" else found <= 0).tolist()


def collapse_sentence(rates: Sequence[float] | np.ndarray, rate: str) -> str:
    """Which latents hold nothing of the images, in words; empty if all of them hold something.

    Parameters are those of :func:`collapsed_latents`.
    """
    collapsed = collapsed_latents(rates, rate)
    if not collapsed:
        return ""
    n = len(rates)
    ending = "s" if len(collapsed) == 1 else ""
    what = f"take{ending} one value only"
    if rate == "kl":
        what = f"hold{ending} less than {LEAST_KL:g} nats of an image"
    if len(collapsed) == n:
        latents = "the only latent" if n == 1 else f"all {n} latents"
        return f"{latents} {what}: the model holds nothing of the images"
    *others, last = map(str, collapsed)
    listed = f"{', '.join(others)} and {last}" if others else last
    return f"{len(collapsed)} of {n} latents {what}: {listed}"
