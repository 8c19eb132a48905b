"""`unweave symmetry`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from unweave._bounds import MOST_ROWS
from unweave.cli.console import patience, print_json, print_line, print_table
from unweave.cli.options import Json, NumpySeed, within

__all__ = ["symmetry"]

_ROWS = 2_000  # drawn again and again from a dataset that has fewer


def symmetry(
    encoder: str,
    /,
    *,
    dataset: str = "torus",
    rows: Annotated[int, within(2, MOST_ROWS)] | None = None,
    analogies: Annotated[int, within(1, 10_000_000)] = 500,
    seed: NumpySeed = 0,
    weights: Path | None = None,
    json: Json = False,  # noqa: A002
) -> None:
    """Check the symmetry-based definition of disentanglement on the codes of ENCODER.

    The generators that lie_group_vae learnt are compared with the groups of the dataset.

    Parameters
    ----------
    encoder
        As run:FOLDER, pixels or pca:10 (`unweave encoders list`).
    dataset
        Dataset that is a full grid and on which groups are known to act, as torus or dsprites.
    rows
        Number of images that are moved; by default 2,000.
    analogies
        Number of analogies for each group.
    seed
        Seed for drawing rows, group elements and chance.
    weights
        File of weights, instead of the published weights from this machine's caches.
    json
        Print JSON instead of a table.
    """
    import numpy as np

    from unweave.datasets import CyclicShift, load
    from unweave.datasets.dataset import need_grid
    from unweave.datasets.selection import check_n_rows
    from unweave.encoders import load_encoder
    from unweave.symmetry import analogy_accuracy, check_definition, linear_symmetry_distance

    images = need_grid(load(dataset), "groups move one factor at a time")
    if not images.symmetries:
        raise ValueError(
            f"no group is known to act on the images of {images.name}: use torus or dsprites, or "
            "declare its symmetries in Python (docs/symmetry.md)"
        )
    rows = _ROWS if rows is None else check_n_rows(images, rows)
    loaded = load_encoder(encoder, dataset=images, seed=seed, weights=weights)

    def encode(indices: np.ndarray) -> np.ndarray:
        return loaded.encode(images.images(indices))

    groups = images.symmetries
    with patience("moving images"):
        verdict = check_definition(encode, images, n_rows=rows, seed=seed)
    with patience("asking analogies"):
        answers = {
            g.factor: analogy_accuracy(encode, images, g, n_analogies=analogies, seed=seed)
            for g in groups
        }
    distance = None
    if all(isinstance(g, CyclicShift) for g in groups) and len(groups) == images.space.n_factors:
        with patience("turning codes back"):
            sizes = images.space.sizes
            distance = linear_symmetry_distance(
                encode(np.arange(len(images))), sizes, names=images.space.names, seed=seed
            )
    with patience("comparing generators"):
        matches = _matches(loaded, encode, images, rows=max(100, rows), seed=seed)
    if json:
        print_json(_content(verdict, answers, distance, matches))
        return
    print_line(str(verdict))
    table = [
        (
            name,
            f"{verdict.dimensions[name]}",
            f"{verdict.action.per_group[name]:.3f}",
            f"{verdict.equivariance.per_group[name]:.3f}",
            f"{verdict.decomposition.per_group[name]:.3f}",
            f"{found.parallelogram:.3f}",
            f"{found.action:.3f}",
            f"{found.chance:.3f}",
        )
        for name, found in answers.items()
    ]
    columns = ("group of", "dimensions", "action", "equivariance", "leakage",
               "parallelogram", "by action", "chance")  # fmt: skip
    print_table("errors, and analogies answered rightly", columns, table)
    if distance is not None:
        assert distance.interval is not None
        assert distance.chance is not None
        low, high = distance.interval
        print_line(
            f"D_LSBD {float(distance):.4f} [{low:.4f}, {high:.4f}], chance "
            f"{distance.chance.mean:.4f} ± {distance.chance.sd:.4f}, p = {distance.p_value:.2g}; "
            f"0 is best (n = {distance.n_samples:,}, seed {seed})",
        )
    for match in matches:
        print_line(str(match))


def _matches(loaded: Any, encode: Any, images: Any, *, rows: int, seed: int) -> Any:
    """How learnt generators match the groups; empty where an encoder has none."""
    from unweave.encoders.run import RunEncoder
    from unweave.models.lie_group import decode_matrices, learnt_generators
    from unweave.symmetry import compare_generators

    if not isinstance(loaded, RunEncoder):
        return ()
    network = loaded.model.network
    if network is None or network.matrix_size is None:
        return ()
    return compare_generators(
        encode,
        learnt_generators(loaded.model),
        images,
        decode=lambda matrices: decode_matrices(loaded.model, matrices),
        n_rows=rows,
        seed=seed,
    )


def _content(verdict: Any, answers: Any, distance: Any, matches: Any) -> dict[str, Any]:
    conditions = {
        condition.name: {
            "holds": condition.holds,
            "error": condition.error,
            "chance": condition.chance.to_dict(),
            "p_value": condition.p_value,
            "per_group": condition.per_group,
        }
        for condition in verdict.conditions
    }
    return {
        "is_disentangled": verdict.is_disentangled,
        "conditions": conditions,
        "dimensions": verdict.dimensions,
        "leakage": verdict.leakage.tolist(),
        "independence": verdict.independence,
        "analogies": {name: vars(found) for name, found in answers.items()},
        "d_lsbd": distance.to_dict() if distance is not None else None,
        **({"generators": [match.to_dict() for match in matches]} if matches else {}),
        "n": verdict.n,
        "seed": verdict.seed,
    }
