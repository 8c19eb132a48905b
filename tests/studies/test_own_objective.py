"""An objective from outside the package, as docs/write_your_own/objective.md writes one."""

import json
import re
import sys
from pathlib import Path
from typing import Literal

import pytest
from pydantic import TypeAdapter

from unweave.models.objectives import (
    OBJECTIVES,
    AnyObjective,
    BetaVAE,
    Objective,
    objective_class,
)
from unweave.reports.findings import label_objectives
from unweave.studies import TrainingStudy, open_study, read_table
from unweave.studies.loading import checked_study, load_study
from unweave.training.checkpoint import steps_done

PAGE = Path(__file__).parents[2].joinpath("docs", "write_your_own", "objective.md").read_text()
MODULE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
(STUDY,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
NAME = "free_nats:FreeNats"
SMALL = """
[network]
width = 0.125
n_latents = 2

[training]
batch_size = 8
precision = "32-true"

[evaluation]
rows = 200
metrics = ["mig"]
n_permutations = 3
n_projections = 3
n_halves = 3
"""


@pytest.fixture
def here(tmp_path, monkeypatch, forgotten):
    """A folder with the page's files in it, from which commands are called."""
    (tmp_path / "free_nats.py").write_text(MODULE)
    (tmp_path / "nats.toml").write_text(
        STUDY.replace("2_000", "3").replace("[[", SMALL + "\n[[", 1)
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def own(here):
    """The page's class."""
    return objective_class(NAME)


def test_it_goes_through_train(here, cli, forgotten, shared_cache):
    words = ["train", NAME, "--dataset", "torus", "--batch-size", 8, "--width", 0.125]
    words += ["--latents", 2, "--precision", "32-true", "--out", "run"]
    code, out, err = cli(*words, "--steps", 2, "--nats", 5)
    assert code == 0, err
    assert "free_nats: 2 steps" in out
    objective = json.loads(Path("run/config.json").read_text())["objective"]
    assert objective == {"name": NAME, "likelihood": "bernoulli", "nats": 5.0}
    assert Path("run/curves.csv").read_text().startswith("step,loss,reconstruction,kl,beyond,kl_0")

    forgotten()
    code, out, err = cli(*words, "--steps", 3, "--nats", 5)  # resumes
    assert code == 0, err
    assert steps_done("run") == 3
    code, out, err = cli(*words, "--steps", 4, "--nats", 6)
    assert code == 2
    assert "objective.nats is 5.0 there and 6.0 here" in err
    code, out, err = cli(*words, "--steps", 4, "--gnats", 6)
    assert code == 2
    assert f"--gnats is not an option of {NAME} (`unweave objectives {NAME}` lists them)" in err
    code, out, err = cli("objectives", NAME)
    assert code == 0, err
    assert "--nats 3.0" in out
    assert "free nats" in out

    forgotten()
    Path("free_nats.py").write_text("raise RuntimeError('this is the code of a stranger')")
    for words in (["show", "run"], ["export", "run", "--out", "pack"]):
        code, out, err = cli(*words)
        assert code == 0, err
    assert NAME in Path("pack/README.md").read_text()


def test_it_goes_through_a_study(here, cli, forgotten, shared_cache):
    code, out, err = cli("study", "nats.toml", "--workers", 1)
    assert code == 0, err
    folder = Path("studies", "nats")
    objectives = json.loads((folder / "study.json").read_text())["cells"][0]["objectives"]
    assert [one["name"] for one in objectives] == ["vae", NAME, NAME]
    page = (folder / "report.html").read_text()
    assert "free nats (nats = 6)" in page

    forgotten()
    code, out, err = cli("study", "table", folder, "--json", "--trust", NAME)
    assert code == 0, err
    rows = json.loads(out)["rows"]
    named = {(row["objective"], row["options"]) for row in rows}
    assert named == {("vae", None), (NAME, None), (NAME, "nats = 6")}
    code, out, err = cli("study", "table", folder)
    assert code == 0, err
    assert "nats = 6" in out
    assert "strength" not in out  # a column without a value
    table = label_objectives(read_table(folder))  # its class is imported now
    assert set(table["label"]) == {"VAE", "free nats", "free nats (nats = 6)"}
    assert table["key"].n_unique() == 3

    for words in (["report"], ["udr", "--rows", 100]):
        forgotten()
        code, out, err = cli("study", words[0], folder, *words[1:], "--trust", NAME)
        assert code == 0, err
    # Resumes: a further seed, by a process that has not imported the class.
    forgotten()
    before = {f: f.stat().st_mtime_ns for f in folder.glob("runs/*/result.json")}
    Path("nats.toml").write_text(Path("nats.toml").read_text().replace("[0, 1]", "[0, 1, 2]"))
    code, out, err = cli("study", "nats.toml", "--workers", 1)
    assert code == 0, err
    assert len(list(folder.glob("runs/*/result.json"))) == 9
    assert all(file.stat().st_mtime_ns == time for file, time in before.items())


def test_a_folder_of_a_stranger_runs_no_code(here, cli, forgotten):
    study = load_study("nats.toml")
    content = study.model_dump(mode="json")
    shipped = {**content, "cells": [{**content["cells"][0], "objectives": [{"name": "vae"}]}]}
    by_axis = json.loads(json.dumps(shipped))
    by_axis["cells"][0]["axes"] = {"objective.name": ["vae", NAME]}
    Path("free_nats.py").write_text("raise RuntimeError('this is the code of a stranger')")
    for one in (content, by_axis):
        forgotten()
        Path("study.json").write_text(json.dumps(one))
        for words in (["table"], ["report"], ["udr"], ["explore"], ["merge", "--out", "whole"]):
            code, _, err = cli("study", words[0], ".", *words[1:])
            assert code == 2
            assert f"names {NAME}, which is not part of unweave" in err
            assert f"add --trust {NAME}" in err
        assert "free_nats" not in sys.modules
        with pytest.raises(RuntimeError, match="the code of a stranger"):
            open_study(".", trust=[NAME])


def test_python_takes_an_object(own, here):
    content = load_study("nats.toml").model_dump()
    cells = {**content["cells"][0], "objectives": (own(nats=2), own(nats=3), BetaVAE(beta=2))}
    study = TrainingStudy(**{**content, "cells": (cells,)})
    assert [run.objective.label for run in study.descriptions[:3]] == [
        "free nats (nats = 2)", "free nats", "β-VAE (β = 2)",
    ]  # fmt: skip
    assert TrainingStudy(**study.model_dump(mode="json")) == study


def test_a_class_in_a_function_is_refused_by_studies(here):
    class Local(Objective):
        name: Literal["local"] = "local"

    with pytest.raises(ValueError, match="lies in a function, where no other process finds it"):
        TypeAdapter(AnyObjective).validate_python(Local())


WRONG = """
from typing import Literal
from unweave.models.objectives import Objective

class Nothing(Objective):
    name: Literal["nothing"] = "nothing"

class Nameless(Objective):
    def loss(self, seen):
        return Loss(seen.reconstruction)
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vea", "unknown objective 'vea' .did you mean 'vae'"),
        ("nowhere:Class", "there is no module nowhere to load nowhere:Class from"),
        ("json:loads", "json:loads is not an objective: name a class that inherits from"),
        ("free_nats:FreNats", "the module free_nats has no FreNats .did you mean 'FreeNats'"),
        ("wrong:Nothing", "wrong:Nothing has no loss: give the class a method loss"),
        ("wrong:Nameless", "wrong:Nameless has no name: give the class a field as name: Literal"),
    ],
)
def test_what_is_not_an_objective_is_refused(here, cli, name, message):
    Path("wrong.py").write_text(WRONG)
    code, _, err = cli("train", name, "--dataset", "torus")
    assert code == 2
    assert re.search(message, " ".join(err.split()))


def test_what_is_wrong_with_its_options_is_told(own, here):
    text = Path("nats.toml").read_text()
    for given, message in (("-6", "greater than or equal to 0"), ("'x'", "a valid number")):
        Path("nats.toml").write_text(text.replace("nats = 6", f"nats = {given}"))
        with pytest.raises(ValueError, match=rf"cells\.0\.objectives\.2: .*{message}"):
            load_study("nats.toml")
    Path("nats.toml").write_text(text.replace("nats = 6", "natts = 6"))
    with pytest.raises(ValueError, match="unknown key 'natts' in cells.0.objectives.2"):
        load_study("nats.toml")


def test_its_defaults_are_taken(own, here):
    Path("paper.py").write_text(
        "from free_nats import FreeNats\n\n\nclass Paper(FreeNats):\n"
        "    defaults = {'network': {'n_latents': 7}, 'training': {'learning_rate': 0.5}}\n"
    )
    content = load_study("nats.toml").model_dump(mode="json")
    content |= {"network": {"width": 0.125}, "training": {"batch_size": 8}}
    content["cells"][0]["objectives"] = [{"name": "paper:Paper"}]
    run = checked_study(content, "here").descriptions[0]
    assert run.network.n_latents == 7
    assert run.training.learning_rate == 0.5


@pytest.mark.parametrize("name", OBJECTIVES)
def test_names_and_labels_of_the_package(name):
    objective = OBJECTIVES[name]()
    assert objective.full_name() == name
    assert objective.model_dump()["name"] == name
    assert objective.options == ""
    other = OBJECTIVES[name](likelihood="laplace")
    assert other.options == "likelihood = laplace"
    assert "likelihood = laplace" in other.label
    assert objective_class(name) is OBJECTIVES[name]


def test_options_are_what_the_strength_does_not_show():
    assert BetaVAE(beta=2).options == ""
    assert BetaVAE(beta=2, likelihood="gaussian").label == "β-VAE (β = 2, likelihood = gaussian)"
    annealed = OBJECTIVES["annealed_vae"](gamma=7, max_capacity=3)
    assert annealed.strength == 3
    assert annealed.options == "gamma = 7"
