"""The page, as one file without a request to anywhere."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

import unweave
from unweave.explorer.archive import pack

__all__ = ["MODULES", "assemble"]

MODULES = (
    "archive", "compare", "dom", "factors", "information", "latents", "main", "map", "network",
    "picture", "session", "statistics",
)  # fmt: skip
"""Scripts of the page, each a module ``unweave/NAME``."""


def assemble(content: Mapping[str, Any], *, title: str, is_served: bool = False) -> str:
    """The page as text.

    Scripts are ES modules in `data:` URLs. An import map names them, so that one file holds all of
    them.

    Parameters
    ----------
    content
        What it shows, of :mod:`unweave.explorer.content`.
    title
        Its heading.
    is_served
        Whether a server behind the page has the images that it does not hold.
    """
    whole = {**content, "title": title, "is_served": is_served, "version": unweave.__version__}
    modules = {f"unweave/{name}": _address(_file(f"{name}.js")) for name in MODULES}
    parts = {
        "TITLE": html.escape(title),
        "VERSION": unweave.__version__,
        "STYLE": _file("style.css"),
        "IMPORTS": json.dumps({"imports": modules}),
        "CONTENT": pack(whole),
    }
    return re.sub("%([A-Z]+)%", lambda found: parts[found[1]], _file("page.html"))


def _file(name: str) -> str:
    return (resources.files("unweave.explorer") / "page" / name).read_text(encoding="utf-8")


def _address(script: str) -> str:
    return "data:text/javascript;base64," + base64.b64encode(script.encode()).decode()
