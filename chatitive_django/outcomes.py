"""How a notify call ended, told apart by what it means for the message."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of one request.

    The exception that an HTTP library raises does not tell whether the request arrived; two facts
    do: was a byte of it written, and was a status line read.
    """

    ACCEPTED = "accepted"
    """The API answered 2xx."""
    TURNED_AWAY = "turned_away"
    """The API itself refused it for now: 408, 425, 429, 500, 503."""
    REJECTED = "rejected"
    """The API refused it for good: any other 4xx."""
    CONFIGURATION = "configuration"
    """Nothing will arrive until someone mends the settings: 401, 403, 3xx, certificate, URL."""
    NOT_ARRIVED = "not_arrived"
    """No byte of the request was written."""
    MAY_HAVE_ARRIVED = "may_have_arrived"
    """It was written, at least in part, and no answer tells what became of it."""
    NOT_SENT = "not_sent"
    """The channel's backend sends nothing anywhere (it prints)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What happened to one notify call; it holds no secret and no phone number.

    `reason` is a short stable code (`reasons.py` has a sentence for each), `retry_after` seconds,
    `duration` seconds, `error_class` the name of the exception that ended the call, and `excerpt`
    the cleaned beginning of the response body. `explanation` says in words what the code can't.
    """

    outcome: Outcome
    reason: str = ""
    explanation: str = ""
    http_status: int | None = None
    error_class: str = ""
    retry_after: float | None = None
    excerpt: str = ""
    duration: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whether the API could be connected to; `reason` is empty where it could.

    No request was written, so it tells nothing of SID and token. `duration` is in seconds.
    """

    reason: str = ""
    error_class: str = ""
    duration: float = 0.0
