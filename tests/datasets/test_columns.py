"""Factors from the columns of tables of users."""

import datetime

import numpy as np
import polars as pl
import pytest

from unweave._factors import LEVELS_OF_CIRCLE, read_factors
from unweave.datasets import ArrayDataset, Factor
from unweave.datasets.own.columns import FactorColumns, read_columns, with_factors

N = 240


@pytest.fixture
def table(rng):
    """A column of each sort, with gaps."""
    return {
        "shape": [("cube", "ball", None)[i % 3] for i in range(N)],
        "lit": [(True, None, False)[i % 3] for i in range(N)],
        "scale": [i % 6 for i in range(N)],
        "count": [None if i % 4 == 0 else i % 5 for i in range(N)],
        "height": rng.random(N).tolist(),
        "step": [0.5 * (i % 4) for i in range(N)],
        "angle": rng.uniform(0, 6.28, N).tolist(),
        "constant": [3] * N,
        "nothing": [None] * N,
        "name": [f"image {i}" for i in range(N)],
        "row": list(range(N)),
    }


def check(found):
    kinds = {f.name: (f.kind, f.size, f.labels) for f in found.factor_columns}
    assert kinds == {
        "shape": ("categorical", 2, ("ball", "cube")),
        "lit": ("categorical", 2, ("False", "True")),
        "scale": ("ordinal", 6, ()),
        "count": ("ordinal", 5, ()),
        "height": ("continuous", 0, ()),
        "step": ("ordinal", 4, ()),
        "angle": ("circular", 0, ()),
    }
    shape, lit, scale, count, height, step, angle = found.values.T
    assert np.array_equal(shape[:3], [1, 0, np.nan], equal_nan=True)
    assert np.array_equal(lit[:3], [1, np.nan, 0], equal_nan=True)
    assert (scale == np.arange(N) % 6).all()
    assert np.array_equal(count[:4], [np.nan, 1, 2, 3], equal_nan=True)
    assert (step == np.arange(N) % 4).all()
    assert found.factor_columns[5].values == (0, 0.5, 1, 1.5)
    assert set(found.left_out) == {"constant", "nothing", "name", "row"}
    assert found.left_out["constant"] == "it takes one value only, 3"
    assert found.left_out["nothing"] == "no row has a value"
    assert "240 words in 240 rows look like identifiers" in found.left_out["name"]
    assert "run from 0 to 239 and number the rows" in found.left_out["row"]


@pytest.mark.parametrize("library", ["polars", "pandas", "pyarrow", "mapping"])
def test_tables_of_all_libraries_give_the_same_factors(table, library):
    if library == "polars":
        data = pl.DataFrame(table)
    elif library == "pandas":
        data = pytest.importorskip("pandas").DataFrame(table)
    elif library == "pyarrow":
        data = pytest.importorskip("pyarrow").table(table)
    else:
        data = table
    check(read_columns(data, kinds={"angle": "circular"}))


def test_nullable_types_of_pandas_keep_their_kinds():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "lit": pd.array([True, None, False, True], dtype="boolean"),
            "count": pd.array([1, None, 2, 2], dtype="Int64"),
            "size": pd.Categorical(["s", "l", None, "m"], ["s", "m", "l"], ordered=True),
        }
    )
    found = read_columns(frame)
    assert [f.kind for f in found.factor_columns] == ["categorical", "ordinal", "ordinal"]
    assert found.factor_columns[2].labels == ("s", "m", "l")
    assert np.array_equal(found.values[:, 2], [0, 2, np.nan, 1], equal_nan=True)
    assert np.array_equal(found.values[:, 0], [1, np.nan, 0, 1], equal_nan=True)


def test_arrays_have_names_by_position(rng):
    found = read_columns(np.column_stack([np.arange(N) % 3, rng.random(N)]))
    assert [f.name for f in found.factor_columns] == ["factor_0", "factor_1"]
    assert [f.kind for f in found.factor_columns] == ["ordinal", "continuous"]
    single = read_columns(np.arange(N) % 7)
    assert [(f.name, f.size) for f in single.factor_columns] == [("label", 7)]
    words = read_columns(np.array([["a", "1"], ["b", "2"], ["b", "2"]]), names=["w", "n"])
    assert [(f.name, f.kind) for f in words.factor_columns] == [
        ("w", "categorical"),
        ("n", "ordinal"),
    ]


def test_levels_agree_with_those_of_score(rng):
    frame = pl.DataFrame({"w": rng.choice(["c", "a", "b"], N), "n": rng.integers(0, 5, N)})
    scored, found = read_factors(frame), read_columns(frame)
    assert (scored.values == found.values).all()
    assert scored.kinds == tuple(f.kind for f in found.factor_columns)
    assert scored.words[0] == found.factor_columns[0].labels


@pytest.mark.parametrize(
    ("n_rows", "n_numbers", "kind"),
    [(100, 20, "ordinal"), (100, 21, "continuous"), (1000, 50, "ordinal"),
     (1000, 51, "continuous"), (40_000, 1000, "ordinal"), (40_000, 1001, "continuous")],
)  # fmt: skip
def test_whole_numbers_are_levels_while_they_are_few(n_rows, n_numbers, kind):
    found = read_columns({"x": np.arange(n_rows) % n_numbers * 3})
    assert found.factor_columns[0].kind == kind
    assert bool(found.notes) == (kind == "continuous")
    if kind == "ordinal":
        assert found.factor_columns[0].values[:3] == (0, 3, 6)
    else:
        assert "is read as continuous: declare it ordinal" in found.notes[0]


@pytest.mark.parametrize(("n_rows", "kind"), [(80, "ordinal"), (79, "continuous")])
def test_fractions_are_levels_where_each_has_many_rows(n_rows, kind):
    assert read_columns({"x": np.arange(n_rows) % 4 / 2}).factor_columns[0].kind == kind


def test_as_many_levels_as_16_bits_have():
    n = 1 << 16
    column = np.tile(np.arange(n), 2)
    ordinal = read_columns({"x": column}, kinds={"x": "ordinal"})
    assert ordinal.factor_columns[0].size == n
    assert (ordinal.values[:, 0] == column).all()
    words = [f"w{i:05}" for i in range(n)] * 2
    assert read_columns({"x": words}).factor_columns[0].size == n
    assert read_columns({"x": column}).factor_columns[0].kind == "continuous"


def test_circles_of_whole_numbers_are_levels_once_around():
    degrees = np.array([0, 45, 90, 180, 315, 270] * 4)
    found = read_columns({"angle": degrees}, kinds={"angle": "circular"})
    factor = found.factor_columns[0]
    assert factor.size == 8
    assert factor.values == pytest.approx(np.arange(8) * np.pi / 4)
    assert found.values[:6, 0].tolist() == [0, 1, 2, 4, 7, 6]
    assert read_factors(found.values, kinds="circular").readings == (LEVELS_OF_CIRCLE,)
    with pytest.raises(ValueError, match="runs from 0.5 to 359.5: give angles in radians"):
        read_columns({"x": np.arange(360) + 0.5}, kinds={"x": "circular"})
    with pytest.raises(ValueError, match="100,000 levels, once around"):
        read_columns({"x": np.arange(100_000)}, kinds={"x": "circular"})


def test_words_can_lie_on_a_circle():
    seasons = ["1 spring", "2 summer", "3 autumn", "4 winter"]
    factor = read_columns(seasons * 6, kinds="circular").factor_columns[0]
    assert factor.labels == tuple(seasons)
    assert factor.values == pytest.approx(np.arange(4) * np.pi / 2)


def test_lists_of_rows_are_tables():
    found = read_columns([["a", 1.5], ["b", 2.5], ["a", 3.0]])
    assert [f.kind for f in found.factor_columns] == ["categorical", "continuous"]


def test_declared_kinds_are_kept(table):
    kinds = {"name": "categorical", "row": "continuous", "scale": "categorical", "step": "ordinal"}
    found = read_columns(table, kinds=kinds)
    by_name = {f.name: f for f in found.factor_columns}
    assert by_name["name"].size == N
    assert by_name["row"].kind == "continuous"
    assert by_name["scale"].labels == ("0", "1", "2", "3", "4", "5")
    listed = read_columns(np.arange(20).reshape(10, 2), kinds=[None, "continuous"])
    assert [f.kind for f in listed.factor_columns] == ["ordinal", "continuous"]
    alike = read_columns(np.arange(20).reshape(10, 2), kinds="continuous")
    assert [f.kind for f in alike.factor_columns] == ["continuous"] * 2


def test_what_is_declared_or_required_is_not_left_out_silently(table):
    with pytest.raises(ValueError, match="factor 'constant' cannot be scored: it takes one value"):
        read_columns(table, kinds={"constant": "ordinal"})
    with pytest.raises(ValueError, match="factor 'name' cannot be scored"):
        read_columns(table, required=["name"])
    with pytest.raises(ValueError, match="factor 'shapes'.*did you mean 'shape'"):
        read_columns(table, kinds={"shapes": "ordinal"})
    with pytest.raises(ValueError, match="factor 'scales'"):
        read_columns(table, required=["scales"])
    with pytest.raises(ValueError, match="factor kind 'cyclic'"):
        read_columns(table, kinds={"angle": "cyclic"})


def test_a_table_without_factors_is_refused():
    with pytest.raises(ValueError, match=r"no column that can be a factor \(x: it takes one value"):
        read_columns({"x": ["cat"] * 9})


def test_infinite_values_are_refused():
    with pytest.raises(ValueError, match="factor 'x' holds infinite values"):
        read_columns({"x": [1.0, np.inf, 2.0]})


def test_columns_of_other_types_are_left_out_of_a_mapping():
    days = [datetime.date(2020, 1, 1 + i % 28) for i in range(N)]
    mapping = {"day": pl.Series(days), "x": pl.Series(np.arange(N) % 3)}
    found = read_columns(mapping)
    assert [f.name for f in found.factor_columns] == ["x"]
    assert "holds dates or times" in found.left_out["day"]
    with pytest.raises(ValueError, match="'day' cannot be scored"):
        read_columns(mapping, kinds={"day": "ordinal"})


def test_rows_and_images_must_be_as_many():
    images = ArrayDataset(np.zeros((3, 4, 4, 1), dtype=bool))
    columns = FactorColumns((Factor("x", kind="continuous"),), np.zeros((4, 1)), {})
    with pytest.raises(ValueError, match="3 images, and its table of factors 4 rows: give one row"):
        with_factors(images, columns)


def test_columns_of_a_mapping_must_fit_each_other():
    with pytest.raises(ValueError, match="equally many values, not x 3, y 4"):
        read_columns({"x": [0, 1, 2], "y": [0, 1, 2, 3]})
    found = read_columns({"x": [0, 1, 2], "y": np.zeros((3, 2)), "z": 5})
    assert "it has the shape (3, 2), not that of a column" in found.left_out["y"]
    assert "it has the shape ()" in found.left_out["z"]
