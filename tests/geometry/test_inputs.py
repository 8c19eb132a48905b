"""What `Geomancer` takes besides arrays."""

import numpy as np
import pandas as pd
import pytest
import torch

from unweave.geometry import (
    Geomancer,
    ManifoldWalker,
    holonomy,
    intrinsic_dimension,
    pca_tangents,
    quadratic_tangents,
    rotation_angles,
    spherical_area,
    transport,
)
from unweave.geometry.graph import nearest_neighbours
from unweave.metrics.subspace_error import subspace_error
from unweave.symmetry import by_rotation, by_transport


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, 300)
    return np.stack([np.cos(angles), np.sin(angles), 0.5 * np.cos(angles)], axis=1)


def axes_of(points, **options):
    return Geomancer(1, random_state=0).fit(points, **options).axes_


def test_tensors_and_masked_arrays_are_as_good_as_arrays(points):
    right = axes_of(points)
    for same in (
        torch.tensor(points, requires_grad=True),
        torch.tensor(points.T.copy()).T,
        torch.tensor(points).to_sparse(),
        np.ma.array(points),
        points.tolist(),
    ):
        np.testing.assert_array_equal(axes_of(same), right)
    half = torch.tensor(points, dtype=torch.bfloat16, requires_grad=True)
    np.testing.assert_array_equal(axes_of(half), axes_of(half.detach().double().numpy()))
    fitted = Geomancer(1, random_state=0).fit(points)
    np.testing.assert_array_equal(fitted.transform(torch.tensor(points[:5])), right[:5])
    given = axes_of(points, tangents=torch.tensor(right, requires_grad=True))
    np.testing.assert_allclose(np.abs(np.sum(given * right, axis=1)), 1, atol=1e-12)


def test_masked_values_are_refused_with_their_count(points):
    masked = np.ma.masked_greater(points, 0.9)
    mask = np.ma.getmaskarray(masked)
    message = f"points hold {mask.sum()} missing values .masked. in {mask.any(axis=1).sum()} rows"
    with pytest.raises(ValueError, match=message):
        Geomancer(1).fit(masked)
    with pytest.raises(ValueError, match="points hold"):
        Geomancer(1).fit(points).transform(masked)
    with pytest.raises(ValueError, match="tangents hold"):
        Geomancer(1).fit(points, tangents=masked[:, :, None])


@pytest.mark.parametrize("tangents", [np.full((20, 3, 1), np.nan), np.ones((20, 3))])
def test_tangents_that_are_no_bases_are_refused(tangents):
    with pytest.raises(ValueError, match=r"tangents must be finite, \(samples, features, dims\)"):
        Geomancer(1).fit(np.eye(20, 3), tangents=tangents)


def test_the_dimension_is_that_of_any_container(points):
    right = intrinsic_dimension(points)
    for same in (
        torch.tensor(points, requires_grad=True),
        points.tolist(),
        list(torch.tensor(points)),
        pd.DataFrame(points),
        pd.DataFrame(points, columns=["a", "b", "c"]),
        np.ma.array(points),
    ):
        assert intrinsic_dimension(same) == right


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.arange(20.0), r"\(samples, features\), not of 1 axes"),
        (np.zeros((20, 3, 2)), r"\(samples, features\), not of 3 axes"),
        (np.zeros((0, 3)), r"Found array with 0 sample\(s\)"),
        ([], "not of 1 axes"),
        (np.full((20, 3), np.nan), "contains NaN"),
        (np.full((20, 3), np.inf), "contains infinity"),
        (np.ones((20, 3), dtype=complex), "Complex data not supported$"),
        ([["a", "b"]] * 20, "could not convert string to float: 'a'"),
        ([[1, 2], [3]], "inhomogeneous"),
    ],
)
def test_points_that_cannot_be_used_are_refused_in_a_sentence(bad, message):
    with pytest.raises(ValueError, match="points must be a finite array of numbers.*" + message):
        intrinsic_dimension(bad)
    with pytest.raises(ValueError, match="points must be a finite array of numbers.*" + message):
        ManifoldWalker(bad, np.ones((20, 3, 1)))


def masked_of(points):
    """Points (300, 3) with masked values, in all the ways in which they come."""
    mask = points > 0.9
    rows = [np.ma.array(x, mask=m) for x, m in zip(points, mask, strict=True)]
    lists = [
        [np.ma.masked if hidden else float(x) for x, hidden in zip(*row, strict=True)]
        for row in zip(points, mask, strict=True)
    ]
    return [np.ma.array(points, mask=mask), rows, tuple(rows), lists]


def test_masked_points_are_refused_however_they_come(points):
    n = (points > 0.9).sum()
    tangents = np.ones((*points.shape, 1))
    near = nearest_neighbours(points, 8)
    for masked in masked_of(points):
        for use in (
            Geomancer(1).fit,
            Geomancer(1).fit(points).transform,
            intrinsic_dimension,
            lambda x: ManifoldWalker(x, tangents),
            lambda x: pca_tangents(x, near, 1),
            lambda x: quadratic_tangents(x, near, tangents),
        ):
            with pytest.raises(ValueError, match=f"points hold {n} missing values .masked. in"):
                use(masked)


def test_masked_tangents_and_vectors_are_refused(points):
    tangents = np.full((*points.shape, 1), 3**-0.5)
    hidden = np.ma.array(tangents, mask=points[:, :, None] > 0.9)
    vectors, right = hidden[:, :, 0], tangents[:, :, 0]
    walker, near = ManifoldWalker(points, tangents), nearest_neighbours(points, 8)
    for use in (
        lambda: ManifoldWalker(points, hidden),
        lambda: walker.go(vectors, right),
        lambda: walker.go(points, vectors),
        lambda: walker.go(points, right, vectors),
        lambda: transport(hidden, [0, 1]),
        lambda: holonomy(list(hidden), [0, 1]),
        lambda: quadratic_tangents(points, near, hidden),
        lambda: subspace_error([hidden], [tangents]),
        lambda: rotation_angles(np.ma.array(np.eye(2), mask=np.eye(2) > 0)),
        lambda: spherical_area(np.ma.array(np.eye(3), mask=np.eye(3) > 0)),
        lambda: by_transport(vectors, vectors, vectors),
        lambda: by_rotation(*[np.ma.masked_equal(np.eye(3)[None], 1)] * 3),
    ):
        with pytest.raises(ValueError, match=r"hold \d+ missing values .masked. in \d+ rows"):
            use()


def test_few_points_are_not_checked_and_that_is_said():
    lattice = np.stack(np.meshgrid(np.arange(3.0), np.arange(3.0)), axis=-1).reshape(-1, 2)
    with pytest.raises(ValueError, match=r"9 distinct point.s. are too few; give 10 or more"):
        Geomancer(random_state=0).fit(lattice)
    with pytest.warns(UserWarning, match="n_dims=1 is not checked: .* 9 distinct point"):
        assert np.isnan(Geomancer(1, random_state=0).fit(lattice).dimension_)
