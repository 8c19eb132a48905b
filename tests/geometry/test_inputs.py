"""What `Geomancer` takes besides arrays."""

import numpy as np
import pytest
import torch

from unweave.geometry import Geomancer


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
