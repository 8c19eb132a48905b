"""DCI (Eastwood and Williams 2018): disentanglement, completeness, informativeness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from unweave._check import check_choice, check_positive, constant_columns
from unweave._extras import imported
from unweave._parallel import in_threads
from unweave.metrics._groups import GroupsOption
from unweave.metrics._importance import completeness, disentanglement, separation
from unweave.metrics._interventions import CONVENTIONS
from unweave.metrics._predictors import (
    Split,
    hold_out,
    labelled,
    r_squared,
    scaled_like,
    scikit_learn_seed,
    targets_by_kind,
)
from unweave.metrics.metric import Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement
from unweave.metrics.scores import Scores

__all__ = ["BACKENDS", "DCI", "disentanglement_completeness_informativeness"]

BACKENDS = ("gradient_boosting", "scikit_learn", "lightgbm", "random_forest", "lasso")
_LASSO_ALPHA = 0.02  # of the paper's experiments
_MAX_TEST = 5_000


@dataclass(frozen=True, kw_only=True)
class DCI(Metric):
    """Entropies of the importances of latents to predictors of factors, and their accuracy."""

    names = ("dci_disentanglement", "dci_completeness", "dci_informativeness")
    titles = ("DCI disentanglement", "DCI completeness", "DCI informativeness")
    family = "prediction"
    assume_independence = ("dci_disentanglement", "dci_completeness")
    takes_groups = True
    takes_test = True
    cost = 10

    backend: str = "gradient_boosting"
    """gradient_boosting, scikit_learn, lightgbm, random_forest or lasso."""
    convention: str = "standardised"
    """standardised or disentanglement_lib."""
    n_train: int = 1_000
    """Rows to learn from."""

    def __post_init__(self) -> None:
        check_choice("back-end", self.backend, BACKENDS)
        check_choice("convention", self.convention, CONVENTIONS)
        check_positive("n_train", self.n_train, minimum=2)

    @property
    def keep(self) -> tuple[str, ...]:
        """Trees of disentanglement_lib take the codes as they are."""
        return ("offset", "scale") if self.convention == "disentanglement_lib" else ()

    @property
    def level_bins(self) -> int | None:
        """Classifiers need levels."""
        return None if self.backend == "lasso" else 20

    @property
    def label(self) -> str:
        """The back-end, which is part of the score."""
        return f" ({self.backend})"

    def cost_of(self, sample: Sample) -> int:
        """Lasso is not expensive."""
        return 1 if self.backend == "lasso" else self.cost

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Fit predictors, and take entropies of their importances."""
        split = _cut(sample, self.n_train)
        if self.convention == "standardised" or self.backend == "lasso":
            split = _standardised(split)
        importance, known = _importance(split, sample.kinds, self.backend, sample.seed)
        units, alive = sample.groups, np.ones(sample.codes.shape[1], dtype=bool)
        alive[constant_columns(sample.codes)] = False
        if units is not None:
            importance, alive = units.sums(importance), units.any_of(alive)
        separate, per_latent = disentanglement(importance)
        complete, per_factor = completeness(importance[alive])
        names = None if units is None else units.names
        apart = separation(importance, per_latent)
        return {
            "dci_disentanglement": Measurement(
                separate, per_latent, importance, names=names, by_factor=apart
            ),
            "dci_completeness": Measurement(complete, per_factor, importance, by_factor=per_factor),
            "dci_informativeness": Measurement(
                float(known.mean()), known, importance, by_factor=known
            ),
        }


def disentanglement_completeness_informativeness(
    codes: object,
    factors: object,
    *,
    backend: str = "gradient_boosting",
    convention: str = "standardised",
    n_train: int = 1_000,
    test: tuple[object, object] | None = None,
    groups: GroupsOption | None = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Scores:
    r"""DCI: ``dci_disentanglement``, ``dci_completeness``, ``dci_informativeness``, in [0, 1].

    A predictor of each factor says how important each latent is to it, R (latents, factors).
    Disentanglement is one minus the entropy, to base K, of each row of R as shares, weighted by the
    rows' sums; completeness is the same of the columns, to base D, latents that never vary not
    counted. Informativeness is the accuracy on held-out rows (with lasso, the R²).

    ``by_factor`` of disentanglement is the separation of each factor: the disentanglement of the
    latents, weighted by their importance to it. It is 1 if the latents that code the factor code
    nothing else, however many they are, so that a circular factor in two latents loses nothing.
    Its mean over factors, weighted by their total importance, is the score.

    The predictor is part of the score: two back-ends rank codes alike but do not give the same
    numbers, nor do two sample sizes. The name that is printed carries the back-end.

    Parameters
    ----------
    codes, factors
        Arrays (samples, latents) and (samples, factors) of the same rows.
    backend
        ``gradient_boosting``: the trees of scikit-learn's ``GradientBoostingClassifier`` with its
        defaults, compiled here, same splits, some thirteen times as fast; ``scikit_learn``: that
        class itself; ``lightgbm``: matched to it (needs the extra ``gbt``); ``random_forest``: a
        hundred trees of scikit-learn; ``lasso``: linear.
    convention
        ``standardised`` scales each latent to deviation 1 first; ``disentanglement_lib`` gives
        trees the codes as they are. Trees compare single-precision numbers and, as scikit-learn's
        do, split no two that are nearer than 1e-7, so that codes of a small spread or a large
        offset lose their score. (``lasso`` always takes standardised codes.)
    n_train
        Rows to learn from, drawn at random; the others (5,000 at most) are for judging. With fewer
        than half as many rows again, two thirds are learnt from.
    test
        Codes and factors of other rows to be judged on.
    groups
        Groups of latents that take the place of latents, in the forms of
        :func:`~unweave.metrics.mutual_information_gap`. The importance of a group is the sum of
        those of its latents; predictors, and informativeness, stay as they are.
    factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors.

    References
    ----------
    Eastwood and Williams (2018), https://openreview.net/forum?id=By-7dz-AZ, section 2.

    >>> factors = np.stack(np.meshgrid(range(4), range(4), range(9)), -1).reshape(-1, 3)[:, :2]
    >>> scores = disentanglement_completeness_informativeness(
    ...     factors.astype(float), factors, noise=None
    ... )
    >>> {name: float(score) for name, score in scores.items()}
    {'dci_disentanglement': 1.0, 'dci_completeness': 1.0, 'dci_informativeness': 1.0}
    """
    sample = Sample.of(
        codes, factors, factor_names, factor_kinds, groups=groups, test=test, seed=seed
    )
    metric = DCI(backend=backend, convention=convention, n_train=n_train)
    return Scores(score(metric, sample, noise))


def _cut(sample: Sample, n_train: int) -> Split:
    """At most ``n_train`` rows to learn from, and rows to be judged on."""
    codes, factors, n = sample.codes, sample.factors, len(sample.codes)
    rows = np.random.default_rng([sample.seed, 8]).permutation(n)
    if sample.test is not None:
        rows = np.sort(rows[:n_train])
        return codes[rows], factors[rows], *sample.test
    if n < 1.5 * n_train:
        return hold_out(sample)
    learn, judge = rows[:n_train], rows[n_train : n_train + _MAX_TEST]
    return codes[learn], factors[learn], codes[judge], factors[judge]


def _standardised(split: Split) -> Split:
    learn, judge = scaled_like(split[0], split[2])
    return learn, split[1], judge, split[3]


def _importance(split: Split, kinds, backend: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Importance (latents, factors), and how well each factor (factors,) is predicted."""
    if backend == "lasso":
        return _lasso(split, kinds)
    learn_levels, judge_levels = labelled(split[1::2], kinds)

    def fit(k: int) -> tuple[np.ndarray, float]:
        seen, labels = np.unique(learn_levels[k], return_inverse=True)
        weights, predicted = np.zeros(split[0].shape[1]), np.zeros(len(split[2]), dtype=int)
        if len(seen) > 1:
            weights, predicted = _CLASSIFIERS[backend](split[0], labels, split[2], seed)
        return weights, float((seen[predicted] == judge_levels[k]).mean())

    # Draws of noise have a thread each already, and these calls then run one by one.
    found = in_threads(fit, range(len(learn_levels)))
    return np.stack([weights for weights, _ in found], axis=1), np.array([a for _, a in found])


def _compiled(train, labels, judge, seed):
    from unweave.metrics import _boosting

    columns = [np.ascontiguousarray(part.T, dtype=np.float32) for part in (train, judge)]
    return _boosting.boost(columns[0], labels, int(labels.max()) + 1, columns[1])


def _scikit_learn(train, labels, judge, seed):
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(random_state=scikit_learn_seed(seed)).fit(train, labels)
    return np.abs(model.feature_importances_), model.predict(judge)


def _random_forest(train, labels, judge, seed):
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(random_state=scikit_learn_seed(seed)).fit(train, labels)
    return model.feature_importances_, model.predict(judge)


def _lightgbm(train, labels, judge, seed):
    lightgbm = imported(
        "lightgbm",
        needed_by="backend='lightgbm'",
        extra="gbt",
        otherwise=", or take backend='gradient_boosting'",
    )
    model = lightgbm.LGBMClassifier(
        n_estimators=100,
        learning_rate=0.1,
        max_depth=3,
        num_leaves=8,
        min_child_samples=1,
        min_child_weight=1e-3,  # with none, LightGBM fails where a Hessian vanishes
        min_split_gain=0.0,
        reg_lambda=0.0,
        importance_type="gain",
        random_state=scikit_learn_seed(seed),
        n_jobs=1,
        verbose=-1,
    ).fit(np.asarray(train, dtype=np.float64), labels)
    gain = model.booster_.feature_importance("gain")
    scores = np.asarray(model.booster_.predict(np.asarray(judge, dtype=np.float64)))
    predicted = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0.5).astype(int)
    return gain / gain.sum() if gain.sum() > 0 else gain, predicted


_CLASSIFIERS: dict[str, Callable] = {
    "gradient_boosting": _compiled,
    "scikit_learn": _scikit_learn,
    "lightgbm": _lightgbm,
    "random_forest": _random_forest,
}


def _lasso(split: Split, kinds) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import Lasso

    train, judge = split[0], split[2]
    both = targets_by_kind(np.concatenate([split[1], split[3]]), kinds)
    importance, known = np.zeros((train.shape[1], len(both))), np.zeros(len(both))
    for k, target in enumerate(both):
        scale = np.sqrt(target[: len(train)].var(axis=0).sum())
        learn, true = target[: len(train)] / scale, target[len(train) :] / scale
        model = Lasso(alpha=_LASSO_ALPHA).fit(train, learn)
        importance[:, k] = np.abs(np.atleast_2d(model.coef_)).sum(axis=0)
        predicted = model.predict(judge).reshape(true.shape)
        known[k] = max(r_squared(predicted, true), 0.0)
    return importance, known
