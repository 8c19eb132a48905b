"""`unweave completion`: shells complete what the commands and their options are."""

import shutil
import subprocess
import sys

import pytest

from unweave.cli import app

NAMES = {name for name in app if not name.startswith("-")}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_names_every_command_and_its_options(cli, shell):
    code, out, err = cli("completion", shell)
    assert (code, err) == (0, "")
    assert {"geomancer", "score", "import"} < NAMES
    assert set(out.replace("'", " ").replace('"', " ").replace(":", " ").split()) >= NAMES
    assert "udr" in out  # of unweave study
    assert "tangent-neighbors" in out
    assert max(map(len, out.splitlines())) > 100  # nothing has wrapped it


def test_bash_completes_commands_options_and_values(tmp_path, cli):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    (tmp_path / "unweave.bash").write_text(cli("completion", "bash")[1])

    def complete(*words):
        script = (
            'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _unweave; '
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            [bash, "--norc", "-c", script, tmp_path / "unweave.bash", "unweave", *words],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return set(done.stdout.split())

    assert complete("geo") == {"geomancer"}
    assert complete("") == NAMES
    assert complete("geomancer", "--poi") == {"--points"}
    assert {"table", "udr"} <= complete("study", "")
    assert complete("completion", "") == {"bash", "zsh", "fish"}


def test_an_unknown_shell_is_refused_with_those_that_are_known(cli):
    code, _, err = cli("completion", "csh")
    assert code == 2
    assert 'Choose from: "bash", "zsh", "fish"' in err
    code, _, err = cli("completion")
    assert code == 2
    assert "SHELL is missing" in err


def test_other_commands_import_nothing_for_it():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.argv = ['unweave', '--version']; from unweave.cli import main; main();"
            "print([n for n in sys.modules if 'completion' in n or n == 'numpy'])",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split("\n")[1] == "[]"
