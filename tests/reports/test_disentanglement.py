"""The page about what is separated: its sentences, of known results, and in a browser."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from unweave.reports import write_report
from unweave.reports.disentanglement_findings import Choice, results_by_dataset
from unweave.reports.model import labelled_traversals
from unweave.studies import run_study
from unweave.studies.loading import checked_study
from unweave.studies.ranking import keep_ranking

STUDY = {
    "name": "apart",
    "title": "Apart",
    "question": "What is separated?",
    "report": "disentanglement",
    "network": {"n_latents": 4, "width": 0.125},
    "training": {"cpu_minutes": 0.01, "accelerator": "cpu", "precision": "32-true"},
    "evaluation": {
        "rows": 200, "n_permutations": 3, "n_projections": 20, "n_halves": 3,
        "metrics": ["dci_disentanglement", "dci_informativeness", "infom", "mig"],
    },
    "cells": [
        {
            "objectives": [{"name": "vae"}, {"name": "qlae"}, {"name": "ada_gvae"}],
            "seeds": [0, 1, 2],
            "axes": {"dataset": ["torus", "xysinglesquare"]},
        }
    ],
}  # fmt: skip
FACTORS = ("direction", "x", "y")


def chance(by_factor, upper):
    each = {name: {"mean": 0.1, "sd": 0.01, "n_draws": 10, "upper": value}
            for name, value in by_factor.items()}  # fmt: skip
    return {"mean": 0.1, "sd": 0.01, "n_draws": 10, "upper": upper, "by_factor": each}


def score(value, by_factor, matrix):
    same = dict.fromkeys(by_factor, 0.3)
    return {
        "value": value, "by_factor": by_factor, "matrix": matrix, "perfect": 1.0,
        "adjusted": value, "interval": [value, value], "p_value": 0.01, "n": 100,
        "chance": chance(same, 0.2), "mixture": chance(same, 0.4), "smooth": chance(same, 0.5),
    }  # fmt: skip


def result(separated, dci, infom):
    """Of a model that separates the first factors, as many as said, and knows all."""
    apart = {name: 0.9 if k < separated else 0.1 for k, name in enumerate(FACTORS)}
    importance = np.eye(3) if separated else np.ones((3, 3)) / 3
    metrics = {
        "dci_disentanglement": score(dci, apart, importance.tolist()),
        "dci_informativeness": score(0.9, dict.fromkeys(FACTORS, 0.9), importance.tolist()),
        "infom": score(infom, {}, importance.tolist()),
    }
    last = {"metrics": metrics, "kl_per_latent": [1.0] * 4}
    return {"parameters": 10, "flops_per_step": 10, "milestones": {"7": last}}


@pytest.fixture
def finish(tmp_path):
    """Write results of known content; then what they say, by dataset."""

    def write(outcomes, **rankings):
        study = checked_study(STUDY, "here")
        runs = []
        for description in study.runs():
            key = (description.objective.name, description.training.seed)
            if description.dataset == "torus" and key in outcomes:
                run = description.run(tmp_path / description.key)
                run.folder.mkdir(exist_ok=True)
                described = {"description": description.model_dump(mode="json")}
                run.write_result({**described, **result(*outcomes[key])})
                runs.append(run)
        (found,) = results_by_dataset(study, runs, **rankings)
        return found

    return write


def test_the_best_method_is_named_first_with_its_seeds(finish):
    found = finish(
        {("qlae", s): (2, 0.7, 0.6) for s in range(3)}
        | {("vae", 0): (0, 0.2, 0.6), ("vae", 1): (1, 0.6, 0.3), ("ada_gvae", 0): (3, 0.9, 0.9)}
    )
    assert found.answer == (
        "QLAE separates 2 of 3 factors of torus in 3 of 3 seeds: direction and x. Its DCI "
        "disentanglement is above random mixtures and random smooth features in 3 of 3 seeds, its "
        "InfoM in 3 of 3 seeds."
    )
    assert found.sentences == [
        "VAE separates a factor in some seeds.",
        "With weak supervision, Ada-GVAE (β = 1) separates 3 of 3 factors of torus in 1 of 1 seed: "
        "direction, x and y.",
    ]
    assert [method.label for method in found.methods] == ["QLAE", "VAE", "Ada-GVAE (β = 1)"]
    assert found.methods[1].n_above("infom") == 1
    assert found.unfinished == ()


def test_seeds_that_differ_are_counted(finish):
    found = finish({("qlae", 0): (1, 0.6, 0.4), ("qlae", 1): (3, 0.9, 0.6)})
    assert found.answer.startswith(
        "QLAE separates at least 1 of 3 factors of torus in 2 of 2 seeds, direction in each. Its"
    )
    assert found.answer.endswith("in 2 of 2 seeds, its InfoM in 1 of 2 seeds.")
    assert found.sentences == ["No run is finished of VAE and Ada-GVAE (β = 1)."]
    found = finish({("qlae", 0): (0, 0.2, 0.4), ("qlae", 1): (3, 0.9, 0.6)})
    assert found.answer.startswith("QLAE separates a factor of torus in 1 of 2 seeds. Its")


def test_no_success_is_said_with_numbers(finish):
    found = finish({("qlae", 0): (0, 0.2, 0.4), ("vae", 0): (0, 0.3, 0.4)})
    assert found.answer == (
        "No method separates a factor of torus. The best is VAE, with a median DCI disentanglement "
        "of 0.30; random mixtures have 0.10."
    )
    found = finish({("ada_gvae", 0): (3, 0.9, 0.9)})
    assert found.answer == "No run is finished of a method that sees images of torus alone."


def test_the_model_of_the_median_is_shown(finish):
    outcomes = {("qlae", s): (2, dci, 0.6) for s, dci in enumerate([0.9, 0.7, 0.8])}
    assert finish(outcomes).methods[0].median_model.seed == 2


def test_a_seed_is_chosen_by_what_takes_no_labels(finish):
    outcomes = {("qlae", s): (2, dci, 0.6) for s, dci in enumerate([0.9, 0.4, 0.5])}
    found = finish(outcomes)
    assert found.methods[0].choices == ()  # they have no curves
    for model, end in zip(found.methods[0].models, [3.0, 2.0, 1.0], strict=True):
        rows = [f"{step},{9.0 if step < 18 else end}" for step in range(20)]
        curve = "\n".join(["step,reconstruction", *rows]) + "\n"
        (model.run.folder / "curves.csv").write_text(curve)
    mean = pytest.approx(0.6)
    loss = Choice("least reconstruction loss", 2, 1.0, score=0.5, mean=mean, best=0.9)
    assert finish(outcomes).methods[0].choices == (loss,)
    keys = [model.run.description.key for model in found.methods[0].models]
    of_two = dict(zip(keys, [0.2, 0.3], strict=False))
    ranked = finish(
        outcomes, udr=dict(zip(keys, [0.8, 0.1, 0.2], strict=True)), pipe=of_two
    ).methods[0]
    assert ranked.choices == (
        loss,
        Choice("highest UDR", 0, 0.8, score=0.9, mean=mean, best=0.9),
        Choice("highest PIPE", 1, 0.3, score=0.4, mean=pytest.approx(0.65), best=0.9),
    )
    assert [choice.loss for choice in ranked.choices] == pytest.approx([0.4, 0, 0.5])
    same = finish(outcomes, udr=dict.fromkeys(keys, 0.5)).methods[0]
    assert same.choices == (loss,)  # UDR does not tell them apart
    assert finish({("qlae", 0): (2, 0.9, 0.6)}).methods[0].choices == ()


def test_traversals_are_in_the_order_of_the_factors_that_latents_code():
    n_latents = 4
    images = np.arange(n_latents)[:, None, None, None, None] * np.ones((1, 5, 8, 8, 1))
    found = {
        "images": np.zeros((2, 8, 8, 1), np.uint8),
        "reconstructions": np.zeros((2, 8, 8, 1), np.uint8),
        "samples": np.zeros((2, 8, 8, 1), np.uint8),
        "traversals": images.astype(np.uint8),
        "order": np.array([3, 1, 0, 2]),
    }
    importance = np.array([[0.1, 0.8], [0.75, 0.0], [0.0, 0.01], [0.15, 0.05]])
    rows, n_idle = labelled_traversals(found, importance, ["hue", "size"])
    assert [(row["latent"], row["factor"]) for row in rows] == [(1, "hue"), (3, "hue"), (0, "size")]
    assert [row["share"] for row in rows] == pytest.approx([1, 0.75, 8 / 9])
    assert n_idle == 1
    assert len({row["strip"] for row in rows}) == 3


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("apart")
    study = checked_study(STUDY, "here")
    assert run_study(study, folder, workers=1, shard=(0, 4)) == {}
    keys = [run.key for run in study.runs()]
    scores = {"run": keys, "pipe": [0.01 * i for i in range(len(keys))]}
    keep_ranking(folder, "pipe", pl.DataFrame(scores))
    return write_report(study, folder)


def test_missing_runs_are_said_and_all_runs_are_listed(page):
    text = page.read_text(encoding="utf-8")
    assert "5 of 18 runs are finished" in text
    results = list((page.parent / "runs").glob("*/result.json"))
    assert len(results) == 5
    assert "No run is finished of QLAE" in text
    steps = [json.loads(file.read_text())["steps"] for file in results]
    assert f"{max(steps):,}" in text
    assert "random mixtures" in text
    assert "weakly supervised" in text
    assert "A seed chosen without labels" in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_opens_in_a_browser(page, browser, width, scheme):
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
    )
    shown = context.new_page()
    problems = []
    shown.on("pageerror", lambda error: problems.append(str(error)))
    shown.on("console", lambda message: problems.append(message.text))
    shown.goto(Path(page).as_uri())
    shown.eval_on_selector_all("details", "all => all.forEach(d => d.open = true)")
    assert problems == []
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    figures = shown.eval_on_selector_all(
        "svg.figure", "all => all.map(s => s.getBoundingClientRect().width)"
    )
    assert len(figures) == 2 * 4
    assert min(figures) > 150
    loaded = shown.eval_on_selector_all("img", "all => all.map(i => i.naturalWidth > 0)")
    assert loaded
    assert all(loaded)
