"""Every metric by its name, and metrics as users name them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from unweave._check import check_choice, suggestion
from unweave._objects import imported_object, is_object_name
from unweave.metrics._groups import GroupsOption
from unweave.metrics.metric import FAMILIES, Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Score

__all__ = [
    "BEST_WHEN_SMALL",
    "BY_DEFAULT",
    "GROUPED",
    "LABEL_FREE",
    "METRICS",
    "Choice",
    "MetricLike",
    "check_form",
    "chosen",
    "is_best_when_small",
    "needs_factors",
    "one_score",
    "title",
]

# of this list
_READERS = ("catalogue", "comparison", "evaluation", "mean_against_sample", "stress")
_OF_EVERY = ("factor_names", "factor_kinds", "groups", "test", "noise", "seed")
_ASKED = "a name, a table of a name and options, package.module:MyMetric, or a Metric"


@dataclass(frozen=True)
class Choice:
    """One score of a metric; called with codes and factors it gives the score."""

    metric: Metric
    name: str

    @property
    def title(self) -> str:
        """For people."""
        titles = dict(zip(self.metric.names, self.metric.titles, strict=False))
        return titles.get(self.name, self.name.replace("_", " "))

    def with_options(self, options: Mapping[str, Any]) -> Choice:
        """The same with other options.

        Raises
        ------
        ValueError
            If it has no such option, or the value cannot be used.
        """
        known = [field.name for field in fields(self.metric)]
        for name in options:
            if name not in known:
                near = suggestion(str(name), (*known, *_OF_EVERY))
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise ValueError(f"{self.name} has no option {name!r}{near}; {has}")
        return Choice(replace(self.metric, **options), self.name)

    def __call__(
        self,
        codes: object,
        factors: object = None,
        *,
        factor_names: Sequence[str] | None = None,
        factor_kinds: Sequence[str | None] | None = None,
        groups: GroupsOption | None = None,
        test: tuple[object, object] | None = None,
        noise: Noise | None = Noise(),  # noqa: B008 - frozen
        seed: int = 0,
        **options: Any,
    ) -> Score:
        """The score of codes and factors; ``options`` are those of the metric."""
        metric = self.with_options(options).metric
        given = (("groups", groups, metric.takes_groups), ("test", test, metric.takes_test))
        for option, value, is_taken in given:
            if value is not None and not is_taken:
                what = "groups of latents" if option == "groups" else "test rows"
                raise ValueError(f"{self.name} takes no {what}: leave {option} out")
        sample = Sample.of(
            codes, factors, factor_names, factor_kinds, groups=groups, test=test, seed=seed
        )
        return score(metric, sample, noise)[self.name]


MetricLike = str | Mapping[str, Any] | Metric | type[Metric]
"""A name of ``METRICS``; a mapping with a ``name`` and options; ``package.module:MyMetric``; or a
metric."""


def _found() -> dict[str, Choice]:
    """A choice for each name of the metrics in this folder, family by family."""
    classes: dict[type[Metric], None] = {}
    for info in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if info.name.startswith("_") or info.name in _READERS:
            continue
        module = importlib.import_module(f"unweave.metrics.{info.name}")
        own = (value for value in vars(module).values() if _is_metric(value, module.__name__))
        classes |= dict.fromkeys(own)
    ordered = sorted(classes, key=lambda metric: FAMILIES.index(metric.family))
    return {name: Choice(metric(), name) for metric in ordered for name in metric.names}


def _is_metric(value: object, module: str) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, Metric)
        and not inspect.isabstract(value)
        and value.__module__ == module
        and value.is_listed
    )


METRICS: dict[str, Choice] = _found()
"""Each metric by its short name: a function of codes and factors, and of its own options."""

BY_DEFAULT = tuple(name for name, one in METRICS.items() if one.metric.by_default)
"""Short names of the metrics that are computed where none are named."""

BEST_WHEN_SMALL = tuple(name for name, one in METRICS.items() if one.metric.best_when_small)
"""Short names of the metrics of which 0 is the best."""

GROUPED = tuple(name for name, one in METRICS.items() if one.metric.takes_groups)
"""Short names of the metrics in which groups of latents may take the place of latents."""

LABEL_FREE = tuple(name for name, one in METRICS.items() if not one.metric.needs_factors)
"""Short names of the metrics that need no factors."""


def title(key: str) -> str:
    """A metric's name for people, from its key in a table: ``MIG (n_bins=40)``."""
    name, _, options = key.partition("(")
    own = METRICS[name].title if name in METRICS else name.replace("_", " ")
    return f"{own} ({options}" if options else own


def needs_factors(key: str) -> bool:
    """Whether the metric with this key in a table reads factors; one of a stranger does."""
    return key.partition("(")[0] not in LABEL_FREE


def is_best_when_small(key: str) -> bool:
    """Whether 0 is the best of the metric with this key in a table; not of a stranger's."""
    return key.partition("(")[0] in BEST_WHEN_SMALL


def check_form(metric: object) -> None:
    """Check what a file says of a metric, without importing anything.

    Raises
    ------
    ValueError
        If there is no such metric, or it has no such options.
    """
    if not isinstance(metric, str | Mapping):
        raise ValueError(f"{metric!r} is not a metric: give {_ASKED}")
    name = metric if isinstance(metric, str) else metric.get("name")
    if not (isinstance(name, str) and is_object_name(name)):
        _choices(metric)


def chosen(
    metrics: Sequence[MetricLike] | MetricLike | Mapping[str, Choice],
) -> dict[str, Choice]:
    """What users ask for, by the key under which its score is kept; choices by key stay so.

    That is its name, with the options that are not the defaults where the list has the metric more
    than once: ``mig(n_bins=40)`` beside ``mig``.

    Raises
    ------
    ValueError
        If there is no such metric or option, or two different metrics have one name.
    """
    if isinstance(metrics, Mapping) and all(isinstance(one, Choice) for one in metrics.values()):
        return dict(metrics)
    if isinstance(metrics, str | Mapping | Metric | type):
        metrics = [metrics]
    found: list[Choice] = []
    for asked in metrics:
        found += [one for one in _choices(asked) if one not in found]
    classes: dict[str, type[Metric]] = {}
    for one in found:
        if classes.setdefault(one.name, type(one.metric)) is not type(one.metric):
            raise ValueError(
                f"two metrics are called {one.name!r}, {_where(classes[one.name])} and "
                f"{_where(type(one.metric))}: give one of them another name"
            )
    names = [one.name for one in found]
    return {one.name if names.count(one.name) == 1 else _key(one): one for one in found}


def one_score(metric: MetricLike, options: Mapping[str, Any]) -> tuple[Choice, dict[str, Any]]:
    """The one score that a metric gives, and what is left of ``options`` for all metrics.

    Raises
    ------
    ValueError
        If there is no such metric or option, or the metric gives several scores.
    """
    found = list(chosen(metric).values())
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise ValueError(
            f"{type(found[0].metric).__name__} gives {len(found)} scores, {names}, and one is "
            "needed here: give a name, or a mapping of a name and options"
        )
    own = {key: value for key, value in options.items() if key not in _OF_EVERY}
    rest = {key: value for key, value in options.items() if key in _OF_EVERY}
    return found[0].with_options(own), rest


def _choices(asked: object) -> list[Choice]:
    """The scores of one metric that a user asks for."""
    if isinstance(asked, Mapping):
        if not isinstance(asked.get("name"), str):
            raise ValueError(f"{dict(asked)!r} names no metric: give it a name, as {{name='mig'}}")
        options = {key: value for key, value in asked.items() if key != "name"}
        return [one.with_options(options) for one in _choices(asked["name"])]
    if isinstance(asked, str):
        if not is_object_name(asked):
            return [METRICS[check_choice("metric", asked, METRICS)]]
        asked = imported_object(asked, "a Metric, or of a class of them")
    if isinstance(asked, type) and issubclass(asked, Metric):
        asked = _made(asked)
    if not isinstance(asked, Metric):
        raise ValueError(f"{asked!r} is not a metric: give {_ASKED}")
    _check_names(asked)
    return [Choice(asked, name) for name in asked.names]


def _made(metric: type[Metric]) -> Metric:
    try:
        return metric()
    except TypeError as error:
        raise ValueError(
            f"{metric.__name__} cannot be made without options ({error}): give every option a "
            "default, and write read"
        ) from error


def _check_names(metric: Metric) -> None:
    """Refuse a metric without names, and one of another package with a name of ours."""
    names: Any = getattr(metric, "names", None)
    which = _where(type(metric))
    is_named = isinstance(names, tuple) and names and all(isinstance(n, str) and n for n in names)
    if not is_named or len(set(names)) < len(names):
        raise ValueError(
            f"{which} has names = {names!r}: a tuple of different short names is needed, as "
            "names = ('mine',)"
        )
    taken = [n for n in names if n in METRICS and type(METRICS[n].metric) is not type(metric)]
    if taken:
        raise ValueError(
            f"two metrics are called {taken[0]!r}, {which} and that of unweave: give "
            f"{type(metric).__name__} other names"
        )


def _where(metric: type[Metric]) -> str:
    return f"{metric.__module__}.{metric.__qualname__}"


def _key(one: Choice) -> str:
    """The name, with the options that are not the defaults."""
    default = {field.name: field.default for field in fields(one.metric)}
    own = [f"{key}={value}" for key, value in one.metric.options.items() if value != default[key]]
    return f"{one.name}({', '.join(own)})" if own else one.name
