"""Where official files are looked for, and what is said where they are missing."""

import pytest

from unweave.datasets.catalogue import DatasetEntry, Download
from unweave.datasets.official.location import how_to_get, official_file, official_folder

ONE = DatasetEntry(
    "toys", module="toys", function="Toys", text="toys", n_images=1, image_shape=(1, 1, 1),
    factors="x 1", licence="none", source="a paper", files=("toys.npz",), where="a web page",
)  # fmt: skip
MANY = DatasetEntry(
    "more", module="more", function="More", text="more", n_images=1, image_shape=(1, 1, 1),
    factors="x 1", licence="none", source="a paper", files=("a.npy", "b.npy"),
    downloads=(Download("http://x/a.npy", "md5:0", "a.npy", 255_000_000),),
)  # fmt: skip


def test_a_file_is_found_by_path_by_folder_and_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "toys").mkdir(parents=True)
    cached, renamed = tmp_path / "cache" / "toys" / "toys.npz", tmp_path / "mine.npz"
    for file in (cached, renamed, tmp_path / "toys.npz"):
        file.touch()
    assert official_file(ONE, None, "toys.npz") == cached
    assert official_file(ONE, str(renamed), "toys.npz") == renamed
    assert official_file(ONE, tmp_path, "toys.npz") == tmp_path / "toys.npz"
    assert official_file(ONE, tmp_path, "toys.npz.gz", "toys.npz") == tmp_path / "toys.npz"
    assert official_folder(ONE) == tmp_path / "cache" / "toys"
    assert official_folder(ONE, str(tmp_path)) == tmp_path


def test_one_of_several_files_stands_for_its_folder(tmp_path):
    for name in ("a.npy", "b.npy"):
        (tmp_path / name).touch()
    assert official_file(MANY, tmp_path / "a.npy", "b.npy") == tmp_path / "b.npy"
    assert official_file(MANY, tmp_path / "a.npy", "a.npy") == tmp_path / "a.npy"


def test_a_missing_file_is_named_with_the_way_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(
        FileNotFoundError, match=r"toys needs toys.npz, and .* does not exist"
    ) as found:
        official_file(ONE, None, "toys.npz")
    assert f"get toys.npz from a web page and put the files into {tmp_path / 'cache'}" in str(
        found.value
    )
    assert "as toys:PATH" in str(found.value)
    with pytest.raises(FileNotFoundError, match=r"is empty: `unweave data fetch more` .*\(255 MB"):
        official_file(MANY, tmp_path, "a.npy")
    for i in range(8):
        (tmp_path / f"{i}.txt").touch()
    with pytest.raises(FileNotFoundError, match=r"holds 0.txt, .*5.txt, ...: `unweave"):
        official_file(MANY, tmp_path, "a.npy", "a.npy.gz")
    with pytest.raises(FileNotFoundError, match="does not exist: give toys.npz, or a folder that"):
        official_file(ONE, tmp_path / "none", "toys.npz")
    with pytest.raises(FileNotFoundError, match=r"0.txt is a file, and the files of more lie in"):
        official_folder(MANY, tmp_path / "0.txt")
    with pytest.raises(ValueError, match="unknown dataset 'toy'"):
        official_file("toy", None, "x")


def test_sizes_are_in_words():
    small = DatasetEntry(
        **{**vars(MANY), "downloads": (Download("http://x/a", "md5:0", "a", 12_300_000_000),)}
    )
    assert "(12.3 GB)" in how_to_get(small)
