"""The markup of docstrings, turned from reStructuredText to Markdown while they are read."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
from latex2mathml.converter import convert
from public import public_names

ROLE = re.compile(r":(?P<role>func|class|meth|data|mod|attr|math):`(?P<text>[^`]+)`")
FORMULA = re.compile(r"^\.\. math::(?P<first>[^\n]*)\n(?P<rest>(?:[ \t]*\n|[ \t]+[^\n]*\n)*)", re.M)
EXAMPLE = re.compile(r"(?:^>>>[^\n]*\n(?:[^\n]+\n)*)(?:\n+>>>[^\n]*\n(?:[^\n]+\n)*)*", re.M)
JOINT = re.compile(
    r"^(?P<names>\w+(?:, \w+)+)\n(?P<text>(?:[ \t]+\S[^\n]*\n|[ \t]*\n(?=[ \t]))+)", re.M
)
MARKDOWN_CHARACTERS = str.maketrans({c: f"&#{ord(c)};" for c in "*_`\\[]"})


class MarkdownDocstrings(griffe.Extension):
    """Roles become links, formulas MathML, and examples sections of their own."""

    def on_package(self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **kwargs: Any) -> None:
        """Rewrite every docstring of a package once it is loaded."""
        pages = anchors(Path(str(pkg.filepath)).parent.resolve())
        for docstring in docstrings(pkg):
            docstring.value = markdown(docstring.value, pages)


@functools.cache
def anchors(package: Path) -> dict[str, str]:
    """Where each public name is defined: by its full name, and by its short one if it is clear."""
    named = [(f"{name.package}.{name.name}", name) for name in public_names(package)]
    short: dict[str, list[str]] = {}
    for _, name in named:
        short.setdefault(name.name, []).append(name.identifier)
    clear = {name: found[0] for name, found in short.items() if len(set(found)) == 1}
    return {**clear, **{full: name.identifier for full, name in named}}


def docstrings(obj: griffe.Object) -> Iterator[griffe.Docstring]:
    """Those of an object and of all that it holds."""
    if obj.docstring is not None:
        yield obj.docstring
    for member in obj.members.values():
        if not member.is_alias:
            yield from docstrings(member)  # type: ignore[arg-type]


def markdown(text: str, pages: dict[str, str]) -> str:
    """A docstring in Markdown, whose sections are numpydoc's."""
    text = FORMULA.sub(_formula, f"{text}\n")
    text = ROLE.sub(lambda found: _role(found, pages), text)
    text = JOINT.sub(_separate, text)
    return EXAMPLE.sub(_example, text).strip("\n")


def _formula(found: re.Match[str]) -> str:
    source = " ".join(f"{found['first']} {found['rest']}".split())
    return f"\n{mathml(source, display='block')}\n\n"


def _role(found: re.Match[str], pages: dict[str, str]) -> str:
    text = found["text"]
    if found["role"] == "math":
        return mathml(text, display="inline")
    full = text.removeprefix("~")
    shown = full.rpartition(".")[2] if text.startswith("~") else full
    owner, _, member = full.rpartition(".")
    target = pages.get(full)
    if target is None and owner in pages:  # a method of a public class
        target = f"{pages[owner]}.{member}"
    return f"[`{shown}`][{target}]" if target else f"`{shown}`"


def _separate(found: re.Match[str]) -> str:
    """Parameters that share a text, one by one: griffe gives all the type of the first."""
    return "".join(f"{name}\n{found['text']}" for name in found["names"].split(", "))


def _example(found: re.Match[str]) -> str:
    before = found.string[: found.start()]
    if re.search(r"^Examples\n-+\n\s*$", before, re.M):
        return found[0]
    return f"Examples\n--------\n{found[0]}"


def mathml(source: str, *, display: str) -> str:
    """A formula as browsers show it without a script, safe from Markdown."""
    return convert(source, display=display).translate(MARKDOWN_CHARACTERS)
