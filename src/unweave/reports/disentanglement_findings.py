"""Which methods separate factors, on which datasets and in how many seeds: from finished runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from unweave.datasets.names import parse
from unweave.models.objectives import Objective
from unweave.studies.kinds.training import TrainingStudy
from unweave.studies.separation import (
    FactorSeparation,
    factor_separations,
    is_above_references,
)
from unweave.studies.training_run import TrainingDescription, TrainingRun
from unweave.training.curves import read_curves

__all__ = ["HEADLINE_METRICS", "Choice", "DatasetResults", "Method", "Model", "results_by_dataset"]

HEADLINE_METRICS = ("dci_disentanglement", "infom", "mig")
"""Metrics of the table and of the figures that are shown at once; the others are folded away."""
_SUPERVISION = {"weakly supervised": "weak supervision", "supervised": "supervision"}
_IN_SENTENCES = {"dci_disentanglement": "DCI disentanglement", "infom": "InfoM"}


@dataclass(frozen=True)
class Model:
    """A finished run, and what its last scores say."""

    run: TrainingRun
    udr: float | None = None
    """If `unweave study udr` was asked."""
    pipe: float | None = None
    """If `unweave study pipe` was asked."""

    @property
    def seed(self) -> int:
        """Seed of its training."""
        return self.run.description.training.seed

    @cached_property
    def result(self) -> dict[str, Any]:
        """Content of ``result.json``."""
        return self.run.result()

    @cached_property
    def scores(self) -> dict[str, Any]:
        """Scores of the last milestone, by metric, as plain numbers."""
        last = max(self.result["milestones"].items(), key=lambda item: int(item[0]))[1]
        return last["metrics"]

    @cached_property
    def separations(self) -> list[FactorSeparation]:
        """How far each factor is separated."""
        return factor_separations(self.scores)

    @property
    def n_separated(self) -> int:
        """Factors that it separates."""
        return sum(one.is_separated for one in self.separations)

    @cached_property
    def reconstruction(self) -> float | None:
        """Mean over the last tenth of the learning curve, in nats per image; None without one."""
        points = [row["reconstruction"] for row in read_curves(self.run.folder)]
        return float(np.mean(points[-max(1, len(points) // 10) :])) if points else None


@dataclass(frozen=True)
class Choice:
    """The seed of a method that a criterion chooses, which takes no labels to compute.

    Attributes
    ----------
    by
        The criterion: least reconstruction loss, highest UDR or highest PIPE.
    seed, value
        Which, and its reconstruction loss in nats per image, UDR or PIPE.
    score
        Its DCI disentanglement.
    mean, best
        That of all seeds on average, as of a seed taken at random, and of the best one.
    """

    by: str
    seed: int
    value: float
    score: float
    mean: float
    best: float

    @property
    def loss(self) -> float:
        """How much less DCI disentanglement the chosen seed has than the best one."""
        return self.best - self.score


@dataclass(frozen=True)
class Method:
    """An objective on a dataset: its finished models, in the order of their seeds."""

    objective: Objective
    models: tuple[Model, ...]
    n_planned: int

    @property
    def label(self) -> str:
        """Name and strength, without how it is supervised."""
        whole = self.objective.title or self.objective.name
        return self.objective.label.replace(whole, whole.partition(",")[0])

    @property
    def supervision(self) -> str:
        """Empty for a method that sees images alone."""
        if self.objective.is_supervised:
            return "supervised"
        return "weakly supervised" if self.objective.is_weakly_supervised else ""

    @property
    def n_separated(self) -> list[int]:
        """Factors that each model separates."""
        return [model.n_separated for model in self.models]

    def values(self, metric: str) -> np.ndarray:
        """A score of each model that has it."""
        return np.array([m.scores[metric]["value"] for m in self.models if metric in m.scores])

    def n_above(self, metric: str) -> int:
        """Models whose score is above random mixtures and random smooth features."""
        own = [model.scores[metric] for model in self.models if metric in model.scores]
        return sum(is_above_references(score) for score in own)

    @property
    def median_model(self) -> Model:
        """The model with the median DCI disentanglement, the lower one of two."""
        order = sorted(self.models, key=lambda m: m.scores["dci_disentanglement"]["value"])
        return order[(len(order) - 1) // 2]

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The models chosen without labels, by each criterion that is known of two of them."""
        found = (
            self._choice("least reconstruction loss", lambda m: m.reconstruction, sign=-1),
            self._choice("highest UDR", lambda m: m.udr),
            self._choice("highest PIPE", lambda m: m.pipe),
        )
        return tuple(one for one in found if one is not None)

    def _choice(
        self, by: str, criterion: Callable[[Model], float | None], sign: int = 1
    ) -> Choice | None:
        """None where the criterion is equal for all models."""
        values = {m.seed: value for m in self.models if (value := criterion(m)) is not None}
        if len(set(values.values())) < 2:
            return None
        chosen = max(values, key=lambda seed: sign * values[seed])
        scores = {
            m.seed: float(m.scores["dci_disentanglement"]["value"])
            for m in self.models
            if m.seed in values
        }
        every = list(scores.values())
        return Choice(by, chosen, values[chosen], scores[chosen], float(np.mean(every)), max(every))

    @property
    def _rank(self) -> tuple[float, ...]:
        counts = self.n_separated
        dci = float(np.median(self.values("dci_disentanglement")))
        return min(counts), float(np.median(counts)), dci


@dataclass(frozen=True)
class DatasetResults:
    """What came out on a dataset.

    Attributes
    ----------
    dataset
        Its name in the study.
    title
        A short name, other than those of the other datasets.
    methods
        Those with finished runs: the best first, and those with supervision last.
    unfinished
        Labels of the methods that have no finished run.
    """

    dataset: str
    title: str
    methods: tuple[Method, ...]
    unfinished: tuple[str, ...]

    @property
    def factors(self) -> list[str]:
        """Names of the factors."""
        return [one.factor for one in self.methods[0].models[0].separations]

    @property
    def best(self) -> Method | None:
        """The best method that sees images alone."""
        return self.methods[0] if not self.methods[0].supervision else None

    @property
    def success(self) -> tuple[float, ...]:
        """By which datasets are sorted."""
        if self.best is None:
            return (0.0,)
        return tuple(np.array(self.best._rank) / [len(self.factors), len(self.factors), 1])

    @property
    def metrics(self) -> list[str]:
        """Metrics that are compared with random codes: those of the headline first."""
        scores = self.methods[0].models[0].scores
        known = [name for name, score in scores.items() if score["perfect"] is not None]
        return sorted(known, key=lambda name: name not in HEADLINE_METRICS)

    @property
    def answer(self) -> str:
        """What the best method does that sees images alone."""
        if self.best is None:
            return f"No run is finished of a method that sees images of {self.title} alone."
        if any(self.best.n_separated):
            return f"{self._separation(self.best)} {_references(self.best)}"
        first = self.best.models[0].scores["dci_disentanglement"]
        dci = np.median(self.best.values("dci_disentanglement"))
        return (
            f"No method separates a factor of {self.title}. The best is {self.best.label}, with a "
            f"median DCI disentanglement of {dci:.2f}; random mixtures have "
            f"{first['mixture']['mean']:.2f}."
        )

    @property
    def sentences(self) -> list[str]:
        """What the other methods do."""
        found = []
        if self.best is not None and any(self.best.n_separated):
            found = _of_others([m for m in self.methods[1:] if not m.supervision])
        found += [
            f"With {_SUPERVISION[method.supervision]}, {self._separation(method)}"
            for method in self.methods
            if method.supervision
        ]
        if self.unfinished:
            found.append(f"No run is finished of {_listed(self.unfinished)}.")
        return found

    def _separation(self, method: Method) -> str:
        counts, n = method.n_separated, len(method.models)
        if not any(counts):
            return f"{method.label} separates no factor of {self.title}."
        if not min(counts):
            n_able = sum(map(bool, counts))
            return f"{method.label} separates a factor of {self.title} in {_seeds(n_able, n)}."
        least = "" if min(counts) == max(counts) else "at least "
        what = f"{least}{min(counts)} of {len(self.factors)} factors of {self.title}"
        apart = [
            {one.factor for one in model.separations if one.is_separated} for model in method.models
        ]
        common = [factor for factor in self.factors if all(factor in one for one in apart)]
        named = f": {_listed(common)}" if n == 1 or not least else ""
        if common and n > 1 and least:
            named = f", {_listed(common)} in each"
        return f"{method.label} separates {what} in {_seeds(n, n)}{named}."


def results_by_dataset(
    study: TrainingStudy,
    runs: Sequence[TrainingRun],
    *,
    udr: Mapping[str, float] | None = None,
    pipe: Mapping[str, float] | None = None,
) -> list[DatasetResults]:
    """What finished ``runs`` of a study say, the dataset with the clearest success first.

    Datasets without a finished run are left out. ``udr`` and ``pipe`` are those of runs, by key, if
    they are known.
    """
    udr, pipe = udr or {}, pipe or {}
    finished = {
        key: Model(run, udr.get(key), pipe.get(key))
        for run in runs
        for key in (run.description.key,)
    }
    plans: dict[str, dict[str, list[TrainingDescription]]] = {}
    for description in study.descriptions:
        of_dataset = plans.setdefault(description.dataset, {})
        of_dataset.setdefault(description.objective.label, []).append(description)
    found = [
        _results(name, plan, finished, _title(name, list(plans))) for name, plan in plans.items()
    ]
    return sorted((one for one in found if one.methods), key=lambda one: one.success, reverse=True)


def _results(
    name: str,
    plan: dict[str, list[TrainingDescription]],
    finished: dict[str, Model],
    title: str,
) -> DatasetResults:
    methods = [
        Method(
            planned[0].objective,
            tuple(finished[one.key] for one in planned if one.key in finished),
            len(planned),
        )
        for planned in plan.values()
    ]
    started = [method for method in methods if method.models]
    ranked = sorted(started, key=lambda m: m._rank, reverse=True)
    return DatasetResults(
        name,
        title,
        tuple(sorted(ranked, key=lambda m: bool(m.supervision))),
        tuple(method.label for method in methods if not method.models),
    )


def _title(name: str, names: Sequence[str]) -> str:
    """The name without options, unless two datasets of the study share it."""
    labels = [parse(one).label for one in names]
    label = parse(name).label
    return name if labels.count(label) > 1 else label


def _references(method: Method) -> str:
    """In how many seeds its scores are above both kinds of random codes."""
    n = len(method.models)
    first, *others = [
        (words, _seeds(method.n_above(metric), n))
        for metric, words in _IN_SENTENCES.items()
        if method.values(metric).size
    ]
    rest = "".join(f", its {words} in {seeds}" for words, seeds in others)
    return (
        f"Its {first[0]} is above random mixtures and random smooth features in {first[1]}{rest}."
    )


def _of_others(others: Sequence[Method]) -> list[str]:
    """Which other methods separate factors in every seed, in some and in none."""
    every = [method.label for method in others if min(method.n_separated)]
    some = [m.label for m in others if any(m.n_separated) and not min(m.n_separated)]
    none = [method.label for method in others if not any(method.n_separated)]
    found = [
        f"{_listed(labels)} separate{'s' if len(labels) == 1 else ''} a factor in {where}."
        for labels, where in ((every, "every seed too"), (some, "some seeds"))
        if labels
    ]
    if none:
        found.append(f"No factor is separated by {_listed(none)}.")
    return found


def _seeds(count: int, n: int) -> str:
    return f"{count} of {n} seed{'s' if n > 1 else ''}"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
