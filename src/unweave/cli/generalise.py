"""`unweave generalise`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from unweave.cli.console import (
    counted,
    patience,
    print_json,
    print_line,
    print_note,
    print_table,
    progress_bar,
)
from unweave.cli.options import Flag, Json, Names, NumpySeed, Rows, Wide, within

if TYPE_CHECKING:
    from unweave.generalisation import Gap, Generalisation, Transfer

__all__ = ["generalise"]

_CHANCE = ("chance: train", "chance: held out", "chance: gap")


def generalise(
    encoder: str,
    /,
    *,
    dataset: str | None = None,
    split: str | None = None,
    readouts: Names | None = None,
    rows: Rows = 5_000,
    n_bootstrap: Annotated[int, within(2, 100_000)] = 1_000,
    seed: NumpySeed = 0,
    layer: str | None = None,
    pool: Literal["mean", "max", "class", "flatten"] = "mean",
    weights: Path | None = None,
    download: Flag = False,
    out: Path | None = None,
    json: Json = False,  # noqa: A002
    wide: Wide = False,
) -> None:
    """Read factors from ENCODER on images like those that were learnt from, and on held-out ones.

    Read-outs learn on a part of a dataset. They are judged on other images of this part and on the
    part that is held out, and so are reconstructions. A model is trained on the first part by
    `unweave train beta_vae --dataset 'rooms?size=32&split=composition&part=train'`.

    Parameters
    ----------
    encoder
        As run:FOLDER, pretrained:NAME, clip:RN50, pixels or pca:10 (`unweave encoders list`); those
        that are fitted to images get the training part.
    dataset
        Dataset with a split, as rooms?split=composition; by default the one that the model of run:
        was trained on.
    split
        Split of the dataset, where its name has none: random, composition, interpolation,
        extrapolation, one of Montero et al. as montero_range, or a mask as package.module:object.
    readouts
        Read-outs: ridge, mlp, trees; by default ridge and mlp.
    rows
        Number of rows to learn from, and of either part to be judged on.
    n_bootstrap
        Number of bootstrap draws for the intervals.
    seed
        Seed for drawing rows, for read-outs and for bootstrap draws.
    layer
        Layer whose output is the codes, instead of the network's own output.
    pool
        Way to make one vector of a layer's places.
    weights
        File of weights, instead of the published weights from this machine's caches.
    download
        Download weights that are not on this machine.
    out
        JSON file to write, with what --json prints.
    json
        Print JSON instead of a table.
    wide
        Print all columns in one table, however wide it is.
    """
    from unweave._storage import write_json
    from unweave.datasets import load_split, with_options
    from unweave.encoders import load_encoder
    from unweave.encoders.run import trained_on
    from unweave.generalisation import generalise as measure

    seen = trained_on(encoder)
    name = with_options(dataset or seen or "dsprites", split=split)
    parts = load_split(name)
    with patience("loading"):
        found = load_encoder(
            encoder,
            dataset=parts.train,
            layer=layer,
            pool=pool,
            weights=weights,
            download=download,
            seed=seed,
        )
    with progress_bar() as report:
        result = measure(
            found,
            parts,
            readouts=readouts or ("ridge", "mlp"),
            rows=rows,
            n_bootstrap=n_bootstrap,
            seed=seed,
            progress=lambda done, total: report("encoding", done, total),
        )
    notes = _notes(seen, parts.train.source)
    content = {
        "encoder": encoder,
        "train": parts.train.source,
        "held_out": parts.held_out.source,
        "n_train_images": len(parts.train),
        "n_held_out_images": len(parts.held_out),
        **result.to_dict(),
        "notes": notes,
    }
    if out is not None:
        write_json(out, content)
    if json:
        print_json(content)
        return
    title = f"{encoder}: {counted(len(parts.train), 'image')} to learn from"
    _print(f"{title}, {len(parts.held_out):,} held out, seed {seed}", result, wide=wide)
    for note in notes:
        print_note(f"note: {note}")
    if out is not None:
        print_line(str(out))


def _notes(seen: str | None, train: str) -> list[str]:
    """What a reader should know of the images that a model was trained on."""
    from unweave.datasets import canonical

    if seen is None or canonical(seen) == train:
        return []
    return [
        f"the model was trained on {seen}, which is not the training part: it may have seen images "
        "that are held out here"
    ]


def _print(title: str, result: Generalisation, *, wide: bool) -> None:
    print_line(title, style="bold")
    columns = ["factor", "train", "held out", "gap", "interval", *_CHANCE]
    for transfer in result.transfers.values():
        print_table(f"R² by {transfer.readout}", columns, _rows(transfer), wide=wide)
        accurate = [
            [one.factor, *_cells(one.accuracy, 4)]
            for one in transfer.factors
            if one.accuracy is not None
        ]
        if accurate:
            print_table(f"accuracy by {transfer.readout}", columns, accurate, wide=wide)
    if result.reconstruction is not None:
        row = ["pixels", *_cells(result.reconstruction, 5)]
        print_table("squared error of reconstructions", ["", *columns[1:]], [row], wide=wide)
    print_note(
        f"Learnt from {result.n_learnt:,} rows; judged on {result.n_train:,} others of the "
        f"training part and {result.n_held_out:,} held out. R² is relative to the variance in all "
        "images. gap: how much worse the held-out part is, 0 for a perfect code. interval: 95 %, "
        "over these rows. chance: the mean of the rows learnt from, for every image.",
        style="dim",
    )


def _rows(transfer: Transfer) -> list[list[str]]:
    rows = [[one.factor, *_cells(one.r2, 4)] for one in transfer.factors]
    return [*rows, ["mean", *_cells(transfer.mean, 4)]]


def _cells(gap: Gap, digits: int) -> list[str]:
    def text(value: Any) -> str:
        return f"{value:.{digits}f}"

    low, high = gap.interval
    return [
        text(gap.train),
        text(gap.held_out),
        text(gap.gap),
        f"[{text(low)}, {text(high)}]",
        text(gap.chance_train),
        text(gap.chance_held_out),
        text(gap.chance),
    ]
