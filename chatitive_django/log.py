"""All the SQL on the log: claim, settle, rescue, expire.

A worker holds what it claimed by a lease: a random token and a time, both in the row. Every later
write names the token, so one that slept past its lease can't overwrite its successor's work.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connections, transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from .conf import RETRY
from .dbtime import DatabaseNow, become_writer
from .models import Attempt, Notification, log_alias
from .outcomes import Outcome, Result
from .retry import Decision
from .signals import notification_settled

Status = Notification.Status

RESCUES_BEFORE_UNKNOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The result of one attempt, and what was decided about its notification."""

    notification: Notification
    result: Result
    decision: Decision
    started_at: datetime


def _rows() -> QuerySet[Notification]:
    return Notification.objects.using(log_alias())


def due(channel: str) -> QuerySet[Notification]:
    """The rows of a channel that may be sent now, oldest first.

    A row waits while an earlier one for the same subscriber is pending or being sent. The earlier
    one is found by a scalar subquery: a `NOT EXISTS` becomes an anti join that scans.
    """
    first = (
        Notification.objects.filter(order_key=OuterRef("order_key"), finished_at__isnull=True)
        .order_by("id")
        .values("id")[:1]
    )
    return (
        _rows()
        .filter(
            Q(order_key__isnull=True) | Q(id=Subquery(first)),
            status=Status.PENDING,
            channel=channel,
            available_at__lte=DatabaseNow(),
            expires_at__gt=DatabaseNow(),
        )
        .order_by("available_at", "id")
    )


def claim(channel: str, limit: int, lease: timedelta) -> list[Notification]:
    """Take up to `limit` due rows of a channel for the time of a lease."""
    using = log_alias()
    skip_locked = connections[using].features.has_select_for_update_skip_locked
    token = uuid.uuid4()
    with transaction.atomic(using=using):
        become_writer(Notification, using)
        rows = list(due(channel).select_for_update(skip_locked=skip_locked)[:limit])
        if rows:
            _rows().filter(pk__in=[row.pk for row in rows]).update(
                status=Status.SENDING,
                lease_token=token,
                leased_until=DatabaseNow(lease),
                attempts=F("attempts") + 1,
            )
    for row in rows:
        row.status = Status.SENDING
        row.lease_token = token
        row.attempts += 1
    return rows


def settle(settlements: Collection[Settlement]) -> None:
    """Store the results of attempts, each where its lease still holds, and tell of those."""
    using = log_alias()
    with transaction.atomic(using=using):
        become_writer(Notification, using)
        stored = [settlement for settlement in settlements if _store(settlement)]
        Attempt.objects.using(using).bulk_create(
            [_attempt(settlement) for settlement in settlements]
        )
    for settlement in stored:
        settlement.notification.status = settlement.decision.status
        settlement.notification.reason = settlement.result.reason
        _tell(settlement.notification, settlement.result)


def _store(settlement: Settlement) -> bool:
    row, result, decision = settlement.notification, settlement.result, settlement.decision
    pending = decision.status == Status.PENDING
    values = {
        "status": decision.status,
        "reason": result.reason,
        "lease_token": None,
        "leased_until": None,
        "finished_at": None if pending else DatabaseNow(),
    }
    if pending:
        values["available_at"] = DatabaseNow(decision.delay)
    else:
        values["requested_by"] = None
    held = _rows().filter(pk=row.pk, status=Status.SENDING, lease_token=row.lease_token)
    if held.update(**values):
        return True
    if result.outcome is not Outcome.ACCEPTED:
        return False
    # Late proof: the lease ran out while the answer was on its way. What another worker is sending
    # now is left to it.
    doubtful = _rows().filter(pk=row.pk, status__in=[Status.UNKNOWN, Status.PENDING])
    return bool(doubtful.update(**values))


def _tell(row: Notification, result: Result) -> None:
    notification_settled.send_robust(
        sender=Notification, notification=row, result=result, using=log_alias()
    )


def _attempt(settlement: Settlement) -> Attempt:
    row, result = settlement.notification, settlement.result
    return Attempt(
        notification=row,
        number=row.attempts,
        started_at=settlement.started_at,
        duration_ms=round(result.duration * 1000),
        outcome=result.outcome,
        reason=result.reason,
        http_status=result.http_status,
        error_class=result.error_class[:64],
        response_excerpt=result.excerpt,
        actor_id=row.requested_by_id,
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
            .select_for_update(skip_locked=skip_locked)[:1000]
        )
        for row in rows:
            _rescue(row, using)
    for row in rows:
        _tell(row, Result(outcome=Outcome.MAY_HAVE_ARRIVED, reason="worker_lost"))
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
    """End the pending rows whose time is over; gives their number."""
    using = log_alias()
    with transaction.atomic(using=using):
        become_writer(Notification, using)
        return (
            _rows()
            .filter(status=Status.PENDING, expires_at__lte=DatabaseNow())
            .update(status=Status.EXPIRED, reason="too_late", finished_at=DatabaseNow())
        )
