"""The table of docs/capture.md: each operation is run, and the page says what it recorded.

    python -m tests.integration.test_operations

prints the table anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync

PAGE = Path(__file__).parents[2] / "docs" / "capture.md"


@dataclass(frozen=True)
class Operation:
    """What a user writes, what the page says of it, and the events that it must record."""

    code: str
    says: str
    events: list[str]
    run: Callable[[SimpleNamespace], object]


def saved(item, **values):
    for name, value in values.items():
        setattr(item, name, value)
    item.save()


def back_and_forth(on):
    for state in ("sold", "new", "sold"):
        saved(on.item, state=state)


def rolled_back(on):
    try:
        with on.transaction.atomic():
            saved(on.item, state="sold")
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass


def stale(on):
    other = on.Item.objects.get(pk=on.item.pk)
    saved(on.item, count=5)
    other.save()


def captured(on, write):
    with on.capture_changes(on.Item.objects.all()):
        write()


def refused(on):
    with pytest.raises(on.NotCapturable):
        on.Item.objects.bulk_create([on.Item(code="x")], ignore_conflicts=True)


def raw_sql(on):
    with on.connection.cursor() as cursor:
        cursor.execute("UPDATE desk_item SET state = 'sold'")


def muted(on):
    with on.muted():
        saved(on.item, state="sold")


OPERATIONS = [
    Operation("`save()` that changes the field", "the transition", ["ItemSold"], lambda on: saved(on.item, state="sold")),
    Operation("`save()` with the same value", "nothing", [], lambda on: saved(on.item, state="new")),
    Operation("`save()` with a value that no trigger names", "nothing, and costs no query", [], lambda on: saved(on.item, state="lost")),
    Operation("`save(update_fields=[…])` with the field", "the transition", ["ItemSold"], lambda on: (setattr(on.item, "state", "sold"), on.item.save(update_fields=["state"]))),
    Operation("`save(update_fields=[…])` without the field", "nothing: it was not written", [], lambda on: (setattr(on.item, "state", "sold"), on.item.save(update_fields=["count"]))),
    Operation('`save()` of `F("count") + 1`', "the values as they are stored", ["ItemCounted"], lambda on: saved(on.item, count=on.F("count") + 1)),
    Operation("`save()` of an instance loaded with `only()` or `defer()`", "nothing for the fields that it leaves out", [], lambda on: on.Item.objects.only("code").get(pk=on.item.pk).save()),
    Operation("`save()` in a transaction that is rolled back", "nothing; the same save later is recorded", [], rolled_back),
    Operation("new → sold → new → sold, in one transaction or several", "each time that it becomes sold", ["ItemSold", "ItemSold"], back_and_forth),
    Operation("`save()` of a stale instance that puts an old value back", "a transition: the customer's data did change", ["ItemCounted", "ItemCounted"], stale),
    Operation("`asave()` and the other async twins", "as their twins", ["ItemSold"], lambda on: (setattr(on.item, "state", "sold"), async_to_sync(on.item.asave)())),
    Operation("`create()`, `get_or_create()`, `update_or_create()`", "the creation or the transition", ["ItemCreated", "ItemSold"], lambda on: (on.Item.objects.get_or_create(code="new"), on.Item.objects.update_or_create(code="i0", defaults={"state": "sold"}))),
    Operation("`delete()`, of an instance or a queryset, and by cascade", "`Deleted()` for each row, with its payload as it was", ["ItemGone", "ItemGone"], lambda on: (on.item.delete(), on.Item.objects.all().delete())),
    Operation("`EventManager`: `update()`", "the transition of each row", ["ItemSold", "ItemSold"], lambda on: on.Item.objects.update(state="sold")),
    Operation("`EventManager`: `bulk_update()`", "the transition of each row", ["ItemSold"], lambda on: (setattr(on.item, "state", "sold"), on.Item.objects.bulk_update([on.item], ["state"]))),
    Operation("`EventManager`: `bulk_create()`", "the creation of each row", ["ItemCreated"], lambda on: on.Item.objects.bulk_create([on.Item(code="x")])),
    Operation("`EventManager`: `bulk_create(ignore_conflicts=True)`", "where an event waits for a creation, refused with `NotCapturable`, before anything is written", [], refused),
    Operation("`update()` of a manager of your own", "nothing", [], lambda on: on.QuerySet(on.Item).update(state="sold")),
    Operation("raw SQL", "nothing", [], raw_sql),
    Operation("any of these inside `capture_changes(queryset)`", "the difference between before and after, once a row", ["ItemSold", "ItemSold"], lambda on: captured(on, lambda: raw_sql(on))),
    Operation("any of these inside `muted()`", "nothing", [], muted),
    Operation("`loaddata`", "nothing", [], lambda on: on.loaddata(on.item)),
]  # fmt: skip


def table() -> str:
    lines = ["| operation | what is recorded |", "| --- | --- |"]
    lines += [f"| {each.code} | {each.says} |" for each in OPERATIONS]
    return "\n".join(lines)


@pytest.fixture
def on(declare):
    """The names that an operation uses, and two stored items."""
    from django.core import serializers
    from django.db import connection, transaction
    from django.db.models import F, QuerySet

    import chatitive_django
    from chatitive_django import Deleted, Event
    from tests.desk.models import Item

    declare(
        Item,
        *Item.chatitive_events,
        Event("ItemGone", when=Deleted(), phone_number="code", payload={"code": "code"}),
    )
    with chatitive_django.muted():
        item, _ = Item.objects.bulk_create([Item(code="i0", count=1), Item(code="i1")])

    def loaddata(item):
        item.state = "sold"
        for loaded in serializers.deserialize("json", serializers.serialize("json", [item])):
            loaded.save()

    return SimpleNamespace(
        F=F,
        Item=Item,
        NotCapturable=chatitive_django.NotCapturable,
        QuerySet=QuerySet,
        capture_changes=chatitive_django.capture_changes,
        connection=connection,
        item=item,
        loaddata=loaddata,
        muted=chatitive_django.muted,
        transaction=transaction,
    )


@pytest.mark.django_db
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.code)
def test_each_operation_records_what_the_page_says(on, operation):
    from chatitive_django.models import Notification

    operation.run(on)
    names = Notification.objects.order_by("id").values_list("event_name", flat=True)
    assert list(names) == operation.events


def test_the_page_holds_this_table():
    assert table() in PAGE.read_text(), "run python -m tests.integration.test_operations"


if __name__ == "__main__":
    print(table())
