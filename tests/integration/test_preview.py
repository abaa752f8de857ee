"""What an event would do for a record, told without writing or sending anything."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from chatitive_django import Changed, Created, Event, If
from chatitive_django.models import EventRule, Notification, RuleCondition, RulePayload
from chatitive_django.preview import Verdict, latest, preview, record
from chatitive_django.registry import Declared
from chatitive_django.rules import declared_rule
from chatitive_django.sentences import sentence
from tests.desk.models import Lead, Order, Shape, Ticket
from tests.factories import CustomerFactory, NotificationFactory, TicketFactory

pytestmark = pytest.mark.django_db


def event(model=Ticket, name="Feedback", **options):
    options = {"when": Changed("status", to="Success"), "phone_number": "customer.phone"} | options
    return Declared(Event(name, **options), model, where="a test")


def solved(**options):
    return TicketFactory(status="Success", **options)


def test_a_record_in_the_right_state_tells_the_exact_message():
    ticket = solved(customer__phone="206-555-0100")
    seen = preview(event(payload={"ticket": {"status": "status"}}), ticket)
    assert seen.verdict is Verdict.SENDS
    assert seen.notification.phone_number == "206-555-0100"
    assert seen.notification.payload == {"ticket": {"status": "Success"}}
    assert [(each.text, each.holds) for each in seen.states] == [("The status is Success.", True)]
    assert not Notification.objects.filter(event_name="Feedback").exists()


def test_a_record_in_another_state_says_what_it_holds_instead():
    seen = preview(event(), TicketFactory())
    assert seen.verdict is Verdict.WAITS
    assert [each.actual for each in seen.states] == ["Open"]


def test_where_no_record_is_in_the_state_the_latest_that_meets_the_conditions_is_taken():
    fitting, _newer = TicketFactory(title="Fire"), TicketFactory()
    assert latest(event(only_if=If("title", "equals", "Fire"))) == fitting


def test_each_condition_tells_its_actual_value_even_after_one_that_failed():
    ticket = solved(title="Fire", agent=None)
    rows = [If("title", "equals", "Flood"), If("agent.name", "is_empty")]
    seen = preview(event(only_if=rows, condition=lambda ticket: True), ticket)
    assert seen.verdict is Verdict.CONDITION_FAILS
    assert [(each.holds, each.actual) for each in seen.conditions] == [
        (True, "yes"),
        (False, "Fire"),
        (True, "nothing"),
    ]


def test_a_condition_and_a_payload_that_fail_are_told_and_break_nothing():
    shape = Shape.objects.create(state="new")
    failing = event(Shape, when=Created(), phone_number="phone", only_if=If("fails", "is_set"))
    seen = preview(failing, shape)
    assert seen.verdict is Verdict.INVALID
    assert "raised RuntimeError" in seen.conditions[0].problem
    assert "206-555-0199" not in seen.conditions[0].problem
    querying = event(Shape, when=Created(), phone_number="phone", payload={"rows": "queries_badly"})
    seen = preview(querying, shape)
    assert (seen.verdict, seen.notification.reason) == (Verdict.INVALID, "database")
    assert Shape.objects.count() == 1


def test_what_the_projects_code_writes_is_undone_and_nothing_of_it_is_recorded():
    def writes(ticket):
        Order.objects.create(number=7)
        return True

    seen = preview(event(condition=writes), solved())
    assert seen.verdict is Verdict.SENDS
    assert not Order.objects.exists()
    assert not Notification.objects.filter(event_name="OrderCreated").exists()


def test_a_limit_that_holds_it_back_is_told():
    ticket = solved()
    once = event(once="record")
    NotificationFactory(ticket=ticket, event_key=once.key, status="accepted")
    seen = preview(once, ticket)
    assert seen.verdict is Verdict.HELD_BACK
    assert seen.notification.reason == "once_per_record"


def test_the_mode_takes_no_part():
    assert preview(event(mode="watch"), solved()).verdict is Verdict.SENDS


def test_warnings_tell_of_empty_values_of_a_recent_message_and_of_other_events():
    ticket = solved(agent=None, customer__phone="206-555-0100")
    NotificationFactory(
        event_name="Feedback",
        phone_number="(206) 555-0100",
        status="accepted",
        created_at=timezone.now() - timedelta(hours=2),
    )
    seen = preview(event(payload={"agent": {"name": "agent.name"}, "s": "status"}), ticket)
    other = sentence(Ticket.chatitive_events[0], Ticket)
    assert [text.replace("\xa0", " ") for text in seen.warnings] == [
        "“agent.name” is empty for this record.",
        "This person got Feedback 2 hours ago.",
        f"The same change may send this person another message: “{other}”",
    ]


def test_events_on_other_values_or_for_other_people_are_no_overlap():
    ticket = solved()
    assert not preview(event(when=Changed("status", to="Failed")), ticket).warnings
    assert not preview(event(phone_number="title"), ticket).warnings


def test_the_latest_record_that_fits_is_taken_else_one_that_comes_near():
    assert latest(event()) is None
    plain, fitting, failing, other = (
        TicketFactory(title="no"),
        solved(title="yes"),
        solved(title="no"),
        TicketFactory(title="yes"),
    )
    rule = event(only_if=If("title", "equals", "yes"))
    assert latest(rule) == fitting
    fitting.delete()
    assert latest(rule) == failing
    failing.delete()
    assert latest(rule) == other
    assert plain.pk < other.pk


def test_a_record_that_fits_is_found_behind_many_that_do_not():
    fitting = solved()
    Ticket.objects.bulk_create(
        [Ticket(title="later", customer=fitting.customer) for _ in range(60)]
    )
    assert latest(event()) == fitting


@pytest.mark.parametrize("key", ["", "nothing", "99999", "9" * 40, "\0"])
def test_a_key_that_leads_nowhere_finds_no_record(key):
    TicketFactory()
    assert record(event(), key) is None


def test_a_picked_record_is_found():
    ticket = TicketFactory()
    assert record(event(), str(ticket.pk)) == ticket


def test_an_unsaved_rule_is_previewed_as_it_would_be_stored():
    lead = Lead.objects.create(stage="won", customer=CustomerFactory(phone="206-555-0100"))
    rule = EventRule(
        name="Won",
        model="desk.lead",
        field="stage",
        to_values=["won"],
        event_name="LeadWon",
        phone_number="customer.phone",
    )
    conditions = [RuleCondition(path="urgent", operator="equals", value=False)]
    payload = [RulePayload(key="lead.title", path="title"), RulePayload(key="by", constant="us")]
    seen = preview(declared_rule(rule, conditions, payload), lead)
    assert seen.verdict is Verdict.SENDS
    assert seen.notification.payload == {"lead": {"title": "A big one"}, "by": "us"}
    assert [each.text for each in seen.states] == ["The stage is Won at last."]
    assert not EventRule.objects.exists()


def test_a_rule_may_not_read_what_is_not_offered():
    lead = Lead.objects.create(stage="won", customer=CustomerFactory())
    rule = EventRule(
        name="Won", model="desk.lead", field="stage", event_name="LeadWon", phone_number="secret"
    )
    seen = preview(declared_rule(rule, [], []), lead)
    assert seen.verdict is Verdict.INVALID
    assert "s3cret" not in str(seen)
