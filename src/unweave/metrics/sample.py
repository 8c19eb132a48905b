"""What is scored: codes and factors of the same rows, and what can be drawn from them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from unweave._check import read_codes
from unweave._factors import LEVELS_OF_CIRCLE, FactorTable, read_codes_factors
from unweave._tables import CodeTable, matching_columns
from unweave.metrics._groups import Groups, GroupsOption, read_groups
from unweave.metrics._information import check_levels, takes_any_value
from unweave.metrics._scale import Scale

__all__ = ["Sample"]

Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Sample:
    """Codes and factors of the same rows, checked, and the draws that say what noise scores.

    Draws take their number: draw ``i`` of one kind is the same for every metric.
    """

    codes: np.ndarray
    """(samples, latents)"""
    factors: np.ndarray
    """(samples, factors), whole numbers or fractions; the number of each row if there are none."""
    kinds: tuple[str, ...]
    """Kinds of the factors, as formulas read them; whole numbers once around a circle are
    ``LEVELS_OF_CIRCLE``."""
    names: tuple[str, ...]
    """Names of the factors; empty if there are none."""
    seed: int = 0
    """Seed of all draws, and of what metrics draw themselves."""
    test: tuple[np.ndarray, np.ndarray] | None = None
    """Codes and factors of other rows to judge predictors on, if the user gave some."""
    groups: Groups | None = None
    """Latents that are one unit each, where latents are not."""
    grid: tuple[int, ...] | None = None
    """Sizes of the factors whose whole grid this is, row by row."""
    notes: tuple[str, ...] = ()
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the levels of a factor are called, by its name."""
    precisions: tuple[str, ...] = ()
    """The type of each latent, as it was given."""
    origin: Sample | None = field(default=None, repr=False)
    """The sample that this one was drawn from as noise."""
    _of_rows: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    _of_codes: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        codes: object,
        factors: object = None,
        factor_names: Sequence[str] | None = None,
        factor_kinds: Sequence[str | None] | None = None,
        *,
        groups: GroupsOption | None = None,
        test: tuple[object, object] | None = None,
        seed: int = 0,
    ) -> Sample:
        """From what users have, as of :func:`~unweave.metrics.mutual_information_gap`.

        Raises
        ------
        ValueError
            If the arrays cannot be used (nan, other lengths, a constant factor).
        """
        if factors is None:
            found = read_codes(codes)
            precisions = tuple(found.precisions)
            return cls(found.values, *_no_factors(found.values), seed, precisions=precisions)
        found, table = read_codes_factors(codes, factors, names=factor_names, kinds=factor_kinds)
        _check_circles(table)
        return cls(
            found.values,
            table.values,
            table.readings,
            table.labels,
            seed,
            _read_test(test, found, table),
            None if groups is None else read_groups(groups, found.values.shape[1]),
            table.grid,
            table.notes,
            {table.labels[k]: words for k, words in table.words.items()},
            tuple(found.precisions),
        )

    @property
    def has_factors(self) -> bool:
        """Whether it has any."""
        return bool(self.names)

    @property
    def is_perfect(self) -> bool:
        """Whether it is the perfect code of the sample that it was drawn from."""
        return self.origin is not None and self.codes is self.origin._unit()

    @property
    def key_of_random_codes(self) -> Hashable:
        """Equal for samples whose mixtures, smooth features and perfect code are equal.

        None without factors: noise is then made from the codes.
        """
        if not self.has_factors:
            return None
        return self.once("key of random codes", self._key)

    def _key(self) -> Hashable:
        digest = hashlib.sha256(np.ascontiguousarray(self.factors).data).digest()
        shape = (self.factors.shape, self.factors.dtype.str, self.codes.shape[1])
        facts = (self.kinds, self.names, self.grid, self.groups, self.precisions)
        return (digest, shape, facts, self.seed)

    def prepared(
        self,
        keep: Collection[str] = (),
        level_bins: int | None = None,
        *,
        grouped: bool = False,
        with_factors: bool = True,
    ) -> Sample:
        """The sample as some metrics read it; those that read it alike share it.

        Codes have neither offset nor scale but for what ``keep`` names, as of :meth:`Scale.of`.
        With ``level_bins`` factors must take few values, or be declared continuous or circular and
        be cut into that many bins; such circular ones become continuous.

        Raises
        ------
        ValueError
            If the values of a factor are not levels, and it is not declared continuous.
        """
        keep, grouped = tuple(keep), grouped and self.groups is not None

        def prepare() -> Sample:
            sample = self if with_factors else self._without_factors()
            scale, factors, kinds = Scale.of(self.codes, keep), sample.factors, sample.kinds
            codes = self.once_for_codes(("scaled", keep), lambda: scale.apply(self.codes))
            if level_bins is not None and sample.has_factors:
                factors, kinds = _cut_angles(factors, kinds, level_bins)
                check_levels(factors, kinds, level_bins)
            test = sample.test and (scale.apply(sample.test[0]), sample.test[1])
            return replace(
                sample,
                codes=codes,
                factors=factors,
                kinds=kinds,
                test=test,
                groups=sample.groups if grouped else None,
                notes=(*sample.notes, *scale.notes(self.precisions)),
                _of_rows={},
                _of_codes={},
            )

        return self.once(("prepared", keep, level_bins, grouped, with_factors), prepare)

    def once(self, what: Hashable, compute: Callable[[], Found]) -> Found:
        """What ``compute`` gives, kept for all metrics that read this sample."""
        if what not in self._of_rows:
            self._of_rows[what] = compute()
        return self._of_rows[what]

    def once_for_codes(self, what: Hashable, compute: Callable[[], Found]) -> Found:
        """The same of what follows from the codes alone: samples of permuted factors share it."""
        if what not in self._of_codes:
            self._of_codes[what] = compute()
        return self._of_codes[what]

    def permuted(self, i: int) -> Sample:
        """Chance: factors of other rows; or, if there are none, each latent permuted by itself."""
        rng = np.random.default_rng([self.seed, 1, i])
        if not self.has_factors:
            return self._drawn(codes=rng.permuted(self.codes, axis=0))
        factors = self.factors[rng.permutation(len(self.factors))]
        return self._drawn(factors=factors, grid=None, _of_codes=self._of_codes)

    def mixture(self, i: int) -> Sample:
        """Codes that are a random linear mixture of the factors."""
        rng, unit = np.random.default_rng([self.seed, 2, i]), self._unit()
        return self._drawn(codes=unit @ rng.standard_normal((unit.shape[1], self.codes.shape[1])))

    def smooth(self, i: int) -> Sample:
        """Codes that are random smooth features of the factors: cosines."""
        rng, unit = np.random.default_rng([self.seed, 5, i]), self._unit()
        phase = rng.uniform(0, 2 * np.pi, self.codes.shape[1])
        waves = unit @ rng.standard_normal((unit.shape[1], self.codes.shape[1]))
        return self._drawn(codes=np.cos(waves + phase))

    def half_rows(self, i: int) -> np.ndarray:
        """Half of the rows, drawn without repeats."""
        rng = np.random.default_rng([self.seed, 3, i])
        return rng.permutation(len(self.codes))[: len(self.codes) // 2]

    def half(self, i: int) -> Sample:
        """Half of the rows."""
        rows = self.half_rows(i)
        return self._drawn(codes=self.codes[rows], factors=self.factors[rows], grid=None)

    def perfect(self) -> Sample:
        """One latent a factor; or, if there are none, independent latents."""
        if not self.has_factors:
            rng = np.random.default_rng([self.seed, 9])
            return self._drawn(codes=rng.permuted(self.codes, axis=0))
        return self._drawn(codes=self._unit(), groups=None)

    def _unit(self) -> np.ndarray:
        return self.once("unit", lambda: _unit_code(self.factors))

    def _drawn(self, **changes: Any) -> Sample:
        """A sample of noise, which has no rows of a user to judge predictors on."""
        new: dict[str, Any] = {"test": None, "origin": self, "_of_rows": {}, "_of_codes": {}}
        return replace(self, **{**new, **changes})

    def _without_factors(self) -> Sample:
        factors, kinds, names = _no_factors(self.codes)
        return Sample(self.codes, factors, kinds, names, seed=self.seed, precisions=self.precisions)


def _no_factors(codes: np.ndarray) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Factors, kinds and names of a sample without factors."""
    return np.arange(len(codes))[:, None], ("ordinal",), ()


def _check_circles(table: FactorTable) -> None:
    for k, kind in enumerate(table.readings):
        if kind == LEVELS_OF_CIRCLE and table.values[:, k].min() < 0:
            raise ValueError(
                f"factor {k} is circular and has the level {table.values[:, k].min():g}: levels of "
                "a circle are whole numbers from 0 on, once around, or angles in radians"
            )


def _unit_code(factors: np.ndarray) -> np.ndarray:
    """Each factor scaled to [-1, 1]: a perfect code, and what random codes are made of."""
    moved = Scale.of(factors).apply(factors)
    low, high = moved.min(axis=0), moved.max(axis=0)
    unit = 2 * (moved - low) / (high - low) - 1
    # A gap needs two latents; the second one of a lone factor knows nothing.
    return unit if unit.shape[1] > 1 else np.concatenate([unit, np.zeros_like(unit)], axis=1)


def _cut_angles(
    values: np.ndarray, kinds: tuple[str, ...], n_bins: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Factors and kinds in which angles that take any value are continuous from 0 to 2 pi."""
    angles = [
        k
        for k, kind in enumerate(kinds)
        if kind == "circular" and takes_any_value(values[:, k], n_bins)
    ]
    if not angles:
        return values, kinds
    values = values.copy()
    values[:, angles] %= 2 * np.pi
    return values, tuple("continuous" if k in angles else kind for k, kind in enumerate(kinds))


def _read_test(
    test: tuple[object, object] | None, codes: CodeTable, factors: FactorTable
) -> tuple[np.ndarray, np.ndarray] | None:
    """Codes and factors of the rows that predictors are judged on.

    Raises
    ------
    ValueError
        If they cannot be used, or are of other latents or factors.
    """
    if test is None:
        return None
    found, rows = read_codes_factors(*test, like=(codes, factors))
    n_test, n_latents = found.values.shape[1], codes.values.shape[1]
    if n_test != n_latents:
        raise ValueError(
            f"test codes have {n_test} latents and codes {n_latents}: both must come from the same "
            "encoder"
        )
    order = matching_columns(codes.columns, found.columns, "codes", "test codes")
    return found.values if order is None else found.values[:, order], rows.values
