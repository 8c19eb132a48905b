"""What other systems, consoles and containers lack, and that nothing stops without it."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import unweave
from unweave import _compiled, _memory, _parallel
from unweave._storage import cache_folder, writable_folder, written_whole
from unweave.metrics import mutual_information_gap

SOURCE = Path(unweave.__file__).parent
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")}
ALWAYS_HERE = ("matplotlib", "resource", "torch")  # Linux and the extras of studies have them
NEVER_DEMANDED = ("anndata",)  # other tests write files in its format with h5py
NOT_ON_WINDOWS = {
    "crypt", "curses", "fcntl", "grp", "nis", "ossaudiodev", "posix", "pty", "pwd", "readline",
    "resource", "spwd", "syslog", "termios", "tty",
}  # fmt: skip
OF_OTHER_SYSTEMS = {
    "O_NOFOLLOW", "WNOHANG", "chown", "chroot", "ctermid", "fchmod", "fchown", "fork", "forkpty",
    "geteuid", "getegid", "getgid", "getgroups", "getloadavg", "getpgid", "getpgrp", "getpriority",
    "getsid", "getuid", "initgroups", "killpg", "lchown", "mkfifo", "mknod", "nice",
    "posix_fadvise", "posix_spawn", "pread", "pwrite", "sched_getaffinity", "sched_setaffinity",
    "sendfile", "setpgid", "setsid", "setuid", "statvfs", "sync", "sysconf", "tcgetpgrp", "uname",
    "wait3", "wait4", "SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGUSR1",
    "SIGUSR2", "alarm", "setitimer", "AF_UNIX",
}  # fmt: skip


def run(code, *, options=(), **environment):
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode()


def where(path, node):
    return f"{path.relative_to(SOURCE)}:{node.lineno}"


def test_what_windows_lacks_is_imported_only_where_its_absence_is_caught():
    wrong = []
    for path, tree in TREES.items():
        caught = {
            inner for node in ast.walk(tree) if isinstance(node, ast.Try)
            for part in node.body for inner in ast.walk(part)
        }  # fmt: skip
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if node not in caught and any(n.split(".")[0] in NOT_ON_WINDOWS for n in names):
                wrong.append(where(path, node))
    assert wrong == []


def test_functions_that_windows_lacks_are_asked_for_first():
    wrong = []
    for path, tree in TREES.items():
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in ("os", "signal", "socket")
                and node.attr in OF_OTHER_SYSTEMS
                and f'hasattr({node.value.id}, "{node.attr}")' not in text
            ):
                wrong.append(where(path, node))
    assert wrong == []


def test_text_files_have_an_encoding_that_no_system_chooses():
    wrong = []
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", "")  # of a path; our own read_text takes UTF-8 alone
            is_text = name in ("read_text", "write_text")
            if name == "open" and isinstance(node.func, ast.Name):
                mode = node.args[1] if len(node.args) > 1 else ast.Constant("r")
                is_text = isinstance(mode, ast.Constant) and "b" not in mode.value
            if is_text and "encoding" not in {keyword.arg for keyword in node.keywords}:
                wrong.append(where(path, node))
    assert wrong == []


def test_asserts_tell_types_alone():
    """Nothing depends on them: `python -O` leaves them out."""
    wrong = []
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert) and not (
                isinstance(node.test, ast.Compare)
                and isinstance(node.test.left, ast.Name | ast.Attribute)
                and isinstance(node.test.ops[0], ast.IsNot)
            ):
                wrong.append(where(path, node))
    assert wrong == []


def test_only_one_module_asks_numba_to_compile():
    wrong = [
        where(path, node)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if path.name != "_compiled.py"
        and (
            (isinstance(node, ast.ImportFrom) and node.module == "numba"
             and {alias.name for alias in node.names} & {"njit", "jit", "vectorize", "guvectorize"})
            or (isinstance(node, ast.Import) and any(a.name == "numba" for a in node.names))
        )
    ]  # fmt: skip
    assert wrong == []


WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

import numba, torch, cyclopts, rich, sklearn.tree, scipy.sparse.linalg, polars, lightning_fabric
for name in {names!r}:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Absent())
sys.platform = "win32"
"""


def test_a_command_runs_without_what_windows_lacks():
    code = WITHOUT.format(names=sorted(NOT_ON_WINDOWS - {"posix"})) + (
        "sys.argv = ['unweave', 'geomancer', 'S^1 x S^2', '--points', '300', '--json']\n"
        "from unweave.cli import main\n"
        "main()\n"
    )
    printed = run(code)
    assert '"peak_memory_mb": null' in printed
    assert '"n_factors": 2' in printed


def test_peak_memory_is_in_bytes_where_it_is_counted(monkeypatch):
    resource = pytest.importorskip("resource")
    array = np.ones(30 << 20, dtype=np.uint8)
    here = _memory.peak_memory()
    assert here > array.nbytes
    counted = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    monkeypatch.setattr(sys, "platform", "darwin")  # which counts in bytes
    assert counted <= _memory.peak_memory() < 2 * counted
    monkeypatch.setattr(sys, "platform", "linux")
    assert 1024 * counted <= _memory.peak_memory() < 2048 * counted
    monkeypatch.setitem(sys.modules, "resource", None)
    assert _memory.peak_memory() is None


def test_freed_memory_is_left_alone_without_glibc(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert _memory.keep_freed_memory() is False
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())  # as musl, which has no mallopt
    assert _memory.keep_freed_memory() is False


def test_windows_has_pools_of_61_processes_at_most(monkeypatch):
    assert _parallel.most_processes(100) == 100
    monkeypatch.setattr(sys, "platform", "win32")
    assert _parallel.most_processes(100) == 61
    assert _parallel.most_processes(3) == 3


SCORING = """
import numpy as np
from unweave.cli import app
from unweave.metrics import mutual_information_gap

assert False, "asserts are left out"
rng = np.random.default_rng(0)
factors = np.stack([rng.integers(0, 4, 300), rng.integers(0, 3, 300)], axis=1)
codes = factors + 0.1 * rng.standard_normal((300, 2))
print("MIG", round(float(mutual_information_gap(codes, factors, noise=None)), 6))
for bad in (codes[:5], np.full_like(codes, np.nan)):
    try:
        mutual_information_gap(bad, factors)
    except ValueError:
        print("refused")
app(["score", "--help"])
"""


def test_nothing_is_lost_without_asserts_and_docstrings():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, 4, 300), rng.integers(0, 3, 300)], axis=1)
    codes = factors + 0.1 * rng.standard_normal((300, 2))
    value = round(float(mutual_information_gap(codes, factors, noise=None)), 6)
    printed = run(SCORING, options=["-OO"])
    assert printed.startswith(f"MIG {value}\nrefused\nrefused\n")
    assert "--metrics" in printed


TRAINING = """
from unweave.datasets import load
from unweave.models import Network, build_vae
from unweave.models.objectives import OBJECTIVES
from unweave.training import TrainingConfig, train

torus = load("torus")
model = build_vae(Network(width=0.125, n_latents=2), torus.image_shape, seed=0)
for name in ("vae", "factor_vae"):
    train(model, OBJECTIVES[name](), torus, TrainingConfig(steps=2, batch_size=4))
    print("trained", name)
"""


@pytest.mark.slow  # an interpreter that may keep no byte code compiles all of torch
def test_models_are_trained_without_asserts_and_docstrings():
    assert run(TRAINING, options=["-OO"]) == "trained vae\ntrained factor_vae\n"


# Consoles


COMMANDS = [
    ["--help"], ["objectives"], ["encoders", "list"], ["study", "list"], ["data", "list"],
    ["study", "show", "paper"], ["train", "--help"], ["geomancer", "S^1 × S^2", "--points", "300"],
    ["score", "CODES", "--metrics", "mig"], ["compare", "CODES", "CODES", "--metrics", "mig"],
    ["symmetry", "--help"], ["score", "no file of β²"],
]  # fmt: skip


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_every_command_writes_to_every_console(encoding, tmp_path, rng):
    factors = np.stack([rng.integers(0, 4, 200), rng.integers(0, 3, 200)], axis=1)
    codes = factors + 0.1 * rng.standard_normal((200, 2))
    file = tmp_path / "β.npz"
    np.savez(file, codes=codes, factors=factors, factor_names=["größe", "θ"])
    commands = [[str(file) if word == "CODES" else word for word in words] for words in COMMANDS]
    code = (
        "import sys\n"
        "from unweave.cli import main\n"
        f"for words in {commands!r}:\n"
        "    sys.argv = ['unweave', *words]\n"
        "    try: main()\n"
        "    except SystemExit as stop: assert stop.code in (0, None, 2), (words, stop.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        check=False,
    )
    printed, errors = done.stdout.decode(encoding), done.stderr.decode(encoding)
    assert done.returncode == 0, errors
    assert "Traceback" not in errors
    plain = {"ascii": "+/-", "cp1252": "±", "utf-8": "±"}[encoding]
    assert plain in printed
    assert {"ascii": r"gr\xf6\xdfe", "cp1252": "größe", "utf-8": "größe"}[encoding] in printed
    assert {"ascii": r"\u03b8", "cp1252": r"\u03b8", "utf-8": "θ"}[encoding] in printed
    assert {"ascii": "beta-VAE", "cp1252": "beta-VAE", "utf-8": "β-VAE"}[encoding] in printed
    assert {"ascii": r"\u03b2^2", "cp1252": r"\u03b2²", "utf-8": "β²"}[encoding] in errors


# Containers


def test_machine_code_is_kept_where_it_can_be(tmp_path, monkeypatch):
    """Beside the source, then in the user's cache, then among temporary files, then nowhere."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def adding():
        def function(x):
            return x + 1

        return _compiled.njit(nogil=True)(function)

    def compiled():
        found = adding()
        assert found(1) == 2
        return found._cache.cache_path

    beside = str(Path(__file__).parent / "__pycache__")
    assert compiled() == beside
    real = os.makedirs

    def makedirs(path, *args, **kwargs):
        if not str(path).startswith(str(tmp_path)):
            raise PermissionError(13, "read-only", path)
        real(path, *args, **kwargs)

    monkeypatch.setattr("os.makedirs", makedirs)
    assert Path(compiled()).parent.parent == tmp_path
    kept = next(tmp_path.glob("unweave-numba-*"))
    assert list(kept.rglob("*.nbi"))
    assert kept.stat().st_mode & 0o077 == 0
    if hasattr(os, "getuid"):
        kept.chmod(0o777)  # others could put their machine code there
        assert compiled() is None
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none" / "there"))
    assert compiled() is None


def test_a_cache_that_fails_costs_time_and_no_result(tmp_path, monkeypatch):
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))

    def double(x):
        return 2 * x

    assert _compiled.njit()(double)(3) == 6
    (index,) = tmp_path.rglob("*.nbi")
    index.write_bytes(b"")  # as after a loss of power
    assert _compiled.njit()(double)(4) == 8
    index.unlink()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", full)
    assert _compiled.njit()(double)(5) == 10


def test_everything_runs_where_only_the_results_can_be_written(tmp_path):
    """Home, package and temporary folder are files here: no folder can be made in them."""
    package = tmp_path / "package"
    package.mkdir()
    for path in SOURCE.rglob("*"):
        target = package / "unweave" / path.relative_to(SOURCE)
        if "__pycache__" not in path.parts and path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
            (target.parent / "__pycache__").touch()
    (tmp_path / "home").touch()
    code = (
        "import sys, numpy as np\n"
        "from unweave.cli import main\n"
        "rng = np.random.default_rng(0)\n"
        "factors = np.stack([rng.integers(0, 4, 200), rng.integers(0, 3, 200)], axis=1)\n"
        "np.savez('codes.npz', codes=factors + 0.1 * rng.standard_normal((200, 2)), "
        "factors=factors)\n"
        "for words in (['--help'], ['score', 'codes.npz', '--metrics', 'mig'], "
        "['data', 'prepare', 'dsprites']):\n"
        "    sys.argv = ['unweave', *words]\n"
        "    try: main()\n"
        "    except SystemExit as stop: print('code', stop.code or 0)\n"
    )
    home = str(tmp_path / "home")
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            **{k: v for k, v in os.environ.items() if k not in ("UNWEAVE_CACHE", "XDG_CACHE_HOME")},
            "HOME": home,
            "PYTHONPATH": str(package),
            "PYTHONDONTWRITEBYTECODE": "1",
        },  # fmt: skip
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "mig" in done.stdout
    assert "set UNWEAVE_CACHE to a folder that can be written" in " ".join(done.stderr.split())
    assert f"cannot write into {home}" in " ".join(done.stderr.split())


def test_a_cache_that_cannot_be_written_is_named_with_its_variable(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path / "file" / "cache"))
    message = r"cannot write into .*cache.*: set UNWEAVE_CACHE to a folder that can be written"
    with pytest.raises(OSError, match=message), written_whole(cache_folder() / "x"):
        pass
    with pytest.raises(OSError, match=message):
        writable_folder(cache_folder() / "encodings")
    with pytest.raises(OSError, match=r"cannot write into .*runs.*: choose another folder"):
        writable_folder(tmp_path / "file" / "runs")
    assert writable_folder(tmp_path / "made" / "here").is_dir()


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    monkeypatch.delenv("UNWEAVE_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: f"~/.cache/{name}")
    with pytest.raises(FileNotFoundError, match="no home folder to keep files in: set UNWEAVE_C"):
        cache_folder()


# Packages that some tests need


def test_ci_demands_every_package_without_which_a_test_is_skipped():
    root = Path(__file__).parents[1]
    demanded = re.search(r"OPTIONAL = \((.*?)\)", (root / "conftest.py").read_text(), re.S)[1]
    for path in root.rglob("*.py"):
        for name in re.findall(r'importorskip\("([\w.]+)"\)', path.read_text()):
            known = (*re.findall(r'"(\w+)"', demanded), *ALWAYS_HERE, *NEVER_DEMANDED)
            assert name.partition(".")[0] in known, path


def test_extras_that_sentences_name_are_those_of_the_package():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    extras = set(project["project"]["optional-dependencies"])
    named = {
        keyword.value.value
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "imported"
        for keyword in node.keywords
        if keyword.arg == "extra" and isinstance(keyword.value, ast.Constant)
    }
    assert {"gbt", "hf", "onnx", "ray", "render", "sql", "torchmetrics"} <= named
    assert named <= extras
