"""What is shown in a notebook: pictures without a magic command, and progress."""

import sys
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pytest

from unweave.datasets.manifolds import parse_manifold
from unweave.geometry import Geomancer
from unweave.geometry.figure import draw
from unweave.metrics import evaluate
from unweave.metrics._progress import progress


@pytest.fixture
def notebook(monkeypatch):
    """What a kernel of IPython has, as far as it is asked for."""
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))


def test_figures_show_themselves(rng, tmp_path):
    factors = np.stack([rng.integers(0, 4, 200), rng.integers(0, 3, 200)], axis=1)
    codes = factors + 0.1 * rng.standard_normal((200, 2))
    points = parse_manifold("S^1 x S^1").sample(200, random_state=0, rotate=True).points
    model = Geomancer(2, n_factors=1, random_state=0).fit(points)
    for figure in (evaluate(codes, factors, metrics=["mig"], noise=None).plot(), draw(model)):
        (tmp_path / "shown.png").write_bytes(figure._repr_png_())
        pixels = matplotlib.image.imread(tmp_path / "shown.png")
        assert min(pixels.shape[:2]) > 100
        assert np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0).shape[0] > 10


def test_progress_shows_in_a_notebook(notebook, capsys):
    with progress("scoring", 3) as outer, progress("mig", 5) as inner:
        inner()
        outer()
    shown = capsys.readouterr().err
    assert "scoring" in shown
    assert "0/3" in shown
    assert "\x1b[A" not in shown  # text in a notebook cannot go up by a line


def test_bars_are_drawn_below_each_other_in_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress("scoring", 3), progress("mig", 5):
        pass
    shown = capsys.readouterr().err
    assert "scoring" in shown
    assert "mig" in shown


def test_progress_is_silent_elsewhere(monkeypatch, capsys):
    with progress("scoring", 3) as advance:
        advance()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    with progress("scoring", 3) as advance:
        advance()
    assert capsys.readouterr().err == ""
