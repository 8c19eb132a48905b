"""Neuron knockout (Mahon et al. 2023): what is lost without the latent of a factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unweave._check import check_choice, constant_columns
from unweave._parallel import in_threads
from unweave.metrics._predictors import hold_out, labelled, scaled_like, scikit_learn_seed
from unweave.metrics.metric import Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score
from unweave.metrics.snc import latent_of_each_factor

__all__ = ["NK", "neuron_knockout"]

_PREDICTORS = ("extra_trees", "mlp")
_TREES = 20
_MLP: dict[str, Any] = {"hidden_layer_sizes": (256,), "learning_rate_init": 0.01, "max_iter": 100}
_BATCH = 512


@dataclass(frozen=True, kw_only=True)
class NK(Metric):
    """Fall of the accuracy of a factor without the latent that SNC gives it, on held-out rows."""

    names = ("nk",)
    titles = ("NK",)
    family = "prediction"
    range = "(-1, 1)"
    takes_test = True
    cost = 10
    by_default = False

    predictor: str = "extra_trees"
    """extra_trees or mlp."""

    def __post_init__(self) -> None:
        check_choice("predictor", self.predictor, _PREDICTORS)

    @property
    def label(self) -> str:
        """The predictor, which is part of the score."""
        return f" ({self.predictor})"

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Predict each factor from all latents, and without each latent that has a factor."""
        split = hold_out(sample)
        levels, judge_levels = labelled(split[1::2], sample.kinds)
        latents = latent_of_each_factor(split[0], levels)
        given = latents[latents >= 0]
        # Draws of noise are read for their value alone, which needs no latent of other factors.
        pairs = [
            (j, k)
            for j in given.tolist()
            for k in range(len(levels))
            if sample.origin is None or j == latents[k]
        ]
        learn, judge = scaled_like(split[0], split[2])
        alive = np.ones(learn.shape[1], dtype=bool)
        alive[constant_columns(learn)] = False

        def accuracy(cell: tuple[int, int]) -> float:
            removed, k = cell
            kept = alive & (np.arange(learn.shape[1]) != removed)
            predicted = self._predicted(learn[:, kept], levels[k], judge[:, kept], sample.seed)
            return float((predicted == judge_levels[k]).mean())

        cells = [(-1, k) for k in range(len(levels))] + pairs
        found = np.array(in_threads(accuracy, cells))
        whole, fall = found[: len(levels)], np.zeros((learn.shape[1], len(levels)))
        for (j, k), one in zip(pairs, found[len(levels) :], strict=True):
            fall[j, k] = whole[k] - one
        return {"nk": _measured(fall, latents, whole)}

    def _predicted(
        self, learn: np.ndarray, levels: np.ndarray, judge: np.ndarray, seed: int
    ) -> np.ndarray:
        """Levels (rows,) of the rows to be judged on; the most frequent one without latents."""
        if not learn.shape[1] or len(np.unique(levels)) == 1:
            return np.full(len(judge), np.bincount(levels).argmax())
        if self.predictor == "extra_trees":
            return _by_trees(learn, levels, judge, seed)
        from sklearn.neural_network import MLPClassifier

        model = MLPClassifier(
            batch_size=min(_BATCH, len(learn)), random_state=scikit_learn_seed(seed), **_MLP
        )
        return np.asarray(model.fit(learn, levels).predict(judge))


def neuron_knockout(
    codes: object,
    factors: object,
    *,
    predictor: str = "extra_trees",
    test: tuple[object, object] | None = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""NK: how much worse a factor is predicted without its latent, below 1; chance is 0.

    .. math:: \frac{1}{K} \sum_k a_k(z) - a_k(z_{-j(k)})

    ``a`` is the accuracy on held-out rows of a predictor that learnt factor k from these latents,
    and ``j(k)`` the latent that :func:`single_neuron_classification` gives the factor. The most is
    one minus what a guess gets. A factor that another latent knows as well scores 0, as does one
    that no latent knows: read ``extras``.

    Parameters
    ----------
    codes, factors
        Arrays (samples, latents) and (samples, factors) of the same rows.
    predictor
        ``extra_trees``: 20 extremely randomised trees of scikit-learn, which see all latents at
        each split. ``mlp``: its network of 256 hidden units with Adam at 0.01 on standardised
        codes, the nearest that scikit-learn has to the network of the paper.
    test
        Codes and factors of other rows to be judged on; else a random third is held out.
    factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors. ``matrix`` has the
        fall (latents, factors) for each latent that was removed, 0 for the others. ``extras`` has
        the ``accuracy`` from all latents, the mean fall when the latent of another factor is
        removed (``others``), and ``own_less_others``.

    References
    ----------
    Mahon et al. (2023), https://arxiv.org/abs/2304.02335, section 4.

    >>> rng = np.random.default_rng(0)
    >>> factors = rng.integers(4, size=(600, 2))
    >>> score = neuron_knockout(factors.astype(float), factors, noise=None)
    >>> score > 0.6, score.extras["own_less_others"] > 0.6
    (True, True)
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, test=test, seed=seed)
    return score(NK(predictor=predictor), sample, noise)["nk"]


def _by_trees(learn: np.ndarray, levels: np.ndarray, judge: np.ndarray, seed: int) -> np.ndarray:
    """Levels (rows,) by the mean over trees of the shares of levels in their leaves."""
    from sklearn.tree import ExtraTreeClassifier

    seen, labels = np.unique(levels, return_inverse=True)
    shares = np.zeros((len(judge), len(seen)))
    # ExtraTreesClassifier is the same, but hands trees to joblib, which warns in threads.
    for i in range(_TREES):
        tree = ExtraTreeClassifier(
            max_features=None, random_state=scikit_learn_seed(_TREES * seed + i)
        )
        shares += tree.fit(learn, labels).predict_proba(judge)
    return np.asarray(seen[shares.argmax(axis=1)])


def _measured(fall: np.ndarray, latents: np.ndarray, accuracy: np.ndarray) -> Measurement:
    own = np.array([fall[j, k] if j >= 0 else 0.0 for k, j in enumerate(latents)])
    apart = [
        fall[j, k] for j in latents[latents >= 0] for k, mine in enumerate(latents) if mine != j
    ]
    others = float(np.mean(apart)) if apart else 0.0
    extras = {
        "accuracy": float(accuracy.mean()),
        "others": others,
        "own_less_others": float(own.mean()) - others,
    }
    return Measurement(float(own.mean()), own, fall, extras)
