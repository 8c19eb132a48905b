"""What one model learned, in pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unweave._storage import written_whole
from unweave.datasets import ImageDataset
from unweave.datasets.pictures import save_png
from unweave.models import VAE, count_parameters
from unweave.models.collapse import LEAST_KL, collapse_sentence
from unweave.reports.figures import COLOURS, as_image, drawing, image_grid, svg, tiled
from unweave.reports.page import render
from unweave.studies.data import data_sentence, describe_data
from unweave.studies.pictures import pictures

__all__ = ["collapse_text", "labelled_traversals", "model_pictures", "write_model_page"]

_SHOWN = 10  # latents
_FRAME_MILLISECONDS = 70
_LEAST_HEIGHT = 64  # pixels
_MOST_STOPS = 12  # of a traversal, before every other one is left out
_LEAST_IMPORTANCE = 0.05  # of a latent to all factors together, each of which has 1 to give
_FEW = 3  # factors, whose figure would be too large over the whole width of a page


def model_pictures(found: Mapping[str, np.ndarray], tag: str) -> dict[str, Any]:
    """Figures and data addresses for a page, of :func:`~unweave.studies.pictures.pictures`.

    ``levels`` and ``plane`` are empty where the images have no factors, or are not a full grid.
    """
    found = _enlarged(found)
    order, rates = found["order"][:_SHOWN], found["rates"][:_SHOWN]
    every = _every(found)
    has_plane = "plane" in found
    return {
        "reconstructions": image_grid(_reconstructions(found)),
        "samples": image_grid(_samples(found)),
        "traversals": [
            {"latent": int(j), "rate": float(rate), "strip": image_grid(strip[None, ::every])}
            for j, rate, strip in zip(order, rates, found["traversals"], strict=False)
        ],
        "animation": _address(_frames(found)),
        "rates": rate_figure(found, tag),
        "collapse": collapse_text(found),
        "is_quantised": str(found["rate"]) == "entropy",
        "reach": float(found["reach"]),
        "levels": level_figure(found, tag) if "means" in found else "",
        "has_few_factors": len(found.get("factor_names", ())) <= _FEW,
        "plane": image_grid(_planes(found)[None]) if has_plane else "",
        "plane_axes": [str(found["factor_names"][k]) for k in found["axes"]] if has_plane else [],
        "plane_latents": [int(j) for j in order],
    }


def collapse_text(found: Mapping[str, np.ndarray]) -> str:
    """Which latents hold nothing of the images, as a sentence; empty if all hold something."""
    rates = np.empty_like(found["rates"])
    rates[found["order"]] = found["rates"]
    return collapse_sentence(rates, str(found["rate"]))


def labelled_traversals(
    found: Mapping[str, np.ndarray], importance: np.ndarray, factors: Sequence[str]
) -> tuple[list[dict[str, Any]], int]:
    """Traversals in the order of the factors that the latents code.

    Parameters
    ----------
    found
        Result of :func:`~unweave.studies.pictures.pictures`.
    importance
        Importance (latents, factors) of each latent to each factor.
    factors
        Names of the factors.

    Returns
    -------
    rows
        For each latent its number ``latent``, the ``factor`` that it is most important to, the
        ``share`` of this factor in its importance, in [0, 1], and its ``strip``, a data address.
    n_idle
        Latents that are left out because they are important to nothing.
    """
    found = _enlarged(found)
    strips = dict(zip(found["order"].tolist(), found["traversals"], strict=True))
    total, most = importance.sum(axis=1), importance.argmax(axis=1)
    coding = [j for j in range(len(importance)) if total[j] > _LEAST_IMPORTANCE]
    coding.sort(key=lambda j: (most[j], -importance[j, most[j]]))
    rows = [
        {
            "latent": j,
            "factor": factors[most[j]],
            "share": float(importance[j, most[j]] / total[j]),
            "strip": image_grid(strips[j][None, :: _every(found)]),
        }
        for j in coding
    ]
    return rows, len(importance) - len(coding)


def write_model_page(
    model: VAE,
    dataset: ImageDataset,
    folder: str | Path,
    *,
    title: str,
    found: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Write ``index.html`` and its pictures as PNG and GIF into ``folder``; return the page.

    Parameters
    ----------
    model, dataset
        What is shown, and of which images.
    folder
        Where the page goes.
    title
        Heading of the page.
    found
        What :func:`~unweave.studies.pictures.pictures` made of them; by default it makes it here.
    """
    folder = Path(folder)
    found = _enlarged(pictures(model, dataset) if found is None else found)
    network = model.network
    kind = f"{network.name} network, width {network.width:g}" if network else "its own network"
    latents = f"{model.n_latents} latents"
    if model.groups:
        latents += f" in groups of {', '.join(map(str, model.groups))}"
    content = {
        "title": title,
        "subtitle": f"{kind}, {latents}, {count_parameters(model):,} parameters",
        "data": data_sentence(describe_data(dataset)),
        "model": model_pictures(found, "model"),
    }
    shown = {
        "reconstructions": tiled(_reconstructions(found)),
        "samples": tiled(_samples(found)),
        "traversals": tiled(found["traversals"][:_SHOWN, :: _every(found)]),
    }
    if "plane" in found:
        shown["maps"] = tiled(_planes(found)[None])
    for name, picture in shown.items():
        save_png(picture, folder / f"{name}.png")
    with written_whole(folder / "traversals.gif") as temporary:
        temporary.write_bytes(_frames(found))
    page = folder / "index.html"
    with written_whole(page) as temporary:
        temporary.write_text(render("show.html", content), encoding="utf-8")
    return page


def _enlarged(found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same with images so small that they are hard to see magnified, pixel by pixel."""
    factor = max(1, _LEAST_HEIGHT // found["images"].shape[1])
    images = {k: found[k] for k in ("images", "reconstructions", "samples", "traversals")}
    larger = {k: v.repeat(factor, axis=-3).repeat(factor, axis=-2) for k, v in images.items()}
    return {**found, **larger}


def rate_figure(found: Mapping[str, np.ndarray], tag: str) -> str:
    """Nats of each latent, a bar each: KL divergence from the prior, or entropy of its values."""
    tag = f"rates-{tag}"
    order, rates = found["order"], found["rates"]
    what = "Entropy of the values" if str(found["rate"]) == "entropy" else "KL from the prior"
    with drawing(tag, size=(4.6, 0.8 + 0.22 * len(order))) as (figure, axes):
        axes.barh(range(len(order)), rates, color=COLOURS[0])
        axes.set_yticks(range(len(order)), [f"z{j}" for j in order], fontsize=9)
        axes.invert_yaxis()
        axes.set_xlabel("nats")
        axes.set_title(f"{what}: {rates.sum():.1f} nats", loc="left", fontsize=12)
        return svg(figure, tag)


def level_figure(found: Mapping[str, np.ndarray], tag: str) -> str:
    """Each latent's mean at each level of each factor, and two standard deviations around it."""
    tag = f"levels-{tag}"
    n_latents = max(1, min(_SHOWN, int((found["rates"] > LEAST_KL).sum())))
    names, sizes = found["factor_names"], found["factor_sizes"]
    starts = np.append(0, np.cumsum(sizes))
    size = (max(1.0 + 1.35 * len(names), 4.6), 0.7 + 0.62 * n_latents)
    with drawing(tag, size=size, rows=n_latents, columns=len(names)) as (figure, grid):
        grid = np.array(grid, dtype=object).reshape(n_latents, len(names))
        for row in range(n_latents):
            for k, name in enumerate(names):
                axes = grid[row, k]
                means = found["means"][row, starts[k] : starts[k + 1]]
                spread = 2 * found["deviations"][row, starts[k] : starts[k + 1]]
                levels = np.arange(len(means))
                axes.fill_between(
                    levels, means - spread, means + spread, color=COLOURS[0], alpha=0.18, lw=0
                )
                axes.plot(levels, means, color=COLOURS[0], lw=1.4)
                reach = float(found["reach"])
                axes.set_ylim(-7 / 6 * reach, 7 / 6 * reach)
                axes.set_yticks([-2 / 3 * reach, 0, 2 / 3 * reach], ["", "", ""])
                ends = found["factor_ends"][k] if row == n_latents - 1 else ("", "")
                axes.set_xticks([0, len(means) - 1], [_short(end) for end in ends], fontsize=7)
                for label, side in zip(axes.get_xticklabels(), ("left", "right"), strict=True):
                    label.set_horizontalalignment(side)
                if row == 0:
                    axes.set_title(_short(name, 16), fontsize=9)
                if k == 0:
                    axes.set_ylabel(f"z{found['order'][row]}", rotation=0, ha="right", va="center")
        return svg(figure, tag)


def _short(text: object, most: int = 9) -> str:
    """The text, cut where it would run into its neighbour; a dollar sign begins no formula."""
    text = str(text)
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return cut.replace("$", r"\$")


def _every(found: Mapping[str, np.ndarray]) -> int:
    """2 where traversals have so many stops that every other one is shown, else 1."""
    return 1 + (found["traversals"].shape[1] > _MOST_STOPS)


def _reconstructions(found: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack([found["images"], found["reconstructions"]])


def _samples(found: Mapping[str, np.ndarray]) -> np.ndarray:
    samples = found["samples"]
    return samples.reshape(4, -1, *samples.shape[1:])


def _planes(found: Mapping[str, np.ndarray]) -> np.ndarray:
    """Pictures (latents, height, width, 3): blue where a latent is low, red where it is high."""
    values = np.clip(found["plane"][:_SHOWN] / found["reach"], -1, 1)[..., None]
    low, middle, high = np.array([[42, 90, 190], [247, 247, 247], [196, 50, 50]], dtype=float)
    colours = middle + np.abs(values) * (np.where(values < 0, low, high) - middle)
    return np.rint(colours).astype(np.uint8)


def _frames(found: Mapping[str, np.ndarray]) -> bytes:
    """A GIF: all latents side by side, each moved through its positions and back."""
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
