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
        ("[0]", f"[{2**63}]", "'milestones' in cells.0: input should be less than"),
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


@pytest.mark.parametrize("words", [["slurm", "--jobs", "2"], ["--dry-run"]])
def test_more_runs_than_ten_thousand_are_counted_and_not_listed(cli, tmp_path, words):
    file = tmp_path / "many.toml"
    axes = 'axes = {"network.n_latents" = {low = 1, high = 100, whole = true}}'
    sample = 'sample = {method = "sobol", n = 999999999}'
    file.write_text(CELLS.format(seeds="[0]", milestones="[5]") + f"{axes}\n{sample}\n")
    *command, last = [words[0], file, *words[1:]] if words[0] == "slurm" else [file, *words]
    code, out, err = cli("study", *command, last, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert "999,999,999 runs" in err


def test_the_jobs_of_a_large_study_are_told_that_it_may_be_large(cli, tmp_path):
    file = tmp_path / "large.toml"
    file.write_text(CELLS.format(seeds=list(range(10_001)), milestones="[5]"))
    words = ["study", "slurm", file, "--jobs", "2", "--out", tmp_path / "out"]
    code, _, err = cli(*words)
    assert code == 2
    assert "10,001 runs" in err
    code, out, _ = cli(*words, "--yes")
    assert code == 0
    assert out.rstrip().endswith("--yes")


@pytest.mark.parametrize(
    ("key", "value", "most"), [("rows", 10**23, "10000000"), ("n_halves", 10**11, "1000000")]
)
def test_an_evaluation_without_end_is_refused(cli, tmp_path, key, value, most):
    file = tmp_path / "endless.toml"
    cells = CELLS.format(seeds="[0]", milestones="[5]")
    head, bracket, tail = cells.partition("[[cells]]")
    file.write_text(f"{head}[evaluation]\n{key} = {value}\n{bracket}{tail}")
    code, _, err = cli("study", file, "--dry-run")
    assert code == 2
    assert f"{key!r} in evaluation: input should be less than or equal to {most}" in err
