import hashlib
import json
from pathlib import Path

import pytest

from unweave.studies import load_study, open_study, shipped_studies

RECORDED = json.loads((Path(__file__).parent / "run_keys.json").read_text())
"""Hashes of the keys of all runs, and of study.json, of shipped studies as of version 0.1."""

TEXTS = ("title", "question", "note")


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def without_texts(content):
    """Content of study.json without its texts, which may be reworded: a folder stays the same."""
    if isinstance(content, list):
        return [without_texts(each) for each in content]
    if isinstance(content, dict):
        return {k: without_texts(v) for k, v in content.items() if k not in TEXTS}
    return content


@pytest.mark.parametrize("name", shipped_studies())
def test_shipped_studies_are_valid_and_named_after_their_files(name):
    study = load_study(name)
    assert study.name == name
    keys = [run.key for run in study.descriptions]
    assert len(set(keys)) == len(keys)
    if name in RECORDED:  # so that finished runs and folders are those of today's study
        assert digest("\n".join(keys)) == RECORDED[name]["keys"]
        settings = without_texts(study.model_dump(mode="json"))
        assert digest(json.dumps(settings, sort_keys=True)) == RECORDED[name]["study"]


def test_a_learning_rate_of_earlier_versions_is_read():
    study = load_study("encoders-offline")
    content = study.model_dump(mode="json")
    training = content["trained"].pop("training")
    assert training == {"learning_rate": 1e-3, "precision": "32-true"}
    content["trained"]["learning_rate"] = 1e-3
    before = type(study).model_validate(content)
    assert before == study
    assert [run.key for run in before.descriptions] == [run.key for run in study.descriptions]


def test_the_papers_protocol_is_in_the_paper_study():
    runs = load_study("paper").runs()
    followed = [r for r in runs if r.training.seed < 10]
    assert {r.training.milestones for r in runs} == {(1000, 5000, 10000, 20000)}
    assert sorted((r.objective.name, r.training.seed) for r in followed) == sorted(
        (name, seed) for name in ("vae", "beta_vae") for seed in range(5)
    )
    assert {r.objective.strength for r in followed} == {None, 4.0}
    assert len(runs) - len(followed) == 90


def test_a_runs_key_is_its_description(tiny_file):
    first = [run.key for run in load_study(tiny_file).runs()]
    again = [run.key for run in load_study(tiny_file).runs()]
    assert first == again
    tiny_file.write_text(tiny_file.read_text().replace("width = 0.125", "width = 0.25"))
    assert not set(first) & {run.key for run in load_study(tiny_file).runs()}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds", "sedes", r"unknown key 'sedes' in cells.0 \(did you mean 'seeds'"),
        ("[evaluation]", "[evalution]", r"unknown key 'evalution' \(did you mean 'evaluation'"),
        ("rows = 400", "rows = 'many'", r"'rows' in evaluation: .*valid integer.*'many'"),
        ("beta_vae", "beta_vea", "unknown objective 'beta_vea'.*did you mean 'beta_vae'"),
        ("beta = 4", "beta = -4", "greater than or equal to 0"),
        ("seeds = [0, 1]\n", "", "the key 'seeds' in cells.0 is missing"),
        ('name = "tiny"', 'name = "a/b"', "made of letters, digits"),
        ('title = "A', 'dataset = "dsprite"\ntitle = "A', "did you mean 'dsprites'"),
        ("[network]", "[network", "is not valid TOML"),
        ("[10, 20, 30]", "[0]", "'milestones' in cells.0.*greater than or equal to 1.*it is 0"),
        (
            "seeds = [0, 1]",
            "seeds = [-1]",
            "'seeds' in cells.0.*greater than or equal to 0",
        ),
        ("batch_size = 8", "accelerator = 'gpu'", "'accelerator' in training: .*'cpu'"),
        ("rows = 400", "metrics = []", "metrics are empty: name at least one, as mig"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tiny_file, old, new, message):
    tiny_file.write_text(tiny_file.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        load_study(tiny_file)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("seeds", "seed", "unknown key 'seed' in cells.0 (did you mean 'seeds'?)"),
        ("milestones", "milestone", "unknown key 'milestone' in cells.0 (did you mean "
         "'milestones'?)"),
        ("objectives", "objective", "unknown key 'objective' in cells.0 (did you mean "
         "'objectives'?)"),
        ("beta = 4", "beat = 4", "unknown key 'beat' in cells.0.objectives.1.beta_vae (did "
         "you mean 'beta'?)"),
        ("[[cells]]", "[[cell]]", "unknown key 'cell' (did you mean 'cells'?)"),
        ("[0, 1]", "[]", "'seeds' in cells.0 is empty: at least one value is needed"),
    ],
)  # fmt: skip
def test_a_misspelt_key_is_told_alone(tiny_file, old, new, sentence):
    """Not what follows from it: that cells are then empty, or that the right key is missing."""
    tiny_file.write_text(tiny_file.read_text().replace(old, new, 1))
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole sentence is compared
        load_study(tiny_file)
    assert str(caught.value) == f"{tiny_file}: {sentence}"


def test_two_misspelt_keys_are_told_both(tiny_file):
    text = tiny_file.read_text().replace("seeds", "seed").replace("width", "widht")
    tiny_file.write_text(text)
    with pytest.raises(ValueError, match=r"unknown key 'widht' in network .*; unknown key 'seed'"):
        load_study(tiny_file)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_byte_order_mark_and_lines_of_windows_are_read(tiny_file, encoding, newline):
    expected = load_study(tiny_file)
    text = tiny_file.read_text().replace("\n", newline)
    tiny_file.write_bytes(text.encode(encoding))
    assert load_study(tiny_file) == expected


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("latin-1", r"is not UTF-8 \(byte 0xc9 in line 3\): save it as UTF-8"),
        ("cp1252", r"is not UTF-8 \(byte 0xc9 in line 3\)"),
        ("utf-16", "is UTF-16: save it as UTF-8"),
        ("utf-16-le", "is UTF-16 or not text"),
        ("utf-32", "is UTF-32"),
    ],
)
def test_other_encodings_are_refused_by_name(tiny_file, encoding, message):
    text = tiny_file.read_text().replace("A tiny study", "Étude")
    tiny_file.write_bytes(text.encode(encoding))
    with pytest.raises(ValueError, match=message) as caught:
        load_study(tiny_file)
    assert str(tiny_file) in str(caught.value)
    tiny_file.write_bytes(text.encode("utf-8"))
    assert load_study(tiny_file).title == "Étude"


@pytest.mark.parametrize("content", ["", '{"name": "ti', "3"])
def test_a_damaged_study_json_is_named(tmp_path, content):
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(ValueError, match="study.json"):
        open_study(tmp_path)


def test_an_unknown_study_is_refused_with_the_nearest():
    with pytest.raises(FileNotFoundError, match=r"no study 'quik' \(did you mean 'quick'"):
        load_study("quik")
