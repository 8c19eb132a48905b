"""Codes and factors from files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unweave._check import check_codes, constant_columns
from unweave._extras import require
from unweave._factors import read_factors
from unweave.cli.files import Role, Source, is_index, open_source

__all__ = ["Choice", "Table", "read_points", "read_codes"]

_LONGEST_EXAMPLE = 60  # characters
_OWN_NAMES: dict[Role, re.Pattern[str]] = {
    "codes": re.compile(r"(z|codes?|latents?|dims?)[ _.:\-\[]*\d+\]?", re.IGNORECASE),
    "factors": re.compile(r"factors?([ _.:\-\[].+|\d+)", re.IGNORECASE),
}

_GROUPS = "latent_groups"
_BESIDE = {"codes", "rows", "indices", _GROUPS}
"""Arrays of a file of codes that has no factors, as `unweave encode` writes it."""
_EXAMPLES: dict[Role, str] = {"codes": "z0, code_1", "factors": "factor_shape"}


@dataclass(frozen=True)
class Table:
    """Codes and factors of the same rows, with what is known of the factors.

    ``codes`` (samples, latents) and ``factors`` (samples, factors) are arrays, or polars frames
    where they came as columns. ``factors`` are None where there are none.
    """

    codes: Any
    factors: Any
    names: list[str]
    kinds: list[str] | None
    dropped: list[str]
    """Names of the factors that were left out because they never vary."""
    groups: list[int] | None = None
    """Sizes of the groups of latents that the file has, if it has some."""

    def kinds_and_notes(self) -> tuple[list[str | None] | None, list[str]]:
        """Kinds of the factors, continuous for fractions without a kind, and notes on these."""
        if self.factors is None:
            return None, []
        from unweave.metrics._information import kinds_of_fractions

        own = read_factors(self.factors, names=self.names or None, kinds=self.kinds)
        return kinds_of_fractions(own, self.kinds)

    def n_rows_apart(self, other: Table) -> int:
        """In how many rows the factors of both differ; their shapes must be equal."""
        pairs = zip(_columns(self.factors), _columns(other.factors), strict=True)
        apart = np.zeros(len(self.factors), bool)
        for one, two in pairs:
            is_comparable = one.dtype.is_numeric() == two.dtype.is_numeric()
            apart |= one.ne_missing(two).to_numpy() if is_comparable else True
        return int(apart.sum())


@dataclass(frozen=True)
class Choice:
    """Which arrays or columns of a file are codes and which are factors, and which rows count.

    Patterns are names, or words with * and ?; without them the names of the file decide. ``files``
    says how codes and factors are given as arrays in files of their own. Factors may be missing if
    ``factors_needed`` is False, or None and the file holds nothing but codes.
    """

    codes: Sequence[str] | None = None
    factors: Sequence[str] | None = None
    drop_constant: bool = False
    rows: int | None = None
    seed: int = 0
    files: str = "codes.npy factors.npy"
    factors_needed: bool | None = True


def read_codes(file: Path, factors_file: Path | None, choice: Choice) -> Table:
    """Codes and factors of one file, or of two; ``choice.rows`` of them drawn without repeats.

    Raises
    ------
    OSError, ValueError, ImportError
        If a file cannot be read, or does not hold what is needed.
    """
    paired = factors_file is not None
    source = open_source(file)
    other = open_source(factors_file) if factors_file is not None else source
    if not paired and _lacks_factors(source, choice):
        return _codes_alone(source, choice)
    if source.file.suffix.lower() == ".npy" and not paired:
        raise ValueError(
            f"{file} holds a single array, {source.listing().removeprefix('it has ')}: give codes "
            f"and factors as files of their own, {choice.files}, or both in an .npz"
        )
    code_names = _chosen(source, "codes", choice.codes, paired=paired)
    taken = [] if paired else code_names
    factor_names = _chosen(other, "factors", choice.factors, paired=paired, taken=taken)
    codes, _ = _matrix(source, code_names, "codes")
    factors, own_names = _matrix(other, factor_names, "factors")
    names, kinds = _labels(other, factor_names, factors, own_names)
    dropped: list[str] = []
    if choice.drop_constant:
        constant = _constant(factors)
        dropped = [names[k] for k in constant]
        kept = [k for k in range(len(names)) if k not in constant]
        factors, names = factors[:, kept], [names[k] for k in kept]
        kinds = [kinds[k] for k in kept] if kinds else None
        if not kept:
            raise ValueError(f"no factor in {other.file} varies: there is nothing to score")
    if len(codes) == len(factors) == 1:
        raise ValueError(f"{file} has 1 row: at least 2 are needed")
    _check_n_rows(file, choice, len(codes))
    if choice.rows is not None and choice.rows < len(codes) == len(factors):
        check_codes(codes)  # all rows: what is wrong with a file does not depend on the draw
        read_factors(factors, names=names, kinds=kinds)
        codes, factors = _drawn(codes, factors, names, choice)
    return Table(codes, factors, names, kinds, dropped, _groups(source, code_names))


def _lacks_factors(source: Source, choice: Choice) -> bool:
    """Whether a single file is to be read without factors."""
    if choice.factors is not None or choice.factors_needed:
        return False
    own = source.own("factors")
    if "factors" in own or any(_OWN_NAMES["factors"].fullmatch(short) for short in own):
        return False
    if choice.factors_needed is False:
        return True
    return source.noun == "array" and "codes" in source.found and set(source.found) <= _BESIDE


def _codes_alone(source: Source, choice: Choice) -> Table:
    """The codes of a file as a table without factors."""
    single = source.file.suffix.lower() == ".npy"
    names = _chosen(source, "codes", choice.codes, paired=single)
    codes, _ = _matrix(source, names, "codes")
    _check_n_rows(source.file, choice, len(codes))
    if choice.rows is not None and choice.rows < len(codes):
        check_codes(codes)
        codes = codes[np.random.default_rng(choice.seed).permutation(len(codes))[: choice.rows]]
    return Table(codes, None, [], None, [])


def _check_n_rows(file: Path, choice: Choice, n: int) -> None:
    if choice.rows is not None and choice.rows > n:
        raise ValueError(
            f"--rows {choice.rows:,} is more than the {n:,} rows of {file}: ask for at most so many"
        )


def _drawn(codes: Any, factors: Any, names: Sequence[str], choice: Choice) -> tuple[Any, Any]:
    """``choice.rows`` of the rows, without repeats."""
    drawn = np.random.default_rng(choice.seed).permutation(len(codes))[: choice.rows]
    before, codes, factors = factors, codes[drawn], factors[drawn]
    still = [names[k] for k in _constant(factors) if k not in _constant(before)]
    if still:
        raise ValueError(
            f"--rows {choice.rows} is too few: among the rows drawn, a single value is left of "
            f"{', '.join(still[:10])}; draw more rows"
        )
    return codes, factors


def read_points(file: Path, patterns: Sequence[str] | None) -> np.ndarray:
    """Points (samples, features) of a file: the array `points` or `codes`, or all its columns.

    Raises
    ------
    OSError, ValueError, ImportError
        If the file cannot be read, or does not hold what is needed.
    """
    source = open_source(file, needed="points")
    named = [name for name in ("points", "codes") if name in source.own("codes")]
    if patterns is not None:
        names = source.match(patterns, "codes")
    elif named:
        names = [source.own("codes")[named[0]]]
    else:
        names = _chosen(source, "codes", None, paired=True)
    return check_codes(_matrix(source, names, "codes")[0])


def _chosen(
    source: Source,
    role: Role,
    patterns: Sequence[str] | None,
    *,
    paired: bool,
    taken: Sequence[str] = (),
) -> list[str]:
    """Names of the parts that are codes, or factors; never one that is ``taken``."""
    if patterns is None:
        return _by_default(source, role, paired=paired)
    names = source.match(patterns, role)
    both = [name for name in names if name in taken]
    exact = {word for pattern in patterns for word in (pattern, *pattern.split(","))}
    if any(name in exact for name in both) or len(both) == len(names):
        raise ValueError(
            f"{source.file}: {', '.join(both[:10])} cannot be codes and factors at once: choose "
            "others with --codes and --factors"
        )
    return [name for name in names if name not in taken]


def _by_default(source: Source, role: Role, *, paired: bool) -> list[str]:
    own = {short: name for short, name in source.own(role).items() if not is_index(short)}
    if role in own:
        return [own[role]]
    if source.noun == "column":
        named = [name for short, name in own.items() if _OWN_NAMES[role].fullmatch(short)]
        if named or paired:
            return named or list(own.values())
    elif len(own) == 1 and (paired or (source.prefixes and role == "codes")):
        return list(own.values())
    if source.prefixes:
        raise ValueError(f"choose the {role} in {source.file} with --{role}: {source.listing()}")
    like = f" and none named like {_EXAMPLES[role]}" if source.noun == "column" else ""
    raise ValueError(
        f"{source.file} has no {source.noun} {role!r}{like}: choose with --{role}; "
        f"{source.listing()}"
    )


def _matrix(source: Source, names: Sequence[str], role: Role) -> tuple[Any, list[str] | None]:
    """The parts side by side: an array as it is, or a frame, and the names of its columns."""
    items = source.load(names)
    for name, item in zip(names, items, strict=True):
        if isinstance(item, np.ndarray) and item.ndim == 0:
            raise ValueError(
                f"{source.file}: {name!r} is a single value, and the {role} of each row are "
                "needed: (samples,) or (samples, n)"
            )
    if len(items) == 1 and isinstance(items[0], np.ndarray) and items[0].ndim != 1:
        return items[0], None
    require("tables", needed_by="a table, or several arrays side by side,")
    import polars as pl

    prefix = source.prefixes.get(role, "")
    columns: list[Any] = []
    for name, item in zip(names, items, strict=True):
        columns += _as_columns(name.removeprefix(prefix), item)
    heights = {column.len() for column in columns}
    if len(heights) > 1:
        raise ValueError(
            f"{source.file}: what was chosen as {role} differs in its number of rows: "
            + ", ".join(f"{column.name} {column.len():,}" for column in columns[:10])
        )
    if role == "codes":
        _check_numbers(source, columns)
    return pl.DataFrame(columns), [column.name for column in columns]


def _as_columns(name: str, item: Any) -> list[Any]:
    import polars as pl

    if not isinstance(item, np.ndarray):
        return [item.alias(name)]
    if item.ndim == 1:
        return [pl.Series(name, _known_type(item))]
    if item.ndim != 2:
        raise ValueError(f"{name!r} has shape {item.shape}: (samples,) or (samples, n) is needed")
    return [pl.Series(f"{name}.{j}", _known_type(item[:, j])) for j in range(item.shape[1])]


def _known_type(array: np.ndarray) -> np.ndarray:
    """As a type that polars has."""
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        return array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
    return np.ascontiguousarray(array)


def _check_numbers(source: Source, columns: Sequence[Any]) -> None:
    import polars as pl

    for column in columns:
        if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
            words = column.drop_nulls()
            example = f", as {words[0][:_LONGEST_EXAMPLE]!r}" if len(words) else ""
            raise ValueError(
                f"{source.file}: codes must be numbers, and {column.name!r} holds words{example}: "
                "choose other columns with --codes"
            )


def _groups(source: Source, chosen: Sequence[str]) -> list[int] | None:
    """The array that `unweave encode` writes beside the codes of latents in groups."""
    if list(chosen) != ["codes"] or source.noun != "array" or _GROUPS not in source.found:
        return None
    return np.atleast_1d(source.load([_GROUPS])[0]).tolist()


def _labels(
    source: Source, chosen: Sequence[str], factors: Any, own_names: list[str] | None
) -> tuple[list[str], list[str] | None]:
    """Names of the factors, and their kinds where the file has them."""
    if own_names is not None:
        return own_names, None
    n_factors = np.shape(factors)[-1] if np.ndim(factors) else 0
    names, kinds = (
        _words(source, key, n_factors, chosen) for key in ("factor_names", "factor_kinds")
    )
    return names or [str(k) for k in range(n_factors)], kinds


def _words(source: Source, key: str, n_factors: int, chosen: Sequence[str]) -> list[str] | None:
    """The words of an array that describes the array `factors`."""
    if list(chosen) != ["factors"] or key not in source.found or source.noun != "array":
        return None
    words = np.atleast_1d(source.load([key])[0])
    if words.shape != (n_factors,):
        raise ValueError(
            f"{source.file}: {key} has shape {words.shape}, and there are {n_factors} factors: "
            "give one word for each"
        )
    return [str(word) for word in words]


def _columns(factors: Any) -> list[Any]:
    """The columns as polars has them, words as words."""
    import polars as pl

    columns = (
        [pl.Series(column) for column in factors.T] if isinstance(factors, np.ndarray) else factors
    )
    words = (pl.Categorical, pl.Enum)
    return [c.cast(pl.String) if isinstance(c.dtype, words) else c for c in columns]


def _constant(factors: Any) -> list[int]:
    if isinstance(factors, np.ndarray):
        return constant_columns(factors).tolist() if factors.ndim == 2 and len(factors) else []
    return [k for k, column in enumerate(factors) if column.n_unique() <= 1]
