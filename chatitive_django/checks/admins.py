"""Of the project's own admins that show messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage

from ..walking import walk
from .declarations import Apps
from .messages import Place


def check_admins(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E020: an admin with `MessagesMixin` names the person by what is no path of its model."""
    found: list[CheckMessage] = []
    for shown in _admins():
        for name in ("chatitive_phone_number", "chatitive_subscriber_sid"):
            source = getattr(shown, name, "")
            if source and (problem := walk(shown.model, source).problem):
                place = Place(f"{type(shown).__name__}.{name}", type(shown))
                found.append(place.finding("E020", f"reads {source!r}, and {problem}"))
    return found


def _admins() -> Iterator[Any]:
    if apps.is_installed("django.contrib.admin"):
        from django.contrib.admin.sites import all_sites

        for site in all_sites:
            yield from site._registry.values()
