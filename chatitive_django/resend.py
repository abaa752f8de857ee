"""What people may do to a notification: send it again, or cancel it.

Nothing here sends: rows are queued. Each act names the state that the person saw, so that two
people or a double click can't send twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from .capture.compose import Origin
from .capture.record import tell_on_commit, write
from .conf import settings
from .dbtime import DatabaseNow, become_writer
from .exceptions import ChatitiveError
from .models import Attempt, Notification, log_alias
from .outcomes import Outcome
from .today import fingerprint, today

Status = Notification.Status


TODAY_CHANGED = "today_changed"
"""The code of what can't be done because today's message isn't the one that was shown."""

MAY_HAVE_ARRIVED = Q(outcome__in=[Outcome.MAY_HAVE_ARRIVED, Attempt.LEASE_RAN_OUT]) | Q(
    http_status=500
)
"""The attempts after which the customer may have the message, whatever came later."""


class NotPossible(ChatitiveError):
    """What was asked for can't be done, in words for the person who asked; `code` is short."""

    def __init__(self, text: str, code: str = "impossible") -> None:
        super().__init__(text)
        self.code = code


def can_resend(notification: Notification) -> bool:
    """Whether a person may ask for this notification to be sent again."""
    known = notification.scrubbed_at is None
    return known and notification.status in {
        *Notification.RESENDABLE,
        Status.INVALID,
        Status.ACCEPTED,
    }


def can_cancel(notification: Notification) -> bool:
    """Whether a person may still keep this notification from being sent."""
    return notification.status == Status.PENDING


def version(notification: Notification) -> str:
    """The state that a person has seen, to be named when they act on it."""
    return version_with(notification, notification.resends.count())


def version_with(notification: Notification, resends: int) -> str:
    """The same, where the number of its resends is known."""
    return f"{notification.status}:{notification.attempts}:{resends}"


def resend(
    notification: Notification,
    *,
    seen: str,
    user_id: Any,
    rebuild: bool = False,
    seen_today: str | None = None,
) -> Notification:
    """Queue a notification once more; gives the row that will be sent.

    The same message is sent as the same row, which adds attempts to it, unless that row was
    accepted: then it becomes a new row. `rebuild` makes a new row from today's data, as always for
    one that could not be built; `seen_today` is the fingerprint of what the person was shown. New
    rows name the old one in `resend_of`, and what was held as unknown is then decided: cancelled.
    `user_id` is who asked, `None` for the machine. Raises `NotPossible`.
    """
    with _held(notification, seen) as row:
        if row.scrubbed_at is not None:
            raise NotPossible(
                _("Its subscriber was scrubbed, so nobody can be sent it."), "scrubbed"
            )
        if not can_resend(row):
            raise NotPossible(
                _("It is %(status)s, so there is nothing to resend.")
                % {"status": row.get_status_display()}
            )
        if rebuild or row.status == Status.INVALID:
            new = _insert(_rebuilt(row, seen_today), row, user_id)
            if row.status == Status.UNKNOWN:
                _store(row, status=Status.CANCELLED, reason="replaced")
            return new
        if row.status == Status.ACCEPTED:
            return _insert(_copied(row), row, user_id)
        _store(
            row,
            status=Status.PENDING,
            reason="resent_by_staff",
            requested_by_id=user_id,
            finished_at=None,
            available_at=DatabaseNow(),
            expires_at=DatabaseNow(settings.EXPIRES_AFTER),
        )
        tell_on_commit(log_alias())
        return row


def cancel(notification: Notification, *, seen: str) -> None:
    """Keep a pending notification from being sent; raises `NotPossible`."""
    with _held(notification, seen) as row:
        if not can_cancel(row):
            raise NotPossible(
                _("It is %(status)s, so it can't be cancelled.")
                % {"status": row.get_status_display()}
            )
        _store(
            row,
            status=Status.CANCELLED,
            reason="cancelled_by_staff",
            finished_at=DatabaseNow(),
        )


@contextmanager
def _held(notification: Notification, seen: str) -> Iterator[Notification]:
    """The row under a lock, if it is still as the person saw it."""
    using = log_alias()
    with transaction.atomic(using=using):
        become_writer(Notification, using)
        rows = Notification.objects.using(using).select_for_update()
        row = rows.filter(pk=notification.pk).first()
        # Counted by a read that locks: under REPEATABLE READ another doesn't see, on MariaDB, the
        # resend that somebody committed while this transaction was open already.
        resends = rows.filter(resend_of=notification.pk).values_list("pk", flat=True)
        if row is None or version_with(row, len(resends)) != seen:
            raise _changed()
        yield row


def _store(row: Notification, **values: Any) -> None:
    """Write to the row on condition that it still has the status for which it was decided."""
    rows = Notification.objects.using(log_alias()).filter(pk=row.pk, status=row.status)
    if not rows.update(**values):
        raise _changed()
    for name, value in values.items():
        setattr(row, name, value)


def _changed() -> NotPossible:
    return NotPossible(_("It has changed since you opened the page. Look at it again."), "changed")


def _insert(row: Notification, origin: Notification, user_id: Any) -> Notification:
    row.origin = Origin.RESEND
    row.resend_of = origin
    row.requested_by_id = user_id
    using = log_alias()
    write([row], using)
    return Notification.objects.using(using).get(public_id=row.public_id)


def _copied(row: Notification) -> Notification:
    """The same message as a new row."""
    return Notification(
        event_name=row.event_name,
        channel=row.channel,
        phone_number=row.phone_number,
        subscriber_sid=row.subscriber_sid,
        subscriber_key=row.subscriber_key,
        allow_new=row.allow_new,
        subscribe_new=row.subscribe_new,
        payload=row.payload,
        on_ambiguous=row.on_ambiguous,
        order_key=row.order_key,
        available_at=DatabaseNow(),
        expires_at=DatabaseNow(settings.EXPIRES_AFTER),
        created_at=DatabaseNow(),
        source_model=row.source_model,
        source_id=row.source_id,
        source_name=row.source_name,
        event_key=row.event_key,
        rule_id=row.rule_id,
        why=row.why,
    )


def _rebuilt(row: Notification, seen: str | None) -> Notification:
    """A new row made from today's declaration and today's record."""
    now = today(row)
    if now.row is None:
        raise NotPossible(now.text, now.code)
    if seen is not None and fingerprint(now.row) != seen:
        raise NotPossible(
            _("The record has changed since you opened the page. This is what it says now."),
            TODAY_CHANGED,
        )
    return now.row
