"""The page in a browser: every view, saved and served."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unweave.datasets import from_arrays
from unweave.explorer import explore
from unweave.metrics import mutual_information_gap
from unweave.models import Network, build_vae

AXE = Path(__file__).parent / "axe-core"


def pixels(page, selector):
    """Pixels (height, width, 4) of a canvas."""
    found = page.eval_on_selector(
        selector,
        "c => { const {width: w, height: h} = c, context = c.getContext('2d');"
        " return {w, h, d: [...context.getImageData(0, 0, w, h).data]}; }",
    )
    return np.array(found["d"], dtype=np.uint8).reshape(found["h"], found["w"], 4)


def settle(page):
    """Wait until the page has drawn what it was told."""
    page.evaluate("() => new Promise(d => requestAnimationFrame(() => requestAnimationFrame(d)))")


def move(page, name, value):
    page.get_by_label(f"latent {name}", exact=True).evaluate(
        "(s, v) => { s.value = v; s.dispatchEvent(new Event('input')); }", str(value)
    )
    settle(page)


@pytest.fixture(params=["saved", pytest.param("served", marks=pytest.mark.slow)])
def page(request, opened, page_file, served):
    return opened(page_file.as_uri() if request.param == "saved" else served.address)


ORIGINAL = "#latents canvas >> nth=0"
DECODED = "#latents canvas >> nth=1"


@pytest.mark.parametrize("mode", ["saved", "served"])
def test_every_view_is_there_and_nothing_is_asked_of_others(mode, opened, page_file, served):
    page = opened(page_file.as_uri() if mode == "saved" else served.address)
    assert page.locator("section.view > h2").all_inner_texts() == [
        "Latents", "Factors", "Map", "Information", "Compare",
    ]  # fmt: skip
    own = (served.address, "file://", "data:", "blob:")
    assert all(address.startswith(own) for address in page.requests)
    assert sum(not address.startswith("data:") for address in page.requests) == 1


def test_the_image_follows_the_latents(page, models, squares):
    row = int(page.get_by_label("Image number").input_value())
    image = squares.images([row])
    np.testing.assert_array_equal(pixels(page, ORIGINAL)[..., :3], image[0])
    code = models[0].encode(image)[0]
    assert (
        np.abs(pixels(page, DECODED)[..., :3] - models[0].decode(code[None])[0].astype(int)).max()
        <= 1
    )
    code[2] = 2.5
    move(page, "z2", 2.5)
    value = page.get_by_label("latent z2", exact=True).evaluate("s => s.valueAsNumber")
    code[2] = value
    assert value == pytest.approx(2.5, abs=0.05)
    assert (
        np.abs(pixels(page, DECODED)[..., :3] - models[0].decode(code[None])[0].astype(int)).max()
        <= 1
    )


def test_latents_are_held_reset_and_animated(page, models, squares):
    slider = page.get_by_label("latent z1", exact=True)
    before = slider.evaluate("s => s.valueAsNumber")
    move(page, "z1", 2)
    page.get_by_label("hold z1", exact=True).check()
    page.get_by_role("button", name="Random code").click()
    assert slider.evaluate("s => s.valueAsNumber") == pytest.approx(2, abs=0.05)
    page.get_by_label("hold z1", exact=True).uncheck()
    page.get_by_label("Image number").fill("7")
    page.get_by_label("Image number").press("Enter")
    settle(page)
    start = slider.evaluate("s => s.valueAsNumber")
    assert start != pytest.approx(2, abs=0.05)
    move(page, "z1", -2)
    page.get_by_label("reset z1", exact=True).click()
    assert slider.evaluate("s => s.valueAsNumber") == start
    page.get_by_label("Animate").select_option("z1")
    page.get_by_role("button", name="Animate").click()
    page.wait_for_function(
        "s => Math.abs(document.querySelector('[aria-label=\"latent z1\"]').value - s) > 0.2",
        arg=start,
    )
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Animate").click()
    page.get_by_label("Image number").fill("9")
    page.get_by_label("Image number").press("Enter")
    settle(page)
    assert page.get_by_role("button", name="Stop").count() == 0
    code = models[0].encode(squares.images([9]))
    expected = models[0].decode(code)[0].astype(int)
    assert np.abs(pixels(page, DECODED)[..., :3] - expected).max() <= 1
    page.get_by_label("Image number").fill("7")
    page.get_by_label("Image number").press("Enter")
    page.get_by_role("button", name="Reset all").click()
    assert slider.evaluate("s => s.valueAsNumber") == start
    assert isinstance(before, float)


def test_a_code_is_shared_by_address(page, opened):
    move(page, "z3", 1.5)
    value = page.get_by_label("latent z3", exact=True).evaluate("s => s.valueAsNumber")
    drawn = pixels(page, DECODED)
    page.get_by_role("button", name="Copy address").click()
    page.wait_for_function("() => location.hash.length > 5")
    again = opened(page.url)
    settle(again)
    assert again.get_by_label("latent z3", exact=True).evaluate("s => s.valueAsNumber") == value
    assert np.abs(pixels(again, DECODED).astype(int) - drawn).max() <= 1
    foreign = opened(re.sub("#.*", "#z=1,2", page.url))
    assert "is of another page" in foreign.locator("#latents .said").inner_text()
    page.get_by_role("link", name="Map").first.click()
    assert "z=" in page.url
    beyond = opened(re.sub("#.*", "#z=99,0,0,0", page.url))
    assert "moved to the nearest" in beyond.locator("#latents .said").inner_text()


def test_an_image_of_a_visitor_is_encoded(page, tmp_path, models):
    image = np.zeros((32, 48, 3), np.uint8)
    image[8:20, 20:32, 1] = 255
    Image.fromarray(image).save(tmp_path / "mine.png")
    page.locator("#file").set_input_files(tmp_path / "mine.png")
    page.wait_for_function(
        "() => document.querySelector('#latents figcaption').textContent.startsWith('mine.png')"
    )
    assert (
        "48 × 32, cut and resized to 16 × 16"
        in page.locator("#latents figcaption >> nth=0").inner_text()
    )
    settle(page)
    seen = pixels(page, ORIGINAL)[..., :3]
    assert seen[..., 1].max() > 200
    assert seen[..., [0, 2]].max() < 20
    code = models[0].encode(seen[None])[0]
    shown = [
        page.get_by_label(f"latent z{j}", exact=True).evaluate("s => s.valueAsNumber")
        for j in range(4)
    ]
    np.testing.assert_allclose(shown, code, atol=0.05)  # a slider has 200 steps


def test_a_server_has_the_images_that_a_saved_page_has_not(opened, serving, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3)).astype(np.uint8)
    model = build_vae(Network(width=0.25, n_latents=2), (16, 16, 3), seed=0).eval()
    made = explore(model, from_arrays(images), rows=4)
    row = min(set(range(12)) - set(made._content.page["data"]["rows"].tolist()))
    with serving(made.server()) as server:
        for address in (made.save(tmp_path / "page.html").as_uri(), server.address):
            page = opened(address)
            page.get_by_label("Image number").fill(str(row))
            page.get_by_role("button", name="Show", exact=True).click()
            if address != server.address:
                said = page.locator("#latents .said").inner_text()
                assert f"This page does not hold image {row}: it holds 4 of 12 rows" in said
            else:
                page.wait_for_function(
                    "w => document.querySelector('#latents figcaption').textContent == w",
                    arg=f"row {row}",
                )
    settle(page)
    np.testing.assert_array_equal(pixels(page, ORIGINAL)[..., :3], images[row])
    expected = model.decode(model.encode(images[[row]]))[0].astype(int)
    assert np.abs(pixels(page, DECODED)[..., :3] - expected).max() <= 1
    page.problems.clear()  # the server is gone by now, and the page may have noticed


def test_files_that_are_no_images_are_answered_by_a_sentence(page, tmp_path):
    for name, content, words in (
        ("text.png", b"no image", "is not an image that this browser can read"),
        ("large.png", bytes(11 * 2**20), "has 11 MB: choose an image of at most 10 MB"),
    ):
        (tmp_path / name).write_bytes(content)
        page.locator("#file").set_input_files(tmp_path / name)
        page.wait_for_function(
            "w => document.querySelector('#latents .said').textContent.includes(w)", arg=words
        )
    page.get_by_label("Image number").fill("many")
    page.get_by_role("button", name="Show", exact=True).click()
    assert "is a whole number from 0 on" in page.locator("#latents .said").inner_text()
    for number in ("1.5", "1,5", "10.00"):
        page.get_by_label("Image number").fill(number)
        page.get_by_role("button", name="Show", exact=True).click()
        assert "is a whole number from 0 on" in page.locator("#latents .said").inner_text()
    page.get_by_label("Image number").fill("1.000")  # a thousand, as a German writes it
    page.get_by_role("button", name="Show", exact=True).click()
    assert "There are 108 images" in page.locator("#latents .said").inner_text()


def test_factors_choose_the_image(page, squares):
    page.locator("#factors").get_by_role("combobox", name="hue").select_option("blue")
    for name, level in (("down", 4), ("right", 1)):
        page.locator("#factors").get_by_label(name, exact=True).fill(str(level))
    settle(page)
    expected = squares.images(squares.space.indices([[2, 4, 1]]))[0]
    np.testing.assert_array_equal(pixels(page, "#factors canvas >> nth=0")[..., :3], expected)
    page.get_by_role("button", name="Start from this image").click()
    np.testing.assert_array_equal(pixels(page, ORIGINAL)[..., :3], expected)


def test_a_point_of_the_map_shows_its_image_and_a_lasso_chooses_rows(page, squares):
    chart = page.locator("#map .chart canvas >> nth=1")
    chart.focus()
    words = page.locator("#map p[role=status] >> nth=0")
    before = words.inner_text()
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    assert words.inner_text() != before
    row = int(re.search(r"Row (\d+):", words.inner_text())[1])
    settle(page)
    np.testing.assert_array_equal(
        pixels(page, "#map .thumb canvas")[..., :3], squares.images([row])[0]
    )
    page.keyboard.press("Enter")
    page.locator("#map").get_by_text(f"Latents now starts from row {row}.").wait_for()
    assert page.get_by_label("Image number").input_value() == str(row)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    x, y, w, h = (box[key] for key in ("x", "y", "width", "height"))
    page.mouse.move(x + 2, y + 2)
    page.mouse.down()
    for across, down in (
        (0.7, 0.01),
        (0.7, 0.5),
        (0.7, 0.98),
        (0.3, 0.98),
        (0.01, 0.98),
        (0.01, 0.5),
    ):
        page.mouse.move(x + across * w, y + down * h, steps=3)
    page.mouse.up()
    said = page.locator("#map").get_by_text("rows are selected")
    n = int(said.inner_text().split()[0])
    assert 30 < n < 108
    assert page.locator("#information").get_by_text(f"Of the {n} selected rows").count() == 1
    page.get_by_role("button", name="Clear selection").click()
    assert page.locator("#information").get_by_text("Of 108 rows.", exact=True).count() == 1


def test_rows_are_chosen_by_numbers_of_any_language(page, explorer):
    page.locator("#map").get_by_role("combobox", name="Map of").select_option("two columns")
    page.locator("#map").get_by_text("Select without a pointer").click()
    codes = explorer._content.page["models"][0]["codes"]
    first = np.sort(codes[:, 0])
    bound = float((first[59] + first[60]) / 2)
    page.get_by_label("right from").first.fill(f"{bound:.6f}".replace(".", ","))
    page.get_by_role("button", name="Select", exact=True).click()
    assert page.locator("#map").get_by_text("48 of 108 rows are selected").count() == 1
    page.get_by_label("right from").first.fill("1e9")
    page.get_by_role("button", name="Select", exact=True).click()
    few = "0 selected rows are too few: Information needs at least 30, and is of all rows."
    assert page.get_by_text(few, exact=True).count() == 2  # in the map, and in Information
    page.get_by_label("right from").first.fill("few")
    page.get_by_role("button", name="Select", exact=True).click()
    assert page.locator("#map").get_by_text("“few” is not a number").count() == 1


def test_the_matrix_is_that_of_the_metric_and_a_cell_shows_the_means(page, explorer, squares, rng):
    model = explorer._content.page["models"][0]
    codes, factors = model["codes"], squares.factors(explorer._content.page["data"]["rows"])
    score = mutual_information_gap(codes, factors, factor_kinds=squares.factor_kinds, noise=None)
    cells = [
        float(text) for text in page.locator("#information table.matrix button").all_inner_texts()
    ]
    np.testing.assert_allclose(np.reshape(cells, (4, 3)), score.matrix, atol=0.006)
    foot = page.locator("#information table.matrix tfoot td").all_inner_texts()
    shuffled = [rng.permuted(factors, axis=0) for _ in range(20)]
    by_chance = [
        mutual_information_gap(
            codes, other, factor_kinds=squares.factor_kinds, noise=None
        ).matrix.mean(axis=0)
        for other in shuffled
    ]
    np.testing.assert_allclose([float(x) for x in foot], np.mean(by_chance, axis=0), rtol=0.2)
    # Chosen rows are scored in the page: with all rows chosen, it must come to the same.
    page.locator("#map").get_by_text("Select without a pointer").click()
    page.get_by_role("button", name="Select", exact=True).click()
    again = [
        float(text) for text in page.locator("#information table.matrix button").all_inner_texts()
    ]
    assert again == cells
    assert page.locator("#information").get_by_text("Of the 108 selected rows").count() == 1
    page.locator("#information table.matrix button").nth(4).click()
    name = f"z{model['latents'][1]} against down"
    assert page.locator("#information h3").first.inner_text() == name
    page.get_by_text("The means as a table").click()
    shown = page.locator("#information details table tbody tr").all_inner_texts()
    means = [codes[factors[:, 1] == level, 1].mean() for level in range(6)]
    read = [float(text.split("\t")[1].replace("−", "-")) for text in shown]
    np.testing.assert_allclose(read, means, atol=6e-4)
    page.locator("#information").get_by_label("Matrix").first.select_option(index=1)
    assert page.locator("#information").get_by_text("MCC").count() == 1


def test_two_models_are_compared_on_the_same_image(page, squares, models):
    page.get_by_label("Image number").fill("31")
    page.get_by_label("Image number").press("Enter")
    settle(page)
    image = squares.images([31])
    for model, place in zip(models, (1, 2), strict=True):
        expected = model.decode(model.encode(image))[0].astype(int)
        assert (
            np.abs(pixels(page, f"#compare canvas >> nth={place}")[..., :3] - expected).max() <= 1
        )
    page.get_by_role("button", name="Random code").click()
    assert page.locator("#compare").get_by_text("a code without an image").is_visible()
    assert not page.locator("#compare canvas >> nth=0").is_visible()
    page.get_by_label("Model in the views").select_option("model (2)")
    page.locator("#map").get_by_role("combobox", name="Map of").select_option("two columns")
    assert page.locator("#map").get_by_text("Rows of one value are spread").count() == 1
    sliders = page.locator("#latents input[type=range]")
    assert sliders.count() == 3
    assert sliders.first.get_attribute("max") == "9"  # ten values: a step for each
    sliders.first.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    values = np.sort(models[1].values(), axis=1)
    j = int(sliders.first.get_attribute("aria-label").removeprefix("latent z"))
    spoken = sliders.first.get_attribute("aria-valuetext").replace("−", "-")
    assert float(spoken) == pytest.approx(values[j, 1], abs=0.006)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_is_accessible_and_fits(opened, page_file, width, scheme):
    page = opened(page_file.as_uri() + "#map", width=width, scheme=scheme)
    assert page.evaluate("scrollY") > 500
    page.eval_on_selector_all("details", "all => all.forEach(d => d.open = true)")
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate((AXE / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
    assert [(v["id"], v["nodes"][0]["html"]) for v in serious] == []
    assert len(found["passes"]) > 15


def test_axe_is_the_file_of_its_package():
    digest = hashlib.sha256((AXE / "axe.min.js").read_bytes()).hexdigest()
    assert digest in (AXE / "README.md").read_text(encoding="utf-8")


def test_a_page_that_lost_its_server_says_so_and_still_works(opened, explorer, serving):
    with serving(explorer.server()) as server:
        page = opened(server.address)
    page.wait_for_function(
        "() => document.getElementById('alarm').textContent.includes('has stopped')", timeout=15_000
    )
    move(page, "z0", 1)
    assert pixels(page, DECODED)[..., 3].min() == 255
    page.problems.clear()  # the browser itself reports each request that failed


def test_a_notebook_shows_the_saved_page(opened, explorer, page_file, tmp_path):
    file = tmp_path / "notebook.html"
    file.write_text(
        f"<!doctype html><meta charset=utf-8>{explorer._repr_html_()}", encoding="utf-8"
    )
    page = opened(file.as_uri(), ready=False)
    frame = page.frame_locator("iframe")
    assert frame.locator("section.view > h2").first.inner_text() == "Latents"
    frame.get_by_role("button", name="Random code").click()
    frame.get_by_role("button", name="Copy address").click()
    assert explorer.html() == page_file.read_text(encoding="utf-8")


def test_strangers_codes_have_a_map_and_information(opened, two_factors, tmp_path):
    codes, factors = two_factors
    images = np.zeros((len(codes), 20, 10), np.uint8) + (50 * factors[:, :1, None]).astype(np.uint8)
    page = opened(
        explore(codes, factors=factors, factor_names=["a", "b"], images=images, title="Mine")
        .save(tmp_path / "mine.html").as_uri()
    )  # fmt: skip
    assert page.locator("section.view > h2").all_inner_texts() == ["Factors", "Map", "Information"]
    assert pixels(page, "#map .thumb canvas").shape == (20, 10, 4)
    alone = opened(explore(codes).save(tmp_path / "alone.html").as_uri())
    assert alone.locator("section.view > h2").all_inner_texts() == ["Map"]
    one = opened(explore(codes[:, :1], factors=factors).save(tmp_path / "one.html").as_uri())
    assert one.locator("#map").get_by_role("combobox", name="Map of").inner_text() == "two columns"
    assert one.locator("#information table.matrix tbody tr").count() == 1


def test_no_colour_of_the_map_hides_another(opened, tmp_path, rng):
    codes = np.column_stack([rng.integers(0, 10, (2000, 2)), rng.integers(0, 2, 2000)])
    page = opened(explore(codes).save(tmp_path / "dots.html").as_uri())
    page.locator("#map").get_by_role("combobox", name="Map of").select_option("two columns")
    page.locator("#map").get_by_label("colour").select_option("z2")
    settle(page)
    _, green, blue, _ = np.moveaxis(pixels(page, "#map .chart canvas >> nth=0"), -1, 0)
    low, high = (green < 90).sum(), ((green > 130) & (blue < 150)).sum()
    assert low + high > 500
    assert 0.3 < low / (low + high) < 0.7  # of 100 dots, each of some 20 rows of both colours


def test_ten_thousand_points_are_drawn(opened, tmp_path):
    codes = np.random.default_rng(0).standard_normal((10_000, 2))
    page = opened(explore(codes).save(tmp_path / "many.html").as_uri())
    share = page.eval_on_selector(
        "#map .chart canvas >> nth=0",
        "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " let n = 0; for (let i = 0; i < d.length; i += 4) n += Math.abs(d[i] - d[0]) > 30;"
        " return 4 * n / d.length; }",
    )
    assert 0.1 < share < 0.9
    assert page.get_by_text("10,000 rows.").count() == 1
