"""Splits: counted in closed form, and compared with the thresholds that papers state."""

import sys

import numpy as np
import pytest

from unweave.datasets import (
    SPLITS,
    ArrayDataset,
    DSprites,
    Factor,
    FactorSpace,
    GridDataset,
    ImageTable,
    Rooms,
    Split,
    Torus,
    canonical,
    load,
    load_split,
    published_splits,
    split,
)
from unweave.datasets.official.mpi3d import MPI3DRealComplex, MPI3DToy

SCALE = Factor("scale", tuple(range(4)))
PLACE = Factor("place", tuple(range(5)))


class Grid(GridDataset):
    """Images that are never drawn, of any factors."""

    image_shape = (4, 4, 1)

    def __init__(self, name, factors):
        self.name, self.space = name, FactorSpace(factors)

    def images(self, indices):
        return np.zeros((len(indices), *self.image_shape), np.uint8)


def table():
    """Eight images with a number, a word, and gaps."""
    word = Factor("word", (0, 1), "categorical", ("cat", "dog"))
    weight = Factor("weight", kind="continuous")
    rows = np.stack([np.arange(8.0), np.arange(8) % 2], axis=1)
    rows[3, 0] = np.nan
    images = np.zeros((8, 4, 4, 1), np.uint8)
    return ImageTable(ArrayDataset(images), (weight, word), rows)


def held_out_levels(dataset, kind, name, **options):
    part = split(dataset, kind, factors=[name], **options).held_out
    column = dataset.factor_names.index(name)
    return sorted(set(part.factors(np.arange(len(part)))[:, column].tolist()))


@pytest.mark.parametrize("kind", [*SPLITS, "montero_extrapolation", "montero_range"])
def test_parts_share_no_image_and_miss_none(kind):
    dataset = Rooms(size=32)
    train, held_out = split(dataset, kind)
    both = np.concatenate([train.rows, held_out.rows])
    assert np.array_equal(np.sort(both), np.arange(len(dataset)))
    assert train.identity != held_out.identity != dataset.identity
    np.testing.assert_array_equal(held_out.images([5]), dataset.images(held_out.rows[[5]]))
    assert held_out.space is dataset.space


def test_counts_are_those_of_the_levels():
    # Of 4 and 5 levels: s = 0.25 leaves half of each for composition, and about an eighth of each,
    # which is at least one level, for the others.
    grid = Grid("grid", [SCALE, PLACE])
    counts = {kind: len(split(grid, kind, share=0.25).held_out) for kind in SPLITS}
    assert counts == {
        "random": 5,
        "composition": 2 * 2,
        "interpolation": 20 - 3 * 4,
        "extrapolation": 20 - 3 * 4,
    }
    for kind, share in (("random", 0.3), ("composition", 0.287), ("extrapolation", 0.362)):
        sprites = split(DSprites(), kind)
        assert len(sprites.held_out) / 737_280 == pytest.approx(share, abs=5e-4)


def test_levels_that_are_held_out():
    grid = Grid("grid", [Factor("place", tuple(range(10))), SCALE])
    assert held_out_levels(grid, "extrapolation", "place") == [7, 8, 9]
    assert held_out_levels(grid, "composition", "place", share=0.5) == [5, 6, 7, 8, 9]
    assert held_out_levels(grid, "interpolation", "place") == [2, 5, 7]
    # Both ends are always learnt from.
    assert held_out_levels(grid, "interpolation", "place", share=0.99) == list(range(1, 9))
    assert held_out_levels(grid, "interpolation", "scale", share=0.01) == [2]
    assert held_out_levels(grid, "extrapolation", "scale", share=0.99) == [1, 2, 3]


def test_composition_shows_every_level_in_training_and_extrapolation_does_not():
    dataset = Rooms()
    levels = {}
    for kind in ("composition", "interpolation", "extrapolation"):
        train, held_out = split(dataset, kind)
        levels[kind] = [
            [np.unique(column) for column in part.factors(np.arange(len(part))).T]
            for part in (train, held_out)
        ]
    assert [len(seen) for seen in levels["composition"][0]] == [10, 10, 10, 8, 4, 15]
    assert levels["composition"][1][3].min() == 4
    assert levels["extrapolation"][0][3].max() == 6
    inner = levels["interpolation"][0][5]
    assert inner.min() == 0
    assert inner.max() == 14
    assert len(inner) == 13


def test_a_random_split_follows_from_its_seed():
    first, again, other = (split(Torus(), "random", seed=seed).held_out.rows for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def values_of(dataset):
    """Every value of the grid as its official file states it, by the factor's name."""
    table = dataset.space.values(dataset.space.all_levels())
    found = dict(zip(dataset.space.names, table.T, strict=True))
    for name in found:
        if name.endswith("_hue"):  # from 0 to 0.9 there, angles here
            found[name] = np.round(found[name] / (2 * np.pi), 6)
    return found


DSPRITES = {
    "montero_extrapolation": (lambda v: v["posX"] > 0.5, 368_640),
    # The values of shape begin with 1, the square.
    "montero_range": (lambda v: (v["shape"] == 1) & (v["posX"] > 0.5), 122_880),
    "montero_element": (
        lambda v: (
            (v["shape"] == 2)
            & (v["scale"] > 0.6)
            & (v["orientation"] > 2 * np.pi / 3)
            & (v["orientation"] < 4 * np.pi / 3)
            & (v["posX"] > 0.66)
            & (v["posY"] > 0.66)
        ),
        4 * 12 * 11 * 11,
    ),
}
ROOMS = {
    "montero_extrapolation": (lambda v: v["floor_hue"] >= 0.5, 240_000),
    "montero_range": (lambda v: (v["shape"] == 3) & (v["object_hue"] >= 0.5), 60_000),
    "montero_range_floor": (lambda v: (v["shape"] == 3) & (v["floor_hue"] >= 0.5), 60_000),
    "montero_range_wall": (lambda v: (v["object_hue"] >= 0.8) & (v["wall_hue"] <= 0.2), 28_800),
    "montero_element": (
        lambda v: (
            (v["object_hue"] >= 0.8)
            & (v["wall_hue"] >= 0.8)
            & (v["floor_hue"] >= 0.8)
            & (v["scale"] >= 1.1)
            & (v["shape"] == 1)
            & (v["orientation"] > 20)
        ),
        2 * 2 * 2 * 3 * 3,
    ),
}
MPI3D = {
    "montero_extrapolation": (lambda v: v["horizontal_axis"] > 20, 19 * 25_920),
    "montero_extrapolation_color": (lambda v: v["object_color"] > 3, 345_600),
    "montero_range": (lambda v: (v["object_shape"] == 2) & (v["horizontal_axis"] < 20), 86_400),
    "montero_range_color": (
        lambda v: (v["object_color"] == 2) & (v["horizontal_axis"] < 20),
        86_400,
    ),
    "montero_element": (
        lambda v: (
            (v["object_color"] == 5)
            & (v["object_shape"] == 2)
            & (v["object_size"] == 1)
            & (v["camera_height"] == 1)
            & (v["background_color"] == 1)
            & (v["horizontal_axis"] > 35)
            & (v["vertical_axis"] > 35)
        ),
        4 * 4,
    ),
}


@pytest.mark.parametrize(
    ("dataset", "published"),
    [
        (DSprites(), DSPRITES),
        (Rooms(), ROOMS),
        (Grid("mpi3d_toy", MPI3DToy.space.factors), MPI3D),
    ],
    ids=["dsprites", "rooms", "mpi3d"],
)
def test_splits_of_montero_et_al_hold_out_what_their_thresholds_say(dataset, published):
    """Thresholds of scripts/configs/datasplits.py of mmrl/disent-and-gen, at commit 9b34e90."""
    assert set(published_splits(dataset)) == set(published)
    values = values_of(dataset)
    for name, (mask, count) in published.items():
        train, held_out = split(dataset, name)
        expected = mask(values)
        assert expected.sum() == len(held_out) == count, name
        np.testing.assert_array_equal(held_out.rows, np.flatnonzero(expected))
        neither = len(dataset) - len(train) - len(held_out)
        is_open = (dataset.name, name) == ("mpi3d_toy", "montero_extrapolation")
        assert neither == (25_920 if is_open else 0)  # the horizontal axis at 20


def test_rooms_has_the_splits_of_shapes3d_and_mpi3d_of_four_colours_none():
    shapes = Grid("shapes3d", Rooms.space.factors)
    assert published_splits(shapes) == published_splits(Rooms())
    assert published_splits(Grid("mpi3d_real_complex", MPI3DRealComplex.space.factors)) == ()


def test_masks_of_ones_own():
    dataset = Torus()
    mask = dataset.factors(np.arange(len(dataset)))[:, 1] > 9
    by_mask = split(dataset, mask)
    by_function = split(dataset, lambda factors: factors["x"] > 9)
    assert isinstance(by_mask, Split)
    np.testing.assert_array_equal(by_mask.held_out.rows, np.flatnonzero(mask))
    np.testing.assert_array_equal(by_function.train.rows, np.flatnonzero(~mask))


def test_numbers_without_levels_are_split_by_quantiles_and_gaps_are_in_no_part():
    dataset = table()
    train, held_out = split(dataset, "extrapolation", share=0.25)
    assert held_out.rows.tolist() == [6, 7]
    assert train.rows.tolist() == [0, 1, 2, 4, 5]
    middle = split(dataset, "interpolation", share=0.5).held_out
    assert 0 not in middle.rows
    assert 7 not in middle.rows
    words = split(dataset, "composition", factors=["weight", "word"], share=0.25)
    assert words.held_out.rows.tolist() == [5, 7]


class TestNames:
    def test_parts_are_datasets_by_name(self):
        part = load("rooms?size=32&split=composition&part=held_out")
        assert len(part) == 128_000
        assert part.image_shape == (32, 32, 3)
        assert part.source == "rooms?part=held_out&size=32&split=composition"
        train, held_out = load_split(part.source)
        assert (len(train), len(held_out)) == (352_000, 128_000)
        assert held_out.identity == part.identity
        again = load(train.source)
        assert again.identity == train.identity

    def test_options(self):
        part = load(
            "torus?split=extrapolation&split_factors=x,y&split_share=0.4&part=train&size=16"
        )
        assert part.image_shape == (16, 16, 1)
        assert len(part) == 16 * (16 - 4) ** 2  # 1 - sqrt(0.6) of 16 levels is about 4
        seeds = [load(f"torus?split=random&split_seed={s}&part=train").identity for s in (0, 1)]
        assert seeds[0] != seeds[1]
        fixed = load_split("dsprites?fixed=orientation:0&split=montero_range")
        assert len(fixed.held_out) == 6 * 16 * 32
        words = load("torus?split=random&part=train&nuisances=x")
        assert words.factor_names == ("direction", "y")

    def test_pairs_of_a_part_stay_in_it(self):
        part = load("rooms?size=32&split=montero_range&part=train")
        pairs = part.pairs(200, n_changed=1, random_state=0)
        levels = np.concatenate([part.factors(pairs.first), part.factors(pairs.second)])
        assert not ((levels[:, 4] == 3) & (levels[:, 2] >= 5)).any()

    def test_a_mask_by_name(self, tmp_path, monkeypatch):
        (tmp_path / "my_masks.py").write_text(
            "import numpy as np\n"
            "ROWS = np.arange(4096) % 4 == 0\n"
            "def right(factors):\n    return factors['x'] >= 12\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        by_rows, by_function = (
            load_split(f"torus?split=my_masks:{name}") for name in ("ROWS", "right")
        )
        assert [len(part) for part in by_rows] == [3072, 1024]
        assert [len(part) for part in by_function] == [3072, 1024]
        assert "my_masks" in sys.modules
        assert canonical(by_rows.train.source) == "torus?part=train&split=my_masks:ROWS"

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("torus?split=random", "the part is not said: give part=train or part=held_out"),
            ("torus?split=random&part=test", "the part is 'test': give part=train"),
            ("torus?part=train", "options of a split mean nothing: give split too, as split=comp"),
            ("torus?split_share=0.2", "it is not said how torus is split"),
            ("torus?split=randon&part=train", "unknown split 'randon' of torus.*mean 'random'"),
            ("torus?split=composition&part=train", "no factor of torus is ordered.*direction, x"),
            ("dsprites?split=montero&part=train", "choose from random, .*montero_range"),
            ("dsprites?fixed=posX:0&split=montero_range&part=train", "posX does not vary here"),
            ("dsprites?split=random&part=train&factors=", "images were split by factors and needs"),
        ],
    )
    def test_what_is_wrong_is_said(self, name, said):
        with pytest.raises(ValueError, match=said):
            load(name)

    def test_a_name_without_a_split_has_no_parts(self):
        with pytest.raises(ValueError, match=r"torus is not split: say what is held out"):
            load_split("torus")


class TestBadInput:
    def test_an_empty_side(self):
        dataset = Torus()
        with pytest.raises(ValueError, match="the mask leaves nothing that is held out: of the 4,"):
            split(dataset, np.zeros(4096, bool))
        with pytest.raises(ValueError, match="the mask leaves nothing to learn from"):
            split(dataset, lambda factors: factors["x"] >= 0)
        with pytest.raises(ValueError, match="the random split leaves nothing that is held out"):
            split(Grid("grid", [SCALE]), "random", share=0.1)

    def test_masks(self):
        with pytest.raises(ValueError, match=r"what is held out must be booleans of shape \(4096,"):
            split(Torus(), np.arange(4096))
        with pytest.raises(
            ValueError, match=r"one for each image of torus, not bool of shape \(3,"
        ):
            split(Torus(), np.ones(3, bool))
        with pytest.raises(KeyError, match="torus has no factor 'z'"):
            split(Torus(), lambda factors: factors["z"] > 0)

    @pytest.mark.parametrize("share", [0, 1, -0.2, 30, float("nan")])
    def test_shares(self, share):
        with pytest.raises(ValueError, match="held out must lie between 0 and 1, and is"):
            split(Torus(), "random", share=share)

    def test_factors(self):
        rooms = Rooms()
        with pytest.raises(ValueError, match="'shape' of rooms is categorical, and extrapolation"):
            split(rooms, "extrapolation", factors=["scale", "shape"])
        with pytest.raises(ValueError, match="unknown factor of rooms 'hue'"):
            split(rooms, "composition", factors=["hue"])
        with pytest.raises(ValueError, match="no factor is named to split by: name at least one"):
            split(rooms, "composition", factors=[])
        two = Grid("grid", [Factor("side", (0, 1)), SCALE])
        with pytest.raises(ValueError, match="has 2 levels, and interpolation needs at least 3"):
            split(two, "interpolation", factors=["side"])
        one = Grid("grid", [Factor("side", (0,)), SCALE])
        with pytest.raises(
            ValueError, match="1 level, and composition needs at least 2: name other factors"
        ):
            split(one, "composition", factors=["side"])

    def test_options_that_mean_nothing(self):
        with pytest.raises(ValueError, match="option factors means nothing for a random split"):
            split(Torus(), "random", factors=["x"])
        with pytest.raises(ValueError, match="the option seed means nothing for the composition"):
            split(Rooms(), "composition", seed=1)
        with pytest.raises(ValueError, match="the option share means nothing for the split mont"):
            split(Rooms(), "montero_range", share=0.5)
        with pytest.raises(ValueError, match="the option share means nothing for a mask: leave"):
            split(Torus(), np.ones(4096, bool), share=0.5)
