"""What this package raises: every error says what is wrong, where, and what to do."""

from __future__ import annotations


class ChatitiveError(Exception):
    """The base of every error of this package."""


class InvalidEvent(ChatitiveError, ValueError):
    """A declaration (an `Event`, a trigger, a rule) that can't mean anything."""


class InvalidRequest(ChatitiveError, ValueError):
    """A notify call that can't be sent: no subscriber, or a payload that isn't JSON."""


class InvalidURL(ChatitiveError, ValueError):
    """A channel URL that can't be read. Its text never holds the URL, which carries the token."""


class PathError(ChatitiveError):
    """A payload path that leads nowhere."""


class Unbuildable(ChatitiveError):
    """A notification that can't be built from today's data; `reason` is its short code."""

    def __init__(self, reason: str, explanation: str) -> None:
        super().__init__(explanation)
        self.reason = reason
        self.explanation = explanation
