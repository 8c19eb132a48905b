"""Files of every kind that is read, with bytes changed: what was in them is read, or a sentence.

Members of .npz and .zip and chunks of PNG carry checksums, so that a changed number is noticed. The
other kinds have none, and of them it is asked that they are read or refused.
"""

import json
import random
import signal
import time
import zipfile
from contextlib import contextmanager

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from unweave._files import read_json
from unweave.cli.arrays import Choice, read_codes, read_points
from unweave.datasets import FactorDataset, load
from unweave.encoders import load_encoder
from unweave.encoders.weights import read_weights
from unweave.models.disentangling_vae import _read_specs
from unweave.studies import load_study

CI, ALL = 100, 2_000
LONGEST = 10  # seconds for a file
SENTENCES = (ValueError, OSError, ImportError, ArithmeticError, MemoryError, RecursionError)
"""What the command line says in a sentence, with code 2; others are faults of the program."""
RNG = np.random.default_rng(0)
FACTORS = np.stack([RNG.integers(0, k, 60) for k in (3, 4)], axis=1)
CODES = RNG.standard_normal((60, 3))
IMAGES = RNG.integers(0, 256, (6, 8, 8, 3)).astype(np.uint8)
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)


def mutated(content, rng):
    """Some bytes of it flipped, set, moved, doubled, left out or cut off."""
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        at = rng.randrange(len(content)) if content else 0
        length = rng.choice((1, 2, 4, 16, 64))
        match rng.randrange(7):
            case 0:
                content[at] ^= 1 << rng.randrange(8)
            case 1:
                content[at] = rng.randrange(256)
            case 2:
                content[at : at + length] = bytes([rng.choice(INTERESTING)]) * length
            case 3:
                del content[at : at + length]
            case 4:
                content[at:at] = content[at : at + length]
            case 5:
                other = rng.randrange(len(content))
                content[at : at + length] = content[other : other + length]
            case _:
                del content[at:]
        if not content:
            content = bytearray(b"\0")
    return bytes(content)


@contextmanager
def in_time():
    """Fails where a file takes more than ten seconds."""

    def late(*_):
        raise AssertionError(f"more than {LONGEST} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def table(file):
    found = read_codes(file, None, Choice())
    return [np.asarray(found.codes), np.asarray(found.factors)]


def points(file):
    return [read_points(file, None)]


def images(file):
    found = load(str(file))
    rows = np.arange(len(found))
    factors = [np.asarray(found.factors(rows))] if isinstance(found, FactorDataset) else []
    return [found.images(rows), *factors]


def pictures(file):
    found = load(str(file.parent))
    return [found.images(np.arange(len(found)))]


def weights(file):
    return [tensor.numpy() for _, tensor in sorted(read_weights(file).items())]


def codes_of_onnx(file):
    return [load_encoder(f"onnx:{file}").encode(IMAGES)]


def nothing(read):
    """A reader of text, in which a changed digit is another number and no damage."""
    return lambda file: [] if read(file) is None else []


def write_npz(file):
    np.savez(file, codes=CODES, factors=FACTORS, factor_names=["a", "b"])


def write_compressed(file):
    np.savez_compressed(file, codes=CODES, factors=FACTORS, factor_kinds=["ordinal", "circular"])


def write_images(file):
    np.savez(file, images=IMAGES, factors=FACTORS[:6], factor_names=["a", "b"])


def write_parquet(file):
    columns = {f"z{j}": CODES[:, j] for j in range(3)}
    frame = pl.DataFrame(columns | {"factor_a": FACTORS[:, 0], "factor_b": FACTORS[:, 1]})
    frame.write_parquet(file)


def write_safetensors(file):
    save_file({"a.weight": torch.arange(12.0).reshape(3, 4), "b": torch.ones(5)}, file)


def write_state(file):
    torch.save({"a.weight": torch.arange(12.0).reshape(3, 4), "b": torch.ones(5)}, file)


def write_torchscript(file):
    torch.manual_seed(0)
    torch.jit.script(torch.nn.Sequential(torch.nn.Linear(3, 2))).save(str(file))


def write_onnx(file):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    value = onnx.helper.make_tensor_value_info
    matrix = RNG.standard_normal((192, 3)).astype(np.float32)
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Flatten", ["x"], ["f"]),
            onnx.helper.make_node("MatMul", ["f", "w"], ["y"]),
        ],
        "g",
        [value("x", 1, ["n", 3, 8, 8])],
        [value("y", 1, ["n", 3])],
        [onnx.numpy_helper.from_array(matrix, "w")],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), file)


def write_specs(file):
    specs = {"img_size": [1, 64, 64], "latent_dim": 10, "model_type": "Burgess", "name": "x"}
    file.write_text(json.dumps(specs))


def write_toml(file):
    file.write_text(
        'name = "a"\ntitle = "A"\nquestion = "?"\n[network]\nwidth = 0.5\n[training]\n'
        'batch_size = 8\n[[cells]]\nobjectives = [{ name = "beta_vae", beta = 4 }]\n'
        "seeds = [0, 1]\nmilestones = [10]\n"
    )


def write_png(file):
    for i in range(2):
        Image.fromarray(IMAGES[i]).save(file.parent / f"other{i}.png")
    Image.fromarray(IMAGES[2]).save(file)


KINDS = {
    # name: (file, how it is written, how it is read, whether a changed number is noticed)
    "npz": ("a.npz", write_npz, table, True),
    "npz compressed": ("a.npz", write_compressed, table, True),
    "zip of images": ("a.npz", write_images, images, True),
    "npy": ("a.npy", lambda file: np.save(file, CODES), points, False),
    "parquet": ("a.parquet", write_parquet, table, False),
    "safetensors": ("a.safetensors", write_safetensors, weights, False),
    "torch.save": ("a.pt", write_state, weights, False),
    "torchscript": ("a.pt", write_torchscript, weights, True),
    "onnx": ("a.onnx", write_onnx, codes_of_onnx, False),
    "json": ("a.json", write_specs, nothing(read_json), False),
    "specs": ("specs.json", write_specs, nothing(_read_specs), False),
    "toml": ("a.toml", write_toml, nothing(lambda f: load_study(f, most_runs=1000)), False),
    "png": ("a.png", write_png, pictures, True),
}


def same(found, original):
    return len(found) == len(original) and all(
        a.shape == b.shape and np.array_equal(a, b) for a, b in zip(found, original, strict=True)
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("n", [CI, pytest.param(ALL, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_changed_bytes_are_noticed_or_harmless(tmp_path, kind, n):
    name, write, read, is_checked = KINDS[kind]
    folder = tmp_path / "fuzzed"
    folder.mkdir()
    file = folder / name
    write(file)
    content = file.read_bytes()
    original = read(file)
    rng = random.Random(f"{kind} {n}")
    said, slowest = [], 0.0
    for i in range(n):
        changed = mutated(content, rng)
        file.write_bytes(changed)
        begun = time.perf_counter()
        try:
            with in_time():
                found = read(file)
        except SENTENCES as error:
            said.append(str(error))
        else:
            assert not is_checked or same(found, original), (i, "a number changed in silence")
        slowest = max(slowest, time.perf_counter() - begun)
    assert len(said) > n // 20, "the mutations reach nothing"
    assert min(map(len, said)) > 10
    assert slowest < LONGEST


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_single_bit_of_an_array_counts(tmp_path, method):
    """Any flip of a bit of the numbers of an .npz, stored or deflated, is refused."""
    file = tmp_path / "a.npz"
    (np.savez if method == zipfile.ZIP_STORED else np.savez_compressed)(
        file, codes=CODES[:20], factors=FACTORS[:20]
    )
    content = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        member = archive.getinfo("codes.npy")
        start = member.header_offset + 30 + len("codes.npy")
        end = start + member.compress_size
    for place in range(start, end, 7):
        changed = bytearray(content)
        changed[place] ^= 1 << (place % 8)
        file.write_bytes(changed)
        try:
            found = table(file)
        except ValueError:
            continue
        assert same(found, [CODES[:20], FACTORS[:20]]), place
