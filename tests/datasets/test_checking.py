import csv

import numpy as np
import pytest
from PIL import Image

from unweave.datasets import FactorDataset, load
from unweave.datasets.checking import check_data

N = 30


@pytest.fixture
def folder(tmp_path, rng):
    pytest.importorskip("polars")  # which reads tables
    own = tmp_path / "own"
    own.mkdir()
    rows = [("file", "shape", "size", "angle", "light")]
    for k in range(N):
        Image.fromarray(rng.integers(0, 256, (16, 12, 3), np.uint8)).save(own / f"{k}.png")
        size = k % 5 if k % 3 else ""
        rows.append((f"{k}.png", ["cube", "ball"][k % 2], size, 0.125 * k, "on"))
    with open(own / "factors.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return own


def test_a_sound_folder(folder):
    seen = []
    found = check_data(folder, progress=lambda *args: seen.append(args))
    assert found.is_sound
    assert found.name == str(folder)
    assert found.dataset is not None
    assert found.dataset.source == found.name
    assert (found.n_files, found.n_looked_at, found.n_blank) == (N, N, 0)
    assert (found.sizes, found.stored) == ({(16, 12): N}, {"8-bit colour": N})
    assert found.levels == (0, 255)
    shape, size, angle = found.factors
    assert (shape.name, shape.kind, shape.n_levels, shape.examples, shape.fewest) == (
        "shape", "categorical", 2, ("ball", "cube"), 15,
    )  # fmt: skip
    assert (size.kind, size.n_levels, size.n_missing) == ("ordinal", 5, 10)
    assert (angle.kind, angle.n_levels, angle.examples) == ("continuous", 0, ("0", "3.625"))
    assert found.n_labelled == 20
    assert any("'light' is not a factor: it takes one value only, on" in n for n in found.notes)
    assert {what for what, _, _ in seen} == {"decoding files", "decoding", "looking at images"}


def test_a_broken_folder(folder):
    whole = (folder / "1.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[:300])
    (folder / "zero.png").touch()
    Image.new("L", (20, 20), 7).save(folder / "odd.png")
    Image.new("RGBA", (12, 16), (1, 2, 3, 9)).save(folder / "alpha.png")
    Image.new("I;16", (12, 16), 30_000).save(folder / "deep.png")
    Image.new("P", (12, 16), 3).save(folder / "palette.png")
    found = check_data(folder)
    assert not found.is_sound
    assert set(found.unusable) == {"cut.png", "zero.png"}
    assert found.sizes == {(16, 12): N + 3, (20, 20): 1}
    assert found.stored == {
        "8-bit colour": N,
        "8-bit greyscale": 1,
        "8-bit colour with alpha": 1,
        "16-bit greyscale": 1,
        "colours of a palette": 1,
    }
    assert len(found.problems) == 2
    assert "are of 2 sizes, height x width: 16 x 12 (33" in found.problems[0]
    assert "resize them to one, as with --image-size 64" in found.problems[0]
    assert "transparent in part" in found.problems[1]
    assert found.n_blank == 4
    assert found.dataset is not None
    assert len(load(found.dataset.source)) == N + 4
    assert found.dataset.source.endswith("?background=white&size=16x12&skip_damaged=true")


def test_a_folder_whose_table_does_not_fit(folder):
    (folder / "3.png").unlink()
    found = check_data(folder)
    assert "3.png" in found.problems[0]
    assert len(found.problems) == 1
    assert found.dataset is not None
    assert not isinstance(found.dataset, FactorDataset)
    assert found.n_looked_at == N - 1


def test_files_and_names(tmp_path):
    images = np.random.default_rng(0).random((300, 8, 8))
    np.savez(tmp_path / "own.npz", pixels=images, factors=np.arange(300) % 4)
    found = check_data(f"{tmp_path / 'own.npz'}?images=pixels")
    assert (found.stored, found.sizes) == ({"float64": 300}, {(8, 8): 300})
    assert found.factors[0].n_levels == 4
    images[290] = np.nan
    np.save(tmp_path / "own.npy", images)
    found = check_data(tmp_path / "own.npy")
    assert list(found.unusable) == ["rows 256 to 299"]
    assert "nan or infinite" in found.unusable["rows 256 to 299"]
    with pytest.raises(ValueError, match="unknown dataset"):
        check_data("nothing")
    found = check_data("torus?factors=x")
    assert found.is_sound
    assert [f.is_nuisance for f in found.factors] == [True, False, True]
    assert (found.factors[1].n_levels, found.factors[1].fewest) == (16, 256)


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(ValueError, match="holds no images"):
        check_data(tmp_path)
