"""The public names of the package, read from its sources without importing it."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FURTHER_MODULES = ("unweave.datasets.manifolds", "unweave.encoders.network")
"""Modules that users import from, though no package exports what is in them."""


@dataclass(frozen=True)
class PublicName:
    """A name in the ``__all__`` of a package."""

    package: str
    """Where users import it from."""
    name: str
    identifier: str
    """Where it is defined, in full."""
    kind: str
    """class, function or constant."""
    summary: str
    """The first paragraph of its docstring."""


@functools.cache
def public_names(package: Path) -> tuple[PublicName, ...]:
    """Every public name below the folder of a package, in the order of the modules."""
    return tuple(name for module in public_modules(package) for name in _names(module, package))


def public_modules(package: Path) -> list[str]:
    """Packages with an ``__all__``, modules of packages without one, and some further modules."""
    found = list(FURTHER_MODULES)
    for file in sorted(package.rglob("__init__.py")):
        parts = file.parent.relative_to(package.parent).parts
        if any(part.startswith("_") for part in parts) or parts[1:2] == ("cli",):
            continue
        if _exported(ast.parse(file.read_text(encoding="utf-8"))):
            found.append(".".join(parts))
        elif parts[-1] == "integrations":
            found += [
                ".".join((*parts, module.stem))
                for module in sorted(file.parent.glob("*.py"))
                if not module.stem.startswith("_")
            ]
    return sorted(found)


def module_docstring(module: str, package: Path) -> str:
    """What a module says of itself."""
    return ast.get_docstring(_tree(module, package)) or ""


def _names(module: str, package: Path) -> Iterator[PublicName]:
    folder = package.parent.joinpath(*module.split("."))
    for name in sorted(_exported(_tree(module, package)), key=str.lower):
        if (folder / name / "__init__.py").exists():
            continue  # a package, which has a page of its own
        home, own = _home(module, name, package)
        kind, docstring = _described(_tree(home, package), own)
        summary = " ".join(docstring.strip().split("\n\n")[0].split())
        yield PublicName(module, name, f"{home}.{own}", kind, summary)


def _home(module: str, name: str, package: Path) -> tuple[str, str]:
    """The module that defines a name, through all imports of it, and its name there."""
    source = _sources(module, package).get(name)
    return _home(*source, package) if source else (module, name)


@functools.cache
def _sources(module: str, package: Path) -> dict[str, tuple[str, str]]:
    """The modules of this package and the names there that a module imports, by its own names."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(_tree(module, package))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("unweave.")
        for alias in node.names
    }


@functools.cache
def _tree(module: str, package: Path) -> ast.Module:
    path = package.parent.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def _exported(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return ast.literal_eval(node.value)
    return []


def _described(tree: ast.Module, name: str) -> tuple[str, str]:
    """What a name is, and its docstring; that of a constant is the string that follows it."""
    body = [inner for node in tree.body for inner in _with_branches(node)]
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return "class", ast.get_docstring(node) or ""
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return "function", ast.get_docstring(node) or ""
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        if any(getattr(target, "id", "") == name for target in targets):
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                return "constant", str(after.value.value)
    return "constant", ""


def _with_branches(node: ast.stmt) -> list[ast.stmt]:
    """A statement, or both branches of a condition at the top of a module."""
    return [*node.body, *node.orelse] if isinstance(node, ast.If) else [node]
