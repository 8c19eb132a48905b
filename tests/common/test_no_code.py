"""No call in the sources runs code that lies in data."""

import ast
from pathlib import Path

import pytest

import unweave

SOURCE = Path(unweave.__file__).parent
RUNS_CODE = {
    "eval", "exec", "compile", "cloudpickle.load", "cloudpickle.loads", "dill.load", "dill.loads",
    "joblib.load", "marshal.load", "marshal.loads", "os.popen", "os.system", "pandas.read_pickle",
    "pickle.load", "pickle.loads", "shelve.open", "torch.hub.load", "yaml.load", "yaml.unsafe_load",
    "zipimport.zipimporter",
}  # fmt: skip
ALLOWED = {
    # `torchscript:FILE` is for files that the user trusts, and its documentation says so.
    ("encoders/torchscript.py", "torch.jit.load"),
    # It looks up no name but those that it lists itself.
    ("encoders/archives.py", "pickle._Unpickler"),
}


def name_of(node):
    """As "torch.load"; of a method of an expression, as "?.load"."""
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def names():
    """Place, name and node of whatever is named in the sources, and of calls."""
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield place, name_of(node.func), node
            elif isinstance(node, ast.Attribute | ast.Name):
                yield place, name_of(node), None


FOUND = list(names())


def calls(*wanted):
    return [
        (f"{place}:{node.lineno}", {word.arg: word.value for word in node.keywords})
        for place, name, node in FOUND
        if node is not None and any(f".{name}".endswith(f".{end}") for end in wanted)
    ]


def is_constant(node, value):
    return isinstance(node, ast.Constant) and node.value is value


def test_torch_load_reads_weights_alone():
    found = calls("torch.load")
    assert len(found) >= 2
    for place, options in found:
        assert is_constant(options.get("weights_only"), True), place


def test_torchscript_and_pickles_are_read_where_it_is_said_alone():
    unsafe = {"torch.jit.load", "pickle.Unpickler", "pickle._Unpickler", *RUNS_CODE}
    used = {(place, name) for place, name, _ in FOUND if name in unsafe}
    assert used == ALLOWED


def test_numpy_never_reads_pickles():
    for place, options in calls("np.load", "numpy.load", "npy.read_array"):
        assert "allow_pickle" not in options or is_constant(options["allow_pickle"], False), place


def test_transformers_never_run_the_code_of_a_model():
    """The option is given by name, or in the only table of that name."""
    found = calls("AutoConfig.from_pretrained", "AutoModel.from_pretrained", "from_config")
    found = [(place, options) for place, options in found if "hugging_face" in place]
    assert len(found) == 3
    for place, options in found:
        tables = [value.id for key, value in options.items() if key is None for value in [value]]
        assert "no_code" in tables, place
    source = (SOURCE / "encoders" / "hugging_face.py").read_text(encoding="utf-8")
    assert source.count('no_code = {"trust_remote_code": False}') == 1
    assert source.count("trust_remote_code") == 2  # and where its error is recognised


def test_no_process_is_started_by_a_shell():
    for place, options in calls("run", "Popen", "call", "check_call", "check_output"):
        assert "shell" not in options, place


@pytest.mark.parametrize("module", ["pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml"])
def test_names_are_not_imported_from_modules_that_run_code(module):
    """Or the names above would not be seen."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.module == module), path
