"""Metrics of disentanglement: functions of two arrays, codes and factors, that return a score."""

from unweave.metrics.beta_vae_score import BetaVAEScore, beta_vae_score
from unweave.metrics.catalogue import BEST_WHEN_SMALL, GROUPED, LABEL_FREE, METRICS
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
from unweave.metrics.med import MED, mutual_information_entropy_disentanglement
from unweave.metrics.metric import Metric, score
from unweave.metrics.mig import MIG, RMIG, mutual_information_gap, robust_mutual_information_gap
from unweave.metrics.mig_sup import DCIMIG, JEMMIG, MIGSup, dcimig, jemmig, mig_sup
from unweave.metrics.modularity import Modularity, modularity
from unweave.metrics.noise import Noise
from unweave.metrics.pipe import posterior_indifference_projection_equivalence
from unweave.metrics.posterior_mig import posterior_mutual_information_gap
from unweave.metrics.sample import Sample
from unweave.metrics.sap import SAP, separated_attribute_predictability
from unweave.metrics.score import Chance, Measurement, Score
from unweave.metrics.scores import Scores
from unweave.metrics.snc import SNC, single_neuron_classification
from unweave.metrics.subspaces import SubspaceAngle, subspace_angle
from unweave.metrics.t_mex import TMEX, measurement_exclusivity
from unweave.metrics.udr import unsupervised_disentanglement_ranking

__all__ = [
    "BEST_WHEN_SMALL",
    "BetaVAEScore",
    "Chance",
    "Comparison",
    "DCI",
    "DCIES",
    "DCIMIG",
    "Difference",
    "Downstream",
    "Explicitness",
    "FactorDependence",
    "FactorVAEScore",
    "GROUPED",
    "IRS",
    "InfoMEC",
    "JEMMIG",
    "LABEL_FREE",
    "LatentDependence",
    "LinearR2",
    "MCC",
    "MED",
    "METRICS",
    "MIG",
    "MIGSup",
    "Measurement",
    "Metric",
    "Modularity",
    "Noise",
    "RMIG",
    "SAP",
    "SNC",
    "Sample",
    "Score",
    "Scores",
    "SubspaceAngle",
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
    "mean_correlation_coefficient",
    "measurement_exclusivity",
    "mig_sup",
    "modularity",
    "mutual_information_entropy_disentanglement",
    "mutual_information_gap",
    "posterior_indifference_projection_equivalence",
    "posterior_mutual_information_gap",
    "robust_mutual_information_gap",
    "score",
    "separated_attribute_predictability",
    "single_neuron_classification",
    "subspace_angle",
    "unsupervised_disentanglement_ranking",
]
