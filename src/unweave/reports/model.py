"""What one model learned, in pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unweave.datasets import FactorDataset, FactorSpace
from unweave.datasets.cache import written_whole
from unweave.datasets.pictures import save_png
from unweave.models import VAE, count_parameters
from unweave.reports.figures import COLOURS, as_image, drawing, image_grid, svg, tiled
from unweave.reports.page import render
from unweave.studies.evaluation import pictures

__all__ = ["model_pictures", "write_model_page"]

_SHOWN = 10  # latents
_DEAD = 0.01  # nats: a latent of less is flat everywhere
_FRAME_MILLISECONDS = 70


def model_pictures(found: Mapping[str, np.ndarray], space: FactorSpace, tag: str) -> dict[str, Any]:
    """Figures and data addresses for a page, of :func:`~unweave.studies.evaluation.pictures`."""
    order, kl = found["order"][:_SHOWN], found["kl"][:_SHOWN]
    first, second = (space.names[k] for k in found["axes"])
    return {
        "reconstructions": image_grid(_reconstructions(found)),
        "samples": image_grid(_samples(found)),
        "traversals": [
            {"latent": int(j), "kl": float(divergence), "strip": image_grid(strip[None, ::2])}
            for j, divergence, strip in zip(order, kl, found["traversals"], strict=False)
        ],
        "animation": _address(_frames(found)),
        "divergences": divergence_figure(found["order"], found["kl"], tag),
        "levels": level_figure(found, space, tag),
        "plane": image_grid(_planes(found)[None]),
        "plane_axes": (first, second),
        "plane_latents": [int(j) for j in order],
    }


def write_model_page(
    model: VAE, dataset: FactorDataset, folder: str | Path, *, title: str, seed: int = 0
) -> Path:
    """Write ``index.html`` and its pictures as PNG and GIF into ``folder``; return the page."""
    folder = Path(folder)
    found = pictures(model, dataset, seed=seed)
    network = model.network
    kind = f"{network.name} network, width {network.width:g}" if network else "its own network"
    content = {
        "title": title,
        "subtitle": f"{kind}, {model.n_latents} latents, {count_parameters(model):,} parameters, "
        f"on {dataset.name}",
        "model": model_pictures(found, dataset.space, "model"),
    }
    shown = {
        "reconstructions": tiled(_reconstructions(found)),
        "samples": tiled(_samples(found)),
        "traversals": tiled(found["traversals"][:_SHOWN, ::2]),
        "maps": tiled(_planes(found)[None]),
    }
    for name, picture in shown.items():
        save_png(picture, folder / f"{name}.png")
    with written_whole(folder / "traversals.gif") as temporary:
        temporary.write_bytes(_frames(found))
    page = folder / "index.html"
    with written_whole(page) as temporary:
        temporary.write_text(render("show.html", content), encoding="utf-8")
    return page


def divergence_figure(order: np.ndarray, kl: np.ndarray, tag: str) -> str:
    """Mean KL divergence of each latent from the prior, in nats, a bar each."""
    tag = f"kl-{tag}"
    with drawing(tag, size=(4.6, 0.8 + 0.22 * len(order))) as (figure, axes):
        axes.barh(range(len(order)), kl, color=COLOURS[0])
        axes.set_yticks(range(len(order)), [f"z{j}" for j in order], fontsize=9)
        axes.invert_yaxis()
        axes.set_xlabel("nats")
        axes.set_title(f"KL from the prior: {kl.sum():.1f} nats", loc="left", fontsize=12)
        return svg(figure, tag)


def level_figure(found: Mapping[str, np.ndarray], space: FactorSpace, tag: str) -> str:
    """Each latent's mean at each level of each factor, and two standard deviations around it."""
    tag = f"levels-{tag}"
    n_latents = max(1, min(_SHOWN, int((found["kl"] > _DEAD).sum())))
    starts = np.append(0, np.cumsum(space.sizes))
    size = (1.0 + 1.35 * space.n_factors, 0.7 + 0.62 * n_latents)
    with drawing(tag, size=size, rows=n_latents, columns=space.n_factors) as (figure, grid):
        grid = np.array(grid, dtype=object).reshape(n_latents, space.n_factors)
        for row in range(n_latents):
            for k, name in enumerate(space.names):
                axes = grid[row, k]
                means = found["means"][row, starts[k] : starts[k + 1]]
                spread = 2 * found["deviations"][row, starts[k] : starts[k + 1]]
                levels = np.arange(len(means))
                axes.fill_between(
                    levels, means - spread, means + spread, color=COLOURS[0], alpha=0.18, lw=0
                )
                axes.plot(levels, means, color=COLOURS[0], lw=1.4)
                axes.set_ylim(-3.5, 3.5)
                axes.set_yticks([-2, 0, 2], ["", "", ""])
                axes.set_xticks([0, len(means) - 1], ["", ""])
                if row == 0:
                    axes.set_title(name, fontsize=9)
                if k == 0:
                    axes.set_ylabel(f"z{found['order'][row]}", rotation=0, ha="right", va="center")
        return svg(figure, tag)


def _reconstructions(found: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack([found["images"], found["reconstructions"]])


def _samples(found: Mapping[str, np.ndarray]) -> np.ndarray:
    samples = found["samples"]
    return samples.reshape(4, -1, *samples.shape[1:])


def _planes(found: Mapping[str, np.ndarray]) -> np.ndarray:
    """Pictures (latents, height, width, 3): blue where a latent is low, red where it is high."""
    values = np.clip(found["plane"][:_SHOWN] / 3, -1, 1)[..., None]
    low, middle, high = np.array([[42, 90, 190], [247, 247, 247], [196, 50, 50]], dtype=float)
    colours = middle + np.abs(values) * (np.where(values < 0, low, high) - middle)
    return np.rint(colours).astype(np.uint8)


def _frames(found: Mapping[str, np.ndarray]) -> bytes:
    """A GIF: all latents side by side, each moved from -2 to 2 and back."""
    paths = found["traversals"][:_SHOWN]
    there = list(range(paths.shape[1]))
    frames = [as_image(tiled(paths[None, :, t])) for t in there + there[-2:0:-1]]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, "GIF", save_all=True, append_images=frames[1:], loop=0,
        duration=_FRAME_MILLISECONDS,
    )  # fmt: skip
    return buffer.getvalue()


def _address(gif: bytes) -> str:
    return "data:image/gif;base64," + base64.b64encode(gif).decode()
