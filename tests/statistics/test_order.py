"""Methods that overtake each other, on scores of which the answer is known."""

import numpy as np
import pytest

from unweave.statistics.order import order_change
from unweave.statistics.trends import compare_seeds


def lines(ends, n_seeds=5, noise=0.01, seed=0):
    rng = np.random.default_rng(seed)
    return {
        name: np.linspace(first, last, 4) + noise * rng.normal(size=(n_seeds, 4))
        for name, (first, last) in ends.items()
    }


def test_a_method_that_overtakes_two_others_is_named():
    found = order_change(lines({"flat": (0.3, 0.3), "rising": (0.1, 0.9), "low": (0.2, 0.2)}))
    assert [(one.winner, one.loser) for one in found.overtakings] in (
        [("rising", "flat"), ("rising", "low")], [("rising", "low"), ("rising", "flat")],
    )  # fmt: skip
    assert all(one.is_significant for one in found.overtakings)
    said = found.sentence("DCI", "training steps")
    assert said.startswith("DCI over training steps: 2 of 3 pairs of methods change places")
    assert "rising overtakes flat (p = " in said


def test_means_that_cross_by_chance_are_not_significant():
    crossing = {"a": (0.30, 0.31), "b": (0.31, 0.30)}
    found = order_change(lines(crossing, noise=0.2, n_seeds=3, seed=3))
    assert not any(one.is_significant for one in found.overtakings)
    swapped = order_change(
        {"a": np.array([[0.0, 1], [1, 1.1]]), "b": np.array([[1.0, 1], [0.5, 0]])}
    )
    assert swapped.sentence("SAP", "images").endswith("by their means, none significantly.")


def test_two_methods_that_rise_alike_keep_their_order():
    found = order_change(lines({"a": (0.1, 0.5), "b": (0.3, 0.9)}))
    assert found.overtakings == ()
    assert found.n_pairs == 1
    assert "the same at both ends" in found.sentence("MIG", "parameters")


def test_p_values_are_corrected_for_all_pairs():
    """Holm: the smallest of three times three, and none below the one before it."""
    scores = lines({"a": (0.1, 0.5), "b": (0.4, 0.4), "c": (0.45, 0.3)}, noise=0.15, seed=1)
    found = {frozenset((o.winner, o.loser)): o.p_value for o in order_change(scores).overtakings}
    changes = {name: own[:, -1] - own[:, 0] for name, own in scores.items()}
    raw = {
        frozenset(pair): compare_seeds(changes[pair[0]], changes[pair[1]]).p_value
        for pair in (("a", "b"), ("a", "c"), ("b", "c"))
    }
    ranked = sorted(raw, key=raw.get)
    expected, least = {}, 0.0
    for i, pair in enumerate(ranked):
        least = max(least, min(1, raw[pair] * (3 - i)))
        expected[pair] = least
    assert found
    for pair, p_value in found.items():
        assert p_value == pytest.approx(expected[pair])


def test_too_little_to_compare():
    assert order_change({"a": np.zeros((3, 4))}) is None
    assert order_change({"a": np.zeros((1, 4)), "b": np.zeros((3, 4))}) is None
    with pytest.raises(ValueError, match="different numbers of levels"):
        order_change({"a": np.zeros((3, 4)), "b": np.zeros((3, 5))})
