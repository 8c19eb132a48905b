import json

import pytest

from unweave.studies import rank_models, rank_models_by_pipe, read_table, run_study
from unweave.studies.ranking import kept_ranking


def test_runs_of_other_seeds_are_compared(tiny):
    study, folder = tiny
    run_study(study, folder)
    ranked = rank_models(folder, rows=300, method="spearman")
    assert ranked.height == 4
    assert ranked["udr"].is_sorted(descending=True)
    # A pair of seeds agrees equally in both directions.
    for name in ("vae", "beta_vae"):
        assert ranked.filter(objective=name)["udr"].n_unique() == 1
    assert ((ranked["udr"] >= 0) & (ranked["udr"] <= 1)).all()


def test_the_command_prints_them_and_what_choosing_by_them_gains(tiny, cli):
    _, folder = tiny
    code, printed, _ = cli("study", "udr", folder, "--rows", "200", "--json")
    assert code == 0
    answer = json.loads(printed)
    assert {row["seed"] for row in answer["rows"]} == {0, 1}
    gains = {gain["metric"]: gain for gain in answer["selection"]}
    assert set(gains) == {"mig", "sap"}
    last = read_table(folder).filter(metric="mig", step=30)
    assert gains["mig"]["best"] == last["value"].max()
    chosen = max(answer["rows"], key=lambda row: row["udr"])["udr"]
    best = [row["run"] for row in answer["rows"] if row["udr"] == chosen]
    assert gains["mig"]["chosen"] in last.filter(last["run"].is_in(best))["value"].to_list()
    kept = kept_ranking(folder, "udr")
    assert kept == {row["run"]: row["udr"] for row in answer["rows"]}


def test_models_are_ranked_by_how_likely_permuted_latents_are(tiny, cli):
    study, folder = tiny
    run_study(study, folder)
    assert kept_ranking(folder / "elsewhere", "pipe") == {}
    code, printed, _ = cli("study", "pipe", folder, "--rows", "80", "--json")
    assert code == 0
    answer = json.loads(printed)
    assert len(answer["rows"]) == 4
    assert kept_ranking(folder, "pipe") == {row["run"]: row["pipe"] for row in answer["rows"]}
    for row in answer["rows"]:
        assert row["low"] <= row["pipe"] <= row["high"]
    assert {gain["metric"] for gain in answer["selection"]} == {"mig", "sap"}
    # One of its models alone, on the same images.
    run = folder / "runs" / answer["rows"][0]["run"]
    code, printed, _ = cli("pipe", run, "--rows", "80", "--json")
    assert code == 0
    assert json.loads(printed)["pipe"]["value"] == answer["rows"][0]["pipe"]
    code, printed, _ = cli("pipe", run, "--rows", "80")
    assert printed.startswith("pipe = ")
    assert "accuracy of the discriminator" in " ".join(printed.split())
    code, _, errors = cli("pipe", run, "--rows", "39")
    assert code == 2
    assert "a number of at least 40 is needed" in errors
    (folder / "pipe.json").write_text((folder / "pipe.json").read_text()[:-9])
    with pytest.raises(ValueError, match=r"pipe\.json"):
        kept_ranking(folder, "pipe")
    (folder / "pipe.json").unlink()


def test_a_study_of_single_seeds_cannot_be_ranked(tiny, tmp_path):
    study, folder = tiny
    (tmp_path / "study.json").write_text((folder / "study.json").read_text())
    with pytest.raises(ValueError, match="no two finished runs in .* differ by their seed alone"):
        rank_models(tmp_path)
    with pytest.raises(ValueError, match="PIPE reads encoders and decoders; let the study"):
        rank_models_by_pipe(tmp_path)
