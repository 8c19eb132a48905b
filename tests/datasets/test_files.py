"""Images that lie in files: how they are decoded, kept, and refused."""

import errno
import io
import os
import pickle
import shutil
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image, ImageOps

from unweave._storage import cache_folder
from unweave.datasets import ImageFiles
from unweave.datasets.dataset import spread_rows
from unweave.datasets.own import file_index, image_cache
from unweave.datasets.own.files import image_size, unusable_files


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)


def only(path, **options):
    """The one image of a file."""
    return ImageFiles([path], **options).images([0])[0]


def saved(path, pixels, mode=None, **options):
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path, **options)
    return path


def frames(path, pixels, **options):
    images = [Image.fromarray(np.roll(pixels, i, 0)) for i in range(3)]
    images[0].save(path, save_all=True, append_images=images[1:], **options)
    return path


def png16(levels):
    """A PNG of 16 bits, byte for byte as its standard says; Pillow writes grey ones only."""
    height, width, channels = levels.shape

    def part(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    body = part(b"IHDR", header) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiff16(levels, *, compressed, planes=False):
    """A colour TIFF of 16 bits, which Pillow does not write."""
    height, width, channels = levels.shape
    stored = np.moveaxis(levels, 2, 0) if planes else levels
    data = np.ascontiguousarray(stored).astype("<u2").tobytes()
    data = zlib.compress(data) if compressed else data
    extra = struct.pack("<3H", 16, 16, 16)
    entries = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 8 + len(data)),
        (259, 3, 1, 8 if compressed else 1), (262, 3, 1, 2), (273, 4, 1, 8),
        (277, 3, 1, channels), (278, 3, 1, height), (279, 4, 1, len(data)),
        (284, 3, 1, 2 if planes else 1),
    ]  # fmt: skip
    table = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", *entry) for entry in entries
    )
    offset = 8 + len(data) + len(extra)
    return b"II*\0" + struct.pack("<I", offset) + data + extra + table + struct.pack("<I", 0)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".webp"])
def test_lossless_formats_give_the_pixels_that_were_saved(tmp_path, pixels, suffix):
    path = saved(
        tmp_path / f"x{suffix}", pixels, **({"lossless": True} if suffix == ".webp" else {})
    )
    assert (only(path) == pixels).all()


def test_jpeg_is_what_pillow_decodes_and_content_counts_not_the_suffix(tmp_path, pixels):
    path = tmp_path / "x.png"
    saved(path, pixels, format="JPEG")
    assert (only(path) == np.asarray(Image.open(path))).all()


def test_grey_stays_one_channel_and_mixed_images_get_three(tmp_path, pixels):
    grey = saved(tmp_path / "grey.png", pixels[..., 0])
    colour = saved(tmp_path / "colour.png", pixels)
    assert ImageFiles([grey]).image_shape == (12, 16, 1)
    assert (only(grey)[..., 0] == pixels[..., 0]).all()
    both = ImageFiles([grey, colour])
    assert both.image_shape == (12, 16, 3)
    assert "1 of 2 images are greyscale" in both.notes[0]
    assert (both.images([0])[0] == pixels[..., :1]).all()
    luma = np.asarray(Image.fromarray(pixels).convert("L"))
    assert (only(colour, channels="grey")[..., 0] == luma).all()
    assert only(grey, channels="colour").shape == (12, 16, 3)
    assert ImageFiles([grey], channels="colour").notes == ()


def test_a_palette_of_greys_is_grey(tmp_path, pixels):
    grey = saved(tmp_path / "grey.png", pixels[..., 0], "P")
    colour = saved(tmp_path / "colour.png", pixels, "P")
    assert ImageFiles([grey]).image_shape[2] == 1
    assert ImageFiles([colour]).image_shape[2] == 3
    assert (only(colour) == np.asarray(Image.open(colour).convert("RGB"))).all()


def test_bits_become_black_and_white(tmp_path, rng):
    bits = rng.random((9, 7)) < 0.5
    path = saved(tmp_path / "x.png", bits)
    with Image.open(path) as image:
        assert image.mode == "1"
    assert (only(path)[..., 0] == 255 * bits).all()


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB"])
def test_other_colour_spaces_become_rgb(tmp_path, mode):
    grey = np.full((8, 8, 3), 128, dtype=np.uint8)
    path = tmp_path / "x.tif"
    if mode == "LAB":
        Image.merge("LAB", [Image.new("L", (8, 8), v) for v in (137, 128, 128)]).save(path)
    else:
        saved(path, grey, mode)
    found = only(path)
    assert found.shape == (8, 8, 3)
    assert np.abs(found.astype(int) - 128).max() <= 10


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_keep_the_rule_of_pixel_scale(tmp_path, rng, channels):
    levels = rng.integers(0, 65_536, (6, 5, channels))
    if channels == 4:
        levels[..., 3] = 65_535
    path = tmp_path / "x.png"
    path.write_bytes(png16(levels))
    assert (only(path) == np.rint(levels[..., :3] / 257)).all()


@pytest.mark.parametrize("compressed", [False, True])
def test_sixteen_bit_colour_of_tiff_is_read_whole(tmp_path, rng, compressed):
    levels = rng.integers(0, 65_536, (6, 5, 3))
    path = tmp_path / "x.tif"
    path.write_bytes(tiff16(levels, compressed=compressed))
    assert (only(path) == np.rint(levels / 257)).all()


def test_pictures_of_which_pillow_reads_half_the_bits_are_refused(tmp_path, rng):
    levels = rng.integers(0, 65_536, (6, 5, 3))
    path = tmp_path / "planes.tif"
    path.write_bytes(tiff16(levels, compressed=False, planes=True))
    with pytest.raises(ValueError, match="16-bit planes.*8 of their bits only"):
        only(path)
    path = tmp_path / "alpha.png"
    path.write_bytes(png16(levels[..., :2]))
    with pytest.raises(ValueError, match="16-bit grey with transparency"):
        only(path)


def test_sixteen_bit_grey_of_tiff(tmp_path, rng):
    levels = rng.integers(0, 65_536, (6, 5), dtype=np.uint16)
    for order in ("<u2", ">u2"):
        path = saved(tmp_path / "x.tif", levels.astype(order))
        assert (only(path)[..., 0] == np.rint(levels / 257)).all()
    path = saved(tmp_path / "x.tif", levels, tiffinfo={262: 0})
    with pytest.raises(ValueError, match=r"more than 8 bits, of which 0 is white\): Pillow does"):
        only(path)


def test_the_first_picture_of_a_phone_is_taken(tmp_path, pixels):
    path = frames(tmp_path / "x.jpg", pixels, format="MPO")
    assert (only(path) == np.asarray(Image.open(io.BytesIO(path.read_bytes())))).all()


def test_fourteen_bits_in_sixteen_are_refused_with_the_mend(tmp_path, rng):
    path = tmp_path / "x.png"
    path.write_bytes(png16(rng.integers(0, 4096, (6, 5, 3))))
    with pytest.raises(ValueError, match="are very dark.*multiply 10-, 12- or 14-bit"):
        only(path)
    bright = tmp_path / "y.png"
    bright.write_bytes(png16(rng.integers(0, 65_536, (6, 5, 3))))
    ImageFiles([path, bright]).images([0])  # one dark image of many is a dark image


def test_floats_lie_between_black_and_white(tmp_path, rng):
    values = rng.random((6, 5)).astype(np.float32)
    path = saved(tmp_path / "x.tif", values)
    assert (only(path)[..., 0] == np.rint(values * 255)).all()
    path = saved(tmp_path / "y.tif", values * 200)
    with pytest.raises(ValueError, match="y.tif are float32 and run from .*divide them by 255"):
        only(path)
    values[2, 3] = np.nan
    values[2, 4] = np.inf
    path = saved(tmp_path / "z.tif", values)
    with pytest.raises(ValueError, match=r"z.tif \(2 nan or infinite pixels\): every pixel must"):
        only(path)


def test_whole_numbers_of_32_bits_are_refused(tmp_path):
    path = saved(tmp_path / "x.tif", np.arange(30, dtype=np.int32).reshape(6, 5))
    with pytest.raises(ValueError, match="x.tif are int32"):
        only(path)


def test_masks_of_zeros_and_ones_are_refused(tmp_path, rng):
    path = saved(tmp_path / "x.png", rng.integers(0, 2, (6, 5), dtype=np.uint8))
    with pytest.raises(ValueError, match="uint8 and hold only zeros and ones"):
        only(path)


def test_transparency_needs_a_background(tmp_path, pixels, rng):
    alpha = rng.integers(0, 256, (12, 16), dtype=np.uint8)
    path = saved(tmp_path / "x.png", np.dstack([pixels, alpha]))
    with pytest.raises(ValueError, match=r"x.png \(transparent in part\): give the colour"):
        only(path)
    share = alpha[..., None] / 255
    for colour, rgb in {"white": (255, 255, 255), "#204060": (32, 64, 96)}.items():
        exact = pixels * share + (1 - share) * np.array(rgb)
        assert np.abs(only(path, background=colour) - exact).max() <= 1
    for wrong in ("nocolour", 5):
        with pytest.raises(ValueError, match="background must be a colour"):
            ImageFiles([path], background=wrong)


def test_opaque_alpha_is_dropped(tmp_path, pixels):
    path = saved(tmp_path / "x.png", np.dstack([pixels, np.full((12, 16), 255, np.uint8)]))
    assert (only(path) == pixels).all()
    path = saved(tmp_path / "y.png", np.dstack([pixels[..., 0], np.full((12, 16), 255, np.uint8)]))
    with Image.open(path) as image:
        assert image.mode == "LA"
    assert (only(path) == pixels[..., :1]).all()


def test_transparent_entries_of_palettes_count(tmp_path, pixels):
    path = tmp_path / "x.png"
    Image.fromarray(pixels[..., 0] // 128).convert("P").save(path, transparency=0)
    with pytest.raises(ValueError, match="transparent in part"):
        only(path)
    found = only(path, background="red")
    assert (found[pixels[..., 0] < 128] == (255, 0, 0)).all()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, suffix, turn):
    stored = np.zeros((16, 24, 3), dtype=np.uint8)
    stored[:8, :12] = 255
    stored[8:, :12] = 160
    exif = Image.Exif()
    exif[0x0112] = turn
    path = saved(tmp_path / f"x{suffix}", stored, exif=exif.tobytes())
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    data = ImageFiles([path])
    assert data.image_shape == upright.shape == ((24, 16, 3) if turn > 4 else (16, 24, 3))
    assert (data.images([0])[0] == upright).all()
    assert bool(data.notes) == (turn > 1)
    assert turn == 1 or "EXIF orientation" in data.notes[0]


def test_damaged_exif_data_does_no_harm(tmp_path, pixels):
    path = saved(tmp_path / "x.png", pixels, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12")
    assert (only(path) == pixels).all()


def test_sizes_are_given_as_numbers_pairs_or_text():
    assert image_size(64) == image_size("64") == (64, 64)
    assert image_size((48, 64)) == image_size("48x64") == (48, 64)
    for wrong in (0, -3, (1, 2, 3), "wide", 6.5, "4x", None):
        with pytest.raises(ValueError, match="size must be a number of pixels"):
            image_size(wrong)


@pytest.mark.parametrize("resample", ["lanczos", "bicubic", "bilinear", "box", "nearest"])
def test_resizing_is_that_of_pillow(tmp_path, pixels, resample):
    path = saved(tmp_path / "x.png", pixels)
    found = only(path, size=(8, 4), resample=resample, fit="stretch")
    by_pillow = Image.fromarray(pixels).resize((4, 8), Image.Resampling[resample.upper()])
    assert (found == np.asarray(by_pillow)).all()


def test_box_takes_means_and_nothing_leaves_the_range(tmp_path):
    board = np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((3, 3))) * 255
    path = saved(tmp_path / "x.png", board.astype(np.uint8))
    means = board.reshape(4, 6, 4, 6).mean((1, 3))
    assert np.abs(only(path, size=4, resample="box")[..., 0] - means).max() <= 1
    assert only(path, size=30)[..., 0].max() == 255


def test_other_shapes_are_cropped_stretched_or_padded(tmp_path):
    wide = np.zeros((10, 30, 3), dtype=np.uint8)
    wide[:, 10:20] = 255
    path = saved(tmp_path / "x.png", wide)
    assert (only(path, size=10) == 255).all()
    stretched = only(path, size=10, fit="stretch", resample="nearest")
    assert (stretched[:, 4:6] == 255).all()
    assert (stretched[:, :3] == 0).all()
    padded = only(path, size=30, fit="pad", background="#0000ff")
    assert (padded[:10] == (0, 0, 255)).all()
    assert (padded[10:20] == wide).all()
    grey = saved(tmp_path / "y.png", wide[..., 0])
    assert (only(grey, size=30, fit="pad")[:10] == 0).all()
    assert (only(grey, size=30, fit="pad", background="white")[:10] == 255).all()


def test_unknown_options_are_refused(tmp_path, pixels):
    path = saved(tmp_path / "x.png", pixels)
    for option in ("resample", "fit", "channels"):
        with pytest.raises(ValueError, match=f"{option} 'lanzcos'"):
            ImageFiles([path], **{option: "lanzcos"})
    with pytest.raises(ValueError, match="has no image files"):
        ImageFiles([])


def test_mixed_sizes_need_one(tmp_path, pixels):
    files = [saved(tmp_path / f"{i}.png", pixels[: 12 - i % 2]) for i in range(3)]
    with pytest.raises(ValueError, match=r"2 sizes.*12 x 16 \(2, as 0.png\), 11 x 16 \(1"):
        ImageFiles(files)
    with pytest.raises(ValueError, match="--image-size 64"):
        ImageFiles(files)
    assert ImageFiles(files, size=8).images([0, 1]).shape == (2, 8, 8, 3)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif"])
def test_animations_and_pages_are_refused_by_name(tmp_path, pixels, suffix):
    path = frames(tmp_path / f"x{suffix}", pixels)
    with pytest.raises(ValueError, match=rf"x{suffix} \(\w+ of 3 frames\): animations"):
        ImageFiles([path])
    assert "of 3 frames" in unusable_files([path])[path]


def test_one_frame_of_a_gif_is_an_image(tmp_path, pixels):
    path = saved(tmp_path / "x.gif", pixels[..., 0])
    assert (only(path)[..., 0] == pixels[..., 0]).all()


@pytest.fixture
def damaged(tmp_path, rng):
    """Whole files, and files that are damaged, by what is wrong."""
    big = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = [saved(tmp_path / "whole.png", big), saved(tmp_path / "whole.jpg", big)]
    contents = {path.suffix: path.read_bytes() for path in whole}
    content = bytearray(contents[".png"])
    content[len(content) // 2] ^= 255
    bad = {
        "empty.png": b"",
        "truncated.png": contents[".png"][:-4000],
        "truncated.jpg": contents[".jpg"][:2000],
        "corrupt.png": bytes(content),
        "text.png": b"this is not a picture",
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    return whole, [tmp_path / name for name in bad]


def test_damaged_files_are_named(damaged):
    whole, bad = damaged
    assert set(unusable_files(whole + bad)) == set(bad)
    with pytest.raises(
        ValueError, match=r"2 of the 7 image files.*empty.png \(empty\).*text.png"
    ) as e:
        ImageFiles(whole + bad)
    assert "text.png (not a picture, or damaged at its beginning)" in str(e.value)
    assert "skip_damaged" in str(e.value)
    rest = [path for path in bad if path.stem in ("truncated", "corrupt")]
    data = ImageFiles(whole + rest)
    with pytest.raises(ValueError, match="3 of the 5 image files of images cannot be used") as e:
        data.prepare()
    assert all(path.name in str(e.value) for path in rest)
    assert "truncated.jpg (image file is truncated" in str(e.value)
    assert not list((cache_folder() / "images").glob("*.np*"))


def test_ten_are_named_and_the_others_counted(tmp_path):
    files = [tmp_path / f"{i:02}.png" for i in range(14)]
    for file in files:
        file.write_bytes(b"")
    with pytest.raises(ValueError, match=r"14 of the 14.*09.png \(empty\) and 4 more: restore"):
        ImageFiles(files)


def test_files_with_other_faults_are_counted(tmp_path, pixels):
    (tmp_path / "a.png").write_bytes(b"")
    frames(tmp_path / "b.gif", pixels)
    with pytest.raises(ValueError, match=r"1 of the 2.*a.png \(empty\).*; 1 other files"):
        ImageFiles([tmp_path / "a.png", tmp_path / "b.gif"])


def test_files_that_may_not_be_read_are_named(tmp_path, pixels, monkeypatch):
    path = saved(tmp_path / "x.png", pixels)
    read = Path.read_bytes

    def forbidden(self):  # root may read all files, so modes of files are no test
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(ValueError, match=r"x.png \(no permission to read it\): make them readable"):
        ImageFiles([path])
    with pytest.raises(ValueError, match=r"gone.png \(no such file or directory\): look whether"):
        ImageFiles([tmp_path / "gone.png"])


def test_huge_pictures_are_refused(tmp_path, monkeypatch):
    path = saved(tmp_path / "x.png", np.zeros((30, 30), dtype=np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match="to fill the memory: shrink them first"):
        ImageFiles([path])


def test_files_that_change_meanwhile_are_noticed(tmp_path, pixels):
    path = saved(tmp_path / "x.png", pixels)
    data = ImageFiles([path])
    saved(path, pixels[::-1])
    with pytest.raises(ValueError, match=r"\(changed\): they changed while they were read"):
        data.images([0])


def test_images_are_decoded_once(tmp_path, pixels, monkeypatch):
    files = [saved(tmp_path / f"{i}.png", np.roll(pixels, i, 0)) for i in range(5)]
    told = []
    data = ImageFiles(files, name="own").prepare(lambda done, n: told.append((done, n)))
    assert told[-1] == (5, 5)
    assert data.cache_file.stat().st_size == 5 * pixels.size + 128
    assert data.identity.startswith("own-")
    monkeypatch.setattr("unweave.datasets.own.files.decode", None)
    again = ImageFiles(files, name="own")
    assert again.identity == data.identity
    assert (again.images([3, 1]) == data.images([3, 1])).all()
    assert (again.stored([3]) == np.roll(pixels, 3, 0).reshape(1, -1)).all()
    assert again.images([]).shape == (0, 12, 16, 3)
    with pytest.raises(IndexError, match="must lie in"):
        again.images([5])
    moved = [file.rename(tmp_path / f"moved-{file.name}") for file in files]
    assert ImageFiles(moved).cache_file == data.cache_file
    assert ImageFiles(moved, size=6).identity != data.identity
    assert ImageFiles(moved[::-1]).identity != data.identity


def test_files_that_did_not_change_are_not_opened_again(tmp_path, pixels, monkeypatch):
    files = [saved(tmp_path / f"{i}.png", np.roll(pixels, i, 0)) for i in range(3)]
    opened = []
    read = file_index.content_of
    monkeypatch.setattr(
        file_index, "content_of", lambda file: opened.append(Path(file)) or read(file)
    )
    first = ImageFiles(files)
    ImageFiles(files)
    assert len(opened) == 6  # they were written just now: clocks of file systems are coarse
    monkeypatch.setattr(file_index, "_COARSE", -(10**12))
    ImageFiles(files)
    assert len(opened) == 6
    saved(files[1], pixels[::-1])
    changed = ImageFiles(files)
    assert opened[6:] == [files[1]]
    assert changed.identity != first.identity
    index = next((cache_folder() / "images").glob("*.index"))
    index.write_bytes(b"half")
    assert ImageFiles(files).identity == changed.identity


def test_a_damaged_cache_is_written_again(tmp_path, pixels):
    files = [saved(tmp_path / f"{i}.png", pixels) for i in range(3)]
    data = ImageFiles(files).prepare()
    for content in (data.cache_file.read_bytes()[:-50], b"", b"nonsense"):
        data.cache_file.write_bytes(content)
        with pytest.warns(UserWarning, match="is damaged: its images are written again"):
            assert (ImageFiles(files).images([2])[0] == pixels).all()


def test_a_process_that_was_killed_leaves_nothing_behind(tmp_path, pixels):
    data = ImageFiles([saved(tmp_path / "x.png", pixels)])
    data.cache_file.parent.mkdir(parents=True, exist_ok=True)
    partial = data.cache_file.parent / f".{data.cache_file.name}-abc.part"
    partial.write_bytes(b"half")
    data.prepare()
    assert not partial.exists()


def test_one_process_writes_and_others_wait(tmp_path, pixels, monkeypatch):
    data = ImageFiles([saved(tmp_path / "x.png", pixels)])
    data.cache_file.parent.mkdir(parents=True, exist_ok=True)
    waiting = threading.Thread(target=data.prepare)
    with FileLock(data.cache_file.with_suffix(".lock")):
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        np.save(data.cache_file, np.full((1, 12, 16, 3), 7, dtype=np.uint8))
    waiting.join(20)
    assert (data.images([0]) == 7).all()  # what the other process wrote


def test_a_full_disk_is_one_sentence(tmp_path, pixels, monkeypatch):
    data = ImageFiles([saved(tmp_path / "x.png", pixels)])
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(free=100))
    with pytest.raises(OSError, match="MB of decoded images of images do not fit into") as error:
        data.prepare()
    assert error.value.errno == errno.ENOSPC
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(free=10**9))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(image_cache.npy, "write_array_header_1_0", full)
    with pytest.raises(OSError, match="set UNWEAVE_CACHE to a folder on another disk"):
        data.prepare()
    assert not [p for p in data.cache_file.parent.iterdir() if "npy" in p.name]


def test_what_was_written_and_cannot_be_read_is_said(tmp_path):
    with pytest.raises(OSError, match="was written and cannot be read"):
        image_cache.cached_images(tmp_path / "x.npy", (3, 2), lambda stream: None, "images")


def test_other_errors_of_the_disk_keep_their_sentence(tmp_path):
    def broken(stream):
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match=r"cannot write .*x.npy \(Input/output error"):
        image_cache.cached_images(str(tmp_path / "x.npy"), (3, 2), broken, "images")


@pytest.mark.skipif(os.name == "nt", reason="no limits of file sizes")
def test_a_limit_of_file_sizes_leaves_nothing_partial(tmp_path, rng):
    saved(tmp_path / "x.png", rng.integers(0, 256, (200, 200, 3), dtype=np.uint8))
    code = (
        "import resource, signal, sys; from unweave.datasets import ImageFiles;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"data = ImageFiles([{str(tmp_path / 'x.png')!r}]);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000));"
        "\ntry: data.prepare()\nexcept OSError as error: print(error)"
        "\nprint([p.name for p in data.cache_file.parent.iterdir() if 'npy' in p.name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "do not fit into" in done.stdout
    assert done.stdout.strip().endswith("[]")


def test_memory_does_not_grow_with_the_number_of_images(tmp_path, rng):
    pytest.importorskip("resource")
    code = (
        "import resource, sys; from pathlib import Path; from unweave.datasets import ImageFiles;"
        "ImageFiles(sorted(Path(sys.argv[1]).glob('*.bmp'))).prepare();"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    stream = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(stream, format="BMP")
    content = stream.getvalue()
    peaks = []
    for n in (300, 3000):
        folder = tmp_path / str(n)
        folder.mkdir()
        for i in range(n):
            (folder / f"{i:05}.bmp").write_bytes(content[:-4] + struct.pack("<I", i))
        command = [sys.executable, "-c", code, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    more_decoded = 2700 * 64 * 64 * 3 / 1024
    assert peaks[1] - peaks[0] < more_decoded / 2  # in KiB, as Linux counts


def test_another_process_maps_the_same_file(tmp_path, pixels):
    data = ImageFiles([saved(tmp_path / "x.png", pixels)]).prepare()
    content = pickle.dumps(data)
    assert len(content) < 2000
    assert (pickle.loads(content).images([0])[0] == pixels).all()
    assert len(spread_rows(len(data))) == 1


def test_folders_that_swap_their_names_are_read_again(tmp_path, pixels, monkeypatch):
    """Files of one size, written at one time: only their inodes differ."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for i, folder in enumerate(folders):
        folder.mkdir()
        saved(folder / "1.bmp", np.roll(pixels, i, 0))
    monkeypatch.setattr(file_index, "_COARSE", -(10**12))
    same = os.stat(folders[0] / "1.bmp")

    def stat(path):
        found = os.stat(path)
        times = (found.st_size, same.st_mtime_ns, same.st_ctime_ns)
        return (*times, found.st_ino)

    monkeypatch.setattr(file_index, "file_state", stat)
    first, second = (ImageFiles([folder / "1.bmp"]).identity for folder in folders)
    folders[0].rename(tmp_path / "c")
    folders[1].rename(folders[0])
    assert ImageFiles([folders[0] / "1.bmp"]).identity == second != first


def test_pictures_that_pillow_only_warns_of(tmp_path, pixels, monkeypatch):
    file = saved(tmp_path / "a.png", pixels)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 150)  # of the 192 that there are
    with (
        warnings.catch_warnings(action="ignore"),
        pytest.raises(ValueError, match="more pixels than the 150 that Pillow opens safely"),
    ):
        ImageFiles([file])


def test_sizes_beyond_reason():
    with pytest.raises(ValueError, match="size=20000 is more than 16,384 pixels on a side"):
        image_size(20_000)
