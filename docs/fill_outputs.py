"""Run the code of the first page, of tutorials and of "Write your own", and write what it prints.

A block of Python shares its names with those before it on the page; a block of the shell runs line
by line; a block with a title is written to a file of that name. All run in one empty folder. A
block of text after any of these is what it printed. Arguments are pages, as tutorials/study.md;
without any, all are run.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parent
PAGES = [
    DOCS / "index.md",
    *sorted((DOCS / "tutorials").glob("*.md")),
    *sorted((DOCS / "write_your_own").glob("*.md")),
]
BLOCK = re.compile(
    r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.M | re.S
)
NUMBER = re.compile(r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?")


def filled(page: str, folder: Path) -> str:
    """The page with what its code prints when it is run in a folder."""
    names: dict[str, object] = {"__name__": "tutorial"}

    def run(found: re.Match[str]) -> str:
        language, title, code, shown = found.groups()
        if title:
            (folder / title).write_text(code, encoding="utf-8")
            return found[0]
        if language not in ("python", "sh"):
            return found[0]
        printed = run_python(code, names) if language == "python" else run_shell(code, folder)
        if shown is None:
            return found[0]
        printed = printed.replace(str(folder), "/home/me")
        return f"```{language}\n{code}```\n\n```text\n{printed}```\n"

    with contextlib.chdir(folder):
        return BLOCK.sub(run, page)


def run_python(code: str, names: dict[str, object]) -> str:
    """What Python prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "<tutorial>", "exec"), names)
    return plain(printed.getvalue())


def run_shell(code: str, folder: Path) -> str:
    """What the command line of unweave prints, line by line."""
    printed = ""
    for line in code.splitlines():
        program, *words = shlex.split(line, comments=True)
        assert program == "unweave", f"tutorials run unweave alone, not {program}"
        ended = subprocess.run(
            [sys.executable, "-m", "unweave", *words],
            cwd=folder,
            env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, f"{line}: {ended.stderr}"
        printed += ended.stdout
    return plain(printed)


def plain(text: str) -> str:
    """Lines without spaces at their ends."""
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    return "".join(f"{line}\n" for line in lines)


def differences(shown: str, now: str, *, tolerance: float) -> list[str]:
    """What differs between two pages: words that are not equal, numbers that are not close.

    Numbers are close if they differ by at most the tolerance times the larger one, or times 1.
    """
    pairs = zip(tokens(shown), tokens(now), strict=False)
    found = [f"{a} != {b}" for a, b in pairs if not close(a, b, tolerance)]
    lengths = len(tokens(shown)), len(tokens(now))
    return found if lengths[0] == lengths[1] else [*found, f"{lengths[0]} words != {lengths[1]}"]


def tokens(page: str) -> list[str]:
    """Numbers and what lies between them, without spaces and lines of tables."""
    parts = re.split(rf"({NUMBER.pattern})", page)
    return [text for part in parts if (text := re.sub(r"[\s|─━-]+", "", part))]


def close(shown: str, now: str, tolerance: float) -> bool:
    """Whether two words are equal, or two numbers close."""
    if not (NUMBER.fullmatch(shown) and NUMBER.fullmatch(now)):
        return shown == now
    one, other = (float(text.replace(",", "")) for text in (shown, now))
    return abs(one - other) <= tolerance * max(1.0, abs(one), abs(other))


if __name__ == "__main__":
    for path in PAGES:
        if sys.argv[1:] and str(path.relative_to(DOCS)) not in sys.argv[1:]:
            continue
        with tempfile.TemporaryDirectory() as folder:
            text = filled(path.read_text(encoding="utf-8"), Path(folder))
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(DOCS))
