"""A study of encoders from its file to its page."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from scipy import stats

from unweave.cli.study_results import study_table
from unweave.datasets import DSprites
from unweave.encoders import Card, Encoder, load_encoder
from unweave.metrics import compare, mutual_information_gap
from unweave.reports import write_report
from unweave.reports.encoder_findings import compare_pairs, kind_of_result
from unweave.reports.figures import scale_figure
from unweave.statistics.trends import rank_order
from unweave.studies import build_table, load_study, open_study, run_study
from unweave.studies.folder import StudyFolder
from unweave.studies.kinds.encoders import EncoderStudy
from unweave.studies.loading import checked_study

TEXT = """
name = "small"
title = "Small"
question = "Does it say?"
encoders = [{names}, "pixels", "pca:4"]
random_seeds = [0, 1]
protocols = ["paper", "sound"]
limits = "Three toys show nothing."

[reading]
rows = 300
readouts = ["raw", "pca:6"]
whole_metrics = ["subspace_angle"]
n_permutations = 5
n_projections = 3
n_halves = 5

[trained]
objectives = [{{ name = "beta_vae", beta = 4 }}]
seeds = [0]
steps = 5
network = {{ name = "burgess", width = 0.125, n_latents = 4 }}
"""


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """The study's file: three sizes of a network in the folders that transformers writes."""
    transformers = pytest.importorskip("transformers")

    folder = tmp_path_factory.mktemp("networks")
    names = []
    for width in (8, 16, 32):
        torch.manual_seed(width)
        config = transformers.Dinov2Config(
            hidden_size=width, num_hidden_layers=1, num_attention_heads=2, image_size=28,
            patch_size=7,
        )  # fmt: skip
        transformers.Dinov2Model(config).save_pretrained(folder / f"width-{width}")
        names.append(f"hf:{folder / f'width-{width}'}")
    return TEXT.format(names=", ".join(f'"{name}"' for name in names))


@pytest.fixture(scope="module")
def finished(text, tmp_path_factory, _session_cache):
    folder = tmp_path_factory.mktemp("encoders")
    (folder / "small.toml").write_text(text)
    study = load_study(folder / "small.toml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNWEAVE_CACHE", str(_session_cache))
        out = folder / "out"
        assert run_study(study, out, workers=2) == {}
    return study, out


def test_a_file_that_names_encoders_is_a_study_of_them(text, tmp_path):
    (tmp_path / "small.toml").write_text(text)
    study = load_study(tmp_path / "small.toml")
    assert isinstance(study, EncoderStudy)
    labels = [run.label.rpartition("/")[2] for run in study.runs()]
    widths = ["width-8", "width-16", "width-32"]
    assert labels == [*widths, "pixels", "pca:4", *widths, *widths, "trained:beta_vae(4)"]
    assert study.size == "12 encoders, 15,600 images, 5 training steps"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"pca:6"', '"pcs:6"', "'readouts' in reading: .*unknown readout 'pcs'.*did you mean"),
        ('"sound"', '"loud"', "'paper'"),
        ("random_seeds", "random_seed", "unknown key 'random_seed' .*did you mean 'random_seeds'"),
        ("whole_metrics = [", 'whole_metrics = ["mog", ', "unknown metric 'mog'"),
        ('"pixels"', '{ name = "pixels", wait = 1 }', "unknown key 'wait'"),
    ],
)
def test_a_wrong_file_is_refused_by_name(text, tmp_path, old, new, message):
    (tmp_path / "small.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        load_study(tmp_path / "small.toml")


def test_its_scores_are_those_of_the_codes(finished):
    study, folder = finished
    assert open_study(folder) == study
    table = build_table(study, folder)
    dataset = DSprites()
    rows = np.arange(1000)
    for name in (study.encoders[0].name, "pixels"):
        codes = load_encoder(name).encode(dataset.images(rows) // 255, unscaled=True)
        varying = mutual_information_gap(codes, dataset.factors(rows)[:, 3:], noise=None)
        row = table.filter(
            (pl.col("encoder") == name)
            & (pl.col("protocol") == "paper")
            & (pl.col("readout") == "raw")
            & (pl.col("metric") == "mig")
        )
        assert row["value"].to_list() == [pytest.approx(float(varying), rel=1e-4)]
    assert set(table["n"].unique()) == {300, 1000}
    subspaces = table.filter(pl.col("metric") == "subspace_angle")
    assert set(subspaces["protocol"].unique()) == {"sound"}
    assert set(subspaces["readout"].unique()) == {"raw"}
    # pca:4 has four latents, of which no six components can be made.
    assert table.filter((pl.col("encoder") == "pca:4") & (pl.col("readout") == "pca:6")).height == 0


def test_pairs_are_compared_as_compare_does(finished):
    study, folder = finished
    results = [run.result() for run in StudyFolder(study, folder).runs]
    pairs = compare_pairs(results)
    of_one = [p for p in pairs if (p.protocol, p.metric) == ("sound", "mig")]
    # Three encoders with two random controls each, and two steps in size.
    assert len(of_one) == 8
    dataset = DSprites()
    rows = dataset.sample_indices(300, seed=0)
    names = [results[1]["label"], results[0]["label"]]
    codes = [load_encoder(name).encode(dataset.images(rows)) for name in names]
    expected = compare(
        *codes, dataset.factors(rows), metrics=["mig"], n_halves=5,
        factor_kinds=dataset.space.kinds,
    )["mig"]  # fmt: skip
    (found,) = [p.found for p in of_one if [p.first, p.second] == names]
    assert found.difference == pytest.approx(expected.difference, abs=1e-4)
    assert found.interval == pytest.approx(expected.interval, abs=1e-3)


def test_codes_are_not_made_again(finished, shared_cache, tmp_path):
    study, folder = finished
    codes = list((shared_cache / "encodings").rglob("codes.npy"))
    before = {f: f.stat().st_mtime_ns for f in codes}
    (first, *_), (again, *_) = StudyFolder(study, folder).runs, StudyFolder(study, tmp_path).runs
    again.execute()
    assert again.result()["protocols"] == first.result()["protocols"]
    assert {f: f.stat().st_mtime_ns for f in codes} == before
    assert not list((shared_cache / "encodings").rglob("codes.part.npy"))


def test_the_page_says_what_the_table_says(finished, browser):
    study, folder = finished
    path = write_report(study, folder)
    text = path.read_text()
    assert "Three toys show nothing." in text
    assert "with 3 models no order at all has a p-value below 0.33" in text
    assert "the 3 pretrained encoders score" in text
    page = browser.new_page(viewport={"width": 390, "height": 800})
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(Path(path).as_uri())
    assert problems == []
    assert page.locator("svg.figure").count() == 4
    for label in ("pixels", "pca:4"):
        assert page.locator(f"svg.figure >> text={label}").count() == 4
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    table = build_table(study, folder)
    pixels = table.filter(
        (pl.col("encoder") == "pixels") & (pl.col("protocol") == "sound")
        & (pl.col("metric") == "sap") & (pl.col("readout") == "raw")
    )  # fmt: skip
    shown = page.locator("h2:has-text('SAP in the sound protocol') ~ .scroll").first.inner_text()
    assert re.search(rf"pixels.*\s{pixels['value'][0]:.4f}\s", shown)


def test_its_table_is_printed(finished, capsys):
    study_table(finished[1], json=True)
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["readout"] for row in rows} == {"raw", "pca:6"}
    study_table(finished[1])
    assert "pixels" in capsys.readouterr().out


@pytest.mark.usefixtures("shared_cache")
class Blind(Encoder):
    """Sees nothing in images that are almost black."""

    card = Card("blind", "", "", "", "", 1)

    def encode(self, images, *, unscaled=False):
        bright = images[:, ::8, ::8, 0].reshape(len(images), -1) > 1
        return bright.astype(np.float32)


@pytest.mark.parametrize("protocols", [["paper"], ["paper", "sound"]])
def test_an_encoder_that_sees_nothing_in_one_protocol_is_scored_in_the_other(
    protocols, tmp_path, monkeypatch
):
    monkeypatch.setattr("unweave.studies.encoded_run.load_encoder", lambda *_, **__: Blind())
    content = {"name": "b", "title": "t", "question": "q", "encoders": ["pixels"]}
    reading = {"rows": 200, "metrics": ["mig"], "n_permutations": 2, "n_projections": 2}
    study = checked_study(
        content | {"protocols": protocols, "reading": reading | {"n_halves": 3}}, "here"
    )
    (run,) = StudyFolder(study, tmp_path).runs
    if protocols == ["paper"]:
        with pytest.raises(ValueError, match="paper protocol: blind gives the same code for all"):
            run.execute()
        assert not run.is_finished
        return
    run.execute()
    assert build_table(study, tmp_path)["protocol"].to_list() == ["sound"]
    assert "paper protocol: blind gives the same code" in write_report(study, tmp_path).read_text()


def test_an_encoder_that_cannot_be_loaded_fails_alone(tmp_path):
    (tmp_path / "one.toml").write_text(
        'name = "one"\ntitle = "t"\nquestion = "q"\nencoders = ["hf:nobody/nothing", "pca:2"]\n'
        "[reading]\nrows = 100\nn_permutations = 2\nn_projections = 2\nn_halves = 3\n"
    )
    study = load_study(tmp_path / "one.toml")
    (reason,) = run_study(study, tmp_path / "out").values()
    assert "hf:nobody/nothing cannot be loaded" in reason
    assert build_table(study, tmp_path / "out")["encoder"].unique().to_list() == ["pca:2"]


@pytest.mark.parametrize("n", [3, 5, 8])
def test_rank_orders_are_counted(n, rng):
    sizes, scores = np.arange(n) + 1.0, rng.standard_normal(n)
    found = rank_order(sizes, scores)
    expected = stats.spearmanr(sizes, scores).statistic
    assert found.correlation == pytest.approx(expected)
    if n < 8:
        null = [
            abs(stats.spearmanr(sizes, order).statistic) for order in itertools.permutations(sizes)
        ]
        assert found.p_value == pytest.approx(np.mean(np.array(null) >= abs(expected) - 1e-9))
    perfect = rank_order(sizes, sizes**2)
    assert perfect.p_value == perfect.least_p == pytest.approx(2 / {3: 6, 5: 120, 8: 40320}[n])
    assert perfect.is_significant == (n > 3)


def test_the_papers_five_numbers_show_no_order_by_size():
    """Its Table 1 by parameters of the image towers: rank correlation 0.8, p = 0.13."""
    sizes = np.array([38.3, 87.1, 167.3, 86.2, 304.0])
    scores = np.array([0.00441, 0.01763, 0.02616, 0.02350, 0.02550])
    found = rank_order(sizes, scores)
    assert found.correlation == pytest.approx(0.8)
    assert found.p_value == pytest.approx(16 / 120)
    assert not found.is_significant
    assert rank_order(sizes[:2], scores[:2]) is None


@pytest.mark.parametrize(
    ("label", "card", "kind"),
    [
        ("ica:3", {}, "plain"),
        ("random:lite:0", {"kind": "pretrained"}, "random"),
        ("mine:mean", {"kind": "plain"}, "plain"),
        ("mine:network", {"kind": "pretrained"}, "pretrained"),
        ("mine:network", {}, "pretrained"),  # a result of an earlier version
    ],
)
def test_the_card_says_what_an_encoder_from_outside_is(label, card, kind):
    assert kind_of_result({"label": label, "card": card}) == kind


@pytest.mark.filterwarnings("error")
def test_encoders_without_parameters_are_lines(monkeypatch):
    rows = pl.DataFrame(
        {"encoder": ["mine:mean", "mine:network"], "parameters": [0, None], "value": [0.25, 0.5],
         "low": [0.2, 0.4], "high": [0.3, 0.6], "chance_mean": 0.0, "smooth_mean": 0.1,
         "smooth_sd": 0.01},
        schema_overrides={"parameters": pl.Int64},
    )  # fmt: skip
    kinds = dict.fromkeys(rows["encoder"], "pretrained")
    seen = []
    monkeypatch.setattr("unweave.reports.figures.svg", lambda figure, tag: seen.append(figure))
    scale_figure(rows, kinds, {}, "MIG", "mig")
    heights = {line.get_label(): line.get_ydata()[0] for line in seen[0].axes[0].lines}
    assert heights["mine:mean"] == 0.25
    assert heights["mine:network"] == 0.5
