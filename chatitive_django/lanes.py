"""One channel as one worker sees it: which rows to claim next, and whether the channel works."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta

from . import channels, log
from .breaker import Breaker, Verdict
from .conf import settings
from .models import Notification
from .outcomes import Result

MANY_PASSED_OVER = 100
"""Rows that wait behind others of their subscriber: so many aren't looked at in each claim."""
LOOKED_AT = 10_000
"""Rows among which those subscribers are looked for that have more to come."""
LONGEST_SHARE = 20
"""Looking at all of them again takes at most one part in so many of a worker's time."""


class Lane:
    """Claims a channel's rows, and opens or closes its breaker by what became of them.

    Where a subscriber has thousands of rows at the head of the line, each claim would step over
    them to find those of others. So for a second or more the line is taken from where the last
    claim ended, and the subscribers whose turn has ended meanwhile are asked for by name.
    """

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self._breaker = Breaker()
        self._place: log.Place | None = None
        self._look_again_at = 0.0
        self._waiting: set[str] = set()
        self._ended: set[str] = set()

    def claim(
        self, limit: int, lease: timedelta, *, ahead: log.Acceptances | None = None
    ) -> list[Notification]:
        """Up to `limit` rows that may be sent now, held by a lease."""
        if self._place is not None and time.monotonic() >= self._look_again_at:
            self._place = None
        if self._place is None:
            return self._claim_from_the_start(limit, lease, ahead)
        rows: list[Notification] = []
        while self._ended and len(rows) < limit:
            rows += log.claim_next(self.alias, self._ended.pop(), lease, ahead=ahead)
        if len(rows) < limit:
            beyond = log.claim(self.alias, limit - len(rows), lease, after=self._place, ahead=ahead)
            if len(beyond) < limit - len(rows):
                self._place = None
            else:
                self._place = _place(beyond)
            rows += beyond
        return rows or self._claim_from_the_start(limit, lease, ahead)

    def _claim_from_the_start(
        self, limit: int, lease: timedelta, ahead: log.Acceptances | None
    ) -> list[Notification]:
        began = time.monotonic()
        rows = log.claim(self.alias, limit, lease, ahead=ahead)
        took = time.monotonic() - began
        if len(rows) == limit and began >= self._look_again_at:
            self._look_again_at = began + max(1.0, took * LONGEST_SHARE)
            last = _place(rows)
            passed_over = log.passed_over(self.alias, last, at_most=LOOKED_AT)
            if passed_over.total() >= MANY_PASSED_OVER:
                self._place = last
                self._waiting = set(passed_over)
                self._ended.clear()
        return rows

    def claim_probe(self, lease: timedelta) -> list[Notification]:
        """The one row that tries whether a channel with an open breaker works again, if it is time.

        Whoever takes the probe may die with it: then another is due after the same wait.
        """
        channel = channels.take_probe(self.alias, settings.PROBE_INTERVAL)
        return log.claim_probe(channel, lease) if channel is not None else []

    def judge(self, row: Notification, result: Result, *, probe: bool) -> Verdict:
        """What a call's result tells of the channel; a probe has to show that it works."""
        if self._place is not None and row.order_key in self._waiting:
            self._ended.add(row.order_key)
        verdict = self._breaker.judge(result, row.subscriber_key)
        return Verdict.BROKEN if probe and verdict is Verdict.DOUBTFUL else verdict

    def act_on(self, judged: Iterable[tuple[Verdict, Result, bool]]) -> None:
        """Open the breaker of a channel that doesn't work, or close it after a probe that did.

        Takes each result's verdict, the result, and whether it was a probe's.
        """
        probed = False
        for verdict, result, was_probe in judged:
            if verdict is Verdict.BROKEN:
                channels.open_breaker(self.alias, result.reason, settings.PROBE_INTERVAL)
                return
            probed |= was_probe
        if probed:
            channels.close_breaker(self.alias)


def _place(rows: Sequence[Notification]) -> log.Place:
    return log.Place(rows[-1].available_at, rows[-1].pk)
