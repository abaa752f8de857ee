"""What happened to a notification, oldest first: its tries, and what people did to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.db.models import Q
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ..models import Attempt, BatchRow, Notification, ResendBatch, log_alias
from ..reasons import sentence
from .badges import outcome_badge
from .moments import duration, moment

Status = Notification.Status

ACTS_SHOWN = 50
BATCHES_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened, or is due."""

    at: datetime | None
    when: str
    what: str
    badge: SafeString | str = ""
    told: str = ""
    facts: str = ""
    response: str = ""
    due: bool = False


def trail(row: Notification, attempts: Sequence[Attempt], *, whole: bool) -> list[Step]:
    """Every step, each with who asked for it; responses only for those who may see the `whole`."""
    tries = [_try(attempt, whole=whole) for attempt in attempts]
    known = [_recorded(row), *tries, *_acts(row)]
    if any(attempt.actor_id for attempt in attempts) or row.requested_by_id:
        known += _bulk(row)
    known.sort(key=lambda step: step.at or row.created_at)
    return [*known, *_end(row)]


def _recorded(row: Notification) -> Step:
    told = {
        Notification.Origin.MANUAL: _("Recorded by hand."),
        Notification.Origin.RESEND: _("Recorded, for somebody asked for a resend."),
        Notification.Origin.TEST: _("Recorded as a test."),
        Notification.Origin.BACKFILL: _("Recorded for a record that was in this state already."),
    }
    what = told.get(Notification.Origin(row.origin), _("Recorded with the change."))
    return Step(at=row.created_at, when=moment(row.created_at), what=what)


def _try(attempt: Attempt, *, whole: bool) -> Step:
    told = sentence(attempt.reason) if attempt.reason else ""
    code = str(attempt.http_status or "")
    took = attempt.duration_ms
    facts = [
        f"HTTP {code}" if code and code not in told else "",
        attempt.error_class,
        "" if took is None else duration(timedelta(milliseconds=took)),
        _("asked for by %(person)s") % {"person": attempt.actor} if attempt.actor else "",
    ]
    return Step(
        at=attempt.started_at,
        when=moment(attempt.started_at),
        what=_("Try %(number)s") % {"number": attempt.number},
        badge=outcome_badge(attempt),
        told=told,
        facts=" · ".join(filter(None, facts)),
        response=attempt.response_excerpt if whole else "",
    )


def _acts(row: Notification) -> Iterator[Step]:
    entries = LogEntry.objects.filter(
        content_type=get_content_type_for_model(row), object_id=str(row.pk)
    )
    for entry in entries.select_related("user").order_by("-pk")[:ACTS_SHOWN]:
        yield Step(
            at=entry.action_time,
            when=moment(entry.action_time),
            what=str(entry.user),
            told=entry.get_change_message(),
        )


def _bulk(row: Notification) -> Iterator[Step]:
    """The resends of many that it was part of, found by the index that begins with the batch."""
    batches = ResendBatch.objects.using(log_alias()).exclude(state=ResendBatch.State.DRAFT)
    known = {batch.pk: batch for batch in batches.select_related("made_by")[:BATCHES_SHOWN]}
    parts = BatchRow.objects.using(log_alias()).filter(
        Q(notification=row.pk) | Q(notification=row.resend_of_id, sent_as=row.pk),
        batch__in=list(known),
    )
    for part in parts.exclude(result=""):
        batch = known[part.batch_id]
        yield Step(
            at=batch.starts_at,
            when=moment(batch.starts_at),
            what=str(batch.made_by or "–"),
            told=_("Bulk resend %(batch)s: %(reason)s")
            % {"batch": batch, "reason": batch.reason or "–"},
        )


def _end(row: Notification) -> Iterator[Step]:
    """What is due, or how it ended where no try says so."""
    match row.status:
        case Status.PENDING:
            what = _("The next try") if row.attempts else _("The first try")
            yield Step(at=None, when=moment(row.available_at), what=what, due=True)
        case Status.SENDING:
            yield Step(at=None, when=_("now"), what=_("It is being sent."), due=True)
        case Status.EXPIRED if row.reason == "too_late":
            yield Step(at=None, when=moment(row.finished_at), what=_("Given up."))
