"""The site that `make docs` builds has every page and name, and asks no other server."""

import functools
import http.server
import os
import re
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "site"
sys.path.insert(0, str(ROOT / "docs" / "site"))
from public import public_names  # noqa: E402

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data"}
RELATIONS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "modulepreload"}


@pytest.fixture(scope="module")
def site():
    if not (SITE / "index.html").exists():
        if os.environ.get("UNWEAVE_REQUIRE_SITE"):
            pytest.fail("there is no site in build/site, and UNWEAVE_REQUIRE_SITE is set")
        pytest.skip("there is no site in build/site: run make docs")
    return SITE


class Loads(HTMLParser):
    """What a page loads by itself, and the pages that its navigation names."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors.add(given.get("id"))
        if tag == "link" and RELATIONS & {*(given.get("rel") or "").split()}:
            self.loads.append(given["href"])
        if LOADED.get(tag) in given:
            self.loads.append(given[LOADED[tag]])
        if tag == "a" and "md-nav__link" in (given.get("class") or ""):
            self.links.append(given.get("href"))


def test_no_page_loads_anything_from_elsewhere(site):
    for page in site.rglob("*.html"):
        for target in Loads(page.read_text("utf-8")).loads:
            assert not re.match(r"(https?:)?//", target), f"{page} loads {target}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import )[\"']?(https?:)?//", sheet.read_text("utf-8"))


def test_every_page_of_docs_is_there(site):
    for page in (ROOT / "docs").rglob("*.md"):
        place = page.relative_to(ROOT / "docs")
        built = place.with_name("index.html" if place.name == "README.md" else f"{place.stem}.html")
        assert (site / built).exists(), f"{place} is not in the site: run make docs again"


def test_the_reference_has_every_public_name(site):
    anchors = set()
    for page in (site / "reference").rglob("*.html"):
        anchors |= Loads(page.read_text("utf-8")).anchors
    missing = {
        name.identifier
        for name in public_names(ROOT / "src" / "unweave")
        if name.name != "__version__"
    } - anchors
    assert missing == set(), "run make docs again"


def test_no_two_pages_differ_in_case_alone(site):
    pages = [str(page.relative_to(site)) for page in site.rglob("*.html")]
    assert len({page.lower() for page in pages}) == len(pages)


def test_docstrings_leave_no_markup_of_another_kind(site):
    for page in (site / "reference").rglob("*.html"):
        text = page.read_text("utf-8")
        assert not re.search(r":(func|class|meth|data|mod|math):", text), page
        assert ".. math::" not in text, page


@pytest.fixture
def server(site):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    handler.func.log_message = lambda *arguments: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()


@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_asks_no_other_server_and_finds_what_is_searched(browser, server, width):
    page = browser.new_page(viewport={"width": width, "height": 800})
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{server}/index.html?q=FactorVAE")
    page.wait_for_selector(".md-search-result__item a", state="attached")
    targets = page.eval_on_selector_all(
        ".md-search-result__item a", "links => links.map(link => link.href)"
    )
    assert any("factor_vae" in target.lower() or "FactorVAE" in target for target in targets)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert [url for url in asked if not url.startswith((server, "data:", "blob:"))] == []
    assert errors == []
