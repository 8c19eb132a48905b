"""Studies of rendered objects: what is known of true latents, and that the rest runs."""

import json

import numpy as np
import pytest

from unweave.datasets import Objects3D
from unweave.reports import write_report
from unweave.studies import build_table, run_study
from unweave.studies.loading import checked_study, load_study
from unweave.studies.representations import Latents, Pixels

LATENTS = {
    "name": "latents",
    "title": "True latents",
    "question": "Are they split?",
    "points": 3000,
    "mesh": "pointer",
    "seeds": [0],
    "representations": [
        {"kind": "latents"},
        {"kind": "latents", "map": "linear"},
        {"kind": "latents", "map": "linear", "whitened": True},
    ],
}
IMAGES = {
    **LATENTS,
    "name": "images",
    "points": 200,
    "side": 16,
    "representations": [
        {"kind": "pixels", "components": 12},
        {
            "kind": "model",
            "objective": {"name": "vae"},
            "steps": 3,
            "network": {"width": 0.1, "n_latents": 6},
        },
        {
            "kind": "isometric",
            "steps": 3,
            "films": 2,
            "network": {"width": 0.1, "n_latents": 8},
        },
    ],
}


def test_true_latents_are_split_a_linear_map_undoes_it_and_whitening_undoes_the_map(tmp_path):
    study = checked_study(LATENTS, "here")
    assert study.size == "3 runs, 3,000 images, 0 training steps"
    assert run_study(study, tmp_path, workers=1) == {}
    rows = {row["representation"]: row for row in build_table(study, tmp_path).to_dicts()}
    plain = rows["true latents"]
    assert plain["dims"] == plain["dims_by_gap"] == "2+3"
    assert plain["mean"] < 0.1 < 1 < plain["chance"]
    mapped = rows["true latents, by a linear map"]
    assert mapped["mean"] > mapped["chance"]
    assert rows["true latents, by a linear map, whitened"]["mean"] < 0.1
    page = write_report(study, tmp_path).read_text()
    assert "Rotation and light are separated, with every seed, in true latents (error 0." in page
    assert "They are not in true latents, by a linear map." in page


def test_a_whitened_linear_map_is_the_latents_turned_and_scaled():
    """Uniform rotations and lights have all coordinates uncorrelated."""
    data = Objects3D(20_000, mesh="pointer")
    codes = Latents(kind="latents", map="linear", whitened=True).codes(data, 0, None, None)
    assert codes.tangents is None
    scaled = data.points * np.sqrt(3)
    rows = np.random.default_rng(0).integers(0, 20_000, (2, 500))
    found, expected = (np.linalg.norm(x[rows[0]] - x[rows[1]], axis=1) for x in (codes[0], scaled))
    np.testing.assert_allclose(found, expected, rtol=0.05)


@pytest.mark.usefixtures("renderer")
def test_images_are_rendered_once_and_seen_by_all(tmp_path):
    study = checked_study(IMAGES, "here")
    told = []
    assert run_study(study, tmp_path, progress=lambda *what: told.append(what)) == {}
    assert any(what[0] == "drawing the data" for what in told)
    table = build_table(study, tmp_path)
    assert table["tangents"].to_list() == ["fitted", "motions"] * 3
    assert table["features"].to_list() == [12, 12, 6, 6, 8, 8]
    assert table["representation"].unique(maintain_order=True).to_list() == [
        "pixels",
        "VAE",
        "isometric encoder",
    ]
    assert np.isfinite(table["mean"].to_numpy()).all()
    assert (tmp_path / "runs").exists()
    page = write_report(study, tmp_path).read_text()
    assert "Rotation and light are not separated in pixels; VAE and isometric encoder." in page
    assert "data:image/png" in page
    assert run_study(study, tmp_path) == {}


@pytest.mark.usefixtures("renderer")
def test_tangents_of_pixels_are_what_motions_do_to_them():
    data = Objects3D(30, mesh="pointer", size=16)
    codes = Pixels(kind="pixels", components=29).codes(data, 0, None, None)
    stills = data.images(np.arange(30)).reshape(30, -1) / 255
    moved = data.motions(0.1).reshape(30, 5, -1) / 255
    # 29 components hold all differences between 30 images.
    np.testing.assert_allclose(
        np.linalg.norm(codes.points[1:] - codes.points[:-1], axis=1),
        np.linalg.norm(stills[1:] - stills[:-1], axis=1),
    )
    lengths = np.linalg.norm(codes.tangents, axis=1)
    assert (lengths <= np.linalg.norm((moved - stills[:, None]) / 0.1, axis=2) + 1e-9).all()
    assert lengths.min() > 0


def test_the_shipped_study_is_that_of_the_paper_and_more():
    study = load_study("objects3d")
    assert study.points >= 10_000
    labels = [run.representation.label for run in study.runs()]
    for label in (
        "true latents",
        "true latents, by a linear map",
        "pixels",
        "VAE",
        "β-VAE (β = 4)",
    ):
        assert labels.count(label) == len(study.seeds)
    assert json.loads(study.model_dump_json())["points"] == study.points


def test_unknown_representations_are_refused():
    wrong = {**LATENTS, "representations": [{"kind": "latent"}]}
    with pytest.raises(ValueError, match="latent"):
        checked_study(wrong, "here")
    with pytest.raises(ValueError, match="unknown key 'whiten'.*did you mean 'whitened'"):
        checked_study({**LATENTS, "representations": [{"kind": "latents", "whiten": True}]}, "here")
