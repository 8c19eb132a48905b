"""The way imports point, and what must stay cheap to import."""

import ast
import subprocess
import sys
from pathlib import Path

import unweave

SOURCE = Path(unweave.__file__).parent
LAYERS = [
    {"_bounds", "_extras"},
    {
        "_compiled",
        "_figure",
        "_files",
        "_memory",
        "_parallel",
        "_random",
        "_signals",
        "_storage",
        "_tables",
    },
    {"_contents", "_limits", "_settings"},
    {"_check", "_processes"},
    {"_factors", "_objects"},
    {"datasets", "metrics", "geometry"},
    {"models", "integrations", "statistics", "symmetry"},
    {"training"},
    {"encoders"},
    {"generalisation"},
    {"studies"},
    {"reports"},
    {"explorer"},
    {"cli"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def imported_parts(path):
    for node in ast.walk(ast.parse(path.read_text())):
        modules = []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            if module.startswith("unweave."):
                yield module.split(".")[1]


def test_imports_point_one_way():
    wrong = []
    for path in SOURCE.rglob("*.py"):
        own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if own in ("__init__", "__main__"):
            continue
        for other in imported_parts(path):
            if other != own and RANK[other] >= RANK[own]:
                wrong.append(f"{path.relative_to(SOURCE)} imports unweave.{other}")
    assert wrong == []


def test_metrics_and_datasets_import_neither_torch_nor_scikit_learn():
    code = (
        "import sys, unweave.metrics, unweave.datasets;"
        "print([m for m in ('torch', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "[]"


def test_encoders_import_without_what_only_some_of_them_need():
    code = (
        "import sys, unweave.encoders, unweave.cli;"
        "needed = ('open_clip', 'timm', 'transformers', 'onnxruntime', 'torchvision',"
        " 'huggingface_hub', 'efficientnet_lite_pytorch');"
        "print([m for m in needed if m in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "[]"
