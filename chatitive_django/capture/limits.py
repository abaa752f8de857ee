"""What `once` and `cooldown` hold back: recorded as skipped, with the reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet

from ..dbtime import DatabaseNow
from ..events import PER_TRANSITION, Event
from ..models import Notification
from .compose import finish

Status = Notification.Status

HEARD = (Status.PENDING, Status.SENDING, Status.ACCEPTED, Status.UNKNOWN)
"""Where the customer has heard, will hear, or may have heard."""
WATCHED = "watch_only"
"""The reason of what an event that only watches would have sent."""


class Limits:
    """The limits of the events of one write; what it records itself counts too.

    `once` is exact: the record's own lock is held. Of two transactions that at the same moment
    record the first event for one subscriber, `cooldown` lets both pass.
    """

    def __init__(self, using: str) -> None:
        self._using = using
        self._written: list[Notification] = []

    def hold_back(self, row: Notification, event: Event) -> None:
        """Finish a row as skipped where a limit of its event says so.

        Of an event that only watches, what it would have sent counts as sent.
        """
        watches = row.reason == WATCHED
        if row.status != Status.PENDING and not watches:
            return
        if event.once is not None and self._had_before(row, event.once):
            finish(row, Status.SKIPPED, f"once_per_{event.once}")
        elif event.gap is not None and self._heard_within(row, event.gap):
            finish(row, Status.SKIPPED, "cooldown")
        else:
            self._written.append(row)
            return
        if watches:
            row.reason = "watch_held_back"

    def _earlier(self, row: Notification) -> QuerySet[Notification]:
        heard = Q(status__in=HEARD)
        if row.reason == WATCHED:
            heard |= Q(status=Status.SKIPPED, reason=WATCHED)
        return Notification.objects.using(self._using).filter(heard, event_key=row.event_key)

    def _had_before(self, row: Notification, once: str) -> bool:
        earlier = self._earlier(row).filter(source_model=row.source_model, source_id=row.source_id)
        told = [*earlier.values_list("why", flat=True)]
        told += [
            each.why
            for each in self._written
            if (each.event_key, each.source_id) == (row.event_key, row.source_id)
        ]
        if once == PER_TRANSITION:
            return _way(row.why) in map(_way, told)
        return bool(told)

    def _heard_within(self, row: Notification, gap: timedelta) -> bool:
        lately = self._earlier(row).filter(
            subscriber_key=row.subscriber_key, created_at__gt=DatabaseNow(-gap)
        )
        return lately.exists() or any(
            (each.event_key, each.subscriber_key) == (row.event_key, row.subscriber_key)
            for each in self._written
        )


def _way(why: dict[str, Any]) -> tuple[Any, ...]:
    """What makes two transitions of one record the same."""
    return tuple(why.get(part) for part in ("transition", "field", "old", "new"))
