"""What the site has beyond the files in ``docs``: generated pages, the navigation, and links.

A new page, metric, example, decision or public name appears by itself.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from docstrings import anchors, markdown
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from public import PublicName, module_docstring, public_modules, public_names

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "unweave"
FROM_ROOT = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
}
"""Files beside ``docs`` that are pages, too."""
FOLDERS = {
    "README.md": "index.md",
    "docs": "index.md",
    "docs/decisions": "decisions/index.md",
    "examples": "gallery.md",
    "src/unweave": "reference/index.md",
}
"""Pages that stand for what the repository shows in its own way."""

SECTIONS: dict[str, tuple[str, ...]] = {
    "Start": ("index.md", "install.md", "how_to.md", "gallery.md", "examples/*"),
    "Tutorials": (
        "tutorials/README.md",
        "tutorials/measure.md",
        "tutorials/own_data.md",
        "tutorials/train.md",
        "tutorials/pretrained.md",
        "tutorials/study.md",
        "tutorials/*",
    ),
    "Guides": (
        "data.md",
        "files.md",
        "models.md",
        "encoders.md",
        "explorer.md",
        "studies.md",
    ),
    "Metrics": ("metrics/README.md", "metrics/choose.md", "metrics/*"),
    "Write your own": (
        "write_your_own/README.md",
        "metrics/write_your_own.md",
        "write_your_own/*",
        "kinds.md",
    ),
    "Explanations": (
        "answer.md",
        "agreement.md",
        "geomancer.md",
        "symmetry.md",
        "generalisation.md",
        "*",
        "results/README.md",
    ),
    "Decisions": ("decisions/index.md", "decisions/*"),
    "Reference": ("reference/index.md",),
    "Project": (*FROM_ROOT.values(), "security.md"),
}
"""The navigation. ``folder/*`` is every page of a folder that no entry names."""

LINK = re.compile(r"(?<=\]\()(?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?(?=\))")
CELL = re.compile(r"^# ?%%", re.M)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are generated, and make the navigation of all there are."""
    for name, uri in FROM_ROOT.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / name)))
    for uri, content in generated_pages():
        files.append(File.generated(config, uri, content=content))
    config.nav = navigation([file.src_uri for file in files.documentation_pages()])
    return files


def on_page_markdown(text: str, page: Page, **kwargs: Any) -> str:
    """Point links that leave ``docs`` to the pages that stand for their targets."""
    if page.file.src_uri.startswith("reference/"):
        return text
    return LINK.sub(lambda found: site_link(found, page.file.src_uri), text)


def generated_pages() -> Iterator[tuple[str, str]]:
    """Address and text of the reference, the examples and the list of decisions."""
    names = public_names(PACKAGE)
    modules = public_modules(PACKAGE)
    homes = home_pages(names)
    yield "reference/index.md", reference_index(modules)
    for module in modules:
        own = [name for name in names if name.package == module]
        yield f"reference/{module}/index.md", module_page(module, own, homes)
        for name in own:
            if posixpath.dirname(homes[name.identifier]) == module:
                yield f"reference/{homes[name.identifier]}", name_page(name)
    for example in sorted((ROOT / "examples").glob("plot_*.py")):
        yield f"examples/{example.stem}.md", example_page(example)
    yield "decisions/index.md", decisions_index()


def home_pages(names: Iterable[PublicName]) -> dict[str, str]:
    """The page of each identifier: in the innermost of the packages that export it.

    Names that differ in their case alone have their kind in the file's name, because some file
    systems take them for one.
    """
    innermost = sorted(names, key=lambda name: len(name.package))
    homes = {name.identifier: name for name in innermost}.values()
    counts = Counter((name.package, name.name.lower()) for name in homes)
    return {
        name.identifier: f"{name.package}/{name.name}"
        + (f"-{name.kind}" if counts[name.package, name.name.lower()] > 1 else "")
        + ".md"
        for name in homes
    }


def navigation(pages: Iterable[str]) -> list[Any]:
    """The entries of the navigation; a page that no section would show is an error."""
    left = set(pages)
    named = {entry for entries in SECTIONS.values() for entry in entries}
    sections: dict[str, list[Any]] = {}
    for title, entries in SECTIONS.items():
        shown: list[Any] = []
        for entry in entries:
            found = matching(entry, left, named)
            left.difference_update(found)
            shown.extend(found)
        sections[title] = shown
    for module in public_modules(PACKAGE):
        own = sorted(
            (uri for uri in left if posixpath.dirname(uri) == f"reference/{module}"),
            key=lambda uri: (not uri.endswith("/index.md"), uri.lower()),
        )
        left.difference_update(own)
        sections["Reference"].append({module: own})
    if left:
        raise ValueError(
            f"the site has no place for {', '.join(sorted(left))}: name the page or its folder in "
            "SECTIONS of docs/site/hooks.py"
        )
    return [{title: shown} for title, shown in sections.items() if shown]


def matching(entry: str, pages: set[str], named: set[str]) -> list[str]:
    """The pages that an entry of the navigation stands for."""
    if not entry.endswith("*"):
        return [entry] if entry in pages else []
    folder = posixpath.dirname(entry)
    return sorted(uri for uri in pages - named if posixpath.dirname(uri) == folder)


def site_link(found: re.Match[str], uri: str) -> str:
    """A relative link of the repository as one of the site; others stay as they are."""
    target, anchor = found["target"], found["anchor"] or ""
    if re.match(r"[a-z]+:", target):
        return found[0]
    folder = "" if uri in FROM_ROOT.values() else posixpath.dirname(f"docs/{uri}")
    path = posixpath.normpath(posixpath.join(folder, target))
    if path in FOLDERS:
        page = FOLDERS[path]
    elif path in FROM_ROOT:
        page = FROM_ROOT[path]
    elif re.fullmatch(r"examples/plot_\w+\.py", path):
        page = path.replace(".py", ".md")
    elif path.startswith("docs/"):
        page = path.removeprefix("docs/")
    else:
        return found[0]
    return posixpath.relpath(page, posixpath.dirname(uri) or ".") + anchor


def reference_index(modules: list[str]) -> str:
    """A row for each module."""
    rows = [
        f"| [`{module}`]({module}/index.md) | {first_sentence(module_docstring(module, PACKAGE))} |"
        for module in modules
    ]
    return "\n".join(
        ["# Reference", "", "Everything public, from its docstrings.", "", *table("module", rows)]
    )


def module_page(module: str, names: list[PublicName], homes: dict[str, str]) -> str:
    """What a module says of itself, and a table of each kind of names in it."""
    pages = anchors(PACKAGE)
    lines = [f"# `{module}`", "", markdown(module_docstring(module, PACKAGE), pages)]
    for kind, title in (("class", "Classes"), ("function", "Functions"), ("constant", "Constants")):
        rows = [
            f"| [`{name.name}`](../{homes[name.identifier]}) | {markdown(name.summary, pages)} |"
            for name in names
            if name.kind == kind
        ]
        if rows:
            lines += ["", f"## {title}", "", *table("name", rows)]
    return "\n".join(lines)


def table(first: str, rows: list[str]) -> list[str]:
    """Rows of two columns under their heads."""
    return [f"| {first} | what it is |", "| --- | --- |", *rows]


def name_page(name: PublicName) -> str:
    """The page of one public name."""
    return (
        f"---\ntitle: {name.name}\n---\n"
        f'<p class="import">from {name.package} import {name.name}</p>\n\n'
        f"::: {name.identifier}\n"
    )


def first_sentence(text: str) -> str:
    """First sentence of a docstring, without the point."""
    return text.split("\n\n")[0].replace("\n", " ").removesuffix(".")


def example_page(path: Path) -> str:
    """A script of the gallery as a page: its docstring, its cells and its picture."""
    source = path.read_text(encoding="utf-8")
    title, _, text = (ast.get_docstring(ast.parse(source)) or "").partition("\n")
    text = text.strip("=\n")
    code = source.split('"""\n', 2)[2].strip("\n")
    name = path.stem.removeprefix("plot_")
    lines = [f"# {title}", "", text, "", f"![{title}](../{name}.png)", ""]
    for cell in CELL.split(code):
        lines += cell_lines(cell.strip("\n"))
    lines += [f"Run it: `python examples/{path.name}`."]
    return "\n".join(lines)


def cell_lines(cell: str) -> list[str]:
    """The comment that begins a cell as a paragraph, and its code."""
    lines = cell.split("\n")
    n_comments = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    prose = " ".join(line.removeprefix("#").strip() for line in lines[:n_comments])
    code = "\n".join(lines[n_comments:]).strip("\n")
    shown = ["```python", code, "```", ""] if code else []
    return [prose, "", *shown]


def decisions_index() -> str:
    """A line for each decision."""
    files = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    titles = [(file.name, file.read_text(encoding="utf-8").split("\n")[0]) for file in files]
    rows = [f"- [{title.removeprefix('# ')}]({name})" for name, title in titles]
    text = "Choices that a reader may question: what was chosen, what was rejected, and why."
    return "\n".join(["# Decisions", "", text, "", *rows])
