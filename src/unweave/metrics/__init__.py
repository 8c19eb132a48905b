"""Metrics of disentanglement: functions of two arrays, codes and factors, that return a score."""

from unweave.metrics.beta_vae_score import beta_vae_score
from unweave.metrics.comparison import Comparison, Difference
from unweave.metrics.dci import disentanglement_completeness_informativeness
from unweave.metrics.dci_es import explicitness_and_size
from unweave.metrics.dependence import latent_dependence
from unweave.metrics.downstream import downstream_accuracy
from unweave.metrics.evaluation import (
    BEST_WHEN_SMALL,
    GROUPED,
    LABEL_FREE,
    METRICS,
    compare,
    evaluate,
)
from unweave.metrics.explicitness import explicitness
from unweave.metrics.factor_vae_score import factor_vae_score
from unweave.metrics.identifiability import linear_r2, mean_correlation_coefficient
from unweave.metrics.infomec import infomec
from unweave.metrics.irs import interventional_robustness_score
from unweave.metrics.med import mutual_information_entropy_disentanglement
from unweave.metrics.mig import mutual_information_gap, robust_mutual_information_gap
from unweave.metrics.mig_sup import dcimig, jemmig, mig_sup
from unweave.metrics.modularity import modularity
from unweave.metrics.posterior_mig import posterior_mutual_information_gap
from unweave.metrics.sap import separated_attribute_predictability
from unweave.metrics.score import Chance, Details, Score, Scores
from unweave.metrics.significance import Noise
from unweave.metrics.snc import single_neuron_classification
from unweave.metrics.subspaces import subspace_angle
from unweave.metrics.udr import unsupervised_disentanglement_ranking

__all__ = [
    "BEST_WHEN_SMALL",
    "GROUPED",
    "LABEL_FREE",
    "METRICS",
    "Chance",
    "Comparison",
    "Details",
    "Difference",
    "Noise",
    "Score",
    "Scores",
    "beta_vae_score",
    "compare",
    "dcimig",
    "disentanglement_completeness_informativeness",
    "downstream_accuracy",
    "evaluate",
    "explicitness",
    "explicitness_and_size",
    "factor_vae_score",
    "infomec",
    "interventional_robustness_score",
    "jemmig",
    "latent_dependence",
    "linear_r2",
    "mean_correlation_coefficient",
    "mig_sup",
    "modularity",
    "mutual_information_entropy_disentanglement",
    "mutual_information_gap",
    "posterior_mutual_information_gap",
    "robust_mutual_information_gap",
    "separated_attribute_predictability",
    "single_neuron_classification",
    "subspace_angle",
    "unsupervised_disentanglement_ranking",
]
