import json

import pytest

from unweave.studies import rank_models, read_table, run_study


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


def test_a_study_of_single_seeds_cannot_be_ranked(tiny, tmp_path):
    study, folder = tiny
    (tmp_path / "study.json").write_text((folder / "study.json").read_text())
    with pytest.raises(ValueError, match="no two finished runs in .* differ by their seed alone"):
        rank_models(tmp_path)
