"""Sentences that no other test meets: each rests on an input of its kind."""

import sys

import numpy as np
import pytest
import torch

import unweave.studies
from unweave import _extras
from unweave.datasets import DSprites
from unweave.datasets.drawn.meshes import load_mesh
from unweave.datasets.manifolds import ProductManifold
from unweave.encoders import load_encoder
from unweave.encoders.weights import read_weights
from unweave.metrics import (
    METRICS,
    evaluate,
    mutual_information_gap,
    unsupervised_disentanglement_ranking,
)
from unweave.metrics._information import InformationTable
from unweave.metrics.mig_sup import mig_sup
from unweave.metrics.score import Score
from unweave.models import VAE, Network, build_vae
from unweave.models.disentangling_vae import _take
from unweave.models.onnx import export_encoder
from unweave.statistics.scaling import scaling_fit
from unweave.studies.axes import Range, Sample
from unweave.studies.evaluation import Evaluation
from unweave.studies.execution.ray_engine import Placement, finish_on_ray
from unweave.studies.table import query
from unweave.symmetry.grids import on_grid
from unweave.training import load_model
from unweave.training.checkpoint import write_run

FACTORS = np.stack(np.meshgrid(range(4), range(3), range(20)), -1).reshape(-1, 3)[:, :2]
CODES = FACTORS.astype(float)


def mesh(folder):
    file = folder / "mesh.ply"
    file.write_text("ply")
    return load_mesh(file)


def scores():
    return evaluate(CODES, FACTORS, metrics=["mig"], noise=None)


@pytest.mark.parametrize(
    ("package", "use", "said"),
    [
        ("trimesh", mesh, r'reading a mesh needs trimesh .*pip install "unweave\[render\]"'),
        (
            "lightgbm",
            lambda _: METRICS["dci_disentanglement"](
                CODES, FACTORS, backend="lightgbm", noise=None
            ),
            r'lightgbm .*pip install "unweave\[gbt\]", or take backend=\'gradient_boosting\'',
        ),
        ("pandas", lambda _: scores().to_pandas(), r"to_pandas needs pandas .*pip install pandas$"),
        (
            "duckdb",
            lambda _: query(None, "select 1"),
            r"--sql needs duckdb .*unweave\[sql\].*ask",
        ),
        ("ray", lambda _: finish_on_ray([], Placement(), print, print), r"unweave\[ray\]"),
        ("onnxscript", lambda folder: export_encoder(None, folder / "x.onnx"), r"unweave\[onnx\]"),
        ("onnxruntime", lambda folder: load_encoder(f"onnx:{__file__}"), r"unweave\[onnx\]"),
        ("timm", lambda _: load_encoder("timm:resnet18"), r"unweave\[encoders\]"),
        ("open_clip", lambda _: load_encoder("clip:RN50"), r"unweave\[encoders\]"),
        ("transformers", lambda _: load_encoder("hf:nobody/none"), r"unweave\[hf\]"),
        (
            "torchmetrics",
            lambda _: __import__("unweave.integrations.torchmetrics"),
            r'DisentanglementMetric needs torchmetrics .*"unweave\[torchmetrics\]"',
        ),
    ],
)
def test_a_missing_package_is_named_with_its_extra(package, use, said, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "unweave.integrations.torchmetrics", raising=False)
    with pytest.raises(ImportError, match=said):
        use(tmp_path)


def test_a_package_that_is_always_needed_is_named(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "unweave.models.objectives", None)

    def raised(error):
        raise error

    absent = ModuleNotFoundError("No module named 'pydantic'", name="pydantic")
    monkeypatch.setattr("unweave.cli.app", lambda words, **options: raised(absent))
    code, _, errors = cli("objectives")
    assert code == 2
    assert "the package pydantic is not installed, and unweave always needs it" in errors
    missing = "unweave.datasets.cache"
    fault = ModuleNotFoundError(f"No module named {missing!r}", name=missing)
    monkeypatch.setattr("unweave.cli.app", lambda words, **options: raised(fault))
    code, _, errors = cli("objectives")
    assert code == 1
    assert "please report it" in errors
    assert "pip install" not in errors
    kept = ImportError("another sentence")
    assert _extras.how_to_install(kept) == "another sentence"


def test_torchvision_of_another_build_is_named(monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(ImportError, match=r"cannot be imported .*must be the build that belongs"):
        _extras.imported("timm", needed_by="timm:resnet18", extra="encoders")


def test_arrays():
    with pytest.raises(ValueError, match=r"codes are empty: their shape is \(0, 2\)"):
        mutual_information_gap(np.empty((0, 2)), np.empty((0, 2), dtype=int))
    with pytest.raises(ValueError, match="codes that are not binned have no entropy"):
        InformationTable(*[np.ones((2, 2))] * 2, np.ones(2), np.ones(2)).joint_entropy  # noqa: B018
    with pytest.raises(ValueError, match="factor kinds were given for 2 factors: give one for"):
        mutual_information_gap(CODES, FACTORS, factor_kinds=["ordinal"])
    with pytest.raises(ValueError, match="convention='by_code_entropy' needs binned codes"):
        mig_sup(CODES, FACTORS, convention="by_code_entropy", estimator="ksg", noise=None)
    with pytest.raises(ValueError, match="row i of all of them must belong to the same sample"):
        unsupervised_disentanglement_ranking([CODES, CODES[1:]])
    with pytest.raises(ValueError, match="came out as nan: please report this, it is never right"):
        Score("mig", float("nan"), {}, CODES, {}, n_samples=1, seed=0)


def test_spaces():
    with pytest.raises(ValueError, match="a product needs at least one manifold"):
        ProductManifold([])
    with pytest.raises(ValueError, match="each factor needs at least 2 levels, and sizes are"):
        on_grid(CODES, (3, 1))


def test_studies():
    with pytest.raises(AttributeError, match="module 'unweave.studies' has no attribute 'none'"):
        unweave.studies.none  # noqa: B018
    with pytest.raises(FileNotFoundError, match="there is no such file, and the shipped ones are"):
        unweave.studies.load_study("none")
    with pytest.raises(ValueError, match="a logarithmic range is above 0, and low is 0"):
        Range(low=0, high=1, scale="log")
    with pytest.raises(ValueError, match=r"sample = { method = 'random' } needs n, the number"):
        Sample(method="random")
    with pytest.raises(ValueError, match=r"sample = { method = 'grid' } takes no n"):
        Sample(n=3)
    with pytest.raises(ValueError, match="scales must be above 0, and scores finite"):
        scaling_fit(np.array([0.0, 1, 2]), np.zeros((3, 3)))
    with pytest.raises(ValueError, match="metrics are empty: name at least one, as mig"):
        Evaluation(metrics=())


def test_commands(cli, tmp_path):
    np.savez(tmp_path / "flat.npz", codes=CODES, factors=np.ones_like(FACTORS))
    code, _, errors = cli("score", tmp_path / "flat.npz", "--drop-constant")
    assert code == 2
    assert "flat.npz varies: there is nothing to score" in errors
    (tmp_path / "points.npy").write_text("no numbers")
    code, _, errors = cli("geomancer", tmp_path / "points.npy")
    assert code == 2
    assert "points.npy cannot be read as .npy" in errors


def test_weights(tmp_path):
    (tmp_path / "broken.safetensors").write_text("not whole")
    with pytest.raises(ValueError, match="is not a complete safetensors"):
        read_weights(tmp_path / "broken.safetensors")
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    with pytest.raises(ValueError, match="holds no table of tensors by name, but list"):
        read_weights(tmp_path / "list.pt")
    with pytest.raises(ValueError, match=r"has no encoder.conv1.weight: it is not a disentangling"):
        _take({}, "encoder.conv1.weight", tmp_path)


def test_models(tmp_path):
    model = build_vae(Network(width=0.125, n_latents=2), (64, 64, 1), seed=0)
    write_run(model, tmp_path / "run", {})
    with pytest.raises(FileNotFoundError, match=r"has no checkpoint of step 7; it has \[0\]"):
        load_model(tmp_path / "run", step=7)
    with pytest.raises(FileNotFoundError, match="holds no model: it has no config.json"):
        VAE.from_pretrained(tmp_path)
    model.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config.json is damaged"):
        VAE.from_pretrained(tmp_path / "model")


def test_an_onnx_file_that_takes_no_images(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    sides = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 4]) for n in "xy"]
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "graph", sides[:1], sides[1:])
    file = tmp_path / "flat.onnx"
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, ir_version=8, opset_imports=opset), str(file))
    with pytest.raises(ValueError, match=r"takes x of shape \[1, 4\], which is not an image"):
        load_encoder(f"onnx:{file}")


def test_a_configuration_that_names_no_channels(tmp_path):
    transformers = pytest.importorskip("transformers")
    transformers.BertConfig(hidden_size=8, num_attention_heads=2).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="is not a model of images: its configuration names"):
        load_encoder(f"hf:{tmp_path}")


def test_weights_that_open_clip_does_not_know():
    pytest.importorskip("open_clip")
    with pytest.raises(ValueError, match="open_clip knows no weights 'none' of RN50.*; it knows"):
        load_encoder("clip:RN50/none")


def test_dsprites():
    dataset = DSprites()
    dataset.cache_file.parent.mkdir(parents=True, exist_ok=True)
    np.save(dataset.cache_file, np.zeros(3, dtype=np.uint8))
    with pytest.warns(UserWarning, match=r"is damaged \(its shape is \(3,\)\): its images"):
        DSprites()
