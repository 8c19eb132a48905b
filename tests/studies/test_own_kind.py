"""A kind of study from outside the package, as docs/kinds.md writes one, and kinds by name."""

import json
import re
import sys
from pathlib import Path

import pytest

from unweave.reports import write_report
from unweave.studies import BaseStudy, ManifoldStudy, open_study, read_table, run_study
from unweave.studies.folder import write_study
from unweave.studies.kind import KINDS
from unweave.studies.loading import checked_study

PAGE = (Path(__file__).parents[2] / "docs" / "kinds.md").read_text(encoding="utf-8")
MODULE, SCRIPT = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(FILE,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
NAME = "samples:SampleStudy"
OWN = """
from samples import SampleStudy

class Loud(SampleStudy):
    may_differ = {"seeds"}

    @property
    def size(self):
        return "not much"

    def plan(self, *, workers, shard):
        return {"coffee": f"{workers} cups"}

    def page(self, finished):
        return f"<h1>{len(finished.runs)} runs, {finished.table['mig'].len()} rows</h1>"

    def joined(self, others):
        seeds = dict.fromkeys(seed for one in (self, *others) for seed in one.seeds)
        return self.model_copy(update={"seeds": tuple(seeds)})
"""
MANIFOLDS = {
    "name": "split",
    "title": "Split",
    "question": "How many?",
    "products": ["S^2 x S^2"],
    "points": [100, 200],
    "seeds": [0],
    "settings": ["default"],
}


@pytest.fixture
def here(tmp_path, monkeypatch, forgotten):
    """A folder with the page's files in it, from which commands are called."""
    (tmp_path / "samples.py").write_text(MODULE)
    (tmp_path / "loud.py").write_text(OWN)
    (tmp_path / "bias.toml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_goes_through_the_command_line(here, cli, forgotten):
    code, out, err = cli("study", "bias.toml", "--dry-run", "--shard", "1/4")
    assert code == 0, err
    assert re.search(r"size\s+4 runs", out)
    assert re.search(r"runs of the shard\s+1", out)
    assert not (here / "studies").exists()
    assert cli("study", "slurm", "bias.toml", "--jobs", 2, "--out", "x")[0] == 0

    calls = []
    own = sys.modules["samples"].SampleStudy
    runs = own.runs
    own.runs = lambda self: calls.append(self) or runs(self)
    code, out, err = cli("study", "bias.toml", "--workers", 1)
    assert code == 0, err
    assert len(calls) == 1  # for loading, the runs, the table and the page
    folder = Path("studies", "bias")
    assert json.loads((folder / "study.json").read_text())["kind"] == NAME
    results = {file: file.stat().st_mtime_ns for file in folder.glob("runs/*/result.json")}
    assert len(results) == 4
    assert "All 4 runs are finished." in (folder / "report.html").read_text()

    forgotten()
    code, out, err = cli("study", "table", folder, "--json", "--trust", NAME)
    assert code == 0, err
    rows = json.loads(out)["rows"]
    assert [(row["n"], row["seed"]) for row in rows] == [(100, 0), (1000, 0), (100, 1), (1000, 1)]
    mean = {n: sum(row["mig"] for row in rows if row["n"] == n) / 2 for n in (100, 1000)}
    assert 0 < mean[1000] < mean[100]  # the bias of MIG goes down with samples

    # A further seed resumes in the same folder; finished runs stay as they are.
    (here / "bias.toml").write_text(FILE.replace("[0, 1]", "[0, 1, 2]"))
    code, out, err = cli("study", "bias.toml", "--workers", 1)
    assert code == 0, err
    assert len(list(folder.glob("runs/*/result.json"))) == 6
    assert all(file.stat().st_mtime_ns == time for file, time in results.items())


def test_it_goes_through_python_with_its_own_plan_page_and_joining(here, cli, forgotten):
    sys.path.insert(0, str(here))
    from loud import Loud

    shared = {"name": "loud", "title": "Loud", "question": "?", "sizes": (100,)}
    first, second = (Loud(**shared, seeds=(seed,)) for seed in (0, 1))
    assert run_study(first, "a", workers=1) == {}
    assert run_study(second, "b", workers=1) == {}
    assert read_table("a").height == 1  # its class is imported already
    assert write_report(first, "a").read_text() == "<h1>1 runs, 1 rows</h1>"
    with pytest.raises(ValueError, match="a holds another study: .*1 of its runs are not of this"):
        run_study(second, "a")
    forgotten()
    with pytest.raises(ValueError, match="that names loud:Loud, .* if you trust it"):
        run_study(checked_study(MANIFOLDS, "here"), "a")

    words = ("--trust", "loud:Loud")
    code, out, err = cli("study", "merge", "a", "b", "--out", "whole", *words)
    assert code == 0, err
    assert "2 runs, 2 rows" in Path("whole", "report.html").read_text()
    assert open_study("whole", trust=["loud:Loud"]).seeds == (0, 1)
    code, out, err = cli("study", "report", "whole", *words)
    assert code == 0, err
    Path("loud.toml").write_text(FILE.replace(NAME, "loud:Loud"))
    code, out, err = cli("study", "loud.toml", "--dry-run", "--workers", 3)
    assert code == 0, err
    assert re.search(r"coffee\s+3 cups", out)
    assert "timed on this machine" in out


def test_the_script_of_the_page_runs(here, monkeypatch, capsys):
    sys.path.insert(0, str(here))
    monkeypatch.setattr("unweave.studies.execution.engine.n_workers", lambda _: 1)
    exec(compile(SCRIPT, "script", "exec"), {"__name__": "__main__"})
    assert "shape: (4, 4)" in capsys.readouterr().out
    assert Path("studies", "bias", "report.html").exists()


def test_a_folder_of_a_stranger_runs_no_code(here, cli, forgotten):
    sys.path.insert(0, str(here))
    from samples import SampleStudy

    study = SampleStudy(name="bias", title="Bias", question="?", sizes=(100,), seeds=(0,))
    (here / "folder").mkdir()
    write_study(study, "folder")
    forgotten()
    Path("samples.py").write_text("raise RuntimeError('this is the code of a stranger')")
    for words in (["table"], ["report"], ["udr"], ["merge", "--out", "whole"]):
        code, out, err = cli("study", words[0], "folder", *words[1:])
        assert code == 2
        assert f"folder holds a study that names {NAME}, which is not part of unweave" in err
        assert f"if you trust it, add --trust {NAME}" in err
    assert "samples" not in sys.modules
    with pytest.raises(ValueError, match="folder holds a study that names samples:SampleStudy"):
        open_study("folder", trust=["other:Kind", "samples:Sample"])
    for trust in ([NAME], NAME):
        with pytest.raises(RuntimeError, match="the code of a stranger"):
            open_study("folder", trust=trust)


def test_a_name_that_is_in_memory_and_not_a_kind_is_not_taken(here):
    content = {"name": "x", "title": "x", "question": "x"}
    for kind in ("os:system", [1]):
        Path("study.json").write_text(json.dumps({**content, "kind": kind}))
        with pytest.raises(ValueError, match="is not a kind of study"):
            open_study(".")


@pytest.mark.parametrize("kind", ["manifolds", ManifoldStudy, None,
                                  "unweave.studies.kinds.manifolds:ManifoldStudy"])  # fmt: skip
def test_a_kind_of_the_package_may_be_named(kind, tmp_path):
    content = MANIFOLDS if kind is None else {"kind": kind, **MANIFOLDS}
    study = checked_study(content, "here")
    assert type(study) is ManifoldStudy
    write_study(study, tmp_path)
    assert "kind" not in json.loads((tmp_path / "study.json").read_text())
    assert open_study(tmp_path) == study


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("manifold", "unknown kind of study 'manifold' .did you mean 'manifolds'"),
        ("json:loads", "'json:loads' is not a kind of study: name a class that inherits"),
        ("unweave.studies:BaseStudy", "is not a kind of study: name a class"),
        ("json:Kind", "the module json has no Kind: give the name of a kind of study"),
        (3, "3 is not a kind of study"),
        ([1], "is not a kind of study"),
    ],
)
def test_what_is_not_a_kind_is_refused(kind, message):
    with pytest.raises(ValueError, match=message):
        checked_study({**MANIFOLDS, "kind": kind}, "here")


def test_a_module_that_is_not_there_is_named(here, cli):
    Path("bias.toml").write_text(FILE.replace(NAME, "nowhere:Kind"))
    code, _, err = cli("study", "bias.toml", "--dry-run")
    assert code == 2
    assert "there is no module nowhere to load nowhere:Kind from" in err


def test_a_misspelt_key_of_a_stranger_is_told_with_the_right_one(here):
    content = {"name": "x", "title": "x", "question": "x", "kind": "loud:Loud", "seeds": [0]}
    sys.path.insert(0, str(here))
    with pytest.raises(ValueError, match="here: unknown key 'sizs' .did you mean 'sizes'"):
        checked_study({**content, "sizs": [100]}, "here")


class NoRuns(BaseStudy):
    def runs(self):
        return []


def test_a_study_without_runs_is_refused():
    content = {"name": "x", "title": "x", "question": "x", "kind": NoRuns}
    with pytest.raises(ValueError, match="the study x describes no run: give it at least one"):
        checked_study(content, "here")


def test_a_class_in_a_function_is_refused(tmp_path):
    class Local(NoRuns):
        pass

    study = Local(name="x", title="x", question="x")
    with pytest.raises(ValueError, match="lies in a function, where no other process finds it"):
        write_study(study, tmp_path)


def test_every_kind_of_the_package_has_a_name_a_key_and_a_page():
    names = {"combined", "encoders", "generalisation", "manifolds", "objects", "training"}
    assert names <= set(KINDS)
    assert len({kind.file_key for kind in KINDS.values()}) == len(KINDS)
    for kind in KINDS.values():
        assert kind.file_key in kind.model_fields
        assert kind.page_maker.startswith("unweave.reports.")


def test_a_copy_of_a_study_has_runs_of_its_own():
    study = checked_study(MANIFOLDS, "here")
    assert len(study.descriptions) == 2
    assert len(study.model_copy(update={"points": (100,)}).descriptions) == 1
    assert study.descriptions is study.descriptions
