"""What a page is made of, and the sentences for what it cannot be made of."""

import gzip
import json
from base64 import b64decode

import numpy as np
import pytest

import unweave
from unweave.datasets import from_arrays
from unweave.explorer import explore
from unweave.explorer.pictures import fitting, spread_levels, thumbnails
from unweave.explorer.represented import represent
from unweave.models import Network, build_vae


def test_a_page_is_small_and_holds_all(page_file):
    text = page_file.read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    packed = text.split('id="content">')[1].split("<")[0]
    whole = gzip.decompress(b64decode(packed))
    content = json.loads(whole[4 : 4 + int.from_bytes(whole[:4], "little")])
    assert content["title"] == "Squares"
    assert content["data"]["rows"]["$"][1] == [108]


def test_pages_are_the_same_from_call_to_call(explorer, squares, models):
    again = explore(models[0], squares, against=models[1], title="Squares")
    assert again.html() == explorer.html()


def test_names_that_are_markup_are_text(opened, two_factors, tmp_path):
    codes, factors = two_factors
    name = "</script><img src=x onerror=alert(1)>"
    made = explore(codes, factors=factors, factor_names=[name, "b"], title=name)
    page = opened(made.save(tmp_path / "page.html").as_uri())
    assert page.locator("h1").inner_text() == name
    assert page.locator("img").count() == 0


def test_wide_codes_show_the_latents_that_tell_most(two_factors):
    _, factors = two_factors
    codes = np.random.default_rng(0).standard_normal((len(factors), 300))
    codes[:, 123] = factors[:, 0]
    made = explore(codes, factors=factors)
    model = made._content.page["models"][0]
    assert model["latents"][0] == 123
    assert model["codes"].shape == (len(factors), 100)
    assert any("100 of 300 latents are shown" in note for note in made.notes)
    assert any("importance is left out: 300 latents" in note for note in made.notes)


def test_of_many_factors_the_first_are_shown_and_scored():
    rng = np.random.default_rng(0)
    factors, codes = rng.integers(0, 2, (60, 30)), rng.standard_normal((60, 3))
    images = rng.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    dataset = from_arrays(images, factors, name="many")
    for made in (explore(codes, factors=factors), explore("pixels", dataset)):
        page = made._content.page
        assert len(page["factors"]) == 24
        assert page["models"][0]["matrices"]["information"]["values"].shape[1] == 24
        assert any("24 of 30 factors are shown and scored" in note for note in made.notes)


def test_of_a_million_rows_a_sample_is_shown():
    codes = np.random.default_rng(0).standard_normal((1_000_000, 2)).astype(np.float32)
    made = explore(codes, seed=3)
    assert "10,000 of 1,000,000 rows are shown, drawn at random (seed 3)" in made.notes
    page = made._content.page
    np.testing.assert_array_equal(
        page["models"][0]["codes"], codes[page["data"]["rows"]][:, page["models"][0]["latents"]]
    )


@pytest.mark.slow
def test_geomancer_finds_two_spheres(rng):
    from unweave.datasets.manifolds import parse_manifold

    points = parse_manifold("S^2 x S^2").sample(1500, random_state=0).points
    made = explore(points, geomancer=True)
    planes = made._content.page["models"][0]["planes"]
    assert [plane["name"] for plane in planes[1:]] == [
        "GEOMANCER, subspace 1 of 2 dimensions", "GEOMANCER, subspace 2 of 2 dimensions",
    ]  # fmt: skip
    # Each plane is of one sphere: three coordinates of one are what it is linear in.
    owners = []
    for plane in planes[1:]:
        shares = []
        for sphere in (points[:, :3], points[:, 3:]):
            _, rest, *_ = np.linalg.lstsq(sphere - sphere.mean(0), plane["points"], rcond=None)
            shares.append(rest.sum() / (plane["points"] ** 2).sum())
        owners.append(int(np.argmin(shares)))
        assert min(shares) < 0.05
    assert sorted(owners) == [0, 1]


def test_what_cannot_be_explored_is_answered_by_a_sentence(two_factors, squares, models):
    codes, factors = two_factors
    bad = codes.copy()
    bad[3, 1] = np.nan
    n = len(codes)
    fewer, turned = np.zeros((n - 1, 8, 8), np.uint8), np.zeros((n, 1, 8, 8))
    of_a_model = "factors are for codes, and a model has those of its dataset"
    for words, arguments, options in (
        ("codes hold nan or infinite values", (bad,), {}),
        ("1 row: at least 2 are needed", (codes[:1],), {}),
        ("give the factors of the same rows", (codes,), {"factors": factors[1:]}),
        ("codes has 300: give the same rows of both", (codes,), {"images": fewer}),
        ("give the same rows of both", (codes,), {"against": codes[1:]}),
        (r"images have shape \(300, 1, 8, 8\): \(rows, height", (codes,), {"images": turned}),
        ("codes need no dataset: give images and factors", (codes, squares), {}),
        (of_a_model, (models[0], squares), {"factors": factors}),
        ("it is not known which images the model is for", (models[0],), {}),
        ("rows must be a whole number of at least 2", (codes,), {"rows": 1}),
    ):
        with pytest.raises(ValueError, match=words):
            explore(*arguments, **options)


def test_images_of_another_size_are_refused(models):
    with pytest.raises(ValueError, match="16"):
        explore(models[0], from_arrays(np.full((9, 24, 24, 3), 255, np.uint8)))


def test_networks_that_are_too_large_are_left_out_or_halved(monkeypatch, squares, models):
    from unweave.explorer import represented

    encoder, decoder = (
        sum(4 * p.numel() for p in part.parameters())
        for part in (models[0].encoder, models[0].decoder)
    )

    def kept(room):
        monkeypatch.setattr(represented, "_WEIGHTS", room)
        return represent(models[0], squares, np.arange(4), name="model")

    whole = kept(encoder + decoder)
    assert whole.decoder[0]["weight"].dtype == np.float32
    halved = kept((encoder + decoder) / 2)
    assert halved.decoder[0]["weight"].dtype == halved.encoder[0]["weight"].dtype == np.float16
    assert any("half precision" in note for note in halved.notes)
    alone = kept(decoder)
    assert alone.encoder is None
    assert alone.decoder[0]["weight"].dtype == np.float32
    assert any("images that are dropped in have no code" in note for note in alone.notes)
    none = kept(decoder / 2 - 1)
    assert none.encoder is none.decoder is None
    assert any("there are no latents to move" in note for note in none.notes)


def test_images_without_factors_have_latents_and_a_map(opened, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 1)).astype(np.uint8)
    model = build_vae(Network(width=0.25, n_latents=2), (16, 16, 1), seed=0)
    made = unweave.explore(model, from_arrays(images))
    page = opened(made.save(tmp_path / "page.html").as_uri())
    assert page.locator("section.view > h2").all_inner_texts() == ["Latents", "Map"]


def test_levels_of_a_saved_page_fill_the_room():
    levels = spread_levels([10, 10, 10, 8, 4, 15], 2000)
    n = np.prod([len(own) for own in levels])
    assert 1000 < n <= 2000
    assert all(own[0] == 0 for own in levels)
    assert spread_levels([2, 2], 1) == [[0], [0]]
    assert spread_levels([3, 2], 100) == [[0, 1, 2], [0, 1]]


def test_a_factor_of_fractions_leaves_the_scores_of_the_others(two_factors, rng):
    codes, factors = two_factors
    mixed = np.column_stack([factors, rng.uniform(size=len(factors))])
    made = explore(codes, factors=mixed, factor_names=["a", "b", "angle"])
    page = made._content.page
    assert [factor["kind"] for factor in page["factors"]] == ["ordinal", "ordinal", "continuous"]
    matrix = page["models"][0]["matrices"]["information"]["values"]
    assert np.argmax(matrix[list(page["models"][0]["latents"]).index(0)]) == 0
    assert any(
        "factor angle holds 300 different fractions" in note and "factor_kinds" in note
        for note in made.notes
    )


def test_images_that_compress_are_held_in_greater_numbers():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 64, 3)).astype(np.uint8)
    assert fitting(noise, 100_000) == pytest.approx(1_600_000 / noise[0].nbytes, rel=0.05)
    assert fitting(np.zeros_like(noise), 100_000) == 48_000_000 // noise[0].nbytes
    assert fitting(noise, 7) == 7
    assert fitting(noise, 500, 3_200_000) == 2 * fitting(noise, 500)
    assert thumbnails(noise).shape == noise.shape
    assert thumbnails(np.zeros((2, 100, 200, 1), np.uint8)).shape == (2, 32, 64, 1)
