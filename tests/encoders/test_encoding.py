import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from unweave.datasets import DSprites
from unweave.encoders import PROTOCOLS, chosen_protocol, encode_rows, load_encoder, save_codes
from unweave.encoders.encoder import Card, Encoder
from unweave.encoders.network import NetworkEncoder, mixed_precision_pays
from unweave.encoders.preprocessing import Preprocessing

DATASET = DSprites()


class Counting(Encoder):
    """Sums over the rows of pixels, counting the images it was shown."""

    def __init__(self, *, sha256="a", fail_after=None, spoil=None):
        self.card = Card("counting", "", sha256, "", "", 0)
        self.seen, self.fail_after, self.spoil = 0, fail_after, spoil

    def encode(self, images, *, unscaled=False):
        if self.fail_after is not None and self.seen >= self.fail_after:
            raise KeyboardInterrupt
        self.seen += len(images)
        codes = images.sum(axis=(2, 3)).astype(np.float32)
        if self.spoil is not None:
            codes[-1] = self.spoil
        return codes


ROWS = DATASET.sample_indices(300, seed=4)
EXPECTED = DATASET.images(ROWS).sum(axis=(2, 3)).astype(np.float32)


def test_codes_are_a_memory_map_and_are_made_once():
    encoder = Counting()
    codes = encode_rows(encoder, DATASET, ROWS)
    assert isinstance(codes, np.memmap)
    np.testing.assert_array_equal(codes, EXPECTED)
    again = encode_rows(encoder, DATASET, ROWS)
    np.testing.assert_array_equal(again, EXPECTED)
    assert encoder.seen == 300


@pytest.mark.parametrize("what", ["rows", "weights", "contrast"])
def test_what_codes_depend_on_is_encoded_again(what):
    encode_rows(Counting(), DATASET, ROWS)
    other = Counting(sha256="b" if what == "weights" else "a")
    rows = ROWS[::-1].copy() if what == "rows" else ROWS
    codes = encode_rows(other, DATASET, rows, unscaled=what == "contrast")
    assert other.seen == 300
    expected = {"rows": EXPECTED[::-1], "weights": EXPECTED, "contrast": EXPECTED / 255}[what]
    np.testing.assert_array_equal(codes, expected)


def test_cut_off_it_goes_on_where_it_was():
    with pytest.raises(KeyboardInterrupt):
        encode_rows(Counting(fail_after=128), DATASET, ROWS, batch_size=64)
    second = Counting()
    told = []
    codes = encode_rows(
        second, DATASET, ROWS, batch_size=64, progress=lambda *units: told.append(units)
    )
    assert second.seen == 300 - 128
    assert told[0] == (192, 300)
    assert told[-1] == (300, 300)
    np.testing.assert_array_equal(codes, EXPECTED)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_codes_that_are_not_finite_are_refused_with_their_row(value):
    with pytest.raises(
        ValueError, match=rf"nan or infinite codes, first for row {ROWS[63]}.*precision float32"
    ):
        encode_rows(Counting(spoil=value), DATASET, ROWS)


def test_an_encoder_that_sees_nothing_is_refused():
    with pytest.raises(ValueError, match="the same code for all 5 images: it sees nothing"):
        encode_rows(Counting(), DATASET, np.full(5, 7))


def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    """Peak of a fresh process, mapped pages included; codes of 6,000 images are 94 MiB."""
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from unweave.datasets import DSprites\n"
        "from unweave.encoders import encode_rows, load_encoder, save_codes\n"
        "n, folder, dataset = int(sys.argv[1]), Path(sys.argv[2]), DSprites()\n"
        "codes = encode_rows(load_encoder('pixels'), dataset, np.arange(n), folder=folder)\n"
        "save_codes(folder / 'codes.npz', codes, dataset, np.arange(n))\n"
        "lines = Path('/proc/self/status').read_text().splitlines()\n"
        "print(next(line.split()[1] for line in lines if line.startswith('VmHWM')))\n"
    )
    peaks = [
        int(subprocess.run([sys.executable, "-c", code, str(n), str(tmp_path / str(n))],
                           capture_output=True, text=True, check=True).stdout) / 1024
        for n in (500, 6_000)
    ]  # fmt: skip
    assert peaks[1] < peaks[0] + 30


def test_the_npz_is_what_score_reads(tmp_path):
    codes = encode_rows(load_encoder("pixels"), DATASET, ROWS)
    save_codes(tmp_path / "codes.npz", codes, DATASET, ROWS)
    with np.load(tmp_path / "codes.npz") as file:
        np.testing.assert_array_equal(file["codes"], codes)
        np.testing.assert_array_equal(file["factors"], DATASET.factors(ROWS))
        assert file["factor_names"].tolist() == list(DATASET.space.names)


def test_the_papers_rows_are_the_first_thousand_in_which_two_factors_vary():
    rows = PROTOCOLS["paper"].rows(DATASET, seed=3)
    np.testing.assert_array_equal(rows, np.arange(1000))
    levels = DATASET.factors(rows)
    varying = [n for n, column in zip(DATASET.space.names, levels.T, strict=True) if np.ptp(column)]
    assert varying == ["posX", "posY"]
    assert PROTOCOLS["paper"].unscaled


def test_sound_rows_cover_every_factor():
    rows = chosen_protocol("sound").rows(DATASET, seed=3)
    assert len(np.unique(rows)) == 10_000
    counts = [len(np.unique(column)) for column in DATASET.factors(rows).T]
    assert counts == [3, 6, 40, 32, 32]
    with pytest.raises(ValueError, match=r"unknown protocol 'papr' \(did you mean 'paper'\?\)"):
        chosen_protocol("papr")


class Places(nn.Module):
    """A feature map of two channels, 8 by 8, and tokens of it."""

    def forward(self, images):
        small = nn.functional.adaptive_avg_pool2d(images, 8)
        return torch.cat([small, 2 * small], dim=1)


def places(module=None, **options):
    card = Card("places", "", "", "", "", 0, preprocessing=Preprocessing(None, channels=1))
    return NetworkEncoder(module or Places(), card, **options)


def test_feature_maps_are_pooled_as_chosen():
    images = DATASET.images(ROWS[:4])
    maps = places(pool="flatten").encode(images).reshape(4, 64, 2)
    np.testing.assert_allclose(places().encode(images), maps.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(places(pool="max").encode(images), maps.max(axis=1), rtol=1e-5)
    np.testing.assert_allclose(maps[..., 1], 2 * maps[..., 0])
    with pytest.raises(ValueError, match="has no class token: choose another pooling"):
        places(pool="class").encode(images)
    with pytest.raises(ValueError, match="unknown pooling 'middle'"):
        places(pool="middle")


def test_an_output_that_is_no_code_is_refused():
    with pytest.raises(ValueError, match=r"gives shape \(2, 1, 64, 64, 1\) where codes"):
        places(nn.Unflatten(3, (64, 1))).encode(DATASET.images(ROWS[:2]))


class Unused(Places):
    """Places with a layer that nothing passes through."""

    def __init__(self):
        super().__init__()
        self.spare = nn.Identity()


def test_a_layer_that_is_not_used_has_no_codes():
    encoder = places(Unused(), layer="spare")
    with pytest.raises(ValueError, match="layer 'spare' of places is not executed in a"):
        encoder.encode(DATASET.images(ROWS[:2]))


def test_batches_do_not_change_codes():
    images = DATASET.images(ROWS[:7])
    np.testing.assert_allclose(
        places(batch_size=3).encode(images), places(batch_size=7).encode(images), rtol=1e-6
    )


def test_preprocessing_can_be_set():
    encoder = places()
    encoder.configure(image_size=32, mean=[0.5], std=[0.25], precision="float32")
    found = encoder.encode(np.full((1, 64, 64, 1), 255, np.uint8))
    np.testing.assert_allclose(found, [[2, 4]], rtol=1e-6)
    with pytest.raises(ValueError, match="mean has 3 values, and places takes 1 channels"):
        encoder.configure(mean=[0.1, 0.2, 0.3])


@pytest.mark.parametrize(("error", "slowdown", "pays"), [(1e-4, 0, True), (0.1, 0, False),
                                                         (1e-4, 0.02, False)])  # fmt: skip
def test_a_narrow_format_must_be_equal_and_faster(error, slowdown, pays, monkeypatch):
    clock = iter([0, 0.01, 0, 0.005 + slowdown])
    monkeypatch.setattr("unweave.encoders.network.time.perf_counter", lambda: next(clock))
    codes = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))

    def run(precision):
        return codes if precision == "float32" else codes * (1 + error)

    assert mixed_precision_pays(run, "bfloat16") is pays


def test_the_cache_says_what_it_holds(tmp_path):
    encode_rows(Counting(), DATASET, ROWS, folder=tmp_path)
    (home,) = tmp_path.iterdir()
    content = json.loads((home / "description.json").read_text())
    assert content["encoder"]["name"] == "counting"
    assert content["n_rows"] == 300
