"""Metrics of disentanglement: functions of two arrays, codes and factors, that return a score."""

from unweave.metrics.beta_vae_score import BetaVAEScore, beta_vae_score
from unweave.metrics.catalogue import BEST_WHEN_SMALL, BY_DEFAULT, GROUPED, LABEL_FREE, METRICS
from unweave.metrics.comparison import Comparison, Difference, compare
from unweave.metrics.dci import DCI, disentanglement_completeness_informativeness
from unweave.metrics.dci_es import DCIES, explicitness_and_size
from unweave.metrics.dependence import LatentDependence, latent_dependence
from unweave.metrics.downstream import Downstream, downstream_accuracy
from unweave.metrics.evaluation import evaluate
from unweave.metrics.explicitness import Explicitness, explicitness
from unweave.metrics.factor_dependence import FactorDependence
from unweave.metrics.factor_vae_score import FactorVAEScore, factor_vae_score
from unweave.metrics.identifiability import MCC, LinearR2, linear_r2, mean_correlation_coefficient
from unweave.metrics.infomec import InfoMEC, infomec
from unweave.metrics.irs import IRS, interventional_robustness_score
from unweave.metrics.known_codes import KNOWN_CODES, Case, KnownCode
from unweave.metrics.mean_against_sample import MeanAgainstSample, mean_against_sample
from unweave.metrics.med import MED, mutual_information_entropy_disentanglement
from unweave.metrics.metric import Metric, score
from unweave.metrics.mig import MIG, RMIG, mutual_information_gap, robust_mutual_information_gap
from unweave.metrics.mig_sup import DCIMIG, JEMMIG, MIGSup, dcimig, jemmig, mig_sup
from unweave.metrics.modularity import Modularity, modularity
from unweave.metrics.nk import NK, neuron_knockout
from unweave.metrics.noise import Noise
from unweave.metrics.omes import OMES, omes
from unweave.metrics.pipe import posterior_indifference_projection_equivalence
from unweave.metrics.posterior_mig import posterior_mutual_information_gap
from unweave.metrics.sample import Sample
from unweave.metrics.sap import SAP, separated_attribute_predictability
from unweave.metrics.score import Chance, Measurement, Score
from unweave.metrics.scores import Scores
from unweave.metrics.snc import SNC, single_neuron_classification
from unweave.metrics.stress import stress, stress_seconds
from unweave.metrics.stress_result import Answer, ErrorRate, MetricStress, Stress
from unweave.metrics.subspaces import SubspaceAngle, subspace_angle
from unweave.metrics.t_mex import TMEX, measurement_exclusivity
from unweave.metrics.tad import TAD, total_auroc_difference
from unweave.metrics.udr import unsupervised_disentanglement_ranking
from unweave.metrics.unfairness import Unfairness, unfairness

__all__ = [
    "Answer",
    "BEST_WHEN_SMALL",
    "BY_DEFAULT",
    "BetaVAEScore",
    "Case",
    "Chance",
    "Comparison",
    "DCI",
    "DCIES",
    "DCIMIG",
    "Difference",
    "Downstream",
    "ErrorRate",
    "Explicitness",
    "FactorDependence",
    "FactorVAEScore",
    "GROUPED",
    "IRS",
    "InfoMEC",
    "JEMMIG",
    "KNOWN_CODES",
    "KnownCode",
    "LABEL_FREE",
    "LatentDependence",
    "LinearR2",
    "MCC",
    "MED",
    "METRICS",
    "MIG",
    "MIGSup",
    "MeanAgainstSample",
    "Measurement",
    "Metric",
    "MetricStress",
    "Modularity",
    "NK",
    "Noise",
    "OMES",
    "RMIG",
    "SAP",
    "SNC",
    "Sample",
    "Score",
    "Scores",
    "Stress",
    "SubspaceAngle",
    "TAD",
    "Unfairness",
    "TMEX",
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
    "mean_against_sample",
    "mean_correlation_coefficient",
    "measurement_exclusivity",
    "mig_sup",
    "modularity",
    "mutual_information_entropy_disentanglement",
    "mutual_information_gap",
    "neuron_knockout",
    "omes",
    "posterior_indifference_projection_equivalence",
    "posterior_mutual_information_gap",
    "robust_mutual_information_gap",
    "score",
    "separated_attribute_predictability",
    "single_neuron_classification",
    "stress",
    "stress_seconds",
    "subspace_angle",
    "total_auroc_difference",
    "unfairness",
    "unsupervised_disentanglement_ranking",
]
