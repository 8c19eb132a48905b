"""`unweave study explore`, and the links in a study's report."""

import pytest

import unweave.cli.explore
from unweave.reports import write_report
from unweave.studies import load_study, run_study

STUDY = """
name = "one"
title = "One model"
question = "Is it linked?"
dataset = "torus?size=16"

[network]
width = 0.125
n_latents = 2

[training]
batch_size = 4

[evaluation]
rows = 100
metrics = ["mcc"]
n_permutations = 3
n_projections = 2
n_halves = 3

[[cells]]
objectives = [{ name = "vae" }]
seeds = [0]
milestones = [2]
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory, _session_cache):
    folder = tmp_path_factory.mktemp("study")
    (folder / "one.toml").write_text(STUDY)
    study = load_study(folder / "one.toml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNWEAVE_CACHE", str(_session_cache))
        assert run_study(study, folder / "results", workers=1) == {}
    return study, folder / "results"


def test_of_many_models_some_are_chosen(study, cli, monkeypatch):
    monkeypatch.setattr(unweave.cli.explore, "_MOST_RUNS", 0)
    code, _, errors = cli("study", "explore", study[1])
    assert code == 2
    assert "a page of each takes some megabytes and a minute: choose with --runs" in errors
    code, _, errors = cli("study", "explore", study[1], "--runs", "zzz*")
    assert code == 2
    assert "--runs fits none of the finished runs" in errors


def test_the_report_links_to_an_explorer_of_each_model(study, cli, opened, shared_cache):
    study, folder = study
    before = write_report(study, folder).read_text(encoding="utf-8")
    assert "unweave study explore FOLDER" in before
    code, printed, errors = cli("study", "explore", folder, "--rows", "80")
    assert (code, errors) == (0, "")
    (page,) = (folder / "explorers").iterdir()
    assert f"page: {page}" in printed
    report = opened((folder / "report.html").as_uri(), ready=False)
    report.get_by_role("link", name="VAE, seed 0").click()
    report.wait_for_selector("html[data-ready]")
    assert report.locator("h1").inner_text().startswith("VAE, seed 0")
    assert report.locator("section.view > h2").all_inner_texts() == [
        "Latents", "Factors", "Map", "Information",
    ]  # fmt: skip
    for file in (folder / "runs").glob("*/result.json"):
        file.unlink()
    code, _, errors = cli("study", "explore", folder)
    assert code == 2
    assert "has no finished run that trained a model" in errors
