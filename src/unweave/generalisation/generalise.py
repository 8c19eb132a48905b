"""How well an encoder generalises from one part of a dataset to the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unweave._check import check_positive
from unweave.datasets import FactorDataset, Split
from unweave.datasets.dataset import need_factors
from unweave.encoders import Encoder, encode_rows
from unweave.generalisation.gap import Gap
from unweave.generalisation.reconstruction import reconstruction_gap
from unweave.generalisation.targets import moments_of
from unweave.generalisation.transfer import Labelled, Transfer, read_out_transfer

__all__ = ["Generalisation", "generalise"]


@dataclass(frozen=True)
class Generalisation:
    """What is read from an encoder's codes, and reconstructed, on both parts of a dataset."""

    transfers: Mapping[str, Transfer]
    """Result of each read-out, by its name."""
    reconstruction: Gap | None
    """Squared error of a pixel; None if the encoder has no decoder."""
    n_latents: int
    n_learnt: int
    """Rows of the training part that read-outs learnt from."""
    n_train: int
    """Other rows of the training part, to be judged on."""
    n_held_out: int
    """Rows of the held-out part."""
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and dicts, for JSON."""
        found = self.reconstruction
        return {
            "n_latents": self.n_latents,
            "n_learnt": self.n_learnt,
            "n_train": self.n_train,
            "n_held_out": self.n_held_out,
            "seed": self.seed,
            "readouts": {name: one.to_dict() for name, one in self.transfers.items()},
            "reconstruction": None if found is None else found.to_dict(),
        }


def generalise(
    encoder: Encoder,
    split: Split | tuple[FactorDataset, FactorDataset],
    *,
    readouts: Sequence[str] | Mapping[str, Any] = ("ridge", "mlp"),
    rows: int = 5_000,
    n_bootstrap: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Generalisation:
    """How well factors are read and images reconstructed where nothing was learnt.

    Read-outs learn on some rows of the training part, and are judged on other rows of it and on
    rows of the held-out part. The encoder should have seen the training part alone.

    Parameters
    ----------
    encoder
        As :func:`~unweave.encoders.load_encoder` returns it.
    split
        Training part and held-out part, as of :func:`~unweave.datasets.split`.
    readouts, n_bootstrap
        As of :func:`~unweave.generalisation.read_out_transfer`.
    rows
        Rows to learn from, and rows of either part to be judged on. Where the training part has
        fewer than twice as many, it is cut in halves; of the held-out part all are taken where
        there are fewer.
    seed
        Seed of rows, read-outs and draws.
    progress
        Called with (images encoded, total).

    Raises
    ------
    ValueError
        If the parts are not images of one kind with the same factors, or too few; if the encoder
        gives one code for all images, or codes that are not finite.

    >>> from unweave.datasets import Torus, split
    >>> from unweave.encoders import load_encoder
    >>> parts = split(Torus(), "composition", factors=["x", "y"])
    >>> found = generalise(load_encoder("pixels"), parts, readouts=["ridge"], rows=200)
    >>> found.n_latents, found.n_held_out
    (1024, 200)
    """
    train, held_out = (need_factors(part, "generalisation is read from factors") for part in split)
    _check_alike(train, held_out)
    n = check_positive("rows", rows)
    drawn = train.sample_labelled(min(2 * n, _n_labelled(train)), seed=seed)
    judged = held_out.sample_labelled(min(n, _n_labelled(held_out)), seed=seed)
    half = len(drawn) - len(drawn) // 2
    total = len(drawn) + len(judged)

    def report(before: int) -> Callable[[int, int], None] | None:
        return (lambda done, _: progress(before + done, total)) if progress else None

    codes = encode_rows(encoder, train, drawn, progress=report(0))
    new_codes = encode_rows(encoder, held_out, judged, progress=report(len(drawn)))
    factors = train.factors(drawn)
    moments = moments_of(train) + moments_of(held_out)
    transfers = read_out_transfer(
        Labelled(codes[:half], factors[:half]),
        Labelled(codes[half:], factors[half:]),
        Labelled(new_codes, held_out.factors(judged)),
        train.scored,
        variances=moments.variances,
        readouts=readouts,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    reconstruction = reconstruction_gap(
        encoder,
        (train, held_out),
        (drawn[half:], judged),
        (codes[half:], new_codes),
        drawn[:half],
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    return Generalisation(
        transfers,
        reconstruction,
        n_latents=codes.shape[1],
        n_learnt=half,
        n_train=len(drawn) - half,
        n_held_out=len(judged),
        seed=seed,
    )


def _n_labelled(dataset: FactorDataset) -> int:
    known = dataset.labelled_rows
    return len(dataset) if known is None else len(known)


def _check_alike(train: FactorDataset, held_out: FactorDataset) -> None:
    if train.image_shape != held_out.image_shape:
        raise ValueError(
            f"images to learn from are of shape {train.image_shape}, and those held out of shape "
            f"{held_out.image_shape}: take both parts of one dataset"
        )
    if train.scored != held_out.scored:
        raise ValueError(
            f"images to learn from have the factors {', '.join(train.factor_names)}, and those "
            f"held out {', '.join(held_out.factor_names)}, or other levels: take both parts of one "
            "dataset"
        )
