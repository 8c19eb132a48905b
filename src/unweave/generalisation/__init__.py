"""How well factors are read from codes, and images reconstructed, where nothing was learnt."""

from unweave._extras import require

require("models", needed_by="unweave.generalisation")

from unweave.generalisation.gap import Gap
from unweave.generalisation.generalise import Generalisation, generalise
from unweave.generalisation.readouts import READOUTS
from unweave.generalisation.transfer import FactorTransfer, Labelled, Transfer, read_out_transfer

__all__ = [
    "READOUTS",
    "FactorTransfer",
    "Gap",
    "Generalisation",
    "Labelled",
    "Transfer",
    "generalise",
    "read_out_transfer",
]
