"""What a resend of many would do to each row, told before it is done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import DatabaseError, transaction
from django.db.models import Count, Max, Model, QuerySet

from .capture.compose import compose
from .capture.transitions import rows_of
from .models import Attempt, BatchRow, Notification, log_alias
from .payloads import plain
from .registry import Declared, key_read
from .resend import MAY_HAVE_ARRIVED, can_resend, version_with
from .rules import declared_by_key

Status = Notification.Status
Sort = BatchRow.Sort

GONE = "gone"
"""Stands for what a record that is no longer there would give."""

T = TypeVar("T")
R = TypeVar("R")

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
    """Today's message of each row."""

    def compose_all(part: Sequence[Notification]) -> list[tuple[int, _Today]]:
        pks = {row.pk: key_read(declared.owner, row.source_id) for row in part}
        records = records_of(declared, [pk for pk in pks.values() if pk is not None])
        return [
            (
                row.pk,
                compose(declared, records[pks[row.pk]], pk=pks[row.pk], why=row.why)
                if pks[row.pk] in records
                else GONE,
            )
            for row in part
        ]

    return bisected(compose_all, rows, spoiled=lambda row, _error: (row.pk, GONE))


def records_of(declared: Declared, pks: Collection[Any]) -> dict[Any, Model]:
    """The records of an event's model by their keys, read together with what its paths cross."""
    found = rows_of(declared.model, pks, log_alias())
    if declared.related:
        found = found.select_related(*declared.related)
    return {record.pk: record for record in found}


def bisected(
    each: Callable[[Sequence[T]], list[R]],
    items: Sequence[T],
    *,
    spoiled: Callable[[T, DatabaseError], R],
) -> Iterator[R]:
    """What is made of all items in one savepoint, or where a query fails of each half in its own.

    Of the one item that fails by itself it is what `spoiled` makes of it.
    """
    try:
        with transaction.atomic(using=log_alias()):
            made = each(items)
    except DatabaseError as error:
        if len(items) == 1:
            yield spoiled(items[0], error)
            return
        half = len(items) // 2
        yield from bisected(each, items[:half], spoiled=spoiled)
        yield from bisected(each, items[half:], spoiled=spoiled)
    else:
        yield from made


def _log() -> QuerySet[Notification]:
    return Notification.objects.using(log_alias())
