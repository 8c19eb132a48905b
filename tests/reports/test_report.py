import re
from pathlib import Path

import polars as pl
import pytest

from unweave.reports import write_report
from unweave.reports.analysis import seed_sentence
from unweave.reports.findings import find, label_objectives, scaled_cells
from unweave.statistics.variance import Share
from unweave.studies import load_study, run_study


@pytest.fixture(scope="module")
def report(tiny):
    study, folder = tiny
    return write_report(study, folder)


@pytest.mark.parametrize(
    ("width", "scheme"), [(1200, "light"), (1200, "dark"), (390, "light"), (390, "dark")]
)
def test_the_page_opens_in_a_browser(report, browser, width, scheme):
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    problems, requests = [], []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(Path(report).as_uri())
    assert problems == []
    assert [r for r in requests if not r.startswith(("file:", "data:"))] == []
    page.eval_on_selector_all("details", "all => all.forEach(d => d.open = true)")
    # Four panels of compute, shares of the variance, the relation of the metrics, two curves; and
    # for each of two models its matrix, its KL, and its latents against factors.
    boxes = page.eval_on_selector_all(
        "svg.figure",
        "all => all.map(s => [s.getBoundingClientRect().width, s.querySelectorAll('path').length])",
    )
    assert len(boxes) == 8 + 2 * 3
    assert all(drawn_width > 150 and paths > 5 for drawn_width, paths in boxes)
    loaded = page.eval_on_selector_all(
        "img", "all => all.map(i => i.complete && i.naturalWidth > 0)"
    )
    assert len(loaded) == 2 * (1 + 3 + 3)  # samples, animation and map too
    assert all(loaded)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ink = page.evaluate("getComputedStyle(document.querySelector('svg.figure text')).fill")
    levels = [int(v) for v in re.findall(r"\d+", ink)[:3]]
    assert (min(levels) > 180) if scheme == "dark" else (max(levels) < 80)


def test_the_page_needs_nothing_from_outside(report):
    text = report.read_text(encoding="utf-8")
    assert "<script" not in text
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text) == []


def test_every_number_stands_with_its_chance_level(report):
    text = report.read_text(encoding="utf-8")
    for word in (
        "chance",
        "95 % interval",
        "random mixture",
        "permuted",
        "n = 400",
        "one seed each",
    ):
        assert word in text


def test_ids_of_the_figures_do_not_collide(report):
    ids = re.findall(r'\bid="([^"]+)"', report.read_text(encoding="utf-8"))
    assert len(ids) == len(set(ids))


def test_without_a_finished_run_there_is_no_report(tiny_file, tmp_path):
    with pytest.raises(ValueError, match="no run in .* is finished"):
        write_report(load_study(tiny_file), tmp_path)


def scores(value_of):
    """A table with the given value for each objective, metric, seed and step."""
    rows = [
        {
            "run": f"{objective}-{seed}", "dataset": "dsprites", "objective": objective,
            "strength": strength, "seed": seed, "step": step, "metric": metric, "flops": 1.0 * step,
            "value": (v := value_of(objective, metric, seed, step)), "low": v - 0.001,
            "high": v + 0.001, "chance_mean": 0.0, "mixture_mean": 0.1, "mixture_sd": 0.02,
        }
        for objective, strength in (("vae", None), ("beta_vae", 4.0))
        for metric in ("mig", "sap")
        for seed in range(4)
        for step in (100, 1000, 5000, 20000)
    ]  # fmt: skip
    return label_objectives(pl.DataFrame(rows, schema_overrides={"strength": pl.Float64}))


class TestFindings:
    def test_a_rise_is_said(self):
        found = find(scores(lambda o, m, seed, step: 0.2 + step / 40000 + seed / 1000))
        assert "MIG of VAE" in found.headline
        assert "rise with training compute" in found.headline
        assert "all are clearly above" in found.headline
        assert "no trend" not in found.headline

    def test_noise_is_said(self):
        # Up in half of the seeds, down in the other half.
        found = find(scores(lambda o, m, seed, step: 0.05 + (-1) ** seed * step / 1e6))
        assert "no trend is significant" in found.headline
        assert "rise" not in found.headline
        assert "no model is shown to disentangle" in found.headline

    def test_a_better_objective_is_said(self):
        found = find(scores(lambda o, m, seed, step: 0.1 * (o == "beta_vae") + 0.05 + seed / 1000))
        assert any("β-VAE (β = 4) scores higher in MIG" in s for s in found.sentences)

    def test_agreement_of_the_metrics_is_said(self):
        found = find(scores(lambda o, m, seed, step: 0.05 + step / 1e6 + seed / 1e3))
        assert "are positively related (rank correlation +1.00" in found.metrics_agree


OBJECTIVES = """
name = "objectives"
title = "Several objectives"
question = "Which scores highest?"

[network]
width = 0.125
n_latents = 5

[training]
batch_size = 8

[evaluation]
rows = 400
metrics = ["factor_vae"]
n_permutations = 5
n_projections = 3
n_halves = 5

[[cells]]
objectives = [
    { name = "vae" }, { name = "beta_tc_vae", beta = 4 }, { name = "dc_ign" },
    { name = "info_gan" },
]
seeds = [0, 1]
milestones = [5]
"""


@pytest.mark.usefixtures("shared_cache")
@pytest.mark.slow
def test_objectives_at_one_milestone_are_set_beside_each_other(tmp_path):
    (tmp_path / "study.toml").write_text(OBJECTIVES)
    study = load_study(tmp_path / "study.toml")
    assert run_study(study, tmp_path / "out") == {}
    text = write_report(study, tmp_path / "out").read_text(encoding="utf-8")
    assert "Scores of the objectives" in text
    assert re.search(r"FactorVAE score is highest for \S+", text)
    assert "β-TCVAE (β = 4)" in text
    assert "against training compute" not in text
    assert "Do MIG and SAP agree?" not in text
    # Scores, shares of the variance, two curves; of each model its KL, its latents against factors.
    assert text.count('<svg class="figure"') == 2 + 2 + 4 * 2


def scored(scores):
    """A labelled table of three metrics that all have the scores (objectives, seeds)."""
    rows = [
        {
            "run": f"{objective}{seed}", "dataset": "dsprites", "objective": objective,
            "strength": None, "seed": seed, "step": 9, "metric": metric, "value": value,
            "low": value, "high": value,
            "mixture_mean": 1.0, "mixture_sd": 0.1,
        }
        for metric in ("mig", "downstream_accuracy", "modularity")
        for objective, values in scores.items()
        for seed, value in enumerate(values)
    ]  # fmt: skip
    return label_objectives(pl.DataFrame(rows, schema_overrides={"strength": pl.Float64}))


def test_of_many_metrics_the_headline_counts_and_the_list_names():
    apart = find(scored({"vae": [0.1, 0.11, 0.12], "factor_vae": [0.5, 0.51, 0.52]}))
    assert "significantly better than the runner-up in 3 of 3 metrics." in apart.headline
    highest = "downstream accuracy is highest for FactorVAE"
    assert any(s.startswith(highest) for s in apart.sentences)
    alike = find(scored({"vae": [0.1, 0.2, 0.3], "factor_vae": [0.15, 0.2, 0.25]}))
    assert "significantly better than the runner-up in none of 3 metrics." in alike.headline


def test_the_seed_is_set_against_all_that_was_chosen():
    def share(source, adjusted):
        return Share(source, adjusted, adjusted, 0.0, 1.0, 1)

    shares = {
        "mig": [share("objective", 0.2), share("hyper-parameters", -0.1), share("seed", 0.9)],
        "sap": [share("objective", 0.3), share("hyper-parameters", 0.3), share("seed", 0.4)],
        "dci_disentanglement": [share("objective", -0.1), share("seed", 1.1)],
    }
    sentence = seed_sentence(shares)
    assert "in 2 of 3 metrics (MIG 90 % against 10 %; SAP 40 % against 60 %; DCI" in sentence
    assert "disentanglement 100 % against 0 %)" in sentence


def test_of_very_many_objectives_the_middle_strength_of_each_kind_is_shown():
    rows = [
        {
            "run": f"{name}{s}{seed}",
            "step": 9,
            "objective": name,
            "strength": s,
            "seed": seed,
            "metric": "mig",
        }
        for name in ("beta_vae", "factor_vae", "dip_vae_i")
        for s in (1.0, 2.0, 4.0, 6.0, 8.0, 16.0)
        for seed in (0, 1)
    ]
    cells = scaled_cells(label_objectives(pl.DataFrame(rows)))
    assert set(cells["key"]) == {"beta_vae(4)", "factor_vae(4)", "dip_vae_i(4)"}
    assert cells.height == 6
