"""Metrics of disentanglement: functions of two arrays, codes and factors, that return a score."""

from unweave.metrics.evaluation import METRICS, evaluate
from unweave.metrics.mig import mutual_information_gap
from unweave.metrics.posterior_mig import posterior_mutual_information_gap
from unweave.metrics.sap import separated_attribute_predictability
from unweave.metrics.score import Chance, Details, Score, Scores
from unweave.metrics.significance import Noise

__all__ = [
    "METRICS",
    "Chance",
    "Details",
    "Noise",
    "Score",
    "Scores",
    "evaluate",
    "mutual_information_gap",
    "posterior_mutual_information_gap",
    "separated_attribute_predictability",
]
