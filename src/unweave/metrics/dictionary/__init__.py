"""Metrics of dictionaries, such as sparse autoencoders, whose true features are known."""

from unweave.metrics.dictionary.dictionary import Dictionary
from unweave.metrics.dictionary.evaluation import score_dictionary
from unweave.metrics.dictionary.matching import Matching, match_directions
from unweave.metrics.dictionary.stability import dictionary_stability

__all__ = [
    "Dictionary",
    "Matching",
    "dictionary_stability",
    "match_directions",
    "score_dictionary",
]
