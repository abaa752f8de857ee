"""A message that a person sends to try a channel: recorded like any other, as a test."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from .capture.record import record_by_hand
from .conf import settings
from .events import Created, Event
from .lanes import Lane
from .log import Acceptances, claim_this
from .models import Notification, log_alias
from .payloads import Constant
from .worker import Worker

Status = Notification.Status

SECONDS_BETWEEN_LOOKS = 0.2
"""At a row that another worker is sending."""


def record_test(
    name: str,
    *,
    phone_number: str | None = None,
    subscriber_sid: str | None = None,
    channel: str = "default",
    payload: Mapping[str, Any] | None = None,
    user_id: Any = None,
) -> Notification:
    """Record a test, to be delivered like any other message, and wait for none of its subscriber.

    Gives the row as it is stored: `pending`, or `invalid` with its reason. Raises `InvalidEvent`.
    """
    event = Event(
        name,
        when=Created(),  # never asked: the person is the trigger
        phone_number=Constant(phone_number),
        subscriber_sid=Constant(subscriber_sid),
        payload={key: Constant(value) for key, value in (payload or {}).items()},
        channel=channel,
        ordered=False,
    )
    return record_by_hand(
        event,
        key=name,
        origin=Notification.Origin.TEST,
        where=f"the test of {name!r}",
        requested_by_id=user_id,
    )


def deliver_this(row: Notification) -> Notification:
    """Deliver one row now, and no other; gives it as it is after one try.

    Where the channel's breaker is open, it is the probe. Where another worker took the row first,
    its result is waited for. One that is held, by a pause or a 429, comes back `pending`.
    """
    Worker(
        concurrency=1, channels=[row.channel], inline=True, lane=lambda alias: _Only(alias, row)
    ).run(idle_exit=0)
    give_up_at = time.monotonic() + settings.CALL_TIMEOUT + settings.CONNECT_TIMEOUT
    while True:
        row = Notification.objects.using(log_alias()).get(pk=row.pk)
        if row.status != Status.SENDING or time.monotonic() > give_up_at:
            return row
        time.sleep(SECONDS_BETWEEN_LOOKS)


class _Only(Lane):
    """A lane on which one row goes."""

    def __init__(self, alias: str, row: Notification) -> None:
        super().__init__(alias)
        self._row = row

    def claim(
        self, limit: int, lease: timedelta, *, ahead: Acceptances | None = None
    ) -> list[Notification]:
        return claim_this(self._row, lease)

    def claim_probe(self, lease: timedelta) -> list[Notification]:
        return claim_this(self._row, lease, probe=True)
