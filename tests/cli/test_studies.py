"""`unweave study`: its shards, and what is said of files that cannot be run."""

import pytest

from unweave.studies import load_study
from unweave.studies.plan import plan

MANIFOLDS = """
name = "split"
title = "Split"
question = "How many factors?"
products = ["S^2 x S^2"]
points = [100, 200]
seeds = [0, 1]
settings = ["default"]
"""
CELLS = """
name = "cells"
title = "Cells"
question = "Does it run?"

[[cells]]
objectives = [{{ name = "vae" }}]
seeds = {seeds}
milestones = {milestones}
"""


@pytest.fixture
def manifolds(tmp_path):
    path = tmp_path / "split.toml"
    path.write_text(MANIFOLDS)
    return path


@pytest.mark.parametrize("shard", ["5/2", "2/2", "x", "-1/2", "1", "/"])
@pytest.mark.parametrize("words", [[], ["--dry-run"]])
def test_a_shard_that_is_none_is_refused(cli, manifolds, tmp_path, shard, words):
    words = ["study", manifolds, f"--shard={shard}", "--out", tmp_path / "out", *words]
    code, _, err = cli(*words)
    assert code == 2
    assert err.startswith("error: --shard is i/n with i from 0 to n - 1")
    assert not (tmp_path / "out").exists()


def test_an_address_without_ray_is_refused_by_a_dry_run(cli, manifolds):
    code, _, err = cli("study", manifolds, "--dry-run", "--address", "here:1")
    assert code == 2
    assert "add --engine ray" in err


@pytest.mark.parametrize(("shard", "n"), [("0/3", 2), ("2/3", 1), ("7/8", 0)])
def test_a_dry_run_counts_the_runs_of_its_shard(cli, manifolds, shard, n):
    code, out, err = cli("study", manifolds, "--dry-run", "--shard", shard)
    assert code == 0, err
    assert f"Plan of split, shard {shard}" in out
    assert any(line.split() == ["runs", "of", "the", "shard", str(n)] for line in out.splitlines())


def test_a_shard_is_planned_alone(tiny_file, monkeypatch):
    for name in ("_step_seconds", "_scoring_seconds"):
        monkeypatch.setattr(f"unweave.studies.plan.{name}", lambda _: 0.01)
    tiny_file.write_text('dataset = "torus"\n' + tiny_file.read_text())
    study = load_study(tiny_file)
    found = plan(study, workers=1, shard=(1, 3))
    runs = study.runs()[1::3]
    assert (found.n_runs, found.n_steps) == (1, runs[0].work)
    with pytest.raises(ValueError, match="shard 7/8 of tiny has no runs"):
        plan(study, workers=1, shard=(7, 8))


@pytest.mark.parametrize(
    ("seeds", "milestones", "message"),
    [
        ("[]", "[5]", "'seeds' in cells.0 is empty: at least one value is needed"),
        ("[0]", "[]", "'milestones' in cells.0 is empty: at least one value is needed"),
        ("[-1]", "[5]", "'seeds' in cells.0: input should be greater than or equal to 0"),
        ("[0, 9223372036854775808]", "[5]", "'seeds' in cells.0: input should be less than"),
        ("[0]", "[0]", "'milestones' in cells.0: input should be greater than or equal to 1"),
        ('["a"]', "[5]", "'seeds' in cells.0: input should be a valid integer"),
    ],
)
def test_the_key_of_a_wrong_list_is_named(cli, tmp_path, seeds, milestones, message):
    file = tmp_path / "cells.toml"
    file.write_text(CELLS.format(seeds=seeds, milestones=milestones))
    code, _, err = cli("study", file, "--dry-run")
    assert code == 2
    assert message in err
    assert err.count("'seeds'") + err.count("'milestones'") == 1
