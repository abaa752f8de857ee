"""Of the project's own admins that show messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage

from ..conf import did_you_mean
from ..walking import walk
from .declarations import Apps
from .messages import Place

PERSON = ["chatitive_phone_number", "chatitive_subscriber_sid"]
"""The names under which an admin with `MessagesMixin` says who its record is."""


def check_admins(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Of the admins with `MessagesMixin`.

    E020: it names the person by what is no path of its model, or under a name that nobody reads;
    E021: the mixin comes after `ModelAdmin`, so its button and its page are never reached.
    """
    return [finding for shown in _admins() for finding in _check_admin(shown)]


def _check_admin(shown: Any) -> Iterator[CheckMessage]:
    kind = type(shown)
    for name in PERSON:
        source = getattr(shown, name, "")
        if source and (problem := walk(shown.model, source).problem):
            place = Place(f"{kind.__name__}.{name}", kind)
            yield place.finding("E020", f"reads {source!r}, and {problem}")
    if not hasattr(kind, "chatitive_messages_view"):
        return
    ours = {name for name in dir(kind) if name.startswith("chatitive_")}
    for name in sorted(ours - {*PERSON}):
        if isinstance(getattr(kind, name), str):
            place = Place(f"{kind.__name__}.{name}", kind)
            yield place.finding("E020", f"nobody reads it. {did_you_mean(name, PERSON)}")
    if _comes_late(kind):
        yield Place(kind.__name__, kind).finding(
            "E021",
            "MessagesMixin comes after ModelAdmin, so there is no button. Put it before: "
            f"class {kind.__name__}(MessagesMixin, admin.ModelAdmin).",
        )


def _comes_late(kind: type) -> bool:
    """Whether Django's own class comes before the one that has the page of the messages."""
    from django.contrib.admin import ModelAdmin

    bases = kind.__mro__
    (*_, mixin) = (each for each in bases if "chatitive_messages_view" in vars(each))
    return bases.index(ModelAdmin) < bases.index(mixin)


def _admins() -> Iterator[Any]:
    if apps.is_installed("django.contrib.admin"):
        from django.contrib.admin.sites import all_sites

        for site in all_sites:
            yield from site._registry.values()
