"""Scores of a dictionary by the features that made its points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from unweave._check import check_choice, check_names
from unweave._parallel import in_threads
from unweave.metrics._progress import progress
from unweave.metrics.dictionary.case import Case, Options, read_case
from unweave.metrics.dictionary.dictionary import Dictionary
from unweave.metrics.dictionary.firings import tally
from unweave.metrics.dictionary.random_directions import Draw, half_means, half_rows, thinned
from unweave.metrics.dictionary.readings import FACTS, Reading, read_directions, read_rows
from unweave.metrics.noise import Noise, interval, p_value
from unweave.metrics.score import Chance, Score
from unweave.metrics.scores import Scores

__all__ = ["score_dictionary"]

_JUDGED_BY = ("nearest", "one_to_one")
_LEAST_UNITS = 4  # of which halves say how far a mean is off


def score_dictionary(
    dictionary: object,
    features: object = None,
    *,
    points: object = None,
    codes: object = None,
    activations: object = None,
    parents: object = None,
    judged_by: str = "nearest",
    signed: bool = False,
    fires_above: float = 0.0,
    feature_names: Iterable[object] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Scores:
    r"""How well the latents of a dictionary stand for features that are known.

    What is known decides which scores there are:

    - ``features``: ``dictionary_mcc``, the mean absolute cosine of pairs of a latent and a feature,
      matched one to one so that it is largest, in [0, 1]; ``uniqueness``, how many features are
      the nearest one of some latent, divided by the number of latents, in (0, 1].
    - codes, or points that the dictionary encodes: ``l0``, how many latents fire in a row, on
      average; ``dead_latents``, the share of latents that never fire, in [0, 1].
    - ``points`` with codes: ``explained_variance``, 1 - (sum of squared errors) / (sum of squared
      distances from the mean point), at most 1; ``shrinkage``, the mean of
      :math:`|\hat x| / |x|`, 1 where nothing shrinks.
    - ``activations`` and features with codes: ``firing_precision``, ``firing_recall``,
      ``firing_f1``, means over latents of how well their firing tells that their feature fires,
      in [0, 1].
    - ``parents`` besides: ``absorption_gap``, the mean over parents and children of P(latent of
      the parent fires | parent, no child) - P(the same | parent, this child), in [-1, 1]. Where it
      is above 0, latents of children have taken the place of the parent's.

    Beside them stand ``chance``, the same for the dictionary rotated at random, its encoder and
    bias as well: it has the same size, spectrum and angles between its own latents, and knows no
    feature. Codes that are given stay as they are, beside the points and activations of other rows.
    ``mixture``, of the first two, is that of normal directions with the second moments of the
    dictionary's: they know which dimensions matter, and separate nothing. ``interval`` is over
    features or latents for the first two, whose directions are taken as a sample of more of
    their kind, and over rows for all others.

    Parameters
    ----------
    dictionary
        Directions (latents, dimensions), or a :class:`Dictionary`.
    features
        The true directions (features, dimensions).
    points
        Rows (rows, dimensions).
    codes
        Codes of these rows (rows, latents); a sparse matrix stays sparse. Without them, the
        dictionary encodes the points, if it can.
    activations
        How strongly each feature is active in these rows (rows, features), or whether it fires.
    parents
        (features,): the feature that each one implies; -1 if there is none.
    judged_by
        ``nearest``: each latent is judged by the feature nearest to it, and those that never fire
        score 0, as in SAELens. ``one_to_one``: by the one that it is matched with in
        ``dictionary_mcc``; other latents do not count.
    signed
        Whether a direction and its opposite are two directions.
    fires_above
        A latent or feature fires where its absolute value exceeds this.
    feature_names
        One for each feature; by default their positions.
    noise
        How much is spent on noise; None for bare values. Large dictionaries take a fifth or a
        thirtieth of the draws, though at least three.
    seed
        Seed of all draws.

    Raises
    ------
    ValueError
        If arrays cannot be used or do not belong together, or there is nothing to score.

    References
    ----------
    SynthSAEBench (2026), https://arxiv.org/abs/2602.14687, and SAELens for all but the gap, with
    their conventions; absorption: Chanin et al. (2024), https://arxiv.org/abs/2409.14507.

    >>> features = np.eye(4)
    >>> scores = score_dictionary(-2 * features[[1, 0, 3]], features, noise=None)
    >>> {name: float(score) for name, score in scores.items()}
    {'dictionary_mcc': 1.0, 'uniqueness': 1.0}
    """
    check_choice("judged_by", judged_by, _JUDGED_BY)
    case = read_case(
        Dictionary.of(dictionary),
        features,
        {"points": points, "codes": codes, "activations": activations},
        parents,
        Options(judged_by, signed, fires_above, seed),
    )
    if case.features is None and case.rows is None:
        raise ValueError(
            "there is nothing to score a dictionary by: give the features, or points and codes, or "
            "points and a dictionary that encodes them"
        )
    n_features = 0 if case.features is None else len(case.features)
    given = range(n_features) if feature_names is None else feature_names
    names = check_names("feature", given, n_features)
    spent = None if noise is None else _thinned(case, noise)
    measured = _measured(case, 0 if spent is None else spent.n_halves)
    around = {} if spent is None else _around(case, measured, spent)
    scores = {
        name: _score(name, reading, case, names, around.get(name, {}))
        for name, reading in measured.items()
    }
    return Scores(scores, _skipped(case, scores))


def _measured(case: Case, n_halves: int) -> dict[str, Reading]:
    """Every score, with those of random halves of the rows."""
    found, pairs = read_directions(case)
    if case.rows is None:
        return found
    n, seed = len(case.rows), case.options.seed
    weights = np.zeros((1 + n_halves, n), np.float32)
    weights[0] = 1
    for i in range(n_halves):
        weights[1 + i, half_rows(n, seed, i)] = 1
    return found | read_rows(case, pairs, tally(case.dictionary, case.rows, pairs, weights))


def _thinned(case: Case, noise: Noise) -> Noise:
    """Fewer draws where each of them is expensive."""
    n_others = 0 if case.features is None else len(case.features)
    n_others += 0 if case.rows is None else len(case.rows)
    work = case.directions.size * float(n_others)
    return thinned(noise, work)


def _around(case: Case, measured: Mapping[str, Reading], noise: Noise) -> dict[str, dict[str, Any]]:
    """What stands beside each value, by the name of the score."""
    seed, n_mixtures = case.options.seed, noise.n_projections
    if case.features is None:
        n_mixtures = 0

    def chance(i: int) -> dict[str, Reading]:
        return _measured(case.rotated(np.random.default_rng([seed, Draw.CHANCE, i])), 0)

    def mixture(i: int) -> dict[str, Reading]:
        return _measured(case.mixed(np.random.default_rng([seed, Draw.MIXTURE, i])), 0)

    with progress("dictionary", noise.n_permutations + n_mixtures) as advance:
        chances = _drawn(chance, range(noise.n_permutations), advance)
        mixtures = _drawn(mixture, range(n_mixtures), advance)
    found: dict[str, dict[str, Any]] = {}
    for name, reading in measured.items():
        found[name] = _interval(name, reading, case, noise)
        if name in chances and not (_is_shuffled(case) and FACTS[name].of_codes):
            found[name] |= _beside_chance(name, reading.value, chances[name])
        if name in mixtures:
            found[name]["mixture"] = Chance.of(mixtures[name])
    return found


def _is_shuffled(case: Case) -> bool:
    """Whether chance has the codes of other rows, and not those of another autoencoder."""
    return case.rows is not None and case.rows.codes is not None


def _drawn(
    draw: Callable[[int], dict[str, Reading]],
    indices: Iterable[int],
    advance: Callable[[], None],
) -> dict[str, np.ndarray]:
    """Values (draws,) of each score that every draw defines."""

    def once(i: int) -> dict[str, float]:
        found = {name: reading.value for name, reading in draw(i).items()}
        advance()
        return found

    found = in_threads(once, indices)
    names = set.intersection(*map(set, found)) if found else set()
    return {name: np.array([values[name] for values in found]) for name in names}


def _interval(name: str, reading: Reading, case: Case, noise: Noise) -> dict[str, Any]:
    """Over rows; for scores of directions, which no row changes, over latents or features."""
    halves, facts = reading.halves, FACTS[name]
    if name in ("dictionary_mcc", "uniqueness"):
        if len(reading.units) < _LEAST_UNITS:
            return {}
        halves = half_means(reading.units, case.options.seed, noise.n_halves)
    if len(halves) < max(2, 0.9 * noise.n_halves):
        return {}
    low, high = interval(reading.value, halves, noise.confidence, bounded=False)
    low = low if facts.bottom is None else max(low, facts.bottom)
    high = high if facts.top is None else min(high, facts.top)
    return {"interval": (low, high), "confidence": noise.confidence}


def _beside_chance(name: str, value: float, draws: np.ndarray) -> dict[str, Any]:
    level, facts = Chance.of(draws), FACTS[name]
    found: dict[str, Any] = {"chance": level}
    if facts.is_tested:
        found["p_value"] = p_value(value, draws)
    if facts.is_adjusted and facts.top is not None and level.mean < facts.top:
        found["adjusted"] = (value - level.mean) / (facts.top - level.mean)
    return found


def _score(
    name: str, reading: Reading, case: Case, names: tuple[str, ...], around: dict[str, Any]
) -> Score:
    options, facts = case.options, FACTS[name]
    settings: dict[str, Any] = {"metric": name}
    of_directions = name in ("dictionary_mcc", "uniqueness")
    if of_directions or name.startswith("firing_") or name == "absorption_gap":
        settings["signed"] = options.signed
    if name.startswith("firing_"):
        settings["judged_by"] = options.judged_by
    if not of_directions:
        settings["fires_above"] = options.fires_above
    perfect = facts.perfect
    if name == "uniqueness" and case.features is not None:
        perfect = min(1.0, len(case.features) / len(case.directions))
    return Score(
        name,
        reading.value,
        per_factor=dict(zip(_labels(name, reading, names), _floats(reading.units), strict=True)),
        matrix=np.empty((0, 0)),
        settings=settings,
        n_samples=len(reading.units) if of_directions or case.rows is None else len(case.rows),
        seed=options.seed,
        notes=_notes(name, case),
        extras=reading.extras,
        perfect=perfect if around else None,
        **around,
    )


def _floats(values: np.ndarray) -> list[float]:
    return values.astype(np.float64).tolist()


def _labels(name: str, reading: Reading, names: tuple[str, ...]) -> list[str]:
    """Features by their names, latents by their positions, edges as parent>child."""
    if name == "dictionary_mcc":
        return [names[k] for k in reading.labels]
    if name == "absorption_gap":
        return [f"{names[parent]}>{names[child]}" for parent, child in reading.labels]
    return [str(k) for k in reading.labels]


def _notes(name: str, case: Case) -> tuple[str, ...]:
    """Sentences that a reader of the score should know."""
    found = []
    n_latents, n_dims = case.directions.shape
    n_zero = int((~case.directions.any(axis=1)).sum())
    if n_zero:
        found.append(f"{n_zero} of {n_latents:,} directions are zero, and stand for no feature")
    if name == "dictionary_mcc" and case.features is not None:
        n_features = len(case.features)
        if n_features != n_latents:
            found.append(
                f"dictionary_mcc is over {min(n_features, n_latents):,} pairs of {n_latents:,} "
                f"latents and {n_features:,} features"
            )
        if n_latents == n_dims:
            found.append(
                "there are as many latents as dimensions: check that each row is a latent, and no "
                "column"
            )
    return tuple(found)


def _skipped(case: Case, scores: Mapping[str, Score]) -> dict[str, str]:
    """Scores that are not defined, and why."""
    if case.rows is None:
        return {}
    reasons = {}
    if case.rows.points is not None:
        reasons["explained_variance"] = "is not defined: all points are the same"
        reasons["shrinkage"] = "is not defined: all points are zero"
    if case.parents is not None and case.rows.activations is not None:
        reasons["absorption_gap"] = (
            "is not defined: no parent fires both with a child and without any"
        )
    return {name: reason for name, reason in reasons.items() if name not in scores}
