"""What leaves the log: old rows that are settled, and all that is known of one person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from .dbtime import DatabaseNow, become_writer
from .models import Attempt, Notification, ResendBatch, log_alias
from .subscribers import normalise, subscriber_key

Status = Notification.Status

PRUNED = [
    Status.ACCEPTED,
    Status.REJECTED,
    Status.EXPIRED,
    Status.CANCELLED,
    Status.INVALID,
    Status.SKIPPED,
]
"""The statuses that age ends. Of one that may have arrived a person decides first."""
AT_ONCE = 1000
"""Rows that one transaction touches, so that no delivery waits for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrubbed:
    """How many rows were emptied, how many of them were still to be sent, and how many are left
    because they are being sent at this moment."""

    rows: int
    cancelled: int
    left: int


def prune(older_than: timedelta) -> int:
    """Delete the rows that are settled for so long, with their attempts; gives their number.

    Resends of many that ended so long ago go as well, and aren't counted.
    """
    using = log_alias()
    before = DatabaseNow(-older_than)
    deleted = 0
    for status in PRUNED:
        old = _rows().filter(status=status, created_at__lt=before, finished_at__lt=before)
        while ids := list(old.order_by("created_at").values_list("id", flat=True)[:AT_ONCE]):
            with transaction.atomic(using=using):
                become_writer(Notification, using)
                # Not by what was read: a person may have asked for one of them meanwhile.
                gone = list(old.filter(pk__in=ids).select_for_update().values_list("id", flat=True))
                _rows().filter(resend_of__in=gone).update(resend_of=None)
                Attempt.objects.using(using).filter(notification__in=gone).delete()
                _rows().filter(pk__in=gone).delete()
            deleted += len(gone)
    ResendBatch.objects.using(using).filter(finished_at__lt=before).delete()
    return deleted


def scrub(*, phone_number: str | None = None, subscriber_sid: str | None = None) -> Scrubbed:
    """Take one person out of the log: identifiers, payloads, names and what the API answered.

    The rows stay, with what was sent when and how it ended. What waits to be sent is cancelled;
    what is being sent now can't be, so `left` should be scrubbed again later. Raises `ValueError`
    where nobody is named.
    """
    if not (subscriber_sid or phone_number or "").strip():
        # Rows without a subscriber have this key, and could never be built again.
        raise ValueError("Name a person by a phone number or a SID that isn't blank.")
    using = log_alias()
    rows = cancelled = 0
    theirs = _of(phone_number=phone_number, subscriber_sid=subscriber_sid)
    while ids := list(theirs.exclude(status=Status.SENDING).values_list("id", flat=True)[:AT_ONCE]):
        with transaction.atomic(using=using):
            become_writer(Notification, using)
            held = _rows().filter(pk__in=ids).exclude(status=Status.SENDING)
            found = list(held.select_for_update().values_list("id", flat=True))
            waiting = _rows().filter(pk__in=found, status=Status.PENDING)
            cancelled += waiting.update(
                status=Status.CANCELLED, reason="scrubbed", finished_at=DatabaseNow()
            )
            rows += (
                _rows()
                .filter(pk__in=found)
                .update(
                    phone_number=None,
                    subscriber_sid=None,
                    subscriber_key="",
                    order_key=None,
                    payload={},
                    explanation="",
                    source_name="",
                    why={},
                    scrubbed_at=DatabaseNow(),
                )
            )
            Attempt.objects.using(using).filter(notification__in=found).update(response_excerpt="")
    return Scrubbed(rows=rows, cancelled=cancelled, left=theirs.count())


def _of(*, phone_number: str | None, subscriber_sid: str | None) -> QuerySet[Notification]:
    """The rows that name a person; one that was sent to their SID may hold their number as well."""
    key = subscriber_key(phone_number=phone_number, subscriber_sid=subscriber_sid)
    named = _rows().filter(scrubbed_at__isnull=True)
    if subscriber_sid or not phone_number:
        return named.filter(subscriber_key=key)
    both = named.filter(subscriber_sid__isnull=False, phone_number__isnull=False)
    same_number = [
        pk
        for pk, number in both.values_list("pk", "phone_number").iterator()
        if number is not None and normalise(number) == key
    ]
    return named.filter(Q(subscriber_key=key) | Q(pk__in=same_number))


def _rows() -> QuerySet[Notification]:
    return Notification.objects.using(log_alias())
