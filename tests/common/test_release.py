"""The files of a release agree with each other, and with what outsiders demand of them."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import unweave

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
GITHUB = ROOT / ".github"
FORMS = sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml"))


def released(version):
    """When the changelog says that the version came out."""
    found = re.search(
        rf"^## \[{re.escape(version)}\] - (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.M
    )
    return found and found[1]


def bounds(requirements):
    return dict(re.fullmatch(r"([\w.-]+)>=([\d.]+)", one).groups() for one in requirements)


def test_the_version_stands_in_one_place():
    assert "version" not in PROJECT["project"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "unweave.__version__"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", unweave.__version__)


def test_the_citation_is_of_this_version_and_has_what_its_schema_requires():
    # Citation File Format 1.2.0, "required" of the schema and of its definitions
    required = {"authors", "cff-version", "message", "title"}
    assert required | {"version", "date-released"} <= set(CITATION)
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["version"] == unweave.__version__
    assert CITATION["license"] == PROJECT["project"]["license"]
    assert [one["name"] for one in CITATION["authors"]] == [
        one["name"] for one in PROJECT["project"]["authors"]
    ]
    for reference in CITATION["references"]:
        assert {"authors", "title", "type"} <= set(reference)
    date = str(CITATION["date-released"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", date)
    assert released(unweave.__version__) in (date, None)


def test_the_lowest_versions_are_those_that_the_core_allows():
    lines = (ROOT / "requirements-lowest.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    allowed = bounds(PROJECT["project"]["dependencies"])
    assert set(pinned) == set(allowed)
    for name, version in pinned.items():
        assert re.fullmatch(rf"{re.escape(allowed[name])}(\.0)*", version), name


def test_classifiers_and_keywords_say_what_is_supported():
    classifiers = PROJECT["project"]["classifiers"]
    assert "Typing :: Typed" in classifiers
    assert (ROOT / "src" / "unweave" / "py.typed").exists()
    tried = re.search(r"for version in ([\d. ]+);", (ROOT / ".ci" / "packages").read_text())[1]
    for version in tried.split():
        assert f"Programming Language :: Python :: {version}" in classifiers
    assert f">={tried.split()[0]}" == PROJECT["project"]["requires-python"]


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_issue_forms_have_what_github_demands(form):
    content = yaml.safe_load(form.read_text())
    if form.stem == "config":
        assert isinstance(content["blank_issues_enabled"], bool)
        return
    assert {"name", "description", "body"} <= set(content)
    asked = [part for part in content["body"] if part["type"] != "markdown"]
    assert asked
    identities = [part["id"] for part in asked]
    assert len(set(identities)) == len(identities)
    assert all(re.fullmatch(r"[\w-]+", one) for one in identities)
    for part in asked:
        assert part["type"] in {"checkboxes", "dropdown", "input", "textarea"}
        assert part["attributes"]["label"]
    assert "`unweave --version`" in str(asked)


def test_a_bug_and_a_wrong_number_are_asked_for_what_is_needed_to_see_them():
    assert [path.stem for path in FORMS] == ["bug", "config", "question", "wrong_number"]
    for stem, wanted in (("bug", "UNWEAVE_DEBUG=1"), ("wrong_number", "codes")):
        assert wanted in (GITHUB / "ISSUE_TEMPLATE" / f"{stem}.yml").read_text()
    assert (GITHUB / "pull_request_template.md").read_text().count("- [ ] ") >= 4


def test_the_workflow_pins_its_actions_and_runs_what_a_clone_runs():
    workflow = yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text())
    systems = []
    commands = []
    for job in workflow["jobs"].values():
        for row in [job.get("strategy", {}).get("matrix", {"os": [job["runs-on"]]})]:
            systems += row["os"]
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            commands.append(step.get("run", ""))
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+\.\d+\.\d+|[0-9a-f]{40})", step["uses"])
    assert {re.sub(r"-.*", "", system) for system in systems} == {"ubuntu", "windows", "macos"}
    assert not [system for system in systems if system.endswith("latest")]
    for script in (".ci/run", ".ci/smoke.py"):
        assert any(script in command for command in commands)
        assert (ROOT / script).exists()
    assert workflow["permissions"] == {"contents": "read"}
