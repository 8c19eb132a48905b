"""Commands on images of one's own, with and without factors."""

import json

import numpy as np
import pytest
from PIL import Image

WORDS = ["--width", 0.125, "--latents", 2, "--batch-size", 4, "--steps", 3]


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    from unweave.studies.evaluation import Evaluation

    fields = {"rows": 100, "n_permutations": 2, "n_projections": 2, "n_halves": 3}
    monkeypatch.setattr("unweave.studies.evaluation.Evaluation", lambda: Evaluation(**fields))


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Two files of the same 60 images of 10 x 10 pixels: one with factors, one without."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 10, 10, 3), dtype=np.uint8)
    shape = np.array(["cube", "ball", "cone"])[np.arange(60) % 3]
    place = rng.uniform(size=60)
    place[::5] = np.nan
    np.savez("plain.npz", images=images)
    np.savez("known.npz", **{"images": images, "factors/shape": shape, "factors/place": place})
    return tmp_path


def test_train_show_and_score_of_unlabelled_images(cli, data):
    words = ["--dataset", "plain.npz", "--image-size", 8, "--resize-filter", "box", *WORDS]
    code, out, err = cli("train", "vae", *words, "--out", "run")
    assert code == 0, err
    assert "latent_mi" in out
    assert "note: mig, sap left out: plain has no factors" in " ".join(out.split())
    config = json.loads((data / "run" / "config.json").read_text())
    assert config["dataset"] == f"{data}/plain.npz?resample=box&size=8"
    assert config["image_shape"] == [8, 8, 3]
    code, out, err = cli("show", "run")
    assert code == 0, err
    page = (data / "run" / "show" / "index.html").read_text(encoding="utf-8")
    assert "60 images of 8 x 8 x 3; without factors" in page
    assert not (data / "run" / "show" / "maps.png").exists()
    with np.load("run/codes.npz") as codes:
        assert set(codes) == {"codes", "rows"}
    code, out, err = cli("score", "run/codes.npz", "--json")
    assert code == 0, err
    assert list(json.loads(out)["metrics"]) == ["total_correlation", "wasserstein", "latent_mi"]
    code, _, err = cli("score", "run/codes.npz", "--metrics", "mig,latent_mi")
    assert code == 2
    assert "mig cannot be computed without factors" in err


def test_resuming_with_other_images_is_refused(cli, data):
    words = ["--dataset", "plain.npz?size=8", *WORDS, "--out", "run"]
    assert cli("train", "vae", *words)[0] == 0
    images = np.random.default_rng(1).integers(0, 256, (60, 10, 10, 3), dtype=np.uint8)
    np.savez("plain.npz", images=images)
    code, _, err = cli("train", "vae", *words, "--milestones", 2)
    assert code == 2
    assert "are not those that run was trained on: restore them" in err


def test_resuming_with_other_factors_is_refused(cli, data):
    words = ["--dataset", "known.npz?size=8", *WORDS, "--out", "run"]
    assert cli("train", "vae", *words)[0] == 0
    with np.load("known.npz") as found:
        arrays = dict(found)
    np.savez("known.npz", **{**arrays, "factors/shape": arrays["factors/shape"][::-1]})
    code, _, err = cli("train", "vae", *words, "--milestones", 2)
    assert code == 2
    assert "the images or factors of" in err


def test_the_card_of_a_model_does_not_name_folders_of_this_machine(cli, data):
    words = ["--dataset", "plain.npz?size=8", *WORDS, "--out", "run"]
    assert cli("train", "vae", *words)[0] == 0
    code, _, err = cli("export", "run", "--out", "card")
    assert code == 0, err
    card = (data / "card" / "README.md").read_text(encoding="utf-8")
    assert "# vae on plain\n" in card
    assert str(data) not in card
    assert "| – | 60 |" in card  # no random mixture of the factors
    assert "mig, sap left out: plain has no factors" in card


def test_a_size_that_no_network_takes_is_answered_by_one_that_it_does(cli, data):
    code, _, err = cli("train", "vae", "--dataset", "plain.npz", *WORDS, "--network", "locatello")
    assert code != 0
    assert "takes images of 64 x 64 pixels" in err
    assert "--image-size 64" in err


def test_codes_of_labelled_images_have_their_factors(cli, data):
    code, _, err = cli("encode", "pca:3", "--dataset", "known.npz", "--out", "codes.npz")
    assert code == 0, err
    assert "and these are 48, all there are" in err
    with np.load("codes.npz") as found:
        assert found["factor_names"].tolist() == ["shape", "place"]
        assert found["factor_kinds"].tolist() == ["categorical", "continuous"]
        assert found["codes"].shape == (48, 3)
        assert np.isfinite(found["factors"]).all()
    code, out, err = cli("score", "codes.npz", "--metrics", "mig,sap", "--json")
    assert code == 0, err
    assert set(json.loads(out)["metrics"]["mig"]["per_factor"]) == {"shape", "place"}


def test_what_needs_a_grid_or_black_and_white_says_so(cli, data):
    code, _, err = cli("symmetry", "pixels", "--dataset", "known.npz")
    assert code == 2
    assert "groups move one factor at a time, which needs images of every combination" in err
    code, _, err = cli("encode", "pixels", "--dataset", "known.npz", "--protocol", "paper")
    assert code == 2
    assert "is for black and white images" in err


def test_a_grid_without_known_groups_says_so(cli, data, monkeypatch):
    from unweave.datasets import Torus

    monkeypatch.setattr(Torus, "symmetries", ())
    code, _, err = cli("symmetry", "pixels", "--dataset", "torus")
    assert code == 2
    assert "no group is known to act on the images of torus" in err


def test_pictures_of_any_dataset(cli, data):
    for name, rows in (("plain", 6), ("known", 2)):
        code, out, err = cli("data", "show", f"{name}.npz", "--out", f"{name}.png")
        assert code == 0, err
        assert ("rows, from the top: shape, place" in out) == (name == "known")
        with Image.open(f"{name}.png") as picture:
            assert picture.size == (10 * 12, rows * 12)


def test_codes_alone_in_an_npy_are_scored_if_asked_for_what_needs_no_factors(cli, data):
    np.save("codes.npy", np.random.default_rng(0).normal(size=(50, 3)))
    code, out, err = cli("score", "codes.npy", "--metrics", "latent_mi", "--rows", 40)
    assert code == 0, err
    assert "40 rows, 3 latents" in out
    assert "codes.npy has no factors: metrics that need them are left out" in " ".join(out.split())


def test_images_of_another_size_than_those_of_a_run_are_refused_with_what_to_do(cli, data):
    code, _, err = cli(
        "train", "vae", "--dataset", "plain.npz", "--out", "small", *WORDS, "--image-size", 16
    )
    assert code == 0, err
    code, _, err = cli("encode", "run:small", "--dataset", "known.npz")
    assert code == 2
    assert "run:small encodes images of 16 x 16 x" in err
    assert "for example with ?size=16x16 after the name of the dataset" in err
    code, _, err = cli("show", "small", "--dataset", "known.npz")
    assert code == 2
    assert "--dataset, as 'NAME?size=16x16'" in err


def test_codes_of_quantised_latents_are_scored_without_factors(cli, data):
    """Their file has indices beside the codes."""
    words = ["--dataset", "plain.npz?size=8", "--steps", 2, "--width", 0.125, "--out", "run"]
    assert cli("train", "qlae", *words)[0] == 0
    code, out, err = cli("score", "run/codes.npz")
    assert code == 0, err
    assert "total_correlation" in out
