"""Figures as SVG that takes its ink from the page, and pictures as PNG."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import polars as pl
from matplotlib.figure import Figure
from PIL import Image

from unweave.metrics.catalogue import title as metric_name
from unweave.statistics.trends import mean_interval

__all__ = [
    "COLOURS",
    "INK",
    "as_image",
    "compute_figure",
    "curve_figure",
    "drawing",
    "error_figure",
    "image_grid",
    "matrix_figure",
    "metrics_figure",
    "objectives_figure",
    "png_address",
    "scale_figure",
    "svg",
    "tiled",
    "with_own_names",
]

# Placeholders that become colours of the page, so that a figure is right in light and dark.
INK, _LINE = "#010101", "#020202"
COLOURS = ("#2a7fd4", "#e0762b", "#3aa26a", "#b55fc0", "#c9a227", "#d8506f")
_STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": _LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 9,
}
_SIZE = (4.6, 3.5)
_MOST_LETTERS = 36  # beside each other below a figure
_KINDS = {
    "pretrained": "pretrained",
    "random": "same networks, random weights",
    "trained": "VAEs trained on this data",
}
_FLOORS = (
    ("mixture_mean", "random mixture of factors", {"ls": "--", "lw": 1.0}),
    ("chance_mean", "chance (permuted)", {"ls": ":", "lw": 1.2}),
)
_WIDE = ("pretrained", "random")


def compute_figure(
    rows: pl.DataFrame,
    colour: str,
    flops_per_step: float,
    top: float,
    published: Mapping[int, float],
) -> str:
    """One metric of one objective against training steps: every seed, mean and band, chance, floor.

    ``rows`` are the labelled rows of that metric and objective; ``top`` is the upper end of the
    axis, the same for all panels of a metric; ``published`` has scores by steps.
    """
    metric, key = rows["metric"][0], rows["key"][0]
    name = metric_name(metric)
    with drawing(f"{metric}-{key}") as (figure, axes):
        for _, run in rows.sort("step").group_by("seed", maintain_order=True):
            axes.plot(run["step"], run["value"], "o-", color=colour, alpha=0.35, lw=1, ms=3)
        by_step = rows.group_by("step").agg("value").sort("step")
        steps = by_step["step"].to_numpy()
        values = [np.array(v) for v in by_step["value"]]
        axes.plot(steps, [v.mean() for v in values], color=colour, lw=2.5, label="mean of seeds")
        if min(map(len, values)) > 1:
            bounds = np.clip([mean_interval(v) for v in values], 0, top)
            axes.fill_between(
                steps, *bounds.T, color=colour, alpha=0.15, lw=0, label="its 95 % interval"
            )
        for floor, label, style in _floors(rows):
            axes.axhline(floor, color=INK, label=label, **style)
        if published:
            axes.plot(
                list(published), list(published.values()), "x", color=INK, ms=7, mew=1.6,
                label="the paper, one seed",
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_ylim(0, top)
        ticks = sorted({*steps.tolist(), *published})
        axes.set_xticks(ticks, _spaced(ticks))
        axes.minorticks_off()
        axes.set_xlabel(f"training steps (1,000 are {1000 * flops_per_step / 1e12:.1f} TFLOP)")
        axes.set_title(f"{name} of {rows['label'][0]}", loc="left", fontsize=12)
        axes.legend(loc="upper left")
        return svg(figure, f"{metric}-{key}")


def objectives_figure(rows: pl.DataFrame, colours: dict[str, str]) -> str:
    """One metric of every objective: a dot a seed, a line at the mean, chance and floor."""
    metric, labels = rows["metric"][0], rows["label"].unique(maintain_order=True).to_list()
    tag = f"objectives-{metric}"
    with drawing(tag, size=(4.6, 1.3 + 0.3 * len(labels))) as (figure, axes):
        for i, label in enumerate(labels):
            values = rows.filter(pl.col("label") == label)["value"].to_numpy()
            axes.plot(values, np.full(len(values), i), "o", color=colours[label], alpha=0.7, ms=5)
            axes.plot([values.mean()] * 2, [i - 0.3, i + 0.3], color=colours[label], lw=2.5)
        for floor, label, style in _floors(rows):
            axes.axvline(floor, color=INK, label=label, **style)
        axes.set_yticks(range(len(labels)), labels, fontsize=9)
        axes.set_ylim(len(labels) - 0.4, -0.6)  # the first on top
        axes.set_xlim(left=0)
        axes.set_title(metric_name(metric), loc="left", fontsize=12)
        axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.1), ncols=2)
        return svg(figure, tag)


def _floors(rows: pl.DataFrame) -> list[tuple[float, str, dict[str, Any]]]:
    """What random mixtures of the factors and chance score, where they have a meaning."""
    means = [(rows[column].mean(), label, style) for column, label, style in _FLOORS]
    return [(float(mean), label, style) for mean, label, style in means if mean is not None]  # type: ignore[arg-type]


def metrics_figure(table: pl.DataFrame, colours: dict[str, str]) -> str:
    """MIG against SAP, a point for each model and milestone; empty if one was not computed."""
    wide = table.pivot(on="metric", index=["label", "run", "step"], values="value")
    if not {"mig", "sap"} <= set(wide.columns):
        return ""
    with drawing("metrics") as (figure, axes):
        for (label,), rows in wide.group_by("label", maintain_order=True):
            axes.scatter(
                rows["mig"], rows["sap"], s=22, color=colours[label], alpha=0.75, lw=0, label=label
            )
        axes.set_xlabel("MIG")
        axes.set_ylabel("SAP")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_title("Do the metrics agree?", loc="left", fontsize=12)
        axes.legend(loc="best", fontsize=8)
        return svg(figure, "metrics")


def curve_figure(
    curves: dict[str, list[list[dict[str, float]]]], term: str, colours: dict[str, str]
) -> str:
    """One term of the loss against training steps, a line for each objective, all seeds."""
    with drawing(f"curve-{term}") as (figure, axes):
        for label, runs in curves.items():
            for i, rows in enumerate(runs):
                axes.plot(
                    [r["step"] for r in rows],
                    [r[term] for r in rows],
                    color=colours[label],
                    lw=1.2,
                    alpha=0.8,
                    label=None if i else label,
                )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("training steps")
        axes.set_title(f"{term} (nats per image)", loc="left", fontsize=12)
        axes.legend()
        return svg(figure, f"curve-{term}")


def error_figure(rows: pl.DataFrame, colours: dict[str, str]) -> str:
    """GEOMANCER's error against the number of points, for one product: seeds, mean, chance."""
    product, noise = rows["product"][0], rows["noise"][0]
    title = product if not noise else f"{product}, noise {noise:g}"
    tag = f"error-{title}"
    with drawing(tag) as (figure, axes):
        for settings, colour in colours.items():
            own = rows.filter(pl.col("settings") == settings).sort("points")
            if not own.height:
                continue
            for _, seed in own.group_by("seed", maintain_order=True):
                axes.plot(seed["points"], seed["mean"], "o-", color=colour, alpha=0.35, lw=1, ms=3)
            mean = own.group_by("points", maintain_order=True).agg(pl.col("mean").mean())
            axes.plot(mean["points"], mean["mean"], color=colour, lw=2.5, label=settings)
        axes.axhline(
            float(rows["chance"].to_numpy().mean()), color=INK, ls=":", lw=1.2, label="chance"
        )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(min(1e-3, rows["mean"].to_numpy().min() / 2), 1.1 * np.pi / 2)
        ticks = sorted(set(rows["points"].to_list()))
        axes.set_xticks(ticks, _spaced(ticks))
        axes.minorticks_off()
        axes.set_xlabel("points")
        axes.set_title(f"{title}: error (rad)", loc="left", fontsize=12)
        axes.legend(loc="lower left")
        return svg(figure, tag)


def scale_figure(
    rows: pl.DataFrame,
    kinds: Mapping[str, str],
    published: Mapping[str, float],
    title: str,
    tag: str,
) -> str:
    """One metric of one protocol against the parameters that see the images.

    ``rows`` are those of the codes as they come; ``kinds`` says of each encoder whether it is
    pretrained, random, trained or plain; ``published`` has scores of a paper by encoder.
    """
    has_size = (pl.col("parameters") > 0).fill_null(False)
    with drawing(tag) as (figure, axes):
        for colour, (kind, words) in zip(COLOURS, _KINDS.items(), strict=False):
            of_kind = pl.col("encoder").is_in([e for e, k in kinds.items() if k == kind])
            own = rows.filter(of_kind & has_size)
            if not own.height:
                continue
            values = own["value"].to_numpy()
            bars = np.abs(np.stack([own["low"], own["high"]]) - values)
            axes.errorbar(
                own["parameters"], values, bars, fmt="o", ms=6, lw=1, color=colour, label=words,
                mfc="none" if kind == "random" else colour,
            )  # fmt: skip
        is_plain = pl.col("encoder").is_in([e for e, k in kinds.items() if k == "plain"])
        lines = rows.filter(is_plain | ~has_size)  # an axis of parameters has no place for these
        for colour, row in zip(COLOURS[3:], lines.iter_rows(named=True), strict=False):
            axes.axhline(row["value"], color=colour, lw=1, label=row["encoder"])
        wide = rows.filter(pl.col("encoder").is_in([e for e, k in kinds.items() if k in _WIDE]))
        if wide.height:
            if not wide["smooth_mean"].null_count():
                mean, sd = (float(wide[f"smooth_{of}"].to_numpy().mean()) for of in ("mean", "sd"))
                axes.axhspan(
                    max(0, mean - 2 * sd), mean + 2 * sd, color=_LINE, alpha=0.5, lw=0,
                    label="random smooth features, two sd",
                )  # fmt: skip
            chance = float(wide["chance_mean"].to_numpy().mean())
            axes.axhline(chance, color=INK, ls=":", lw=1.2, label="chance (permuted)")
        marked = [(own["parameters"][0], published[e]) for (e,), own in rows.group_by("encoder")
                  if e in published]  # fmt: skip
        if marked:
            axes.plot(*zip(*marked, strict=True), "x", color=INK, ms=7, mew=1.6, label="the paper")
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("parameters that see the images")
        axes.set_title(title, loc="left", fontsize=12)
        low, high = axes.get_ylim()
        axes.set_ylim(low, 1.9 * high)  # room for the legend
        axes.legend(loc="upper left", fontsize=8)
        return svg(figure, tag)


def matrix_figure(matrix: np.ndarray, factor_names: list[str], title: str, tag: str) -> str:
    """Mutual information of each latent with each factor, in nats."""
    with drawing(tag) as (figure, axes):
        axes.grid(False)
        image = axes.imshow(matrix, cmap="viridis", vmin=0, aspect="auto", interpolation="nearest")
        is_crowded = sum(map(len, factor_names)) > _MOST_LETTERS
        turned: dict[str, Any] = {"rotation": 60, "ha": "right"} if is_crowded else {}
        names = [name.replace("$", r"\$") for name in factor_names]
        axes.set_xticks(range(matrix.shape[1]), names, fontsize=9, **turned)
        axes.set_yticks(range(matrix.shape[0]), [f"z{j}" for j in range(matrix.shape[0])])
        axes.set_title(title, loc="left", fontsize=12)
        bar = figure.colorbar(image, ax=axes)
        bar.set_label("nats")
        bar.outline.set_visible(False)
        return svg(figure, tag)


def image_grid(images: np.ndarray, *, gap: int = 2) -> str:
    """A PNG data address of images (rows, columns, height, width, channels) uint8, side by side."""
    return png_address(tiled(images, gap=gap))


def tiled(images: np.ndarray, *, gap: int = 2) -> np.ndarray:
    """One picture (height, width, channels) of images (rows, columns, height, width, channels)."""
    rows, columns, height, width, channels = images.shape
    canvas = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 128, dtype=np.uint8
    )
    for r in range(rows):
        for c in range(columns):
            y, x = r * (height + gap), c * (width + gap)
            canvas[y : y + height, x : x + width] = images[r, c]
    return canvas


def png_address(picture: np.ndarray) -> str:
    """A data address of a picture (height, width, channels) uint8."""
    buffer = io.BytesIO()
    as_image(picture).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def as_image(picture: np.ndarray) -> Image.Image:
    """For Pillow, a picture (height, width, channels) uint8."""
    return Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)


@contextmanager
def drawing(
    tag: str, *, size: tuple[float, float] = _SIZE, rows: int = 1, columns: int = 1
) -> Iterator[tuple[Figure, Any]]:
    """A figure in the page's style, and its axes: one, or (rows, columns) of them.

    ``tag`` distinguishes its names from those of other figures in the page.
    """
    # Without pyplot there is no global state: a figure is gone when its name is.
    with mpl.rc_context({**_STYLE, "svg.hashsalt": tag}):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        for one in axes.flat:
            one.grid(True, alpha=0.35, lw=0.6)
        yield figure, axes if axes.size > 1 else axes[0, 0]


def svg(figure: Figure, tag: str) -> str:
    """The figure as text for the page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for placeholder, colour in ((INK, "var(--ink)"), (_LINE, "var(--line)")):
        text = text.replace(placeholder, colour)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # One page holds many figures: their names must differ, and the page sets the size.
    text = with_own_names(text, tag)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    return text.replace("<svg", '<svg class="figure" role="img"', 1)


def with_own_names(text: str, tag: str) -> str:
    """HTML or SVG whose names begin with those of ``tag``, and so differ from those of others."""
    prefix = re.sub(r"\W", "", tag) + "-"
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    return re.sub(r'(href="|url\()#', rf"\1#{prefix}", text)


def _spaced(ticks: list[int]) -> list[str]:
    """Labels of logarithmic ticks, none where it would touch the one before."""
    labels: list[str] = []
    last = 0
    for tick in ticks:
        labels.append(_short(tick) if tick >= 1.6 * last else "")
        last = tick if labels[-1] else last
    return labels


def _short(steps: int) -> str:
    return f"{steps / 1000:g}k" if steps >= 1000 else str(steps)
