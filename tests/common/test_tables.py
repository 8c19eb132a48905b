"""What users hand in: arrays, tensors and tables of any library, and the sentences about them."""

import datetime
import decimal

import numpy as np
import polars
import pytest
import scipy.sparse
import torch

from unweave._check import check_codes, check_names, read_codes
from unweave._factors import LEVELS_OF_CIRCLE, check_codes_factors, read_factors
from unweave.datasets import Factor, FactorSpace

NUMBERS = np.array([[0, 2], [1, 0], [2, 1], [0, 3]])
WORDS = ["red", "blue", "green", "red"]
SORTED = ("blue", "green", "red")
LEVELS = [2, 0, 1, 2]


@pytest.fixture(scope="module")
def pandas():
    return pytest.importorskip("pandas")


class Arrow:
    """A table of any library that exports Arrow, as those of pyarrow do."""

    def __init__(self, frame):
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema=None):
        return self.frame.__arrow_c_stream__(requested_schema)


class Framelike:
    """A table that NumPy can read, with names of its columns."""

    columns = ("u", "v")

    def __array__(self, dtype=None, copy=None):
        return NUMBERS


class TestNumbers:
    @pytest.mark.parametrize(
        "make",
        [
            lambda x: x,
            lambda x: x.tolist(),
            lambda x: np.asfortranarray(x),
            lambda x: np.ma.array(x),
            lambda x: x.astype(object),
            lambda x: x.astype(np.longdouble),
            lambda x: np.array([[decimal.Decimal(int(v)) for v in row] for row in x]),
            lambda x: torch.tensor(x),
            lambda x: torch.tensor(x, dtype=torch.float64, requires_grad=True),
            lambda x: torch.tensor(x, dtype=torch.bfloat16),
            lambda x: torch.tensor(x.T.copy()).T,
            lambda x: torch.tensor(x).to_sparse(),
            lambda x: list(torch.tensor(x, dtype=torch.float32, requires_grad=True)),
            lambda x: scipy.sparse.csr_matrix(x),
            lambda x: scipy.sparse.coo_array(x),
            lambda x: polars.DataFrame(x, schema=["a", "b"]),
            lambda x: Arrow(polars.DataFrame(x, schema=["a", "b"])),
            lambda x: Framelike(),
        ],
    )
    def test_of_any_container_are_the_same(self, make):
        np.testing.assert_array_equal(check_codes(make(NUMBERS)), NUMBERS)
        table = read_factors(make(NUMBERS))
        np.testing.assert_array_equal(table.values, NUMBERS)
        assert table.values.dtype == np.int64
        assert table.kinds == ("ordinal", "ordinal")
        assert table.words == {}

    def test_of_pandas_whatever_the_types_of_columns(self, pandas):
        frame = pandas.DataFrame(NUMBERS, columns=["a", "b"])
        for variant in (
            frame.convert_dtypes(),
            frame.astype({"a": "Int64", "b": "Float32"}),
            frame.astype("Float32"),
            frame.astype(object),
            frame.astype({"a": "category"}),
            frame.astype(pandas.SparseDtype(int)),
        ):
            np.testing.assert_array_equal(check_codes(variant), NUMBERS)
            assert read_factors(variant).names == ("a", "b")
            declared = read_factors(variant, kinds=["ordinal", "ordinal"])
            np.testing.assert_array_equal(declared.values, NUMBERS)
        mixed = pandas.DataFrame({"a": [True, False, True, False], "b": NUMBERS[:, 1]})
        np.testing.assert_array_equal(check_codes(mixed)[:, 0], [1, 0, 1, 0])

    def test_keep_single_precision(self):
        assert check_codes(NUMBERS.astype(np.float32)).dtype == np.float32
        assert check_codes(torch.tensor(NUMBERS, dtype=torch.bfloat16)).dtype == np.float32
        assert check_codes(NUMBERS.astype(np.float16)).dtype == np.float32

    def test_beyond_double_precision_keep_their_differences(self, pandas):
        first, second = 2**53 + 2 * NUMBERS[:, 0] + 1, NUMBERS[:, 1]
        for data in (
            np.column_stack([first, second]),
            torch.tensor(np.column_stack([first, second])),
            np.column_stack([first, second]).astype(np.uint64),
            np.column_stack([first, second]).astype(object),
            pandas.DataFrame({"a": first, "b": second + 0.5}),
            polars.DataFrame({"a": first, "b": second.astype(np.float32)}),
            polars.DataFrame({"a": first.astype(np.uint64), "b": second}),
        ):
            np.testing.assert_array_equal(check_codes(data)[:, 0], 2 * NUMBERS[:, 0])
        np.testing.assert_array_equal(check_codes(-NUMBERS - 2**60)[:, 0], 2 - NUMBERS[:, 0])
        wide = np.array([[-(2**63)], [2**63 - 1]])
        np.testing.assert_array_equal(check_codes(wide)[:, 0], [0, 2.0**64])

    @pytest.mark.parametrize("dtype", [np.int64, np.uint64])
    def test_that_double_precision_takes_for_one_are_refused(self, dtype):
        codes = np.array([[0, 7], [2**62 + 1, 8], [2**62 + 2, 9]], dtype=dtype)
        words = "latent 0 holds 3 different whole numbers, from 0 to 4611686018427387906, and"
        with pytest.raises(ValueError, match=f"{words} double precision distinguishes 2 of them"):
            check_codes(codes)

    def test_below_it_keep_their_values(self):
        codes = NUMBERS + 2**52
        np.testing.assert_array_equal(check_codes(codes), codes)

    def test_of_further_rows_start_where_the_first_do(self):
        first = read_codes(NUMBERS + 2**60)
        further = read_codes(NUMBERS[1:] - 5 + 2**60, like=first)
        np.testing.assert_array_equal(first.values, NUMBERS - NUMBERS.min(axis=0))
        np.testing.assert_array_equal(further.values, NUMBERS[1:] - 5)

    def test_are_never_changed_in_place(self):
        codes, factors = NUMBERS.astype(float), NUMBERS.copy()
        check_codes_factors(codes, factors)
        np.testing.assert_array_equal(factors, NUMBERS)

    def test_that_do_not_fit_beside_fractions_are_refused(self, pandas):
        frame = pandas.DataFrame({"id": np.arange(4) + 2**60, "x": [0.5, 1.5, 2.5, 3.5]})
        with pytest.raises(ValueError, match=r"factor 0 \(id\) holds 1152921504606846979, more"):
            read_factors(frame)
        whole = read_factors(frame.assign(x=[0, 1, 2, 3]))
        assert whole.values[3, 0] == 2**60 + 3


class TestMissing:
    def cases(self, pandas):
        floats = NUMBERS.astype(float)
        floats[2, 1] = np.nan
        frame = pandas.DataFrame(floats, columns=["a", "b"])
        yield floats, ""
        yield np.ma.masked_equal(NUMBERS, 1)[:, :], None
        yield np.where(np.isnan(floats), None, floats.astype(object)), ""
        yield frame, r" \(b\)"
        yield frame.convert_dtypes(), r" \(b\)"
        yield frame.astype("Float32"), r" \(b\)"
        yield frame.astype(object).where(frame.notna(), None), r" \(b\)"
        yield frame.astype(object).where(frame.notna(), pandas.NA), r" \(b\)"
        yield polars.DataFrame({"a": [0, 1, 2, 0], "b": [2, 0, None, 3]}), r" \(b\)"

    def test_values_are_counted_and_their_columns_named(self, pandas):
        for data, named in self.cases(pandas):
            count = 2 if named is None else 1
            columns = r"\[0, 1\]" if named is None else rf"\[1\]{named}"
            found = (
                ": 1 missing value in 1 row"
                if count == 1
                else f": {count} missing values in {count} rows"
            )
            with pytest.raises(ValueError, match=f"in latents {columns}{found}; every code"):
                check_codes(data)
            with pytest.raises(ValueError, match=f"factors {columns} hold .*{found}; drop these"):
                read_factors(data)

    @pytest.mark.parametrize("nothing", [None, float("nan"), "nan", "<NA>", np.datetime64("NaT")])
    def test_among_words(self, nothing, pandas):
        column = np.array(["a", "b", None, "a"], dtype=object)
        column[2] = nothing
        for data in (column[:, None], pandas.DataFrame({"x": column})):
            with pytest.raises(ValueError, match="1 missing value in 1 row"):
                read_factors(data)

    def test_of_other_kinds(self, pandas):
        for column in (
            pandas.array(["a", pandas.NA, "b"], dtype="string"),
            pandas.Categorical(["a", None, "b"]),
            pandas.array([True, pandas.NA, False], dtype="boolean"),
            np.array(["a", pandas.NaT, "b"], dtype=object),
        ):
            with pytest.raises(ValueError, match=r"\(x\) hold .*1 missing value in 1 row"):
                read_factors(pandas.DataFrame({"x": column}))
        masked = np.ma.array([["a"], ["b"], ["c"]], mask=[[0], [1], [1]])
        with pytest.raises(ValueError, match="2 missing values in 2 rows"):
            read_factors(masked)
        with pytest.raises(ValueError, match="3 missing values in 3 rows"):
            read_factors(polars.DataFrame({"x": [None] * 3}))

    @pytest.mark.parametrize("nothing", ["nan", "<NA>", "NaT"])
    def test_as_a_word_are_missing_in_every_container(self, nothing, pandas):
        words = ["a", nothing, "b", "a"]
        optional = np.dtypes.StringDType(na_object=None)
        for data in (
            np.array(words)[:, None],
            np.array(words, dtype="S")[:, None],
            np.array(words, dtype=object)[:, None],
            np.array(words, dtype=np.dtypes.StringDType())[:, None],
            np.array(["a", None, "b", "a"], dtype=optional)[:, None],
            pandas.DataFrame({"x": words}),
            pandas.DataFrame({"x": pandas.Categorical(words)}),
            pandas.DataFrame({"x": pandas.Categorical(words, ordered=True)}),
            polars.DataFrame({"x": words}),
            polars.DataFrame({"x": words}, schema={"x": polars.Categorical}),
            polars.DataFrame({"x": words}, schema={"x": polars.Enum(["a", "b", nothing])}),
        ):
            with pytest.raises(ValueError, match="1 missing value in 1 row"):
                read_factors(data)

    def test_and_infinite_ones_are_counted_apart(self):
        with pytest.raises(ValueError, match="1 missing value and 2 infinite values in 2 rows"):
            check_codes([[np.nan, np.inf], [0, -np.inf], [1, 1]])

    def test_words_such_as_none_are_levels(self):
        assert read_factors([["None"], ["low"], ["high"]]).words == {0: ("None", "high", "low")}


class TestWords:
    def test_of_any_container_become_levels_in_sorted_order(self, pandas):
        objects = np.column_stack([np.array(WORDS, dtype=object), NUMBERS[:, 1]])
        frame = {"colour": WORDS, "n": NUMBERS[:, 1]}
        lazy_categorical = polars.DataFrame(frame).with_columns(
            polars.col("colour").cast(polars.Categorical)
        )
        for data in (
            np.column_stack([WORDS, NUMBERS[:, 1].astype(str)]),
            np.column_stack([WORDS, NUMBERS[:, 1].astype(str)]).astype("S"),
            objects,
            objects.tolist(),
            pandas.DataFrame(frame),
            pandas.DataFrame(frame).convert_dtypes(),
            pandas.DataFrame(frame).astype({"colour": "category"}),
            polars.DataFrame(frame),
            lazy_categorical,
            Arrow(polars.DataFrame(frame)),
        ):
            table = read_factors(data)
            assert table.values[:, 0].tolist() == LEVELS
            assert table.values[:, 1].tolist() == NUMBERS[:, 1].tolist()
            assert table.words == {0: SORTED}
            assert table.kinds == ("categorical", "ordinal")

    def test_of_strings_of_any_width_that_read_as_numbers_are_numbers(self):
        wide = np.dtypes.StringDType()
        table = read_factors(NUMBERS.astype(str).astype(wide))
        np.testing.assert_array_equal(table.values, NUMBERS)
        assert table.kinds == ("ordinal", "ordinal")
        mixed = np.column_stack([WORDS, (NUMBERS[:, 1] / 2).astype(str)]).astype(wide)
        table = read_factors(mixed)
        assert table.words == {0: SORTED}
        np.testing.assert_array_equal(table.values[:, 1], NUMBERS[:, 1] / 2)
        with pytest.raises(ValueError, match="codes must be an array of numbers"):
            check_codes(NUMBERS.astype(str).astype(wide))

    def test_of_a_categorical_keep_its_order(self, pandas):
        order = ["red", "unused", "green", "blue"]
        for is_ordered, kind in ((False, "categorical"), (True, "ordinal")):
            column = pandas.Categorical(WORDS, categories=order, ordered=is_ordered)
            table = read_factors(pandas.DataFrame({"x": column}))
            assert table.values[:, 0].tolist() == [0, 2, 1, 0]
            assert table.words == {0: ("red", "green", "blue")}
            assert table.kinds == (kind,)
        enum = polars.DataFrame({"x": WORDS}, schema={"x": polars.Enum(order)})
        assert read_factors(enum).words == {0: ("red", "green", "blue")}
        assert read_factors(enum).kinds == ("categorical",)

    def test_booleans_are_categorical(self):
        table = read_factors(np.array([[True, False], [False, True]]))
        assert table.kinds == ("categorical", "categorical")
        assert table.words[0] == ("False", "True")
        assert table.values.tolist() == [[1, 0], [0, 1]]
        assert read_factors([[True, 2], [False, 3]]).kinds == ("ordinal", "ordinal")

    def test_obey_declared_kinds_column_by_column(self, pandas):
        frame = pandas.DataFrame({"size": ["10", "9", "9.5"], "shape": ["a", "c", "b"]})
        table = read_factors(frame, kinds=["continuous", None])
        assert table.values.tolist() == [[10, 0], [9, 2], [9.5, 1]]
        assert table.kinds == ("continuous", "categorical")
        assert table.words == {1: ("a", "b", "c")}
        as_words = read_factors(frame)
        assert as_words.words[0] == ("10", "9", "9.5")
        assert as_words.kinds == ("categorical", "categorical")

    def test_declared_ordinal_say_in_which_order(self, pandas):
        frame = pandas.DataFrame({"size": ["small", "large", "medium"]})
        table = read_factors(frame, kinds=["ordinal"])
        assert table.values[:, 0].tolist() == [2, 0, 1]
        assert (
            "factor 0 (size) is ordinal, and its words were taken in sorted order: large, "
            in (table.notes[0])
        )
        with pytest.raises(ValueError, match=r"\(size\) is declared continuous and holds words"):
            read_factors(frame, kinds=["continuous"])

    def test_are_refused_as_codes(self, pandas):
        frame = pandas.DataFrame({"x": [0.5, 1.5], "kind": ["a", "b"]})
        with pytest.raises(ValueError, match=r"latent 1 \(kind\) holds words, as 'a'"):
            check_codes(frame)
        with pytest.raises(ValueError, match="codes must be an array of numbers"):
            check_codes(NUMBERS.astype(str))

    def test_that_read_the_same_are_refused(self, pandas):
        frame = pandas.DataFrame({"x": pandas.Categorical([1, "1", 1])})
        with pytest.raises(ValueError, match="2 categories that read '1'"):
            read_factors(frame)

    def test_that_nearly_every_row_has_its_own_of_are_identifiers(self, pandas):
        frame = pandas.DataFrame({"cell": [f"c{i}" for i in range(50)], "x": np.arange(50) % 3})
        with pytest.raises(ValueError, match=r"\(cell\) takes 50 different words in 50 rows"):
            read_factors(frame)
        assert read_factors(frame, kinds=["categorical", None]).words.keys() == {0}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (NUMBERS * 1j, "0 holds complex numbers"),
        (np.array(["2020-01-01", "2021-01-01"], "datetime64[s]")[:, None], "0 holds dates or"),
        (np.array([[datetime.date(2020, 1, 1)], [datetime.date(2021, 1, 1)]]), "holds dates or"),
        (np.array([[datetime.timedelta(1)], [datetime.timedelta(2)]]), "holds dates or"),
        (polars.DataFrame({"t": [datetime.datetime(2020, 1, 1)] * 2}), r"\(t\) holds dates or"),
        (polars.DataFrame({"t": [[1, 2], [3, 4]]}), r"\(t\) holds values of type List"),
        (polars.DataFrame({"t": [{"x": 1.0}, {"x": 2.0}]}), r"\(t\) holds values of type Struct"),
        (polars.DataFrame({"t": [{"x": 1, "y": 2}] * 2}), r"\(t\) holds values of type Struct"),
        (
            polars.DataFrame({"t": [[1, 2], [3, 4]]}, schema={"t": polars.Array(polars.Int8, 2)}),
            r"\(t\) holds values of type Array",
        ),
        (np.array([[{}], [{}]]), "holds values of type dict"),
        (NUMBERS[None], r"must be two-dimensional, .*\(1, 4, 2\)"),
        (NUMBERS[:, 0], r"must be two-dimensional.*one column is x\[:, None\]"),
        (polars.Series([1, 2]), r"must be two-dimensional.*x.to_frame\(\)"),
        (5, r"must be an array of numbers \(samples, \w+\), not of type int"),
        ({"a": [1, 2]}, "not of type dict"),
        ("codes.npy", "not of type str"),
        ([[1, 2], [3]], "of type list cannot be read as an array"),
        (torch.empty(3, 2, device="meta"), "of type Tensor cannot be read as an array"),
        (np.zeros((0, 2)), r"are empty: their shape is \(0, 2\)"),
        (polars.DataFrame(), r"are empty: their shape is \(0, 0\)"),
        (polars.LazyFrame({"a": [1]}), r"lazy LazyFrame: pass what its collect\(\) gives"),
        (np.zeros(3, dtype=[("a", int), ("b", float)]), "structured array with the fields a, b"),
        (np.zeros((3, 2), dtype=[("a", int)]), "structured_to_unstructured"),
    ],
)
def test_what_is_no_table_of_numbers_gets_a_sentence(data, message):
    for read, what in ((check_codes, "codes|latent"), (read_factors, "factor")):
        with pytest.raises(ValueError, match=message) as caught:
            read(data)
        assert caught.match(what)


def test_pandas_tables_without_numbers_get_a_sentence(pandas):
    days = pandas.to_datetime(["2020-01-01", "2020-01-02"])
    for column in (days, days.to_period("D"), days - days[0]):
        with pytest.raises(ValueError, match=r"factor 0 \(when\) holds dates or times"):
            read_factors(pandas.DataFrame({"when": column}))
    with pytest.raises(ValueError, match=r"empty: their shape is \(2, 0\)"):
        read_factors(pandas.DataFrame(index=[0, 1]))
    with pytest.raises(ValueError, match=r"holds words and numbers, as 'x' and 1"):
        read_factors(pandas.DataFrame({"a": ["x", 1]}))


class TestPyarrow:
    def test_tables_keep_names_and_words(self):
        pyarrow = pytest.importorskip("pyarrow")
        colours = pyarrow.array(WORDS).dictionary_encode()
        table = pyarrow.table({"colour": colours, "n": NUMBERS[:, 1]})
        for data in (table, table.to_batches()[0]):
            found = read_factors(data)
            assert found.names == ("colour", "n")
            assert found.values[:, 0].tolist() == LEVELS
            assert found.words == {0: SORTED}
        np.testing.assert_array_equal(check_codes(table.select(["n"])), NUMBERS[:, 1:])
        with pytest.raises(ValueError, match=r"\(n\) hold .*1 missing value"):
            read_factors(pyarrow.table({"n": [1, None, 2]}))


class TestNames:
    @pytest.mark.parametrize("names", [["a", "b", "a"], [1, "1", 2], [b"a", "x", "a"]])
    def test_that_read_the_same_are_refused(self, names):
        with pytest.raises(
            ValueError, match="factor names must differ from each other, and '[a1]'"
        ):
            check_names("factor", names, 3)
        with pytest.raises(ValueError, match="is the name of factors 0, [12]: rename them"):
            check_codes_factors(np.eye(3), np.eye(3), names=names)

    def test_of_columns_that_are_repeated_are_refused(self, pandas):
        frame = pandas.DataFrame(NUMBERS, columns=["a", "a"])
        with pytest.raises(ValueError, match="'a' is the name of factors 0, 1"):
            read_factors(frame)
        assert read_factors(frame, names=["a", "b"]).names == ("a", "b")
        assert check_codes(frame).shape == NUMBERS.shape

    def test_may_be_bytes_or_an_array(self):
        assert read_factors(NUMBERS, names=np.array([b"a", b"b"])).names == ("a", "b")
        assert read_factors(NUMBERS, names=np.array(["ä", "b"])).names == ("ä", "b")
        assert read_factors(NUMBERS[:, :1], names="size").names == ("size",)


class TestKinds:
    def test_left_open_follow_the_column(self):
        assert read_factors(NUMBERS, kinds=[None, "circular"]).kinds == ("ordinal", "circular")
        with pytest.raises(ValueError, match="factor kinds are a mapping"):
            read_factors(NUMBERS, kinds={"a": "ordinal"})

    def test_circular_levels_are_no_angles_whatever_the_other_columns(self):
        factors = np.column_stack([NUMBERS, [0.5, 1, 2, 3]])
        table = read_factors(factors, kinds=["circular", "ordinal", "circular"])
        assert table.readings == (LEVELS_OF_CIRCLE, "ordinal", "circular")
        assert table.whole == (True, True, False)

    def test_identifiers_get_a_note(self):
        factors = np.column_stack([np.arange(60), np.arange(60) % 3])
        (note,) = read_factors(factors, names=["row", "x"]).notes
        assert note.startswith("factor 0 (row) takes 60 whole numbers in 60 rows and looks contin")
        (beside_fractions,) = read_factors(factors + [0, 0.5]).notes
        assert beside_fractions.startswith("factor 0 takes 60 whole numbers")
        assert read_factors(factors, kinds=["continuous", None]).notes == ()
        assert read_factors(factors, kinds=["ordinal", None]).notes == ()

    def test_of_a_factor_space_may_be_declared_one_by_one(self):
        space = FactorSpace([Factor("shape", (0, 1), "categorical"), Factor("x", (0, 0.5, 1))])
        assert read_factors(space).kinds == ("categorical", "ordinal")
        assert read_factors(space, kinds=[None, "circular"]).kinds == ("categorical", "circular")
        assert read_factors(space).grid == (2, 3)
        with pytest.raises(ValueError, match="'x' is the name of factors 0, 1"):
            FactorSpace([Factor("x", (0, 1)), Factor("x", (0, 1, 2))])


class TestRows:
    def frames(self, pandas, codes_index, factors_index):
        codes = pandas.DataFrame(NUMBERS.astype(float), index=codes_index)
        return codes, pandas.DataFrame(NUMBERS, index=factors_index, columns=["a", "b"])

    @pytest.mark.parametrize("labels", [list("wxyz"), [0, 1, 2, 3], [7, 5, 9, 1]])
    def test_are_matched_by_their_labels(self, pandas, labels):
        codes, factors = self.frames(pandas, labels, labels)
        assert check_codes_factors(codes, factors)[1].notes == ()
        _, table = check_codes_factors(codes, factors.iloc[[3, 1, 0, 2]])
        np.testing.assert_array_equal(table.values, NUMBERS)
        assert table.notes == (
            "rows of factors and codes were matched by the labels of their indexes, not by "
            "position",
        )

    def test_of_different_labels_are_refused(self, pandas):
        with pytest.raises(ValueError, match="codes and factors differ in 1 of 4 labels"):
            check_codes_factors(*self.frames(pandas, list("wxyz"), list("vzyx")))
        with pytest.raises(ValueError, match="hold labels more than once"):
            check_codes_factors(*self.frames(pandas, list("wxyy"), list("xwyy")))
        same = check_codes_factors(*self.frames(pandas, list("wxyy"), list("wxyy")))
        np.testing.assert_array_equal(same[1].values, NUMBERS)

    def test_a_default_index_is_matched_as_any_other(self, pandas):
        codes, factors = self.frames(pandas, None, None)
        for moved in (factors.iloc[::-1], factors.sample(4, random_state=0)):
            table = check_codes_factors(codes, moved)[1]
            np.testing.assert_array_equal(table.values, NUMBERS)
        for labels in (list("wxyz"), [1, 2, 3, 4], [0, 0, 1, 2], range(0, 8, 2)):
            for pair in ((None, labels), (labels, None)):
                with pytest.raises(ValueError, match=r"call reset_index\(drop=True\) on both, or"):
                    check_codes_factors(*self.frames(pandas, *pair))

    def test_of_a_whole_grid_are_labelled_from_0_on(self, pandas):
        space = FactorSpace([Factor("x", (0, 1)), Factor("y", (0, 1, 2))])
        codes = pandas.DataFrame(space.all_levels())
        found, table = check_codes_factors(codes.iloc[[3, 1, 0, 2, 5, 4]], space)
        np.testing.assert_array_equal(table.values, found)
        assert check_codes_factors(codes, space)[1].grid == (2, 3)
        with pytest.raises(ValueError, match="differ in 6 of 6 labels"):
            check_codes_factors(codes.set_axis(list("uvwxyz")), space)
        assert check_codes_factors(codes.to_numpy(), space)[1].grid == (2, 3)

    def test_without_labels_on_one_side_are_matched_by_position(self, pandas):
        codes, factors = self.frames(pandas, None, list("wxyz"))
        for first, second in (
            (codes.to_numpy(), factors),
            (codes, polars.DataFrame(NUMBERS)),
            (factors, polars.DataFrame(NUMBERS)),
        ):
            np.testing.assert_array_equal(check_codes_factors(first, second)[1].values, NUMBERS)
