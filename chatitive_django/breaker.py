"""When a channel's breaker opens: what one worker has seen of the channel, as pure bookkeeping."""

from __future__ import annotations

from enum import Enum

from .outcomes import Outcome, Result

TRANSPORT_FAILURES = 10
"""In a row: so many calls without an answer mean that the API can't be reached."""
SUBSCRIBERS_REFUSED = 3
"""So many subscribers for whom the address itself was refused mean that the URL is wrong."""

_WRONG_ADDRESS = frozenset({404, 405, 410})


class Verdict(Enum):
    """What a call's result tells of its channel."""

    WORKS = "works"
    DOUBTFUL = "doubtful"
    BROKEN = "broken"


class Breaker:
    """The results of one channel's calls, in the order in which they came in."""

    def __init__(self) -> None:
        self._unanswered = 0
        self._refused: set[str] = set()

    def judge(self, result: Result, subscriber: str) -> Verdict:
        """Note one call's result; a call that was answered ends a row of transport failures."""
        if result.outcome is Outcome.CONFIGURATION:
            return Verdict.BROKEN
        if result.outcome in {Outcome.NOT_ARRIVED, Outcome.MAY_HAVE_ARRIVED}:
            self._unanswered += 1
            return Verdict.BROKEN if self._unanswered >= TRANSPORT_FAILURES else Verdict.DOUBTFUL
        self._unanswered = 0
        if result.http_status in _WRONG_ADDRESS:
            self._refused.add(subscriber)
            wrong = len(self._refused) >= SUBSCRIBERS_REFUSED
            return Verdict.BROKEN if wrong else Verdict.DOUBTFUL
        self._refused.clear()
        return Verdict.WORKS
