"""An event for every stored transition, recorded in its transaction, and none for any other."""

from __future__ import annotations

import copy
import pickle
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core import serializers
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F, Model
from django.db.models.signals import post_save, pre_save
from django.test.utils import CaptureQueriesContext

from chatitive_django import Changed, Deleted, Event, InvalidEvent, muted, register, registry
from chatitive_django.models import Notification
from chatitive_django.testing import deliver
from tests.desk.models import (
    Agent,
    Clerk,
    Customer,
    Order,
    Parcel,
    Person,
    Shape,
    Tag,
    Ticket,
    TicketProxy,
)

autocommit = pytest.mark.django_db(transaction=True)
pytestmark = pytest.mark.django_db


def recorded():
    return list(Notification.objects.order_by("id").values_list("event_name", flat=True))


@pytest.fixture
def ticket():
    customer = Customer.objects.create(name="Kim", phone="555-555-5555")
    return Ticket.objects.create(customer=customer, agent=Agent.objects.create(name="Pam"))


@pytest.fixture
def order():
    order = Order.objects.create(number=1)
    Notification.objects.all().delete()
    return order


def test_the_declared_transition_is_recorded_with_its_payload(ticket):
    ticket.status = Ticket.Status.SUCCESS
    ticket.save()
    row = Notification.objects.get()
    assert row.event_name == "RequestSupportFeedback"
    assert row.phone_number == "555-555-5555"
    assert row.payload == {
        "ticket_url": f"https://support.yourcompany.com/tickets/{ticket.pk}",
        "ticket_status": "Success",
        "cs_agent_name": "Pam",
    }
    assert row.why == {
        "transition": "changed",
        "field": "status",
        "old": "Open",
        "new": "Success",
        "conditions": [],
    }
    assert (row.source_model, row.source_id) == ("desk.ticket", str(ticket.pk))
    assert row.source_name == f"#{ticket.pk} Printer on fire"
    assert row.event_key == "desk.Ticket:RequestSupportFeedback"


@pytest.mark.parametrize("status", ["Open", "Failed"])
def test_another_value_records_nothing(ticket, status):
    ticket.status = status
    ticket.save()
    assert recorded() == []


def test_the_same_value_saved_three_times_is_one_transition(ticket):
    for _ in range(3):
        ticket.status = "Success"
        ticket.save()
    assert recorded() == ["RequestSupportFeedback"]


def test_there_and_back_again_in_one_transaction_is_two_transitions(order):
    with transaction.atomic():
        for number in (2, 1):
            order.number = number
            order.save()
    assert recorded() == ["OrderNumbered", "OrderNumbered"]


def test_a_row_created_with_the_value_is_no_change_of_it(ticket):
    Ticket.objects.create(customer=ticket.customer, status="Success")
    assert recorded() == []


def test_on_create_also_fires_for_a_row_created_with_the_value():
    Order.objects.create(state="urgent")
    assert recorded() == ["OrderCreated", "OrderUrgent"]
    Order.objects.create(state="new")
    assert recorded() == ["OrderCreated", "OrderUrgent", "OrderCreated"]


def test_creation_is_recorded_once_however_often_the_row_is_saved():
    order = Order.objects.create()
    order.save()
    order.save()
    assert recorded() == ["OrderCreated"]


def test_from_is_asked_for_as_well(order):
    Order.objects.filter(pk=order.pk).update(state="lost")
    order.refresh_from_db()
    order.state = "shipped"
    order.save()
    assert "OrderShipped" not in recorded()


def test_one_save_may_emit_several_events(order):
    order.state, order.number, order.gift = "shipped", 7, True
    order.save()
    assert recorded() == ["OrderShipped", "OrderNumbered", "GiftSent"]


def test_a_condition_that_does_not_hold_records_nothing(order):
    order.state = "shipped"
    order.save()
    assert recorded() == ["OrderShipped"]


def test_a_deletion_is_recorded_with_the_row_as_it_was(order):
    order.delete()
    row = Notification.objects.get()
    assert (row.event_name, row.payload) == ("OrderDeleted", {"state": "new"})
    assert row.why == {"transition": "deleted", "conditions": []}


def test_a_queryset_delete_is_recorded_for_each_row(order):
    Order.objects.create(number=2)
    Notification.objects.all().delete()
    Order.objects.all().delete()
    assert recorded() == ["OrderDeleted", "OrderDeleted"]


def test_a_cascade_deletes_with_its_events(declare):
    declare(Shape, Event("ShapeGone", when=Deleted(), phone_number="phone", payload={"id": "pk"}))
    parent = Shape.objects.create()
    children = [Shape.objects.create(parent=parent) for _ in range(2)]
    expected = {shape.pk for shape in (parent, *children)}
    parent.delete()
    assert {row.payload["id"] for row in Notification.objects.all()} == expected


@pytest.mark.parametrize(
    "delete", [lambda agent: agent.delete(), lambda agent: Agent.objects.all().delete()]
)
def test_a_foreign_key_that_a_delete_empties_has_changed(order, delete):
    agent = Agent.objects.create(name="Pam")
    other = Order.objects.create(agent=agent)
    order.agent = agent
    order.save()
    Notification.objects.all().delete()
    pk = agent.pk
    delete(agent)
    assert recorded() == ["OrderReassigned", "OrderReassigned"]
    rows = Notification.objects.all()
    assert {row.source_id for row in rows} == {str(order.pk), str(other.pk)}
    assert {(row.why["old"], row.why["new"]) for row in rows} == {(pk, None)}


def test_what_was_recorded_is_sent_though_its_source_is_deleted(order):
    order.number = 2
    order.save()
    with muted():
        order.delete()
    assert [row.status for row in deliver()] == ["accepted"]


def test_events_of_a_model_that_one_does_not_own_are_registered(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    register(Customer, events=[Event("Renamed", when=Changed("name"), phone_number="phone")])
    try:
        customer = Customer.objects.create(name="Kim", phone="206-555-0100")
        customer.name = "Kimberly"
        customer.save()
        row = Notification.objects.get()
        assert (row.event_name, row.event_key) == ("Renamed", "desk.Customer:Renamed")
        with pytest.raises(InvalidEvent, match="is no Event"):
            register(Customer, events=["Renamed"])
    finally:
        monkeypatch.undo()
        registry.forget_plans()


def test_deleting_an_instance_that_is_gone_already_records_nothing(order):
    stale = Order.objects.get(pk=order.pk)
    order.delete()
    stale.delete()
    assert recorded() == ["OrderDeleted"]


# What an instance remembers takes no part


def test_a_rolled_back_change_is_recorded_when_it_is_made_again(ticket):
    ticket.status = "Success"
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        ticket.save()
        assert recorded() == ["RequestSupportFeedback"]
        _ = 1 / 0
    assert recorded() == []
    ticket.save()
    assert recorded() == ["RequestSupportFeedback"]


def test_a_stale_instance_does_not_fire_for_a_change_already_made(ticket):
    stale = Ticket.objects.get(pk=ticket.pk)
    ticket.status = "Success"
    ticket.save()
    stale.status = "Success"
    stale.save()
    assert recorded() == ["RequestSupportFeedback"]


def test_a_stale_save_that_puts_the_old_value_back_is_a_transition(order):
    stale = Order.objects.get(pk=order.pk)
    order.number = 2
    order.save()
    stale.save()
    assert recorded() == ["OrderNumbered", "OrderNumbered"]
    assert Notification.objects.latest("id").why["new"] == 1


def test_an_instance_built_by_hand_with_a_known_key_is_compared_with_its_row(ticket):
    Ticket(pk=ticket.pk, customer=ticket.customer, status="Success").save()
    assert recorded() == ["RequestSupportFeedback"]


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_copies_are_compared_with_their_row(ticket, clone):
    copied = clone(ticket)
    copied.status = "Success"
    copied.save()
    assert recorded() == ["RequestSupportFeedback"]


def test_a_copy_saved_as_a_new_row_is_a_creation(order):
    order.pk = None
    order._state.adding = True
    order.state = "shipped"
    order.save()
    assert recorded() == ["OrderCreated"]


# How a value may be written


def test_a_field_that_the_save_leaves_out_has_not_changed(ticket):
    ticket.status = "Success"
    ticket.title = "Solved"
    ticket.save(update_fields=["title"])
    assert recorded() == []
    ticket.save()
    assert recorded() == ["RequestSupportFeedback"]


def test_update_fields_that_name_the_field_record_it(ticket):
    ticket.status = "Success"
    ticket.save(update_fields={"status"})
    assert recorded() == ["RequestSupportFeedback"]


def test_an_empty_list_of_update_fields_writes_nothing(ticket):
    ticket.status = "Success"
    ticket.save(update_fields=[])
    assert recorded() == []


def test_a_deferred_field_is_not_written(ticket):
    Ticket.objects.only("title").get(pk=ticket.pk).save()
    Ticket.objects.defer("status").get(pk=ticket.pk).save()
    assert recorded() == []


def test_a_deferred_field_that_was_assigned_is_written(ticket):
    loaded = Ticket.objects.only("title").get(pk=ticket.pk)
    loaded.status = "Success"
    loaded.save()
    assert recorded() == ["RequestSupportFeedback"]


def test_an_expression_is_read_as_it_was_stored(order):
    order.number = F("number") + 41
    order.save()
    assert Notification.objects.get().why["new"] == 42


def test_an_expression_that_changes_nothing_records_nothing(order):
    order.number = F("number") + 0
    order.save()
    assert recorded() == []


@pytest.mark.parametrize("same", ["1", 1.0, True])
def test_an_uncoerced_value_that_is_stored_as_the_same_is_no_change(order, same):
    order.number = same
    order.save()
    assert recorded() == []


def test_a_choices_member_is_its_value(ticket):
    ticket.status = Ticket.Status.SUCCESS
    ticket.save()
    ticket.status = "Success"
    ticket.save()
    assert recorded() == ["RequestSupportFeedback"]


def test_a_decimal_is_compared_as_the_column_holds_it(order):
    order.total = "0.001"
    order.save()
    order.total = 1
    order.save()
    order.total = "1.00"
    order.save()
    assert recorded() == ["TotalChanged"]


def test_json_changed_in_place_is_a_change(order):
    order.notes["seen"] = True
    order.save()
    order.save()
    assert recorded() == ["NotesChanged"]


def test_a_foreign_key_is_watched_by_its_column(order):
    agent = Agent.objects.create(name="Pam")
    order.agent = agent
    order.save()
    order.agent_id = agent.pk
    order.save()
    order.agent = None
    order.save()
    assert recorded() == ["OrderReassigned", "OrderReassigned"]
    assert Notification.objects.first().why["new"] == agent.pk


def test_get_or_create_and_update_or_create_are_writes_like_any_other(ticket):
    Ticket.objects.update_or_create(pk=ticket.pk, defaults={"status": "Success"})
    Ticket.objects.get_or_create(pk=ticket.pk, defaults={"status": "Open"})
    Order.objects.get_or_create(number=9)
    Order.objects.get_or_create(number=9)
    assert recorded() == ["RequestSupportFeedback", "OrderCreated"]


def test_fixtures_record_nothing(ticket, order):
    ticket.status = "Success"
    text = serializers.serialize("json", [ticket, order])
    for loaded in serializers.deserialize("json", text):
        loaded.save()
    assert Ticket.objects.get().status == "Success"
    assert recorded() == []


def test_muted_writes_record_nothing(ticket, order):
    with muted():
        ticket.status = "Success"
        ticket.save()
        order.delete()
    assert recorded() == []
    ticket.status = "Open"
    ticket.save()
    ticket.status = "Success"
    ticket.save()
    assert recorded() == ["RequestSupportFeedback"]


def test_async_saves_are_captured(ticket):
    async def succeed():
        ticket.status = "Success"
        await ticket.asave()

    async_to_sync(succeed)()
    assert recorded() == ["RequestSupportFeedback"]


# Families of models


def test_a_write_through_a_proxy_counts_as_the_concrete_model(ticket):
    proxy = TicketProxy.objects.get(pk=ticket.pk)
    proxy.status = "Success"
    proxy.save()
    row = Notification.objects.get()
    assert (row.source_model, row.event_key) == (
        "desk.ticket",
        "desk.Ticket:RequestSupportFeedback",
    )


def test_a_child_of_two_parents_is_one_transition_whichever_tables_it_went_through():
    clerk = Clerk.objects.create(nickname="Pam", salary=1)
    assert sorted(recorded()) == ["ClerkCreated", "PersonCreated"]
    Notification.objects.all().delete()
    clerk.desk, clerk.salary, clerk.nickname = "B2", 2, "Pamela"
    clerk.save()
    assert sorted(recorded()) == ["ClerkMoved", "NicknameChanged"]
    moved = Notification.objects.get(event_name="ClerkMoved")
    assert moved.payload == {"desk": "B2", "salary": 2, "nick": "Pamela"}
    assert moved.source_model == "desk.clerk"
    assert Notification.objects.get(event_name="NicknameChanged").source_model == "desk.person"


def test_a_childs_write_of_a_parents_column_fires_both_events():
    clerk = Clerk.objects.create(nickname="Pam")
    Notification.objects.all().delete()
    clerk.nickname = "Pamela"
    clerk.save(update_fields=["nickname"])
    assert sorted(recorded()) == ["ClerkMoved", "NicknameChanged"]


def test_a_failed_save_of_a_child_leaves_nothing_for_the_next(monkeypatch):
    clerk = Clerk.objects.create(nickname="Pam")
    Notification.objects.all().delete()
    clerk.nickname, clerk.desk = "Pamela", "x" * 10_000
    if connection.vendor != "sqlite":
        with pytest.raises(DatabaseError), transaction.atomic():
            clerk.save()
    clerk.refresh_from_db()
    clerk.save()
    assert recorded() == []


def test_a_parents_event_fires_for_a_write_through_the_parent():
    clerk = Clerk.objects.create(nickname="Pam")
    Notification.objects.all().delete()
    person = Person.objects.get(pk=clerk.pk)
    person.nickname = "Pamela"
    person.save()
    assert recorded() == ["NicknameChanged"]


def test_declarations_add_up_and_the_same_name_in_a_subclass_replaces():
    parcel = Parcel.objects.create()
    for step in (5, 9):
        parcel.step = step
        parcel.save()
    assert recorded() == ["Stepped", "Arrived", "Stepped"]
    assert Notification.objects.filter(event_key="desk.Parcel:Arrived").count() == 1


def test_two_events_of_one_name_in_one_place_are_both_in_force(declare, ticket):
    declare(
        Ticket,
        Event("Moved", when=Changed("status"), phone_number="customer.phone"),
        Event("Moved", when=Changed("title"), phone_number="customer.phone", key="renamed"),
    )
    ticket.status, ticket.title = "Success", "Other"
    ticket.save()
    keys = Notification.objects.values_list("event_key", flat=True)
    assert sorted(keys) == ["desk.Ticket:Moved", "renamed"]


@pytest.mark.parametrize("option", ["expires_after", "cooldown"])
def test_a_span_that_no_database_can_add_to_a_date_breaks_no_save(declare, ticket, capsys, option):
    done = Event(
        "Done",
        when=Changed("status"),
        phone_number="customer.phone",
        **{option: timedelta(days=3_000_000)},
    )
    declare(Ticket, done)
    ticket.status = "Success"
    ticket.save()
    row = Notification.objects.get()
    assert (row.status, row.reason) == ("invalid", "bad_declaration")
    assert f"{option} must be" in row.explanation
    call_command("chatitive", "explain", "desk.Ticket", ticket.pk)
    assert f"{option} must be" in capsys.readouterr().out


# In autocommit, and around it


@autocommit
def test_in_autocommit_a_failing_log_row_takes_the_change_back(ticket, monkeypatch):
    def fail(*args, **kwargs):
        raise DatabaseError("disk full")

    monkeypatch.setattr("chatitive_django.capture.record.write", fail)
    ticket.status = "Success"
    with pytest.raises(DatabaseError, match="disk full"):
        ticket.save()
    assert Ticket.objects.get().status == "Open"


@autocommit
def test_receivers_and_on_commit_run_when_they_ran_before(ticket):
    seen = []

    def before(sender, **kwargs):
        seen.append(("pre_save", connection.in_atomic_block, Notification.objects.count()))

    def after(sender, **kwargs):
        seen.append(("post_save", connection.in_atomic_block, Notification.objects.count()))
        transaction.on_commit(lambda: seen.append("on_commit"))
        seen.append("after on_commit")

    pre_save.connect(before, sender=Ticket)
    post_save.connect(after, sender=Ticket)
    try:
        ticket.status = "Success"
        ticket.save()
    finally:
        pre_save.disconnect(before, sender=Ticket)
        post_save.disconnect(after, sender=Ticket)
    assert seen == [
        ("pre_save", False, 0),
        ("post_save", False, 1),
        "on_commit",
        "after on_commit",
    ]


@autocommit
def test_a_receiver_that_raises_after_the_save_loses_nothing(ticket):
    def fail(sender, **kwargs):
        raise ZeroDivisionError

    post_save.connect(fail, sender=Ticket)
    try:
        ticket.status = "Success"
        with pytest.raises(ZeroDivisionError):
            ticket.save()
    finally:
        post_save.disconnect(fail, sender=Ticket)
    assert Ticket.objects.get().status == "Success"
    assert recorded() == ["RequestSupportFeedback"]


@autocommit
def test_a_durable_block_may_hold_a_save_that_fires(ticket):
    ticket.status = "Success"
    with transaction.atomic(durable=True):
        ticket.save()
    assert recorded() == ["RequestSupportFeedback"]


@autocommit
def test_a_vanished_row_that_is_saved_again_is_a_creation(order):
    Order.objects.filter(pk=order.pk)._raw_delete("default")
    order.save()
    assert recorded() == ["OrderCreated"]


@autocommit
def test_a_unique_conflict_is_raised_as_ever_and_records_nothing(order):
    with pytest.raises(IntegrityError):
        Order(pk=order.pk).save(force_insert=True)
    assert recorded() == []


def test_a_unique_conflict_that_the_caller_catches_leaves_the_transaction_usable(order):
    with pytest.raises(IntegrityError), transaction.atomic():
        Order(pk=order.pk).save(force_insert=True)
    order.number = 5
    order.save()
    assert recorded() == ["OrderNumbered"]


def test_a_savepoint_rollback_takes_the_event_back_and_no_other(ticket, order):
    ticket.status = "Success"
    ticket.save()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        order.number = 5
        order.save()
        _ = 1 / 0
    assert recorded() == ["RequestSupportFeedback"]


# What it costs


@autocommit
@pytest.mark.parametrize(
    "write",
    [
        lambda ticket: ticket.save(),
        lambda ticket: ticket.save(update_fields=["title"]),
        lambda ticket: Ticket(customer=ticket.customer).save(),
    ],
    ids=["a value that no trigger asks for", "watched fields left out", "a creation"],
)
def test_a_write_that_no_trigger_asks_for_costs_no_query(ticket, write, django_assert_num_queries):
    with django_assert_num_queries(1):
        write(ticket)


@autocommit
def test_a_write_that_a_trigger_asks_for_and_that_changes_nothing_costs_one_read(ticket):
    ticket.status = "Success"
    ticket.save()
    with CaptureQueriesContext(connection) as queries:
        ticket.save()
    assert [query["sql"].split()[0] for query in queries] == ["BEGIN", "SELECT", "UPDATE", "COMMIT"]


@autocommit
def test_a_model_that_watches_creation_saves_existing_rows_without_a_transaction(
    declare, django_assert_num_queries
):
    from chatitive_django import Created, Event

    declare(Agent, Event("AgentCreated", when=Created(), phone_number="name"))
    agent = Agent.objects.create(name="Pam")
    assert recorded() == ["AgentCreated"]
    with django_assert_num_queries(1):
        agent.save()


def test_a_recorded_event_costs_one_locked_and_one_joined_read(ticket):
    ticket.status = "Success"
    with CaptureQueriesContext(connection) as queries:
        ticket.save()
    assert [query["sql"].split()[0] for query in queries] == [
        "SELECT",
        "UPDATE",
        "SAVEPOINT",
        "SELECT",
        "RELEASE",
        "INSERT",
    ]
    if connection.vendor == "postgresql":
        assert queries[0]["sql"].endswith("FOR NO KEY UPDATE")


def test_unwatched_models_are_left_alone():
    assert Tag._save_table is Model._save_table
    assert not pre_save.has_listeners(Ticket)
    assert not post_save.has_listeners(Ticket)
