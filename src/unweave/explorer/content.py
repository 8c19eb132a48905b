"""All that a page shows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unweave._check import check_codes, check_positive
from unweave.datasets import FactorDataset, GridDataset, ImageDataset
from unweave.datasets.pixels import to_uint8
from unweave.explorer.factors import (
    MOST_FACTORS,
    factors_of_arrays,
    factors_of_dataset,
    not_shown,
)
from unweave.explorer.measures import ROWS_SCORED, measures
from unweave.explorer.pictures import LEAST_ROOM, fitting, spread_levels, thumbnails

if TYPE_CHECKING:
    from unweave.explorer.represented import Represented

__all__ = ["Content", "Progress", "content_of_codes", "content_of_models"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""
ROWS_OF_IMAGES = 5_000
ROWS_OF_CODES = 10_000
_SHOWN_LATENTS = 100
_NUMBERS = 600_000  # codes of all models
_PROBED = 64  # images
_GEOMANCER_ROWS = 2_000
_MOST_GRID = 4_096
_PAGE = 8_800_000  # bytes, compressed, of a page of 12 MB: its text is base64


@dataclass
class Content:
    """A page's content, and where images come from that the page does not hold."""

    page: dict[str, Any]
    """Among others ``notes``, and ``saved_notes``: what is true of a saved page only, which no
    server gives images to."""
    image: Callable[[int], np.ndarray] | None = None
    """The image (height, width, channels) uint8 of a row; None if there are none."""
    n_images: int = 0


def content_of_models(
    models: Sequence[Represented],
    dataset: ImageDataset,
    rows: np.ndarray,
    *,
    seed: int,
    geomancer: bool = False,
    progress: Progress | None = None,
) -> Content:
    """Models of images, on the rows of a dataset."""
    from unweave.studies.data import data_sentence, describe_data

    report = progress or (lambda *_: None)
    is_live = any(model.encoder or model.decoder for model in models)
    shown = (lambda images: images) if is_live else thumbnails
    probe = shown(dataset.images(rows[:_PROBED]))
    room = _room(models, len(rows), has_grid=isinstance(dataset, GridDataset))
    n_pictures = fitting(probe, len(rows), room)
    report("drawing", 0, n_pictures)
    named: list[dict[str, Any]] = []
    notes = list(dataset.notes)
    values = names = kinds = None
    if isinstance(dataset, FactorDataset) and len(rows):
        values = dataset.factors(rows)[:, :MOST_FACTORS]
        names, kinds = dataset.factor_names[:MOST_FACTORS], dataset.factor_kinds[:MOST_FACTORS]
        if np.isfinite(values).all():
            named = factors_of_dataset(dataset, rows)
            notes += not_shown(len(dataset.factor_names))
    if len(rows) < len(dataset):
        notes.append(
            f"{len(rows):,} of {len(dataset):,} images are shown, drawn at random (seed {seed})"
        )
    images = _drawn(dataset, rows[:n_pictures], shown, report)
    page = {
        "data": {
            "sentence": data_sentence(describe_data(dataset)),
            "name": dataset.name,
            "n_images": len(dataset),
            "rows": rows.astype(np.int32),
            "images": images,
            "grid": _grid(dataset, probe, shown, report),
        },
        "factors": named,
        "models": [
            _model(
                m, values if named else None, names, kinds, seed, geomancer, progress, len(models)
            )
            for m in models
        ],
        "notes": notes,
        "saved_notes": _held(n_pictures, len(rows)),
    }
    return Content(page, lambda row: shown(dataset.images([row]))[0], len(dataset))


def content_of_codes(
    codes: object,
    factors: object = None,
    images: object = None,
    *,
    name: str = "codes",
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    against: tuple[str, object] | None = None,
    rows: int | None = None,
    seed: int = 0,
    geomancer: bool = False,
    progress: Progress | None = None,
) -> Content:
    """Codes of a stranger, with factors and images of the same rows where there are some.

    Raises
    ------
    ValueError
        If the arrays cannot be used, or are not of the same rows.
    """
    tables = {name: check_codes(codes)}
    if against is not None:
        other = against[0] if against[0] != name else f"{name} (2)"
        tables[other] = check_codes(against[1])
    n = len(tables[name])
    pictures = None if images is None else _images(images)
    lengths = {what: len(table) for what, table in tables.items()}
    lengths |= {} if pictures is None else {"images": len(pictures)}
    for what, length in lengths.items():
        if length != n:
            raise ValueError(
                f"{what} has {length:,} rows and {name} has {n:,}: give the same rows of both"
            )
    if n < 2:
        raise ValueError(f"{name} has 1 row: at least 2 are needed")
    n_shown = min(n, check_positive("rows", ROWS_OF_CODES if rows is None else rows, minimum=2))
    drawn = np.random.default_rng(seed).permutation(n)[:n_shown] if n_shown < n else np.arange(n)
    named: list[dict[str, Any]] = []
    notes: list[str] = []
    values = None
    if factors is not None:
        named, notes = factors_of_arrays(
            factors, factor_names, factor_kinds, scored=drawn[:ROWS_SCORED]
        )
        if len(named[0]["column"]) != n:
            raise ValueError(
                f"factors have {len(named[0]['column']):,} rows and codes have {n:,}: give the "
                "factors of the same rows"
            )
    if n_shown < n:
        notes.append(f"{n_shown:,} of {n:,} rows are shown, drawn at random (seed {seed})")
    named = [{**factor, "column": factor["column"][drawn]} for factor in named]
    if named:
        values = np.stack([factor["column"].astype(np.float64) for factor in named], axis=1)
    data = {
        "sentence": f"{n:,} rows" + ("" if named else ", without factors"),
        "name": name,
        "n_images": 0 if pictures is None else n,
        "rows": drawn.astype(np.int32),
        "images": None,
        "grid": None,
    }
    saved_notes: list[str] = []
    if pictures is not None:
        n_latents = sum(table.shape[1] for table in tables.values())
        room = max(LEAST_ROOM, _PAGE - _bytes_of_codes(n_latents, n_shown))
        n_pictures = fitting(thumbnails(pictures[drawn[:_PROBED]]), n_shown, room)
        data["images"] = thumbnails(pictures[drawn[:n_pictures]])
        saved_notes = _held(n_pictures, n_shown)
    names, kinds = [f["name"] for f in named], [f["kind"] for f in named]
    models = [
        _model(
            _Codes(what, table[drawn], f"{table.shape[1]:,} latents"),
            values, names, kinds, seed, geomancer, progress, len(tables),
        )
        for what, table in tables.items()
    ]  # fmt: skip
    page = {
        "data": data,
        "factors": named,
        "models": models,
        "notes": notes,
        "saved_notes": saved_notes,
    }
    if pictures is None:
        return Content(page)
    return Content(page, lambda row: thumbnails(pictures[row][None])[0], n)


def _room(models: Sequence[Represented], n_rows: int, *, has_grid: bool) -> float:
    """Bytes, compressed, for the images of rows beside the networks, the codes and a grid."""
    used = sum(_bytes_of(model.encoder) + _bytes_of(model.decoder) for model in models)
    used += _bytes_of_codes(sum(model.codes.shape[1] for model in models), n_rows)
    return max(LEAST_ROOM, _PAGE - used - has_grid * LEAST_ROOM)


def _bytes_of_codes(n_latents: int, n_rows: int) -> int:
    return 4 * min(_NUMBERS, n_latents * n_rows)


def _bytes_of(part: Any) -> int:
    """Bytes of the arrays of a network."""
    if isinstance(part, dict):
        return sum(map(_bytes_of, part.values()))
    if isinstance(part, list | tuple):
        return sum(map(_bytes_of, part))
    return part.nbytes if isinstance(part, np.ndarray) else 0


def _held(n_pictures: int, n_rows: int) -> list[str]:
    """A note on the images that a saved page lacks, if it lacks some."""
    if n_pictures == n_rows:
        return []
    return [
        f"a saved page holds the images of {n_pictures:,} of the {n_rows:,} rows, as many as fit "
        "into about 12 MB and the memory of a phone; `unweave explore` without --save shows all"
    ]


@dataclass(frozen=True)
class _Codes:
    """Codes without a model, by the names of :class:`Represented`, which needs torch."""

    name: str
    codes: np.ndarray
    sentence: str
    rates = values = encoder = decoder = image_shape = None
    rate = ""
    n_inputs = 0
    has_prior = False
    notes = ("there is no decoder: you can look at the codes, but not change them",)

    @property
    def reach(self) -> np.ndarray:
        return np.stack([self.codes.min(axis=0), self.codes.max(axis=0)], axis=1)


def _model(
    model: Represented | _Codes,
    factors: np.ndarray | None,
    names: Sequence[str] | None,
    kinds: Sequence[str | None] | None,
    seed: int,
    geomancer: bool,
    progress: Progress | None,
    n_models: int,
) -> dict[str, Any]:
    """A model's part of the page."""
    report = progress or (lambda *_: None)
    codes, notes = model.codes, list(model.notes)
    found: dict[str, Any] = {"matrices": {}, "n": 0, "notes": []}
    if factors is not None:
        found = measures(
            codes, factors, names, kinds, seed=seed, progress=lambda what: report(what, 0, 0)
        )
        notes += found["notes"]
    order, by = _order(model, found["matrices"])
    kept = order[: min(_SHOWN_LATENTS, max(2, _NUMBERS // (len(codes) * n_models)))]
    if len(order) > len(kept):
        notes.append(f"{len(kept)} of {len(order):,} latents are shown, those with the most {by}")
    matrices = {
        key: {**one, "values": one["values"][kept]} for key, one in found["matrices"].items()
    }
    planes, said = _planes(codes, kept, geomancer, seed, report)
    return {
        "name": model.name,
        "sentence": model.sentence,
        "n_latents": codes.shape[1],
        "latents": kept.astype(np.int32),
        "order_by": by,
        "codes": codes[:, kept].astype(np.float32),
        "rates": None if model.rates is None else model.rates[kept].astype(np.float32),
        "rate": model.rate,
        "reach": model.reach[kept].astype(np.float32),
        "values": None if model.values is None else model.values[kept].astype(np.float32),
        "n_inputs": model.n_inputs,
        "has_prior": model.has_prior,
        "mean": codes.mean(axis=0).astype(np.float32),
        "image_shape": model.image_shape,
        "encoder": model.encoder,
        "decoder": model.decoder,
        "matrices": matrices,
        "n_scored": found["n"],
        "planes": planes,
        "notes": list(dict.fromkeys([*notes, *said])),
    }


def _order(model: Any, matrices: dict[str, Any]) -> tuple[np.ndarray, str]:
    """Latents, the most informative first, and by what."""
    if model.rates is not None:
        return np.argsort(-model.rates, kind="stable"), f"information ({model.rate}, in nats)"
    if "information" in matrices:
        most = matrices["information"]["values"].sum(axis=1)
        return np.argsort(-most, kind="stable"), "information on the factors"
    return np.argsort(-model.codes.std(axis=0), kind="stable"), "spread"


def _planes(
    codes: np.ndarray, kept: np.ndarray, geomancer: bool, seed: int, report: Progress
) -> tuple[list[dict[str, Any]], list[str]]:
    """Coordinates (rows, 2) for the map besides latents: principal components, and GEOMANCER's."""
    planes, notes = [], []
    centred = codes.astype(np.float64) - codes.mean(axis=0)
    if codes.shape[1] > 1 and centred.any():
        from sklearn.decomposition import PCA

        pca = PCA(2, random_state=seed).fit(centred)
        share = pca.explained_variance_ratio_
        planes.append(
            {
                "name": "Principal components",
                "axes": [f"component {i + 1} ({100 * s:.0f} %)" for i, s in enumerate(share)],
                "points": pca.transform(centred).astype(np.float32),
            }
        )
    if geomancer:
        report("GEOMANCER", 0, 0)
        found, said = _geomancer_planes(centred, seed)
        planes += found
        notes += said
    return planes, notes


def _geomancer_planes(centred: np.ndarray, seed: int) -> tuple[list[dict[str, Any]], list[str]]:
    """For each subspace the plane that lies nearest to its bases, averaged over the points."""
    from unweave.geometry import Geomancer

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = Geomancer(random_state=seed).fit(centred[:_GEOMANCER_ROWS])
        except ValueError as error:
            return [], [f"GEOMANCER found nothing: {error}"]
    planes = []
    for k, bases in enumerate(model.subspaces_):
        projector = np.einsum("nfd,ngd->fg", bases, bases) / len(bases)
        axes = np.linalg.eigh(projector)[1][:, :-3:-1]
        size = int(model.dims_[k])
        planes.append(
            {
                "name": f"GEOMANCER, subspace {k + 1} of {size} dimension{'s' if size > 1 else ''}",
                "axes": ["first direction", "second direction"],
                "points": (centred @ axes).astype(np.float32),
            }
        )
    note = (
        f"GEOMANCER: confidence {model.confidence_:.2f}; a map shows the plane that lies nearest "
        "to the subspaces of all points, which bend with the codes"
    )
    return planes, [note, *(str(one.message) for one in caught)]


def _drawn(
    dataset: ImageDataset, rows: np.ndarray, shown: Callable, report: Progress
) -> np.ndarray:
    pieces = []
    for start in range(0, len(rows), 256):
        pieces.append(shown(dataset.images(rows[start : start + 256])))
        report("drawing", min(start + 256, len(rows)), len(rows))
    return np.concatenate(pieces)


def _grid(
    dataset: ImageDataset, probe: np.ndarray, shown: Callable, report: Progress
) -> dict[str, Any] | None:
    """Images of a grid of levels that the page holds, so that factors can be set one by one."""
    if not isinstance(dataset, GridDataset):
        return None
    space = dataset.space
    levels = spread_levels(space.sizes, fitting(probe, _MOST_GRID))
    combinations = np.stack(np.meshgrid(*levels, indexing="ij"), axis=-1)
    rows = space.indices(combinations.reshape(-1, space.n_factors))
    factors = [
        {
            "name": f.name,
            "levels": list(f.labels) or [f"{value:.4g}" for value in f.values],
            "held": held,
        }
        for f, held in zip(space.factors, levels, strict=True)
    ]
    return {"factors": factors, "images": _drawn(dataset, rows, shown, report)}


def _images(given: object) -> np.ndarray:
    """Images (rows, height, width, channels) uint8 of what a stranger gives.

    Raises
    ------
    ValueError
        If they are not images.
    """
    array = np.asarray(given)
    shape = array.shape
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or 0 in array.shape:
        raise ValueError(
            f"images have shape {shape}: (rows, height, width), or (rows, height, width, "
            "channels) with 1 or 3 channels, is needed"
        )
    return to_uint8(array)
