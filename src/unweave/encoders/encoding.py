"""Codes of a dataset's rows: batch by batch onto disk, never twice, resumed when interrupted."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.lib import format as npy

from unweave._check import check_indices, check_positive
from unweave._storage import cache_folder, writable_folder, written_whole
from unweave.datasets import FactorDataset, ImageDataset
from unweave.encoders.encoder import Encoder
from unweave.encoders.network import NetworkEncoder

__all__ = ["ConstantCodesError", "encode_rows", "save_codes"]

_FORMAT = 1
_CHUNK = 256  # rows
_BYTES = 4  # of a code
_WHITE = 255


class ConstantCodesError(ValueError):
    """All images have the same code."""


def encode_rows(
    encoder: Encoder,
    dataset: ImageDataset,
    rows: object,
    *,
    unscaled: bool = False,
    batch_size: int = 64,
    folder: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Codes (n, latents) float32 of the rows, as a memory map of a file in the cache.

    What has been encoded before, by the same weights and settings, is not encoded again; an
    interrupted encoding is resumed.

    Parameters
    ----------
    encoder, dataset, rows
        What encodes which rows (n,) of what.
    unscaled
        Show white as level 1 of 255, so that the images are almost black, as in the paper's
        notebook.
    batch_size
        Images that are drawn, encoded and written at once.
    folder
        Where codes are kept; by default in the user's cache.
    progress
        Called with (images encoded, total).

    Raises
    ------
    ConstantCodesError
        If all images have the same code.
    ValueError
        If a code is not finite.
    """
    rows = check_indices(rows, len(dataset))
    check_positive("the number of rows", len(rows))
    batch_size = check_positive("batch_size", batch_size)
    what = _description(encoder, dataset, rows, unscaled)
    key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]
    kept = cache_folder() / "encodings" if folder is None else Path(folder)
    home = writable_folder(kept / key)
    whole, part = home / "codes.npy", home / "codes.part.npy"
    with FileLock(home / ".lock"):
        if not whole.exists():
            _encode_into(part, encoder, dataset, rows, unscaled, batch_size, progress)
            _refuse_constant(part, encoder)
            (home / "description.json").write_text(json.dumps(what, indent=1), encoding="utf-8")
            os.replace(part, whole)
            (home / "done.json").unlink()
    if progress:
        progress(len(rows), len(rows))
    return np.load(whole, mmap_mode="r")


def save_codes(
    file: str | Path,
    codes: np.ndarray,
    dataset: ImageDataset,
    rows: np.ndarray,
    *,
    indices: np.ndarray | None = None,
    groups: tuple[int, ...] = (),
) -> None:
    """Write an .npz that `unweave score` and `unweave geomancer` read, whole or not at all.

    It holds ``codes`` and ``rows``; and ``factors``, ``factor_names`` and ``factor_kinds``, of the
    scored factors whose values are known of all rows, if there are such; ``indices``, the numbers
    of the values of quantised latents; and ``latent_groups``, the sizes of groups of latents.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    others = {**_factor_arrays(dataset, rows), "rows": rows}
    if indices is not None:
        others["indices"] = indices
    if groups:
        others["latent_groups"] = np.array(groups)
    with written_whole(file) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with archive.open("codes.npy", "w", force_zip64=True) as member:
            if _is_whole_file(codes):
                with open(codes.filename, "rb") as source:  # type: ignore[attr-defined]
                    shutil.copyfileobj(source, member)
            else:
                npy.write_array(member, np.ascontiguousarray(codes))
        for name, array in others.items():
            with archive.open(f"{name}.npy", "w") as member:
                npy.write_array(member, array)


def _factor_arrays(dataset: ImageDataset, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The factors that are known of all rows, by the names that an .npz has them under."""
    if not isinstance(dataset, FactorDataset):
        return {}
    factors = dataset.factors(rows)
    known = np.isfinite(factors).all(axis=0)
    if not known.any():
        return {}
    return {
        "factors": factors if known.all() else factors[:, known],
        "factor_names": np.array(dataset.factor_names)[known],
        "factor_kinds": np.array(dataset.factor_kinds)[known],
    }


def _is_whole_file(codes: np.ndarray) -> bool:
    """Whether it is all of a file, so that it need not be read into memory to be copied."""
    return (
        isinstance(codes, np.memmap)
        and codes.filename is not None
        and codes.offset + codes.nbytes == Path(codes.filename).stat().st_size
    )


def _description(
    encoder: Encoder, dataset: ImageDataset, rows: np.ndarray, unscaled: bool
) -> dict[str, Any]:
    """All that codes depend on."""
    precision = encoder.precision if isinstance(encoder, NetworkEncoder) else ""
    return {
        "format": _FORMAT,
        "encoder": encoder.card.identity,
        "precision": precision,
        "dataset": dataset.identity,
        "rows": hashlib.sha256(np.ascontiguousarray(rows).data).hexdigest(),
        "n_rows": len(rows),
        "unscaled": unscaled,
    }


def _encode_into(
    part: Path,
    encoder: Encoder,
    dataset: ImageDataset,
    rows: np.ndarray,
    unscaled: bool,
    batch_size: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Fill the file with codes, from the row on at which an earlier call was cut off."""
    done_file = part.with_name("done.json")
    done = json.loads(done_file.read_text(encoding="utf-8"))["rows"] if done_file.exists() else 0
    # Written and not mapped: pages of a map would count as this process's memory.
    with open(part, "r+b" if done else "wb") as file:
        if done:
            npy.read_magic(file)
            shape, _, _ = npy.read_array_header_1_0(file)
            file.seek(done * shape[1] * _BYTES, os.SEEK_CUR)
        for images in _batches(dataset, rows[done:], unscaled, batch_size):
            found = encoder.encode(images, unscaled=unscaled)
            _refuse_infinite(found, encoder, rows[done : done + len(found)])
            if not done:
                shape = (len(rows), found.shape[1])
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                npy.write_array_header_1_0(file, header)
            file.write(found.astype("<f4").tobytes())
            file.flush()
            done += len(found)
            _write_done(done_file, done)
            if progress:
                progress(done, len(rows))


def _batches(
    dataset: ImageDataset, rows: np.ndarray, unscaled: bool, batch_size: int
) -> Iterator[np.ndarray]:
    """Images, the next ones drawn while these are encoded."""

    def drawn(start: int) -> np.ndarray:
        images = dataset.images(rows[start : start + batch_size])
        return images // _WHITE if unscaled else images

    starts = range(0, len(rows), batch_size)
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(drawn, 0) if len(starts) else None
        for start in starts:
            assert coming is not None
            images = coming.result()
            if start + batch_size < len(rows):
                coming = ahead.submit(drawn, start + batch_size)
            yield images


def _write_done(file: Path, rows: int) -> None:
    temporary = file.with_name(".done.json")
    temporary.write_text(json.dumps({"rows": rows}), encoding="utf-8")
    os.replace(temporary, file)


def _refuse_infinite(codes: np.ndarray, encoder: Encoder, rows: np.ndarray) -> None:
    good = np.isfinite(codes).all(axis=1)
    if not good.all():
        row = int(rows[np.flatnonzero(~good)[0]])
        raise ValueError(
            f"{encoder.card.name} gives nan or infinite codes, first for row {row}: its weights or "
            "its preprocessing are wrong, or its numbers are too narrow; try --precision float32"
        )


def _refuse_constant(file: Path, encoder: Encoder) -> None:
    codes = np.load(file, mmap_mode="r")
    starts = range(0, len(codes), _CHUNK)
    if len(codes) > 1 and not any((codes[i : i + _CHUNK] != codes[:1]).any() for i in starts):
        raise ConstantCodesError(
            f"{encoder.card.name} gives the same code for all {len(codes)} images: it sees nothing "
            "in them; look at its preprocessing and its layer"
        )
