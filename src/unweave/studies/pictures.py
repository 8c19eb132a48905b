"""Pictures of what a model learned."""

from __future__ import annotations

import numpy as np

from unweave.datasets import FactorDataset, GridDataset, ImageDataset
from unweave.models import VAE
from unweave.studies.levels import factors_by_level

__all__ = ["pictures"]

_N_EXAMPLES = 8
_N_SAMPLES = 32
_MAP_ROWS = 5_000
_TRAVERSAL = np.linspace(-2, 2, 17)
_REACH = 3.0  # standard deviations of the prior


def pictures(model: VAE, dataset: ImageDataset, *, seed: int = 0) -> dict[str, np.ndarray]:
    """What a model learned, to be drawn: images are uint8, 0 to 255.

    Returns
    -------
    dict
        ``images`` and ``reconstructions`` (8, height, width, channels), or fewer where there are
        fewer images; ``samples`` (32, ...) of latents drawn from the prior, or of quantised ones
        drawn independently from those of the images; ``traversals`` (latents, stops, ...), each
        latent at its ``positions`` (latents, stops) with the others at the code of the first image:
        17 from -2 to 2, or at most 17 of its values; ``order`` (latents,), the latents by their
        ``rates`` (latents,) in nats, the largest first, as are the rows of ``traversals``,
        ``means``, ``deviations`` and ``plane``; ``rate``, what the rates are: ``kl`` or
        ``entropy``; ``reach``, how far from 0 latents are drawn.

        If the images have factors: ``means`` and ``deviations`` (latents, levels) of each latent at
        each level of each factor, the factors one after the other, all others as they come;
        ``factor_names`` (factors,), ``factor_sizes`` (factors,), the numbers of levels, and
        ``factor_ends`` (factors, 2), words for the first and the last level, empty where levels
        have no words. For a factor without levels, or with more than 100, the levels are bins of
        as many rows each.

        If the dataset is a full grid: ``plane`` (latents, levels, levels), each latent over the two
        factors ``axes`` (2,), the others as in the first image.
    """
    rows = dataset.sample_indices(min(_MAP_ROWS, len(dataset)), seed=seed)
    means, rates = model.encode_with_rates(dataset.images(rows))
    order = np.argsort(-rates, kind="stable")
    images, codes = dataset.images(rows[:_N_EXAMPLES]), means[:_N_EXAMPLES]
    stops = _positions(model)[order]
    paths = np.tile(codes[0], (*stops.shape, 1))
    paths[np.arange(len(order)), :, order] = stops
    samples = _samples(model, means, np.random.default_rng(seed))
    found = {
        "images": images,
        "reconstructions": model.decode(codes),
        "samples": model.decode(samples),
        "traversals": model.decode(paths.reshape(-1, codes.shape[1])).reshape(
            *stops.shape, *dataset.image_shape
        ),
        "positions": stops,
        "reach": np.array(_REACH if model.has_posterior else max(np.abs(stops).max(), 1e-6)),
        "order": order,
        "rates": rates[order],
        "rate": np.array(model.latent_space.rate),
    }
    if isinstance(dataset, FactorDataset):
        found |= factors_by_level(means[:, order], dataset, rows)
    if isinstance(dataset, GridDataset):
        axes, plane = _plane(model, dataset, rows[0])
        found |= {"axes": np.array(axes), "plane": plane[order]}
    return found


def _positions(model: VAE) -> np.ndarray:
    """Where traversals stop, (latents, stops): evenly from -2 to 2, or at a latent's values."""
    values = model.latents.values()
    if values is None:
        return np.tile(_TRAVERSAL, (model.n_latents, 1))
    ordered = np.sort(values.detach().cpu().numpy(), axis=1)
    n_stops = min(ordered.shape[1], len(_TRAVERSAL))
    return ordered[:, np.linspace(0, ordered.shape[1] - 1, n_stops).round().astype(int)]


def _samples(model: VAE, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Latents (32, inputs of the decoder) from the prior.

    Quantised latents have none: they are drawn from those of the images, each independently.
    """
    if model.has_posterior:
        return rng.standard_normal((_N_SAMPLES, model.n_inputs))
    rows = rng.integers(0, len(codes), (_N_SAMPLES, codes.shape[1]))
    return np.take_along_axis(codes, rows, axis=0)


def _plane(model: VAE, dataset: GridDataset, row: int) -> tuple[tuple[int, int], np.ndarray]:
    """Two factors, and the latents (latents, levels, levels) over them.

    The two ordinal factors of the most levels, or of any kind where there are not two of those.
    """
    space = dataset.space
    preferred = sorted(
        range(space.n_factors), key=lambda k: (space.kinds[k] == "ordinal", space.sizes[k], k)
    )
    first, second = sorted(preferred[-2:]) if space.n_factors > 1 else (0, 0)
    across, down = np.meshgrid(np.arange(space.sizes[first]), np.arange(space.sizes[second]))
    levels = np.tile(space.levels([row])[0], (across.size, 1))
    levels[:, first], levels[:, second] = across.ravel(), down.ravel()
    codes = model.encode(dataset.images(space.indices(levels)))
    return (first, second), codes.T.reshape(-1, *across.shape)
