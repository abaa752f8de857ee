"""Writes that emit nothing by themselves."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db.models import Model

_muted: ContextVar[bool] = ContextVar("chatitive_muted", default=False)
_covered: ContextVar[tuple[tuple[type[Model], Container[Any]], ...]] = ContextVar(
    "chatitive_covered", default=()
)


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


@contextmanager
def covering(model: type[Model], pks: Container[Any]) -> Iterator[None]:
    """Inside, the rows of these keys are compared by whoever has read them before."""
    token = _covered.set((*_covered.get(), (model, pks)))
    try:
        yield
    finally:
        _covered.reset(token)


def is_covered(model: type[Model], pk: Any) -> bool:
    return any(of is model and pk in pks for of, pks in _covered.get())
