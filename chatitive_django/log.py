"""All the SQL on the log: claim, settle, rescue, expire.

A worker holds what it claimed by a lease: a random token and a time, both in the row. Every later
write names the token, so one that slept past its lease can't overwrite its successor's work.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connections, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from .channels import held
from .conf import RETRY
from .dbtime import DatabaseNow, become_writer
from .models import Attempt, Channel, Notification, log_alias
from .outcomes import Outcome, Result
from .retry import Decision
from .signals import (
    notification_accepted,
    notification_expired,
    notification_rejected,
    notification_settled,
    notification_skipped,
    notification_unknown,
)

Status = Notification.Status

RESCUES_BEFORE_UNKNOWN = 3
AT_ONCE = 1000
"""Rows that one statement of the sweep touches."""

ENDED = {
    Status.ACCEPTED: notification_accepted,
    Status.REJECTED: notification_rejected,
    Status.UNKNOWN: notification_unknown,
    Status.SKIPPED: notification_skipped,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The result of one attempt, and what was decided about its notification."""

    notification: Notification
    result: Result
    decision: Decision
    started_at: datetime


def _rows() -> QuerySet[Notification]:
    return Notification.objects.using(log_alias())


@dataclass(frozen=True, slots=True)
class Place:
    """A row's place in the order in which a channel's rows are claimed."""

    available_at: datetime
    id: int


def due(channel: str, *, not_expired_at: datetime | None = None) -> QuerySet[Notification]:
    """The rows of a channel that may be sent now, oldest first.

    A row waits while an earlier one for the same subscriber is pending or being sent. The earlier
    one is found by a scalar subquery: a `NOT EXISTS` becomes an anti join that scans.
    """
    first = _unfinished(OuterRef("order_key")).values("id")[:1]
    return (
        _rows()
        .filter(
            Q(order_key__isnull=True) | Q(id=Subquery(first)),
            status=Status.PENDING,
            channel=channel,
            available_at__lte=DatabaseNow(),
            expires_at__gt=not_expired_at or DatabaseNow(),
        )
        .order_by("available_at", "id")
    )


def _unfinished(order_key: object) -> QuerySet[Notification]:
    rows = _rows().filter(order_key=order_key, finished_at__isnull=True)
    return rows.order_by("id")


def claim(
    channel: str, limit: int, lease: timedelta, *, after: Place | None = None
) -> list[Notification]:
    """Take up to `limit` due rows of a channel for the time of a lease; none while it is held.

    With `after` the rows up to that place are passed over.
    """
    rows = _flowing(channel)
    if after is not None:
        same_time = Q(available_at=after.available_at, id__gt=after.id)
        rows = rows.filter(
            same_time | Q(available_at__gt=after.available_at),
            available_at__gte=after.available_at,
        )
    return _take(rows[:limit], lease)


def claim_next(channel: str, order_keys: Iterable[str], lease: timedelta) -> list[Notification]:
    """Take the rows that are first now for these subscribers, where they are due."""
    firsts = [_unfinished(key).values_list("id", flat=True).first() for key in order_keys]
    ids = [pk for pk in firsts if pk is not None]
    return _take(_flowing(channel).filter(id__in=ids), lease) if ids else []


def claim_probe(channel: Channel, lease: timedelta) -> list[Notification]:
    """Take one row of a channel whose breaker is open; the time since then ages no row."""
    return _take(due(channel.alias, not_expired_at=channel.stopped_at)[:1], lease)


def passed_over(channel: str, place: Place, *, at_most: int) -> int:
    """How many rows before a place wait for others of their subscriber, counted so far."""
    earlier = _rows().filter(
        status=Status.PENDING, channel=channel, available_at__lte=place.available_at
    )
    return earlier.filter(~Q(available_at=place.available_at, id__gte=place.id))[:at_most].count()


def _flowing(channel: str) -> QuerySet[Notification]:
    return due(channel).filter(~Exists(held().filter(alias=channel)))


def _take(rows: QuerySet[Notification], lease: timedelta) -> list[Notification]:
    using = log_alias()
    skip_locked = connections[using].features.has_select_for_update_skip_locked
    token = uuid.uuid4()
    with transaction.atomic(using=using):
        become_writer(Notification, using)
        taken = list(rows.select_for_update(skip_locked=skip_locked))
        if taken:
            _rows().filter(pk__in=[row.pk for row in taken]).update(
                status=Status.SENDING,
                lease_token=token,
                leased_until=DatabaseNow(lease),
                attempts=F("attempts") + 1,
            )
    for row in taken:
        row.status = Status.SENDING
        row.lease_token = token
        row.attempts += 1
    return taken


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
        row, result = settlement.notification, settlement.result
        row.status = settlement.decision.status
        row.reason, row.explanation = result.reason, result.explanation
        _tell(row, result)


def _store(settlement: Settlement) -> bool:
    row, result, decision = settlement.notification, settlement.result, settlement.decision
    pending = decision.status == Status.PENDING
    values = {
        "status": decision.status,
        "reason": result.reason,
        "explanation": result.explanation,
        "attempts": row.attempts if decision.counts else row.attempts - 1,
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
    for signal in (notification_settled, ENDED.get(Status(row.status))):
        if signal is not None:
            signal.send_robust(
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
            .select_for_update(skip_locked=skip_locked)[:AT_ONCE]
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
