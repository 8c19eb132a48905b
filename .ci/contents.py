"""Compare the files of the source distribution and of the wheel with those that git has.

Call it from the root of the repository with the paths of both.
"""

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable

GENERATED = ("PKG-INFO", "setup.cfg", "src/unweave.egg-info/")


def compare(what: str, found: set[str], wanted: set[str]) -> bool:
    """Whether they are the same; say what is not."""
    for sentence, names in (("lacks", wanted - found), ("should not have", found - wanted)):
        for name in sorted(names):
            print(f"{what} {sentence} {name}")
    return found == wanted


def without(names: Iterable[str], prefixes: tuple[str, ...]) -> set[str]:
    """The names that begin with none of the prefixes."""
    return {name for name in names if not name.startswith(prefixes)}


sdist, wheel = sys.argv[1:]
listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True)
tracked = set(listed.stdout.split("\0")) - {""}
with tarfile.open(sdist) as archive:
    members = {file.name.partition("/")[2] for file in archive.getmembers() if file.isfile()}
with zipfile.ZipFile(wheel) as zipped:
    names = zipped.namelist()
package = {name.removeprefix("src/") for name in tracked if name.startswith("src/unweave/")}
about = [name for name in names if ".dist-info/" in name]
same = [
    compare("the source distribution", without(members, GENERATED), tracked),
    compare("the wheel", set(names) - set(about), package),
    compare(
        "the wheel's description",
        {name.partition(".dist-info/")[2] for name in about},
        {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt"},
    ),
]
sys.exit(not all(same))
