"""What is printed: no number cut at any width, and what users named as it is."""

import io
import json
import os
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

from unweave.cli import console
from unweave.cli.encoding import degrade_output
from unweave.metrics import METRICS, evaluate
from unweave.studies import load_study, shipped_studies
from unweave.studies.catalogue import shipped_catalogue

NAMES = ["cube:x:pos", "[red]a[/red]", ":warning:", "größe \U0001f600", "[link=x]", "a" * 90]


@pytest.fixture
def file(rng, tmp_path):
    factors = np.stack([rng.integers(0, 3, 200) for _ in NAMES], axis=1)
    codes = factors + 0.1 * rng.standard_normal(factors.shape)
    np.savez(tmp_path / "pca:x [b].npz", codes=codes, factors=factors, factor_names=NAMES)
    return tmp_path / "pca:x [b].npz"


@pytest.fixture
def at_width(monkeypatch):
    def set_width(width):
        monkeypatch.setattr(console.out, "_width", width)

    return set_width


@pytest.mark.parametrize("width", [1, 20, 60, 80, 140, 400])
def test_every_number_is_printed_whole(at_width, capsys, width):
    at_width(width)
    columns = ["metric", "value", "interval", "chance", "p"]
    rows = [
        ["mig", "0.1234", "[-0.1000, 0.9000]", "0.0123 ± 0.0045", "<= 0.001"],
        ["statistical_efficiency", "12345.6789", "-", "0.5000 ± 0.0001", "1"],
    ]
    console.print_table("title", columns, rows)
    lines = capsys.readouterr().out.splitlines()
    text = "\n".join(lines)
    assert "…" not in text
    for cell in [*columns, *(cell for row in rows for cell in row)]:
        assert cell in text
    least = max(len("statistical_efficiency") + 2 + len("[-0.1000, 0.9000]"), width)
    assert max(map(len, lines)) <= least
    parts = text.count("metric")
    assert parts == {1: 4, 20: 4, 60: 2, 80: 1, 140: 1, 400: 1}[width]


def test_numbers_stand_below_each_other(at_width, capsys):
    at_width(80)
    console.print_table("t", ["metric", "value"], [["a", "1.5"], ["b", "-10.25"]])
    _, _, _, first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("   1.5")
    assert second.endswith("-10.25")


@pytest.mark.parametrize("width", [60, 80])
def test_score_fits_the_terminal(cli, file, at_width, width):
    at_width(width)
    words = ["score", file, "--metrics", "mig,sap"]
    content = np.load(file)
    expected = evaluate(content["codes"], content["factors"], metrics=["mig", "sap"])
    _, out, _ = cli(*words)
    for row in expected.rows()[1]:
        for cell in row:
            assert cell in out
    assert "…" not in out
    table = out.split("interval: 95 %")[0].splitlines()[1:]
    assert max(map(len, table)) <= width
    _, out, _ = cli(*words, "--wide")
    assert re.search(r"metric +value +interval +adjusted +chance +mixture +smooth +perfect +p", out)


def test_names_are_printed_as_they_are(cli, file, at_width):
    at_width(80)
    code, out, err = cli("score", file, "--metrics", "mig")
    assert code == 0, err
    for name in [*NAMES, "pca:x [b].npz: 200 rows"]:
        assert name in out
    code, out, _ = cli("compare", file, file, "--metrics", "mig")
    assert f"{file} minus {file}: 200 rows" in out


@pytest.mark.parametrize("name", ["cube:x:pos", "[red]a[/red]", "[bold"])
def test_errors_name_files_as_they_are(cli, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (
        ["score", f"{name}.npz"],
        ["study", name],
        ["encode", name],
        ["data", "show", name],
    ):
        code, _, err = cli(*words)
        assert code == 2
        assert name in err
    code, _, err = cli("score", "x.npz", "--rows", name)
    assert code == 2
    assert name in err


class TestStderr:
    """A program without stderr, and one whose stderr is full."""

    def test_scores_need_no_stderr(self, file):
        program = (
            "import sys; sys.stderr = None; import numpy as np; from unweave.metrics import "
            f"evaluate; data = np.load({str(file)!r}); "
            "print(evaluate(data['codes'], data['factors'], metrics=['mig']).keys())"
        )
        printed = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        assert "mig" in printed.stdout

    @pytest.mark.parametrize("end", ["sys.stderr = None", "sys.stderr.close()"])
    def test_the_command_line_opens_what_is_missing(self, file, end):
        for words, code in ((["score", str(file), "--metrics", "mig"], 0), (["score", "x.npz"], 2)):
            program = (
                f"import sys; {end}; sys.argv = {['unweave', *words]}; "
                "from unweave.cli import main; main()"
            )
            ended = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, check=False
            )
            assert ended.returncode == code
            assert ("mig" in ended.stdout) == (code == 0)

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
    def test_a_full_stderr_leaves_the_exit_code(self):
        with open("/dev/full", "w") as full:
            ended = subprocess.run(
                [sys.executable, "-m", "unweave", "score", "nowhere.npz"],
                stderr=full,
                check=False,
            )
        assert ended.returncode == 2


@pytest.mark.filterwarnings("always")
def test_warnings_are_sentences_without_source_lines(cli, file, monkeypatch):
    def warn(*_, **__):
        warnings.warn("the codes are odd", UserWarning, stacklevel=1)
        raise SystemExit(0)

    monkeypatch.setattr("unweave.metrics.evaluate", warn)
    shown = warnings.showwarning
    code, _, err = cli("score", file)
    assert (code, err) == (0, "warning: the codes are odd")
    assert warnings.showwarning is shown


class TestAscii:
    def test_columns_stand_below_each_other(self, monkeypatch):
        written = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
        names = ["größe", "grosse", "gr\u00f8\u00dfe"]
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", written)
            degrade_output()
            cells = [[name, "0.5 ± 0.1", "1.0"] for name in names]
            console.print_table("t", ["name", "chance", "p"], cells)
        _, head, _, *rows = written.buffer.getvalue().decode("ascii").splitlines()
        assert len({len(row) for row in (head, *rows)}) == 1
        assert len({row.split()[0] for row in rows}) == 3
        assert all("0.5 +/- 0.1" in row for row in rows)

    def test_names_that_differ_stay_different(self):
        names = ["größe", "grosse", "groe", "θ", "theta", "\u540d", "\u524d", "?", "\U0001f600"]
        written = [n.encode("ascii", errors="unweave-degrade") for n in names]
        assert len(set(written)) == len(names)

    def test_own_words_are_spelled(self):
        assert "beta-TCVAE" in run("objectives", PYTHONIOENCODING="ascii", PYTHONUTF8="0").stdout


@pytest.mark.parametrize("width", [40, 80])
def test_notes_are_wrapped(cli, rng, tmp_path, at_width, width):
    at_width(width)
    factors = rng.integers(0, 4, (200, 2))
    codes = np.c_[factors + 0.1 * rng.standard_normal((200, 2)), np.zeros(200)]
    np.savez(tmp_path / "dead.npz", codes=codes, factors=np.c_[factors, np.ones(200)])
    code, out, err = cli("score", tmp_path / "dead.npz", "--metrics", "mig", "--drop-constant")
    assert code == 0, err
    assert "note: " in out
    assert max(map(len, out[out.index("interval: 95") :].splitlines())) <= width


def test_progress_takes_names_as_they_are(monkeypatch, capsys):
    monkeypatch.setattr(console.err, "_force_terminal", True)
    monkeypatch.setenv("TERM", "xterm")
    with console.progress_bar() as report:
        report("[red]a[/red] :x:", 1, 2)
    assert "[red]a[/red] :x:" in capsys.readouterr().err


def run(*words, stdout=subprocess.PIPE, **variables):
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"} | variables
    return subprocess.run(
        [sys.executable, "-m", "unweave", *map(str, words)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        check=False,
    )


def test_piped_output_is_whole(file):
    printed = run("score", file, "--metrics", "mig").stdout
    assert "…" not in printed
    assert re.search(
        r"metric +value +interval +adjusted +chance +mixture +smooth +perfect +p", printed
    )
    narrow = run("study", "list", COLUMNS="80").stdout
    assert max(map(len, narrow.splitlines())) <= 80
    assert "…" not in narrow


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
@pytest.mark.parametrize("words", [["study", "list"], ["study", "show", "quick"], ["data", "list"]])
def test_output_to_a_full_disk_is_answered_by_a_sentence(words):
    with open("/dev/full", "w") as full:
        ended = run(*words, stdout=full)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: No space left on device: free some space")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [["study", "list"], ["study", "list", "--json"]])
def test_a_reader_that_has_read_enough_is_no_error(words):
    reader, writer = os.pipe()
    os.close(reader)
    ended = run(*words, stdout=writer)
    os.close(writer)
    assert ended.stderr == ""


def test_a_fault_of_the_program_is_a_sentence_with_another_code(cli, file, monkeypatch):
    def fail(*_, **__):
        raise KeyError("mig")

    monkeypatch.setattr("unweave.metrics.evaluate", fail)
    code, _, err = cli("score", file)
    assert code == 1
    assert err.startswith("error: KeyError: 'mig' (please report it")
    monkeypatch.setenv("UNWEAVE_DEBUG", "1")
    with pytest.raises(KeyError):
        cli("score", file)


class TestLists:
    def test_sizes_are_those_of_the_studies(self):
        sizes = {name: load_study(name).size for name in shipped_studies()}
        assert {one.name: one.size for one in shipped_catalogue()} == sizes, json.dumps(
            sizes, indent=1
        )

    def test_studies_as_json(self, cli):
        code, out, _ = cli("study", "list", "--json")
        assert code == 0
        found = {one["name"]: one for one in json.loads(out)["studies"]}
        assert list(found) == shipped_studies()
        assert found["quick"]["question"] == load_study("quick").question

    def test_datasets_as_json(self, cli):
        found = json.loads(cli("data", "list", "--json")[1])["datasets"]
        sprites = next(one for one in found if one["dataset"] == "dsprites")
        assert (sprites["images"], sprites["shape"]) == (737280, [64, 64, 1])
        assert sprites["factors"].startswith("shape 3, scale 6")

    def test_encoders_as_json(self, cli):
        found = json.loads(cli("encoders", "list", "--json")[1])["encoders"]
        assert any(one["example"].startswith("clip:RN50") for one in found)

    def test_the_list_of_studies_imports_no_torch(self):
        program = (
            "import sys; from unweave.cli import app; app(['study', 'list'], "
            "result_action='return_value'); "
            "print({'torch', 'sklearn', 'scipy', 'numba'} & set(sys.modules))"
        )
        printed = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        assert printed.stdout.endswith("set()\n")


class TestWritingFails:
    """No file can be written where --out points to."""

    WORDS = (
        ["encode", "pixels", "--dataset", "torus", "--rows", "5"],
        ["data", "show", "torus"],
    )

    @pytest.mark.parametrize("words", WORDS)
    def test_a_file_instead_of_a_folder(self, cli, words, tmp_path):
        (tmp_path / "file").touch()
        code, _, err = cli(*words, "--out", tmp_path / "file" / "x.npz")
        assert code == 2
        assert str(tmp_path / "file") in err

    @pytest.mark.parametrize("words", WORDS)
    def test_a_folder_instead_of_a_file(self, cli, words, tmp_path):
        (tmp_path / "folder").mkdir()
        code, _, err = cli(*words, "--out", tmp_path / "folder")
        assert code == 2
        assert "folder" in err
        assert list(tmp_path.iterdir()) == [tmp_path / "folder"]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no limits of file size")
    @pytest.mark.parametrize("words", WORDS)
    def test_a_full_disk(self, words, tmp_path):
        program = (
            "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
            "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500)); "
            f"from unweave.cli import main; sys.argv = {['unweave', *words, '--out', 'out.npz']}; "
            "main()"
        )
        ended = subprocess.run(
            [sys.executable, "-B", "-c", program],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert ended.returncode == 2
        assert "Traceback" not in ended.stderr
        assert "File too large" in ended.stderr
        assert "free some space" in ended.stderr
        assert ("cannot write out.npz" in ended.stderr) == ("show" in words)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--metrics"], "--metrics: at least one value is needed"),
        (["--seed", " "], "--seed: a whole number is needed, not ' '"),
        (["--codes", "a" * 5000], "--codes: at most 4096 characters are needed, not 'aaa"),
        (["--codes", "a\0b"], "--codes: text without NUL and broken characters is needed"),
        (["--codes", "\udcff"], "--codes: text without NUL and broken characters is needed"),
        (["--rows", "1.5"], "--rows: a whole number is needed, not '1.5'"),
        (["--rows", "ten"], "--rows: a whole number is needed, not 'ten'"),
        (["--rows", "1e2"], "--rows: a whole number is needed, not '1e2'"),
        (["--rows", ""], "--rows: a whole number is needed, not ''"),
        (["--codes", ","], "--codes: at least one value is needed, not ','"),
        (["--rows", "0"], "--rows: a number of at least 1 is needed, not '0'"),
        (["--seed", str(2**63)], f"--seed: a number from 0 to 2^63 - 1 is needed, not '{2**63}'"),
        (["--seed", str(2**70)], "--seed: a number from 0 to 2^63 - 1 is needed, not"),
        (["more.npz", "words"], "too many words: 'words'"),
    ],
)
def test_options_of_score_that_are_refused(cli, file, words, message):
    code, _, err = cli("score", file, *words)
    assert code == 2
    assert err.startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--noise", "nan"], "--noise: a finite number is needed, not 'nan'"),
        (["--noise", "-1"], "--noise: a number of at least 0 is needed, not '-1'"),
        (["--density", "1e999"], "--density: a finite number is needed, not '1e999'"),
        (["--points", "1000000000000"], "--points: a number of at most 10000000 is needed"),
        (["--seed", str(2**32)], "--seed: a number of at most 4294967295 is needed"),
    ],
)
def test_options_of_geomancer_that_are_refused(cli, words, message):
    code, _, err = cli("geomancer", "S^2", *words)
    assert code == 2
    assert err.startswith(f"error: {message}")


@pytest.mark.parametrize(("words", "name"), [(["encode", ""], "ENCODER"), (["score", " "], "FILE")])
def test_empty_text_is_refused(cli, words, name):
    code, _, err = cli(*words)
    assert code == 2
    assert err.startswith(f"error: {name}: some text is needed, not ")


class TestNamesOfMetrics:
    def test_commas_and_spaces_mean_the_same(self, cli, file):
        found = [
            list(json.loads(cli("score", file, "--metrics", *words, "--json")[1])["metrics"])
            for words in (["mig,sap"], ["mig", "sap"], ["mig, sap"], ["mig,", "sap"], ["mig,,sap"])
        ]
        assert found == [["mig", "sap"]] * 5

    @pytest.mark.parametrize("words", [[], [""], [","], ["--json"]])
    def test_none_at_all(self, cli, file, words):
        code, _, err = cli("score", file, "--metrics", *words)
        assert code == 2
        assert "--metrics: " in err

    def test_a_wrong_one_among_them(self, cli, file):
        code, _, err = cli("score", file, "--metrics", "mig,sapp")
        assert code == 2
        assert "unknown metric 'sapp' (did you mean 'sap'?)" in err
        assert all(name in err for name in METRICS)
