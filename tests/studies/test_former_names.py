"""Files of before, in which ``mixture`` is called projection and ``perfect`` ceiling."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from unweave._files import sealed
from unweave.metrics.score import with_todays_names
from unweave.models import shipped_models
from unweave.models.pretrained import TRAINING, read_training
from unweave.studies import read_table
from unweave.studies.base import RESULT

TABLES = Path(__file__).parents[2] / "docs" / "results"
FORMER = {"mixture": "projection", "perfect": "ceiling"}


def as_before(part):
    if isinstance(part, list):
        return [as_before(each) for each in part]
    if not isinstance(part, dict):
        return part
    names = FORMER if "value" in part else {}
    return {names.get(key, key): as_before(each) for key, each in part.items()}


def test_results_of_before_give_the_same_table(tiny, tmp_path):
    study, folder = tiny
    copied = tmp_path / "copied"
    shutil.copytree(folder, copied)
    for run in study.runs():
        file = copied / "runs" / run.key / RESULT
        content = json.loads(file.read_text())
        del content["checksum"]
        assert as_before(content) != content
        file.write_text(json.dumps(sealed(as_before(content))))
    assert read_table(copied).equals(read_table(folder))
    assert read_table(copied)["mixture_mean"].null_count() == 0


@pytest.mark.parametrize("name", ["paper", "seeds-matter", "disentangle-qlae"])
def test_shipped_tables_have_the_names_of_today(name):
    file = TABLES / f"{name}.parquet"
    former, found = pl.read_parquet(file), read_table(file)
    renamed = [name for name in former.columns if name.startswith("projection_")]
    assert renamed
    assert not {*renamed, "ceiling"} & set(found.columns)
    for name in renamed:
        today = name.replace("projection", "mixture")
        assert found[today].equals(former[name])
    if "ceiling" in former.columns:  # the oldest have none
        assert found["perfect"].equals(former["ceiling"])


@pytest.mark.parametrize("name", shipped_models())
def test_records_of_shipped_models_have_the_names_of_today(name):
    folder = shipped_models()[name]
    former = json.loads((folder / TRAINING).read_text())["metrics"]
    for metric, score in read_training(folder)["metrics"].items():
        assert score["mixture"] == former[metric].get("projection", former[metric].get("mixture"))
        assert score["perfect"] == former[metric].get("ceiling", former[metric].get("perfect"))


def test_only_records_of_scores_are_renamed():
    plain = {"projection": 1, "others": [{"ceiling": 2}]}
    assert with_todays_names(plain) == plain
    renamed = with_todays_names({"metrics": [{"value": 1.0, "ceiling": 2.0}]})
    assert renamed == {"metrics": [{"value": 1.0, "perfect": 2.0}]}
