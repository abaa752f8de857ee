"""The sweep: rows of lost workers are brought back, and rows whose time is over end."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connections, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from ..conf import RETRY
from ..dbtime import DatabaseNow, become_writer
from ..models import Attempt, Channel, Notification, log_alias
from ..outcomes import Outcome, Result
from ..signals import notification_expired
from .settling import tell

Status = Notification.Status

RESCUES_BEFORE_UNKNOWN = 3
AT_ONCE = 1000
"""Rows that one statement of the sweep touches."""


def _rows() -> QuerySet[Notification]:
    return Notification.objects.using(log_alias())


def work_waits(channels: Collection[str]) -> bool:
    """Whether a delivery by these channels, or its sweep, may find something to do."""
    pending = _rows().filter(status=Status.PENDING)
    sending = _rows().filter(status=Status.SENDING)
    return (
        pending.filter(channel__in=channels, available_at__lte=DatabaseNow()).exists()
        or sending.filter(leased_until__lt=DatabaseNow()).exists()
        or pending.filter(expires_at__lte=DatabaseNow()).exists()
    )


def rescue() -> int:
    """Bring back the rows whose worker let its lease run out; gives their number.

    Such a request may have arrived: the row is held as unknown, or with "retry" becomes pending
    again, until it was rescued so often that it is likely to be what kills the workers.
    """
    using = log_alias()
    skip_locked = connections[using].features.has_select_for_update_skip_locked
    with transaction.atomic(using=using):
        become_writer(Notification, using)
        rows = list(
            _rows()
            .filter(status=Status.SENDING, leased_until__lt=DatabaseNow())
            .order_by("id")
            .select_for_update(skip_locked=skip_locked)[:AT_ONCE]
        )
        for row in rows:
            _rescue(row, using)
    for row in rows:
        tell(row, Result(outcome=Outcome.MAY_HAVE_ARRIVED, reason="worker_lost"))
    return len(rows)


def _rescue(row: Notification, using: str) -> None:
    earlier = Attempt.objects.using(using).filter(notification=row, outcome=Attempt.LEASE_RAN_OUT)
    again = row.on_ambiguous == RETRY and earlier.count() + 1 < RESCUES_BEFORE_UNKNOWN
    Attempt.objects.using(using).create(
        notification=row,
        number=row.attempts,
        started_at=row.leased_until or timezone.now(),
        outcome=Attempt.LEASE_RAN_OUT,
        reason="worker_lost",
        actor_id=row.requested_by_id,
    )
    row.status = Status.PENDING if again else Status.UNKNOWN
    row.reason = "worker_lost"
    _rows().filter(pk=row.pk).update(
        status=row.status,
        reason=row.reason,
        lease_token=None,
        leased_until=None,
        requested_by=None,
        available_at=DatabaseNow() if again else F("available_at"),
        finished_at=None if again else DatabaseNow(),
    )


def expire() -> int:
    """End the pending rows whose time is over; gives their number.

    Not those of a stopped channel: they get the time back when it goes on.
    """
    using = log_alias()
    skip_locked = connections[using].features.has_select_for_update_skip_locked
    stopped = Channel.objects.using(using).filter(stopped_at__isnull=False)
    late = _rows().filter(status=Status.PENDING, expires_at__lte=DatabaseNow()).order_by("id")
    with transaction.atomic(using=using):
        become_writer(Notification, using)
        late = late.exclude(channel__in=list(stopped.values_list("alias", flat=True)))
        rows = list(late.select_for_update(skip_locked=skip_locked)[:AT_ONCE])
        _rows().filter(pk__in=[row.pk for row in rows]).update(
            status=Status.EXPIRED, reason="too_late", finished_at=DatabaseNow()
        )
    for row in rows:
        row.status, row.reason = Status.EXPIRED, "too_late"
        notification_expired.send_robust(sender=Notification, notification=row, using=using)
    return len(rows)
