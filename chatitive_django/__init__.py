"""Model transitions become subscriber events, delivered to the Chatitive API.

The names below are imported when first used, so that a models.py may import this package before
Django's apps are ready.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .capture.muting import muted
    from .capture.record import notify
    from .conditions import If
    from .events import ANY, Changed, Created, Deleted, Event
    from .exceptions import ChatitiveError, InvalidEvent
    from .paths import Path
    from .payloads import Constant
    from .registry import register
else:
    _HOMES = {
        "ANY": "events",
        "Changed": "events",
        "ChatitiveError": "exceptions",
        "Constant": "payloads",
        "Created": "events",
        "Deleted": "events",
        "Event": "events",
        "If": "conditions",
        "InvalidEvent": "exceptions",
        "Path": "paths",
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
    "Changed",
    "ChatitiveError",
    "Constant",
    "Created",
    "Deleted",
    "Event",
    "If",
    "InvalidEvent",
    "Path",
    "muted",
    "notify",
    "register",
]
