"""What tests of studies share."""

import sys

import pytest

STRANGERS = ("samples", "loud", "free_nats", "wrong", "paper")
"""Modules that tests write as a user would."""


@pytest.fixture
def forgotten(monkeypatch):
    """Call it to make this process forget the modules of strangers."""

    def forget():
        for name in STRANGERS:
            sys.modules.pop(name, None)

    forget()
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield forget
    forget()
