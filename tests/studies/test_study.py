import pytest

from unweave.studies import load_study, shipped_studies


@pytest.mark.parametrize("name", shipped_studies())
def test_shipped_studies_are_valid_and_named_after_their_files(name):
    study = load_study(name)
    assert study.name == name
    assert len({run.key for run in study.runs()}) == len(study.runs())


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
        ("[10, 20, 30]", "[0]", "'steps'.*greater than or equal to 1.*it is 0"),
        ("seeds = [0, 1]", "seeds = [-1]", "'seed'.*greater than or equal to 0.*it is -1"),
        ("batch_size = 8", "accelerator = 'gpu'", "'accelerator' in training: .*'cpu'"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tiny_file, old, new, message):
    tiny_file.write_text(tiny_file.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        load_study(tiny_file)


def test_an_unknown_study_is_refused_with_the_nearest():
    with pytest.raises(FileNotFoundError, match=r"no study 'quik' \(did you mean 'quick'"):
        load_study("quik")
