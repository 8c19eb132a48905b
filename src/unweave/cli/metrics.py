"""`unweave metrics`."""

from __future__ import annotations

from typing import Any

from unweave.cli.console import print_json, print_line, print_note, print_texts
from unweave.cli.options import Json

__all__ = ["metrics"]

_SHARES = {1: "all", 2: "a half", 5: "a fifth", 10: "a tenth"}


def metrics(name: str | None = None, /, *, json: Json = False) -> None:  # noqa: A002
    """What codes can be scored by: ranges, options, what each needs and what it costs.

    Parameters
    ----------
    name
        A metric, to see it alone: a short name or package.module:MyMetric.
    json
        Print JSON instead of a table.
    """
    from unweave.metrics.catalogue import METRICS, chosen

    shown = METRICS if name is None else chosen(name)
    if json:
        print_json({"metrics": {key: _facts(one) for key, one in shown.items()}})
        return
    if name is not None:
        for key, one in shown.items():
            _print_one(key, one)
        return
    columns = [
        "names", "metrics", "range", "options and their defaults", "needs", "independence", "draws",
    ]  # fmt: skip
    together: dict[Any, list[Any]] = {}
    for one in shown.values():
        together.setdefault(one.metric, []).append(one)
    rows = [
        (
            "\n".join(one.name for one in own),
            "\n".join(one.title for one in own),
            metric.range,
            "\n".join(_options(own[0])),
            _needs(own[0]),
            "\n".join("assumed" if _assumes(one) else "not assumed" for one in own),
            _share(own[0]),
        )
        for metric, own in together.items()
    ]
    print_texts("Metrics", columns, rows)
    print_note(
        "independence: whether a score is to be read on factors that are independent. "
        "draws: the share of the draws of noise that are taken, less where fits are expensive. "
        "Those that need to be named are not computed by default. "
        "`unweave metrics NAME` shows one.",
        style="dim",
    )


def _print_one(key: str, one: Any) -> None:
    print_line(f"{key}: {one.title}")
    about = (type(one.metric).__doc__ or "").strip().partition("\n")[0]
    facts = {
        "reads": about,
        "range": one.metric.range,
        "options": ", ".join(_options(one)) or "none",
        "needs": _needs(one),
        "draws": f"{_share(one)} of the draws of noise" if one.metric.cost > 1 else "all",
        "best": "small" if one.metric.best_when_small else "large",
        "computed": "by default" if one.metric.by_default else "where it is named",
        "factors": "should be independent" if _assumes(one) else "may depend on each other",
    }
    for what, text in facts.items():
        print_line(f"  {what}: {text}")


def _options(one: Any) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in one.metric.options.items()]


def _value(value: object) -> str:
    return "none" if value is None else str(value)


def _needs(one: Any) -> str:
    metric = one.metric
    needs = [f"{metric.min_latents} latents"] * (metric.min_latents > 1)
    needs += [f"{metric.min_factors} factors"] * (metric.min_factors > 1)
    needs += ["two values a factor"] * metric.needs_binary
    needs += ["no factors"] * (not metric.needs_factors)
    needs += ["levels"] * (metric.needs_factors and metric.level_bins is not None)
    needs += ["to be named"] * (not metric.by_default)
    return ", ".join(needs)


def _assumes(one: Any) -> bool:
    return one.metric.assumes_independence(one.name)


def _share(one: Any) -> str:
    return _SHARES.get(one.metric.cost, f"1 / {one.metric.cost}")


def _facts(one: Any) -> dict[str, Any]:
    """What a program wants to know of a metric."""
    metric = one.metric
    return {
        "title": one.title,
        "family": metric.family,
        "range": metric.range,
        "options": metric.options,
        "min_latents": metric.min_latents,
        "min_factors": metric.min_factors if metric.needs_factors else 0,
        "needs_levels": metric.needs_factors and metric.level_bins is not None,
        "needs_binary": metric.needs_binary,
        "takes_groups": metric.takes_groups,
        "takes_test": metric.takes_test,
        "best_when_small": metric.best_when_small,
        "assumes_independence": _assumes(one),
        "cost": metric.cost,
        "by_default": metric.by_default,
    }
