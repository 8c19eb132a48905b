import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from unweave.cli import app
from unweave.metrics import BY_DEFAULT


@pytest.fixture
def arrays(rng):
    factors = np.stack([rng.integers(0, k, 600) for k in (3, 4, 5)], axis=1)
    codes = np.concatenate([factors + 0.1 * rng.standard_normal((600, 3)), np.ones((600, 1))], 1)
    return {"codes": codes, "factors": factors}


@pytest.fixture
def npz(tmp_path):
    def write(**content):
        np.savez(tmp_path / "codes.npz", **content)
        return tmp_path / "codes.npz"

    return write


def test_score_prints_json_with_all_that_belongs_to_a_score(cli, npz, arrays):
    file = npz(**arrays, factor_names=np.array(["a", "b", "c"]))
    code, out, _ = cli("score", file, "--json")
    assert code == 0
    content = json.loads(out)
    assert (content["n"], content["dead_latents"]) == (600, [3])
    assert list(content["metrics"]) == list(BY_DEFAULT)
    assert "beta_vae" not in content["skipped"]
    for name in ("mig", "sap"):
        metric = content["metrics"][name]
        assert metric["interval"][0] <= metric["value"] <= metric["interval"][1]
        assert set(metric["chance"]) >= {"mean", "sd"}
        assert metric["p_value"] == pytest.approx(1 / 101)
        assert list(metric["per_factor"]) == ["a", "b", "c"]
        assert metric["n"] == 600
        assert metric["settings"]
        assert metric["adjusted"] is not None
    assert content["metrics"]["mig"]["settings"]["estimator"] == "disentanglement_lib"


def test_score_prints_a_table(cli, npz, arrays):
    code, out, err = cli("score", npz(**arrays))
    assert (code, err) == (0, "")
    for word in (
        "mig",
        "dci_completeness",
        "chance",
        "interval: 95 %",
        "1 of 4 latents never vary",
    ):
        assert word in " ".join(out.split())


def test_score_computes_the_metrics_named(cli, npz, arrays):
    file = npz(**arrays)
    code, out, _ = cli("score", file, "--metrics", "sap", "mig", "--json")
    assert code == 0
    assert list(json.loads(out)["metrics"]) == ["sap", "mig"]
    code, _, err = cli("score", file, "--metrics", "sapp")
    assert code == 2
    assert "did you mean 'sap'" in err


class TestCompare:
    def test_it_prints_a_table_and_json(self, cli, npz, arrays, rng, tmp_path):
        first = npz(**arrays).rename(tmp_path / "separate.npz")
        mixed = arrays["codes"][:, :3] @ rng.standard_normal((3, 3))
        second = npz(codes=mixed, factors=arrays["factors"])
        code, out, err = cli("compare", first, second, "--metrics", "mig", "mcc")
        assert (code, err) == (0, "")
        assert "separate.npz minus codes.npz: 600 rows" in " ".join(out.split())
        code, out, _ = cli("compare", first, second, "--metrics", "mig", "--json")
        found = json.loads(out)["metrics"]["mig"]
        assert found["difference"] == pytest.approx(found["first"] - found["second"])
        assert found["interval"][0] > 0
        assert found["p_value"] < 0.01

    def test_files_of_other_rows_are_refused(self, cli, npz, arrays, tmp_path):
        first = npz(**arrays).rename(tmp_path / "a.npz")
        second = npz(codes=arrays["codes"], factors=arrays["factors"][::-1])
        code, _, err = cli("compare", first, second)
        assert code == 2
        assert "differ in 588 of 600 rows: both files must hold codes of the same rows" in err


def test_a_constant_factor_is_named_and_can_be_dropped(cli, npz, arrays):
    arrays["factors"] = np.insert(arrays["factors"], 1, 7, axis=1)
    file = npz(**arrays, factor_names=np.array(["a", "still", "b", "c"]))
    code, _, err = cli("score", file)
    assert code == 2
    assert "factors [1] (still) never vary" in err
    assert "--drop-constant" in err
    code, out, _ = cli("score", file, "--drop-constant", "--json")
    assert code == 0
    content = json.loads(out)
    assert content["dropped_factors"] == ["still"]
    assert list(content["metrics"]["mig"]["per_factor"]) == ["a", "b", "c"]


class TestBadFiles:
    def test_a_missing_key(self, cli, npz, arrays):
        code, _, err = cli("score", npz(codes=arrays["codes"], labels=arrays["factors"]))
        assert code == 2
        assert (
            "has no array 'factors': choose with --factors; it has codes (float64, (600, 4))" in err
        )

    def test_a_pickle_is_never_loaded(self, cli, npz, arrays, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (open, (str(tmp_path / "went off"), "w"))

        bomb = np.array([Bomb()], dtype=object)
        code, _, err = cli("score", npz(codes=bomb, factors=arrays["factors"]))
        assert code == 2
        assert "'codes' is pickled, and pickles are never loaded" in err
        assert not (tmp_path / "went off").exists()

    def test_an_empty_file(self, cli, tmp_path):
        (tmp_path / "a.npz").touch()
        code, _, err = cli("score", tmp_path / "a.npz")
        assert code == 2
        assert "a.npz is empty: codes and factors are needed" in err

    def test_no_npz(self, cli, tmp_path):
        (tmp_path / "a.npz").write_text("codes,factors\n1,2\n")
        code, _, err = cli("score", tmp_path / "a.npz")
        assert code == 2
        assert "a.npz cannot be read as .npz: File is not a zip file" in err

    def test_a_truncated_file(self, cli, npz, arrays):
        file = npz(**arrays)
        file.write_bytes(file.read_bytes()[:-200])
        code, _, err = cli("score", file)
        assert code == 2
        assert "codes.npz cannot be read as .npz" in err

    def test_no_file(self, cli, tmp_path):
        code, _, err = cli("score", tmp_path / "none.npz")
        assert code == 2
        assert "no file at" in err

    def test_words_for_codes(self, cli, npz, arrays):
        code, _, err = cli(
            "score", npz(codes=arrays["codes"].astype(str), factors=arrays["factors"])
        )
        assert code == 2
        assert "codes must be an array of numbers" in err


def test_words_for_factors_are_levels(cli, npz, arrays):
    words = np.array(["a", "b", "c", "d", "e"])[arrays["factors"]]
    file = npz(codes=arrays["codes"], factors=words)
    code, out, err = cli("score", file, "--metrics", "mig", "--rows", "200", "--json")
    assert code == 0, err
    assert json.loads(out)["metrics"]["mig"]["levels"]["0"] == ["a", "b", "c"]


def test_train_leaves_a_run_whose_codes_can_be_scored(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["train", "beta_vae", "--beta", 2, "--steps", 6, "--width", 0.125, "--batch-size", 8]
    code, out, err = cli(*words, "--milestones", 3, "--out", "run")
    assert code == 0, err
    rows = [line.split()[:2] for line in out.splitlines()[3:7]]
    assert rows == [[step, metric] for step in "36" for metric in ("mig", "sap")]
    assert (tmp_path / "run/checkpoints/step-00000003/model.safetensors").exists()
    code, out, _ = cli("score", "run/codes.npz", "--rows", 500, "--json")
    assert code == 0
    content = json.loads(out)
    assert content["n"] == 500
    assert list(content["metrics"]["mig"]["per_factor"])[0] == "shape"
    code, _, err = cli(*words, "--seed", 1, "--out", "run")
    assert code == 2
    assert "holds another finished run" in err


def test_a_model_is_trained_shown_and_exported(cli, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    monkeypatch.chdir(tmp_path)
    words = ["--steps", 4, "--width", 0.125, "--batch-size", 8, "--discriminator-units", 8]
    code, _, err = cli("train", "factor_vae", "--gamma", 20, *words, "--out", "run")
    assert code == 0, err
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert config["objective"]["gamma"] == 20
    code, out, err = cli("show", "run")
    assert code == 0, err
    assert "run/show/index.html" in out
    shown = sorted(p.name for p in (tmp_path / "run/show").iterdir())
    assert shown == [
        "index.html", "maps.png", "reconstructions.png", "samples.png", "traversals.gif",
        "traversals.png",
    ]  # fmt: skip
    code, out, err = cli("export", "run", "--out", "model", "--onnx")
    assert code == 0, err
    assert "encoder.onnx" in out
    assert "| gamma | 20.0 |" in (tmp_path / "model/README.md").read_text()
    codes = []
    for name in ("run:run", "run:model", "onnx:model/encoder.onnx"):
        code, _, err = cli("encode", name, "--rows", 50, "--out", "codes.npz")
        assert code == 0, err
        codes.append(np.load("codes.npz")["codes"])
    np.testing.assert_array_equal(codes[0], codes[1])
    np.testing.assert_allclose(codes[0], codes[2], atol=1e-4)
    code, _, err = cli("export", "run", "--out", "model")
    assert code == 2
    assert "model is not empty" in err


def test_a_preset_sets_what_is_not_given(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--preset", "locatello", "--steps", 2, "--width", 0.125]
    code, _, err = cli("train", "factor_vae", *words, "--discriminator-units", 4, "--out", "run")
    assert code == 0, err
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert config["network"]["name"] == "locatello"
    assert config["training"]["learning_rate"] == 1e-4
    assert config["training"]["steps"] == 2
    assert config["objective"]["gamma"] == 30


def test_symmetry_tells_verdict_analogies_and_distance(cli):
    words = ["symmetry", "pca:4", "--rows", 300, "--analogies", 50]
    code, out, err = cli(*words)
    assert code == 0, err
    assert "by this definition and these groups: not disentangled (n = 300)" in out
    assert "D_LSBD 0." in out
    code, out, _ = cli(*words, "--json")
    content = json.loads(out)
    assert code == 0
    assert set(content["conditions"]) == {"action", "equivariance", "decomposition"}
    assert content["analogies"]["x"]["chance"] == 1 / 16
    assert 0 < content["d_lsbd"]["value"] < 1
    assert content["d_lsbd"]["chance"]["mean"] > 0.9


def test_symmetry_of_dsprites_has_no_distance_as_not_all_its_factors_are_circles(cli):
    code, out, err = cli(
        "symmetry", "pca:4", "--dataset", "dsprites", "--rows", 200, "--analogies", 20
    )
    assert code == 0, err
    assert "posX" in out
    assert "D_LSBD" not in out


def test_objectives_are_listed_with_their_options(cli):
    code, out, _ = cli("objectives")
    assert code == 0
    words = out.split()
    for word in ("beta_tc_vae", "--estimator", "stratified", "DC-IGN,", "--weight-decay"):
        assert word in words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "vae", "--beta", "4"], "--beta is not an option of vae"),
        (["train", "vae", "--n-latents", "4"], "--n-latents is not an option of vae (write --lat"),
        (["train", "factor_va"], "unknown objective 'factor_va' (did you mean 'factor_vae'?)"),
        (["train", "beta_tc_vae", "--batch-size", "1"], "needs a batch of at least 2, not 1"),
        (["train", "beta_vae", "--beta", "much"], "--beta: Input should be a valid number"),
        (["train", "vae", "--latents", "0"], "--latents: a number of at least 1 is needed"),
        (["train", "vae", "--noise", "3"], "no use for a decoder with 3 inputs of noise"),
        (["train", "info_vae", "--alpha", "0.5", "--lambda-prior", "0.1"], "below 1 codes would"),
        (["show", "nowhere"], "nowhere is not a run folder"),
        (["export", "nowhere", "--out", "there"], "nowhere is not a run folder"),
        (["show", "pretrained:qlae-room"], "'qlae-room' (did you mean 'qlae-rooms'?); choose"),
        (["encode", "pretrained:none"], "unknown pretrained model 'none'; choose from factor-vae-"),
        (["encode", "random:pretrained:qlae-rooms"], "no architecture to draw weights for"),
        (["import", "disentangling-vae", "nowhere", "--out", "there"], "has no specs.json"),
        (
            ["train", "beta_vae", "--beta", "-1"],
            "--beta: Input should be greater than or equal to 0",
        ),
        (["train", "beta_vae", "--steps", "0"], "--steps: a number of at least 1 is needed"),
        (["train", "vae", "--dataset", "dsprite"], "did you mean 'dsprites'"),
        (["study", "quik"], "did you mean 'quick'"),
        (["data", "show", "cars"], "unknown dataset 'cars'"),
        (["study", "table", "nowhere"], "holds no study"),
        (["encode", "clop:RN50"], "unknown encoder 'clop:RN50' (did you mean 'clip'?)"),
        (["encode", "pixels", "--image-size", "32"], "with ?size=64 after its name"),
        (["encode", "pixels", "--rows", "0"], "--rows: a number of at least 1 is needed, not '0'"),
        (["encoders", "show", "run:nowhere"], "nowhere is not a run folder"),
        (["assess", "pixels", "--readouts", "pcs:3"], "unknown readout 'pcs'"),
    ],
)
def test_wrong_words_are_answered_by_a_sentence(cli, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = cli(*words)
    assert code == 2
    assert message in err


def test_data_show_draws_a_picture(cli, tmp_path):
    code, _, _ = cli("data", "show", "dsprites", "--out", tmp_path / "grid.png")
    assert code == 0
    picture = np.asarray(Image.open(tmp_path / "grid.png"))
    assert picture.shape == (5 * 66, 10 * 66)
    assert set(np.unique(picture)) == {0, 128, 255}


def test_data_show_turns_and_lights_an_object(cli, tmp_path):
    code, _, err = cli("data", "show", "objects3d", "--out", tmp_path / "grid.png")
    if "rendering needs MuJoCo" in err and not os.environ.get("UNWEAVE_REQUIRE_RENDERER"):
        pytest.skip(err)
    assert code == 0, err
    picture = np.asarray(Image.open(tmp_path / "grid.png"))
    assert picture.shape == (2 * 66, 10 * 66)
    assert len(np.unique(picture)) > 50


def test_lists(cli):
    assert "737,280" in cli("data", "list")[1]
    assert "torus" in cli("data", "list")[1]
    assert "paper-cpu" in cli("study", "list")[1]
    assert 'name = "quick"' in cli("study", "show", "quick")[1]


def test_study_table_prints_json(cli, tiny):
    code, out, _ = cli("study", "table", tiny[1], "--json")
    assert code == 0
    assert len(json.loads(out)["rows"]) == 24


class TestEncode:
    def test_codes_can_be_scored(self, cli, tmp_path):
        file = tmp_path / "codes.npz"
        code, out, err = cli("encode", "pca:4", "--rows", "200", "--out", file)
        assert code == 0
        assert "200 rows, 4 latents" in out
        assert "the sound protocol has 10,000 rows, and these are 200" in err
        code, out, _ = cli("score", file, "--metrics", "mig", "--json")
        assert code == 0
        assert json.loads(out)["n"] == 200

    def test_the_papers_protocol(self, cli, tmp_path):
        file = tmp_path / "codes.npz"
        code, out, _ = cli("encode", "pixels", "--protocol", "paper", "--out", file)
        assert code == 0
        assert "score it with: unweave score" in out
        with np.load(file) as content:
            assert content["codes"].shape == (1000, 4096)
            assert content["codes"].max() == pytest.approx(1 / 255)
        code, out, _ = cli("score", file, "--drop-constant", "--metrics", "mig")
        assert "never vary: shape, scale, orientation" in out

    def test_families_and_cards_are_shown(self, cli):
        assert "clip:RN50" in cli("encoders", "list")[1]
        code, out, _ = cli("encoders", "show", "pca:3", "--json")
        assert code == 0
        card = json.loads(out)
        assert card["parameters"] == 3 * 4096
        assert len(card["sha256"]) == 64
        assert "fitted to 10,000 images" in cli("encoders", "show", "pca:3")[1]

    @pytest.mark.usefixtures("shared_cache")
    def test_assess_writes_a_report(self, cli, tmp_path):
        words = ["--rows", "200", "--metrics", "mig", "--readouts", "raw", "--out", tmp_path]
        code, out, _ = cli("assess", "pca:3", "pca:4", *words, "--workers", "1")
        assert code == 0
        text = (tmp_path / "report.html").read_text()
        assert "Are these encoders disentangled?" in text
        assert "fewer than three sizes of one family" in text
        assert str(tmp_path) in out.replace("\n", "")


def test_every_command_has_help():
    for words in ([], ["study"], ["train"], ["score"], ["compare"], ["geomancer"], ["data"],
                  ["encode"], ["encoders"], ["assess"], ["objectives"], ["show"], ["export"],
                  ["import"], ["symmetry"], ["explore"], ["pretrained"]):  # fmt: skip
        printed = subprocess.run(
            [sys.executable, "-m", "unweave", *words, "--help"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "Usage: unweave" in printed.stdout
    assert app.name == ("unweave",)


@pytest.mark.filterwarnings("always")
class TestGeomancer:
    def test_it_splits_a_product(self, cli, tmp_path):
        words = ("geomancer", "S^2 x S^2", "--points", 1000, "--json", "--out", tmp_path / "r.npz")
        code, out, _ = cli(*words)
        assert code == 0
        content = json.loads(out)
        assert (content["n_factors"], content["dims"]) == (2, [2, 2])
        assert content["angle_error"]["mean"] < 0.03 < content["angle_error"]["chance"]
        assert content["eigenvalues"][0] < 0.01
        with np.load(tmp_path / "r.npz") as found:
            assert found["subspace_1"].shape == (1000, 6, 2)
            assert found["dims"].tolist() == [2, 2]

    def test_it_draws_what_it_found(self, cli, tmp_path):
        words = ("geomancer", "S^2 x S^2", "--points", 600, "--density", 1, "--factors", 2)
        code, out, _ = cli(*words, "--figure", tmp_path / "found.png")
        assert code == 0
        assert re.search(r"dimension: 4 used; estimate [34]\.\d\d with standard error 0\.\d\d", out)
        with Image.open(tmp_path / "found.png") as image:
            assert image.size[0] > 1000
        code, _, err = cli(*words, "--figure", tmp_path / "found.gif")
        assert code == 2
        assert "unknown kind of figure '.gif'" in err

    def test_it_reads_points_from_a_file(self, cli, tmp_path, rng):
        points = rng.standard_normal((600, 3))
        np.save(tmp_path / "ball.npy", points / np.linalg.norm(points, axis=1, keepdims=True))
        code, out, err = cli("geomancer", tmp_path / "ball.npy", "--dims", 2)
        assert code == 0
        assert "no separate factors found: one manifold of 2 dimensions" in " ".join(out.split())
        assert err.startswith("warning: no gap in the spectrum")
        assert "warnings.warn" not in err

    def test_flat_factors_are_not_separated(self, cli):
        code, out, err = cli("geomancer", "S^1 x S^1", "--points", 2000)
        assert code == 0
        assert "one manifold of 2 dimensions; 2 dimensions are flat, and flat factors" in out
        assert "confidence 0.00" in out
        assert "angle to the true subspaces: none, since they have other dimensions" in out
        assert "flat factors, as circles, cannot be separated" in err

    def test_a_dimension_that_is_not_known_is_said(self, cli, tmp_path):
        lines = np.stack(np.meshgrid(np.arange(60.0), 100 * np.arange(20.0)), axis=-1)
        np.save(tmp_path / "lines.npy", lines.reshape(-1, 2))
        code, _, err = cli("geomancer", tmp_path / "lines.npy")
        assert code == 2
        assert "the dimension cannot be estimated: the points fall into 20 pieces" in err
        code, out, err = cli("geomancer", tmp_path / "lines.npy", "--dims", 2)
        assert code == 0
        assert "dimension: 2 used; it cannot be estimated" in out
        assert "n_dims=2 is not checked" in err
        code, out, _ = cli("geomancer", tmp_path / "lines.npy", "--dims", 2, "--json")
        assert json.loads(out)["dimension"]["estimate"] is None

    def test_the_estimate_of_a_grid_is_a_whole_number(self, cli, tmp_path):
        square = np.stack(np.meshgrid(np.arange(20.0), np.arange(20.0)), axis=-1).reshape(-1, 2)
        np.save(tmp_path / "square.npy", square)
        code, out, _ = cli("geomancer", tmp_path / "square.npy")
        assert code == 0
        assert "dimension: 2 used; estimate 2, by the spread of neighbourhoods" in out

    def test_bad_sources_are_refused(self, cli, tmp_path):
        code, _, err = cli("geomancer", "S2xS2")
        assert code == 2
        assert "is not a known manifold" in err
        code, _, err = cli("geomancer", tmp_path / "none.npy")
        assert code == 2
        assert "no file at" in err
