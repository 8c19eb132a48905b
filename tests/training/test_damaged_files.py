"""What is said of files of runs that cannot be read or written."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from unweave._contents import Content
from unweave._files import DamagedFileError, read_json, sealed
from unweave._storage import write_json
from unweave.training.checkpoint import MODEL, Learner, load_checkpoint, save_checkpoint
from unweave.training.loggers import _known_as


@pytest.mark.parametrize(("content", "what"), [("", "empty"), ('{"a": ', r"damaged \(.*\)")])
def test_json_that_cannot_be_read_is_named(tmp_path, content, what):
    file = tmp_path / "config.json"
    file.write_text(content)
    with pytest.raises(DamagedFileError, match=rf"config.json is {what}: restore it from a copy"):
        read_json(file)


class Kind(Content):
    number: int
    parts: dict[str, float] = {}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({}, "number: field required"),
        ({"number": "5"}, "number: input should be a valid integer"),
        ({"number": 5, "parts": {"a": []}}, "parts.a: input should be a valid number"),
        ({"number": 5, "checksum": "sha256:0"}, "its contents are not those that were written"),
        ({**sealed({"number": 5}), "number": 6}, "its contents are not those that were written"),
        ({**sealed({"number": 5}), "more": 6}, "its contents are not those that were written"),
    ],
)
def test_json_of_another_kind_or_content_is_named(tmp_path, content, what):
    file = tmp_path / "file.json"
    file.write_text(json.dumps(content))
    with pytest.raises(DamagedFileError, match=rf"file.json is damaged \({what}"):
        read_json(file, Kind)


@pytest.mark.parametrize("number", ["NaN", "1e999", "-Infinity"])
def test_numbers_that_are_not_finite_are_damage(tmp_path, number):
    file = tmp_path / "file.json"
    file.write_text(f'{{"number": 5, "parts": {{"a": {number}}}}}')
    with pytest.raises(DamagedFileError, match="file.json is damaged"):
        read_json(file, Kind)


def test_a_checksum_is_of_the_content_and_not_of_its_layout(tmp_path):
    content = {"number": 5, "parts": {"b": 0.1, "a": 1e-300}, "more": [None, "é"]}
    file = tmp_path / "file.json"
    for indent, keys in ((None, reversed), (3, list)):
        written = sealed(content)
        laid_out = {key: written[key] for key in keys(list(written))}
        file.write_text(json.dumps(laid_out, indent=indent, ensure_ascii=bool(indent)))
        assert read_json(file, Kind) == written
    file.write_text(json.dumps(content))  # of an earlier version
    assert read_json(file, Kind) == content


def test_json_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "result.json").mkdir()
    with pytest.raises(OSError, match="cannot write .*result.json .*: make room, or choose ano"):
        write_json(tmp_path / "result.json", {"a": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_an_optimizer_that_lacks_tensors_is_damaged(tmp_path):
    network = torch.nn.Linear(2, 1)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    trained = {MODEL: Learner(network, optimizer)}
    checkpoint = save_checkpoint(tmp_path, 1, trained, keep=set())
    tensors = load_file(checkpoint / "optimizer.safetensors")
    del tensors["0.exp_avg"], tensors["1.step"]
    save_file(tensors, checkpoint / "optimizer.safetensors")
    with pytest.raises(DamagedFileError, match="its SHA-256 is not that in state.json"):
        load_checkpoint(checkpoint, trained)
    write_json(checkpoint / "state.json", {"format": 1, "step": 1})  # of an earlier version
    with pytest.raises(DamagedFileError, match="lacks 2 tensors, as 0.exp_avg"):
        load_checkpoint(checkpoint, trained)


def test_a_logger_without_the_name_of_its_run_says_so(tmp_path):
    assert _known_as(tmp_path, "wandb", lambda: "first") == "first"
    assert _known_as(tmp_path, "wandb", lambda: "second") == "first"
    (tmp_path / "wandb.json").write_text(json.dumps({"id": 3}))
    with pytest.raises(DamagedFileError, match="names no run of wandb: remove it to begin a new"):
        _known_as(tmp_path, "wandb", lambda: "third")
