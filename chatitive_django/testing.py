"""For the tests of projects that use this app: what was recorded, read from the log itself.

Under Django's test environment nothing leaves the process, whatever `CHATITIVE` says: channels are
`locmem://` and the dispatcher is `immediate`, unless the test overrides `CHATITIVE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .models import Notification, log_alias
from .worker import deliver as deliver_due

_Status = Notification.Status
_SENT_OR_DUE = (_Status.PENDING, _Status.SENDING, _Status.ACCEPTED)


def sent() -> list[Notification]:
    """What was recorded to be sent, oldest first, delivered or still waiting for its commit.

    `TestCase` never commits, so its notifications stay pending until `deliver()`. Rows that will
    not be sent (invalid, skipped, rejected …) are in `Notification.objects`.
    """
    rows = Notification.objects.using(log_alias()).filter(status__in=_SENT_OR_DUE)
    return list(rows.order_by("id"))


def deliver() -> list[Notification]:
    """Deliver what is due, in line, and give what `sent()` gives then."""
    deliver_due(inline=True)
    return sent()


def assert_notified(
    event_name: str,
    *,
    phone_number: str | None = None,
    subscriber_sid: str | None = None,
    payload: Mapping[str, Any] | None = None,
    count: int = 1,
) -> list[Notification]:
    """Assert that an event was recorded `count` times; gives its notifications.

    Only the given facts are compared, and of the payload only the given keys.
    """
    __tracebackhide__ = True
    matching = [
        row
        for row in sent()
        if row.event_name == event_name
        and (phone_number is None or row.phone_number == phone_number)
        and (subscriber_sid is None or row.subscriber_sid == subscriber_sid)
        and all(row.payload.get(key) == value for key, value in (payload or {}).items())
    ]
    if len(matching) != count:
        raise AssertionError(
            f"{event_name!r} was recorded {len(matching)} times with these facts and should have "
            f"been {count} times. The log holds:\n{_told()}"
        )
    return matching


def assert_nothing_notified() -> None:
    """Assert that nothing was recorded to be sent."""
    __tracebackhide__ = True
    if sent():
        raise AssertionError(f"Nothing should have been recorded. The log holds:\n{_told()}")


def _told() -> str:
    rows = Notification.objects.using(log_alias()).order_by("id")
    return (
        "\n".join(
            f"  {row.event_name} to {row.subscriber_sid or row.phone_number} ({row.status}"
            f"{f': {row.reason_sentence}' if row.reason else ''}) {row.payload}"
            for row in rows
        )
        or "  nothing"
    )
