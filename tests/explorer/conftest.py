import itertools
import threading
from contextlib import contextmanager

import numpy as np
import pytest

from unweave.datasets import GridDataset
from unweave.datasets.factors import Factor, FactorSpace
from unweave.explorer import explore
from unweave.models import Network, build_vae


class Squares(GridDataset):
    """A square of one of three colours at one of 36 places."""

    name = "squares"
    image_shape = (16, 16, 3)
    space = FactorSpace(
        [
            Factor("hue", (0, 1, 2), "categorical", ("red", "green", "blue")),
            Factor("down", tuple(range(6))),
            Factor("right", tuple(range(6))),
        ]
    )

    def images(self, indices):
        levels = self.space.levels(indices)
        found = np.zeros((len(levels), *self.image_shape), np.uint8)
        for image, (hue, down, right) in zip(found, levels, strict=True):
            image[2 * down : 2 * down + 5, 2 * right : 2 * right + 5, hue] = 255
        return found


@pytest.fixture(scope="session")
def squares():
    return Squares()


@pytest.fixture(scope="session")
def models():
    """A VAE with four latents, and one with three quantised ones."""
    networks = (
        Network(width=0.25, n_latents=4),
        Network(width=0.25, n_latents=3, latent_space="quantised"),
    )
    return [
        build_vae(network, (16, 16, 3), seed=seed).eval() for seed, network in enumerate(networks)
    ]


@pytest.fixture(scope="session")
def explorer(squares, models):
    return explore(models[0], squares, against=models[1], title="Squares")


@pytest.fixture(scope="session")
def page_file(explorer, tmp_path_factory):
    return explorer.save(tmp_path_factory.mktemp("explorer") / "page.html")


@contextmanager
def _serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def serving():
    """Runs a server while in it."""
    return _serving


@pytest.fixture(scope="session")
def served(explorer, serving):
    with serving(explorer.server()) as server:
        yield server


@pytest.fixture
def opened(browser):
    """Opens a page; no error of its scripts and no request to elsewhere may come of it."""
    contexts, problems, requests = [], [], []

    def open_page(address, *, width=1200, scheme="light", ready=True, **options):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, **options
        )
        context.set_default_timeout(120_000)  # milliseconds: machines may be busy
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: said.type == "error" and problems.append(said.text))
        page.on("request", lambda asked: requests.append(asked.url))
        page.goto(str(address))
        if ready:
            page.wait_for_selector("html[data-ready]")
        page.problems, page.requests = problems, requests
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="session")
def two_factors():
    """Codes of a stranger that mix two factors, and the factors."""
    factors = np.array(list(itertools.product(range(5), range(5))) * 12)
    noise = np.random.default_rng(0).standard_normal((len(factors), 3))
    codes = factors @ np.array([[1.0, 0, 0.7], [0, 1, 0.7]]) + 0.1 * noise
    return codes, factors
