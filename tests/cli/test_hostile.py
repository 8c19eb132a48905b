"""Files and words of others: nothing in them runs, and what is wrong with them is a sentence."""

import io
import json
import os
import re
import shlex
import struct
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from unweave import _limits
from unweave.encoders import load_encoder
from unweave.encoders.weights import read_weights
from unweave.studies.execution.slurm import slurm_script
from unweave.studies.table import query

RNG = np.random.default_rng(0)
FACTORS = np.stack([RNG.integers(0, k, 300) for k in (3, 4)], axis=1)
CODES = FACTORS @ RNG.standard_normal((2, 3)) + 0.1 * RNG.standard_normal((300, 3))
TABLE = pl.DataFrame({"objective": ["vae", "beta_vae"], "value": [0.5, 0.25]})


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def said(cli):
    """What the command line says of an input that it refuses, with code 2."""

    def call(*words):
        code, out, err = cli(*words)
        assert code == 2, (out, err)
        assert err.startswith("error: ")
        assert "Traceback" not in err
        assert "please report" not in err
        return err.removeprefix("error: ")

    return call


def npz(name="a.npz", **changed):
    np.savez(name, **{"codes": CODES, "factors": FACTORS, **changed})
    return name


def header(shape, descr="<f8"):
    stream = io.BytesIO()
    content = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, content)
    return stream.getvalue()


def archive(name="a.npz", **members):
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as file:
        for member, content in members.items():
            file.writestr(f"{member}.npy", content)
    return name


def with_directory(name, local, central, value):
    """Set a 16-bit field of all members, in their own headers and in the directory."""
    content = bytearray(Path(name).read_bytes())
    for magic, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        place = -1
        while (place := content.find(magic, place + 1)) >= 0:
            struct.pack_into("<H", content, place + offset, value)
    Path(name).write_bytes(content)


class TestArrays:
    def test_an_archive_that_declares_more_than_it_holds(self, said):
        archive(codes=header((2**42, 1)), factors=header((2**42, 1)))
        said_of_it = said("score", "a.npz")
        assert "'codes' is truncated: its header declares 35,184,372,088,832 bytes" in said_of_it
        Path("a.npy").write_bytes(header((2**42, 1)))
        assert "declares 35,184,372,088,832 bytes" in said("geomancer", "a.npy")

    def test_an_archive_that_unpacks_to_more_than_memory_holds(self, said, monkeypatch):
        npz()
        monkeypatch.setattr(_limits, "free_memory", lambda: 1000)
        assert "the array codes takes 0.0 GB and as much again" in said("score", "a.npz")
        np.save("a.npy", CODES)
        assert "of memory are free" in said("geomancer", "a.npy")
        monkeypatch.setattr(_limits, "free_memory", lambda: None)
        assert said("score", "a.npz", "--metrics", "none")  # and else it is read

    def test_the_limit_of_address_space_counts(self, monkeypatch):
        monkeypatch.setattr(_limits, "address_space_left", lambda: 1000)
        with pytest.raises(ValueError, match="memory are free: take fewer rows or narrower"):
            _limits.check_room(501, "it")
        _limits.check_room(500, "it")

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"hello", "is not a NumPy array: it begins with b'hello'"),
            (b"", "is truncated: it ends inside its header"),
            (b"\x93NUMPY\x01\x00\x76", "is truncated: it ends inside its header"),
            (b"\x93NUMPY\x01\x00\x76\x00{", "is truncated: it ends inside its header"),
            (b"\x93NUMPY\x07\x03\x76\x00{", "is in format .npy 7.3, which is not known"),
            (
                b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{",
                "has a header of 2,147,483,647 bytes, and that",
            ),
            (b"\x93NUMPY\x01\x00\x03\x00((\n", "the header of the array 'codes' cannot be read"),
            (b"\x93NUMPY\x01\x00\x40\x00" + b"(" * 64, "the header of the array 'codes' cannot be"),
            (header((-1, 2)), "the header of the array 'codes' declares a shape of (-1, 2)"),
            (header((300, 3)) + bytes(7000), "is truncated: its header declares 7,200 bytes"),
            (header((300, 3)) + bytes(7300), "is damaged: its header declares 7,200 bytes"),
            (header((2,), "|O") + bytes(16), "is pickled, and pickles are never loaded"),
        ],
    )
    def test_members_that_are_no_arrays(self, said, content, words):
        archive(codes=content, factors=header((300, 2), "<i8") + FACTORS.tobytes())
        assert words in said("score", "a.npz", "--metrics", "mig")

    def test_a_truncated_file_is_not_called_pickled(self, said):
        np.save("a.npy", CODES)
        whole = Path("a.npy").read_bytes()
        for n in (3, 8, 9, 60, 200):
            Path("a.npy").write_bytes(whole[:n])
            message = said("score", "a.npy", npz())
            assert "is truncated" in message
            assert "pickle" not in message

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
    def test_pipes_and_devices_are_called_so(self, said):
        for suffix in ("npz", "csv", "toml"):
            os.mkfifo(f"pipe.{suffix}")
            Path(f"zero.{suffix}").symlink_to("/dev/zero")
        for name in ("pipe", "zero"):
            for words in (["score", f"{name}.npz"], ["geomancer", f"{name}.csv"],
                          ["data", "check", f"{name}.npz"], ["study", f"{name}.toml"]):  # fmt: skip
                message = said(*words)
                assert "is not a regular file but a pipe, a device or a socket" in message

    def test_long_values_are_cut(self, said):
        head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({'9' * 5000}, 3), }}".encode()
        archive(codes=b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head)
        assert len(said("score", "a.npz")) < 700
        rows = "\n".join(f"{'9' * 400}x,1,{i % 3}" for i in range(99))
        Path("a.csv").write_text(f"z0,z1,factor_a\n{rows}")
        assert len(said("score", "a.csv")) < 700

    def test_encrypted_members_and_odd_methods(self, said):
        npz()
        with_directory("a.npz", 6, 8, 1)
        assert "its member 'codes.npy' is encrypted: write it again" in said("score", "a.npz")
        for method in (12, 14, 99):  # bzip2, LZMA, none
            npz()
            with_directory("a.npz", 8, 10, method)
            assert f"is compressed by method {method}, and only" in said("score", "a.npz")

    def test_a_directory_that_hides_members(self, said):
        content = bytearray(Path(npz()).read_bytes())
        first, last = content.index(b"PK\x01\x02"), content.rindex(b"PK\x01\x02")
        content[first + 32] = content.index(b"PK\x05\x06") - last  # a comment up to the end
        Path("a.npz").write_bytes(content)
        assert "its directory lists 1 members, and 2 were" in said("score", "a.npz")

    def test_more_members_than_arrays_have(self, said, monkeypatch):
        for limit in ("_MOST_MEMBERS", "_MOST_ARRAYS"):
            with monkeypatch.context() as patch:
                patch.setattr(_limits, limit, 1)
                assert "it has 2 members, and at most 1 are read" in said("score", npz())

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_two_members_that_are_one_array(self, said):
        content = io.BytesIO()
        np.save(content, CODES)
        for name, words in (
            ("codes.npy", "it has 2 members of the name 'codes.npy'"),
            ("codes", "it has the members 'codes.npy' and 'codes', and either may be the array"),
        ):
            with zipfile.ZipFile(npz(images=np.zeros((9, 8, 8, 1), np.uint8)), "a") as file:
                file.writestr(name, content.getvalue())
            assert words in said("score", "a.npz")
            assert words in said("data", "check", "a.npz")

    def test_bytes_before_an_archive(self, said):
        Path("a.npz").write_bytes(b"#!/bin/sh\n" + Path(npz()).read_bytes())
        message = said("score", "a.npz")
        assert "it begins with b'#!/bin', and an .npz with b'PK'" in message
        assert "pickle" not in message

    @pytest.mark.parametrize("command", ["score", "compare"])
    @pytest.mark.parametrize("key", ["codes", "factors", "factor_names", "factor_kinds"])
    def test_single_values_where_rows_are_needed(self, said, command, key):
        file = npz(**{key: np.array("x" if key[:7] == "factor_" else 0.5)})
        words = [command, file, *([file] if command == "compare" else []), "--metrics", "mig"]
        for more in ([], ["--drop-constant"]):
            message = said(*words, *more)
            assert key in message
            if "_" not in key:
                assert f"'{key}' is a single value, and the {key} of each row are" in message

    @pytest.mark.parametrize("key", ["factor_names", "factor_kinds"])
    def test_too_few_names_with_a_constant_factor(self, said, key):
        factors = np.column_stack([FACTORS, FACTORS[:, 0] * 0])
        file = npz(factors=factors, **{key: ["ordinal", "circular"]})
        assert "and there are 3 factors" in said("score", file, "--drop-constant")

    def test_values_that_cannot_be_squared(self, cli):
        """Of factors too, in every metric: the levels of a factor are what counts."""
        npz(factors=FACTORS * 1e300)
        code, _, err = cli("score", "a.npz", "--rows", 100)
        assert code in (0, 2)
        assert "please report" not in err


@pytest.mark.parametrize(
    "words",
    [
        ["score", "a.npz", "--metrics", "mig"],
        ["compare", "a.npz", "a.npz", "--metrics", "mig"],
        ["encode", "pixels", "--dataset", "torus"],
        ["symmetry", "pixels"],
        ["assess", "pixels", "--dataset", "torus"],
    ],
)
def test_more_rows_than_there_are_are_refused(said, words):
    npz()
    message = said(*words, "--rows", 999_999)
    assert "300 rows of a.npz: ask for" in message or "torus has 4,096 images: ask for" in message


def test_udr_of_more_rows_than_there_are_is_refused(said, tiny):
    assert "has 737,280 images: ask for" in said("study", "udr", tiny[1], "--rows", 9_999_999)


class Writes:
    """What a pickle calls."""

    def __reduce__(self):
        return (open, ("written", "w"))


class Evil(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    @torch.jit.export
    def __getstate__(self):
        return (self.weight, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]):
        self.weight = torch.from_file("written", True, 3, dtype=torch.float32).fill_(65.0)
        self.training = state[1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestWeights:
    def test_torchscript_is_not_run(self, said, tmp_path):
        """Its tensors, as a module without a state of its own has them, are read alone."""
        pytest.importorskip("efficientnet_lite_pytorch")
        torch.jit.script(Evil()).save("evil.pt")
        torch.jit.load("evil.pt")
        assert (tmp_path / "written").exists()  # so that it would be seen
        (tmp_path / "written").unlink()
        message = said("encode", "lite:0", "--weights", "evil.pt", "--dataset", "torus")
        assert "evil.pt cannot be read as a TorchScript archive of tensors alone" in message
        assert not (tmp_path / "written").exists()

    def test_torchscript_gives_the_tensors_of_its_modules(self):
        torch.manual_seed(0)
        block = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Conv2d(3, 4, 2).half())
        block.add_module("same", block[0])
        block[2].weight = nn.Parameter(block[2].weight.detach().permute(0, 2, 3, 1))  # strides
        for module in (
            torch.jit.script(nn.ModuleDict({"a": block}).eval()),
            torch.jit.trace(nn.Sequential(block[0]), torch.zeros(1, 3)),
        ):
            module.save("fine.pt")
            found, wanted = read_weights("fine.pt"), module.state_dict()
            assert found.keys() == wanted.keys()
            for name, tensor in wanted.items():
                assert found[name].dtype == tensor.dtype
                assert torch.equal(found[name], tensor)

    @pytest.mark.parametrize(
        ("pickled", "words"),
        [
            (b"cbuiltins\neval\n.", "it names builtins.eval"),
            (b"cos\nsystem\n(X\x01\x00\x00\x00ltR.", "it names os.system"),
            (b"c__torch__\nM\n)\x81c__torch__\nM\n}b.", "it sets attributes of a type"),
            (b"c__torch__\nM\n)\x81K\x01b.", "it sets attributes of a _Module"),
            (b"", "cannot be read as a TorchScript archive of tensors alone"),
            # Lengths of 8 GiB, and instructions that PyTorch's own reader lacks.
            (b"\x80\x05\x96" + struct.pack("<Q", 1 << 33) + b"abc.", "that PyTorch does not know"),
            (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 33) + b"abc.", "that PyTorch does not know"),
            (b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"abc.", "PyTorch does not know"),
            (b"\x80\x02}(]K\x01u.", "it has a key of type list"),
            (b"\x80\x02})K\x01s.", "it has a key of type tuple"),
            (b"\x80\x02(K\x00K\x00)K\x00K\x00tQ.", "the name of a storage is a tuple"),
            (b"\x80\x02" + b"(" * 2000 + b".", "lie more than 1,000 deep in each other"),
            (
                b"ctorch._utils\n_rebuild_tensor_v2\n(K\x00K\x00(" + b"K\x01" * 65 + b"t)tR.",
                "a tensor has more than 64 axes",
            ),
            (b"c" + b"o" * 5000 + b"\nsystem\n.", "it names " + "o" * 491 + "...;"),
        ],
    )
    def test_archives_that_name_more_than_modules(self, pickled, words):
        with zipfile.ZipFile("x.pt", "w") as file:
            file.writestr("x/data.pkl", pickled)
            file.writestr("x/code/__torch__.py", "")
        with pytest.raises(ValueError, match=re.escape(words)):
            read_weights("x.pt")

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (dict(offset=9), "a tensor ends at number 12, and 6 are stored"),
            (dict(shape=(1 << 40, 1)), "is a view of 6 numbers"),
            (dict(strides=(-1, 1)), "is a view of 6 numbers"),
        ],
    )
    def test_views_that_leave_their_storage(self, change, words):
        from unweave.encoders.archives import _Storage, _View

        view = dict(offset=0, shape=(2, 2), strides=(2, 1)) | change
        with pytest.raises(ValueError, match=words):
            _View(_Storage("0", torch.float32), **view).tensor({"0": bytearray(24)})

    def test_modules_that_hold_one_another_twice(self):
        """Sixty of them have 2^59 names."""
        pickled = b"\x80\x02c__torch__\nM\nq\xc8)\x81}bq\x00"
        for i in range(60):
            twice = b"X\x01\x00\x00\x00ah%cX\x01\x00\x00\x00bh%c" % (i, i)
            pickled += b"h\xc8)\x81}(" + twice + b"ubq%c" % (i + 1)
        with zipfile.ZipFile("x.pt", "w") as file:
            file.writestr("x/data.pkl", pickled + b".")
            file.writestr("x/code/__torch__.py", "")
        with pytest.raises(ValueError, match="its modules have more than 200,000 attributes"):
            read_weights("x.pt")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
    def test_pipes_and_devices_are_not_waited_for(self, said):
        pytest.importorskip("efficientnet_lite_pytorch")
        os.mkfifo("pipe")
        Path("zero.pt").symlink_to("/dev/zero")
        for words in (
            ["lite:0", "--weights", "pipe"],
            ["lite:0", "--weights", "zero.pt"],
            ["torchscript:pipe"],
        ):
            message = said("encode", *words, "--dataset", "torus", "--rows", 20)
            assert "is not a regular file but a pipe, a device or a socket" in message

    def test_lists_of_modules_of_absurd_size(self, monkeypatch):
        from unweave.encoders import archives

        torch.jit.script(nn.Sequential(nn.Linear(3, 2)).eval()).save("fine.pt")
        for limit, words in (
            ("_LARGEST_STATE", "its list of modules has more than 0 MB"),
            ("_MOST_TENSORS", "it has more than 0 tensors"),
            ("_DEEPEST", "its modules lie more than 0 deep in each other"),
            ("_LONGEST_NAME", "the name of a tensor has more than 0 characters"),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(archives, limit, 0)
                with pytest.raises(ValueError, match=words):
                    read_weights("fine.pt")

    def test_pickles_and_odd_archives_are_refused(self, tmp_path):
        torch.save({"a": Writes()}, "pickle.pt")
        with pytest.raises(ValueError, match="are never loaded, because they can run code"):
            read_weights("pickle.pt")
        assert not (tmp_path / "written").exists()
        torch.save({"a": torch.ones(2)}, "bad.pt")
        with_directory("bad.pt", 6, 8, 1)
        with pytest.raises(ValueError, match="bad.pt cannot be read as weights: its member"):
            read_weights("bad.pt")
        content = Path("bad.pt").read_bytes()
        Path("bad.pt").write_bytes(content.replace(b"PK\x01\x02", b"PK\x01\x03"))
        with pytest.raises(ValueError, match="it is a damaged archive"):
            read_weights("bad.pt")

    def test_the_code_of_a_transformers_model_is_not_run(self, said, tmp_path, monkeypatch):
        pytest.importorskip("transformers")
        folder = tmp_path / "model"
        folder.mkdir()
        auto = {"AutoConfig": "code.Config", "AutoModel": "code.Model"}
        (folder / "config.json").write_text(json.dumps({"model_type": "odd", "auto_map": auto}))
        (folder / "code.py").write_text("open('written', 'w')")
        monkeypatch.setattr("builtins.input", lambda *_: "y")
        message = said("encode", f"hf:{folder}", "--dataset", "torus")
        assert f"hf:{folder} carries code of its own, which is never run" in message
        assert not (tmp_path / "written").exists()

    @pytest.mark.parametrize(
        "settings", ["[]", "{", '{"size": "x"}', '{"size": 8, "image_mean": 5}']
    )
    def test_how_images_are_prepared_must_be_said(self, tmp_path, settings):
        transformers = pytest.importorskip("transformers")
        config = transformers.ResNetConfig(
            embedding_size=4, hidden_sizes=[4], depths=[1], num_channels=1
        )
        transformers.ResNetModel(config).save_pretrained(tmp_path / "model")
        (tmp_path / "model" / "preprocessor_config.json").write_text(settings)
        words = "holds a JSON list|is damaged|does not say how images are prepared"
        with pytest.raises(ValueError, match=f"preprocessor_config.json ({words})"):
            load_encoder(f"hf:{tmp_path / 'model'}")


class TestSql:
    @pytest.mark.parametrize(
        "sql",
        [
            "copy scores to 'written'",
            "copy (select 1) to 'written' (format parquet)",
            "select 1; copy scores to 'written'",
            "attach 'written'",
            "export database 'written'",
            "from read_text('secret')",
            "from read_blob('secret')",
            "from read_csv('secret')",
            "from 'secret.parquet'",
            "from glob('*')",
            "install httpfs",
            "load httpfs",
            "load './secret'",
            "set enable_external_access = true",
            "reset enable_external_access",
            "set lock_configuration = false",
            "set log_query_path = 'written'",
            "pragma profiling_output = 'written'",
            "from TABLE",
            "from table",
        ],
    )
    def test_a_question_reaches_nothing_but_the_table(self, tmp_path, sql):
        pytest.importorskip("duckdb")
        (tmp_path / "secret").write_text("a\n1\n")
        TABLE.write_parquet("secret.parquet")
        with pytest.raises(ValueError, match="^DuckDB says: "):
            query(TABLE, sql)
        assert not (tmp_path / "written").exists()

    def test_questions_without_an_answer(self, said, tiny):
        pytest.importorskip("duckdb")
        for sql in (" ", ""):
            assert "text is needed" in said("study", "table", tiny[1], "--sql", sql)
        with pytest.raises(ValueError, match="--sql holds no question: write one"):
            query(TABLE, "")
        for sql in (";", "/* nothing */"):
            assert "has no answer: ask for rows" in said("study", "table", tiny[1], "--sql", sql)
        message = said("study", "table", tiny[1], "--sql", "select 1 a, 2 a, 3 b")
        assert "the answer has more than one column a: name them apart" in message

    def test_answers_of_every_type_are_json(self, cli, tiny):
        pytest.importorskip("duckdb")
        sql = (
            "select date '2026-01-02' as d, 1.25::decimal(9, 2) as n, 'x'::blob as b, "
            "interval 3 day as i, [1, null] as l, {'a': 1.5} as s, 'nan'::double as f, "
            "12345678901234567890.123456789::decimal(38, 9) as w, 1::hugeint as h, "
            "'x'::varchar as t, true as y"
        )
        code, out, err = cli("study", "table", tiny[1], "--json", "--sql", sql)
        assert code == 0, err
        assert json.loads(out)["rows"] == [
            {
                "d": "2026-01-02", "n": 1.25, "b": "78", "i": "3 days, 0:00:00", "l": [1, None],
                "s": {"a": 1.5}, "f": None, "w": "12345678901234567890.123456789", "h": 1,
                "t": "x", "y": True,
            }
        ]  # fmt: skip
        assert cli("study", "table", tiny[1], "--sql", sql)[0] == 0

    def test_values_of_several_types_are_text(self):
        pytest.importorskip("duckdb")
        mixed = query(TABLE, "select [1]::union(i int[], s varchar) as u union all select 'a'")
        assert sorted(mixed["u"]) == ["[1]", "a"]


class TestSlurm:
    SAFE = dict(study="a.toml", name="a", out="out", jobs=2)

    @pytest.mark.parametrize("key", ["study", "name", "out", "partition"])
    @pytest.mark.parametrize("character", ["\n", "\r", "\x1b", "\0"])
    def test_line_breaks_are_refused(self, key, character):
        with pytest.raises(ValueError, match="has a line break or another control character"):
            slurm_script(**{**self.SAFE, key: f"o{character}touch X #"})

    @pytest.mark.parametrize(
        ("key", "value"),
        [("jobs", 0), ("jobs", -5), ("hours", -1), ("hours", 0), ("cores", 0), ("gpus", -1)],
    )
    def test_numbers_are_checked(self, key, value):
        with pytest.raises(ValueError, match=f"{key} must be a whole number of at least"):
            slurm_script(**{**self.SAFE, key: value})

    def test_every_value_is_quoted(self, cli):
        odd = "a b'c\"$(touch X)`touch X`;#%j"
        script = slurm_script(odd, odd, odd, jobs=2, partition=odd)
        lines = script.splitlines()
        assert len(lines) == len(slurm_script(**self.SAFE, partition="p").splitlines())
        options = [shlex.split(line)[1] for line in lines if line.startswith("#SBATCH")]
        assert f"--job-name=unweave-{odd}" in options
        assert f"--partition={odd}" in options
        assert f"--output={odd.replace('%', '%%')}/slurm-%a.log" in options
        command = shlex.split(lines[-1])
        assert command[:6] == ["exec", "unweave", "study", odd, "--out", odd]
        code, out, err = cli("study", "slurm", "quick", "--out", "o\ntouch X #", "--jobs", 2)
        assert (code, out) == (2, "")
        assert "out 'o\\ntouch X #' has a line break" in err


class TestTerminals:
    NAME = "\x1b]0;title\x07\x1b[31mred\x9b2J\u202egnp"
    SHOWN = r"\x1b]0;title\x07\x1b[31mred\x9b2J\u202egnp"

    @pytest.mark.parametrize("words", [[], ["--wide"]])
    def test_names_are_shown_and_not_sent(self, cli, words):
        npz(factor_names=[self.NAME, "b"])
        code, out, err = cli("score", "a.npz", "--metrics", "mig", "--rows", 100, *words)
        assert code == 0, err
        assert self.SHOWN in out
        assert not set("\x1b\x07\x9b\u202e") & set(out + err)

    def test_a_name_with_a_line_break_stays_in_its_row(self, cli):
        npz(factor_names=["a\nmig 1.000", "b\tc"])
        words = ["--metrics", "mig", "--rows", 100, "--wide"]
        code, out, err = cli("score", "a.npz", *words)
        assert code == 0, err
        assert r"a\nmig 1.000" in out
        assert r"b\tc" in out
        assert not any(line.startswith("mig 1.000") for line in out.splitlines())

    def test_so_are_those_in_errors(self, said):
        assert self.SHOWN in said("score", npz(), "--codes", self.NAME).replace("\\\\", "\\")
        Path(f"{self.NAME}.txt").touch()
        message = said("score", f"{self.NAME}.txt")
        assert self.SHOWN in message
        assert not set("\x1b\x07\x9b\u202e") & set(message)


class TestStudies:
    BASE = 'name = "a"\ntitle = "A"\nquestion = "?"\n'

    @pytest.mark.parametrize("text", ["a = " + "[" * 3000 + "]" * 3000, "a = " + "{b=" * 3000])
    def test_deep_nesting(self, said, text):
        Path("s.toml").write_text(text)
        assert "s.toml is nested too deeply: a study has" in said("study", "s.toml", "--dry-run")

    @pytest.mark.parametrize(
        ("table", "key"), [("network", "n_latents"), ("training", "batch_size")]
    )
    def test_sizes_that_no_memory_holds(self, said, table, key):
        cells = "[[cells]]\nobjectives = [{ name = 'vae' }]\nseeds = [0]\nmilestones = [1]\n"
        Path("s.toml").write_text(f"{self.BASE}[{table}]\n{key} = 1000000000\n{cells}")
        message = said("study", "s.toml", "--dry-run")
        assert f"{key}' in {table}: input should be less than or equal to 65536" in message
        option = {"n_latents": "--latents", "batch_size": "--batch-size"}[key]
        assert option in said("train", "vae", option, 1_000_000_000)

    def test_memory_that_torch_does_not_get(self, said, monkeypatch):
        def fail(*_, **__):
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes")

        monkeypatch.setattr("unweave.studies.load_study", fail)
        assert said("study", "quick").startswith("memory is short: [enforce fail]")

    def test_what_is_nested_deeper_than_python_reads(self, said, tmp_path):
        (tmp_path / "specs.json").write_text("[" * 100_000 + "]" * 100_000)
        (tmp_path / "model.pt").write_text("")
        message = said("import", "disentangling-vae", tmp_path, "--out", tmp_path / "out")
        assert "specs.json is damaged (maximum recursion depth exceeded" in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("img_size", 5),
        ("img_size", None),
        ("img_size", [1, 64]),
        ("img_size", [[1], 64, 64]),
        ("img_size", [1, 10**12, 10**12]),
        ("latent_dim", 10**9),
        ("latent_dim", -1),
        ("latent_dim", "ten"),
        ("model_type", {"a": 1}),
        ("dataset", []),
        ("name", {}),
    ],
)
def test_specs_that_cannot_be(said, tmp_path, key, value):
    specs = {"img_size": [1, 64, 64], "latent_dim": 10, "model_type": "Burgess", key: value}
    (tmp_path / "specs.json").write_text(json.dumps(specs))
    torch.save({}, tmp_path / "model.pt")
    message = said("import", "disentangling-vae", tmp_path, "--out", tmp_path / "out")
    assert f"specs.json does not describe a model ({key}" in message


class TestOnnx:
    """Files that onnxruntime runs, and that give no codes of images."""

    def file(self, inputs, outputs, nodes, name="a.onnx"):
        onnx = pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
        graph = onnx.helper.make_graph(
            [
                onnx.helper.make_node(*node[:3], **(node[3] if len(node) > 3 else {}))
                for node in nodes
            ],
            "g",
            [onnx.helper.make_tensor_value_info(n, t, s) for n, t, s in inputs],
            [onnx.helper.make_tensor_value_info(n, t, s) for n, t, s in outputs],
        )
        model = onnx.helper.make_model(
            graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
        )
        onnx.save(model, name)
        return f"onnx:{name}"

    IMAGE = ("x", 1, ["n", 1, 64, 64])

    def test_what_its_inputs_must_be(self):
        constant = [("RandomNormal", [], ["y"], {"shape": [2, 3]})]
        flat = [("Flatten", ["x"], ["y"])]
        for inputs, nodes, words in (
            ([], constant, r"a.onnx has 0 inputs \(none\), and an encoder takes images alone"),
            ([self.IMAGE, ("z", 1, [1])], flat, r"a.onnx has 2 inputs \(x, z\)"),
            ([("x", 7, ["n", 1, 64, 64])], flat, r"of type tensor\(int64\), and images are fed"),
            ([("x", 1, ["n", 7, 64, 64])], flat, "a.onnx takes images of 7 channels, and 1 or 3"),
        ):
            kind = inputs[0][1] if inputs else 1
            encoder = self.file(inputs, [("y", kind, [None, None])], nodes)
            with pytest.raises(ValueError, match=words):
                load_encoder(encoder)

    def test_what_its_outputs_must_be(self):
        images = np.zeros((4, 64, 64, 1), np.uint8)
        words = [("Cast", ["x"], ["s"], {"to": 8}), ("Flatten", ["s"], ["y"])]
        for nodes, kind, shape, said in (
            (words, 8, [None, None], "of type object, and codes are numbers"),
            ([("ReduceSum", ["x"], ["y"], {"keepdims": 0})], 1, [], r"of shape \(\) for 4 images"),
        ):
            encoder = load_encoder(self.file([self.IMAGE], [("y", kind, shape)], nodes))
            with pytest.raises(ValueError, match=said):
                encoder.encode(images)

    def test_batches_of_a_fixed_size_pass_in_pieces(self):
        """One image at once, as many exporters write it, gives the codes of any number."""
        flat = [("Flatten", ["x"], ["y"])]
        images = RNG.integers(0, 256, (6, 64, 64, 1)).astype(np.uint8)
        free = load_encoder(self.file([self.IMAGE], [("y", 1, [None, None])], flat))
        expected = free.encode(images)
        for n in (1, 3):
            fixed = self.file([("x", 1, [n, 1, 64, 64])], [("y", 1, [n, 4096])], flat, f"{n}.onnx")
            np.testing.assert_array_equal(load_encoder(fixed).encode(images), expected)
        with pytest.raises(ValueError, match="3.onnx takes 3 images at once, and 4 came"):
            load_encoder("onnx:3.onnx").encode(images[:4])

    def test_double_precision_is_fed_as_such(self):
        double = self.file([("x", 11, ["n", 1, 64, 64])], [("y", 11, [None, None])],
                           [("Flatten", ["x"], ["y"])])  # fmt: skip
        images = RNG.integers(0, 256, (2, 64, 64, 1)).astype(np.uint8)
        codes = load_encoder(double).encode(images)
        np.testing.assert_allclose(codes, images.reshape(2, -1) / 255, atol=1e-7)


class Raises(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[0] > 0:
            raise ValueError("on purpose")
        return x


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_networks_that_cannot_take_the_images(said):
    torch.jit.script(Raises()).save("raises.pt")
    message = said("encode", "torchscript:raises.pt", "--dataset", "torus", "--rows", 10)
    assert "cannot take images of 1 x 32 x 32 (channels, height, width)" in message
    assert "on purpose" in message


def test_a_layer_without_a_name_is_not_suggested():
    torch_layer = pytest.importorskip("efficientnet_lite_pytorch")
    assert torch_layer
    with pytest.raises(ValueError, match=r"has no layer ''; its outermost are"):
        load_encoder("random:lite:0", layer="")


@pytest.mark.parametrize(
    "words",
    [
        ["train", "vae", "--accelerator", "mps"],
        ["study", "merge", "--out", "x"],
        ["score", "a.npz", "--metrics"],
        ["score", "a.npz", "--rows", "-5"],
        ["encode", "random:lite:0", "--image-size", "-3", "--dataset", "torus"],
        ["encode", "random:lite:0", "--image-size", "1000000", "--dataset", "torus"],
        ["geomancer", "equal.npy"],
        ["geomancer", "large.npy"],
        ["geomancer", "S^2", "--noise", "1e300"],
        ["geomancer", "S^99999999", "--points", "100000"],
    ],
)
def test_words_that_ended_in_a_fault_of_the_program(said, words):
    npz()
    np.save("equal.npy", np.ones((50, 3)))
    np.save("large.npy", np.clip(RNG.standard_normal((50, 3)), -1, 1) * 1e308)
    assert len(said(*words)) > 30
