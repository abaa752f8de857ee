from __future__ import annotations

import pytest
from django.core.cache import cache

from chatitive_django import backends, registry
from chatitive_django.apps import watch


@pytest.fixture(autouse=True)
def outbox():
    """What locmem channels took; empty at the start of each test."""
    backends.outbox.clear()
    return backends.outbox


@pytest.fixture(autouse=True)
def _nothing_cached():
    cache.clear()


@pytest.fixture
def declare(monkeypatch):
    """Give a model events for the length of a test."""

    def declare(model, *events):
        monkeypatch.setattr(model, "chatitive_events", list(events), raising=False)
        registry.forget_plans()
        watch(model)

    yield declare
    monkeypatch.undo()
    registry.forget_plans()
