import re
import warnings
from contextlib import nullcontext

import numpy as np
import pandas as pd
import polars as pl
import pytest

from unweave.datasets.manifolds import parse_manifold
from unweave.geometry import Geomancer, intrinsic_dimension
from unweave.geometry.figure import draw
from unweave.metrics.subspace_error import (
    _whitening,
    subspace_error,
    unaligned_subspace_error,
)


@pytest.mark.parametrize(
    ("name", "n", "dims", "bound"),
    [
        # The bounds of the figures to reach, most at fewer points than they were set for.
        ("S^2 x S^2", 1000, [2, 2], 0.03),
        ("S^2 x S^2", 10_000, [2, 2], 0.0028),
        ("S^2 x SO(3)", 3000, [2, 3], 0.08),
        ("S^2 x S^2 x S^2", 1000, [2, 2, 2], 0.13),
        ("RP^2 x RP^2", 3000, [2, 2], 0.05),
        ("S^1 x S^2", 1000, [1, 2], 0.02),
        ("S^2 x S^2 x S^2 x S^2", 3000, [2, 2, 2, 2], 0.18),
    ],
)
def test_factors_are_found(name, n, dims, bound):
    sample = parse_manifold(name).sample(n, random_state=0, rotate=True)
    model = Geomancer(sum(dims), random_state=0).fit(sample.points)
    assert model.dims_.tolist() == dims
    error = subspace_error(model.subspaces_, sample.tangents)
    assert error.mean < bound < error.chance_mean / 4
    assert model.confidence_ > 0.9
    for basis in model.subspaces_:
        gram = basis.transpose(0, 2, 1) @ basis
        np.testing.assert_allclose(gram, np.tile(np.eye(basis.shape[2]), (n, 1, 1)), atol=1e-6)


def test_factors_have_one_name_everywhere():
    sample = parse_manifold("S^2 x S^2").sample(2000, random_state=0)
    model = Geomancer(4, random_state=0).fit(sample.points)
    inside = [np.sum(basis[:, :3] ** 2, axis=(1, 2)) for basis in model.subspaces_]
    # Both factors have two dimensions; the first three features belong to one of them.
    assert {round(float(np.median(share))) for share in inside} == {0, 2}
    assert all(share.std() < 0.05 for share in inside)


def test_noise_is_borne():
    sample = parse_manifold("S^2 x S^2").sample(3000, random_state=0, noise=0.01)
    model = Geomancer(4, random_state=0).fit(sample.points)
    assert subspace_error(model.subspaces_, sample.tangents).mean < 0.03


def test_more_neighbours_bear_more_noise():
    sample = parse_manifold("S^2 x S^2").sample(3000, random_state=0, noise=0.03)
    few, many = (
        Geomancer(4, n_tangent_neighbors=n, random_state=0).fit(sample.points) for n in (None, 80)
    )
    errors = [subspace_error(m.subspaces_, sample.tangents).mean for m in (few, many)]
    assert errors[1] < 0.7 * errors[0]


def test_the_dimension_is_found_when_it_is_not_given():
    sample = parse_manifold("S^2 x S^2").sample(2000, random_state=0)
    model = Geomancer(random_state=0).fit(sample.points)
    assert (model.n_dims_, model.dims_.tolist()) == (4, [2, 2])


@pytest.mark.parametrize("name", ["S^2", "S^3", "S^4"])
def test_a_sphere_is_one_factor(name):
    product = parse_manifold(name)
    points = product.sample(1500, random_state=0).points
    with pytest.warns(UserWarning, match="no gap in the spectrum"):
        model = Geomancer(product.dim, random_state=0).fit(points)
    assert model.dims_.tolist() == [product.dim]
    assert model.confidence_ < 0.35


@pytest.mark.parametrize(
    ("name", "dims", "flat", "said"),
    [
        ("S^1 x S^1 x S^2", [2, 2], 2, "2 of the 4 dimensions are flat: flat factors.* cannot be"),
        ("S^1 x S^1", [2], 2, "all 2 dimensions are flat: flat factors, as circles, cannot be sep"),
        ("S^1", [1], 0, None),
    ],
)
def test_flat_directions_come_as_one_factor(name, dims, flat, said):
    product = parse_manifold(name)
    points = product.sample(2000, random_state=0).points
    model = Geomancer(product.dim, n_neighbors=8, random_state=0)
    with pytest.warns(UserWarning, match=said) if said else nullcontext():
        model.fit(points)
    assert (model.dims_.tolist(), model.n_flat_dims_) == (dims, flat)
    # That curved factors were parted from flat ones is sure; that all is one factor is not.
    assert model.confidence_ > 0.9 if len(dims) > 1 else model.confidence_ == 0


@pytest.mark.parametrize("features", [5, 8])
def test_points_that_fill_their_space_have_no_factors(rng, features):
    cloud = rng.standard_normal((1500, 5)) @ np.linalg.qr(rng.standard_normal((features, 5)))[0].T
    with pytest.warns(UserWarning, match="fill all 5 dimensions of the space.* no factors found"):
        model = Geomancer(5, random_state=0).fit(cloud + 3)
    assert (model.n_factors_, model.dims_.tolist(), model.n_flat_dims_) == (1, [5], 5)
    assert model.confidence_ == 0
    np.testing.assert_array_equal(model.eigenvalues_, np.zeros(8))


def test_a_nearly_flat_cloud_has_no_factors(rng):
    # Noise beside the hyperplane: as many parallel tensors as can be, 0 in single precision.
    cloud = rng.standard_normal((1500, 5)) @ rng.standard_normal((5, 20))
    cloud += 1e-4 * rng.standard_normal(cloud.shape)
    with pytest.warns(UserWarning, match="all 5 dimensions are flat"):
        model = Geomancer(5, random_state=0).fit(cloud)
    assert (model.dims_.tolist(), model.n_flat_dims_, model.confidence_) == ([5], 5, 0)


def test_a_cloud_of_many_dimensions_has_no_factors(rng):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = Geomancer(random_state=0).fit(rng.standard_normal((3000, 10)))
    assert (model.n_dims_, model.n_factors_, model.confidence_) == (10, 1, 0)
    assert any("no factors found" in str(warning.message) for warning in caught)


def test_the_settings_of_the_paper_err_as_the_paper_does():
    sample = parse_manifold("S^2 x S^2").sample(1000, random_state=0)
    paper = Geomancer.reference(4, random_state=0).fit(sample.points)
    # DeepMind's code: 0.388 at 1,000 points, from the graph's neighbours of both directions.
    assert subspace_error(paper.subspaces_, sample.tangents).mean == pytest.approx(0.388, rel=0.06)


def test_new_points_get_the_axes_of_the_nearest_fitted_one():
    sample = parse_manifold("S^2 x S^2").sample(1000, random_state=0)
    model = Geomancer(4, random_state=0).fit(sample.points)
    axes = model.transform(sample.points[5:8] + 1e-9)
    np.testing.assert_array_equal(axes, np.concatenate(model.subspaces_, axis=2)[5:8])


def test_parts_are_split_one_by_one_with_a_warning():
    sample = parse_manifold("S^2 x S^2").sample(1200, random_state=0)
    far = np.concatenate([sample.points, sample.points + 100])
    with pytest.warns(
        UserWarning, match=r"falls into 2 parts, the largest of \[1200, 1200\] points"
    ):
        model = Geomancer(4, random_state=0).fit(far)
    both = [np.concatenate([basis, basis]) for basis in sample.tangents]
    assert subspace_error(model.subspaces_, both).mean < 0.03


def test_the_confidence_is_that_of_the_worst_part():
    product = parse_manifold("S^2 x S^2")
    clean, noisy = (product.sample(1200, random_state=0, noise=noise).points for noise in (0, 0.06))
    alone = [Geomancer(4, random_state=0).fit(points) for points in (clean, noisy)]
    assert alone[1].confidence_ < alone[0].confidence_ - 0.03
    for parts in ([clean, noisy + 100], [noisy, clean + 100]):
        with pytest.warns(UserWarning, match="falls into 2 parts"):
            model = Geomancer(4, random_state=0).fit(np.concatenate(parts))
        assert model.confidence_ == pytest.approx(alone[1].confidence_, abs=0.01)
        assert model.eigenvalues_[0] == pytest.approx(alone[1].eigenvalues_[0], rel=0.05)


def test_many_parts_are_one_warning(rng):
    # Each part is a sphere, which is one factor, and says so.
    sphere = parse_manifold("S^3").sample(150, random_state=0).points
    parts = np.concatenate([sphere + [10 * i, 0, 0, 0] for i in range(6)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Geomancer(3, random_state=0).fit(parts)
    (only,) = [str(warning.message) for warning in caught]
    assert "falls into 6 parts" in only
    assert "parts with no gap in the spectrum: 6" in only


def test_parts_with_other_factors_are_one_factor():
    first, second = (
        parse_manifold(name).sample(1500, random_state=0).points for name in ("S^2 x S^2", "S^4")
    )
    points = np.zeros((3000, 6))
    points[:1500], points[1500:, :5] = first, second + 100
    with pytest.warns(UserWarning, match=r"dimensions 2\+2 and 4: all are given as one factor"):
        model = Geomancer(4, random_state=0).fit(points)
    assert (model.dims_.tolist(), model.confidence_) == ([4], 0)


def test_copies_within_rounding_count_once(rng):
    sample = parse_manifold("S^2 x S^2").sample(800, random_state=0)
    plain = Geomancer(4, random_state=0).fit(sample.points)
    copies = np.repeat(sample.points, 20, axis=0) + 1e-9 * rng.standard_normal((16_000, 6))
    model = Geomancer(4, random_state=0).fit(copies)
    assert model.axes_.shape == (16_000, 6, 4)
    np.testing.assert_array_equal(model.axes_[:20], model.axes_[:1].repeat(20, axis=0))
    own = [basis.repeat(20, axis=0) for basis in plain.subspaces_]
    assert subspace_error(model.subspaces_, own).mean < 0.01


def test_the_same_seed_gives_the_same_bits():
    points = parse_manifold("S^2 x S^2").sample(800, random_state=0).points
    first, second = (Geomancer(4, random_state=3).fit(points) for _ in "ab")
    np.testing.assert_array_equal(first.axes_, second.axes_)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_dims": 9}, "n_dims=9 is more than the 3 features"),
        ({"n_dims": 0}, "n_dims must be a whole number of at least 1"),
        ({"n_dims": 2, "n_neighbors": 1}, "n_neighbors=1 cannot span a tangent space of 2"),
        ({"n_dims": 2, "n_neighbors": 100}, "n_neighbors=100 is more than the 99 other points"),
        ({"n_dims": 2, "tangent": "quadric"}, "did you mean 'quadratic'"),
        ({"n_dims": 2, "n_tangent_neighbors": 4}, "n_tangent_neighbors must be a whole number of"),
        ({"n_dims": 2, "n_factors": 5}, "n_factors=5 is more than 2 dimensions can have"),
        ({"n_dims": 2, "n_factors": "gaps"}, "did you mean 'gap'"),
    ],
)
def test_wrong_options_are_refused(rng, options, message):
    with pytest.raises(ValueError, match=message):
        Geomancer(**options).fit(rng.standard_normal((100, 3)))


def test_too_few_points_are_refused_or_said(rng):
    with pytest.raises(ValueError, match="4 sample.* cannot span tangent spaces of 4 dimensions"):
        Geomancer(4).fit(rng.standard_normal((4, 6)))
    sample = parse_manifold("S^2 x S^2").sample(21, random_state=0)
    few = pytest.warns(UserWarning, match="too few for a quadratic fit in 4 dimensions")
    with few, pytest.warns(UserWarning, match="no gap in the spectrum"):
        Geomancer(4, random_state=0).fit(sample.points)


class TestSubspaceError:
    def test_a_known_angle(self):
        true = [np.eye(3)[None, :, :1], np.eye(3)[None, :, 1:2]]
        turned = np.array([[np.cos(0.3), np.sin(0.3), 0]]).reshape(1, 3, 1)
        error = subspace_error([true[1], turned], true)
        assert error.mean == pytest.approx(0.15)

    def test_two_found_factors_cannot_be_the_same_true_one(self):
        true = [np.eye(3)[None, :, :1], np.eye(3)[None, :, 1:2]]
        near, far = (np.array([np.cos(a), np.sin(a), 0]).reshape(1, 3, 1) for a in (0.1, 0.3))
        # Both are nearest to the first: one of them has to be the second.
        error = subspace_error([near, far], true)
        assert error.mean == pytest.approx((0.1 + np.pi / 2 - 0.3) / 2)

    def test_other_dimensions_are_wrong_everywhere(self):
        basis = np.eye(4)[None].repeat(3, axis=0)
        error = subspace_error([basis], [basis[:, :, :2], basis[:, :, 2:]])
        assert not error.dims_match
        assert error.mean == pytest.approx(np.pi / 2)

    def test_chance_is_that_of_random_subspaces(self):
        # DeepMind's metric has 1.00 within the tangent space of two 2-spheres.
        sample = parse_manifold("S^2 x S^2").sample(2000, random_state=0)
        assert subspace_error(sample.tangents, sample.tangents).chance_mean == pytest.approx(
            1.0, abs=0.05
        )

    def test_other_points_are_refused(self):
        basis = np.eye(3)[None]
        with pytest.raises(ValueError, match="bases must be of the same samples"):
            subspace_error([basis], [np.concatenate([basis, basis])])


class TestUnalignedSubspaceError:
    def test_whitened_displacements_have_the_identity_as_second_moments(self, rng):
        rows = rng.standard_normal((5, 20, 3)) @ rng.standard_normal((3, 3))
        white = rows @ _whitening(rows)
        np.testing.assert_allclose(
            white.transpose(0, 2, 1) @ white, np.tile(np.eye(3), (5, 1, 1)), atol=1e-10
        )

    def test_a_rotated_copy_has_the_error_of_the_aligned_one(self, rng):
        sample = parse_manifold("S^2 x S^2").sample(1500, random_state=0)
        found = Geomancer(4, random_state=0).fit(sample.points).subspaces_
        turn = np.linalg.qr(rng.standard_normal((9, 6)))[0]  # into a space of three more features
        turned = [turn @ basis for basis in found]
        error = unaligned_subspace_error(
            turned, sample.points @ turn.T, sample.tangents, sample.points
        )
        aligned = subspace_error(found, sample.tangents).mean
        assert error.mean == pytest.approx(aligned, abs=0.02)
        assert error.mean < 0.05 < error.chance_mean / 4

    def test_the_wrong_split_is_far_off(self, rng):
        sample = parse_manifold("S^2 x S^2").sample(500, random_state=0)
        both = np.concatenate(sample.tangents, axis=2)
        mixed = both @ np.linalg.qr(rng.standard_normal((4, 4)))[0]
        wrong = [mixed[:, :, :2], mixed[:, :, 2:]]
        error = unaligned_subspace_error(wrong, sample.points, sample.tangents, sample.points)
        assert error.mean == pytest.approx(subspace_error(wrong, sample.tangents).mean)
        assert error.mean > 0.4

    def test_other_samples_are_refused(self):
        sample = parse_manifold("S^2 x S^2").sample(20, random_state=0)
        with pytest.raises(ValueError, match="samples must be the same"):
            unaligned_subspace_error(
                sample.tangents, sample.points[:9], sample.tangents, sample.points
            )


def test_repeated_points_and_constant_features_change_nothing():
    sample = parse_manifold("S^2 x S^2").sample(800, random_state=0)
    plain = Geomancer(4, random_state=0).fit(sample.points)
    wide = np.column_stack([sample.points, np.full(800, 7.0)])
    again = Geomancer(4, random_state=0).fit(np.concatenate([wide, wide[:50], wide[:50]]))
    assert again.axes_.shape == (900, 7, 4)
    np.testing.assert_array_equal(again.axes_[800:850], again.axes_[:50])
    own = [basis[:, :6] for basis in plain.subspaces_]
    assert subspace_error([b[:800, :6] for b in again.subspaces_], own).mean < 0.01


def test_many_copies_of_few_points_are_refused():
    points = np.repeat(np.random.default_rng(0).standard_normal((4, 6)), 30, axis=0)
    with pytest.raises(ValueError, match="4 sample.* give more points, no point twice"):
        Geomancer(4).fit(points)


def test_known_tangent_spaces_leave_next_to_no_error():
    sample = parse_manifold("S^2 x SO(3)").sample(2000, random_state=0)
    tangents = np.concatenate(sample.tangents, axis=2)
    mixed = tangents @ np.random.default_rng(1).standard_normal((5, 5))
    model = Geomancer(random_state=0).fit(sample.points, tangents=mixed)
    assert (model.n_dims_, model.dims_.tolist()) == (5, [2, 3])
    assert subspace_error(model.subspaces_, sample.tangents).mean < 2e-3


@pytest.mark.parametrize(
    ("tangents", "message"),
    [
        (np.ones((50, 4, 2)), r"with \(50, 3\) as the first two, not \(50, 4, 2\)"),
        (np.full((50, 3, 2), np.nan), "tangents must be finite"),
        (np.ones((50, 3, 2)), "do not span as many dimensions"),
        (np.tile(np.eye(3), (50, 1, 1)), "tangents have 3 dimensions, and n_dims=2"),
        (7.0, r"not \(\)"),
    ],
)
def test_wrong_tangent_spaces_are_refused(rng, tangents, message):
    with pytest.raises(ValueError, match=message):
        Geomancer(2).fit(rng.standard_normal((50, 3)), tangents=tangents)


def test_gamma_counts_the_eigenvalues_below_it():
    sample = parse_manifold("S^2 x S^2 x S^2").sample(1500, random_state=0)
    by_gap = Geomancer(6, random_state=0).fit(sample.points)
    middle = float(by_gap.eigenvalues_[1] + by_gap.gap_ / 2)
    by_gamma = Geomancer(6, gamma=middle, random_state=0).fit(sample.points)
    assert by_gamma.dims_.tolist() == [2, 2, 2]
    nothing = Geomancer(6, gamma=1e-9, random_state=0).fit(sample.points)
    assert nothing.dims_.tolist() == [6]
    with pytest.raises(ValueError, match="gamma is a bound on eigenvalues above 0, not -1"):
        Geomancer(6, gamma=-1).fit(sample.points)


@pytest.mark.parametrize(
    ("name", "n", "n_dims"),
    [
        ("S^2 x S^2", 1500, 3),
        ("S^2 x S^2", 1500, 5),
        ("S^2 x SO(3)", 3000, 4),
        ("S^2 x SO(3)", 3000, 6),
        ("S^2 x S^2 x S^2", 3000, 7),
    ],
)
def test_a_wrong_dimension_is_said_and_not_trusted(name, n, n_dims):
    sample = parse_manifold(name).sample(n, random_state=0, rotate=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = Geomancer(n_dims, random_state=0).fit(sample.points)
    said = [str(warning.message) for warning in caught]
    pattern = rf"of a manifold of \d\.\d dimensions, and n_dims={n_dims}"
    assert sum(bool(re.search(pattern, s)) for s in said) == 1
    assert model.confidence_ == 0
    found = intrinsic_dimension(sample.points)
    assert (model.dimension_, model.dimension_error_) == pytest.approx(found)
    assert round(model.dimension_) == sum(sample.dims)


def test_known_tangents_do_not_depend_on_the_dimension_of_the_points():
    sample = parse_manifold("S^2 x S^2 x S^2").sample(1500, random_state=0)
    with pytest.warns(UserWarning, match=r"of a manifold of .* dimensions, and n_dims=4"):
        model = Geomancer(random_state=0).fit(
            sample.points, tangents=np.concatenate(sample.tangents[:2], axis=2)
        )
    assert (model.dims_.tolist(), model.confidence_ > 0.9) == ([2, 2], True)


def test_a_dimension_that_cannot_be_estimated_is_refused_or_not_checked():
    lines = np.stack(np.meshgrid(np.arange(60.0), 100 * np.arange(20.0)), axis=-1).reshape(-1, 2)
    wide = np.column_stack([lines, np.sin(lines[:, 0])])
    with pytest.raises(ValueError, match="20 pieces that look like 1 dimension.*give n_dims"):
        Geomancer().fit(wide)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = Geomancer(2, random_state=0).fit(wide)
    assert any("n_dims=2 is not checked: the dimension" in str(w.message) for w in caught)
    assert np.isnan(model.dimension_)


def test_a_weak_gap_is_said():
    points = parse_manifold("S^2 x S^2 x S^2").sample(300, random_state=1).points
    with pytest.warns(UserWarning, match="no gap in the spectrum is clear .*may be wrong"):
        model = Geomancer(6, random_state=0).fit(points)
    assert 0.35 <= model.confidence_ < 0.55


def test_factors_that_are_not_orthogonal_are_said():
    product = parse_manifold("S^2 x S^2")
    for seed in range(4):
        points = product.sample(3000, random_state=seed, condition=5.0).points
        with pytest.warns(UserWarning, match="no gap in the spectrum"):
            model = Geomancer(4, random_state=0).fit(points)
        assert model.confidence_ < 0.55


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_axes_come_as_a_frame(library):
    frames = pytest.importorskip(library)
    sample = parse_manifold("S^1 x S^2").sample(600, random_state=0)
    names = [f"code {i}" for i in range(5)]
    points = pd.DataFrame(sample.points, columns=names, index=range(100, 700))
    model = Geomancer(3, random_state=0).set_output(transform=library)
    found = model.fit_transform(points if library == "pandas" else pl.from_pandas(points))
    assert isinstance(found, frames.DataFrame)
    assert found.shape == (600, 15)
    axes = model.set_output(transform="default").transform(points)
    assert axes.shape == (600, 5, 3)
    np.testing.assert_array_equal(found["factor1_axis0_code 2"], axes[:, 2, 1])
    np.testing.assert_array_equal(found["factor0_axis0_code 4"], axes[:, 4, 0])
    if library == "pandas":
        assert found.index.tolist() == points.index.tolist()


def test_an_estimate_between_two_dimensions_is_said():
    noisy = parse_manifold("S^2 x S^1").sample(1200, random_state=0, noise=0.05).points
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Geomancer(random_state=0).fit(noisy)
    assert any("between two numbers: 3 is used; give n_dims" in str(w.message) for w in caught)


def test_factors_are_found_where_points_are_uneven():
    sample = parse_manifold("S^2 x S^2").sample(4000, random_state=0, density=2.0)
    model = Geomancer(4, random_state=0).fit(sample.points)
    assert model.dims_.tolist() == [2, 2]
    assert subspace_error(model.subspaces_, sample.tangents).mean < 0.05


def test_the_start_from_fewer_points_changes_no_answer(monkeypatch):
    sample = parse_manifold("S^2 x SO(3)").sample(3000, random_state=0)
    with_start = Geomancer(5, random_state=0).fit(sample.points)
    monkeypatch.setattr("unweave.geometry.geomancer.coarse_fields", lambda *_: None)
    without = Geomancer(5, random_state=0).fit(sample.points)
    assert with_start.eigenvalues_[0] == pytest.approx(without.eigenvalues_[0], rel=0.01)
    assert subspace_error(with_start.subspaces_, without.subspaces_).mean < 5e-3


def test_the_picture_shows_spectrum_bases_and_errors():
    sample = parse_manifold("S^2 x S^2").sample(800, random_state=0)
    model = Geomancer(4, random_state=0).fit(sample.points)
    error = subspace_error(model.subspaces_, sample.tangents)
    figure = draw(model, sample.tangents, error.per_point, error.chance_mean)
    spectrum, found, true, errors = figure.axes
    assert len(spectrum.patches) == 8
    np.testing.assert_allclose(
        found.images[0].get_array(), np.concatenate([b[0] for b in model.subspaces_], axis=1)
    )
    # Turned to look alike: what is left is the error.
    np.testing.assert_allclose(found.images[0].get_array(), true.images[0].get_array(), atol=0.05)
    assert sum(patch.get_height() for patch in errors.patches) == 800
    assert len(draw(model).axes) == 2
