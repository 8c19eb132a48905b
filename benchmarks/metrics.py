"""Speed of the metrics against disentanglement_lib's arithmetic, and the cost of `evaluate`.

The references say again in numpy and scikit-learn what disentanglement_lib does, one pair of latent
and factor, one batch, one tree ensemble after the other; a table of codes stands in for its
encoder. Processor time of one thread, in one run. n = 10,000, five factors. Run:
    python benchmarks/metrics.py [--wide] [--long]
`--wide` adds `evaluate` on 512 latents, `--long` on a million rows (both take minutes).
"""

import os
import resource
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np  # noqa: E402
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mutual_info_score
from sklearn.svm import LinearSVC

from unweave.datasets import Factor, FactorSpace
from unweave.metrics import (
    BY_DEFAULT,
    beta_vae_score,
    disentanglement_completeness_informativeness,
    evaluate,
    factor_vae_score,
    mutual_information_gap,
    separated_attribute_predictability,
)
from unweave.metrics._importance import completeness, disentanglement
from unweave.metrics._information import bin_codes, latent_information
from unweave.metrics._predictors import logistic_regression
from unweave.metrics.metric import quiet_fits

SIZES = (3, 6, 40, 32, 32)
N = 10_000


def seconds(function, *arguments):
    start = time.process_time()
    result = function(*arguments)
    return time.process_time() - start, result


def report(what, reference, ours, asked, agreement):
    print(
        f"{what:34} reference {reference:8.3f} s, ours {ours:7.4f} s, ratio "
        f"{reference / ours:5.0f} ({asked} was asked for); {agreement}",
        flush=True,
    )


def data(n_latents, n=N):
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, size, n) for size in SIZES], axis=1)
    codes = factors @ rng.standard_normal((5, n_latents)) + rng.standard_normal((n, n_latents))
    return codes.astype(np.float32), factors


def binned(codes):
    edges = [np.histogram(column, 20)[1][:-1] for column in codes.T]
    return np.stack([np.digitize(c, e) for c, e in zip(codes.T, edges, strict=True)], axis=1)


def information_matrix(codes, factors):
    return np.array([[mutual_info_score(v, b) for v in factors.T] for b in binned(codes).T])


def sap(codes, factors, test_codes, test_factors):
    accuracy = np.zeros((codes.shape[1], factors.shape[1]))
    for j in range(codes.shape[1]):
        for k in range(factors.shape[1]):
            model = LinearSVC(C=0.01, class_weight="balanced")
            model.fit(codes[:, [j]], factors[:, k])
            accuracy[j, k] = np.mean(model.predict(test_codes[:, [j]]) == test_factors[:, k])
    ranked = np.sort(accuracy, axis=0)
    return float(np.mean(ranked[-1] - ranked[-2]))


class GroundTruth:
    """The sampling of disentanglement_lib's dSprites, with a table of codes for its images."""

    sizes = (1, *SIZES)  # colour has one level: it is not a latent factor
    latent = range(1, 6)

    def __init__(self, grid):
        self.grid = grid
        self.bases = np.prod(self.sizes) / np.cumprod(self.sizes)

    def factors(self, n, rng):
        levels = np.zeros((n, len(self.latent)), dtype=np.int64)
        for position, k in enumerate(self.latent):
            levels[:, position] = rng.randint(self.sizes[k], size=n)
        return levels

    def observe(self, levels, rng):
        everything = np.zeros((len(levels), len(self.sizes)), dtype=np.int64)
        everything[:, self.latent] = levels
        everything[:, 0] = rng.randint(self.sizes[0], size=len(levels))
        rows = np.array(np.dot(everything, self.bases), dtype=np.int64)
        return np.expand_dims(self.grid[rows].astype(np.float32), axis=2)

    def represent(self, levels, rng):
        return self.observe(levels, rng)[:, :, 0]


def beta_vae(truth, rng, n_train=10_000, n_test=5_000, batch=64):
    points, labels = None, np.zeros(n_train + n_test, dtype=np.int64)
    for i in range(n_train + n_test):
        k = rng.randint(len(SIZES))
        one, other = truth.factors(batch, rng), truth.factors(batch, rng)
        other[:, k] = one[:, k]
        codes = truth.represent(one, rng), truth.represent(other, rng)
        point = np.mean(np.abs(codes[0] - codes[1]), axis=0)
        if points is None:
            points = np.zeros((n_train + n_test, point.shape[0]))
        points[i], labels[i] = point, k
    model = LogisticRegression().fit(points[:n_train], labels[:n_train])
    return float(np.mean(model.predict(points[n_train:]) == labels[n_train:]))


def factor_vae(truth, rng, n_train=10_000, n_test=5_000, batch=64):
    whole = np.var(truth.represent(truth.factors(N, rng), rng), axis=0, ddof=1)
    active = np.sqrt(whole) >= 0.05
    votes = np.zeros((2, len(SIZES), len(whole)), dtype=int)
    for i in range(n_train + n_test):
        k = rng.randint(len(SIZES))
        levels = truth.factors(batch, rng)
        levels[:, k] = levels[0, k]
        own = np.var(truth.represent(levels, rng), axis=0, ddof=1)
        votes[int(i >= n_train), k, np.argmin(own[active] / whole[active])] += 1
    guess = votes[0].argmax(axis=0)
    return votes[1][guess, np.arange(len(whole))].sum() / votes[1].sum()


def dci(codes, factors, test_codes, test_factors):
    importance, accuracy = [], []
    for k in range(factors.shape[1]):
        model = GradientBoostingClassifier(random_state=0).fit(codes, factors[:, k])
        importance.append(model.feature_importances_)
        accuracy.append(np.mean(model.predict(test_codes) == test_factors[:, k]))
    importance = np.array(importance).T
    return disentanglement(importance)[0], completeness(importance)[0], np.mean(accuracy)


def compile_everything(codes, factors):
    few = {"metrics": ["mig", "beta_vae", "factor_vae", "dci_completeness", "latent_mi"]}
    evaluate(codes[:200], factors[:200], **few, noise=None)
    separated_attribute_predictability(
        codes[:200], factors[:200], factor_kinds=["categorical"] * 5, noise=None
    )


def matrices():
    for n_latents, asked in ((10, 30), (512, 20)):
        codes, factors = data(n_latents)
        reference, expected = seconds(information_matrix, codes, factors)
        fast = [
            seconds(lambda c=codes, f=factors: mutual_information_gap(c, f, noise=None))
            for _ in range(5)
        ]
        error = np.abs(fast[0][1].matrix - expected).max()
        ours = float(np.median([s for s, _ in fast]))
        report(
            f"information, {n_latents} latents", reference, ours, asked, f"{error:.0e} nats apart"
        )
    bins = bin_codes(codes, 20)
    ours, matrix = seconds(latent_information, bins, 20)
    pairs = np.random.default_rng(0).integers(512, size=(400, 2))
    reference, expected = seconds(
        lambda: np.array([mutual_info_score(bins[a], bins[b]) for a, b in pairs])
    )
    error = np.abs(matrix[pairs[:, 0], pairs[:, 1]] - expected).max()
    # disentanglement_lib works out all 512 by 512; 400 of them were timed.
    reference *= 512 * 512 / len(pairs)
    report("between latents, 512", reference, ours, 40, f"{error:.0e} nats apart")


def predictors():
    codes, factors = data(10)
    train, test = (codes[:6667], factors[:6667]), (codes[6667:], factors[6667:])
    reference, expected = seconds(sap, *train, *test)
    options = {"convention": "disentanglement_lib", "test": test, "noise": None}
    ours, score = seconds(lambda: separated_attribute_predictability(*train, **options))
    report("SAP, support vector machines", reference, ours, 10, f"{expected:.4f}, {score:.4f}")
    codes, factors = codes[:, :5], factors
    train, test = (codes[:1000], factors[:1000]), (codes[1000:6000], factors[1000:6000])
    reference, expected = seconds(dci, *train, *test)
    fit = disentanglement_completeness_informativeness
    ours, scores = seconds(lambda: fit(*train, test=test, noise=None))
    values = ", ".join(f"{a:.3f}/{b:.3f}" for a, b in zip(expected, scores.values(), strict=True))
    report("DCI, compiled trees, 1,000 rows", reference, ours, 8, f"D, C, I {values}")


def interventions():
    rng = np.random.default_rng(0)
    space = FactorSpace([Factor(str(size * k), range(size)) for k, size in enumerate(SIZES)])
    unit = 2 * space.all_levels() / (np.array(SIZES) - 1) - 1
    turned = unit @ np.linalg.qr(rng.standard_normal((5, 5)))[0]
    grid = (turned + 0.05 * rng.standard_normal(turned.shape)).astype(np.float32)
    options = {"convention": "disentanglement_lib", "noise": None}
    for name, theirs, metric in (
        ("beta-VAE score, whole grid", beta_vae, beta_vae_score),
        ("FactorVAE score, whole grid", factor_vae, factor_vae_score),
    ):
        reference, expected = seconds(theirs, GroundTruth(grid), np.random.RandomState(0))
        fast = [seconds(lambda metric=metric: metric(grid, space, **options)) for _ in range(3)]
        ours, score = sorted(fast)[1]
        report(name, reference, ours, 15, f"{expected:.3f}, {score:.3f}")


def regressions():
    codes, factors = data(10)
    codes = ((codes - codes.mean(axis=0)) / codes.std(axis=0)).astype(np.float64)
    for what, ours, theirs in (
        ("logistic regression, explicitness", {}, {}),
        (
            "logistic regression, InfoE",
            {"penalty": 0.0, "balanced": True},
            {"C": np.inf, "class_weight": "balanced"},
        ),
    ):
        logistic_regression(codes[:100], factors[:100, 1], **ours)
        reference = fast = apart = 0.0
        with quiet_fits():
            for factor in factors.T:
                taken, model = seconds(LogisticRegression(**theirs).fit, codes, factor)
                own, fit = seconds(lambda f=factor, o=ours: logistic_regression(codes, f, **o))
                reference, fast = reference + taken, fast + own
                difference = np.abs(fit.probabilities(codes) - model.predict_proba(codes))
                apart = max(apart, difference.max())
        report(what, reference, fast, 3, f"probabilities {apart:.0e} apart")


def each_family():
    """Processor seconds of `evaluate` by family of metrics, and what is left."""
    codes, factors = data(10)
    families = {
        "DCI": ["dci_disentanglement", "dci_completeness", "dci_informativeness"],
        "InfoMEC": ["infom", "infoc", "infoe"],
        "explicitness and downstream": [
            "explicitness", "downstream_accuracy", "statistical_efficiency",
        ],
        "beta-VAE score": ["beta_vae"],
    }  # fmt: skip
    named = {name for names in families.values() for name in names}
    families["all others"] = [name for name in BY_DEFAULT if name not in named]
    for family, names in families.items():
        taken, _ = seconds(lambda n=names: evaluate(codes, factors, metrics=n))
        print(f"evaluate, 10 latents, {family}: {taken:.1f} processor seconds", flush=True)


def everything(n_latents, limit, n=N):
    codes, factors = data(n_latents, n)
    start, began = time.perf_counter(), time.process_time()
    scores = evaluate(codes, factors)
    elapsed, taken = time.perf_counter() - start, time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"evaluate, {n_latents} latents, {n:,} rows: {len(scores)} metrics with chance and "
        f"interval in {elapsed:.0f} s of {limit} s allowed, {taken:.0f} processor seconds, peak "
        f"memory {peak:.1f} GiB",
        flush=True,
    )


if __name__ == "__main__":
    compile_everything(*data(10))
    matrices()
    predictors()
    regressions()
    interventions()
    each_family()
    everything(10, 60)
    if "--wide" in sys.argv:
        everything(512, 600)
    if "--long" in sys.argv:
        everything(10, 6_000, 1_000_000)
