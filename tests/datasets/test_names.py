import os

import pytest

from unweave.datasets import canonical, check_name, with_options
from unweave.datasets.names import DatasetName, parse


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def parts(name):
    found = parse(name)
    return found.kind, found.name, found.path, dict(found.options)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dsprites", ("catalogue", "dsprites", None, {})),
        ("dsprites:a/b.npz", ("catalogue", "dsprites", "a/b.npz", {})),
        ("dsprites:C:\\a\\b.npz", ("catalogue", "dsprites", "C:\\a\\b.npz", {})),
        ("torus?size=16", ("catalogue", "torus", None, {"size": "16"})),
        ("x.npz", ("path", "x.npz", None, {})),
        ("x.H5?a=1&b=2", ("path", "x.H5", None, {"a": "1", "b": "2"})),
        ("a/b?labels=folders", ("path", "a/b", None, {"labels": "folders"})),
        ("C:\\faces?size=64", ("path", "C:\\faces", None, {"size": "64"})),
        ("D:/faces.npz", ("path", "D:/faces.npz", None, {})),
        ("~/faces", ("path", "~/faces", None, {})),
        ("./dsprites", ("path", "./dsprites", None, {})),
        ("hf:owner/name", ("hf", "owner/name", None, {})),
        ("hf:mnist?split=test", ("hf", "mnist", None, {"split": "test"})),
        ("hf:./saved?image=x", ("hf", "./saved", None, {"image": "x"})),
        ("my.module:make?n=3", ("object", "my.module:make", None, {"n": "3"})),
        ("module:Class.method", ("object", "module:Class.method", None, {})),
        ("a/b?x=1%262%3F%25&y=", ("path", "a/b", None, {"x": "1&2?%", "y": ""})),
        ("a/b?c/d", ("path", "a/b?c/d", None, {})),
        ("a/b?c=d?", ("path", "a/b?c=d", None, {})),
        ("a/b?c/d?size=3", ("path", "a/b?c/d", None, {"size": "3"})),
    ],
)
def test_names_are_read(name, expected):
    assert parts(name) == expected
    assert parts(str(parse(name))) == expected


@pytest.mark.skipif(os.name == "nt", reason="Windows has no files of such names")
@pytest.mark.parametrize("name", ["a:b/c", "a?b=1.npz", "d?size=3/e", "x.y?z=1"])
def test_a_path_with_a_slash_or_suffix_that_exists_is_taken_as_it_is(tmp_path, name):
    (tmp_path / name).mkdir(parents=True)
    assert parts(name) == ("path", name, None, {})
    stored = canonical(name)
    assert parse(stored).name == str(tmp_path / name)
    assert canonical(stored) == stored
    (tmp_path / name).rmdir()
    assert parse(stored).name == str(tmp_path / name)
    assert canonical(stored) == stored


def test_a_word_is_a_folder_if_it_exists(tmp_path):
    with pytest.raises(
        ValueError,
        match="'faces': it is neither a dataset of the .* nor a folder",
    ):
        parse("faces")
    (tmp_path / "faces").mkdir()
    assert parts("faces?size=32") == ("path", "faces", None, {"size": "32"})
    assert canonical("faces?size=32") == f"{tmp_path / 'faces'}?size=32"


def test_a_path_object_is_a_path(tmp_path):
    assert parse(tmp_path / "dsprites?x=1").name == str(tmp_path / "dsprites?x=1")
    assert canonical(tmp_path / "a?x=1") == f"{tmp_path / 'a?x=1'}?"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dsprites", "dsprites"),
        ("dsprites:x.npz", "dsprites:{here}/x.npz"),
        ("x.npz?b=2&a=1", "{here}/x.npz?a=1&b=2"),
        ("a/../b/?size=3", "{here}/b?size=3"),
        ("hf:owner/name?split=train", "hf:owner/name?split=train"),
        ("hf:./saved", "hf:{here}/saved"),
        ("hf:a/b/c", "hf:{here}/a/b/c"),
        ("module:thing", "module:thing"),
        ("C:\\a\\b.npz", "C:\\a\\b.npz"),
        ("\\\\server\\share\\b.npz", "\\\\server\\share\\b.npz"),
        ("~/b.npz", f"{os.path.expanduser('~')}/b.npz"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="paths of POSIX")
def test_canonical_names_are_absolute_and_stay_as_they_are(tmp_path, monkeypatch, name, expected):
    stored = canonical(name)
    assert stored == expected.format(here=tmp_path)
    monkeypatch.chdir("/")
    assert canonical(stored) == stored
    assert check_name(stored) == stored


def test_files_in_options_become_absolute_unless_they_lie_in_the_folder(tmp_path):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "inside.csv").touch()
    (tmp_path / "beside.csv").touch()
    own = f"{tmp_path / 'faces'}?table="
    assert canonical("faces?table=inside.csv") == f"{own}inside.csv"
    assert canonical("faces?table=nowhere.csv") == f"{own}nowhere.csv"
    assert canonical("faces?table=beside.csv") == f"{own}{tmp_path / 'beside.csv'}"


def test_a_local_folder_goes_before_the_hub(tmp_path):
    assert canonical("hf:a/b") == "hf:a/b"
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert canonical("hf:a/b") == f"hf:{tmp_path}/a/b"


def test_options_are_merged_and_written():
    merged = with_options("faces.npz?size=64&fit=pad", size=(48, 64), resample=None, factors=["a"])
    assert merged == "faces.npz?size=48x64&fit=pad&factors=a"
    assert with_options("dsprites", flag=True, size=32) == "dsprites?flag=true&size=32"
    odd = with_options("a.npz", kinds={"hue": "circular", "x": "ordinal"}, word="a&b?c%d e=é")
    assert odd == "a.npz?kinds=hue:circular,x:ordinal&word=a%26b%3Fc%25d e=é"
    assert dict(parse(odd).options)["word"] == "a&b?c%d e=é"
    assert with_options("dsprites") == "dsprites"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "named by text"),
        ("  ", "named by text"),
        (None, "named by text"),
        ("dsprite", r"unknown dataset 'dsprite' \(did you mean 'dsprites'\?\): it is neither"),
        ("DSprites", "did you mean 'dsprites'"),
        ("dsprite:a/b.npz", "did you mean 'dsprites'"),
        ("dsprites:", "ends with a colon"),
        ("hf:", "ends with a colon"),
        ("hf:a b", "not a name of the Hugging Face hub"),
        ("https://host/file.npz", "not read from addresses"),
        ("dsprites?size", "written key=value and separated by &, not 'size'"),
        ("a/b?size=3&size=4", "option size is given twice"),
    ],
)
def test_names_that_can_never_be_loaded_are_refused(name, sentence):
    for function in (parse, canonical, check_name):
        with pytest.raises(ValueError, match=sentence):
            function(name)


def test_labels_are_short():
    labels = {
        "a/b/faces.npz?size=3": "faces",
        "C:\\a\\faces": "faces",
        "hf:owner/name": "owner/name",
        "hf:/a/b/saved": "saved",
        "dsprites:a/b.npz": "dsprites",
    }
    assert {name: parse(name).label for name in labels} == labels
    assert isinstance(parse("dsprites"), DatasetName)
