"""Every command with every option set to absurd values: a sentence, and never a traceback."""

from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
from cyclopts import App

import unweave.cli

WRONG = {
    int: ["-5", "1.5", "x", "", "nan", "1e400", str(2**70), f"-{2**70}", "\u0661.5"],
    float: ["nan", "inf", "-inf", "1e999", "x", ""],
    str: ["", " ", "\0", "a\0b", "\udcff", "a" * 5000],
    Path: ["", " ", "\0", "a\0b", "\udcff", "a" * 5000],
    bool: ["maybe", "2"],
    Literal: ["bogus", "", "[red]x[/red]"],
}
ODD = {
    int: ["0", "1", "1_000", "0x10", "1000000000", str(2**63 - 1)],
    float: ["0", "-1", "1e-320", "1e308", "1e31"],
    str: ["[red]a[/red]", ":x:", "-", "a,b", "../..", "%s{0}", "\U0001f600", "x" * 300],
    Path: ["[red]a[/red]", ":x:", "nowhere/at/all", "/dev/null/x", "/", ".", "x" * 300, "a\nb"],
}
REQUIRED = {
    ("score",): ["codes.npz"],
    ("compare",): ["codes.npz", "codes.npz"],
    ("stress",): ["mig"],
    ("geomancer",): ["S^2"],
    ("train",): ["vae"],
    ("encode",): ["pixels"],
    ("symmetry",): ["pixels"],
    ("explore",): ["pixels"],
    ("assess",): ["pixels"],
    ("encoders", "show"): ["pixels"],
    ("import",): ["disentangling-vae", "nowhere"],
    ("data", "check"): ["torus"],
    ("data", "show"): ["torus"],
    ("data", "prepare"): ["torus"],
    ("data", "export"): ["dsprites", "dsprites.npz"],
    ("data", "fetch"): ["dsprites"],
    ("study",): ["quick"],
    ("study", "show"): ["quick"],
    ("study", "slurm"): ["quick"],
}
EXPENSIVE = [
    "unweave.metrics.evaluate",
    "unweave.metrics.compare",
    "unweave.metrics.stress_seconds",
    "unweave.geometry.Geomancer.fit",
    "unweave.geometry.Geomancer.set_params",
    "unweave.datasets.manifolds.ProductManifold.sample",
    "unweave.datasets.official.fetching.fetch",
    "unweave.datasets.DSprites.export",
    "unweave.encoders.load_encoder",
    "unweave.explorer.explore",
    "unweave.studies.training_run.TrainingRun.execute",
    "unweave.studies.execution.engine.run_study",
    "unweave.studies.plan.plan",
]


def commands(app: App = unweave.cli.app, path: tuple[str, ...] = ()):
    """Every command that does something, with its words."""
    if path and app.default_command is not None:
        yield path, app
    for name in app:
        if not name.startswith("-"):
            yield from commands(app[name], (*path, name))


COMMANDS = dict(commands())


def kind_of(hint: Any) -> Any:
    """The type that an option takes one word of."""
    if get_origin(hint) is Literal:
        return Literal
    inner = [kind_of(a) for a in get_args(hint) if a not in (NoneType, Ellipsis)]
    return next((k for k in inner if k in WRONG), hint if hint in WRONG else str)


def options():
    """(command, name, kind) of every option and argument."""
    for path, app in COMMANDS.items():
        for argument in app.assemble_argument_collection():
            kind = kind_of(argument.hint)
            yield path, argument.name, kind


def cases(table, every=1):
    """Cases of all options whose values are in the table; all but ``every`` so many are slow."""
    found = [(path, name, kind) for path, name, kind in options() if kind in table]
    return [
        pytest.param(
            path, name, kind, id=f"{'-'.join(path)}:{name}",
            marks=[pytest.mark.slow] if i % every else [],
        )
        for i, (path, name, kind) in enumerate(found)
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def _closed_doors(monkeypatch, tmp_path_factory):
    """What is expensive ends the command at once, as if it had succeeded."""

    def end(*_, **__):
        raise SystemExit(0)

    for name in EXPENSIVE:
        monkeypatch.setattr(name, end)
    folder = tmp_path_factory.mktemp("fuzz")
    monkeypatch.chdir(folder)
    codes = np.arange(24.0).reshape(12, 2)
    np.savez(folder / "codes.npz", codes=codes, factors=codes % 5)


def words_for(path, name, value):
    """A command line with ``value`` for one option, and what the command cannot be without."""
    positional = dict(enumerate(REQUIRED.get(path, [])))
    named = []
    for argument in COMMANDS[path].assemble_argument_collection():
        if argument.name == name and argument.index is None:
            named.append(f"{name.replace('[KEYWORD]', 'beta')}={value}")
        elif argument.name == name:
            positional[argument.index] = value
        elif argument.required and argument.index is None:
            named += [argument.name, "1"]
        elif argument.required:
            positional.setdefault(argument.index, "nowhere")
    return [*path, *(positional[i] for i in sorted(positional)), *named]


def assert_answered(cli, words):
    """Code and message of a command line; fails if it neither says a sentence nor succeeds."""
    code, out, err = cli(*words)
    finds_faults = words[:2] == ["data", "check"] and not err  # and lists them, with code 1
    assert code in ((0, 1, 2) if finds_faults else (0, 2)), (words, code, err)
    assert "Traceback" not in out + err, words
    if code == 2:
        assert err.startswith("error: "), (words, err)
        assert len(err) > len("error: ") + 10, (words, err)
    return code, err


@pytest.mark.parametrize(("path", "name", "kind"), cases(WRONG))
def test_wrong_values_are_refused_by_a_sentence_that_names_the_option(cli, path, name, kind):
    for value in WRONG[kind]:
        code, err = assert_answered(cli, words_for(path, name, value))
        assert code == 2, (path, name, value)
        named = name.replace("[KEYWORD]", "beta").lstrip("-").split("-")[-1]
        assert named.lower() in err.lower(), (path, name, value, err)


@pytest.mark.parametrize(("path", "name", "kind"), cases(ODD, every=4))
def test_odd_values_are_taken_or_refused_by_a_sentence(cli, path, name, kind):
    for value in ODD[kind]:
        assert_answered(cli, words_for(path, name, value))
