import json
import sys

import pytest

from unweave.cli import main
from unweave.studies import rank_models, run_study


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


def test_the_command_prints_them(tiny, monkeypatch, capsys):
    study, folder = tiny
    monkeypatch.setattr(
        sys, "argv", ["unweave", "study", "udr", str(folder), "--rows", "200", "--json"]
    )
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code in (0, None)
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["seed"] for row in rows} == {0, 1}


def test_a_study_of_single_seeds_cannot_be_ranked(tiny, tmp_path):
    study, folder = tiny
    (tmp_path / "study.json").write_text((folder / "study.json").read_text())
    with pytest.raises(ValueError, match="no two finished runs in .* differ by their seed alone"):
        rank_models(tmp_path)
