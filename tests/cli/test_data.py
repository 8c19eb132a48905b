"""`unweave data`."""

import json

import numpy as np
import pytest
from PIL import Image

from unweave.cli.abilities import abilities
from unweave.datasets import ArrayDataset, load


@pytest.fixture
def folder(tmp_path, rng):
    own = tmp_path / "own"
    for name in ("ball", "cube"):
        (own / name).mkdir(parents=True)
        for k in range(12):
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(
                own / name / f"{k}.png"
            )
    return own


def test_check_says_what_was_found_and_what_can_be_done(cli, folder):
    code, out, err = cli("data", "check", f"{folder}?labels=folders")
    assert (code, err) == (0, "")
    assert "24 images of 16 x 16, colour" in out
    assert "ball, cube (at least 12 images each)" in out
    assert "--network burgess or resnet" in out
    assert "a full grid" in " ".join(out.split())
    assert f'dataset="{folder}?labels=folders"' in "".join(out.split())


def test_check_as_json(cli, folder):
    code, out, _ = cli("data", "check", folder, "--image-size", "64", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["sound"]
    assert (found["images"], found["shape"]) == (24, [64, 64, 3])
    assert found["sizes"] == [{"height": 16, "width": 16, "images": 24}]
    assert found["factors"] == []
    commands = {one["command"]: one for one in found["commands"]}
    assert "burgess or locatello or resnet" in commands["train"]["text"]
    assert "total_correlation" in commands["score"]["text"]
    assert any("labels=folders" in note for note in found["notes"])


def test_check_of_a_broken_folder(cli, folder):
    (folder / "ball" / "0.png").write_bytes(b"")
    Image.new("RGB", (8, 8), "red").save(folder / "small.png")
    code, out, _ = cli("data", "check", folder)
    out = " ".join(out.split())
    assert code == 1
    assert "ball/0.png: empty" in out
    assert "are of 2 sizes" in out
    assert f"it is loaded by: {folder}?size=16&skip_damaged=true" in out
    code, out, _ = cli("data", "check", folder, "--json")
    assert code == 1
    assert json.loads(out)["unusable"] == {"ball/0.png": "empty"}
    code, out, _ = cli("data", "check", f"{folder}?size=16&skip_damaged=true")
    assert code == 1


def test_check_of_many_faults_shows_some(cli, folder):
    for k in range(30):
        (folder / f"{k}.png").touch()
    code, out, _ = cli("data", "check", folder)
    assert code == 1
    assert "and 10 more (all of them: --json)" in out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dsprite", "did you mean 'dsprites'"),
        ("nowhere/at/all", "there is no folder nowhere/at/all"),
        ("shapes3d", "unweave data fetch shapes3d"),
        ("torus?sice=3", "did you mean 'size'"),
        ("no_such_module:x", "there is no module no_such_module"),
    ],
)
@pytest.mark.parametrize("command", ["check", "show", "prepare"])
def test_names_that_load_nothing(cli, name, message, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = cli("data", command, name)
    assert code == 2
    assert message in err


def test_abilities_of_datasets_of_all_kinds():
    def can(dataset):
        return {one.command: one for one in abilities(dataset)}

    grid = can(load("torus"))
    assert "groups that act on direction, x, y" in grid["symmetry"].text
    assert grid["score"].text.startswith("28 of 28 metrics, on 4,096 images")
    single = can(load("torus?factors=x"))
    assert "beta_vae" in single["score"].text
    assert "needs 2 factors, and there is 1" in single["score"].text
    tiny = can(ArrayDataset(np.ones((5, 7, 7, 1), bool)))
    assert not tiny["train"].possible
    assert "--image-size 64" in tiny["train"].text
    assert not tiny["study"].possible
    assert not can(load("torus").where(np.arange(4096) < 9))["symmetry"].possible


def test_no_image_has_all_labels(tmp_path):
    factors = np.array([[0, np.nan], [1, np.nan], [np.nan, 0], [np.nan, 1]])
    np.savez(tmp_path / "own.npz", images=np.ones((4, 8, 8), bool), factors=factors)
    found = {one.command: one.text for one in abilities(load(tmp_path / "own.npz"))}
    assert "no image has a value of every factor" in found["score"]


def test_list_says_where_files_are_and_how_to_get_them(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path))
    (tmp_path / "shapes3d").mkdir()
    (tmp_path / "shapes3d" / "3dshapes.h5").touch()
    code, out, _ = cli("data", "list", "--json")
    found = {one["dataset"]: one for one in json.loads(out)["datasets"]}
    assert code == 0
    assert found["dsprites"]["drawn"]
    assert found["dsprites"]["how_to_get"] is None
    assert found["shapes3d"]["present"]
    assert found["shapes3d"]["folder"] == str(tmp_path / "shapes3d")
    assert found["shapes3d"]["how_to_get"] is None
    assert "unweave data fetch mpi3d_toy" in found["mpi3d_toy"]["how_to_get"]
    assert found["cars3d"]["licence"] == "none stated"
    out = " ".join(cli("data", "list")[1].split())
    assert "drawn here" in out
    assert "Files that are not here" in out
    assert "unweave data fetch cars3d" in out


def test_show_draws_any_dataset(cli, folder, tmp_path):
    def shape(*words):
        code, _, err = cli("data", "show", *words, "--out", tmp_path / "grid.png")
        assert code == 0, err
        return np.asarray(Image.open(tmp_path / "grid.png")).shape

    assert shape("torus", "--image-size", "16", "--resize-filter", "box") == (3 * 18, 10 * 18)
    assert shape(folder) == (3 * 18, 10 * 18, 3)
    assert shape(f"{folder}?labels=folders", "--image-size", "8") == (10, 10 * 10, 3)


def test_prepare_decodes_draws_or_resizes(cli, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path / "cache"))
    for words in ([folder], [f"{folder}?labels=folders"], ["torus", "--image-size", "16"]):
        code, out, err = cli("data", "prepare", *words)
        assert code == 0, err
        assert out.startswith("cached: ")
        assert np.load(out.removeprefix("cached: ").strip()).dtype == np.uint8
    code, out, _ = cli("data", "prepare", "torus")
    assert code == 0
    assert "there is nothing to cache" in out
