"""Bulk writes: compared before and after, by the portion, in one transaction."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.test.utils import CaptureQueriesContext

from chatitive_django import NotCapturable, capture_changes, muted
from chatitive_django.models import Notification
from tests.desk.models import Agent, Clerk, Customer, Item, Order, Person, Ticket

pytestmark = pytest.mark.django_db


def recorded():
    return list(Notification.objects.order_by("id").values_list("event_name", flat=True))


@pytest.fixture
def items():
    with muted():
        return Item.objects.bulk_create([Item(code=f"i{n}", count=n) for n in range(5)])


def test_update_emits_for_each_row_that_it_changes(items):
    Item.objects.filter(code="i0").update(state="sold")
    assert recorded() == ["ItemSold"]
    assert Item.objects.update(state="sold") == 5
    assert recorded() == ["ItemSold"] * 5
    assert {row.payload["code"] for row in Notification.objects.all()} == {i.code for i in items}
    assert Notification.objects.first().why["old"] == "new"


def test_update_by_an_expression_is_compared_as_stored(items):
    Item.objects.update(count=F("count") * 2)
    assert recorded() == ["ItemCounted"] * 4  # 0 stays 0


def test_update_that_no_trigger_asks_for_is_djangos_own(items, django_assert_num_queries):
    with django_assert_num_queries(1):
        Item.objects.update(state="lost", note=Concat("note", Value("!")))
    assert recorded() == []


def test_update_over_a_relation_or_an_annotation_or_an_order(items):
    kim = Customer.objects.create(name="Kim")
    Item.objects.filter(code__in=["i1", "i2"]).update(owner=kim)
    assert Item.objects.filter(owner__name="Kim").update(state="sold") == 2
    assert {row.payload["owner"] for row in Notification.objects.all()} == {"Kim"}
    annotated = Item.objects.annotate(more=F("count") + 1).filter(more__gt=3)
    assert annotated.order_by("-count").update(count=F("more")) == 2
    assert recorded() == ["ItemSold"] * 2 + ["ItemCounted"] * 2


def test_update_of_rows_that_stop_to_match_changes_them_all(items):
    assert Item.objects.filter(state="new").update(state="sold") == 5
    assert len(recorded()) == 5


def test_update_is_rolled_back_with_its_events(items):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Item.objects.update(state="sold")
        _ = 1 / 0
    assert recorded() == []


def test_update_of_a_slice_is_refused_as_ever(items):
    with pytest.raises(TypeError, match="slice"):
        Item.objects.all()[:2].update(state="sold")


def test_muted_bulk_writes_emit_nothing(items):
    with muted():
        Item.objects.update(state="sold")
    assert recorded() == []


def test_bulk_update_emits_for_each_row_that_it_changes(items):
    for item in items[:3]:
        item.state = "sold"
    items[4].state = "lost"
    Item.objects.bulk_update(items, ["state"], batch_size=2)
    assert recorded() == ["ItemSold"] * 3


def test_bulk_create_emits_for_each_row():
    Item.objects.bulk_create([Item(code="a"), Item(code="b", state="sold")])
    assert recorded() == ["ItemCreated", "ItemCreated"]
    assert {row.source_id for row in Notification.objects.all()} == {
        str(pk) for pk in Item.objects.values_list("pk", flat=True)
    }


def test_bulk_create_with_ignore_conflicts_is_refused_and_names_the_way(items):
    with pytest.raises(NotCapturable, match=r"capture_changes\(Item\.objects\.filter"):
        Item.objects.bulk_create([Item(code="i0"), Item(code="new")], ignore_conflicts=True)
    assert not Item.objects.filter(code="new").exists()
    with capture_changes(Item.objects.all()), muted():
        Item.objects.bulk_create([Item(code="i0"), Item(code="new")], ignore_conflicts=True)
    assert recorded() == ["ItemCreated"]


def test_bulk_create_with_update_conflicts_emits_what_became_of_each_row(items):
    def upsert(**options):
        return Item.objects.bulk_create(
            [Item(code="i0", state="sold"), Item(code="new", state="sold")],
            update_conflicts=True,
            update_fields=["state"],
            **options,
        )

    if connection.features.supports_update_conflicts_with_target:
        upsert(unique_fields=["code"])
        assert sorted(recorded()) == ["ItemCreated", "ItemSold"]
        upsert(unique_fields=["code"])
    else:
        with pytest.raises(NotCapturable, match="no unique_fields"):
            upsert()
        with capture_changes(Item.objects.all()), muted():
            upsert()
    assert sorted(recorded()) == ["ItemCreated", "ItemSold"]


def test_update_or_create_and_get_or_create_on_the_manager_are_captured(items):
    Item.objects.update_or_create(code="i0", defaults={"state": "sold"})
    Item.objects.update_or_create(code="i9", defaults={"state": "sold"})
    Item.objects.get_or_create(code="i9")
    assert recorded() == ["ItemSold", "ItemCreated"]


def test_a_related_managers_update_is_captured(items):
    kim = Customer.objects.create(name="Kim")
    kim.item_set.add(*items)
    kim.item_set.update(state="sold")
    assert recorded() == ["ItemSold"] * 5


# capture_changes


def test_raw_sql_inside_the_block_is_seen(items):
    with capture_changes(Item.objects.filter(code__in=["i0", "i1"])):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE desk_item SET state = 'sold'")
    assert recorded() == ["ItemSold", "ItemSold"]


def test_any_models_rows_can_be_captured():
    customer = Customer.objects.create(name="Kim", phone="206-555-0100")
    Ticket.objects.create(customer=customer)
    with capture_changes(Ticket.objects.all()):
        Ticket.objects.update(status="Success")
    assert recorded() == ["RequestSupportFeedback"]


def test_no_row_emits_twice_whatever_way_the_block_writes_it(items):
    with capture_changes(Item.objects.all()):
        item = Item.objects.get(code="i0")
        item.state = "sold"
        item.save()
        Item.objects.update(state="sold")
        Item.objects.create(code="new")
    assert sorted(recorded()) == ["ItemCreated"] + ["ItemSold"] * 5


def test_a_row_outside_the_queryset_is_captured_by_itself(items):
    with capture_changes(Item.objects.filter(code="i0")):
        Item.objects.filter(code="i1").update(state="sold")
        other = Item.objects.get(code="i2")
        other.state = "sold"
        other.save()
    assert recorded() == ["ItemSold", "ItemSold"]


def test_what_the_block_does_to_a_row_is_one_transition(items):
    with capture_changes(Item.objects.all()):
        Item.objects.update(state="sold")
        Item.objects.update(state="new")
    assert recorded() == []


def test_a_block_that_raises_records_nothing(items):
    with pytest.raises(ZeroDivisionError), capture_changes(Item.objects.all()):
        Item.objects.update(state="sold")
        _ = 1 / 0
    assert recorded() == []
    assert not Item.objects.filter(state="sold").exists()


def test_existing_rows_that_come_to_match_are_not_created(items):
    with capture_changes(Item.objects.filter(state="sold")), muted():
        Item.objects.filter(code="i0").update(state="sold")
    assert recorded() == []


def test_a_slice_can_be_captured(items):
    with capture_changes(Item.objects.order_by("code")[:2]), muted():
        Item.objects.update(state="sold")
    assert {row.payload["code"] for row in Notification.objects.all()} == {"i0", "i1"}


def test_the_parents_of_a_multi_table_model_are_compared_too():
    clerk = Clerk.objects.create(nickname="Pam")
    Notification.objects.all().delete()
    with capture_changes(Clerk.objects.all()):
        Clerk.objects.update(nickname="Pamela", salary=3)
    assert sorted(recorded()) == ["ClerkMoved", "NicknameChanged"]
    assert Notification.objects.get(event_name="NicknameChanged").source_id == str(clerk.pk)
    with capture_changes(Person.objects.all()):
        Person.objects.update(nickname="Pam")
    assert recorded()[2:] == ["NicknameChanged"]


def test_an_unwatched_model_is_left_alone(django_assert_num_queries):
    Agent.objects.create(name="Pam")
    with django_assert_num_queries(1), capture_changes(Customer.objects.all()):
        Agent.objects.update(name="Kim")


@pytest.mark.parametrize("rows", [600, 1200])
def test_queries_grow_with_the_portions_and_not_with_the_rows(rows):
    with muted():
        Item.objects.bulk_create([Item(code=f"c{n}") for n in range(rows)])
    with CaptureQueriesContext(connection) as queries:
        Item.objects.update(state="sold")
    assert len(recorded()) == rows
    inserts = [q for q in queries if q["sql"].startswith("INSERT")]
    portions = -(-rows // 500)
    assert len(queries) - len(inserts) <= 2 + 8 * portions
    assert len(inserts) <= rows / 25 + portions


# Limits


def test_once_a_record(declare):
    from chatitive_django import Changed, Event

    declare(Order, Event("Once", when=Changed("number"), phone_number="phone", once="record"))
    first, second = Order.objects.create(), Order.objects.create()
    for number in (1, 2):
        for order in (first, second):
            order.number = number
            order.save()
    rows = list(Notification.objects.order_by("id").values_list("status", "reason"))
    assert rows == [("pending", "")] * 2 + [("skipped", "once_per_record")] * 2


def test_once_a_transition(declare):
    from chatitive_django import Changed, Event

    declare(Order, Event("Once", when=Changed("number"), phone_number="phone", once="transition"))
    order = Order.objects.create(number=1)
    for number in (2, 1, 2, 3):
        order.number = number
        order.save()
    statuses = list(Notification.objects.order_by("id").values_list("status", flat=True))
    assert statuses == ["pending", "pending", "skipped", "pending"]


def test_cooldown_is_for_one_subscriber_and_one_event(declare):
    from datetime import timedelta

    from django.utils import timezone

    from chatitive_django import Changed, Event

    declare(
        Order,
        Event("Slow", when=Changed("number"), phone_number="phone", cooldown=3600),
        Event("Quick", when=Changed("number"), phone_number="phone"),
    )
    first = Order.objects.create(phone="206-555-0100")
    same = Order.objects.create(phone="(206) 555-0100")
    other = Order.objects.create(phone="206-555-0101")
    for order in (first, same, other):
        order.number = 7
        order.save()
    slow = Notification.objects.filter(event_name="Slow").order_by("id")
    assert list(slow.values_list("status", "reason")) == [
        ("pending", ""),
        ("skipped", "cooldown"),
        ("pending", ""),
    ]
    assert set(Notification.objects.filter(event_name="Quick").values_list("status")) == {
        ("pending",)
    }
    Notification.objects.update(created_at=timezone.now() - timedelta(hours=2))
    first.number = 8
    first.save()
    assert slow.last().status == "pending"


def test_limits_hold_within_one_bulk_write(declare):
    from chatitive_django import Changed, Constant, Event

    declare(
        Item,
        Event("Slow", when=Changed("state"), phone_number=Constant("206-555-0100"), cooldown=60),
    )
    with muted():
        Item.objects.bulk_create([Item(code=f"i{n}") for n in range(3)])
    Item.objects.update(state="sold")
    assert sorted(Notification.objects.values_list("status", flat=True)) == [
        "pending",
        "skipped",
        "skipped",
    ]
