"""Codes and factors from every kind of file, and what is said of files that are something else."""

import json
import os

import numpy as np
import polars as pl
import pytest

from unweave.cli.files import READERS
from unweave.metrics import mutual_information_gap


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, k, 300) for k in (3, 4)], axis=1)
    codes = factors @ rng.standard_normal((2, 3)) + 0.1 * rng.standard_normal((300, 3))
    return codes, factors


@pytest.fixture
def frame(data):
    codes, factors = data
    return pl.DataFrame(
        {f"z{j}": codes[:, j] for j in range(3)} | {"hue": factors[:, 0], "size": factors[:, 1]}
    )


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mig(cli):
    """MIG of a command line: its value and that of each factor."""

    def call(*words):
        code, out, err = cli("score", *words, "--metrics", "mig", "--json")
        assert code == 0, err
        found = json.loads(out)["metrics"]["mig"]
        return found["value"], found["per_factor"]

    return call


@pytest.fixture
def expected(mig, data):
    codes, factors = data
    np.savez("expected.npz", codes=codes, factors=factors)
    return mig("expected.npz")[0]


@pytest.fixture
def said(cli):
    """What the command line says of an input that it refuses."""

    def call(*words):
        code, out, err = cli(*words)
        assert code == 2, out
        assert "Traceback" not in err
        return err.removeprefix("error: ")

    return call


class TestArrays:
    def test_a_pair_of_npy(self, mig, data, expected):
        np.save("c.npy", data[0])
        np.save("f.npy", data[1])
        assert mig("c.npy", "f.npy")[0] == expected

    def test_one_npy_alone_says_what_it_lacks(self, said, data):
        np.save("c.npy", data[0])
        message = said("score", "c.npy")
        assert "holds a single array, c (float64, (300, 3))" in message
        assert "codes.npy factors.npy" in message
        message = said("compare", "c.npy", "c.npy")
        assert "codes.npy codes2.npy factors.npy (the factors of both as the third file)" in message

    def test_arrays_are_chosen_by_name(self, mig, data, expected):
        np.savez("a.npz", latents=data[0], labels=data[1], other=np.zeros(7))
        assert mig("a.npz", "--codes", "latents", "--factors", "labels")[0] == expected
        assert mig("a.npz", "--codes", "lat*", "--factors", "lab*")[0] == expected

    def test_single_columns_stand_side_by_side(self, mig, data, expected):
        codes, factors = data
        np.savez("a.npz", a=codes[:, :2], b=codes[:, 2], hue=factors[:, 0], size=factors[:, 1])
        value, each = mig("a.npz", "--codes", "a", "b", "--factors", "hue,size")
        assert value == expected
        assert list(each) == ["hue", "size"]

    def test_arrays_of_other_rows_are_refused(self, said, data):
        np.savez("a.npz", a=data[0][:, 0], b=data[0][:200, 1], factors=data[1])
        message = said("score", "a.npz", "--codes", "a,b")
        assert "what was chosen as codes differs in its number of rows: a 300, b 200" in message

    def test_images_are_no_columns(self, said, data):
        np.savez("a.npz", codes=data[0], images=np.zeros((300, 4, 4)), factors=data[1])
        message = said("score", "a.npz", "--codes", "codes,images")
        assert "'images' has shape (300, 4, 4): (samples,) or (samples, n) is needed" in message

    def test_bytes_are_names(self, mig, data):
        names = np.array(["größe".encode(), b"hue"])
        np.savez("a.npz", codes=data[0], factors=data[1], factor_names=names)
        assert list(mig("a.npz")[1]) == ["größe", "hue"]

    def test_bytes_that_are_no_text_are_refused(self, said, data):
        names = np.array([b"gr\xf6\xdfe", b"hue"])
        np.savez("a.npz", codes=data[0], factors=data[1], factor_names=names)
        assert "'factor_names' holds bytes that are not UTF-8 text" in said("score", "a.npz")

    def test_too_few_names_are_refused(self, said, data):
        np.savez("a.npz", codes=data[0], factors=data[1], factor_names=np.array(["a"]))
        assert "factor_names has shape (1,), and there are 2 factors" in said("score", "a.npz")

    def test_what_is_missing_is_answered_by_what_is_there(self, said, data):
        np.savez("a.npz", codes=data[0], latents_classes=data[1])
        message = said("score", "a.npz")
        assert "has no array 'factors': choose with --factors" in message
        assert "codes (float64, (300, 3)), latents_classes (int64, (300, 2))" in message
        message = said("score", "a.npz", "--factors", "latents_clases")
        assert (
            "no array 'latents_clases' for --factors (did you mean 'latents_classes'?)" in message
        )

    def test_only_what_is_chosen_is_read(self, mig, data):
        np.savez("a.npz", codes=data[0], factors=data[1], images=np.array([{}], dtype=object))
        assert mig("a.npz")[0] > 0

    def test_pickles_are_never_loaded(self, said, data, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (open, (str(tmp_path / "went off"), "w"))

        bomb = np.array([Bomb()], dtype=object)
        np.savez("a.npz", codes=bomb, factors=data[1])
        np.save("a.npy", bomb)
        assert "'codes' is pickled, and pickles are never loaded" in said("score", "a.npz")
        assert "'a' is pickled, and pickles are never loaded" in said("score", "a.npy", "a.npy")
        assert "is pickled" in said("geomancer", "a.npy")
        assert not (tmp_path / "went off").exists()

    @pytest.mark.parametrize("dtype", ["complex128", "datetime64[s]", [("x", "f4"), ("y", "f4")]])
    def test_types_that_are_no_numbers_are_refused(self, said, dtype):
        np.savez("a.npz", codes=np.zeros((9, 2), dtype), factors=np.arange(18).reshape(9, 2))
        message = said("score", "a.npz")
        assert "the array 'codes' is of type" in message
        assert "or strings, one array for each kind of value" in message


class TestTables:
    @pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
    def test_columns_are_chosen_by_name(self, mig, frame, expected, suffix):
        file = f"a.{suffix}"
        if suffix == "parquet":
            frame.write_parquet(file)
        else:
            frame.write_csv(file, separator="\t" if suffix == "tsv" else ",")
        for words in (
            ["--codes", "z*", "--factors", "hue,size"],
            ["--codes", "z0", "z1", "z2", "--factors", "hue", "size"],
            ["--codes", "z0,z1", "--codes", "z2", "--factors", "hue", "--factors", "size"],
            ["--codes", "z?", "--factors", "*"],
        ):
            value, each = mig(file, *words)
            assert value == expected
            assert list(each) == ["hue", "size"]

    def test_the_index_of_pandas_is_no_factor(self, mig, frame):
        table = pytest.importorskip("pandas").DataFrame(frame.to_dict(as_series=False))
        table.to_csv("unnamed.csv")
        table.reset_index(names="Unnamed: 0").to_csv("named.csv", index=False)
        frame.with_row_index("__index_level_0__").write_parquet("a.parquet")
        for file in ("unnamed.csv", "named.csv", "a.parquet"):
            _, each = mig(file, "--codes", "z*", "--factors", "*")
            assert list(each) == ["hue", "size"]

    def test_names_that_say_what_they_are_need_no_option(self, mig, frame, expected):
        frame.rename({"hue": "factor_hue", "size": "factor_size"}).write_csv("a.csv")
        assert mig("a.csv") == (expected, mig("a.csv")[1])

    def test_without_such_names_the_columns_are_listed(self, said, frame):
        frame.write_csv("a.csv")
        message = said("score", "a.csv")
        assert "has no column 'factors' and none named like factor_shape" in message
        assert "z0 (float64, 300 rows)" in message
        assert "hue (int64, 300 rows)" in message

    def test_two_tables(self, mig, frame, expected):
        frame.select("z0", "z1", "z2").write_csv("c.csv")
        frame.select("hue", "size").write_parquet("f.parquet")
        assert mig("c.csv", "f.parquet")[0] == expected

    def test_a_name_with_a_comma_or_a_star(self, mig, frame, expected):
        frame.rename({"hue": "hue, in turns", "size": "size*[px]"}).write_csv("a.csv")
        words = ["--codes", "z*", "--factors", "hue, in turns", "size*[px]"]
        assert mig("a.csv", *words)[0] == expected

    def test_a_column_is_not_both(self, said, frame):
        frame.write_csv("a.csv")
        message = said("score", "a.csv", "--codes", "z*", "--factors", "z0", "hue")
        assert "z0 cannot be codes and factors at once" in message
        assert "at once" in said("score", "a.csv", "--codes", "*", "--factors", "*")

    def test_codes_that_are_words_are_refused(self, said, frame):
        frame.with_columns(z1=pl.lit("high")).write_csv("a.csv")
        message = said("score", "a.csv", "--codes", "z*", "--factors", "hue")
        assert "codes must be numbers, and 'z1' holds words, as 'high'" in message

    def test_constant_columns_are_dropped(self, cli, frame):
        frame.with_columns(still=pl.lit(1)).write_csv("a.csv")
        words = ["score", "a.csv", "--codes", "z*", "--factors", "hue,still", "--metrics", "mig"]
        code, _, err = cli(*words)
        assert code == 2
        assert "(still) never vary" in err
        code, out, _ = cli(*words, "--drop-constant", "--rows", 100, "--json")
        assert code == 0
        content = json.loads(out)
        assert (content["dropped_factors"], content["n"]) == (["still"], 100)

    def test_lists_of_numbers_are_codes(self, mig, data, expected):
        table = pl.DataFrame({"codes": data[0], "hue": data[1][:, 0], "size": data[1][:, 1]})
        table.with_columns(pl.col("codes").arr.to_list()).write_parquet("lists.parquet")
        table.write_parquet("arrays.parquet")
        for file in ("lists.parquet", "arrays.parquet"):
            assert mig(file, "--factors", "hue,size")[0] == expected

    def test_lists_of_other_lengths_are_refused(self, said):
        pl.DataFrame({"codes": [[1.0], [1.0, 2.0]], "factor_x": [0, 1]}).write_parquet("a.parquet")
        assert "lists of the column 'codes' differ in length" in said("score", "a.parquet")

    def test_dates_are_refused(self, said, frame):
        frame.with_columns(day=pl.date(2020, 1, 1)).write_parquet("a.parquet")
        message = said("score", "a.parquet", "--codes", "z*", "--factors", "day")
        assert "the column 'day' is of type Date: numbers or words are needed; convert" in message


class TestWords:
    """Factors that are words score as the levels that they stand for."""

    @pytest.fixture
    def words(self, frame):
        hues = pl.Series(["blue", "green", "red"])  # in the order of their numbers
        return frame.with_columns(hue=hues.gather(frame["hue"]))

    @pytest.mark.parametrize("kind", ["csv", "parquet", "categorical", "enum", "npz", "bytes"])
    def test_in_every_kind_of_file(self, mig, words, data, kind):
        np.savez("numbers.npz", codes=data[0], factors=data[1][:, :1], factor_names=["hue"])
        expected = mig("numbers.npz")
        options = ["--codes", "z*", "--factors", "hue"]
        if kind in ("npz", "bytes"):
            hues = words["hue"].to_numpy().astype("S" if kind == "bytes" else "U")
            np.savez("words.npz", codes=data[0], hue=hues)
            assert mig("words.npz", "--factors", "hue") == expected
            np.savez("words.npz", codes=data[0], factors=hues[:, None], factor_names=["hue"])
            assert mig("words.npz") == expected
            return
        if kind == "csv":
            words.write_csv("words.csv")
            assert mig("words.csv", *options) == expected
            return
        types = {"categorical": pl.Categorical, "enum": pl.Enum(["blue", "green", "red"])}
        words.cast({"hue": types.get(kind, pl.String)}).write_parquet("words.parquet")
        assert mig("words.parquet", *options) == expected

    def test_words_are_compared_as_words(self, cli, words):
        words.write_csv("a.csv")
        words.cast({"hue": pl.Categorical}).write_parquet("b.parquet")
        options = ["--codes", "z*", "--factors", "hue,size", "--metrics", "mig", "--json"]
        code, out, err = cli("compare", "a.csv", "b.parquet", *options)
        assert code == 0, err
        assert json.loads(out)["metrics"]["mig"]["difference"] == 0
        words.with_columns(hue=pl.col("hue").reverse()).write_csv("c.csv")
        code, _, err = cli("compare", "a.csv", "c.csv", *options)
        assert code == 2
        assert "the factors in a.csv and c.csv differ" in err


class TestText:
    """What text tables come as."""

    WORDS = ("--codes", "z*", "--factors", "hue,size")

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
    def test_marked_encodings_are_read(self, mig, frame, expected, tmp_path, encoding):
        (tmp_path / "a.csv").write_text(frame.write_csv(), encoding=encoding)
        assert mig("a.csv", *self.WORDS)[0] == expected

    def test_latin_1_is_refused(self, said, frame, tmp_path):
        text = frame.rename({"size": "größe"}).write_csv()
        (tmp_path / "a.csv").write_text(text, encoding="latin-1")
        assert "it is not UTF-8 text" in said("score", "a.csv", *self.WORDS)
        text = frame.with_columns(size=pl.lit("groß")).write_csv()
        (tmp_path / "a.csv").write_text(text, encoding="latin-1")
        assert "it is not UTF-8 text" in said("score", "a.csv", *self.WORDS)

    def test_unmarked_utf_16_is_refused(self, said, frame, tmp_path):
        (tmp_path / "a.csv").write_text(frame.write_csv(), encoding="utf-16-le")
        assert "it is binary, or UTF-16 without a byte-order mark" in said("score", "a.csv")

    @pytest.mark.parametrize("separator", [";", "\t", "|"])
    def test_other_separators(self, mig, frame, expected, separator):
        frame.write_csv("a.csv", separator=separator)
        assert mig("a.csv", *self.WORDS)[0] == expected

    def test_decimal_commas(self, mig, frame, expected, tmp_path):
        text = frame.write_csv(separator=";").replace(".", ",")
        (tmp_path / "a.csv").write_text(text)
        assert mig("a.csv", *self.WORDS)[0] == expected

    def test_blanks_and_windows_line_ends(self, mig, frame, expected, tmp_path):
        text = frame.write_csv().replace(",", " , ").replace("\n", "\r\n")
        (tmp_path / "a.csv").write_text(text, newline="")
        assert mig("a.csv", *self.WORDS)[0] == expected

    def test_fractions_that_come_late(self, mig, data, expected):
        codes, factors = data
        table = pl.DataFrame({f"z{j}": codes[:, j] for j in range(3)})
        lines = table.write_csv().splitlines()
        whole = [",".join(str(round(float(x))) for x in line.split(",")) for line in lines[1:290]]
        rounded = np.r_[np.round(codes[:289]), codes[289:]]
        np.savez("a.npz", codes=rounded, factors=factors)
        with open("a.csv", "w") as stream:
            stream.write("\n".join([lines[0], *whole, *lines[290:]]) + "\n")
        np.save("f.npy", factors)
        assert mig("a.csv", "f.npy") == mig("a.npz")

    def test_numbers_without_names(self, mig, data, expected):
        np.savetxt("c.csv", data[0], delimiter=",", fmt="%.17g")
        np.savetxt("f.csv", data[1] + 7, delimiter=",", fmt="%d")
        assert mig("c.csv", "f.csv")[0] == expected

    def test_a_first_line_that_may_be_either_is_refused(self, said, data):
        np.savetxt("c.csv", data[0], delimiter=",", fmt="%.17g")
        np.savetxt("f.csv", np.r_[[[0, 1]], data[1][1:]], delimiter=",", fmt="%d")
        assert "first line, 0,1, may be names or a row of numbers" in said(
            "score", "c.csv", "f.csv"
        )

    def test_equal_names_are_refused(self, said, frame, tmp_path):
        (tmp_path / "a.csv").write_text(frame.write_csv().replace("size", "hue", 1))
        assert "stand more than once in its header, as 'hue' does" in said(
            "score", "a.csv", *self.WORDS
        )

    def test_lines_of_other_lengths_are_refused(self, said, frame, tmp_path):
        (tmp_path / "a.csv").write_text(frame.write_csv() + "1,2,3,4,5,6,7\n")
        assert "a.csv cannot be read as .csv: " in said("score", "a.csv", *self.WORDS)

    @pytest.mark.parametrize("word", ["", "NA", "NaN", "null"])
    def test_missing_values_are_refused(self, said, frame, tmp_path, word):
        head, first, rest = frame.write_csv().split("\n", 2)
        cells = first.split(",")
        for k in (0, 3):
            line = ",".join([*cells[:k], word, *cells[k + 1 :]])
            (tmp_path / "a.csv").write_text("\n".join([head, line, rest]))
            message = said("score", "a.csv", *self.WORDS)
            assert "nan" in message or "missing" in message


class TestDamage:
    """Files that are not what their name says."""

    @pytest.fixture(params=sorted(READERS))
    def file(self, request, tmp_path):
        return tmp_path / f"a{request.param}"

    def write(self, file, frame):
        arrays = frame.to_numpy()
        if file.suffix == ".npz":
            np.savez(file, codes=arrays[:, :3], factors=arrays[:, 3:])
        elif file.suffix == ".npy":
            np.save(file, arrays)
        elif file.suffix == ".parquet":
            frame.write_parquet(file)
        elif file.suffix == ".h5ad":
            import h5py

            with h5py.File(file, "w") as content:
                content["obsm/X"] = arrays
                content["obs/hue"] = arrays[:, 3]
        else:
            frame.write_csv(file, separator="," if file.suffix == ".csv" else "\t")

    def test_empty(self, said, file):
        file.touch()
        assert f"{file} is empty" in said("score", file)

    def test_a_folder(self, said, file):
        file.mkdir()
        (file / "codes.npz").touch()
        assert f"{file} is a folder, and a file is needed: it has codes.npz" in said("score", file)

    def test_no_file(self, said, file):
        for command in (["score"], ["compare", file], ["geomancer"]):
            assert f"no file at {file}" in said(*command, file)

    def test_rubbish(self, said, file, rng):
        for content in (rng.bytes(5000), b"\0" * 5000, b"PK\x03\x04" + rng.bytes(50), b"\n", b"a"):
            file.write_bytes(content)
            assert str(file) in said("score", file, file)
            assert str(file) in said("geomancer", file)

    def test_truncated(self, said, file, frame):
        self.write(file, frame)
        whole = file.read_bytes()
        for n in (1, 6, 11, 60, 129, 200, len(whole) // 2, len(whole) - 20):
            file.write_bytes(whole[:n])
            words = ["--codes", "*", "--factors", "hue"]
            message = said("score", file, file, *words)
            assert str(file) in message or file.suffix in (".csv", ".tsv")

    def test_flipped_bytes_end_in_no_traceback(self, cli, file, frame, rng):
        self.write(file, frame)
        whole = np.frombuffer(file.read_bytes(), dtype=np.uint8)
        for _ in range(20):
            damaged = whole.copy()
            damaged[rng.integers(0, min(600, len(whole)), 8)] = rng.integers(0, 256, 8)
            file.write_bytes(damaged.tobytes())
            code, _, err = cli("score", file, file, "--metrics", "irs", "--rows", "1")
            assert code in (0, 2)
            assert "Traceback" not in err

    @pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, said, file, frame):
        self.write(file, frame)
        file.chmod(0)
        assert "Permission denied" in said("score", file)

    def test_no_permission_is_said(self, said, file, frame, monkeypatch):
        self.write(file, frame)

        def refuse(path):
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setitem(READERS, file.suffix, refuse)
        assert said("score", file) == f"{file}: Permission denied"

    def test_another_kind(self, said, tmp_path):
        (tmp_path / "a.xlsx").write_text("x")
        assert "its name must end in one of .npz, .npy, .csv" in said("score", "a.xlsx")

    def test_the_other_numpy_format(self, said, data):
        with open("a.npz", "wb") as stream:
            np.save(stream, data[0])
        assert "it is a single array: name it .npy" in said("score", "a.npz")
        with open("a.npy", "wb") as stream:
            np.savez(stream, codes=data[0])
        assert "it is an .npz archive: name it .npz" in said("score", "a.npy")


class TestCompare:
    def test_files_of_different_kinds(self, cli, data, frame):
        frame.write_csv("a.csv")
        codes, factors = data
        np.savez("b.npz", codes=codes[:, :2], factors=factors)
        code, _, err = cli("compare", "a.csv", "b.npz", "--metrics", "mig")
        assert code == 2
        assert "has no column 'factors'" in err
        frame.rename({"hue": "factor_hue", "size": "factor_size"}).write_csv("a.csv")
        code, out, err = cli("compare", "a.csv", "b.npz", "--metrics", "mig,sap", "--json")
        assert code == 0, err
        assert list(json.loads(out)["metrics"]) == ["mig", "sap"]

    def test_one_file_of_factors(self, cli, data):
        np.save("a.npy", data[0])
        np.save("b.npy", data[0] ** 3)
        np.save("f.npy", data[1])
        code, out, err = cli("compare", "a.npy", "b.npy", "f.npy", "--metrics", "mig", "--json")
        assert code == 0, err
        assert abs(json.loads(out)["metrics"]["mig"]["difference"]) < 0.2


@pytest.mark.filterwarnings("always")
class TestPoints:
    @pytest.fixture
    def ball(self):
        points = np.random.default_rng(0).standard_normal((300, 3))
        return points / np.linalg.norm(points, axis=1, keepdims=True)

    def test_every_kind_of_file(self, cli, ball):
        frame = pl.DataFrame(dict(zip(["z0", "z1", "z2"], ball.T, strict=True)))
        np.save("a.npy", ball)
        np.savez("points.npz", points=ball, more=ball[:5])
        np.savez("only.npz", ball=ball)
        frame.write_csv("a.csv")
        frame.with_columns(hue=1).write_parquet("a.parquet")
        frame.rename({"z0": "x", "z1": "y", "z2": "size"}).write_csv("all.csv")
        found = []
        for words in (
            ["a.npy"],
            ["points.npz"],
            ["only.npz"],
            ["a.csv"],
            ["a.parquet"],
            ["all.csv"],
            ["points.npz", "--codes", "points"],
            ["a.parquet", "--codes", "z?"],
        ):
            code, out, err = cli("geomancer", *words, "--dims", 2, "--json")
            assert code == 0, err
            content = json.loads(out)
            found.append((content["n"], content["n_factors"], round(content["gap"], 6)))
        assert found == [found[0]] * len(found)

    def test_several_arrays_are_listed(self, said, ball):
        np.savez("a.npz", one=ball, two=ball)
        message = said("geomancer", "a.npz")
        assert "one (float64, (300, 3)), two (float64, (300, 3))" in message
        assert "choose with --codes" in message


class TestAnnData:
    @pytest.fixture
    def file(self, data, tmp_path):
        """As AnnData 0.8 to 0.12 lay a file out."""
        import h5py

        codes, factors = data
        file = tmp_path / "a.h5ad"
        with h5py.File(file, "w") as content:
            content.create_dataset("obsm/X_vae", data=codes)
            obs = content.create_group("obs")
            obs.attrs["encoding-type"] = "dataframe"
            obs.attrs["_index"] = "_index"
            obs.attrs["column-order"] = ["hue", "size", "stage", "count"]
            obs["_index"] = [f"cell {i}" for i in range(300)]
            obs["hue"] = factors[:, 0]
            obs["size"] = factors[:, 1]
            stage = obs.create_group("stage")
            stage.attrs.update({"encoding-type": "categorical", "ordered": True})
            stage["codes"] = factors[:, 0].astype("i1")
            stage["categories"] = ["late", "early", "middle"]
            count = obs.create_group("count")
            count.attrs["encoding-type"] = "nullable-integer"
            count["values"] = factors[:, 1]
            count["mask"] = np.arange(300) == 7
        return file

    def test_embedding_and_annotations(self, mig, file, expected):
        value, each = mig(file, "--factors", "hue,size")
        assert value == expected
        assert list(each) == ["hue", "size"]
        assert mig(file, "--codes", "obsm/X_*", "--factors", "obs/hue", "size")[0] == expected

    def test_without_factors_its_parts_are_listed(self, said, file):
        message = said("score", file)
        assert "choose the factors in" in message
        assert "obsm/X_vae (float64, (300, 3)), obs/hue (int64, (300,))" in message
        assert "obs/stage (words, (300,))" in message

    def test_levels_keep_their_order_and_masks_their_rows(self, file):
        from unweave.cli.files import open_source

        stage, count = open_source(file).load(["obs/stage", "obs/count"])
        assert stage.dtype == pl.Enum(["late", "early", "middle"])
        assert count.null_count() == 1
        assert count[7] is None

    def test_parts_that_are_no_arrays_are_refused(self, said, file):
        import h5py

        with h5py.File(file, "a") as content:
            content.create_group("obsm/graph").attrs["encoding-type"] = "awkward-array"
        message = said("score", file, "--codes", "graph", "--factors", "hue")
        assert (
            "the entry 'obsm/graph' is of type awkward-array, which cannot be read here" in message
        )

    def test_a_file_of_another_program(self, said, tmp_path):
        import h5py

        with h5py.File(tmp_path / "a.h5ad", "w") as content:
            content["images"] = np.zeros(3)
        assert "it has no group 'obs', which AnnData writes: it has images" in said(
            "score", "a.h5ad"
        )

    def test_what_anndata_writes(self, mig, data, expected, tmp_path):
        anndata = pytest.importorskip("anndata")
        import pandas as pd

        codes, factors = data
        words = pd.Categorical(np.array(["a", "b", "c"])[factors[:, 0]])
        obs = pd.DataFrame({"hue": factors[:, 0], "size": factors[:, 1], "word": words})
        obs.index = obs.index.astype(str).astype(object)
        with anndata.settings.override(allow_write_nullable_strings=True):
            anndata.AnnData(obs=obs, obsm={"X_pca": codes}).write_h5ad(tmp_path / "b.h5ad")
        assert mig("b.h5ad", "--factors", "hue,size")[0] == expected


class TestRows:
    """What `--rows` draws from, and what is said when too few are left."""

    @pytest.mark.parametrize("rows", [1, 2])
    def test_too_few_are_named_as_the_cause(self, said, data, rows):
        np.savez("a.npz", codes=data[0], factors=data[1], factor_names=["hue", "size"])
        message = said("score", "a.npz", "--rows", rows)
        assert f"--rows {rows} is too few" in message
        assert "draw more rows" in message
        assert "--drop-constant" not in message

    def test_advice_can_be_followed(self, said, data):
        np.savez("a.npz", codes=data[0][:2], factors=[[0, 1], [1, 0]])
        message = said("score", "a.npz", "--metrics", "mig")
        assert "give more rows (in Python, noise=None" in message

    def test_a_single_row_is_named(self, said, data):
        np.savez("a.npz", codes=data[0][:1], factors=data[1][:1])
        assert "a.npz has 1 row: at least 2 are needed" in said("score", "a.npz")

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    @pytest.mark.parametrize("part", ["codes", "factors"])
    def test_all_rows_are_checked_before_the_draw(self, said, data, bad, part):
        content = {"codes": data[0].copy(), "factors": data[1].astype(float)}
        drawn = np.random.default_rng(0).permutation(300)[:100]
        outside = np.setdiff1d(np.arange(300), drawn)[:3]
        content[part][outside, 0] = bad
        np.savez("a.npz", **content)
        message = said("score", "a.npz", "--rows", 100)
        assert f"3 {'missing' if np.isnan(bad) else 'infinite'} values in 3 rows" in message


class TestFactorsOfTwoFiles:
    def test_the_rows_that_differ_are_counted(self, said, data):
        codes, factors = data
        np.savez("a.npz", codes=codes, factors=factors)
        other = factors.copy()
        other[:7] = (factors[:7] + 1) % 3
        np.savez("b.npz", codes=codes, factors=other)
        assert "differ in 7 of 300 rows" in said("compare", "a.npz", "b.npz")

    def test_other_shapes_are_named(self, said, data):
        np.savez("a.npz", codes=data[0], factors=data[1])
        np.savez("b.npz", codes=data[0], factors=data[1][:, :1])
        assert "have shapes (300, 2) and (300, 1)" in said("compare", "a.npz", "b.npz")

    def test_words_are_no_numbers(self, said, data):
        np.savez("a.npz", codes=data[0], factors=data[1])
        np.savez("b.npz", codes=data[0], factors=np.where(data[1], "a", "b"))
        assert "differ in 300 of 300 rows" in said("compare", "a.npz", "b.npz")

    def test_a_missing_file_is_named(self, said):
        assert said("compare", "a.npz").startswith("SECOND is missing")


class TestHeaders:
    def test_carriage_returns_end_lines(self, cli, frame, tmp_path):
        frame.write_csv("a.csv")
        words = ["score", "a.csv", "--codes", "z*", "--factors", "hue,size", "--metrics", "mig"]
        code, expected, err = cli(*words)
        assert code == 0, err
        (tmp_path / "a.csv").write_bytes((tmp_path / "a.csv").read_bytes().replace(b"\n", b"\r"))
        assert cli(*words)[:2] == (0, expected)

    def test_many_columns_and_long_cells(self, tmp_path):
        from unweave._tables.files import read_csv

        names = [f"z{i}" for i in range(30_000)]
        (tmp_path / "a.csv").write_text(f"{','.join(names)}\n{','.join(['1'] * 30_000)}\n")
        assert read_csv(tmp_path / "a.csv")[0].columns == names
        (tmp_path / "a.csv").write_text(f"a,b\n{'x' * 200_000},1\n")
        assert read_csv(tmp_path / "a.csv")[0].shape == (1, 2)
        (tmp_path / "a.csv").write_text(f"a,{'b' * 200_000}\n1,1\n")
        with pytest.raises(ValueError, match="a name in its header has more than 131,072 char"):
            read_csv(tmp_path / "a.csv")

    def test_a_header_without_rows(self, said, frame):
        frame.clear().write_csv("a.csv")
        assert "it has a header and no rows" in said("score", "a.csv")
        frame.clear().write_parquet("a.parquet")
        assert "it has columns and no rows" in said("score", "a.parquet")

    @pytest.mark.parametrize("line", ["0.5,1.25,red", "-1,2,red", "1e3,2,red", "0.5,0.5,red"])
    def test_values_are_no_names(self, said, tmp_path, line):
        (tmp_path / "a.csv").write_text(f"{line}\n0.1,0.2,blue\n")
        message = said("score", "a.csv", "--codes", "*")
        assert "its first line holds values, as" in message
        assert "must be a header" in message

    def test_numbers_alone_are_rows_and_said_to_be(self, said, tmp_path):
        (tmp_path / "a.csv").write_text("0.5,1.25,3\n0.1,0.2,4\n")
        message = said("score", "a.csv")
        assert "(float64, 2 rows)" in message
        assert "its first line is numbers and no header" in message

    def test_whole_numbers_beside_words_are_names(self, mig, frame, expected):
        names = {"z0": "400", "z1": "410", "z2": "420"}
        frame.rename(names).write_csv("a.csv")
        assert mig("a.csv", "--codes", "4*", "--factors", "hue,size")[0] == expected


class TestPlaces:
    def test_points_are_asked_for(self, said, tmp_path):
        (tmp_path / "a.npy").touch()
        assert "a.npy is empty: points are needed" in said("geomancer", "a.npy")

    def test_folders_are_named(self, said, tmp_path):
        (tmp_path / "folder").mkdir()
        assert "folder is a folder, and a file is needed" in said("geomancer", "folder")
        assert "folder is a folder, and a study is a TOML file" in said("study", "folder")

    def test_a_cache_of_nobody_is_refused(self, said, monkeypatch):
        monkeypatch.setenv("UNWEAVE_CACHE", "~nobody-of-this-name/x")
        assert "there is no such user" in said("data", "prepare", "dsprites")

    def test_a_cache_in_the_home_folder(self, monkeypatch, tmp_path):
        from unweave._storage import cache_folder

        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        monkeypatch.setenv("UNWEAVE_CACHE", "~/x")
        assert cache_folder() == tmp_path / "x"


def test_fractions_without_a_kind_are_taken_to_be_continuous(tmp_path, cli, rng):
    """They can be nothing else, and a table of columns has no place for kinds."""
    shape, angle = rng.integers(0, 4, 300), rng.random(300).round(6)
    codes = np.stack([shape, angle], axis=1) + 0.1 * rng.normal(size=(300, 2))
    file = tmp_path / "codes.csv"
    rows = np.column_stack([codes, shape, angle])
    np.savetxt(file, rows, delimiter=",", header="z0,z1,factor_shape,factor_angle", comments="")
    code, out, err = cli("score", file, "--metrics", "mig", "--json")
    assert code == 0, err
    found = json.loads(out)
    factors = np.column_stack([shape, angle])
    expected = mutual_information_gap(
        rows[:, :2], factors, factor_kinds=["ordinal", "continuous"], noise=None
    )
    assert found["metrics"]["mig"]["value"] == pytest.approx(float(expected))
    (note,) = found["notes"]
    assert "factor factor_angle holds 300 different fractions in 300 rows" in note
    code, out, err = cli("compare", file, file, "--metrics", "mig", "--halves", 4)
    assert code == 0, err
    assert "taken to be continuous" in " ".join(out.split())
