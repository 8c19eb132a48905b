"""`unweave geomancer`."""

from __future__ import annotations

import resource
import time
import warnings
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

import unweave
from unweave.cli.console import err, out, patience, print_json
from unweave.datasets.cache import written_whole
from unweave.datasets.manifolds import ManifoldSample, parse_manifold

__all__ = ["geomancer"]


def geomancer(
    source: str,
    *,
    points: int = 10_000,
    dims: int | None = None,
    noise: float = 0.0,
    rotate: Annotated[bool, Parameter(negative="")] = False,
    reference: Annotated[bool, Parameter(negative="")] = False,
    save: Annotated[Path | None, Parameter(name="--out")] = None,
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,  # noqa: A002
    seed: int = 0,
) -> None:
    """Split the manifold SOURCE into its factors by its geometry alone.

    Parameters
    ----------
    source
        A product of manifolds to draw points from, as "S^2 x SO(3)" (also RP^2, V(4,2), H^2), or a
        .npy file of points (samples, features).
    points
        How many points to draw.
    dims
        Dimensions of the manifold of a file; without it they are estimated.
    noise
        Standard deviation of noise on the points drawn.
    rotate
        Rotate the space that points are drawn in, so that no coordinate belongs to one factor.
    reference
        The settings of the paper.
    save
        Write eigenvalues, dims and a basis of each subspace into this .npz.
    json
        Print JSON instead of lines.
    seed
        Of points, eigensolver and clustering.
    """
    from unweave.geometry import Geomancer

    sample: ManifoldSample | None = None
    if source.endswith(".npy"):
        cloud = _read(Path(source))
    else:
        product = parse_manifold(source)
        dims = product.dim if dims is None else dims
        sample = product.sample(points, random_state=seed, noise=noise, rotate=rotate)
        cloud = sample.points
    model = (Geomancer.reference if reference else Geomancer)(dims, random_state=seed)
    start = time.perf_counter()
    with patience("splitting"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(cloud)
    for warning in caught:
        err.print(f"warning: {warning.message}", style="yellow", markup=False, soft_wrap=True)
    content = _content(model, sample, time.perf_counter() - start)
    if save is not None:
        _write(save, model)
    if json:
        print_json({"unweave": unweave.__version__, "source": source, "n": len(cloud), **content})
        return
    _print(source, content)


def _content(model: Any, sample: ManifoldSample | None, seconds: float) -> dict[str, Any]:
    from unweave.metrics.subspace_error import subspace_error

    error = None
    if sample is not None:
        found = subspace_error(model.subspaces_, sample.tangents)
        error = {
            "mean": found.mean,
            "median": found.median,
            "chance": found.chance_mean,
            "dims_match": found.dims_match,
        }
    return {
        "n_factors": model.n_factors_,
        "dims": [int(d) for d in model.dims_],
        "eigenvalues": [float(v) for v in model.eigenvalues_],
        "gap": model.gap_,
        "confidence": model.confidence_,
        "angle_error": error,
        "seconds": {**model.seconds_, "all": seconds},
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _print(source: str, content: dict[str, Any]) -> None:
    dims = " + ".join(map(str, content["dims"]))
    lines = [
        f"{source}: {content['n_factors']} factor(s), of {dims} dimensions",
        f"eigenvalues: {', '.join(f'{v:.4g}' for v in content['eigenvalues'])}",
        f"gap: {content['gap']:.4g}, confidence {content['confidence']:.2f}",
    ]
    if content["angle_error"] is not None:
        error = content["angle_error"]
        lines.append(
            f"angle to the true subspaces: mean {error['mean']:.4f}, median {error['median']:.4f} "
            f"rad; chance {error['chance']:.2f}"
        )
    seconds, memory = content["seconds"]["all"], content["peak_memory_mb"]
    lines.append(f"{seconds:.1f} s, {memory:.0f} MB at most")
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def _write(file: Path, model: Any) -> None:
    bases: dict[str, Any] = {f"subspace_{i}": basis for i, basis in enumerate(model.subspaces_)}
    with written_whole(file) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, eigenvalues=model.eigenvalues_, dims=model.dims_, **bases)


def _read(file: Path) -> np.ndarray:
    if not file.is_file():
        raise FileNotFoundError(f"no file at {file}")
    try:
        return np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{file} is no .npy file of numbers: {error}") from error
