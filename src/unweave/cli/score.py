"""`unweave score`."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter
from rich.table import Table

import unweave
from unweave._check import constant_columns
from unweave.cli.console import out, patience, print_json
from unweave.metrics import Scores, evaluate

__all__ = ["score"]

_NPZ_KEYS = ("codes", "factors", "factor_names", "factor_kinds")


def score(
    file: Path,
    *,
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,  # noqa: A002
    drop_constant: Annotated[bool, Parameter(negative="")] = False,
    rows: int | None = None,
    seed: int = 0,
) -> None:
    """Every metric of the codes in FILE, each with its chance level and interval.

    Parameters
    ----------
    file
        An .npz with arrays `codes` (n, d) and `factors` (n, k), and optionally `factor_names` and
        `factor_kinds` (k words each; kinds are categorical, ordinal, circular or continuous).
    json
        Print JSON instead of a table.
    drop_constant
        Leave out factors that never vary, instead of refusing them.
    rows
        Score only this many rows, drawn without repeats.
    seed
        Of all draws.
    """
    arrays = _read_npz(file)
    codes, factors = arrays["codes"], arrays["factors"]
    names = [str(n) for n in arrays.get("factor_names", range(np.shape(factors)[-1]))]
    kinds = [str(k) for k in arrays["factor_kinds"]] if "factor_kinds" in arrays else None
    dropped: list[str] = []
    if drop_constant and np.ndim(factors) == 2 and len(factors):
        constant = constant_columns(factors)
        dropped = [names[k] for k in constant]
        kept = [k for k in range(factors.shape[1]) if k not in constant]
        factors, names = factors[:, kept], [names[k] for k in kept]
        kinds = [kinds[k] for k in kept] if kinds else None
        if not kept:
            raise ValueError(f"no factor in {file} varies: there is nothing to score")
    if rows is not None and rows < len(codes) == len(factors):
        chosen = np.random.default_rng(seed).permutation(len(codes))[:rows]
        codes, factors = codes[chosen], factors[chosen]
    with patience("scoring"):
        scores = evaluate(codes, factors, factor_names=names, factor_kinds=kinds, seed=seed)
    mig = scores["mig"]
    if json:
        print_json(
            {
                "unweave": unweave.__version__,
                "file": str(file),
                "n": mig.n_samples,
                "n_latents": int(codes.shape[1]),
                "dead_latents": list(mig.dead_latents),
                "dropped_factors": dropped,
                "metrics": scores.to_dict(),
            }
        )
        return
    title = f"{file.name}: {mig.n_samples:,} rows, {codes.shape[1]} latents, seed {seed}"
    _print_tables(scores, title)
    notes = [note for found in scores.values() for note in found.notes]
    notes += [f"factors left out because they never vary: {', '.join(dropped)}"] if dropped else []
    for note in dict.fromkeys(notes):
        out.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)


def _print_tables(scores: Scores, title: str) -> None:
    table = Table(title=title)
    for column in ("metric", "value", "95 % interval", "adjusted", "chance", "random mixture", "p"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for name, found in scores.items():
        table.add_row(
            name,
            f"{float(found):.4f}",
            f"[{found.interval[0]:.4f}, {found.interval[1]:.4f}]",
            f"{found.adjusted:.4f}",
            f"{found.chance.mean:.4f} ± {found.chance.sd:.4f}",
            f"{found.projection.mean:.3f} ± {found.projection.sd:.3f}",
            f"{found.p_value:.2g}",
        )
    out.print(table)
    per_factor = Table(title="gap of each factor")
    per_factor.add_column("metric")
    for name in scores["mig"].per_factor:
        per_factor.add_column(name, justify="right")
    for name, found in scores.items():
        per_factor.add_row(name, *[f"{v:.4f}" for v in found.per_factor.values()])
    out.print(per_factor)


def _read_npz(file: Path) -> dict[str, np.ndarray]:
    if not file.is_file():
        raise FileNotFoundError(f"no file at {file}")
    if file.stat().st_size == 0:
        raise ValueError(f"{file} is empty: an .npz with arrays codes and factors was needed")
    try:
        with open(file, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array")
            missing = [key for key in _NPZ_KEYS[:2] if key not in archive.files]
            if missing:
                raise ValueError(
                    f"it has no array {' and no array '.join(map(repr, missing))}; it has "
                    f"{', '.join(archive.files) or 'none'}"
                )
            return {key: _array(archive, key) for key in _NPZ_KEYS if key in archive.files}
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        if "pickle" in str(error).lower() and "array" not in str(error):
            error = ValueError("it is no .npz file")
        raise ValueError(f"{file} cannot be scored: {error}") from error


def _array(archive: Any, key: str) -> np.ndarray:
    try:
        return archive[key]
    except ValueError as error:
        raise ValueError(
            f"the array {key!r} is pickled, and pickles are never loaded because they can run "
            "code; save plain numbers or strings"
        ) from error
