"""Axes of studies: the points that are visited, and what a study with axes trains."""

import re

import numpy as np
import pytest

from unweave.cli.study import print_plan
from unweave.datasets import Torus
from unweave.datasets.selection import subset
from unweave.models import build_vae, count_parameters
from unweave.reports import write_report
from unweave.studies import build_table, run_study
from unweave.studies.axes import Range, Sample, changed, n_points, points
from unweave.studies.loading import checked_study
from unweave.studies.plan import plan
from unweave.training.compute import step_flops

STUDY = {
    "name": "axes",
    "title": "Axes",
    "question": "Do they vary?",
    "dataset": "torus",
    "network": {"width": 0.125, "n_latents": 3},
    "training": {"batch_size": 8, "log_every": 5},
    "evaluation": {
        "rows": 200, "n_permutations": 3, "n_projections": 3, "n_halves": 3,
        "metrics": ["mig", "sap", "modularity"],
    },
    "cells": [
        {
            "objectives": [{"name": "vae"}],
            "seeds": [0, 1],
            "milestones": [2, 4, 6],
            "axes": {"network.width": [0.1, 0.2, 0.3], "training.n_images": [50, 500]},
        }
    ],
}  # fmt: skip


FIRST_QUICK = {
    "name": "quick", "title": "Compute", "question": "Does it grow?", "dataset": "dsprites",
    "network": {"name": "burgess", "width": 0.5, "n_latents": 10},
    "training": {
        "batch_size": 64, "learning_rate": 1e-3, "precision": "32-true", "checkpoint_every": 500,
    },
    "evaluation": {"rows": 10_000},
    "cells": [
        {
            "objectives": [{"name": "vae"}, {"name": "beta_vae", "beta": 4}],
            "seeds": [0, 1, 2],
            "milestones": [125, 250, 500, 1000, 1500],
        }
    ],
}  # fmt: skip
"""The study quick of the versions that had no parts."""


def test_grids_lists_and_draws_visit_what_they_say():
    axes = {"a.x": (1, 2, 3), "a.y": ("p", "q", "r")}
    grid = list(points(axes, Sample()))
    assert len(grid) == n_points(axes, Sample()) == 9
    assert {tuple(p.values()) for p in grid} == {(x, y) for x in (1, 2, 3) for y in "pqr"}
    listed = Sample(method="list")
    assert [tuple(p.values()) for p in points(axes, listed)] == [(1, "p"), (2, "q"), (3, "r")]
    assert n_points(axes, listed) == 3
    assert list(points({}, Sample())) == [{}]
    assert n_points({}, Sample()) == 1
    for method in ("random", "sobol"):
        drawn = Sample(method=method, n=300, seed=1)
        found = list(points(axes, drawn))
        assert len(found) == n_points(axes, drawn) == 300
        counts = [sum(p["a.x"] == x for p in found) for x in (1, 2, 3)]
        assert min(counts) > 70
        assert found == list(points(axes, drawn))
        assert found != list(points(axes, Sample(method=method, n=300, seed=2)))


def test_ranges_are_even_in_their_scale_and_whole_numbers_equally_likely():
    axes = {
        "o.beta": Range(low=1, high=100, scale="log"),
        "n.latents": Range(low=4, high=7, whole=True),
        "n.powers": Range(low=1, high=64, scale="log", whole=True),
    }
    found = list(points(axes, Sample(method="sobol", n=512)))
    beta = np.array([p["o.beta"] for p in found])
    assert 1 <= beta.min() < 1.05
    assert 95 < beta.max() <= 100
    assert np.mean(beta < 10) == pytest.approx(0.5, abs=0.01)
    latents = [p["n.latents"] for p in found]
    for value in (4, 5, 6, 7):
        assert isinstance(latents[0], int)
        assert latents.count(value) / 512 == pytest.approx(0.25, abs=0.01)
    powers = [p["n.powers"] for p in found]
    assert (min(powers), max(powers)) == (1, 64)


def test_sobol_points_are_more_even_than_random_ones():
    axes = {"a.x": Range(low=0, high=1), "a.y": Range(low=0, high=1)}

    def worst_gap(method):
        found = [tuple(p.values()) for p in points(axes, Sample(method=method, n=64))]
        counts = np.histogram2d(*np.array(found).T, bins=4, range=[[0, 1], [0, 1]])[0]
        return np.abs(counts - 4).max()

    assert worst_gap("sobol") == 0 < worst_gap("random")


def test_values_go_to_their_places_and_the_rest_stays():
    content = {"network": {"width": 1.0, "name": "burgess"}, "dataset": "dsprites"}
    new = changed(content, {"network.width": 0.5, "dataset": "torus"})
    assert new == {"network": {"width": 0.5, "name": "burgess"}, "dataset": "torus"}
    assert content["network"]["width"] == 1.0


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ({"axes": {"netwrk.width": [1]}}, "no axis 'netwrk.width'"),
        ({"axes": {"network": [1]}}, "no axis 'network'"),
        ({"axes": {"network.widht": [1]}}, r"unknown key 'widht' in network"),
        ({"axes": {"dataset": ["dsprite"]}}, "did you mean 'dsprites'"),
        ({"axes": {"network.width": {"low": 1, "high": 2}}}, "is a range: draw from it"),
        ({"axes": {"network.width": {"low": 2, "high": 1}}}, "from low to high"),
        ({"axes": {"network.width": {"low": 0, "high": 1, "scale": "log"}},
          "sample": {"method": "sobol", "n": 2}}, "a logarithmic range is above 0, and low is 0"),
        ({"axes": {"network.width": {"low": 1}}}, "the key 'high' in .*range is missing$"),
        ({"axes": {"network.width": []}}, "at least one value is needed"),
        ({"sample": {"method": "sobol"}}, "needs n"),
        ({"sample": {"method": "grid", "n": 3}}, "takes no n"),
        (
            {
                "axes": {"network.width": [1, 2], "network.depth": [1]},
                "sample": {"method": "list"},
            },
            "axes of one length",
        ),
    ],
)  # fmt: skip
def test_axes_that_make_no_sense_are_refused(cells, sentence):
    own = {"objectives": [{"name": "vae"}], "seeds": [0], "milestones": [1], **cells}
    with pytest.raises(ValueError, match=sentence):
        checked_study({**STUDY, "cells": [own]}, "here")


def test_a_million_runs_are_counted_and_not_written_out():
    many = {"network.width": [0.1 + 1e-4 * i for i in range(1000)]}
    many |= {"training.n_images": list(range(1, 1001))}
    cells = {"objectives": [{"name": "vae"}], "seeds": [0], "milestones": [1], "axes": many}
    with pytest.raises(ValueError, match="has 1,000,000 runs.* --yes"):
        checked_study({**STUDY, "cells": [cells]}, "here", most_runs=10_000)


def test_a_smaller_subset_is_part_of_a_larger_one():
    data = Torus()
    small, large = subset(data, 30, seed=3), subset(data, 300, seed=3)
    assert len(set(large.rows)) == 300
    assert set(small.rows) < set(large.rows)
    assert set(small.rows) != set(subset(data, 30, seed=4).rows)
    np.testing.assert_array_equal(small.images([2, 0]), data.images(small.rows[[2, 0]]))
    np.testing.assert_array_equal(small.stored([5]), data.stored(small.rows[[5]]))
    with pytest.raises(ValueError, match="n_images=100,000,000 is more than torus has"):
        subset(data, 100_000_000)
    with pytest.raises(IndexError, match="must lie in"):
        small.images([30])


def test_a_study_with_axes_trains_each_point_and_explains_its_scores(tmp_path):
    study = checked_study(STUDY, "here")
    assert study.size == "12 runs, 72 training steps"
    assert run_study(study, tmp_path, workers=1) == {}
    table = build_table(study, tmp_path)
    assert table.height == 12 * 3 * 3
    assert sorted(table["width"].unique()) == [0.1, 0.2, 0.3]
    assert sorted(table["n_images"].unique()) == [50, 500]
    assert table["parameters"].n_unique() == 3
    assert set(table["dataset"]) == {"torus"}
    page = write_report(study, tmp_path).read_text()
    assert "score-versus-scale curves show a significant trend" in page
    assert "What explains the scores" in page
    assert "Which metrics agree" in page
    assert "VAE, width 0.1" in page
    assert "parameters" in page


def test_finished_runs_keep_their_keys_until_training_itself_changes(monkeypatch):
    """A hash that was printed before axes were there, and that of the present revision."""
    run = checked_study(FIRST_QUICK, "here").runs()[0]
    assert run.key == "2094ebdf1c69e864"
    monkeypatch.setattr("unweave.studies.training_run.TRAINING_REVISION", 0)
    assert run.key == "8b48225e5c9de451"


def test_a_plan_counts_all_and_times_some():
    study = checked_study(STUDY, "here")
    found = plan(study, workers=2)
    assert (found.n_runs, found.n_steps, found.n_scores) == (12, 72, 36)
    runs = study.runs()
    flops, sizes = 0, []
    for run in runs:
        model = build_vae(run.network, Torus().image_shape, seed=0)
        flops += 6 * step_flops(model, run.objective, batch_size=8)
        sizes.append(count_parameters(model))
    assert found.flops == flops
    assert found.parameters == (min(sizes), max(sizes))
    assert found.training_hours > 0
    assert found.hours == pytest.approx((found.training_hours + found.scoring_hours) / 2)


class Clock:
    """Time that passes when the test says so."""

    def __init__(self):
        self.now = 1000.0

    def perf_counter(self):
        return self.now

    process_time = perf_counter


def test_hours_of_a_plan_are_its_steps_and_scorings_by_the_clock(monkeypatch, capsys):
    """Two seconds a step once it is warm, and half a minute a scoring."""
    clock = Clock()
    n_probed = []

    def slowly_trained(model, objective, dataset, config, *, at_step):
        n_probed.append(config.steps)
        for step in range(1, config.steps + 1):
            clock.now += 100 if step <= 3 else 2
            at_step(step)

    def slowly_scored(*_):
        clock.now += 30

    monkeypatch.setattr("unweave.studies.plan.time", clock)
    monkeypatch.setattr("unweave.studies.plan.train", slowly_trained)
    monkeypatch.setattr("unweave.studies.plan.score_model", slowly_scored)
    study = checked_study(STUDY, "here")
    found = plan(study, workers=3)
    assert len(n_probed) == 3  # a width each: how many images there are costs nothing
    assert found.training_hours == pytest.approx(72 * 2 / 3600)
    assert found.scoring_hours == pytest.approx(36 * 30 / 3600)
    assert found.hours == pytest.approx((72 * 2 + 36 * 30) / 3 / 3600)

    print_plan(study, 3)  # what --dry-run says
    rows = dict(re.findall(r"(?m)^(.+?)  +(\S+) *$", capsys.readouterr().out))
    assert rows["hours of training, one process"] == "0.04"
    assert rows["hours of scoring, one process"] == "0.3"
    assert rows["hours with 3 processes"] == "0.113"
