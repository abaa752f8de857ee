"""What a resend of many would do to each row, told before it is done."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, Max, QuerySet

from .models import Attempt, BatchRow, Notification, log_alias
from .resend import MAY_HAVE_ARRIVED, can_resend, version_with
from .today import NOT_DECLARED, OF_A_DELETION, Today, difference, todays

Status = Notification.Status
Sort = BatchRow.Sort

_About = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Known:
    """What the log and the records tell of some rows, by their ids."""

    resends: Mapping[int, int]
    doubtful: Collection[int]
    last_accepted: Mapping[_About, int]
    today: Mapping[int, Today]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """What a resend would do to one row.

    `today` is what its record would say now, `later` the id of the last notification of the same
    event and record that was accepted after it.
    """

    sort: Sort
    seen: str
    today: Today | None
    later: int | None


def sort(rows: Sequence[Notification]) -> Iterator[BatchRow]:
    """Each row with what a resend would do to it and the state in which it was seen, not saved.

    A handful of queries for all of the rows, and one for each event that they are of.
    """
    known = _known(rows)
    for row in rows:
        yield BatchRow(
            notification=row,
            sort=_sort(row, known),
            seen=version_with(row, known.resends.get(row.pk, 0)),
        )


def sort_one(row: Notification) -> Sorted:
    """The same for one row, with what stands behind it."""
    known = _known([row])
    return Sorted(
        sort=_sort(row, known),
        seen=version_with(row, known.resends.get(row.pk, 0)),
        today=known.today.get(row.pk),
        later=known.last_accepted.get(_about(row)),
    )


def _sort(row: Notification, known: _Known) -> Sort:
    if row.status in {Status.PENDING, Status.SENDING}:
        return Sort.SCHEDULED
    if not can_resend(row):
        return Sort.IMPOSSIBLE
    if row.status == Status.ACCEPTED or row.pk in known.resends:
        return Sort.ACCEPTED
    if known.last_accepted.get(_about(row), 0) > row.pk:
        return Sort.ACCEPTED_LATER
    today = known.today[row.pk]
    if today.code == "no_subscriber":
        return Sort.NO_PHONE
    if row.status == Status.INVALID:
        return Sort.IMPOSSIBLE if today.row is None else Sort.FRESH
    if row.status == Status.UNKNOWN or row.pk in known.doubtful:
        return Sort.DOUBTFUL
    if today.code in {NOT_DECLARED, OF_A_DELETION}:
        return Sort.FRESH
    if today.row is None or difference(row, today.row):
        return Sort.CHANGED
    return Sort.FRESH


def _known(rows: Sequence[Notification]) -> _Known:
    ids = [row.pk for row in rows]
    resends = _log().filter(resend_of__in=ids).order_by()
    attempts = Attempt.objects.using(log_alias()).filter(notification__in=ids)
    accepted = (
        _log()
        .filter(
            status=Status.ACCEPTED,
            source_model__in={row.source_model for row in rows if row.source_model},
            source_id__in={row.source_id for row in rows},
            event_name__in={row.event_name for row in rows},
            id__gt=min(ids, default=0),
        )
        .order_by()
        .values_list("event_name", "source_model", "source_id")
        .annotate(Max("id"))
    )
    return _Known(
        resends=dict(resends.values_list("resend_of").annotate(Count("id"))),
        doubtful=set(attempts.filter(MAY_HAVE_ARRIVED).values_list("notification", flat=True)),
        last_accepted={(name, model, pk): last for name, model, pk, last in accepted},
        today=todays([row for row in rows if can_resend(row)]),
    )


def _about(row: Notification) -> _About:
    return row.event_name, row.source_model, row.source_id


def _log() -> QuerySet[Notification]:
    return Notification.objects.using(log_alias())
