"""`unweave geomancer`."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

import unweave
from unweave._memory import peak_memory
from unweave.cli.console import counted, patience, print_json, print_line
from unweave.cli.options import Flag, Json, NumpySeed, Patterns, within

if TYPE_CHECKING:
    from unweave.datasets.manifolds import ManifoldSample

__all__ = ["geomancer"]

_FIGURES = (".png", ".svg", ".pdf")


def geomancer(
    source: str,
    *,
    codes: Patterns | None = None,
    points: Annotated[int, within(2, 10_000_000)] = 10_000,
    dims: Annotated[int, within(1, 1_000_000)] | None = None,
    noise: Annotated[float, within(0, 1e30)] = 0.0,
    rotate: Flag = False,
    density: Annotated[float, within(-100, 100)] = 0.0,
    condition: Annotated[float, within(1, 1e12)] = 1.0,
    factors: Annotated[int, within(1, 1_000_000)] | None = None,
    neighbors: Annotated[int, within(1, 10_000_000)] | None = None,
    tangent_neighbors: Annotated[int, within(1, 10_000_000)] | None = None,
    reference: Flag = False,
    save: Annotated[Path | None, Parameter(name="--out")] = None,
    figure: Path | None = None,
    json: Json = False,  # noqa: A002
    seed: NumpySeed = 0,
) -> None:
    """Split the manifold SOURCE into its factors by its geometry alone.

    Parameters
    ----------
    source
        A product of manifolds to draw points from, as "S^2 x SO(3)" (also RP^2, V(4,2), H^2), or a
        file of points (samples, features): .npy, .npz, .csv, .tsv, .parquet or .h5ad.
    codes
        Arrays or columns of the file that are the points, as 'z*'. By default: the array `points`
        or `codes`, or the only one; columns named z0, code_1 or latent_2, or else all columns.
    points
        Number of points to draw.
    dims
        Dimension of the manifold of a file; by default it is estimated.
    noise
        Standard deviation of noise on the points drawn.
    rotate
        Rotate the space that points are drawn in, so that no coordinate belongs to one factor.
    density
        Draw points with a density proportional to exp(density x) along a coordinate x of each
        factor; 0 is uniform.
    condition
        Condition number of a random linear map of the space; above 1, factors are not orthogonal.
    factors
        Number of factors; by default it is estimated.
    neighbors
        Number of neighbours in the graph; by default twice the dimension.
    tangent_neighbors
        Number of neighbours that tangents are fitted to; more of them tolerate more noise.
    reference
        Use the settings of the paper.
    save
        Write eigenvalues, dims and a basis of each subspace into this .npz.
    figure
        Draw spectrum, subspaces at a point and, if the truth is known, errors: .png, .svg or .pdf.
    json
        Print JSON instead of lines.
    seed
        Seed for drawing points, the eigensolver and clustering.
    """
    from unweave.cli.arrays import read_points
    from unweave.cli.files import READERS
    from unweave.datasets.manifolds import parse_manifold
    from unweave.geometry import Geomancer
    from unweave.metrics.subspace_error import subspace_error

    if figure is not None:
        from unweave._check import check_choice

        check_choice("kind of figure", figure.suffix, _FIGURES)
    sample: ManifoldSample | None = None
    if Path(source).suffix.lower() in READERS or Path(source).exists():
        cloud = read_points(Path(source), codes)
    else:
        product = parse_manifold(source)
        dims = product.dim if dims is None else dims
        sample = product.sample(
            points,
            random_state=seed,
            noise=noise,
            rotate=rotate,
            density=density,
            condition=condition,
        )
        cloud = sample.points
    model = (Geomancer.reference if reference else Geomancer)(dims, random_state=seed)
    model.set_params(
        n_factors="gap" if factors is None else factors,
        n_neighbors=neighbors,
        n_tangent_neighbors=tangent_neighbors,
    )
    start = time.perf_counter()
    with patience("splitting"):
        model.fit(cloud)
    seconds = time.perf_counter() - start
    error = None if sample is None else subspace_error(model.subspaces_, sample.tangents)
    content = _content(model, error, seconds)
    if save is not None:
        _write(save, model)
    if figure is not None:
        _draw(figure, model, sample, error)
    if json:
        print_json({"unweave": unweave.__version__, "source": source, "n": len(cloud), **content})
        return
    _print(source, content)


def _content(model: Any, error: Any, seconds: float) -> dict[str, Any]:
    memory = peak_memory()
    return {
        "n_factors": model.n_factors_,
        "dims": [int(d) for d in model.dims_],
        "flat_dims": model.n_flat_dims_,
        "eigenvalues": [float(v) for v in model.eigenvalues_],
        "gap": model.gap_,
        "confidence": model.confidence_,
        "dimension": {
            "used": model.n_dims_,
            "estimate": None if math.isnan(model.dimension_) else model.dimension_,
            "standard_error": None if math.isnan(model.dimension_) else model.dimension_error_,
        },
        "angle_error": error
        and {
            "mean": error.mean,
            "median": error.median,
            "chance": error.chance_mean,
            "dims_match": error.dims_match,
        },
        "seconds": {**model.seconds_, "all": seconds},
        "peak_memory_mb": None if memory is None else memory / 2**20,
    }


def _print(source: str, content: dict[str, Any]) -> None:
    dimension, seconds = content["dimension"], content["seconds"]["all"]
    lines = [
        f"{source}: {_found(content)}",
        f"eigenvalues: {', '.join(f'{v:.4g}' for v in content['eigenvalues']) or 'none'}",
        f"gap: {content['gap']:.4g}, confidence {content['confidence']:.2f}",
        f"dimension: {dimension['used']} used; {_estimate(dimension)}",
    ]
    if content["angle_error"] is not None:
        lines.append(_angle(content["angle_error"]))
    memory = content["peak_memory_mb"]
    lines.append(f"{seconds:.1f} s" + ("" if memory is None else f", {memory:.0f} MB at most"))
    for line in lines:
        print_line(line)


def _found(content: dict[str, Any]) -> str:
    dims, flat = " + ".join(map(str, content["dims"])), content["flat_dims"]
    if content["n_factors"] == 1:
        found = (
            f"no separate factors found: one manifold of {counted(content['dims'][0], 'dimension')}"
        )
    else:
        found = f"{counted(content['n_factors'], 'factor')} of {dims} dimensions"
    if flat:
        which = f"{counted(flat, 'dimension')} {'is' if flat == 1 else 'are'} flat"
        return f"{found}; {which}, and flat factors cannot be separated"
    return found


def _estimate(dimension: dict[str, Any]) -> str:
    value, error = dimension["estimate"], dimension["standard_error"]
    if value is None:
        return "it cannot be estimated"
    if error == 0:
        return f"estimate {value:.0f}, by the spread of neighbourhoods"
    return f"estimate {value:.2f} with standard error {error:.2f}"


def _angle(error: dict[str, Any]) -> str:
    if not error["dims_match"]:
        return "angle to the true subspaces: none, since they have other dimensions"
    return (
        f"angle to the true subspaces: mean {error['mean']:.4f}, median {error['median']:.4f} rad; "
        f"chance {error['chance']:.2f}"
    )


def _write(file: Path, model: Any) -> None:
    import numpy as np

    from unweave._storage import written_whole

    bases: dict[str, Any] = {f"subspace_{i}": basis for i, basis in enumerate(model.subspaces_)}
    with written_whole(file) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, eigenvalues=model.eigenvalues_, dims=model.dims_, **bases)


def _draw(file: Path, model: Any, sample: ManifoldSample | None, error: Any) -> None:
    from unweave._storage import written_whole
    from unweave.geometry.figure import draw

    if sample is None:
        drawn = draw(model)
    else:
        drawn = draw(model, sample.tangents, error.per_point, error.chance_mean)
    with written_whole(file) as temporary:
        drawn.savefig(temporary, format=file.suffix[1:], dpi=150)
