"""Every public function that takes a path takes a string."""

import importlib
import inspect
import pkgutil
import re

import numpy as np
import polars as pl
import pytest

import unweave
from unweave._storage import written_whole
from unweave.datasets import DSprites, Torus, load
from unweave.datasets.download import file_hash
from unweave.datasets.drawn.meshes import load_mesh
from unweave.datasets.pictures import save_png
from unweave.encoders import encode_rows, load_encoder, save_codes
from unweave.models import VAE, Network, build_vae
from unweave.models.disentangling_vae import read_disentangling_vae
from unweave.models.objectives import BetaVAE
from unweave.models.onnx import export_encoder
from unweave.reports.model import write_model_page
from unweave.reports.report import write_report
from unweave.studies import (
    load_study,
    open_study,
    rank_models,
    read_table,
    run_study,
    write_table,
)
from unweave.studies.execution.merging import merge_studies
from unweave.studies.folder import StudyFolder, write_study
from unweave.training import TrainingConfig, load_model, train
from unweave.training.checkpoint import write_run
from unweave.training.curves import read_curves
from unweave.training.isometric import train_isometric

INSIDE = {  # what other functions hand a path to, which they have made of what users gave
    "unweave.datasets.members.Member",
    "unweave.encoders.encoder.Request",
    "unweave.encoders.weights.Source",
    "unweave.studies.representations",
    "unweave.training.loggers.Logger",
}


def public_functions():
    """Names and functions in ``__all__`` of all modules, with the methods of classes."""
    for module in pkgutil.walk_packages(unweave.__path__, "unweave."):
        parts = module.name.split(".")
        if "cli" in parts or any(part.startswith("_") for part in parts):
            continue
        try:
            found = importlib.import_module(module.name)
        except (ImportError, RuntimeError):  # an extra that is not installed
            continue
        for name in getattr(found, "__all__", ()):
            thing = getattr(found, name)
            if not str(getattr(thing, "__module__", "")).startswith("unweave"):
                continue
            where = f"{thing.__module__}.{name}"
            if inspect.isfunction(thing):
                yield where, thing
            elif inspect.isclass(thing):
                yield where, thing.__init__
                for key, value in list(vars(thing).items()):
                    function = getattr(value, "__func__", value)
                    if not key.startswith("_") and inspect.isfunction(function):
                        yield f"{where}.{key}", function


def test_paths_are_annotated_as_strings_too():
    functions = dict(public_functions())
    assert "unweave.training.checkpoint.load_model" in functions
    wrong = [
        f"{name}({parameter.name}: {parameter.annotation})"
        for name, function in functions.items()
        if not name.startswith(tuple(INSIDE))
        for parameter in inspect.signature(function).parameters.values()
        if re.search(r"\bPath\b", str(parameter.annotation))
        and not re.search(r"\bstr\b", str(parameter.annotation))
    ]
    assert wrong == []


@pytest.fixture(scope="module")
def small():
    data = Torus()
    return data, build_vae(Network(width=0.125, n_latents=2), data.image_shape, seed=0)


def test_training_takes_strings(tmp_path, small):
    data, model = small
    folder = str(tmp_path / "run")
    config = TrainingConfig(steps=2, batch_size=4)
    train(model, BetaVAE(), data, config, folder=folder)
    assert load_model(folder).n_latents == 2
    assert len(read_curves(folder)) == 1
    write_run(model, str(tmp_path / "other"), {})
    films = data.images(np.arange(12)).reshape(3, 4, *data.image_shape)
    train_isometric(model.network, films, config, spacing=0.1, folder=str(tmp_path / "films"))


def test_models_take_strings(tmp_path, small):
    data, model = small
    model.save_pretrained(str(tmp_path / "hub"))
    assert VAE.from_pretrained(str(tmp_path / "hub")).n_latents == 2
    page = write_model_page(model, data, str(tmp_path / "page"), title="x")
    assert page.exists()
    with pytest.raises(FileNotFoundError, match="specs.json"):
        read_disentangling_vae(str(tmp_path))
    pytest.importorskip("onnxscript")
    export_encoder(model, str(tmp_path / "encoder.onnx"))
    assert (tmp_path / "encoder.onnx").stat().st_size > 1000


def test_codes_take_strings(tmp_path, small):
    data = small[0]
    rows = np.arange(8)
    codes = encode_rows(load_encoder("pixels"), data, rows, folder=str(tmp_path / "codes"))
    save_codes(str(tmp_path / "x.npz"), codes, data, rows)
    assert set(np.load(tmp_path / "x.npz")) > {"codes", "factors"}


def test_datasets_take_strings(tmp_path):
    save_png(np.zeros((4, 4, 1), dtype=np.uint8), str(tmp_path / "x.png"))
    assert len(file_hash(str(tmp_path / "x.png"))) == 64
    with written_whole(str(tmp_path / "x.txt")) as temporary:
        temporary.write_text("x")
    with pytest.raises(FileNotFoundError, match="no mesh"):
        load_mesh(str(tmp_path / "x.ply"))
    with pytest.raises(FileNotFoundError, match="no file at"):
        DSprites(str(tmp_path / "x.npz"))
    assert load("torus").image_shape == (32, 32, 1)


def test_studies_take_strings(tiny, tmp_path, shared_cache):
    study, finished = tiny
    folder = str(finished)
    assert open_study(folder) == study
    table = read_table(folder)
    assert isinstance(table, pl.DataFrame)
    assert table.height == len(StudyFolder(study, folder).runs) * 6
    assert run_study(study, folder) == {}
    assert write_report(study, folder).exists()
    assert rank_models(folder, rows=200).height == 4
    out = str(tmp_path / "out")
    assert merge_studies([folder], out) == {folder: 4}
    write_study(study, out)
    assert write_table(table, out).exists()
    file = tmp_path / "study.toml"
    file.write_text("nothing = [")
    with pytest.raises(ValueError, match="not valid TOML"):
        load_study(str(file))
