"""A study of parts: its runs, its table and its page, from files as from Python."""

import json
import re

import pytest

from unweave.reports import write_report
from unweave.studies import (
    CombinedStudy,
    build_table,
    load_study,
    open_study,
    rank_models,
    read_table,
    run_study,
)
from unweave.studies.execution.merging import merge_studies
from unweave.studies.plan import plan

STUDY = """
name = "both"
title = "Two questions"
question = "Does it run, and does it separate?"

[[parts]]
name = "separate"
title = "Does it separate?"
question = "Which factors are separated?"
dataset = "torus"
report = "disentanglement"

[parts.network]
width = 0.125
n_latents = 4

[parts.training]
cpu_minutes = 0.01
accelerator = "cpu"
precision = "32-true"

[parts.evaluation]
rows = 300
metrics = ["dci_disentanglement", "dci_informativeness", "infom", "mig"]
n_permutations = 3
n_projections = 20
n_halves = 3

[[parts.cells]]
objectives = [{ name = "vae" }, { name = "qlae" }, { name = "ada_gvae" }]
seeds = [0, 1]

[[parts]]
name = "compute"
title = "Does it grow?"
question = "How does MIG change?"
dataset = "torus"

[parts.network]
width = 0.125
n_latents = 3

[parts.training]
batch_size = 8

[parts.evaluation]
rows = 200
n_permutations = 3
n_projections = 3
n_halves = 3

[[parts.cells]]
objectives = [{ name = "vae" }, { name = "beta_vae", beta = 4 }]
seeds = [0]
milestones = [4, 8]
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("combined") / "both.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="module")
def finished(file):
    study = load_study(file)
    folder = file.parent / "out"
    assert run_study(study, folder, workers=1) == {}
    return study, folder


def test_its_runs_are_those_of_its_parts_each_once(file):
    study = load_study(file)
    assert isinstance(study, CombinedStudy)
    keys = [run.key for part in study.parts for run in part.runs()]
    assert [run.key for run in study.runs()] == keys
    assert study.size == "8 runs, 16 training steps, 0.06 CPU minutes of training"
    assert study.n_runs == 8
    again = study.parts[0].model_copy(update={"name": "again"})
    twice = study.model_copy(update={"parts": (*study.parts, again)})
    assert [run.key for run in twice.runs()] == keys
    assert twice.n_runs == 14


def test_it_is_the_same_when_it_is_opened_again(finished):
    study, folder = finished
    again = open_study(folder)
    assert again == study
    assert [run.key for run in again.runs()] == [run.key for run in study.runs()]
    assert run_study(again, folder, workers=1) == {}


def test_its_table_has_the_runs_of_all_parts(finished):
    study, folder = finished
    table = read_table(folder)
    by_hand = [build_table(part, folder) for part in study.parts]
    assert table.height == sum(part.height for part in by_hand) == 6 * 4 + 2 * 2 * 2
    assert set(table["metric"]) == {
        "mig", "sap", "infom", "dci_disentanglement", "dci_informativeness",
    }  # fmt: skip


def test_the_table_has_both_kinds_of_random_codes(finished):
    _, folder = finished
    row = read_table(folder).filter(metric="dci_disentanglement").to_dicts()[0]
    result = json.loads((folder / "runs" / row["run"] / "result.json").read_text())
    score = list(result["milestones"].values())[-1]["metrics"]["dci_disentanglement"]
    assert row["mixture_upper"] == score["mixture"]["upper"]
    assert (row["smooth_mean"], row["smooth_upper"]) == (
        score["smooth"]["mean"], score["smooth"]["upper"],
    )  # fmt: skip
    assert row["perfect"] == score["perfect"]


def test_its_page_has_a_section_for_each_part(finished):
    study, folder = finished
    text = write_report(study, folder).read_text(encoding="utf-8")
    for part in study.parts:
        assert f'<section class="part" id="{part.name}">' in text
        assert f"<h2>{part.title}</h2>" in text
    assert text.index("Does it separate?") < text.index("Does it grow?")
    assert "separates" in text
    assert "against training compute" in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    names = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    assert names <= set(ids)


def test_a_part_without_finished_runs_says_so(file, tmp_path):
    study = load_study(file)
    assert run_study(study.parts[1], tmp_path, workers=1) == {}
    text = write_report(study, tmp_path).read_text(encoding="utf-8")
    assert "No run of this part is finished yet" in text
    assert "Scores against training compute" in text


@pytest.mark.slow
def test_shards_of_it_are_merged_and_parts_may_have_other_cells(file, finished, tmp_path):
    study, folder = finished
    few = study.parts[1].model_copy(
        update={"cells": (study.parts[1].cells[0].model_copy(update={"seeds": (5,)}),)}
    )
    other = study.model_copy(update={"parts": (study.parts[0], few)})
    last = len(other.runs())
    assert run_study(other, tmp_path / "other", workers=1, shard=(last - 1, last)) == {}
    merge_studies([folder, tmp_path / "other"], tmp_path / "out")
    joined = open_study(tmp_path / "out")
    assert [len(part.cells) for part in joined.parts] == [1, 2]
    table = read_table(tmp_path / "out")
    assert set(table["seed"]) == {0, 1, 5}
    assert table.height == read_table(folder).height + 4
    renamed = study.model_copy(update={"title": "Another"})
    (tmp_path / "renamed").mkdir()
    run_study(renamed, tmp_path / "renamed", workers=1, shard=(last - 1, last))
    with pytest.raises(ValueError, match="they differ in title"):
        merge_studies([folder, tmp_path / "renamed"], tmp_path / "no")


def test_its_models_are_ranked_and_its_work_is_planned(finished, monkeypatch):
    study, folder = finished
    assert rank_models(folder, rows=200).height == 6
    for name in ("_step_seconds", "_scoring_seconds"):
        monkeypatch.setattr(f"unweave.studies.plan.{name}", lambda _: 0.01)
    found = plan(study, workers=1)
    assert (found.n_runs, found.n_scores) == (8, 6 + 2 * 2)


def test_the_command_line_knows_it(finished, file, cli, monkeypatch):
    for name in ("_step_seconds", "_scoring_seconds"):
        monkeypatch.setattr(f"unweave.studies.plan.{name}", lambda _: 0.01)
    _, folder = finished
    code, out, err = cli("study", file, "--dry-run")
    assert code == 0, err
    assert "Plan of both" in out
    code, out, err = cli("study", file, "--out", folder)
    assert code == 0, err
    assert "report.html" in out
    assert "Two questions" in (folder / "report.html").read_text()
    assert len(json.loads(cli("study", "table", folder, "--json")[1])["rows"]) == 32


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "compute"', 'name = "separate"', "two parts are called separate: give each a"),
        ("seeds = [0, 1]", "sedes = [0, 1]", r"unknown key 'sedes' in parts.0.cells.0 .*'seeds'"),
        ('"dci_informativeness", ', "", "metrics in evaluation lack dci_informativeness: add it"),
        ("seeds = [0, 1]", 'seeds = [0]\naxes = { "network.width" = [0.5, 1] }',
         "compares objectives on datasets, and network.width varies too"),
        ('report = "disentanglement"', 'report = "other"', "'report' in parts.0: input should be"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_by_name(tmp_path, old, new, message):
    path = tmp_path / "both.toml"
    assert old in STUDY
    path.write_text(STUDY.replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        load_study(path)


def test_parts_are_needed(tmp_path):
    path = tmp_path / "both.toml"
    path.write_text('name = "a"\ntitle = "b"\nquestion = "c"\nparts = []')
    with pytest.raises(ValueError, match="'parts' is empty: at least one value is needed"):
        load_study(path)
