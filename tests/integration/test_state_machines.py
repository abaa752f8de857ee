"""State machines need no bridge: `Changed` on their field fires when the new state is stored."""

from __future__ import annotations

import django_fsm
import pytest
from viewflow import fsm

from chatitive_django import Changed, Event
from chatitive_django.models import Notification
from tests.fields_app.machines import Invoice, Parcel, ParcelFlow, ProtectedInvoice, Review

pytestmark = pytest.mark.django_db

MACHINES = [
    pytest.param(Invoice, "state", lambda row: row, id="django-fsm-2"),
    pytest.param(Parcel, "stage", ParcelFlow, id="viewflow's flow class"),
    pytest.param(Review, "state", lambda row: row, id="viewflow's field"),
]
machines = pytest.mark.parametrize(("model", "field", "flow"), MACHINES)


def recorded():
    return [
        (row.event_name, row.why["old"], row.why["new"])
        for row in Notification.objects.order_by("id")
    ]


@pytest.fixture
def row(declare, model, field):
    """A record at the start of its machine, of which the event `Sent` is declared."""
    declare(model, Event("Sent", when=Changed(field, to="sent"), phone_number="phone"))
    return model.objects.create()


@machines
def test_a_transition_is_recorded_when_it_is_saved_and_not_before(row, field, flow):
    start = getattr(row, field)
    flow(row).send()
    assert getattr(row, field) == "sent"
    assert recorded() == []
    row.save()
    row.save()
    assert recorded() == [("Sent", start, "sent")]


@machines
def test_a_transition_that_is_never_saved_is_not_recorded(row, model, flow):
    flow(row).send()
    model.objects.get(pk=row.pk).save()
    row.refresh_from_db()
    row.save()
    assert recorded() == []


@machines
def test_a_transition_that_raised_leaves_nothing_to_record(row, flow):
    with pytest.raises(ZeroDivisionError):
        flow(row).send(fails=True)
    row.save()
    assert recorded() == []


@machines
def test_a_transition_that_the_machine_refuses_leaves_nothing_to_record(row, model, flow):
    flow(row).send()
    row.save()
    with pytest.raises((django_fsm.TransitionNotAllowed, fsm.TransitionNotAllowed)):
        flow(row).send()
    row.save()
    assert len(recorded()) == 1


@machines
def test_of_two_processes_that_make_the_same_transition_one_is_recorded(row, model, field, flow):
    rows = [model.objects.get(pk=row.pk) for _ in range(2)]
    for each in rows:
        flow(each).send()
        each.save()
    assert len(recorded()) == 1


@machines
def test_update_fields_that_name_the_state_record_it(row, field, flow):
    flow(row).send()
    row.save(update_fields=["phone"])
    assert recorded() == []
    row.save(update_fields=[field])
    assert len(recorded()) == 1


def test_a_protected_state_which_nobody_may_assign_is_read_all_the_same(declare):
    declare(ProtectedInvoice, Event("Sent", when=Changed("state", to="sent"), phone_number="phone"))
    invoice = ProtectedInvoice.objects.create()
    with pytest.raises(AttributeError):
        invoice.state = "sent"
    invoice.send()
    invoice.save()
    ProtectedInvoice.objects.get(pk=invoice.pk).save()
    assert recorded() == [("Sent", "draft", "sent")]


def test_the_next_transition_is_another_one(declare):
    declare(Invoice, Event("Moved", when=Changed("state"), phone_number="phone"))
    invoice = Invoice.objects.create()
    invoice.send()
    invoice.save()
    invoice.pay()
    invoice.save()
    assert recorded() == [("Moved", "draft", "sent"), ("Moved", "sent", "paid")]


def test_two_transitions_before_one_save_are_the_one_that_is_stored(declare):
    declare(Invoice, Event("Moved", when=Changed("state"), phone_number="phone"))
    invoice = Invoice.objects.create()
    invoice.send()
    invoice.pay()
    invoice.save()
    assert recorded() == [("Moved", "draft", "paid")]
