"""Why didn't it fire? The same facts by `manage.py chatitive explain` and in the admin."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chatitive_django import Changed, Created, Event, If, capture_changes, muted
from chatitive_django.explain import LOOKED_AT, Reader, explain, model_named
from chatitive_django.models import EventRule, Notification
from chatitive_django.resend import resend, version
from chatitive_django.retention import scrub
from tests.desk.models import (
    Board,
    Clerk,
    Customer,
    Job,
    Lead,
    Order,
    Shape,
    Tag,
    Ticket,
    TicketProxy,
)
from tests.factories import NotificationFactory, StaffFactory, TicketFactory
from tests.integration.test_fields import KINDS, PHONE, created, save
from tests.integration.test_rules import make

pytestmark = pytest.mark.django_db
Status = Notification.Status

PAGE = "/admin/chatitive_django/notification/explain/"
BULK = "A bulk update, raw SQL, loaddata or a write inside muted() made it so: none is seen."
PRUNED = "Its notification was deleted: settled ones are kept for 30 days."
CREATED_SO = "It was created so, and this event asks for a change."
NOT_YET_DECLARED = "It was so before the code declared the event, or while the code had it off."
UNDECLARED = "The code had the event off then, or declared it otherwise."
CONDITION = "A condition didn't hold at that moment."


def run(*arguments):
    out = io.StringIO()
    call_command("chatitive", "explain", *map(str, arguments), stdout=out)
    return out.getvalue()


def told(record, event=None, **reader):
    """What is told of one event of a record: the first, unless its name is given."""
    found = explain(type(record), str(record.pk), Reader(**reader))
    return next(each for each in found.events if event in (None, each.event_name))


def gap(record, event=None):
    [found] = told(record, event).gaps
    return found


def checks(each):
    return [(check.text, check.actual, check.holds) for check in each.checks]


def moved(record, **values):
    for name, value in values.items():
        setattr(record, name, value)
    record.save()
    return record


def bulk(record, **values):
    type(record).objects.filter(pk=record.pk).update(**values)
    record.refresh_from_db()
    return record


def order(**values):
    return Order.objects.create(**values)


# What holds now


def test_an_event_that_waits_says_what_the_record_holds_instead():
    each = told(TicketFactory(customer__phone="206-555-0100"))
    assert each.sentence.startswith("When a Ticket's status changes to Success, send")
    assert (each.where, each.mode) == ("Ticket.chatitive_events[0]", "live")
    assert each.answer == "It hasn't fired: the record isn't yet what it waits for."
    assert checks(each) == [
        ("The status is Success.", "Open", False),
        ("There is a recipient.", "…0100", True),
        ("The message can be built.", "", True),
    ]
    assert not each.gaps


def test_an_event_that_fired_says_when_and_what_came_of_it():
    ticket = moved(TicketFactory(customer__phone=""), status="Success")
    each = told(ticket)
    assert each.answer.startswith("It fired on ")
    assert each.answer.endswith(
        ": invalid. The record gave neither a phone number nor a subscriber SID."
    )
    assert checks(each)[1] == ("There is a recipient.", "", False)
    assert each.message[1].problem.startswith("The record gave neither")


def test_each_condition_has_its_actual_value(declare):
    ticket = TicketFactory(status="Success", title="Fire")
    rows = [If("title", "equals", "Flood"), If("agent.name", "is_set")]
    when = Changed("status", to="Success")
    declare(Ticket, Event("E", when=when, phone_number="customer.phone", only_if=rows))
    assert checks(told(ticket))[1:3] == [
        ("title equals Flood", "Fire", False),
        ("agent.name has a value", ticket.agent.name, True),
    ]


def test_a_condition_that_fails_is_the_answer_where_any_change_fires(declare):
    rows = [If("title", "equals", "Flood")]
    declare(Ticket, Event("E", when=Changed("status"), phone_number="customer.phone", only_if=rows))
    assert told(TicketFactory()).answer == (
        "It hasn't fired, and wouldn't now: a condition doesn't hold."
    )


def test_limits_tell_what_they_hold_back(declare):
    declare(
        Ticket,
        Event(
            "E",
            when=Changed("status", to="Success"),
            phone_number="customer.phone",
            once="record",
            cooldown=3600,
        ),
    )
    ticket = TicketFactory()
    assert [check[::2] for check in checks(told(ticket))[3:]] == [
        ("It is sent once a record.", True),
        ("At least 1:00:00 between two for a person.", True),
    ]
    moved(ticket, status="Success")
    once, cooldown = told(ticket).limits
    assert once.holds is False
    assert once.actual.startswith("It was on ")
    assert cooldown.holds is None
    other = TicketFactory(customer=ticket.customer)
    assert [check.holds for check in told(other).limits] == [None, False]


def test_changes_that_were_told_already_are_listed_for_once_a_transition(declare):
    when = Changed("status", to="Success")
    declare(Ticket, Event("E", when=when, phone_number="customer.phone", once="transition"))
    ticket = moved(TicketFactory(), status="Success")
    [limit] = told(ticket).limits
    assert (limit.actual, limit.holds) == ("status: Open → Success", None)


def test_an_event_that_is_off_and_one_that_only_watches_say_so(declare):
    when = Changed("status", to="Success")
    declare(
        Ticket,
        Event("Off", when=when, phone_number="customer.phone", mode="off"),
        Event("Watch", when=when, phone_number="customer.phone", mode="watch"),
    )
    ticket = moved(TicketFactory(), status="Success")
    off = told(ticket, "Off")
    assert (off.answer, off.gaps) == ("It is off, so nothing is recorded.", ())
    assert told(ticket, "Watch").answer.endswith(
        "skipped. The event is in watch mode: it is recorded and not sent."
    )


def test_a_rule_that_can_t_fire_is_told_with_what_is_wrong():
    make("Won", field="stagee")
    lead = Lead.objects.create(customer=Customer.objects.create(name="Kim"))
    each = told(lead)
    assert (each.answer, each.checks, each.where) == ("It can't fire.", (), "Won")
    assert "Did you mean “stage”?" in each.problems[0]


def test_rules_stand_beside_code_whatever_their_mode():
    rule = make("Off", model="desk.ticket", field="status", to_values=["Success"], mode="off")
    found = explain(Ticket, str(TicketFactory().pk), Reader())
    assert [(each.event_name, each.rule_id, each.mode) for each in found.events] == [
        ("RequestSupportFeedback", None, "live"),
        ("Off", rule.pk, "off"),
    ]


def test_it_writes_nothing(declare):
    def writes(ticket):
        return order(number=7)

    declare(
        Ticket,
        Event("E", when=Created(), phone_number="customer.phone", condition=writes),
    )
    ticket = TicketFactory()
    before = Notification.objects.count(), Order.objects.count()
    told(ticket)
    assert (Notification.objects.count(), Order.objects.count()) == before


# Writes that left no trace


def test_a_bulk_update_after_a_recorded_change_is_found_out():
    record = moved(order(number=1), number=2)
    assert not told(record, "OrderNumbered").gaps
    found = gap(bulk(record, number=3), "OrderNumbered")
    assert found.bypassed
    assert found.text.startswith(
        "The number is 3, but no save made it so: the last change that was recorded, on "
    )
    assert found.text.endswith(
        "made it 2. So it was changed since by a bulk update, by raw SQL, by loaddata or inside "
        "muted()."
    )
    assert found.reasons == ("Unless OrderNumbered was off or declared otherwise at that time.",)


@pytest.mark.parametrize("write", ["raw", "muted", "update"])
def test_every_way_around_capture_is_found_out(write):
    record = moved(order(number=1), number=2)
    if write == "raw":
        with connection.cursor() as cursor:
            cursor.execute("UPDATE desk_order SET number = 3 WHERE id = %s", [record.pk])
    elif write == "muted":
        with muted():
            moved(record, number=3)
    else:
        bulk(record, number=3)
    assert gap(record, "OrderNumbered").bypassed


def test_what_one_event_saw_proves_it_for_another():
    """GiftSent looks at a condition too, and could not tell by itself."""
    make("Any", model="desk.order", field="state")
    record = bulk(moved(order(), state="packed"), state="shipped")
    found = gap(record, "GiftSent")
    assert found.bypassed
    assert found.reasons == ("Unless Any was off or declared otherwise at that time.",)


def test_a_write_that_is_captured_leaves_no_gap():
    record = moved(order(number=1), number=2)
    with capture_changes(Order.objects.all()):
        Order.objects.update(number=3)
    assert not told(record, "OrderNumbered").gaps
    assert not told(moved(record, number=4), "OrderNumbered").gaps


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS if kind.field != "blob"],  # of which the log doesn't keep the bytes
    ids=str,
)
def test_a_captured_change_of_any_column_is_told_from_one_that_was_not(declare, kind):
    def stored():
        return kind.model.objects.get(pk=made.pk)

    made = created(kind, kind.old)
    declare(kind.model, Event("It", when=Changed(kind.field), phone_number=PHONE))
    save(stored(), kind.attribute, kind.new)
    assert not told(stored()).gaps
    with muted():
        save(stored(), kind.attribute, kind.old)
    assert gap(stored()).bypassed


def test_a_field_that_never_changed_is_no_gap_where_any_change_would_do():
    assert not told(order(number=5), "OrderNumbered").gaps


def test_where_nothing_was_recorded_every_way_that_is_left_is_told():
    found = gap(bulk(TicketFactory(), status="Success"))
    assert not found.bypassed
    assert found.text == "The status is Success, and nothing was recorded for that change."
    assert found.reasons == (CREATED_SO, NOT_YET_DECLARED, BULK, PRUNED)


def test_ways_that_the_log_excludes_are_not_told():
    """The log has the record's creation, too young to be deleted; an event fires when created."""
    found = gap(bulk(order(), state="urgent"), "OrderUrgent")
    assert found.reasons == (NOT_YET_DECLARED, BULK)
    old = timezone.now() - timedelta(days=31)
    Notification.objects.update(created_at=old, finished_at=old)
    assert gap(Order.objects.get(), "OrderUrgent").reasons == (NOT_YET_DECLARED, BULK, PRUNED)


def test_a_condition_and_another_value_before_are_ways_too():
    record = bulk(order(), state="shipped")
    assert CONDITION in gap(record, "GiftSent").reasons
    assert "It came from another value than packed or new." in gap(record, "OrderShipped").reasons


def test_a_rule_tells_when_it_was_made_and_edited():
    rule = make()
    lead = bulk(Lead.objects.create(customer=Customer.objects.create(name="Kim")), stage="won")
    made, *others = [reason for reason in gap(lead).reasons if "rule" in reason]
    assert made.startswith("It was so before the rule was made (")
    assert not others
    assert PRUNED not in gap(lead).reasons  # nothing of a rule of today is that old
    EventRule.objects.update(created_at=rule.created_at - timedelta(days=40))
    assert "The rule was off or another one then: it was edited last on" in gap(lead).reasons[2]
    assert PRUNED in gap(lead).reasons


def test_a_change_that_another_event_saw_was_no_bypass():
    record = moved(order(state="lost"), state="shipped")
    make("Any", model="desk.order", field="state", event_name="Any")
    moved(record, state="lost")
    moved(record, state="shipped")
    found = gap(record, "OrderShipped")
    assert not found.bypassed
    assert found.text.startswith("Any recorded on ")
    assert found.text.endswith(" that the state became shipped; this did not.")
    assert found.reasons == ("It came from lost, and this event asks for packed or new.",)
    assert gap(record, "GiftSent").reasons == (CONDITION, NOT_YET_DECLARED)


def test_a_rule_that_was_made_afterwards_says_so():
    ticket = moved(TicketFactory(), status="Success")
    make("Late", model="desk.ticket", field="status", to_values=["Success"])
    assert gap(ticket, "Late").reasons[0].startswith("The rule was made only afterwards (")
    assert len(gap(ticket, "Late").reasons) == 1


def test_what_a_record_was_created_with_is_no_change():
    make("Urgent", model="desk.order", field="state", to_values=["urgent"])
    EventRule.objects.update(created_at=timezone.now() - timedelta(days=1))
    assert gap(order(state="urgent"), "Urgent").reasons == (CREATED_SO,)


def test_an_event_with_conditions_is_no_proof_of_a_bypass(declare):
    rows = [If("title", "not_equals", "Flood")]
    declare(Ticket, Event("E", when=Changed("status"), phone_number="customer.phone", only_if=rows))
    ticket = moved(TicketFactory(), status="Failed")
    moved(ticket, status="Success", title="Flood")
    found = gap(moved(ticket, title="Fire"))
    assert not found.bypassed
    assert found.text.endswith("made it Failed.")
    assert found.reasons == (CONDITION, UNDECLARED, BULK)


@pytest.mark.parametrize("change", [Changed("state", from_="new"), Changed("state", to="packed")])
def test_an_event_that_would_not_have_recorded_the_change_is_no_proof_of_a_bypass(declare, change):
    seen = Event("Seen", when=change, phone_number="phone")
    declare(Order, seen)
    record = moved(moved(order(), state="packed"), state="shipped")
    asked = Event("Asked", when=Changed("state", to="shipped"), phone_number="phone")
    declare(Order, seen, asked)
    found = gap(record, "Asked")
    assert found.text.endswith("made it packed.")
    assert not found.bypassed


def test_that_an_event_fired_before_accounts_for_no_later_change(declare):
    asked = Event(
        "Asked",
        when=Changed("state", to="shipped"),
        phone_number="phone",
        only_if=If("gift", "equals", False),
    )
    declare(Order, asked, Event("Seen", when=Changed("state"), phone_number="phone"))
    record = moved(order(), state="shipped")
    assert not told(record, "Asked").gaps
    moved(record, state="lost", gift=True)
    moved(record, state="shipped")
    found = gap(record, "Asked")
    assert found.text.startswith("Seen recorded on ")
    assert found.reasons == (CONDITION, UNDECLARED)


def test_a_save_that_changes_two_watched_fields_is_told_by_one_and_proves_nothing_of_the_other():
    clerk = Clerk.objects.create(nickname="Jo", number=7)
    moved(clerk, salary=5)
    moved(clerk, desk="B2", salary=9)
    found = gap(clerk, "ClerkMoved")
    assert not found.bypassed
    assert found.text.startswith("The salary is 9, and nothing was recorded for that change")
    assert found.reasons[0] == (
        "The same save made another of the changes that it waits for, and is told by that."
    )


def test_a_rule_that_was_edited_since_is_no_proof_of_a_bypass():
    make("Any", model="desk.lead", field="stage", to_values=[])
    lead = Lead.objects.create(customer=Customer.objects.create(name="Kim", phone="206-555-0100"))
    bulk(moved(lead, stage="won"), stage="lost")
    assert gap(lead).bypassed
    EventRule.objects.get().save()
    assert not gap(lead).bypassed


def test_a_row_in_doubt_outlives_those_that_came_after_it_and_is_no_proof():
    record = moved(order(number=1), number=2)
    bulk(record, number=3)
    old = timezone.now() - timedelta(days=31)
    rows = Notification.objects.filter(event_name="OrderNumbered")
    rows.update(created_at=old, finished_at=old, status="unknown")
    assert not gap(record, "OrderNumbered").bypassed
    rows.update(status="accepted")
    assert gap(record, "OrderNumbered").bypassed


def test_a_resend_tells_of_no_change_of_its_own():
    record = moved(order(number=1), number=2)
    Notification.objects.update(status="accepted", finished_at=timezone.now())
    row = Notification.objects.get(event_name="OrderNumbered")
    moved(record, number=3)
    resend(row, seen=version(row), user_id=None)
    assert not told(record, "OrderNumbered").gaps


def test_what_was_scrubbed_accuses_nobody():
    ticket = moved(TicketFactory(customer__phone="206-555-0100"), status="Success")
    scrub(phone_number="206-555-0100")
    assert not told(ticket).gaps
    assert "cancelled. Its subscriber was taken out of the log" in told(ticket).answer


def test_a_record_with_more_rows_than_are_looked_at_accuses_nobody_of_what_is_older():
    record = bulk(order(), state="urgent")
    assert told(record, "OrderUrgent").gaps
    NotificationFactory(source_model="desk.order", source_id=str(record.pk))
    row = Notification.objects.latest("id")
    values = {
        field.attname: getattr(row, field.attname)
        for field in Notification._meta.concrete_fields
        if field.name not in {"id", "public_id"}
    }
    Notification.objects.bulk_create(Notification(**values) for _ in range(LOOKED_AT))
    found = explain(Order, str(record.pk), Reader())
    assert not any(each.gaps for each in found.events)
    assert len(found.recorded) == 20


# Which record


def test_a_record_that_is_gone_is_explained_by_the_log():
    record = order(number=4)
    key = str(record.pk)
    record.delete()
    found = explain(Order, key, Reader())
    assert (found.exists, found.name) == (False, "order 4")
    answers = {each.event_name: each.answer for each in found.events}
    assert answers["OrderDeleted"].startswith("It fired on ")
    assert answers["OrderNumbered"] == "It never fired for this record."
    assert not any(each.gaps or each.checks for each in found.events)
    assert run("desk.order", key).startswith(f"desk.Order {key} “order 4”, which is gone\n")


def test_a_delete_that_went_around_capture_is_a_gap():
    record = order()
    Order.objects.filter(pk=record.pk)._raw_delete("default")
    found = explain(Order, str(record.pk), Reader())
    [gone] = [each for event in found.events for each in event.gaps]
    assert gone.text == "It is gone, and nothing was recorded for that."
    assert gone.reasons == (NOT_YET_DECLARED, BULK)


def test_a_creation_that_went_around_capture_is_a_gap():
    [record] = Order.objects.bulk_create([Order(pk=5)])
    found = gap(record, "OrderCreated")
    assert found.text == "It was created, and nothing was recorded for that."
    assert found.reasons == (NOT_YET_DECLARED, BULK, PRUNED)


def test_a_child_is_explained_with_its_parents_events_by_their_keys(declare):
    declare(Job, Event("Paid", when=Changed("salary"), phone_number=PHONE))
    clerk = moved(Clerk.objects.create(nickname="Jo", number=4711), nickname="Joe")
    moved(clerk, salary=5)
    assert clerk.pk != clerk.job_ptr_id
    answers = {
        each.event_name: each.answer for each in explain(Clerk, str(clerk.pk), Reader()).events
    }
    parents = {"NicknameChanged", "PersonCreated", "Paid"}
    assert set(answers) == {*parents, "ClerkMoved", "ClerkCreated"}
    assert all(answer.startswith("It fired on ") for answer in answers.values())


def test_a_proxy_is_its_record():
    ticket = moved(TicketFactory(), status="Success")
    assert model_named("desk.ticketproxy") is Ticket
    assert explain(TicketProxy, str(ticket.pk), Reader()).model == "desk.Ticket"


def test_relations_tell_what_they_gained():
    board = Board.objects.create()
    tag = Tag.objects.create(name="x")
    board.tags.add(tag)
    found = explain(Board, str(board.pk), Reader())
    assert [row.why for row in found.recorded] == [f"tags: nothing → [{tag.pk}]"]
    assert checks(found.events[0])[0] == ("Its tags change.", "", None)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["desk.Tickett", 1], "There is no model 'desk.Tickett'. Did you mean 'desk.Ticket'?"),
        (["Ticket", 1], "There is no model 'Ticket'. Did you mean 'desk.Ticket'?"),
        (["nonsense", 1], "There is no model 'nonsense'. Known are: "),
        (["desk.Ticket", 4711], "There is no Ticket with the key 4711, and the log has nothing"),
        (["desk.Ticket", "abc"], "abc is no key of a Ticket."),
        (["desk.Ticket", "9" * 40], "9" * 40),
    ],
)
def test_misuse_says_what_was_meant(arguments, text):
    with pytest.raises(CommandError) as error:
        run(*arguments)
    assert text in str(error.value)
    assert error.value.returncode == 2


def test_a_model_for_which_nothing_is_declared_says_so():
    customer = Customer.objects.create(name="Kim")
    assert run("desk.customer", customer.pk) == (
        f"desk.Customer {customer.pk} “Kim”\n"
        "Nothing is declared for it, neither by code nor by a rule.\n\n"
        "Nothing was recorded for it.\n"
    )


def test_a_record_whose_name_fails_is_explained(monkeypatch):
    shape = Shape.objects.create()
    monkeypatch.setattr(Shape, "__str__", Shape.fails)
    assert explain(Shape, str(shape.pk), Reader()).name == ""


# The command


def test_the_command_tells_it_all_and_no_number():
    ticket = TicketFactory(title="206-555-0199", customer__phone="206-555-0100")
    make(
        "Solved",
        model="desk.ticket",
        field="status",
        to_values=["Success"],
        conditions=[("title", "not_equals", "x")],
    )
    moved(ticket, status="Success")
    text = run("desk.ticket", ticket.pk)
    for line in (
        "RequestSupportFeedback (code Ticket.chatitive_events[0], live)\n",
        "Solved (rule Solved, live)\n",
        "  ✓ The status is Success.  [Success]\n",
        "  ✓ title doesn't equal x  […0199]\n",
        "  ✓ There is a recipient.  […0100]\n",
        " Solved to …0100: pending. (status: Open → Success)\n",
    ):
        assert line in text
    assert "555-0100" not in text
    bulk(moved(ticket, status="Failed"), status="Success")
    assert f"    · {BULK}" not in run("desk.ticket", ticket.pk)


def test_the_command_lists_the_ways_of_a_gap():
    ticket = bulk(TicketFactory(), status="Success")
    assert (
        "  → The status is Success, and nothing was recorded for that change.\n"
        f"    · {CREATED_SO}\n" in run("desk.ticket", ticket.pk)
    )


def test_json_has_the_same_facts():
    ticket = moved(TicketFactory(customer__phone="206-555-0100"), status="Success")
    text = run("desk.ticket", ticket.pk, "--format", "json")
    facts = json.loads(text)
    [event] = facts["events"]
    assert event["states"] == [
        {"text": "The status is Success.", "actual": "Success", "holds": True, "problem": ""}
    ]
    [row] = facts["recorded"]
    assert (row["status"], row["recipient"], row["why"]) == (
        "pending",
        "…0100",
        "status: Open → Success",
    )
    assert "206-555" not in text


def test_many_notifications_cost_no_more_queries():
    record = moved(order(number=1), number=2)
    with CaptureQueriesContext(connection) as few:
        explain(Order, str(record.pk), Reader())
    for number in range(3, 9):
        moved(record, number=number)
    with CaptureQueriesContext(connection) as many:
        explain(Order, str(record.pk), Reader())
    assert len(many) == len(few)


# The page


@pytest.fixture
def staff(client):
    """Log in a member of staff with these permissions."""

    def staff(*may, models=()):
        user = StaffFactory(may=may)
        user.user_permissions.add(*Permission.objects.filter(codename__in=models))
        client.force_login(user)
        return client

    return staff


def page(client, record):
    response = client.get(PAGE, {"model": record._meta.label_lower, "pk": record.pk})
    assert response.status_code == 200
    return response.text


def test_the_page_tells_the_same_facts(staff):
    ticket = bulk(TicketFactory(customer__phone="206-555-0100"), status="Success")
    text = page(staff("view_payload"), ticket)
    for part in (
        "When a Ticket&#x27;s status changes to Success",
        "The status is Success, and nothing was recorded for that change.",
        "A bulk update, raw SQL, loaddata or a write inside muted() made it so",
        "206-555-0100",
        "Nothing was recorded for it.",
    ):
        assert part in text


def test_numbers_are_masked_for_those_who_may_not_see_payloads(staff):
    ticket = moved(TicketFactory(customer__phone="206-555-0100"), status="Success")
    text = page(staff(models=["view_ticket"]), ticket)
    assert "…0100" in text
    assert "206-555-0100" not in text
    assert "status: Open → Success" in text


def test_what_the_record_holds_is_for_those_who_may_see_it(staff, declare):
    rows = [If("title", "not_equals", "x")]
    when = Changed("status", to="Success")
    declare(Ticket, Event("E", when=when, phone_number="customer.phone", only_if=rows))
    ticket = TicketFactory(title="Very private")
    text = page(staff(), ticket)
    assert "Very private" not in text
    assert "Those who may see the record learn why." in text
    assert "Very private" in page(staff(models=["view_ticket"]), ticket)
    assert "Very private" in page(staff("view_payload"), ticket)


def test_who_may_not_see_the_record_is_told_the_same_whatever_it_holds(declare):
    rows = [If("title", "equals", "x")]
    when = Changed("status", to="Success")
    declare(Ticket, Event("E", when=when, phone_number="customer.phone", only_if=rows))
    one = bulk(TicketFactory(title="x"), status="Success")
    other = TicketFactory(title="y", customer__phone="")
    assert told(one, values=False) == told(other, values=False)
    assert told(one) != told(other)


def test_a_name_that_holds_a_number_is_masked(staff, monkeypatch):
    monkeypatch.setattr(Ticket, "__str__", lambda ticket: f"{ticket.pk}: {ticket.customer.phone}")
    ticket = TicketFactory(pk=12345678, customer__phone="206-555-0100")
    assert "12345678: …0100" in page(staff(models=["view_ticket"]), ticket)
    assert "12345678: 206-555-0100" in page(staff("view_payload"), ticket)


def test_a_notification_leads_to_its_record(staff):
    client = staff()
    row = NotificationFactory(ticket=TicketFactory())
    link = f"{PAGE}?model=desk.ticket&amp;pk={row.source_id}"
    assert link in client.get(f"/admin/chatitive_django/notification/{row.pk}/change/").text
    bare = NotificationFactory()
    assert PAGE not in client.get(f"/admin/chatitive_django/notification/{bare.pk}/change/").text
    assert PAGE in client.get("/admin/chatitive_django/notification/").text


def test_the_page_asks_for_a_record_and_says_what_is_wrong_with_the_answer(staff):
    client = staff()
    text = client.get(PAGE).text
    assert '<option value="desk.ticket">ticket (desk.Ticket)</option>' in text
    assert "errorlist" not in text
    assert (
        "There is no Ticket with the key 4711"
        in client.get(PAGE, {"model": "desk.ticket", "pk": "4711"}).text
    )
    assert "errorlist" in client.get(PAGE, {"model": "auth.user", "pk": "1"}).text


def test_the_page_is_for_those_who_may_see_the_log(client):
    user = StaffFactory()
    user.user_permissions.clear()
    client.force_login(user)
    assert client.get(PAGE).status_code == 403


def test_the_page_escapes_what_people_typed(staff):
    ticket = moved(TicketFactory(title="<script>alert(1)</script>"), status="Success")
    text = page(staff("view_payload"), ticket)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
