"""Pages that need no network and no script."""

from __future__ import annotations

from importlib import resources
from typing import Any

import jinja2

import unweave
from unweave.metrics.catalogue import title as metric_name

__all__ = ["render"]


def render(template: str, content: dict[str, Any]) -> str:
    """One of the templates in this folder, filled in."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(
            lambda name: (resources.files("unweave.reports") / name).read_text(encoding="utf-8")
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["thousands"] = lambda n: f"{n:,}"
    environment.filters["number"] = lambda x, digits: "–" if x is None else f"{x:.{digits}f}"
    environment.filters["metric_name"] = metric_name
    return environment.get_template(template).render(version=unweave.__version__, **content)
