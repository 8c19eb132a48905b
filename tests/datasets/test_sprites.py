"""Sprites, composed of sheets of the published size."""

import numpy as np
import pytest
from PIL import Image

from unweave.datasets.official.sprites import Sprites

PARTS = {"bottomwear": 7, "topwear": 7, "hair": 10, "eyes": 5, "shoes": 3, "body": 7}
ORDER = ("body", "shoes", "bottomwear", "topwear", "eyes", "hair")


@pytest.fixture(scope="module")
def sheets(tmp_path_factory):
    """Sheets whose colour names the part and the sheet; each tile has a pixel of its own."""
    folder = tmp_path_factory.mktemp("clone")
    for place, part in enumerate(ORDER):
        (folder / part).mkdir()
        for k in range(PARTS[part]):
            pixels = np.zeros((21, 64, 13, 64, 4), dtype=np.uint8)
            # Bands that overlap, so that the order of parts shows.
            pixels[:, 8 * place : 8 * place + 16, :, :40] = (20 + place, 100 + k, 0, 255)
            pixels[:, 8 * place : 8 * place + 16, :, 40:44] = (255, 255, 255, 128)  # see-through
            if part == "body":
                row, column = np.indices((21, 13))
                pixels[:, 63, :, 63, 0], pixels[:, 63, :, 63, 1] = row, column
                pixels[:, 63, :, 63, 3] = 129
            image = Image.fromarray(pixels.reshape(1344, 832, 4))
            image = (
                image.quantize(256, method=Image.Quantize.FASTOCTREE) if part == "eyes" else image
            )
            image.save(folder / part / f"{k}.png", compress_level=1)
    return folder


def test_factors_are_those_of_disent(sheets):
    data = Sprites(sheets)
    assert data.space.names == (*PARTS, "action", "rotation", "frame")
    assert data.space.sizes == (7, 7, 10, 5, 3, 7, 5, 4, 6)
    assert len(data) == 6_174_000
    assert data.factor_kinds[-2:] == ("circular", "ordinal")
    assert data.space.factors[-2].labels == ("back", "left", "front", "right")
    assert data.symmetries[0].n_levels == 4


def test_parts_cover_each_other_from_the_body_to_the_hair(sheets):
    data = Sprites(sheets)
    levels = np.array([[6, 5, 9, 4, 2, 3, 1, 2, 4]])
    image = data.images(data.space.indices(levels))[0]
    of_part = dict(zip(PARTS, levels[0], strict=False))
    for place, part in enumerate(ORDER):
        rows = slice(8 * place, 8 * place + (16 if part == "hair" else 8))
        expected = (20 + place, 100 + of_part[part], 0)
        assert np.abs(image[rows, :40] - np.array(expected)).max() <= 4, part  # a palette's colours
    assert not image[:, 40:44].any()  # opacity of 128 covers nothing
    assert image[63, 63].tolist() == [4 * 1 + 2, 4, 0]  # row of thrust seen from the front


def test_the_back_can_be_left_out(sheets):
    data, whole = Sprites(sheets, back=False), Sprites(sheets)
    assert len(data) == 4_630_500
    assert data.symmetries == ()
    assert data.space.factors[-2].labels == ("left", "front", "right")
    np.testing.assert_allclose(data.space.factors[-2].values, np.pi / 2 * np.array([1, 2, 3]))
    left = data.space.indices([[0, 0, 0, 0, 0, 0, 2, 0, 0]])
    also = whole.space.indices([[0, 0, 0, 0, 0, 0, 2, 1, 0]])
    np.testing.assert_array_equal(data.images(left), whole.images(also))
    assert data.identity != whole.identity
    assert whole.identity == Sprites(str(sheets)).identity


def test_sheets_that_cannot_be_used(sheets, tmp_path):
    with pytest.raises(FileNotFoundError, match="sprites needs body/0.png or .*YingzhenLi/Sprites"):
        Sprites()
    with pytest.raises(ValueError, match="sheets as pickled objects, which can run any code"):
        Sprites(tmp_path / "sprites.npz")
    (tmp_path / "body").mkdir()
    sheet = (sheets / "body" / "0.png").read_bytes()
    (tmp_path / "body" / "0.png").write_bytes(sheet)
    with pytest.raises(FileNotFoundError, match=r"the sheet .*0.png is missing: each part needs"):
        Sprites(tmp_path)
    (tmp_path / "bottomwear").mkdir()
    (tmp_path / "bottomwear" / "0.png").write_bytes(sheet[:2000])
    with pytest.raises(ValueError, match=r"the sheet .*0.png is damaged \("):
        Sprites(tmp_path)
    Image.new("RGBA", (832, 1280)).save(tmp_path / "bottomwear" / "0.png")
    with pytest.raises(ValueError, match="is of 832 x 1280 pixels, not 832 x 1344: it is not one"):
        Sprites(tmp_path)
