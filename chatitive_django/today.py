"""What a notification's record would say today, beside what was recorded of it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, transaction
from django.db.models import Model
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from .capture.compose import compose
from .capture.transitions import rows_of
from .models import Notification, log_alias
from .payloads import flat, plain
from .registry import Declared, key_read
from .rules import declared_by_key

Status = Notification.Status

NOT_DECLARED: Final = "not_declared"
OF_A_DELETION: Final = "of_a_deletion"
RECORD_GONE: Final = "record_gone"
DATABASE: Final = "database"

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Today:
    """The unsaved row that today's declaration and record give, or why they give none.

    `code` is short and empty where the row could be sent; `text` says the same to people.
    """

    row: Notification | None = None
    code: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that was recorded and is otherwise today; `None` stands for nothing.

    `name` is a key of the payload, or without `in_payload` one of the row's columns.
    """

    name: str
    then: Any
    now: Any
    in_payload: bool = True


def today(row: Notification) -> Today:
    """What one row's record would say today."""
    return todays([row])[row.pk]


def todays(rows: Sequence[Notification]) -> dict[int, Today]:
    """What each row's record would say today, by the row's id.

    A query for each event that the rows are of. What the project's code writes meanwhile is taken
    back.
    """
    found: dict[int, Today] = {}
    by_event: dict[tuple[str, str], list[Notification]] = defaultdict(list)
    for row in rows:
        if row.why.get("transition") == "deleted":
            text = _("It told that the record was deleted, so it can't be built anew.")
            found[row.pk] = Today(code=OF_A_DELETION, text=text)
        else:
            by_event[row.source_model, row.event_key].append(row)
    for (model, key), group in by_event.items():
        if (declared := declared_by_key(model, key)) is not None:
            found.update(_composed(declared, group))
            continue
        text = _("The project no longer declares %(key)s, so it can't be built anew.") % {
            "key": key
        }
        found.update((row.pk, Today(code=NOT_DECLARED, text=text)) for row in group)
    return found


def fingerprint(row: Notification) -> str:
    """What tells a message from any other, and gives nothing of it away."""
    parts = [row.event_name, *map(str, _envelope(row).values()), row.payload]
    text = json.dumps(parts, cls=DjangoJSONEncoder, sort_keys=True)
    return salted_hmac("chatitive_django.today", text, algorithm="sha256").hexdigest()[:32]


def difference(row: Notification, now: Notification) -> list[Difference]:
    """What would be sent otherwise today; the message is the same where there is none."""
    then_envelope, now_envelope = _envelope(row), _envelope(now)
    found = [
        Difference(name, then, now_envelope[name], in_payload=False)
        for name, then in then_envelope.items()
        if then != now_envelope[name]
    ]
    if row.subscriber_key == now.subscriber_key:  # another spelling of the same number
        found = [each for each in found if each.name not in {"phone_number", "subscriber_sid"}]
    was = dict(flat(row.payload))
    is_now = dict(flat(plain(now.payload, "payload")))
    return found + [
        Difference(key, was.get(key), is_now.get(key))
        for key in dict.fromkeys([*was, *is_now])
        if key not in was or key not in is_now or was[key] != is_now[key]
    ]


def _envelope(row: Notification) -> dict[str, Any]:
    names = ("phone_number", "subscriber_sid", "channel", "allow_new", "subscribe_new")
    return {name: getattr(row, name) for name in names}


def _composed(declared: Declared, rows: list[Notification]) -> Iterator[tuple[int, Today]]:
    """Today's message of each row."""

    def compose_all(part: Sequence[Notification]) -> list[tuple[int, Today]]:
        pks = {row.pk: key_read(declared.owner, row.source_id) for row in part}
        records = records_of(declared, [pk for pk in pks.values() if pk is not None])
        built = [
            (row.pk, _today_of(declared, records.get(pks[row.pk]), pks[row.pk], row))
            for row in part
        ]
        transaction.set_rollback(True, using=log_alias())
        return built

    def spoiled(row: Notification, error: DatabaseError) -> tuple[int, Today]:
        text = _("A query failed while it was built anew (%(error)s).")
        return row.pk, Today(code=DATABASE, text=text % {"error": type(error).__name__})

    return bisected(compose_all, rows, spoiled=spoiled)


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


def _today_of(declared: Declared, record: Model | None, pk: Any, row: Notification) -> Today:
    if record is None:
        text = _("The record is gone, so it can't be built anew.")
        return Today(code=RECORD_GONE, text=text)
    built = compose(declared, record, pk=pk, why=row.why)
    if built.status == Status.INVALID:
        return Today(code=built.reason, text=built.reason_sentence)
    return Today(row=built)
