"""Files of a study that are damaged, of another run, or of another study."""

import json
import os
import shutil
import warnings

import numpy as np
import pytest
from pydantic import ValidationError

from unweave._files import DamagedFileError, read_json
from unweave.reports import write_report
from unweave.studies import build_table, rank_models, run_study, write_table
from unweave.studies.base import RunIsBusyError
from unweave.studies.execution.merging import merge_studies
from unweave.studies.folder import StudyFolder, set_damaged_aside, write_study
from unweave.studies.loading import checked_study
from unweave.studies.training_run import TrainingResult
from unweave.training.checkpoint import load_model

STUDY = {
    "name": "circles",
    "title": "Circles",
    "question": "Are they split?",
    "products": ["S^2 x S^2"],
    "points": [120, 160],
    "seeds": [0, 1],
    "settings": ["paper"],
}


@pytest.fixture
def models(tiny, tmp_path, shared_cache):
    """The tiny study, finished: a copy of its folder, and its runs."""
    study, folder = tiny
    shutil.copytree(folder, tmp_path / "tiny")
    return study, tmp_path / "tiny", StudyFolder(study, tmp_path / "tiny").runs


@pytest.fixture(scope="module")
def circles(tmp_path_factory):
    """A study of manifolds, finished in this process."""
    folder = tmp_path_factory.mktemp("circles")
    study = checked_study(STUDY, "here")
    write_study(study, folder)
    for run in StudyFolder(study, folder).runs:
        run.execute()
    return study, folder


def flip(file, place):
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= 4
    file.write_bytes(content)


def edit(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def set_value(result):
    next(iter(result["milestones"].values()))["metrics"]["mig"]["value"] = 1e300


def instead(name, make):
    """Something else in the place of a file of the run."""

    def put(run, _):
        (run.folder / name).unlink()
        make(run.folder / name)

    return put


def unsealed(change):
    """An edited result without a checksum, as of an earlier version."""

    def edited(result):
        change(result)
        result.pop("checksum")

    return result(lambda file: edit(file, edited))


def rename_step(result):
    milestones = result["milestones"]
    milestones["9" * 30] = milestones.pop(next(iter(milestones)))


def set_n(result):
    next(iter(result["milestones"].values()))["metrics"]["mig"]["n"] = 10**30


def drop_rate(result):
    milestone = next(iter(result["milestones"].values()))
    milestone["kl_per_latent"].pop()


def result(write):
    return lambda run, other: write(run.folder / "result.json")


DAMAGE = {
    "an empty result": result(lambda file: file.write_text("")),
    "a truncated result": result(lambda file: file.write_bytes(file.read_bytes()[:500])),
    "a list": result(lambda file: file.write_text("[]")),
    "an empty object": result(lambda file: file.write_text("{}")),
    "a missing key": result(lambda file: edit(file, lambda r: r.pop("milestones"))),
    "a string for a number": result(lambda file: edit(file, lambda r: r.update(parameters="5"))),
    "an edited value": result(lambda file: edit(file, set_value)),
    "a result of another run": lambda run, other: shutil.copy(
        other.folder / "result.json", run.folder / "result.json"
    ),
    "a folder of another run": lambda run, other: (
        shutil.rmtree(run.folder), shutil.copytree(other.folder, run.folder)
    ),
    "flipped pictures": lambda run, _: flip(run.folder / "pictures.npz", 0.5),
    "truncated pictures": lambda run, _: (run.folder / "pictures.npz").write_bytes(b"PK"),
    "no pictures": lambda run, _: (run.folder / "pictures.npz").unlink(),
    "pictures of another run": lambda run, other: shutil.copy(
        other.folder / "pictures.npz", run.folder / "pictures.npz"
    ),
    "a curve of words": lambda run, _: (run.folder / "curves.csv").write_text("step,loss\nx,y\n"),
    "a config that is none": lambda run, _: (run.folder / "config.json").write_text("[]"),
    "a folder as config": instead("config.json", os.mkdir),
    "a pipe as config": instead("config.json", os.mkfifo),
    "a pipe as result": instead("result.json", os.mkfifo),
    "a pipe as curve": instead("curves.csv", os.mkfifo),
    "a result that links to itself": instead("result.json", lambda file: file.symlink_to(file)),
    "more parameters than 64 bits": unsealed(lambda r: r.update(parameters=10**30)),
    "more rows than 64 bits": unsealed(set_n),
    "a step of more than 64 bits": unsealed(rename_step),
    "FLOPs of no float": unsealed(lambda r: r.update(flops_per_step=10**400)),
    "a latent without its rate": unsealed(drop_rate),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_run_is_left_out_by_name(models, damage):
    study, folder, runs = models
    whole = build_table(study, folder)
    DAMAGE[damage](runs[1], runs[0])
    with pytest.warns(
        RuntimeWarning, match=f"run {runs[1].folder.name} is left out: .*study again"
    ):
        table = build_table(study, folder)
    assert table.equals(whole.filter(whole["run"] != runs[1].folder.name))


def test_the_page_says_which_runs_are_left_out(models):
    study, folder, runs = models
    flip(runs[0].folder / "pictures.npz", 0.7)
    with pytest.warns(RuntimeWarning, match="is left out"):
        page = write_report(study, folder).read_text(encoding="utf-8")
    assert "Files of 1 of the runs are damaged" in page
    assert f"run {runs[0].folder.name} is left out: " in page
    assert "3 of 4 runs are finished" in page
    for run in runs:
        (run.folder / "result.json").write_text("[]")
    with (
        pytest.warns(RuntimeWarning, match="is left out"),
        pytest.raises(ValueError, match="no run in .* is undamaged"),
    ):
        write_report(study, folder)


def test_running_again_moves_damaged_runs_aside_and_repeats_them(models):
    study, folder, runs = models
    before = build_table(study, folder)
    damaged = {
        runs[0]: lambda: (runs[0].folder / "result.json").write_text("{}"),
        runs[1]: lambda: flip(runs[1].folder / "checkpoints/step-00000030/model.safetensors", 0.9),
    }
    for damage in damaged.values():
        damage()
    with pytest.warns(RuntimeWarning, match=r"is repeated, and its old files are in .*damaged-1"):
        set_damaged_aside(runs)
    assert [run.is_finished for run in runs] == [False, False, True, True]
    aside = folder / "runs" / f"{runs[0].folder.name}.damaged-1"
    assert (aside / "result.json").read_text() == "{}"
    assert (aside / "checkpoints/step-00000030/model.safetensors").exists()
    assert run_study(study, folder) == {}  # by workers, with as many threads as before
    assert build_table(study, folder).equals(before)
    (runs[0].folder / "result.json").write_text("")
    with pytest.warns(RuntimeWarning, match=r"damaged-2"):
        set_damaged_aside(runs)


def test_an_unfinished_run_with_a_damaged_or_foreign_file_starts_again(models):
    study, folder, runs = models
    for run in runs:
        (run.folder / "result.json").unlink()
    (runs[0].folder / "config.json").write_text('{"network": 5}')
    for other in (runs[1], runs[2]):
        shutil.rmtree(other.folder / "checkpoints")
        shutil.copytree(runs[3].folder / "checkpoints", other.folder / "checkpoints")
    shutil.copy(runs[3].folder / "config.json", runs[2].folder / "config.json")
    with pytest.warns(RuntimeWarning) as caught:
        set_damaged_aside(runs)
    said = [str(one.message) for one in caught]
    assert len(said) == 3
    assert "config.json is damaged (network: " in said[0]
    assert "checkpoints/step-00000025 is of another run" in said[1]
    assert "config.json is of another run" in said[2]
    assert [run.folder.exists() for run in runs[:3]] == [False, False, False]
    assert (runs[3].folder / "config.json").exists()


def test_a_damaged_run_that_another_process_is_at_is_left_alone(models):
    _, _, runs = models
    (runs[0].folder / "result.json").write_text("")
    with runs[0]._locked():
        set_damaged_aside(runs)
    assert (runs[0].folder / "result.json").exists()


def without_checksums(run):
    """As earlier versions wrote it."""
    edit(run.folder / "result.json", lambda r: [r.pop(k) for k in ("run", "files", "checksum")])


def test_results_of_earlier_versions_are_read_and_named(models):
    study, folder, runs = models
    before = build_table(study, folder)
    for run in runs:
        without_checksums(run)
    with pytest.warns(RuntimeWarning, match=r"have no checksum, .* unnoticed: .* and 1 more"):
        assert build_table(study, folder).equals(before)
    shutil.copy(runs[0].folder / "result.json", runs[1].folder / "result.json")
    flip(runs[2].folder / "pictures.npz", 0.5)
    with pytest.warns(RuntimeWarning) as caught:
        assert build_table(study, folder)["run"].n_unique() == 2
    said = " ".join(str(one.message) for one in caught)
    assert "result.json is of another run than" in said
    assert "pictures.npz is damaged" in said


def test_pictures_without_a_part_are_damaged(models):
    _, _, (run, *_) = models
    without_checksums(run)
    found = run.pictures()
    del found["traversals"]
    np.savez(run.folder / "pictures.npz", **found)
    assert "it lacks traversals" in run.damage()


def test_models_are_not_ranked_by_a_damaged_run(models):
    study, folder, runs = models
    (runs[0].folder / "result.json").write_text("[]")
    with pytest.warns(RuntimeWarning, match="is left out"):
        ranked = rank_models(folder, rows=50)
    assert runs[0].folder.name not in ranked["run"].to_list()


@pytest.mark.filterwarnings("ignore:.*the run is finished again")
@pytest.mark.parametrize("further", [0, 5])
def test_a_finished_run_is_kept_where_its_checkpoints_are_of_another(models, further):
    _, _, (run, other, *_) = models
    shutil.rmtree(run.folder / "checkpoints")
    shutil.copytree(other.folder / "checkpoints", run.folder / "checkpoints")
    before = (run.folder / "result.json").read_bytes()
    training = run.description.training
    steps = sorted({*training.milestones, training.steps + further})
    more = training.model_copy(update={"steps": steps[-1], "milestones": tuple(steps)})
    description = run.description.model_copy(update={"training": more})
    with pytest.raises(ValueError, match=r"step-\d+ is of another run than .*config.json"):
        description.run(run.folder).check()
    assert (run.folder / "result.json").read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda run, _: shutil.rmtree(run.folder / "checkpoints"),
        lambda run, other: shutil.copytree(
            other.folder / "checkpoints", run.folder / "checkpoints", dirs_exist_ok=True
        ),
        instead("checkpoints/step-00000030/model.safetensors", os.mkfifo),
        instead("checkpoints/step-00000030/model.safetensors", os.mkdir),
        instead("checkpoints/step-00000030/model.safetensors", lambda file: file.touch()),
    ],
)
def test_models_without_their_last_checkpoint_are_not_ranked(models, damage):
    _, folder, runs = models
    damage(runs[0], runs[1])
    with pytest.warns(RuntimeWarning, match=f"run {runs[0].folder.name} is left out"):
        ranked = rank_models(folder, rows=50)
    assert runs[0].folder.name not in ranked["run"].to_list()


def test_a_pipe_in_a_checkpoint_is_passed_over(models):
    _, _, (run, *_) = models
    instead("checkpoints/step-00000030/model.safetensors", os.mkfifo)(run, None)
    with pytest.warns(RuntimeWarning, match="is not a regular file; the model of step"):
        load_model(run.folder)


def test_something_else_in_the_place_of_a_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(DamagedFileError, match="not a regular file: remove it, or use another"):
        read_json(tmp_path / "pipe.json")


def test_a_result_has_a_rate_for_each_latent(models):
    _, _, (run, *_) = models
    unsealed(drop_rate)(run, None)
    with pytest.raises(DamagedFileError, match=r"\(2 rates at step \d+ of 3 latents\)"):
        run.result()


def test_a_damaged_run_is_not_merged_and_is_replaced(circles, tmp_path):
    study, folder = circles
    for name in ("a", "b"):
        shutil.copytree(folder, tmp_path / name)
    first, second, *_ = StudyFolder(study, tmp_path / "a").runs
    (first.folder / "result.json").write_text("[]")
    with pytest.warns(RuntimeWarning, match=f"run {first.folder.name} is left out"):
        assert merge_studies([tmp_path / "a"], tmp_path / "out") == {str(tmp_path / "a"): 3}
    edit(tmp_path / "out/runs" / second.folder.name / "result.json", lambda r: r.update(mean=0.1))
    assert merge_studies([tmp_path / "b"], tmp_path / "out") == {str(tmp_path / "b"): 2}
    assert build_table(study, tmp_path / "out").equals(build_table(study, folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "others"}, "holds another study: it is called circles there and others here;"),
        (
            {"points": [160, 200]},
            "they differ in points; 2 of its runs are not of this one; choose",
        ),
        ({"seeds": [0]}, "they differ in seeds; 2 of its runs are not of this one"),
    ],
)
def test_the_folder_of_another_study_is_refused(circles, tmp_path, change, message):
    study, folder = circles
    shutil.copytree(folder, tmp_path / "out")
    before = (tmp_path / "out/study.json").read_bytes()
    with pytest.raises(ValueError, match=message):
        run_study(checked_study({**STUDY, **change}, "here"), tmp_path / "out")
    assert (tmp_path / "out/study.json").read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [["study", "geomancer", "--dry-run"], ["study", "slurm", "geomancer", "--jobs", "2"]],
)
def test_a_plan_or_script_for_the_folder_of_another_study_is_refused(circles, tmp_path, cli, words):
    _, folder = circles
    shutil.copytree(folder, tmp_path / "out")
    code, out, err = cli(*words, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert "holds another study: it is called circles there and geomancer here" in err
    (tmp_path / "out/study.json").write_text("[]")
    code, _, err = cli(*words, "--out", tmp_path / "out")
    assert code == 2
    assert "are not of the study geomancer" in err
    assert (tmp_path / "out/study.json").read_text() == "[]"


def test_a_study_of_another_format_is_not_overwritten(circles, tmp_path):
    study, folder = circles
    shutil.copytree(folder, tmp_path / "out")
    edit(tmp_path / "out/study.json", lambda content: content.update(format=9))
    with pytest.raises(ValueError, match="keeps studies in another way"):
        run_study(study, tmp_path / "out")


def test_a_study_that_has_more_runs_or_other_words_goes_on(circles, tmp_path):
    study, folder = circles
    shutil.copytree(folder, tmp_path / "out")
    more = checked_study({**STUDY, "title": "More circles", "seeds": [0, 1, 2]}, "here")
    assert run_study(more, tmp_path / "out", workers=1) == {}
    assert build_table(more, tmp_path / "out").height == 6


def test_a_damaged_study_file_is_written_again_where_all_runs_are_of_it(circles, tmp_path):
    study, folder = circles
    shutil.copytree(folder, tmp_path / "out")
    before = (tmp_path / "out/study.json").read_bytes()
    for content in ("[]", "", "{}", '{"name": 3}'):
        (tmp_path / "out/study.json").write_text(content)
        with pytest.warns(RuntimeWarning, match=r"is written again, and the old file is"):
            assert run_study(study, tmp_path / "out") == {}
        assert (tmp_path / "out/study.json").read_bytes() == before
    assert (tmp_path / "out/study.json.damaged-4").read_text() == '{"name": 3}'
    (tmp_path / "out/study.json").write_text("[]")
    with pytest.raises(ValueError, match="2 runs in .* are not of the study circles: restore it"):
        run_study(checked_study({**STUDY, "seeds": [0]}, "here"), tmp_path / "out")


def test_the_command_line_names_what_is_damaged(circles, tmp_path, cli):
    study, folder = circles
    shutil.copytree(folder, tmp_path / "out")
    run, *_ = StudyFolder(study, tmp_path / "out").runs
    write_table(build_table(study, folder), tmp_path / "out")
    (run.folder / "result.json").write_text('{"description": []}')
    for words in (("table", tmp_path / "out"), ("report", tmp_path / "out")):
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            code, _, err = cli("study", *words)
        assert code == 0
        assert f"{run.folder.name}/result.json is damaged (description: input should be" in err
    (tmp_path / "out/study.json").write_text("[]")
    code, _, err = cli("study", "table", tmp_path / "out")
    assert code == 2
    assert "study.json holds a JSON list" in err


def test_a_run_that_was_moved_while_it_was_waited_for_is_busy(circles, tmp_path, monkeypatch):
    study, _ = circles
    run, *_ = StudyFolder(study, tmp_path).runs
    moved = tmp_path / "moved"
    monkeypatch.setattr("unweave.studies.base.FileLock.acquire", lambda _: run.folder.rename(moved))
    with pytest.raises(RunIsBusyError, match="another process has moved .*runs"):
        run.execute()
    assert not run.folder.exists()


def test_a_result_of_models_describes_its_run():
    content = {"parameters": 1, "flops_per_step": 1, "description": {"dataset": "torus"}}
    rates = {"metrics": {}, "kl_per_latent": [0.1]}
    with pytest.raises(ValidationError, match="its description lacks network"):
        TrainingResult.model_validate({**content, "milestones": {"5": rates}})
    with pytest.raises(ValidationError, match="the rates of its latents are missing"):
        TrainingResult.model_validate({**content, "milestones": {"5": {"metrics": {}}}})
