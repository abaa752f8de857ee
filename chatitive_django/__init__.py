"""Model transitions become subscriber events, delivered to the Chatitive API.

The names below are imported when first used, so that a models.py may import this package before
Django's apps are ready.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .capture.bulk import EventManager, EventQuerySet, NotCapturable, capture_changes
    from .capture.muting import muted
    from .capture.record import notify
    from .conditions import If
    from .events import ANY, Added, Changed, Created, Deleted, Event, Removed
    from .exceptions import ChatitiveError, InvalidEvent
    from .paths import Path
    from .payloads import Constant
    from .registry import register
else:
    _HOMES = {
        "ANY": "events",
        "Added": "events",
        "Changed": "events",
        "ChatitiveError": "exceptions",
        "Constant": "payloads",
        "Created": "events",
        "Deleted": "events",
        "Event": "events",
        "EventManager": "capture.bulk",
        "EventQuerySet": "capture.bulk",
        "If": "conditions",
        "InvalidEvent": "exceptions",
        "NotCapturable": "capture.bulk",
        "Path": "paths",
        "Removed": "events",
        "capture_changes": "capture.bulk",
        "muted": "capture.muting",
        "notify": "capture.record",
        "register": "registry",
    }

    def __getattr__(name: str):
        try:
            home = _HOMES[name]
        except KeyError:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
        return getattr(importlib.import_module(f"{__name__}.{home}"), name)

    def __dir__():
        return sorted({*globals(), *_HOMES})


__all__ = [
    "ANY",
    "Added",
    "Changed",
    "ChatitiveError",
    "Constant",
    "Created",
    "Deleted",
    "Event",
    "EventManager",
    "EventQuerySet",
    "If",
    "InvalidEvent",
    "NotCapturable",
    "Path",
    "Removed",
    "capture_changes",
    "muted",
    "notify",
    "register",
]
