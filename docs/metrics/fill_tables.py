"""The tables of numbers in the pages of this folder, from running what they show.

Every page has a place for each of its tables, between two comments.
Run, from the root of the repository:
    python docs/metrics/fill_tables.py [PAGE ...]
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "metrics"))
from reference_codes import full_grid, levels, rows  # noqa: E402

import unweave.metrics as m  # noqa: E402

HERE = Path(__file__).parent
COLUMNS = {
    "perfect": "the levels themselves",
    "noisy": "one latent a factor, with noise of a twentieth",
    "rotated": "the same, rotated",
    "twice": "two noisy latents a factor",
    "noise": "ten latents of noise",
}


def part(name: str, metric: Callable, **options) -> Callable:
    return lambda codes, factors: metric(codes, factors, noise=None, **options)[name]


def one(metric: Callable, **options) -> Callable:
    return partial(metric, noise=None, **options)


def both_halves_as_models(method: str) -> Callable:
    """UDR of the codes and of the codes in another order: two models that agree."""

    def score(codes, factors):
        other = -codes[:, ::-1]
        return m.unsupervised_disentanglement_ranking([codes, other], method=method)

    return score


def extra(name: str, metric: Callable, **options) -> Callable:
    return lambda codes, factors: metric(codes, factors, noise=None, **options).extras[name]


def of_codes(name: str, **options) -> Callable:
    return lambda codes, factors: m.latent_dependence(codes, noise=None, **options)[name]


def few(score: Callable) -> Callable:
    """The score of the first 2,000 rows."""
    return lambda codes, factors: score(codes[:2000], factors[:2000])


def of_attributes(score: Callable) -> Callable:
    """The score of factors cut in two: whether a level is in the upper half."""
    return lambda codes, factors: score(codes, factors > factors.max(axis=0) // 2)


mig, dci = m.mutual_information_gap, m.disentanglement_completeness_informativeness
med, sap = m.mutual_information_entropy_disentanglement, m.separated_attribute_predictability
irs, mcc = m.interventional_robustness_score, m.mean_correlation_coefficient
raw = {"convention": "disentanglement_lib"}
categorical = {"factor_kinds": ["categorical"] * 5}
PAGES: dict[str, dict[str, Callable]] = {
    "beta_vae_score": {
        "default": one(m.beta_vae_score),
        'convention="disentanglement_lib" (raw scale)': one(m.beta_vae_score, **raw),
        "the same, codes a hundredth as large": lambda c, f: one(m.beta_vae_score, **raw)(
            c / 100, f
        ),
    },
    "factor_vae_score": {
        "default": one(m.factor_vae_score),
        'convention="disentanglement_lib" (raw scale)': one(m.factor_vae_score, **raw),
        "the same, codes a hundredth as large": lambda c, f: one(m.factor_vae_score, **raw)(
            c / 100, f
        ),
    },
    "irs": {
        "default": one(irs),
        'convention="disentanglement_lib" (factors re-binned)': one(irs, **raw),
        'convention="own_levels"': one(irs, convention="own_levels"),
        "the same, diff_quantile=1 (the paper)": one(
            irs, convention="own_levels", diff_quantile=1.0
        ),
    },
    "mig": {
        "default (disentanglement_lib)": one(mig),
        'estimator="miller_madow"': one(mig, estimator="miller_madow"),
        'estimator="adjusted"': one(mig, estimator="adjusted"),
        'estimator="ksg"': one(mig, estimator="ksg"),
        "n_bins=10 (Ubisoft's default)": one(mig, n_bins=10),
        "n_bins=40": one(mig, n_bins=40),
        'binning="quantile"': one(mig, binning="quantile"),
        "default, 1,000 rows": lambda c, f: one(mig)(c[:1000], f[:1000]),
        "adjusted, 1,000 rows": lambda c, f: one(mig, estimator="adjusted")(c[:1000], f[:1000]),
        "ksg, 1,000 rows": lambda c, f: one(mig, estimator="ksg")(c[:1000], f[:1000]),
    },
    "rmig": {
        "default, in nats": one(m.robust_mutual_information_gap),
        "over the mean entropy": extra("normalised", m.robust_mutual_information_gap),
    },
    "mig_sup": {
        "default": one(m.mig_sup),
        'convention="by_code_entropy" (Ubisoft)': one(m.mig_sup, convention="by_code_entropy"),
    },
    "dcimig": {
        "default": one(m.dcimig),
        "1,000 rows": lambda c, f: one(m.dcimig)(c[:1000], f[:1000]),
    },
    "jemmig": {
        "default": one(m.jemmig),
        "n_bins=10 (Ubisoft's default)": one(m.jemmig, n_bins=10),
        "in nats, not normalised: less is better": extra("nats", m.jemmig),
    },
    "modularity": {
        "default": one(m.modularity),
        "1,000 rows": lambda c, f: one(m.modularity)(c[:1000], f[:1000]),
        "default, and five latents that never vary": lambda c, f: one(m.modularity)(
            np.concatenate([c, np.zeros((len(c), 5))], axis=1), f
        ),
        "the same, as disentanglement_lib counts them": lambda c, f: one(m.modularity, **raw)(
            np.concatenate([c, np.zeros((len(c), 5))], axis=1), f
        ),
    },
    "explicitness": {
        "default": one(m.explicitness),
        'classifier="one_against_rest" (before 2019)': one(
            m.explicitness, classifier="one_against_rest"
        ),
    },
    "med": {
        "disentanglement": part("med_disentanglement", med),
        "completeness": part("med_completeness", med),
        "disentanglement, top_k=2": part("med_disentanglement", med, top_k=2),
        "disentanglement, 1,000 rows": lambda c, f: part("med_disentanglement", med)(
            c[:1000], f[:1000]
        ),
    },
    "infomec": {name: part(name, m.infomec) for name in ("infom", "infoc", "infoe")},
    "sap": {
        "default (ordinal factors: R²)": one(sap),
        "categorical factors (support vector machine)": one(sap, **categorical),
        'convention="disentanglement_lib" (raw scale)': one(sap, **raw),
        "the same, codes ten times as large": lambda c, f: one(sap, **raw)(10 * c, f),
    },
    "dci": {
        f"{letter}, {backend}": part(f"dci_{name}", dci, backend=backend)
        for backend in ("gradient_boosting", "scikit_learn", "lightgbm", "random_forest", "lasso")
        for letter, name in (
            ("D", "disentanglement"),
            ("C", "completeness"),
            ("I", "informativeness"),
        )
    },
    "dci_es": {
        "explicitness": part("dci_es_explicitness", m.explicitness_and_size),
        "size": part("dci_es_size", m.explicitness_and_size),
    },
    "downstream": {
        "accuracy, logistic regression": part("downstream_accuracy", m.downstream_accuracy),
        "efficiency, logistic regression": part("statistical_efficiency", m.downstream_accuracy),
        "accuracy, gradient boosting": part(
            "downstream_accuracy", m.downstream_accuracy, predictor="gradient_boosting"
        ),
        "efficiency, gradient boosting": part(
            "statistical_efficiency", m.downstream_accuracy, predictor="gradient_boosting"
        ),
    },
    "identifiability": {
        "mcc, pearson": one(mcc),
        "mcc, spearman": one(mcc, correlation="spearman"),
        "linear_r2": one(m.linear_r2),
    },
    "snc": {
        "default": one(m.single_neuron_classification),
        "above guessing": extra("above_guessing", m.single_neuron_classification),
    },
    "tad": {
        "default": of_attributes(one(m.total_auroc_difference)),
        "attributes counted": of_attributes(extra("counted", m.total_auroc_difference)),
        "min_auroc=0.5": of_attributes(one(m.total_auroc_difference, min_auroc=0.5)),
    },
    "nk": {
        "default, 2,000 rows": few(one(m.neuron_knockout)),
        "own less others": few(extra("own_less_others", m.neuron_knockout)),
        "accuracy from all latents": few(extra("accuracy", m.neuron_knockout)),
        'predictor="mlp"': few(one(m.neuron_knockout, predictor="mlp")),
        "accuracy from all latents, likewise": few(
            extra("accuracy", m.neuron_knockout, predictor="mlp")
        ),
    },
    "omes": {
        "default": one(m.omes),
        "overlap alone (alpha=1)": one(m.omes, alpha=1.0),
        "multiple encoding alone (alpha=0)": one(m.omes, alpha=0.0),
        'pooling="mean"': one(m.omes, pooling="mean"),
        'convention="dapueto2024"': one(m.omes, convention="dapueto2024"),
    },
    "unfairness": {
        "default, 2,000 rows": few(one(m.unfairness)),
        'over_levels="max"': few(one(m.unfairness, over_levels="max")),
        'predictor="logistic_regression"': few(one(m.unfairness, predictor="logistic_regression")),
    },
    "subspace_angle": {
        "default, in radians": one(m.subspace_angle),
        'probe="class_means"': one(m.subspace_angle, probe="class_means"),
        "leakage": extra("leakage", m.subspace_angle),
        "R² of a factor's own subspace": extra("own_r2", m.subspace_angle),
    },
    "t_mex": {"default": one(m.measurement_exclusivity)},
    "latent_dependence": {
        "total correlation, nats": of_codes("total_correlation"),
        "Wasserstein, standardised": of_codes("wasserstein"),
        "Wasserstein, raw (disentanglement_lib)": of_codes("wasserstein", **raw),
        "mutual information, nats": of_codes("latent_mi"),
    },
    "udr": {
        'method="lasso", a model and itself in another order': both_halves_as_models("lasso"),
        'method="spearman", likewise': both_halves_as_models("spearman"),
    },
}


def codes_of_columns() -> tuple[dict[str, np.ndarray], np.ndarray]:
    chosen = rows()[0]
    factors = levels()[chosen]
    sets = {"noisy": "a_axis", "rotated": "b_rot", "twice": "d_dup", "noise": "c_noise"}
    codes = {"perfect": factors.astype(np.float32)}
    return codes | {column: full_grid(name)[chosen] for column, name in sets.items()}, factors


def table(variants: dict[str, Callable], codes: dict[str, np.ndarray], factors: np.ndarray) -> str:
    lines = [
        "| | " + " | ".join(COLUMNS) + " | ms |",
        "| --- |" + " --- |" * (len(COLUMNS) + 1),
    ]
    for name, score in variants.items():
        values = [float(score(codes[column], factors)) for column in COLUMNS]
        start = time.process_time()
        score(codes["noise"], factors)
        milliseconds = 1000 * (time.process_time() - start)
        cells = [f"{value:.4f}" if abs(value) < 100 else f"{value:.0f}" for value in values]
        lines.append(f"| {name} | {' | '.join(cells)} | {milliseconds:.0f} |")
    return "\n".join(lines)


def quantised(codes: np.ndarray, n_values: int) -> np.ndarray:
    """Indices of as many values in each latent, as far apart from each other."""
    low, high = codes.min(axis=0), codes.max(axis=0)
    return np.round((codes - low) / (high - low) * (n_values - 1))


def kinds_of_codes(n_rows: int = 2_000, n_seeds: int = 5) -> str:
    """InfoMEC of the same quantised codes as continuous and as discrete, over seeds of rows."""
    codes, factors = codes_of_columns()
    lines = [
        "| codes | values | InfoM | discrete | InfoC | discrete | InfoE | discrete |",
        "| --- |" + " --- |" * 7,
    ]
    for column in COLUMNS:
        for n_values in (5, 10, 30):
            found = []
            for seed in range(n_seeds):
                chosen = np.random.default_rng(seed).permutation(len(factors))[:n_rows]
                indices = quantised(codes[column][chosen], n_values)
                both = [
                    m.infomec(indices, factors[chosen], code_kind=kind, noise=None)
                    for kind in ("continuous", "discrete")
                ]
                found.append(
                    [float(scores[n]) for n in ("infom", "infoc", "infoe") for scores in both]
                )
            means, spreads = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
            cells = [f"{a:.3f} ± {b:.3f}" for a, b in zip(means, spreads, strict=True)]
            lines.append(f"| {column} | {n_values} | {' | '.join(cells)} |")
    return "\n".join(lines)


def codes_of_models(n_rows: int = 2_000, n_seeds: int = 5) -> str:
    """InfoMEC of quantised models of the package as continuous and as discrete, likewise."""
    from unweave.datasets import load
    from unweave.models import VAE, shipped_models
    from unweave.models.pretrained import read_training

    lines = [
        "| codes | InfoM | discrete | InfoC | discrete | InfoE | discrete |",
        "| --- |" + " --- |" * 6,
    ]
    for name, folder in shipped_models().items():
        model, data = VAE.from_pretrained(folder), load(read_training(folder)["dataset"])
        if model.values() is None:
            continue
        found = []
        for seed in range(n_seeds):
            chosen = data.sample_indices(n_rows, seed=seed)
            codes, factors = model.encode(data.images(chosen)), data.factors(chosen)
            both = [
                m.infomec(codes, factors, noise=None),
                m.infomec(model.indices_of(codes), factors, code_kind="discrete", noise=None),
            ]
            found.append([float(scores[n]) for n in ("infom", "infoc", "infoe") for scores in both])
        means, spreads = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
        cells = [f"{a:.3f} ± {b:.3f}" for a, b in zip(means, spreads, strict=True)]
        lines.append(f"| `pretrained:{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def circle() -> str:
    """Every metric of an angle in one latent and of its cosine and sine in two."""
    sizes = (5, 6, 12)
    grid = np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1)
    factors = np.random.default_rng(0).permutation(np.concatenate([grid] * 6))
    angle = 2 * np.pi * factors[:, 2] / sizes[2]
    in_one = np.column_stack([factors[:, :2], angle])
    in_two = np.column_stack([factors[:, :2], np.cos(angle), np.sin(angle)])
    lines = [
        "| metric | angle | cosine and sine | the two in a group |",
        "| --- | --- | --- | --- |",
    ]
    for name, metric in m.METRICS.items():
        if metric.metric.needs_binary:
            continue
        score = partial(metric, factor_kinds=["ordinal", "ordinal", "circular"], noise=None)
        values = [float(score(codes, factors)) for codes in (in_one, in_two)]
        if name in m.GROUPED:
            values.append(float(score(in_two, factors, groups=[1, 1, 2])))
        cells = [f"{value:.3f}" for value in np.round(values, 3) + 0.0]
        lines.append(f"| `{name}` | {' | '.join(cells + [''] * (3 - len(cells)))} |")
    return "\n".join(lines)


def draws() -> str:
    """The share of the draws of noise that each metric takes."""
    shares = {1: "all", 2: "a half", 5: "a fifth", 10: "a tenth"}
    lines = ["| share of the draws | metrics |", "| --- | --- |"]
    for cost, share in shares.items():
        names = [f"`{name}`" for name, one in m.METRICS.items() if one.metric.cost == cost]
        lines.append(f"| {share} | {', '.join(names)} |")
    return "\n".join(lines)


MORE: dict[str, dict[str, Callable[[], str]]] = {
    "infomec": {"kinds of codes": kinds_of_codes, "codes of models": codes_of_models},
    "README": {"circle": circle, "draws": draws},
}


def fill(file: Path, place: str, text: str) -> None:
    parts = re.split(rf"(?<=<!-- {place} -->).*?(?=<!-- end -->)", file.read_text(), flags=re.S)
    if len(parts) != 2:
        raise SystemExit(f"{file} must have one place for its {place}")
    file.write_text(f"{parts[0]}\n{text}\n{parts[1]}")


def main() -> None:
    codes, factors = codes_of_columns()
    for page in sys.argv[1:] or dict.fromkeys([*PAGES, *MORE]):
        file = HERE / f"{page}.md"
        if page in PAGES:
            fill(file, "numbers", table(PAGES[page], codes, factors))
        for place, make in MORE.get(page, {}).items():
            fill(file, place, make())
        print(page, flush=True)


if __name__ == "__main__":
    main()
