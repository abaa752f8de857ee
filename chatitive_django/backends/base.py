"""What every backend is: something that takes a message and tells how it went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..outcomes import Reach, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One notify call in plain values."""

    event_name: str
    phone_number: str | None = field(default=None, repr=False)
    subscriber_sid: str | None = field(default=None, repr=False)
    payload: dict[str, Any] = field(default_factory=dict, repr=False)
    allow_new: bool = False
    subscribe_new: bool = False
    idempotency_key: str | None = None


class Backend:
    """Sends the messages of one channel; made once, used by several threads."""

    reaches_phones = False
    """Whether an accepted message leaves this process."""
    host = ""
    """Where messages go, if they do."""
    token_end = ""
    """The end of its token, for people to tell one from another."""

    def __init__(self, alias: str, url: str) -> None:
        self.alias = alias

    def post(self, message: Message, *, start_by: float) -> Result:
        """Send one message and tell how it went; never raises for what the other side does.

        After `start_by`, a time of `time.monotonic()`, no request may begin.
        """
        raise NotImplementedError

    def reach(self) -> Reach:
        """Tell whether messages could be sent, as far as can be told without sending one."""
        return Reach()

    def close(self) -> None:
        """Let go of what is held open."""
