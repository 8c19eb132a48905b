"""Rendered objects, against the symmetries and the geometry that their scene has."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from unweave.datasets import DATASETS, FactorDataset, Objects3D
from unweave.datasets.dataset import need_factors
from unweave.datasets.drawn.meshes import Mesh, bunny, load_mesh, pointer
from unweave.datasets.drawn.renderer import Renderer

SIZE = 48


def random(n=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 4)), rng.standard_normal((n, 3))


def quaternions(rotations):
    return rotations.as_quat()[:, [3, 0, 1, 2]]


def test_opposite_quaternions_and_opposite_lights_give_the_same_image(renderer):
    turns, lights = random()
    images = renderer.render(turns, lights)
    assert images.shape == (5, SIZE, SIZE)
    assert images.std(axis=(1, 2)).min() > 5
    np.testing.assert_array_equal(renderer.render(-turns, lights), images)
    np.testing.assert_allclose(renderer.render(turns, -lights), images, atol=1.5)


def test_lengths_do_not_matter(renderer):
    turns, lights = random()
    np.testing.assert_array_equal(
        renderer.render(3 * turns, 0.2 * lights), renderer.render(turns, lights)
    )


def test_a_turn_of_object_and_light_about_the_line_of_sight_is_one_of_the_image(renderer):
    turns, lights = random()
    quarter = Rotation.from_rotvec([0, 0, np.pi / 2])
    turned = quaternions(quarter * Rotation.from_quat(turns[:, [1, 2, 3, 0]]))
    expected = np.rot90(renderer.render(turns, lights), axes=(1, 2))
    found = renderer.render(turned, quarter.apply(lights))
    assert np.abs(found - expected).mean() < 0.5  # of 255: edges fall on other samples


def test_shape_and_place_are_those_of_a_pinhole_camera(renderer):
    """Corners of the mesh, projected by hand, bound what is lit."""
    turns, lights = random(8, seed=2)
    images = renderer.render(turns, lights)
    corners = pointer().scaled(1.75).vertices
    for image, turn in zip(images, turns, strict=True):
        seen = Rotation.from_quat(turn[[1, 2, 3, 0]]).apply(corners)
        scale = SIZE / 2 / np.tan(np.radians(45) / 2)
        columns = SIZE / 2 + scale * seen[:, 0] / (5 - seen[:, 2])
        rows = SIZE / 2 - scale * seen[:, 1] / (5 - seen[:, 2])
        lit = np.argwhere(image > 0)
        assert lit[:, 0].min() >= np.floor(rows.min()) - 1
        assert lit[:, 0].max() <= np.ceil(rows.max())
        assert lit[:, 1].min() >= np.floor(columns.min()) - 1
        assert lit[:, 1].max() <= np.ceil(columns.max())


def test_a_face_is_lit_by_the_cosine_of_its_angle_to_the_light(renderer):
    """A flat plate seen from above: its brightness follows Lambert's law."""
    plate = Mesh(
        "plate",
        np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0], [0, 0, -0.2]], dtype=float),
        np.array([[0, 1, 2], [0, 2, 3], [1, 0, 4], [2, 1, 4], [3, 2, 4], [0, 3, 4]]),
    )
    own = Renderer(plate, size=16, supersampling=1)
    angles = np.radians([0, 30, 60, 80])
    lights = np.stack([np.sin(angles), np.zeros(4), np.cos(angles)], axis=1)
    still = np.tile([1.0, 0, 0, 0], (4, 1))
    centres = own.render(still, lights)[:, 8, 8]
    own.close()
    # Nearly: the default material, as the generator has it, has a highlight at angle 0.
    np.testing.assert_allclose(centres / centres[0], np.cos(angles), atol=0.08)


@pytest.mark.usefixtures("renderer")
def test_shadows_darken_what_is_lit_and_brighten_nothing():
    turns, lights = random(3)
    images = []
    for shadows in (False, True):
        own = Renderer(bunny(), size=16, supersampling=1, shadows=shadows)
        images.append(own.render(turns, lights))
        own.close()
    lit, shaded = images
    inside = lit > lit.max() / 2
    assert shaded[inside].mean() < lit[inside].mean()


def test_rotations_and_lights_are_uniform():
    data = Objects3D(20_000, mesh="pointer")
    for vectors in (data.lights, data.quaternions):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)
        second = vectors.T @ vectors / len(vectors)
        np.testing.assert_allclose(second, np.eye(len(second)) / len(second), atol=0.01)
    matrices = data.rotations
    np.testing.assert_allclose(
        matrices @ matrices.swapaxes(1, 2), np.tile(np.eye(3), (20_000, 1, 1)), atol=1e-9
    )
    np.testing.assert_allclose(np.linalg.det(matrices), 1)
    q = data.quaternions[:3]
    np.testing.assert_allclose(matrices[:3, 0, 0], 1 - 2 * (q[:, 2] ** 2 + q[:, 3] ** 2))


@pytest.mark.usefixtures("renderer")
def test_the_cache_holds_what_would_be_rendered():
    data = Objects3D(300, mesh="pointer", size=16)
    before = data.images([0, 7, 299])
    told = []
    data.prepare(lambda done, total: told.append((done, total)))
    assert told[-1] == (300, 300)
    assert data.cache_file.exists()
    np.testing.assert_array_equal(
        Objects3D(300, mesh="pointer", size=16).images([0, 7, 299]), before
    )
    assert Objects3D(300, mesh="pointer", size=16, seed=1).cache_file != data.cache_file


def test_it_is_loaded_by_name_and_identified_by_what_it_shows(tmp_path):
    """Codes are kept by the identity: whatever changes an image changes it."""
    options = {"n": 30, "mesh": "pointer", "size": 16, "supersampling": 2, "seed": 3}
    data = DATASETS["objects3d"].load(**options)
    assert (len(data), data.image_shape, data.seed) == (30, (16, 16, 1), 3)
    assert Objects3D(**options).identity == data.identity
    others = {"n": 31, "mesh": "bunny", "size": 17, "supersampling": 3, "seed": 4}
    identities = {Objects3D(**{**options, key: value}).identity for key, value in others.items()}
    assert len(identities | {data.identity}) == 6
    trimesh = pytest.importorskip("trimesh")
    mesh = pointer()
    trimesh.Trimesh(
        1.1 * mesh.vertices + [1, 0, 0] * mesh.vertices, mesh.faces, process=False
    ).export(tmp_path / "pointer.ply")
    assert Objects3D(**{**options, "mesh": tmp_path / "pointer.ply"}).identity != data.identity


def test_it_has_no_columns_of_factors():
    data = Objects3D(30, mesh="pointer", size=16)
    assert not isinstance(data, FactorDataset)
    with pytest.raises(
        ValueError, match=r"points of SO\(3\) x S\^2, not columns of numbers: split"
    ):
        need_factors(data, "MIG compares codes with factors")
    assert data.sample_indices(5, seed=0).max() < 30


@pytest.mark.usefixtures("renderer")
def test_tangent_images_tell_what_a_small_turn_does():
    data = Objects3D(20, mesh="pointer", size=16)
    tangents, turns, shifts = data.tangent_images([3, 4])
    assert tangents.shape == (2, 5, 16, 16)
    np.testing.assert_allclose(
        np.einsum("nak,na->nk", turns, data.quaternions[[3, 4]]), 0, atol=1e-9
    )
    np.testing.assert_allclose(np.einsum("nak,na->nk", shifts, data.lights[[3, 4]]), 0, atol=1e-9)
    own = data._renderer_of()
    step = 0.03
    still = own.render(data.quaternions[[3]], data.lights[[3]])
    moved = own.render(data.quaternions[[3]] + step * turns[:1, :, 1], data.lights[[3]])
    np.testing.assert_allclose(tangents[0, 1], ((moved - still) / step)[0], rtol=1e-5)


def test_the_bunny_is_whole():
    mesh = bunny()
    assert mesh.vertices.shape == (1839, 3)
    assert mesh.faces.max() == 1838
    scaled = mesh.scaled(1.75)
    lengths = np.linalg.norm(scaled.vertices, axis=1)
    assert lengths.max() == pytest.approx(1.75)
    # Every edge but those of its few holes belongs to two triangles.
    edges = np.sort(mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert counts.max() <= 2
    assert (counts == 2).mean() > 0.99


def test_meshes_come_from_files(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    mesh = pointer()
    trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(tmp_path / "mine.ply")
    found = load_mesh(tmp_path / "mine.ply")
    assert found.name == "mine"
    np.testing.assert_allclose(found.vertices, mesh.vertices, atol=1e-6)
    with pytest.raises(FileNotFoundError, match="there is no mesh at"):
        Objects3D(3, mesh=tmp_path / "none.ply")
    (tmp_path / "bad.ply").write_text("nothing")
    with pytest.raises(ValueError, match="cannot be read as a mesh"):
        load_mesh(tmp_path / "bad.ply")


def test_meshes_need_trimesh(tmp_path, monkeypatch):
    (tmp_path / "mine.ply").touch()
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(ImportError, match=r"needs trimesh .*: pip install .unweave\[render\]"):
        load_mesh(tmp_path / "mine.ply")


@pytest.mark.usefixtures("renderer")
def test_mujoco_that_was_imported_for_a_screen_is_told_of():
    code = (
        "import mujoco\n"
        "from unweave.datasets.drawn.meshes import pointer\n"
        "from unweave.datasets.drawn.renderer import Renderer\n"
        "try: Renderer(pointer())\n"
        "except ImportError as error: print(error)"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("MUJOCO_GL", "DISPLAY")}
    printed = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert "set MUJOCO_GL=osmesa in the environment" in printed.stdout


def test_directions_that_are_none_are_refused(renderer):
    with pytest.raises(ValueError, match="zero or not finite"):
        renderer.render(np.zeros((1, 4)), np.ones((1, 3)))
    with pytest.raises(ValueError, match="n must be a whole number of at least 1"):
        Objects3D(0)
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0, not -1"):
        Objects3D(3, seed=-1)


def distances(first, second):
    """Angle of the rotation between poses, and angle between their lights."""
    turns = [Rotation.from_quat(np.roll(q, -1, axis=-1)) for q in (first[0], second[0])]
    lights = np.clip((first[1] * second[1]).sum(axis=-1), -1, 1)
    return (turns[0].inv() * turns[1]).magnitude(), np.arccos(lights)


def test_motions_are_of_the_length_asked_for_and_at_right_angles():
    data = Objects3D(50, mesh="pointer")
    steps = np.linalg.qr(np.random.default_rng(0).standard_normal((50, 5, 5)))[0]
    quaternions, lights = data._moved(0.1 * steps)
    for k in range(5):
        still = (data.quaternions, data.lights)
        turned, shifted = distances(still, (quaternions[:, k], lights[:, k]))
        np.testing.assert_allclose(np.hypot(turned, shifted), 0.1, rtol=1e-9)
        for j in range(k):
            apart = distances((quaternions[:, j], lights[:, j]), (quaternions[:, k], lights[:, k]))
            # At right angles, but for curvature.
            np.testing.assert_allclose(np.hypot(*apart), 0.1 * np.sqrt(2), rtol=2e-3)


@pytest.mark.usefixtures("renderer")
def test_films_are_straight_uniform_and_kept():
    data = Objects3D(6, mesh="pointer", size=16)
    films = data.clips(n_frames=4, spacing=0.2)
    assert films.shape == (6, 4, 16, 16, 1)
    np.testing.assert_array_equal(films[:, 2], data.images(np.arange(6)))  # the middle is still
    np.testing.assert_array_equal(data.clips(n_frames=4, spacing=0.2), films)
    assert isinstance(films, np.memmap)
    times = np.linspace(-0.4, 0.2, 4)
    one = np.ones((6, 1, 5)) / np.sqrt(5)
    poses = data._moved(times[:, None] * one)
    ends = [(poses[0][:, k], poses[1][:, k]) for k in (0, 3)]
    np.testing.assert_allclose(np.hypot(*distances(*ends)), 0.6, rtol=1e-9)
    motions = data.motions(0.05)
    assert motions.shape == (6, 5, 16, 16, 1)
    assert (motions != data.images(np.arange(6))[:, None]).any(axis=(2, 3, 4)).mean() > 0.9


def test_others_are_of_the_same_object_in_other_states():
    data = Objects3D(50, mesh="pointer", size=16, supersampling=2, seed=4)
    others = data.others(200)
    assert (len(others), others.size, others.supersampling) == (200, 16, 2)
    assert (others.mesh.vertices == data.mesh.vertices).all()
    overlap = np.abs(others.quaternions @ data.quaternions.T)
    assert overlap.max() < 1 - 1e-6
    assert (others.lights @ data.lights.T).max() < 1 - 1e-6


def test_tangents_are_those_of_turning_and_shifting():
    data = Objects3D(20, mesh="pointer")
    step = 1e-6
    turning, shifting = data.tangents
    assert turning.shape == (20, 12, 3)
    assert shifting.shape == (20, 12, 2)
    moves = np.zeros((20, 5, 5))
    moves[:] = step * np.eye(5)
    quaternions, lights = data._moved(moves)
    for k in range(5):
        moved = Objects3D(20, mesh="pointer")
        moved.quaternions, moved.lights = quaternions[:, k], lights[:, k]
        way = (moved.points - data.points) / step
        own, other = (turning, shifting) if k < 3 else (shifting, turning)
        inside = np.einsum("nik,ni->nk", own, way)
        np.testing.assert_allclose(
            np.linalg.norm(inside, axis=1), np.linalg.norm(way, axis=1), rtol=1e-4
        )
        np.testing.assert_allclose(np.einsum("nik,ni->nk", other, way), 0, atol=1e-5)
    for basis in (turning, shifting):
        gram = basis.transpose(0, 2, 1) @ basis
        np.testing.assert_allclose(gram, np.tile(np.eye(basis.shape[2]), (20, 1, 1)), atol=1e-12)


def test_each_group_moves_its_own_factor_and_they_commute():
    data = Objects3D(10, mesh="pointer")
    turns = Rotation.random(3, random_state=1).as_quat()[:, [3, 0, 1, 2]]
    rotation, light = data.symmetries
    poses = data.quaternions, data.lights
    turned, same = rotation.act(*poses, turns[0])
    np.testing.assert_array_equal(same, data.lights)
    kept, shifted = light.act(*poses, turns[1])
    np.testing.assert_array_equal(kept, data.quaternions)
    both, other = light.act(turned, same, turns[1]), rotation.act(kept, shifted, turns[0])
    np.testing.assert_allclose(both[0], other[0])
    np.testing.assert_allclose(both[1], other[1])
    # Twice is once by the product.
    product = (
        Rotation.from_quat(np.roll(turns[2], -1)) * Rotation.from_quat(np.roll(turns[1], -1))
    ).as_quat()
    twice = light.act(*light.act(*poses, turns[1]), turns[2])
    np.testing.assert_allclose(twice[1], light.act(*poses, np.roll(product, 1))[1], atol=1e-12)


@pytest.mark.usefixtures("renderer")
def test_the_groups_act_on_images_as_on_the_scene():
    """Turned about the line of sight, object and light together, the image turns."""
    data = Objects3D(4, mesh="pointer", size=SIZE, supersampling=4)
    quarter = np.array([np.cos(np.pi / 4), 0, 0, np.sin(np.pi / 4)])
    poses = data.quaternions, data.lights
    for group in data.symmetries:
        poses = group.act(*poses, quarter)
    found = data.render(*poses)[..., 0].astype(float)
    expected = np.rot90(data.images(np.arange(4))[..., 0].astype(float), axes=(1, 2))
    assert np.abs(found - expected).mean() < 0.5
