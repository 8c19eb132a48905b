"""`unweave encode` and `unweave encoders`."""

from __future__ import annotations

import json as _json
import re
import time
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App

from unweave.cli.console import (
    counted,
    patience,
    print_json,
    print_line,
    print_texts,
    progress_bar,
    say,
)
from unweave.cli.options import Count, Flag, Json, Numbers, NumpySeed, Rows, within

__all__ = ["encode", "encoders"]

_NOT_IN_NAMES = r'[<>:"/\\|?*\s]'  # characters that a file's name may not have somewhere

encoders = App(name="encoders", help="List encoders, or show one.")


def encode(
    encoder: str,
    /,
    *,
    dataset: str | None = None,
    protocol: Literal["sound", "paper"] = "sound",
    rows: Rows | None = None,
    seed: NumpySeed = 0,
    layer: str | None = None,
    pool: Literal["mean", "max", "class", "flatten"] = "mean",
    weights: Path | None = None,
    download: Flag = False,
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    image_size: Annotated[int, within(1, 16_384)] | None = None,
    mean: Numbers | None = None,
    std: Numbers | None = None,
    batch_size: Count = 64,
    out: Path | None = None,
) -> None:
    """Write the codes of a dataset by ENCODER, for `unweave score`. Images are encoded once.

    Parameters
    ----------
    encoder
        As clip:RN50, timm:resnet50.a1_in1k, run:FOLDER, pretrained:NAME or pixels (`unweave
        encoders list`); put random: before clip:, timm:, hf: or lite: for random weights.
    dataset
        Dataset to encode: a name (`unweave data list`), a file, a folder of images,
        hf:OWNER/NAME or package.module:object; by default the one that the model of run: or
        pretrained: was trained on, else dsprites.
    protocol
        Choice of rows. sound: drawn over the whole dataset. paper: the first 1,000 images, almost
        black.
    rows
        Number of rows; by default 10,000, or the paper's 1,000; all if there are fewer.
    seed
        Seed for drawing rows and random weights.
    layer
        Layer whose output is the codes, instead of the network's own output.
    pool
        Way to make one vector of a layer's places.
    weights
        File of weights, instead of the published weights from this machine's caches.
    download
        Download weights that are not on this machine; without it, nothing is downloaded.
    precision
        Number format; auto is float32 but on a GPU, where a narrower one is taken if it is faster
        and the codes are the same to 1 %.
    image_size
        Height and width of the network's input, instead of its own; to resize the images of the
        dataset, put ?size=64 after its name.
    mean
        Mean of each channel, for images in [0, 1], instead of the network's own.
    std
        Standard deviation of each channel, instead of the network's own.
    batch_size
        Number of images in a batch.
    out
        The .npz to write; by default named after the encoder.
    """
    from unweave._memory import keep_freed_memory
    from unweave.datasets import FactorDataset, load
    from unweave.datasets.selection import check_n_rows
    from unweave.encoders import chosen_protocol, encode_rows, load_encoder, save_codes
    from unweave.encoders.network import NetworkEncoder
    from unweave.encoders.run import trained_on

    keep_freed_memory()
    images = load(dataset or trained_on(encoder) or "dsprites")
    if rows is not None:
        check_n_rows(images, rows)
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
        raise ValueError(
            f"{encoder} takes images as they are: it has no preprocessing to set; resize the "
            "images of the dataset with ?size=64 after its name"
        )
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
    values = found.indices(codes)
    save_codes(file, codes, images, indices, indices=values, groups=found.groups)
    shape = f"{counted(codes.shape[0], 'row')}, {counted(codes.shape[1], 'latent')}"
    print_line(f"{file}: {shape}")
    if protocol == "sound" and len(indices) < chosen.n_rows:
        all_of_them = ", all there are" if rows is None else ""
        say(
            f"note: the sound protocol has {chosen.n_rows:,} rows, and these are "
            f"{len(indices):,}{all_of_them}: scores of few rows are biased upwards",
            style="yellow",
        )
    if not isinstance(images, FactorDataset):
        print_line(f"{images.name} has no factors: `unweave score` computes what needs none")
    elif chosen.first:
        print_line(f"score it with: unweave score {file} --drop-constant")


@encoders.command(name="list")
def encoders_list(*, json: Json = False) -> None:  # noqa: A002
    """The families of encoders.

    Parameters
    ----------
    json
        Print JSON instead of a table.
    """
    from unweave.encoders import FAMILIES

    rows = [(family.example, family.text) for family in FAMILIES.values()]
    if json:
        print_json({"encoders": [{"example": name, "text": text} for name, text in rows]})
        return
    print_texts(None, ("encoder", "what it is"), rows)
    print_line("random: before clip:, timm:, hf: or lite: draws the weights, as a control")


@encoders.command(name="show")
def encoders_show(
    encoder: str,
    /,
    *,
    dataset: str | None = None,
    weights: Path | None = None,
    json: Json = False,  # noqa: A002
) -> None:
    """The card of an encoder: parameters, weights, licence, preprocessing, and its layers.

    Parameters
    ----------
    encoder
        As clip:RN50.
    dataset
        Dataset for encoders that are fitted to images; by default as for `unweave encode`.
    weights
        File of weights, instead of the published weights from this machine's caches.
    json
        Print JSON instead of text.
    """
    from unweave.datasets import load
    from unweave.encoders import load_encoder
    from unweave.encoders.run import trained_on

    images = load(dataset or trained_on(encoder) or "dsprites")
    with patience("loading"):
        found = load_encoder(encoder, dataset=images, weights=weights)
    if json:
        print_json({**found.card.to_dict(), "layers": found.layers})
        return
    rows = []
    for key, value in found.card.to_dict().items():
        text = _json.dumps(value) if isinstance(value, dict) else value
        rows.append((key.replace("_", " "), f"{text:,}" if isinstance(text, int) else str(text)))
    print_texts(None, ("", found.card.name), rows)
    for layer in found.layers:
        print_line(f"layer {layer}")
