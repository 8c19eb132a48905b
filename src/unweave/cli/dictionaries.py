"""`unweave score --dictionary`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import unweave
from unweave.cli.console import counted, out, print_json, print_note, print_table
from unweave.cli.files import open_source

if TYPE_CHECKING:
    from unweave.metrics import Scores
    from unweave.metrics.dictionary import Dictionary

__all__ = ["score_dictionaries"]

_TABLES = ("points", "codes", "activations")


def score_dictionaries(
    paths: Sequence[Path],
    features_file: Path | None,
    file: Path | None,
    *,
    signed: bool,
    rows: int | None,
    seed: int,
    json: bool,
    wide: bool,
) -> None:
    """Score dictionaries by known features and the rows of FILE, and several by each other.

    Raises
    ------
    OSError, ValueError, ImportError
        If a file cannot be read, or does not hold what is needed.
    """
    from unweave.integrations.dictionaries import read_dictionary
    from unweave.metrics import Scores
    from unweave.metrics.dictionary import dictionary_stability, score_dictionary

    dictionaries = {str(path): read_dictionary(path) for path in paths}
    known = _known(features_file, file, dictionaries)
    if rows is not None:
        known |= _drawn({name: known[name] for name in _TABLES if name in known}, rows, seed)
    if len(dictionaries) < len(paths):
        raise ValueError("a dictionary is named twice: name different ones, as of other seeds")
    if len(dictionaries) > 1 and "codes" in known:
        raise ValueError(
            f"the codes in {file} belong to one dictionary, and {len(paths)} are given: give "
            "points, or one dictionary"
        )
    scores = {
        name: score_dictionary(dictionary, **known, signed=signed, seed=seed)
        for name, dictionary in dictionaries.items()
        if known or len(dictionaries) == 1
    }
    stability = None
    if len(dictionaries) > 1:
        found = dictionary_stability(
            list(dictionaries.values()), names=list(dictionaries), signed=signed, seed=seed
        )
        stability = Scores({"dictionary_stability": found})
    if json:
        print_json(
            {
                "unweave": unweave.__version__,
                "dictionaries": {name: one.to_dict() for name, one in scores.items()},
                "skipped": {name: one.skipped for name, one in scores.items()},
                "stability": None if stability is None else stability.to_dict(),
            }
        )
        return
    for name, one in scores.items():
        _print_table(f"{_size(name, dictionaries[name], known)}, seed {seed}", one, wide=wide)
    if stability is not None:
        title = f"{len(dictionaries)} dictionaries beside each other, seed {seed}"
        _print_table(title, stability, wide=wide)
    print_note(
        "interval: 95 %, over latents or features, else rows. adjusted: 0 is chance, 1 the best. "
        "chance: the dictionary rotated at random, with its encoder; codes from FILE beside other "
        "rows. mixture: random directions with its second moments. perfect: the features "
        "themselves.",
        style="dim",
    )


def _print_table(title: str, scores: Scores, *, wide: bool) -> None:
    print_table(title, *scores.rows(), wide=wide)
    for note in scores.notes:
        print_note(f"note: {note}")
    out.print()


def _size(name: str, dictionary: Dictionary, known: Mapping[str, Any]) -> str:
    n_latents, n_dims = dictionary.directions.shape
    parts = [f"{counted(n_latents, 'latent')} in {counted(n_dims, 'dimension')}"]
    if "features" in known:
        parts.append(counted(len(known["features"]), "feature"))
    tables = [known[table] for table in _TABLES if table in known]
    parts += [counted(len(tables[0]), "row")] if tables else []
    return f"{Path(name).name}: {', '.join(parts)}"


def _known(
    features_file: Path | None, file: Path | None, dictionaries: Mapping[str, Dictionary]
) -> dict[str, Any]:
    """What both files know, as arguments of ``score_dictionary``; that of FILE counts first."""
    from unweave.integrations.dictionaries import DIRECTIONS, read_dictionary

    found: dict[str, Any] = {}
    if features_file is not None:
        found["features"] = read_dictionary(features_file).directions
        if features_file.suffix.lower() == ".npz":
            arrays = _arrays(features_file, (*_TABLES, "firings", "parents"))
            found |= {name: array for name, array in arrays.items() if name != "firings"}
            if "firings" in arrays:
                found.setdefault("activations", arrays["firings"])
    if file is None:
        return found
    if file.suffix.lower() == ".npy":
        return found | _single(file, dictionaries)
    if file.suffix.lower() != ".npz":
        raise ValueError(f"{file} must be an .npz with {', '.join(_TABLES)}, or an .npy of codes")
    arrays = _arrays(file, _TABLES)
    if not arrays:
        raise ValueError(
            f"{file} has none of {', '.join(_TABLES)} for --dictionary: "
            f"{open_source(file).listing()}; what is known of features, as {DIRECTIONS[0]}, goes "
            "to --features"
        )
    return found | arrays


def _arrays(file: Path, names: Sequence[str]) -> dict[str, Any]:
    source = open_source(file)
    present = [name for name in names if name in source.found]
    return dict(zip(present, source.load(present), strict=True)) if present else {}


def _single(file: Path, dictionaries: Mapping[str, Dictionary]) -> dict[str, Any]:
    """The array of an .npy: codes if it is as wide as there are latents, else points."""
    source = open_source(file)
    array: Any = source.load(list(source.found))[0]
    shapes = {dictionary.directions.shape for dictionary in dictionaries.values()}
    width = array.shape[-1] if array.ndim == 2 else 0
    for i, name in enumerate(("codes", "points")):
        if all(shape[i] == width for shape in shapes):
            return {name: array}
    raise ValueError(
        f"{file} is of shape {array.shape}, and neither codes of the dictionary's latents nor "
        f"points of its dimensions: it is of shape {min(shapes)}"
    )


def _drawn(tables: Mapping[str, Any], rows: int, seed: int) -> dict[str, Any]:
    """``rows`` of the rows, without repeats."""
    n = min((len(table) for table in tables.values()), default=0)
    if rows > n:
        raise ValueError(f"--rows {rows:,} is more than the {n:,} rows there are: ask for fewer")
    drawn = np.random.default_rng(seed).permutation(n)[:rows]
    return {name: table[drawn] for name, table in tables.items()}
