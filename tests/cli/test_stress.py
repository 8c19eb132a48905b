"""`unweave stress`, of metrics of the package and of strangers."""

import json
import re

import pytest

from unweave.cli import console

MODULE = """
import numpy as np

from unweave.metrics import Case, KnownCode, Metric


class Ones(Metric):
    names = ("only_ones",)

    def read(self, sample):
        return {"only_ones": 1.0}


def constant(rng, n_rows):
    factors = np.stack([rng.permutation(np.arange(n_rows) % k) for k in (2, 3)], axis=1)
    return Case(np.ones((n_rows, 2)), factors, ("ordinal", "ordinal"))


COLLAPSED = KnownCode("collapsed", "two constants", constant, "below", "order", "none", "perfect")
"""
QUICK = ("--rows", 100, 200, "--repeats", 2)


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "strange.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


def test_a_page_of_a_metric(cli):
    code, out, err = cli("stress", "mig", *QUICK)
    assert (code, err) == (0, "")
    assert "mig: 100, 200 rows, 2 repeats, seed 0" in out
    assert re.search(r"^ties_broken +as perfect ", out, re.M)
    assert re.search(r"^twice +perfect +punishes -1\.0\d ", out, re.M)
    assert re.search(r"^perfect not called significant +0 \[0, 84\] +0 \[0, 84\]", out, re.M)
    assert "faults: none" in out
    assert re.search(r"^twice +every latent of the perfect", out, re.M)


def test_a_metric_of_a_stranger_that_always_gives_1(cli, own):
    code, out, err = cli("stress", "strange:Ones", "mig", *QUICK, "--codes", "noise,twice")
    assert (code, err) == (0, "")
    text = " ".join(out.split())
    assert "fault: noise should be near 0, and is 1.00: it knows nothing" in text
    assert "only_ones: 100, 200 rows" in text
    assert "mig: 100, 200 rows" in text


def test_json_with_a_known_code_of_a_stranger(cli, own):
    words = ("stress", "strange:Ones", *QUICK, "--codes", "strange:COLLAPSED", "--json")
    code, out, _ = cli(*words)
    assert code == 0
    found = json.loads(out)["metrics"]["only_ones"]
    assert {(a["code"], a["verdict"]) for a in found["answers"] if a["read_as"] == "raw"} == {
        ("collapsed", "fails")
    }
    assert found["rows"] == [100, 200]
    assert found["error_rates"][0]["interval"] == pytest.approx([0, 0.8419], abs=1e-4)
    assert cli(*words, "--workers", 2)[1] == out


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(cli, monkeypatch, width):
    monkeypatch.setattr(console.out, "_width", width)
    _, out, _ = cli("stress", "jemmig", *QUICK)
    assert max(map(len, out.splitlines())) <= width


def test_what_takes_long_is_said(cli, monkeypatch):
    monkeypatch.setattr("unweave.metrics.stress_seconds", lambda *_, **__: 600.0)
    _, _, err = cli("stress", "mig", *QUICK, "--codes", "dead")
    assert "this takes about 10 minutes of one core; --rows 300 1000 --repeats 20" in err
    monkeypatch.setattr("unweave.metrics.stress_seconds", lambda *_, **__: 9000.0)
    _, _, err = cli("stress", "mig", *QUICK, "--codes", "dead")
    assert "about 2.5 hours" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "METRICS is missing"),
        (("migg",), "did you mean 'mig'"),
        (("mig", "--codes", "nois"), "did you mean 'noise'"),
        (("mig", "--rows", "50"), "rows must be a whole number of at least 100"),
        (("mig", "--repeats", "0"), "--repeats: a number of at least 1 is needed"),
        (("strange:Two",), "the module strange has no Two"),
        (("strange:COLLAPSED",), "is not a metric"),
        (("mig", "--codes", "strange:Ones"), "is not a known code"),
    ],
)
def test_wrong_words(cli, own, words, message):
    code, out, err = cli("stress", *words)
    assert (code, out) == (2, "")
    assert message in err
