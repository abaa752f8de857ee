"""Columns that depend on who looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest

from ..models import Notification


@dataclass(frozen=True, slots=True)
class Column:
    """A method of the request and the row as a column or field of the row alone.

    Two of the same method and request are equal: Django asks for its fields several times, and
    compares what it got.
    """

    request: HttpRequest
    method: Callable[[HttpRequest, Notification], str]
    short_description: str

    @property
    def __name__(self) -> str:
        return self.method.__name__

    def __call__(self, row: Notification) -> str:
        return self.method(self.request, row)
