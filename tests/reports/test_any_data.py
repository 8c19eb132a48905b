"""Pages about images that are not a full grid."""

import numpy as np
import polars as pl
import pytest
from PIL import Image

from unweave.datasets import ArrayDataset, Factor, ImageTable
from unweave.models import Network, build_vae
from unweave.reports import write_report
from unweave.reports.findings import find, label_objectives
from unweave.reports.model import write_model_page
from unweave.studies import run_study
from unweave.studies.loading import validated

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model():
    return build_vae(Network(width=0.125, n_latents=2), (8, 8, 3), seed=0).eval()


def test_a_page_of_a_table_has_levels_and_no_plane(model, tmp_path):
    values = np.stack([np.arange(40) % 2, np.arange(40.0)], axis=1)
    values[:4] = np.nan
    factors = [
        Factor("price in $", (0, 1), "categorical", ("$", "$$")),
        Factor("size", kind="continuous"),
    ]
    dataset = ImageTable(ArrayDataset(IMAGES, name="goods"), factors, values)
    page = write_model_page(model, dataset, tmp_path, title="A model").read_text(encoding="utf-8")
    assert "price in $" in page
    assert "goods: 40 images of 8 x 8 x 3; with factors: price in $ (2 categorical)" in page
    assert "cut into bins" in page
    assert "all else as in the first image" not in page
    assert not (tmp_path / "maps.png").exists()
    with Image.open(tmp_path / "reconstructions.png") as picture:
        assert picture.size == (8 * 66 - 2, 2 * 66 - 2)  # small images are magnified


def test_a_report_of_encoders_without_factors(tmp_path):
    np.savez(tmp_path / "own.npz", images=IMAGES)
    study = validated(
        {
            "name": "own",
            "title": "Own images",
            "question": "?",
            "dataset": str(tmp_path / "own.npz"),
            "encoders": ["pixels", "ica:3"],
            "protocols": ["paper", "sound"],
            "reading": {
                "readouts": ["raw", "pca:2"],
                "whole_metrics": ["subspace_angle"],
                "n_permutations": 2,
                "n_projections": 2,
                "n_halves": 3,
            },
        }
    )
    assert run_study(study, tmp_path / "results", workers=1) == {}
    page = write_report(study, tmp_path / "results").read_text(encoding="utf-8")
    assert "40 images of 8 x 8 x 3; without factors" in page
    assert "mig, sap left out: own has no factors" in page
    assert "latent MI in the sound protocol" in page
    assert "paper protocol shows white as level 1 of 255 and is for black and white" in page
    assert "nan" not in page
    np.savez(tmp_path / "own.npz", images=IMAGES[::-1])
    more = study.model_copy(
        update={
            "encoders": (*study.encoders, study.encoders[0].model_copy(update={"name": "pca:2"}))
        }
    )
    with pytest.raises(
        ValueError, match="images or factors of .* are not those that the finished run"
    ):
        run_study(more, tmp_path / "results", workers=1)


def test_of_scores_that_need_no_factors_the_lowest_is_the_best():
    rows = [
        {
            "run": f"{objective}{seed}", "dataset": "own", "objective": objective,
            "strength": None, "seed": seed, "step": 9, "metric": "latent_mi", "value": value,
            "low": value, "high": value, "mixture_mean": 1.0, "mixture_sd": 0.1,
        }
        for objective, values in {"vae": [0.5, 0.51, 0.52], "factor_vae": [0.1, 0.11, 0.12]}.items()
        for seed, value in enumerate(values)
    ]  # fmt: skip
    found = find(label_objectives(pl.DataFrame(rows, schema_overrides={"strength": pl.Float64})))
    assert "latent MI is lowest for FactorVAE (0.110, 3 seeds), below VAE" in found.headline
    assert "None of these metrics needs factors" in found.headline
