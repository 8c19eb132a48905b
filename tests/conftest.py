import numpy as np
import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch, request):
    """No test reads or fills the user's cache, and none sees another's."""
    if "shared_cache" not in request.fixturenames:
        monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def _session_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("shared-cache")


@pytest.fixture
def shared_cache(_session_cache, monkeypatch):
    """A cache that the tests which need all of dSprites share."""
    monkeypatch.setenv("UNWEAVE_CACHE", str(_session_cache))
    return _session_cache
