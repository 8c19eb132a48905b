"""Encoders from images to codes: pretrained, trained here, plain, or a user's own."""

from unweave._extras import require

require("models", needed_by="unweave.encoders")

from unweave.encoders.encoder import Card, Encoder
from unweave.encoders.encoding import encode_rows, save_codes
from unweave.encoders.loading import FAMILIES, load_encoder
from unweave.encoders.preprocessing import Preprocessing
from unweave.encoders.protocols import PROTOCOLS, chosen_protocol
from unweave.encoders.readouts import READOUTS, read_out

__all__ = [
    "FAMILIES",
    "PROTOCOLS",
    "READOUTS",
    "Card",
    "Encoder",
    "Preprocessing",
    "chosen_protocol",
    "encode_rows",
    "load_encoder",
    "read_out",
    "save_codes",
]
