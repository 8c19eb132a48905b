import colorsys
import hashlib
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest

from unweave.datasets import CyclicShift, GridDataset, Rooms, Translation, load
from unweave.datasets.drawn import _rooms_scene

SPHERE = 2
MAPS_SHA256 = "4342175ae24080f32b3c61fb14c999b2f4ee83efd0c38a3c254317751da17797"


@pytest.fixture(scope="session")
def rooms_cache(tmp_path_factory):
    """All geometries of 64 pixels, rendered once."""
    folder = tmp_path_factory.mktemp("rooms")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNWEAVE_CACHE", str(folder))
        Rooms().prepare()
    return folder


@pytest.fixture
def prepared(rooms_cache, monkeypatch):
    monkeypatch.setenv("UNWEAVE_CACHE", str(rooms_cache))
    dataset = Rooms()
    assert dataset.is_prepared
    return dataset


def row(dataset, **levels):
    """The row of an image; factors that are not given have the level in the middle."""
    middle = [size // 2 for size in dataset.space.sizes]
    for name, level in levels.items():
        middle[dataset.space.position(name)] = level
    return int(dataset.space.indices([middle])[0])


class TestFactors:
    def test_they_are_those_of_shapes3d_in_its_order(self):
        dataset = load("rooms")
        assert isinstance(dataset, GridDataset)
        assert dataset.factor_names == (
            "floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation"
        )  # fmt: skip
        assert dataset.space.sizes == (10, 10, 10, 8, 4, 15)
        assert len(dataset) == 480_000
        assert dataset.factor_kinds == ("circular",) * 3 + ("ordinal", "categorical", "ordinal")
        assert dataset.space.factors[4].labels == ("cube", "cylinder", "sphere", "capsule")
        np.testing.assert_allclose(dataset.space.factors[3].values, np.linspace(0.75, 1.25, 8))
        np.testing.assert_allclose(dataset.space.factors[5].values, np.linspace(-30, 30, 15))

    def test_hues_go_round_and_come_back(self):
        groups = {group.factor: group for group in Rooms.symmetries}
        assert set(groups) == {"floor_hue", "wall_hue", "object_hue", "scale", "orientation"}
        for name in ("floor_hue", "wall_hue", "object_hue"):
            assert groups[name] == CyclicShift(name, 10)
        assert groups["scale"] == Translation("scale", 8)
        assert groups["orientation"] == Translation("orientation", 15)
        np.testing.assert_allclose(np.diff(Rooms.space.factors[0].values), 2 * np.pi / 10)

    def test_colours_are_exact(self):
        expected = [
            [round(255 * v) for v in colorsys.hsv_to_rgb(h / 10, 0.75, 0.95)] for h in range(10)
        ]
        np.testing.assert_array_equal(Rooms.colours, expected)


@pytest.mark.parametrize("size", [64, 32])
class TestGeometry:
    """A few geometries each, rendered where they are asked for."""

    def test_parts_cover_each_pixel_once(self, size):
        dataset = Rooms(size=size)
        rows = [row(dataset, shape=shape, orientation=0) for shape in range(4)]
        shares = dataset.coverage(rows)
        assert shares.shape == (4, size, size, 3)
        np.testing.assert_array_equal(shares.sum(axis=3), 1)
        assert (shares.max(axis=(1, 2)) == 1).all()

    def test_a_hue_changes_its_part_and_nothing_else(self, size):
        dataset = Rooms(size=size)
        base = row(dataset)
        coverage = dataset.coverage([base])[0]
        for part, name in enumerate(("floor_hue", "wall_hue", "object_hue")):
            others = [row(dataset, **{name: level}) for level in (0, 2)]
            first, *images = dataset.images([base, *others])
            for image in images:
                changed = (image != first).any(axis=2)
                assert not changed[coverage[..., part] == 0].any()
                lit = (coverage[..., part] > 0.3) & (first.max(axis=2) < 255)
                assert changed[lit].all()

    def test_channels_of_a_part_have_the_ratio_of_its_colour(self, size):
        dataset = Rooms(size=size)
        rows = [row(dataset, shape=0, floor_hue=1, wall_hue=4, object_hue=8)]
        image, coverage = dataset.images(rows)[0].astype(int), dataset.coverage(rows)[0]
        shown = dataset._rendered(np.array(rows) % 480)[0].reshape(4, size, size)
        for part, hue in enumerate((1, 4, 8)):
            alone = (coverage[..., part] == 1) & (shown[3] == 0)
            assert alone.sum() > 10
            colour = dataset.colours[hue].astype(int)
            shade = shown[part][alone] / 65_536
            assert 0 < shade.min() < shade.max() < 1
            assert (np.abs(image[alone] - shade[:, None] * colour) <= 0.5).all()

    def test_a_sphere_is_seen_where_perspective_puts_it(self, size):
        """The silhouette is an ellipse, of known centre and area."""
        dataset = Rooms(size=size)
        levels = (0, 3, 7)
        rows = [row(dataset, shape=SPHERE, scale=scale) for scale in levels]
        seen = dataset.coverage(rows)[..., 2]
        scene = _rooms_scene
        for image, level in zip(seen, levels, strict=True):
            radius = scene.RADIUS * (0.75 + 0.5 * level / 7)
            distance = math.hypot(scene.DISTANCE, scene.HEIGHT - radius)
            dip = math.atan2(scene.HEIGHT - radius, scene.DISTANCE)
            off_axis = dip - math.atan2(scene.HEIGHT - scene.TARGET, scene.DISTANCE)
            sine = radius / distance
            size_of = math.cos(off_axis) ** 2 - sine**2
            area = math.pi * sine**2 * math.sqrt(1 - sine**2) / size_of**1.5
            below = math.sin(off_axis) * math.cos(off_axis) / size_of
            pixel = 2 * scene.FIELD / size
            assert image.sum() == pytest.approx(area / pixel**2, rel=0.01)
            down, right = np.indices(image.shape) + 0.5 - size / 2
            assert (image * right).sum() / image.sum() == pytest.approx(0, abs=0.02)
            assert (image * down).sum() / image.sum() == pytest.approx(below / pixel, abs=0.03)

    def test_a_larger_scale_shows_a_larger_object(self, size):
        dataset = Rooms(size=size)
        for shape in range(4):
            rows = [row(dataset, shape=shape, scale=scale) for scale in range(8)]
            areas = dataset.coverage(rows)[..., 2].sum(axis=(1, 2))
            assert (np.diff(areas) > 0).all()
            # Not quite the square: the near side of a larger object is nearer.
            assert (1.25 / 0.75) ** 2 < areas[-1] / areas[0] < 1.3 * (1.25 / 0.75) ** 2


class TestView:
    def test_orientations_turn_the_camera_from_one_side_to_the_other(self):
        dataset = Rooms()
        rows = [row(dataset, shape=3, scale=0, orientation=k) for k in (0, 7, 14)]
        left, middle, right = dataset.coverage(rows)
        # Parts are placed alike on both sides of the axis, so that views mirror each other.
        np.testing.assert_array_equal(left, right[:, ::-1])
        np.testing.assert_array_equal(middle, middle[:, ::-1])
        assert (left[..., 0] != middle[..., 0]).any()
        # The far corner of the floor is where projection puts it, at 30 degrees.
        scene, angle = _rooms_scene, math.radians(30)
        sine, cosine = math.sin(angle), math.cos(angle)
        away = scene.DISTANCE + scene.WALL * (cosine + sine)
        across = scene.WALL * (sine - cosine)
        length = math.hypot(scene.DISTANCE, scene.HEIGHT - scene.TARGET)
        level, fall = scene.DISTANCE / length, (scene.HEIGHT - scene.TARGET) / length
        depth = away * level + scene.HEIGHT * fall
        below = (scene.HEIGHT * level - away * fall) / depth
        wall = right[..., 1].sum(axis=0)  # down to the floor, as no column's object is that high
        corner = int(wall[:28].argmin())
        assert corner == pytest.approx(32 + 32 * across / depth / scene.FIELD, abs=1)
        assert wall[corner] == pytest.approx(32 + 32 * below / scene.FIELD, abs=0.5)

    def test_the_object_throws_a_shadow_away_from_the_lamp(self):
        dataset = Rooms()
        rows = np.array([row(dataset, shape=0, scale=s, orientation=7) for s in (0, 7)])
        floor = dataset._rendered(rows % 480)[:, 0].reshape(2, 64, 64) / 65_536
        covered = dataset.coverage(rows)[..., 0] == 1
        both = covered.all(axis=0)
        darker = both & (floor[1] < 0.6 * floor[0])
        assert darker.sum() > 50
        # The lamp stands on the right, so that the shadow falls to the left.
        columns = np.nonzero(darker)[1]
        assert (columns < 32).mean() > 0.9
        # Soft: between light and shadow there are shades.
        ratio = floor[1][both] / floor[0][both]
        assert ((ratio > 0.6) & (ratio < 0.85)).sum() > 20

    def test_shapes_differ(self):
        dataset = Rooms()
        images = dataset.images([row(dataset, shape=shape) for shape in range(4)])
        for i in range(4):
            for j in range(i):
                assert (images[i] != images[j]).any(axis=2).sum() > 50


class TestImages:
    def test_a_row_is_the_same_in_any_batch_and_place(self, prepared, monkeypatch, tmp_path):
        rows = prepared.sample_indices(300, seed=0)
        images = prepared.images(rows)
        assert images.shape == (300, 64, 64, 3)
        assert images.dtype == np.uint8
        np.testing.assert_array_equal(prepared.stored(rows), images.reshape(300, -1))
        np.testing.assert_array_equal(prepared.images(rows[::-1]), images[::-1])
        np.testing.assert_array_equal(prepared.images(rows[7]), images[7:8])
        monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path))
        fresh = Rooms()
        np.testing.assert_array_equal(fresh.images(rows[:40]), images[:40])
        assert not fresh.is_prepared
        half = Rooms(size=32).images(rows[:20])
        blocks = images[:20].reshape(20, 32, 2, 32, 2, 3).mean(axis=(2, 4))
        unclipped = images[:20].reshape(20, 32, 2, 32, 2, 3).max(axis=(2, 4)) < 255
        assert (np.abs(half - blocks)[unclipped] <= 1).all()

    def test_the_rule_of_a_pixel_is_kept(self, prepared):
        rows = prepared.sample_indices(50, seed=1)
        maps = np.array(prepared._all[rows % 480], dtype=np.int64)
        colours = Rooms.colours.astype(np.int64)[prepared.factors(rows)[:, :3]]
        total = np.einsum("nkp,nkc->npc", maps[:, :3], colours) + 255 * maps[:, 3, :, None]
        expected = np.minimum(255, np.floor(total / 65_536 + 0.5))
        np.testing.assert_array_equal(prepared.stored(rows), expected.reshape(50, -1))

    def test_no_rows_give_no_images(self, prepared):
        assert prepared.images([]).shape == (0, 64, 64, 3)
        assert Rooms(size=32).images([]).shape == (0, 32, 32, 3)

    def test_the_scene_is_that_of_its_version(self, prepared):
        """Another scene needs another number, or caches and runs would mix the two."""
        assert prepared.identity == "rooms-1"
        assert hashlib.sha256(np.ascontiguousarray(prepared._all)).hexdigest() == MAPS_SHA256
        assert len({maps.tobytes() for maps in prepared._all}) == 480

    def test_an_image_outside_is_refused(self):
        with pytest.raises(IndexError, match=r"must lie in \[0, 480000\)"):
            Rooms().images([480_000])

    def test_other_sizes_are_refused(self):
        with pytest.raises(ValueError, match="must be 64 or 32 pixels, not 128"):
            Rooms(size=128)

    def test_identities_differ_by_size(self):
        assert Rooms().identity == "rooms-1"
        assert Rooms(size=32).identity == "rooms-32-1"


class TestCache:
    def test_it_is_mapped_small_and_pickled_by_its_place(self, prepared):
        assert isinstance(prepared._all, np.memmap)
        assert prepared.cache_file.stat().st_size < 31e6
        data = pickle.dumps(prepared)
        assert len(data) < 200
        other = pickle.loads(data)
        assert other.is_prepared
        assert other.size == 64
        assert pickle.loads(pickle.dumps(Rooms(size=32))).size == 32

    def test_a_process_that_asks_for_many_geometries_fills_it(self):
        dataset, progress = Rooms(size=32), []
        dataset.images(np.arange(60))
        assert not dataset.is_prepared
        before = dataset.images(np.arange(60))
        dataset.images([60])
        assert dataset.is_prepared
        np.testing.assert_array_equal(dataset.images(np.arange(60)), before)
        assert dataset.prepare(lambda *seen: progress.append(seen)) is dataset
        assert not progress

    def test_of_two_processes_one_renders(self, tmp_path):
        code = (
            "import numpy as np; from unweave.datasets import Rooms\n"
            "seen = []; dataset = Rooms(size=32).prepare(lambda *done: seen.append(done))\n"
            "print(len(seen), dataset.images(np.arange(0, 480000, 997)).sum(dtype=np.int64))"
        )
        both = [
            subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        said = [process.communicate()[0].split() for process in both]
        assert sorted(int(renders) for renders, _ in said) == [0, 30]
        assert said[0][1] == said[1][1]
        names = {path.name for path in Rooms(size=32).cache_file.parent.iterdir()}
        assert not [name for name in names if name.endswith(".part")]

    @pytest.mark.parametrize("damage", ["cut", "empty", "other", "holes"])
    def test_what_is_damaged_is_rendered_again(self, prepared, tmp_path, monkeypatch, damage):
        whole = bytearray(prepared.cache_file.read_bytes())
        monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path))
        if damage == "holes":
            whole[400_000:4_000_000] = bytes(3_600_000)
        content = {"cut": whole[:-5000], "empty": b"", "other": b"no array", "holes": whole}
        Rooms().cache_file.write_bytes(content[damage])
        why = r"\(parts of it are empty\)" if damage == "holes" else r"\(.+\)"
        with pytest.warns(UserWarning, match=f"is damaged {why}; it is rendered again"):
            dataset = Rooms()
        assert not dataset.is_prepared
        assert not dataset.cache_file.exists()
        np.testing.assert_array_equal(dataset.images([123_456]), prepared.images([123_456]))

    def test_a_file_of_another_shape_is_damaged(self, tmp_path):
        np.save(Rooms().cache_file, np.ones((3, 4), np.uint16))
        with pytest.warns(UserWarning, match=r"is damaged \(its shape is \(3, 4\)\)"):
            Rooms()

    def test_one_that_another_process_filled_is_found(self, rooms_cache, tmp_path, monkeypatch):
        dataset = Rooms()
        dataset.images([0])
        monkeypatch.setenv("UNWEAVE_CACHE", str(rooms_cache))
        dataset.images([0])
        assert dataset.is_prepared
