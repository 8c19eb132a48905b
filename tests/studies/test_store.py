"""Folders of studies: shards, merging, versions, and questions to the table."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from unweave.studies import build_table, load_study, open_study, read_table, run_study
from unweave.studies.execution.merging import merge_studies
from unweave.studies.execution.slurm import slurm_script
from unweave.studies.loading import checked_study
from unweave.studies.table import query

STUDY = {
    "name": "circles",
    "title": "Circles",
    "question": "Are they split?",
    "products": ["S^2 x S^2"],
    "points": [120, 160],
    "seeds": [0, 1],
    "settings": ["paper"],
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    study = checked_study(STUDY, "here")
    assert run_study(study, folder, workers=1) == {}
    return study, folder


def scores(folder):
    return read_table(folder).drop("seconds").sort("run")


def test_shards_together_are_the_whole(whole, tmp_path):
    study, folder = whole
    for i in range(3):
        assert run_study(study, tmp_path, workers=1, shard=(i, 3)) == {}
        assert build_table(study, tmp_path).height == (2, 3, 4)[i]
    assert scores(tmp_path).equals(scores(folder))


def test_progress_says_what_came_out_last(tmp_path):
    told = []
    study = checked_study({**STUDY, "points": [120, 130, 140]}, "here")
    assert run_study(study, tmp_path, workers=1, progress=lambda *what: told.append(what)) == {}
    assert all(total == 780 for _, _, total in told)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    last = [what.partition(" | ")[2] for what, _, _ in told if " | " in what]
    assert any(words.startswith("S^2 x S^2, 1") and words.endswith(" rad") for words in last)


@pytest.mark.slow
def test_a_slurm_script_does_what_the_study_does(whole, tmp_path, monkeypatch):
    _, folder = whole
    file = tmp_path / "my study.toml"
    lines = [f"{k} = {json.dumps(v)}" for k, v in STUDY.items()]
    file.write_text("\n".join(lines))
    out = tmp_path / "out"
    script = slurm_script(str(file), "circles", out, jobs=2, cores=1, hours=3, gpus=1)
    assert "#SBATCH --array=0-1\n" in script
    assert "#SBATCH --gpus=1\n" in script
    assert "#SBATCH --time=03:00:00\n" in script
    assert "partition" not in script
    job = tmp_path / "job.sh"
    job.write_text(script)
    for i in range(2):  # as Slurm would, one job after the other
        here = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = {**os.environ, "PATH": here, "SLURM_ARRAY_TASK_ID": str(i)}
        subprocess.run(["bash", job], env=environment, check=True, capture_output=True)
    assert scores(out).equals(scores(folder))


def test_parts_of_a_study_are_merged(whole, tmp_path, cli):
    study, folder = whole
    for i in range(2):
        run_study(study, tmp_path / f"m{i}", workers=1, shard=(i, 2))
    shutil.copytree(folder / "runs", tmp_path / "m1" / "runs", dirs_exist_ok=True)
    half = tmp_path / "out" / "runs" / study.runs()[0].key  # begun and not finished
    half.mkdir(parents=True)
    (half / "rest").write_text("")
    code, said, _ = cli(
        "study", "merge", tmp_path / "m0", tmp_path / "m1", "--out", tmp_path / "out"
    )
    assert code == 0
    assert "m0: 2 runs copied" in said
    assert "m1: 2 runs copied" in said
    assert scores(tmp_path / "out").equals(scores(folder))
    assert not (half / "rest").exists()
    assert (tmp_path / "out" / "report.html").exists()
    assert merge_studies([folder], tmp_path / "out") == {str(folder): 0}


def test_cells_of_studies_of_models_are_joined(tiny, tmp_path):
    study, folder = tiny
    first = study.cells[0]
    more = study.model_copy(
        update={"cells": (first.model_copy(update={"seeds": (7,), "milestones": (10,)}),)}
    )
    other = tmp_path / "other"
    assert run_study(more, other) == {}
    merge_studies([folder, other], tmp_path / "out")
    joined = open_study(tmp_path / "out")
    assert joined.cells == (*study.cells, *more.cells)
    table = read_table(tmp_path / "out")
    assert set(table["seed"]) == {0, 1, 7}
    assert table.height == read_table(folder).height + read_table(other).height


def test_different_studies_are_not_merged(whole, tmp_path):
    _, folder = whole
    other = checked_study({**STUDY, "points": [120]}, "here")
    run_study(other, tmp_path / "other", workers=1)
    with pytest.raises(ValueError, match="they differ in points"):
        merge_studies([folder, tmp_path / "other"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(FileNotFoundError, match="holds no study"):
        merge_studies([tmp_path / "nothing"], tmp_path / "out")


def test_a_study_of_another_version_says_so(whole, tmp_path):
    _, folder = whole
    content = json.loads((folder / "study.json").read_text())
    assert content["format"] == 1
    for change, sentence in (
        ({"format": 2, "unweave": "9.9"}, r"made by unweave 9\.9, .* in another way"),
        ({"unweave": "0.0.1", "colour": 3}, r"made by unweave 0\.0\.1.*unknown key 'colour'"),
    ):
        (tmp_path / "study.json").write_text(json.dumps({**content, **change}))
        with pytest.raises(ValueError, match=sentence):
            open_study(tmp_path)
    del content["format"], content["unweave"]  # as before there were formats
    (tmp_path / "study.json").write_text(json.dumps(content))
    assert open_study(tmp_path) == open_study(folder)


def test_the_table_answers_sql(whole, cli):
    pytest.importorskip("duckdb")
    _, folder = whole
    table = read_table(folder)
    found = query(table, "select points, count(*) as n, avg(mean) as mean from scores group by 1")
    assert dict(zip(found["points"], found["n"], strict=True)) == {120: 2, 160: 2}
    by_hand = table.filter(table["points"] == 120)["mean"].mean()
    asked = dict(zip(found["points"], found["mean"], strict=True))
    assert asked[120] == pytest.approx(by_hand)
    question = "select max(points) as most from scores"
    assert "160" in cli("study", "table", folder, "--sql", question)[1]
    answer = json.loads(cli("study", "table", folder, "--sql", question, "--json")[1])
    assert answer == {"rows": [{"most": 160}]}
    with pytest.raises(ValueError, match="DuckDB says: .*score_s"):
        query(table, "select * from score_s")


def test_a_shard_that_is_none_is_refused(cli):
    for wrong in ("3/3", "1", "a/b", "-1/2"):
        code, _, said = cli("study", "quick", f"--shard={wrong}")
        assert code == 2
        assert "--shard is i/n" in said


def test_shipped_studies_are_counted():
    study = load_study("locatello-dsprites")
    assert study.n_runs == len(study.runs()) == 1800
