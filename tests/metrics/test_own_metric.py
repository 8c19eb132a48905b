"""A metric from outside the package, through every door; and what a wrong one is told."""

import json
import pickle
import re
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from sklearn.decomposition import PCA

from unweave.cli import console
from unweave.integrations.scikit_learn import disentanglement_scorer
from unweave.metrics import (
    METRICS,
    MIG,
    SAP,
    Measurement,
    Metric,
    Noise,
    Sample,
    compare,
    evaluate,
    score,
)
from unweave.metrics.catalogue import chosen, title
from unweave.studies import load_study, read_table, run_study
from unweave.studies.evaluation import Evaluation

FACTORS = np.stack(np.meshgrid(range(4), range(5), range(6), indexing="ij"), -1).reshape(-1, 3)
PERFECT = FACTORS.astype(float)
FEW = Noise(n_permutations=5, n_projections=3, n_halves=4)

MODULE = '''
from dataclasses import dataclass

import numpy as np

from unweave.datasets import ArrayDataset, Factor, ImageTable
from unweave.metrics import Measurement, Metric


@dataclass(frozen=True)
class Correlation(Metric):
    """Largest correlation of each factor with a latent, to a power."""

    names = ("best_correlation",)
    titles = ("Best correlation",)
    needs_levels = False

    power: float = 1.0

    def read(self, sample):
        n_latents = sample.codes.shape[1]
        joint = np.corrcoef(sample.codes.T, sample.factors.T)[:n_latents, n_latents:]
        matrix = np.abs(np.nan_to_num(joint)) ** self.power
        best = matrix.max(axis=0)
        return {"best_correlation": Measurement(best.mean(), best, matrix)}


class Broken(Metric):
    names = ("broken",)

    def read(self, sample):
        raise ZeroDivisionError("nothing to divide by")


def squares():
    levels = np.stack(np.meshgrid(range(4), range(4), range(8), indexing="ij"), -1).reshape(-1, 3)
    images = np.zeros((len(levels), 8, 8, 1), dtype=np.uint8)
    for image, (x, y, brightness) in zip(images, levels):
        image[2 * x : 2 * x + 2, 2 * y : 2 * y + 2] = 30 * brightness + 40
    columns = [Factor(name, range(size)) for name, size in (("x", 4), ("y", 4), ("light", 8))]
    return ImageTable(ArrayDataset(images, name="squares"), columns, levels, name="squares")
'''
STUDY = """
name = "own"
title = "A study with a metric of its own"
question = "Does it go through?"
dataset = "stranger:squares"

[network]
width = 0.125
n_latents = 3

[training]
batch_size = 8

[evaluation]
rows = 128
n_permutations = 3
n_projections = 3
n_halves = 3
metrics = [
    "mig", { name = "mig", n_bins = 40 }, "stranger:Correlation",
    { name = "stranger:Correlation", power = 2.0 }, "stranger:Broken",
]

[[cells]]
objectives = [{ name = "vae" }]
seeds = [0]
milestones = [2]
"""


@dataclass(frozen=True)
class Correlation(Metric):
    names = ("best_correlation",)
    needs_levels = False

    power: float = 1.0

    def read(self, sample):
        n_latents = sample.codes.shape[1]
        joint = np.corrcoef(sample.codes.T, sample.factors.T)[:n_latents, n_latents:]
        matrix = np.abs(joint) ** self.power
        best = matrix.max(axis=0)
        return {"best_correlation": Measurement(best.mean(), best, matrix)}


class Count(Metric):
    names: ClassVar = ("count", "half")
    bounds: ClassVar = {"count": None}
    needs_factors = False

    def read(self, sample):
        return {"count": sample.codes.shape[1], "half": 0.5}


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    (tmp_path / "stranger.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


class TestPython:
    def test_beside_ours_with_everything_that_stands_beside_a_value(self, rng):
        codes = PERFECT + 0.3 * rng.standard_normal(PERFECT.shape)
        asked = ["sap", MIG(n_bins=40), Correlation(), Count]
        scores = evaluate(codes, FACTORS, metrics=asked, factor_names=["a", "b", "c"], noise=FEW)
        assert list(scores) == ["sap", "mig", "best_correlation", "count", "half"]
        own = scores["best_correlation"]
        joint = np.corrcoef(codes.T, FACTORS.T)[:3, 3:]
        assert float(own) == pytest.approx(np.abs(joint).max(axis=0).mean())
        assert list(own.per_factor) == ["a", "b", "c"]
        assert own.settings == {"metric": "best_correlation", "power": 1.0}
        assert own.chance.n_draws == 5
        assert own.chance.mean < 0.3 < own.value
        assert own.perfect == pytest.approx(1)
        assert own.interval[0] <= own.value <= own.interval[1]
        assert scores["mig"].settings["n_bins"] == 40
        assert float(scores["mig"]) == float(METRICS["mig"](codes, FACTORS, n_bins=40, noise=None))
        assert scores["count"].adjusted is None
        assert "best_correlation" in repr(scores)
        assert [axes.get_title() for axes in scores.plot().axes][1:3] == [
            "behind mig",
            "behind sap",
        ]

    def test_a_score_alone_and_without_factors(self):
        sample = Sample.of(PERFECT, FACTORS, seed=3)
        alone = score(Correlation(power=3.0), sample, FEW)["best_correlation"]
        assert float(alone) == pytest.approx(1)
        assert alone.seed == 3
        assert list(evaluate(PERFECT, metrics=[Count()], noise=FEW)) == ["count", "half"]

    def test_representations_are_compared_by_it(self, rng):
        noise = rng.standard_normal(PERFECT.shape)
        found = compare(PERFECT, noise, FACTORS, metrics=[Correlation(), "mig"], n_halves=3)
        assert list(found) == ["best_correlation", "mig"]
        assert found["best_correlation"].difference > 0.5

    def test_a_metric_twice_is_distinguished_by_its_options(self):
        asked = ["mig", MIG(n_bins=40), {"name": "mig", "n_bins": 7}, "mig", MIG()]
        scores = evaluate(PERFECT, FACTORS, metrics=asked, noise=None)
        assert list(scores) == ["mig", "mig(n_bins=40)", "mig(n_bins=7)"]
        assert [score.settings["n_bins"] for score in scores.values()] == [20, 40, 7]
        assert title("mig(n_bins=40)") == "MIG (n_bins=40)"
        assert title("best_correlation") == "best correlation"

    def test_metrics_that_read_alike_share_one_table(self, monkeypatch):
        from unweave.metrics import information

        sizes = []

        def counted(*args):
            sizes.append(args[0].shape[1])
            return table(*args)

        table = information.binned_table
        monkeypatch.setattr(information, "binned_table", counted)
        names = ["mig", "rmig", "mig_sup", "dcimig", "jemmig", "modularity", "med_completeness"]
        evaluate(PERFECT, FACTORS, metrics=names, noise=FEW)
        # The rows, five permutations, two times three random codes, the halves, the perfect code;
        # and the exact adjustment of MIG.
        assert len(sizes) == 1 + 5 + 6 + sizes.count(60) + 1 + 1
        assert 2 <= sizes.count(60) <= 4

    def test_scores_survive_a_pickle_and_a_copy(self):
        own = evaluate(PERFECT, FACTORS, metrics=[Correlation()], noise=FEW)["best_correlation"]
        for again in (pickle.loads(pickle.dumps(own)), deepcopy(own)):
            assert float(again) == float(own)
            assert again.to_dict() == own.to_dict()


def test_through_a_study_file(stranger, cli):
    (stranger / "own.toml").write_text(STUDY)
    study = load_study(stranger / "own.toml")
    assert run_study(study, stranger / "out") == {}
    table = read_table(stranger / "out")
    keys = ["mig", "mig(n_bins=40)", "best_correlation(power=2.0)", "best_correlation"]
    assert sorted(table["metric"]) == sorted(keys)
    values = dict(zip(table["metric"], table["value"], strict=True))
    assert values["best_correlation(power=2.0)"] < values["best_correlation"]
    assert table["mixture_mean"].null_count() == table["perfect"].null_count() == 0
    (run,) = study.runs()
    result = json.loads((stranger / "out" / "runs" / run.key / "result.json").read_text())
    left_out = result["milestones"]["2"]["scores_left_out"]
    assert left_out == ["broken left out: it raised ZeroDivisionError: nothing to divide by"]
    code, _, errors = cli("study", "own.toml", "--out", "out")
    assert (code, errors) == (0, "")
    assert "MIG (n_bins=40)" in (stranger / "out" / "report.html").read_text()


def test_a_file_names_an_object_without_importing_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    assert Evaluation(metrics=("evil:Metric",)).metrics == ("evil:Metric",)


def test_keys_of_runs_with_names_alone_stay_as_they_were():
    assert Evaluation().model_dump(mode="json")["metrics"] == ["mig", "sap"]


def test_through_torchmetrics():
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchmetrics")
    from unweave.integrations.torchmetrics import DisentanglementMetric

    metric = DisentanglementMetric(Correlation(), options={"power": 2.0})
    for rows in torch.arange(120).split(50):
        metric.update(torch.from_numpy(PERFECT)[rows], torch.from_numpy(FACTORS)[rows])
    assert float(metric.clone().compute()) == pytest.approx(1)
    assert metric.higher_is_better
    metric.compute()
    assert metric.score.settings["power"] == 2
    with pytest.raises(ValueError, match="Count gives 2 scores, count, half, and one is needed"):
        DisentanglementMetric(Count())


def test_through_the_scorer_of_scikit_learn():
    scorer = disentanglement_scorer(Correlation(), power=2.0)
    codes = np.column_stack([PERFECT[:, 0], 10 * PERFECT[:, 1], 100 * PERFECT[:, 2]])
    assert scorer(PCA().fit(codes), codes, FACTORS) == pytest.approx(1)


def test_through_the_command_line(stranger, cli):
    np.savez("codes.npz", codes=PERFECT, factors=FACTORS)
    words = ("codes.npz", "--metrics", "mig", "stranger:Correlation", "stranger:Broken")
    code, out, err = cli("score", *words, "--json")
    assert (code, err) == (0, "")
    content = json.loads(out)
    assert list(content["metrics"]) == ["mig", "best_correlation"]
    assert content["metrics"]["best_correlation"]["value"] == pytest.approx(1)
    assert content["metrics"]["mig"]["mixture"]["mean"] < content["metrics"]["mig"]["perfect"]
    assert content["skipped"] == {"broken": "raised ZeroDivisionError: nothing to divide by"}
    code, out, _ = cli("metrics", "stranger:Correlation")
    assert code == 0
    assert "best_correlation: Best correlation" in out
    assert "options: power = 1.0" in out
    code, _, err = cli("score", "codes.npz", "--metrics", "stranger:Corelation")
    assert code == 2
    assert "the module stranger has no Corelation (did you mean 'Correlation'?)" in err


def test_the_list_of_metrics_has_all_of_them(cli, monkeypatch):
    code, out, _ = cli("metrics", "--json")
    listed = json.loads(out)["metrics"]
    assert code == 0
    assert list(listed) == list(METRICS)
    assert listed["mig"]["options"]["n_bins"] == 20
    assert (listed["sap"]["min_latents"], listed["latent_mi"]["min_factors"]) == (2, 0)
    monkeypatch.setattr(console.out, "width", 200)
    code, out, _ = cli("metrics")
    assert code == 0
    assert all(name in out for name in METRICS)


def metric_that_gives(value, **facts):
    return type("Wrong", (Metric,), {"names": ("wrong",), "read": lambda *_: value, **facts})()


class TestWrongMetrics:
    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ({"wrong": np.nan}, "wrong of Wrong came out as nan: a score must be finite"),
            ({"wrong": np.ones(3)}, r"came out as an array of shape \(3,\), and one number is"),
            ({"wrong": "high"}, "came out as 'high', and one number is needed"),
            ({"other": 1.0}, r"Wrong.read gave \['other'\], and a dict of its names \['wrong'\]"),
            (0.5, r"Wrong.read gave float, and a dict of its names"),
            ({"wrong": Measurement(1.0, np.ones((2, 2)))}, r"per_factor of shape \(2, 2\)"),
            (
                {"wrong": Measurement(1.0, np.array([1.0, np.nan]))},
                "has nan or infinity beside its value",
            ),
            ({"wrong": Measurement(1.0, [1.0], names=("a", "b"))}, "as long as names if there"),
            ({"wrong": Measurement(1.0, by_factor=np.ones(2))}, "a value for each of 3 factors"),
        ],
    )
    @pytest.mark.parametrize("noise", [None, FEW])
    def test_what_it_gives_is_named_and_the_others_continue(self, value, said, noise):
        wrong = metric_that_gives(value)
        scores = evaluate(PERFECT, FACTORS, metrics=["mig", wrong, SAP()], noise=noise)
        assert list(scores) == ["mig", "sap"]
        assert list(scores.skipped) == ["wrong"]
        with pytest.raises(ValueError, match=said):
            score(wrong, Sample.of(PERFECT, FACTORS), noise)
        with pytest.raises(ValueError, match=f"no metric could be computed: wrong raised .*{said}"):
            evaluate(PERFECT, FACTORS, metrics=[wrong], noise=noise)

    def test_one_that_fails_in_draws_alone_is_named_too(self):
        class Fickle(Metric):
            names = ("fickle",)

            def read(self, sample):
                return {"fickle": 1.0 if sample.origin is None else 1 / 0}

        scores = evaluate(PERFECT, FACTORS, metrics=["mig", Fickle()], noise=FEW)
        assert list(scores) == ["mig"]
        assert scores.skipped == {"fickle": "raised ZeroDivisionError: division by zero"}
        assert float(evaluate(PERFECT, FACTORS, metrics=[Fickle()], noise=None)["fickle"]) == 1

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ([{"name": "mig", "n_bin": 4}], r"mig has no option 'n_bin' \(did you mean 'n_bins'\?"),
            ([{"name": "snc", "n_bins": 4}], "snc has no option 'n_bins'; it has none"),
            ([{"name": "mig", "n_bins": "x"}], "n_bins must be a whole number of at least 2"),
            ([{"n_bins": 4}], r"names no metric: give it a name, as \{name='mig'\}"),
            (["migg"], r"unknown metric 'migg' \(did you mean 'mig'"),
            ([3], "3 is not a metric: give a name, a table"),
            (["math:pi"], "3.14.* is not a metric"),
            (["no_such_module:X"], "there is no module no_such_module"),
            ([metric_that_gives(0, names="x")], r"has names = 'x': a tuple of different"),
            ([metric_that_gives(0, names=("mig",))], "two metrics are called 'mig'.* unweave"),
            ([metric_that_gives(0), metric_that_gives(1)], "two metrics are called 'wrong'"),
            ([Metric], "Metric cannot be made without options"),
        ],
    )
    def test_what_cannot_be_asked_for_is_said(self, asked, said):
        with pytest.raises((ValueError, ImportError), match=said):
            chosen(asked)

    def test_options_are_suggested_at_every_door(self, tmp_path):
        said = r"mig has no option 'n_bin' \(did you mean 'n_bins'\?\); it has estimator, n_bins"
        with pytest.raises(ValueError, match=said):
            METRICS["mig"](PERFECT, FACTORS, n_bin=3)
        with pytest.raises(ValueError, match=said):
            disentanglement_scorer("mig", n_bin=3)
        with pytest.raises(ValueError, match=said):
            Evaluation(metrics=({"name": "mig", "n_bin": 3},))
        with pytest.raises(ValueError, match="sap takes no groups of latents: leave groups out"):
            METRICS["sap"](PERFECT, FACTORS, groups=[1, 2])


def test_the_page_says_what_works():
    page = Path(__file__).parents[2] / "docs" / "metrics" / "write_your_own.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    found = {}
    exec(code, found)
    assert list(found["scores"]) == ["mig", "best_correlation"]
    assert float(found["scores"]["best_correlation"]) == pytest.approx(1)
