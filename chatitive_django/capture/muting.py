"""Writes that shall emit nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_muted: ContextVar[bool] = ContextVar("chatitive_muted", default=False)


@contextmanager
def muted() -> Iterator[None]:
    """Inside, transitions record nothing: for imports and data migrations.

    It holds for the current thread or task and what it awaits, not for others.
    """
    token = _muted.set(True)
    try:
        yield
    finally:
        _muted.reset(token)


def is_muted() -> bool:
    return _muted.get()
