"""`unweave encode` and `unweave encoders`."""

from __future__ import annotations

import json as _json
import re
import time
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from rich.table import Table

from unweave.cli.console import err, patience, print_json, progress_bar
from unweave.cli.console import out as console

__all__ = ["encode", "encoders"]

_NOT_IN_NAMES = r'[<>:"/\\|?*\s]'  # characters that a file's name may not have somewhere

encoders = App(name="encoders", help="Encoders by name.")


def encode(
    encoder: str,
    /,
    *,
    dataset: str = "dsprites",
    protocol: Literal["sound", "paper"] = "sound",
    rows: int | None = None,
    seed: int = 0,
    layer: str | None = None,
    pool: Literal["mean", "max", "class", "flatten"] = "mean",
    weights: Path | None = None,
    download: bool = False,
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    image_size: int | None = None,
    mean: Annotated[list[float] | None, Parameter(consume_multiple=True, negative="")] = None,
    std: Annotated[list[float] | None, Parameter(consume_multiple=True, negative="")] = None,
    batch_size: int = 64,
    out: Path | None = None,
) -> None:
    """Write the codes of a data set by ENCODER, for `unweave score`. Nothing is encoded twice.

    Parameters
    ----------
    encoder
        As clip:RN50, timm:resnet50.a1_in1k, run:FOLDER or pixels (`unweave encoders list`);
        random: goes before an architecture, for random weights.
    dataset
        Which data.
    protocol
        sound: rows drawn over the whole grid. paper: the first 1,000 images, almost black.
    rows
        How many; by default 10,000, or the paper's 1,000.
    seed
        Of the rows that are drawn, and of random weights.
    layer
        A layer by name, instead of the network's own output.
    pool
        How a layer's places become one vector.
    weights
        A file, instead of the published weights from this machine's caches.
    download
        Fetch weights that are not on this machine. Nothing else ever does.
    precision
        Number format; auto is float32 but on a GPU, where a narrower one is taken if it is faster
        and the codes are the same to 1 %.
    image_size
        Height and width that images are resized to, instead of the network's own.
    mean
        Of each channel, for images in [0, 1], instead of the network's own.
    std
        The same, of the standard deviation.
    batch_size
        Images that pass at once.
    out
        The .npz to write; by default named after the encoder.
    """
    from unweave._memory import keep_freed_memory
    from unweave.datasets import load
    from unweave.encoders import chosen_protocol, encode_rows, load_encoder, save_codes
    from unweave.encoders.network import NetworkEncoder

    keep_freed_memory()
    images = load(dataset)
    chosen = chosen_protocol(protocol)
    indices = chosen.rows(images, rows, seed=seed)
    with patience("loading"):
        found = load_encoder(
            encoder,
            dataset=images,
            layer=layer,
            pool=pool,
            weights=weights,
            download=download,
            seed=seed,
        )
    if isinstance(found, NetworkEncoder):
        found.configure(
            image_size=image_size, mean=mean, std=std, precision=precision, batch_size=batch_size
        )
    elif image_size or mean or std:
        raise ValueError(f"{encoder} takes images as they are: it has no preprocessing to set")
    begun = time.perf_counter()
    before: int | None = None  # images that an earlier call encoded, and the first batch

    with progress_bar() as report:

        def at_images(done: int, total: int) -> None:
            nonlocal begun, before
            if before is None:
                begun, before = time.perf_counter(), done
            speed = (done - before) / max(time.perf_counter() - begun, 1e-9)
            report(f"encoding, {speed:.0f} images/s", done, total)

        codes = encode_rows(
            found,
            images,
            indices,
            unscaled=chosen.unscaled,
            batch_size=batch_size,
            progress=at_images,
        )
    file = out or Path(f"{re.sub(_NOT_IN_NAMES, '-', encoder)}.npz")
    save_codes(file, codes, images, indices)
    shape = f"{codes.shape[0]:,} rows, {codes.shape[1]:,} latents"
    console.print(f"{file}: {shape}", markup=False, highlight=False, soft_wrap=True)
    if protocol == "sound" and len(indices) < chosen.n_rows:
        err.print(
            f"note: {len(indices):,} rows are few for the sound protocol, which has "
            f"{chosen.n_rows:,}: scores of fewer are biased upwards",
            style="yellow",
        )
    if chosen.first:
        console.print(
            f"score it with: unweave score {file} --drop-constant", markup=False, soft_wrap=True
        )


@encoders.command(name="list")
def encoders_list() -> None:
    """The families of encoders."""
    from unweave.encoders import FAMILIES

    table = Table("encoder", "what it is")
    for family in FAMILIES.values():
        table.add_row(family.example, family.text)
    console.print(table)
    console.print("random: before clip:, timm:, hf: or lite: draws the weights, as a control")


@encoders.command(name="show")
def encoders_show(
    encoder: str,
    /,
    *,
    dataset: str = "dsprites",
    weights: Path | None = None,
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,  # noqa: A002
) -> None:
    """The card of an encoder: parameters, weights, licence, preprocessing, and its layers.

    Parameters
    ----------
    encoder
        As clip:RN50.
    dataset
        Data for encoders that are fitted to images.
    weights
        A file, instead of the published weights from this machine's caches.
    json
        Print JSON instead of text.
    """
    from unweave.datasets import load
    from unweave.encoders import load_encoder

    with patience("loading"):
        found = load_encoder(encoder, dataset=load(dataset), weights=weights)
    if json:
        print_json({**found.card.to_dict(), "layers": found.layers})
        return
    table = Table("", found.card.name)
    for key, value in found.card.to_dict().items():
        text = _json.dumps(value) if isinstance(value, dict) else value
        table.add_row(key.replace("_", " "), f"{text:,}" if isinstance(text, int) else str(text))
    console.print(table, markup=False)
    for layer in found.layers:
        console.print(f"layer {layer}", markup=False, highlight=False)
