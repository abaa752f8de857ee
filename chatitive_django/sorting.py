"""What a resend of many would do to each row, told before it is done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.db.models import Count, Max, Model, QuerySet

from .capture.compose import compose
from .capture.transitions import rows_of
from .models import Attempt, BatchRow, Notification, log_alias
from .payloads import plain
from .registry import Declared
from .resend import MAY_HAVE_ARRIVED, can_resend, version_with
from .rules import declared_by_key

Status = Notification.Status
Sort = BatchRow.Sort

GONE = "gone"
"""Stands for what a record that is no longer there would give."""

_Today = Notification | str
_About = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Known:
    """What the log and the records tell of some rows, by their ids."""

    resends: Mapping[int, int]
    doubtful: Collection[int]
    accepted_resends: Collection[int]
    last_accepted: Mapping[_About, int]
    today: Mapping[int, _Today]


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


def _sort(row: Notification, known: _Known) -> Sort:
    if row.status in {Status.PENDING, Status.SENDING}:
        return Sort.SCHEDULED
    if not can_resend(row):
        return Sort.IMPOSSIBLE
    invalid = row.status == Status.INVALID
    if row.status == Status.ACCEPTED or (invalid and row.pk in known.resends):
        return Sort.ACCEPTED
    if row.pk in known.accepted_resends or known.last_accepted.get(_about(row), 0) > row.pk:
        return Sort.ACCEPTED_LATER
    today = known.today.get(row.pk)
    if isinstance(today, Notification) and today.reason == "no_subscriber":
        return Sort.NO_PHONE
    if invalid:
        return Sort.FRESH if _is_built(today) else Sort.IMPOSSIBLE
    if row.status == Status.UNKNOWN or row.pk in known.doubtful:
        return Sort.DOUBTFUL
    if today is None or (_is_built(today) and _is_same(row, today)):
        return Sort.FRESH
    return Sort.CHANGED


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
        accepted_resends={
            row.resend_of_id
            for row in resends.filter(status=Status.ACCEPTED).only("resend_of")
            if row.resend_of_id
        },
        last_accepted={(name, model, pk): last for name, model, pk, last in accepted},
        today=dict(_today(rows)),
    )


def _about(row: Notification) -> _About:
    return row.event_name, row.source_model, row.source_id


def _is_built(today: _Today | None) -> bool:
    return isinstance(today, Notification) and today.status != Status.INVALID


def _is_same(row: Notification, today: _Today | None) -> bool:
    """Whether today's record gives the same message to the same subscriber."""
    return (
        isinstance(today, Notification)
        and row.subscriber_key == today.subscriber_key
        and row.payload == plain(today.payload, "payload")
    )


def _today(rows: Sequence[Notification]) -> Iterator[tuple[int, _Today]]:
    """What each row's record gives today; nothing for what wasn't declared or was a deletion."""
    by_event: dict[tuple[str, str], list[Notification]] = defaultdict(list)
    for row in rows:
        if can_resend(row) and row.source_model and row.why.get("transition") != "deleted":
            by_event[row.source_model, row.event_key].append(row)
    for (model, key), group in by_event.items():
        if (declared := declared_by_key(model, key)) is not None:
            yield from _composed(declared, group)


def _composed(declared: Declared, rows: list[Notification]) -> Iterator[tuple[int, _Today]]:
    """Today's message of each row; where a query fails, of each half, down to the one it spoils."""
    using = log_alias()
    pks = {row.pk: _pk(declared, row) for row in rows}
    try:
        with transaction.atomic(using=using):
            found = rows_of(declared.model, [pk for pk in pks.values() if pk is not None], using)
            if declared.related:
                found = found.select_related(*declared.related)
            records: dict[Any, Model] = {record.pk: record for record in found}
            built = [
                (
                    row.pk,
                    compose(declared, records[pks[row.pk]], pk=pks[row.pk], why=row.why)
                    if pks[row.pk] in records
                    else GONE,
                )
                for row in rows
            ]
    except DatabaseError:
        if len(rows) == 1:
            yield rows[0].pk, GONE
            return
        half = len(rows) // 2
        yield from _composed(declared, rows[:half])
        yield from _composed(declared, rows[half:])
    else:
        yield from built


def _pk(declared: Declared, row: Notification) -> Any:
    try:
        return declared.owner._meta.pk.to_python(row.source_id)
    except ValidationError:
        return None


def _log() -> QuerySet[Notification]:
    return Notification.objects.using(log_alias())
