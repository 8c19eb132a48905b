"""What is said of files of runs that cannot be read or written."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from unweave._files import DamagedFileError, read_json
from unweave.training.checkpoint import (
    MODEL,
    Trained,
    load_checkpoint,
    save_checkpoint,
    write_json,
)
from unweave.training.loggers import _known_as


@pytest.mark.parametrize(("content", "what"), [("", "empty"), ('{"a": ', r"damaged \(.*\)")])
def test_json_that_cannot_be_read_is_named(tmp_path, content, what):
    file = tmp_path / "config.json"
    file.write_text(content)
    with pytest.raises(DamagedFileError, match=rf"config.json is {what}: restore it from a copy"):
        read_json(file)


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
    trained = {MODEL: Trained(network, optimizer)}
    checkpoint = save_checkpoint(tmp_path, 1, trained, keep=set())
    tensors = load_file(checkpoint / "optimizer.safetensors")
    del tensors["0.exp_avg"], tensors["1.step"]
    save_file(tensors, checkpoint / "optimizer.safetensors")
    with pytest.raises(DamagedFileError, match="lacks 2 tensors, as 0.exp_avg"):
        load_checkpoint(checkpoint, trained)


def test_a_logger_without_the_name_of_its_run_says_so(tmp_path):
    assert _known_as(tmp_path, "wandb", lambda: "first") == "first"
    assert _known_as(tmp_path, "wandb", lambda: "second") == "first"
    (tmp_path / "wandb.json").write_text(json.dumps({"id": 3}))
    with pytest.raises(DamagedFileError, match="names no run of wandb: remove it to begin a new"):
        _known_as(tmp_path, "wandb", lambda: "third")
