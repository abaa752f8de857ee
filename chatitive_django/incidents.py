"""Failures of the last days by their cause, to be mended and resent together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connections
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from .batches import AT_MOST, FAILED
from .models import Notification, log_alias

Status = Notification.Status

LATELY = timedelta(days=3)
"""What failed on a Friday evening is still told on Monday."""
LEAST = 3
"""So many of one cause are an incident; fewer are just in the list."""
TOLD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Notifications of one channel that failed in one way; there may be more where it `is_cut`."""

    status: str
    reason: str
    channel: str
    count: int
    since: datetime
    highest_id: int
    is_cut: bool


def incidents() -> list[Incident]:
    """The largest incidents; counted to the end unless more rows failed than a batch takes."""
    connection = connections[log_alias()]
    columns = ("status", "reason", "channel", "id")
    failures = failed_lately(_rows()).values(*columns)[: AT_MOST + 1]
    rows, params = failures.query.get_compiler(connection.alias).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT status, reason, channel, COUNT(*), MIN(id), MAX(id) "  # noqa: S608 -- own names
            f"FROM ({rows}) failed GROUP BY status, reason, channel ORDER BY COUNT(*) DESC",
            params,
        )
        found = cursor.fetchall()
    is_cut = sum(count for _, _, _, count, _, _ in found) > AT_MOST
    largest = [each for each in found[:TOLD] if each[3] >= LEAST]
    firsts = _rows().only("created_at").in_bulk([lowest_id for *_, lowest_id, _ in largest])
    return [
        Incident(
            status=status,
            reason=reason,
            channel=channel,
            count=count,
            since=firsts[lowest_id].created_at,
            highest_id=highest_id,
            is_cut=is_cut,
        )
        for status, reason, channel, count, lowest_id, highest_id in largest
        if lowest_id in firsts
    ]


def failed_so(*, status: str, reason: str, channel: str, highest_id: int) -> QuerySet[Notification]:
    """The notifications of an incident as it was when it was told: no later one joins."""
    failed = failed_lately(_rows())
    return failed.filter(status=status, reason=reason, channel=channel, pk__lte=highest_id)


def failed_lately(rows: QuerySet[Notification]) -> QuerySet[Notification]:
    """Of these what failed and can be resent; what was built anew goes on as another one."""
    resent = _rows().filter(resend_of=OuterRef("pk"))
    failed = rows.filter(
        status__in=FAILED, created_at__gte=timezone.now() - LATELY, scrubbed_at__isnull=True
    )
    return failed.exclude(Exists(resent))


def _rows() -> QuerySet[Notification]:
    return Notification.objects.using(log_alias())
