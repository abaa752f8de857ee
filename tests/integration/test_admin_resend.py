"""The page that asks before one notification is resent: what it says, offers and does."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chatitive_django import Changed, Event
from chatitive_django.models import Attempt, Notification
from chatitive_django.outcomes import Outcome
from chatitive_django.resend import NotPossible, resend, version
from chatitive_django.testing import deliver
from tests.desk.models import Agent, Ticket
from tests.factories import (
    AttemptFactory,
    CustomerFactory,
    NotificationFactory,
    StaffFactory,
    TicketFactory,
)
from tests.integration.test_admin import (
    SCRIPT,
    confirm,
    form_on,
    logged_in,
    page,
    text_of,
    told,
    untouched,
)
from tests.integration.test_admin_detail import sent_for

pytestmark = pytest.mark.django_db

Status = Notification.Status

REBUILT = {"what": "rebuilt"}


@pytest.fixture
def clerk():
    """Resends and cancels, but not what was accepted, and sees no payload."""
    return StaffFactory(may=["resend_notification", "cancel_notification"])


@pytest.fixture
def boss(admin_user):
    """May do everything."""
    return logged_in(admin_user)


def asked(client, row):
    """What the page says about a resend of the row."""
    return text_of(client.get(page(row, "resend")))


# What it says.


def test_it_says_when_the_next_try_is_and_offers_nothing(clerk):
    soon = timezone.now() + timedelta(minutes=3)
    row = NotificationFactory(attempts=1, reason="http_503", available_at=soon)
    text = asked(logged_in(clerk), row)
    assert f"the next try is at {timezone.localtime(soon):%H:%M:%S}." in text
    assert "Yes, resend it" not in text


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status.SENDING, "It is being sent at this moment"),
        (Status.SKIPPED, "It was meant not to be sent"),
    ],
)
def test_it_says_why_there_is_nothing_to_resend(status, said, clerk):
    text = asked(logged_in(clerk), NotificationFactory(status=status))
    assert said in text
    assert "Yes, resend it" not in text


def test_it_says_that_a_person_was_scrubbed(clerk):
    row = NotificationFactory(status=Status.REJECTED, scrubbed_at=timezone.now())
    text = asked(logged_in(clerk), row)
    assert "Its subscriber was scrubbed" in text
    assert "Yes, resend it" not in text


def test_it_names_the_same_event_that_was_accepted_later_for_the_record(clerk):
    ticket = TicketFactory()
    row = sent_for(ticket)
    later = sent_for(ticket, status=Status.ACCEPTED)
    text = asked(logged_in(clerk), row)
    assert "the same event was accepted later for this record" in text
    assert page(later) in text


def test_it_says_that_the_record_has_no_phone_number_now(clerk):
    ticket = TicketFactory()
    row = sent_for(ticket)
    ticket.customer.phone = ""
    ticket.customer.save()
    text = asked(logged_in(clerk), row)
    assert "The record has no phone number now." in text
    assert 'value="rebuilt"' not in text
    assert "Queued" in told(confirm(logged_in(clerk), page(row, "resend")))


def test_it_says_that_the_customer_has_not_got_it(clerk):
    text = asked(logged_in(clerk), sent_for(TicketFactory()))
    assert "The customer hasn&#x27;t got it before." in text
    assert "The record says the same today." in text


def test_it_shows_what_changed_and_to_whom_may_not_see_it_only_which_keys(clerk, boss):
    row = sent_for(TicketFactory())
    Agent.objects.update(name="Quentin")
    text = asked(boss, row)
    assert "The record has changed since" in text
    assert "<ins>Quentin</ins>" in text
    masked = asked(logged_in(clerk), row)
    assert "The record says otherwise today: cs_agent_name." in masked
    assert "Quentin" not in masked


def test_script_in_what_changed_stays_text(boss):
    row = sent_for(TicketFactory(), payload={SCRIPT: SCRIPT, "cs_agent_name": "x"})
    Agent.objects.update(name=SCRIPT)
    for text in [asked(boss, row), text_of(boss.get(page(row)))]:
        assert SCRIPT not in text
        assert "&lt;script&gt;" in text


def test_it_asks_few_queries(boss):
    row = sent_for(TicketFactory())
    with CaptureQueriesContext(connection) as queries:
        asked(boss, row)
    assert len(queries) <= 12


# What it does.


def test_a_rebuilt_message_is_a_new_row_from_todays_data(clerk, outbox):
    row = sent_for(TicketFactory())
    Agent.objects.update(name="Quentin")
    response = confirm(logged_in(clerk), page(row, "resend"), **REBUILT, reason="Wrong name")
    new = Notification.objects.get(resend_of=row)
    assert response.url == page(new)
    assert (new.status, new.origin, new.requested_by) == (Status.PENDING, "resend", clerk)
    assert new.payload["cs_agent_name"] == "Quentin"
    row.refresh_from_db()
    assert (row.status, row.attempts) == (Status.REJECTED, 1)
    deliver()
    assert [message.payload["cs_agent_name"] for message in outbox] == ["Quentin"]
    (attempt,) = new.attempt_set.all()
    assert attempt.actor == clerk
    for entry in LogEntry.objects.all():
        assert entry.user == clerk
        assert entry.get_change_message().endswith("The reason given: Wrong name")


def test_what_was_held_as_unknown_is_decided_when_it_is_rebuilt(clerk):
    row = sent_for(TicketFactory(), status=Status.UNKNOWN, reason="no_answer")
    confirm(logged_in(clerk), page(row, "resend"), **REBUILT)
    row.refresh_from_db()
    assert (row.status, row.reason) == (Status.CANCELLED, "replaced")
    assert Notification.objects.filter(resend_of=row, status=Status.PENDING).exists()


def test_what_was_rebuilt_needs_another_permission_to_be_sent_again(clerk):
    row = sent_for(TicketFactory())
    client = logged_in(clerk)
    confirm(client, page(row, "resend"), **REBUILT)
    before = untouched()
    assert client.get(page(row, "resend")).status_code == 403
    assert client.post(page(row, "resend"), {"seen": "rejected:1:1"}).status_code == 403
    assert untouched() == before


def test_an_accepted_row_may_be_rebuilt_by_those_who_may_send_again(boss, clerk):
    row = sent_for(TicketFactory(), status=Status.ACCEPTED)
    Agent.objects.update(name="Quentin")
    form = form_on(boss, page(row, "resend"))
    assert logged_in(clerk).post(page(row, "resend"), {**form, **REBUILT}).status_code == 403
    assert "Queued" in told(boss.post(page(row, "resend"), {**form, **REBUILT}))
    assert Notification.objects.get(resend_of=row).payload["cs_agent_name"] == "Quentin"


def test_a_record_that_changes_while_someone_reads_the_page_is_not_sent(clerk):
    row = sent_for(TicketFactory())
    client = logged_in(clerk)
    form = form_on(client, page(row, "resend"))
    Agent.objects.update(name="Quentin")
    before = untouched()
    response = client.post(page(row, "resend"), {**form, **REBUILT})
    assert response.url == f"{page(row, 'resend')}?changed=1"
    assert "The record has changed since you opened the page." in told(response)
    assert untouched() == before


def test_a_message_that_is_never_the_same_twice_can_be_rebuilt_after_a_second_look(clerk, declare):
    counted = itertools.count()
    ticket = TicketFactory()
    event = Event(
        "RequestSupportFeedback",
        when=Changed("status", to="Success"),
        phone_number="customer.phone",
        payload={"at": lambda _: next(counted)},
    )
    declare(Ticket, event)
    row = sent_for(ticket)
    client = logged_in(clerk)
    again = confirm(client, page(row, "resend"), **REBUILT).url
    assert not Notification.objects.filter(resend_of=row).exists()
    assert "Queued" in told(confirm(client, again, **REBUILT))
    assert Notification.objects.filter(resend_of=row).count() == 1


def test_what_the_page_posts_gives_nothing_of_the_message_away(clerk):
    first = sent_for(TicketFactory(customer=CustomerFactory(phone="206-555-0142")))
    form = form_on(logged_in(clerk), page(first, "resend"))
    assert set(form) == {"seen", "today"}
    assert "206" not in "".join(form.values())
    assert len(form["today"]) == 32


def test_a_rebuilt_message_posted_twice_is_sent_once(clerk):
    row = sent_for(TicketFactory())
    client = logged_in(clerk)
    form = {**form_on(client, page(row, "resend")), **REBUILT}
    client.post(page(row, "resend"), form)
    before = untouched()
    client.post(page(row, "resend"), form)
    assert untouched() == before
    assert Notification.objects.count() == 2


def test_the_machine_rebuilds_what_could_not_be_built_without_a_page():
    ticket = TicketFactory(customer=CustomerFactory(phone=""))
    ticket.status = Ticket.Status.SUCCESS
    ticket.save()
    ticket.customer.phone = "206-555-0142"
    ticket.customer.save()
    row = Notification.objects.get()
    assert resend(row, seen=version(row), user_id=None).status == Status.PENDING


@pytest.mark.parametrize("what", ["same", "rebuilt"])
@pytest.mark.parametrize("status", Status)
def test_view_only_staff_can_not_resend_whatever_they_post(what, status):
    client = logged_in(StaffFactory())
    row = sent_for(TicketFactory(), status=status)
    before = untouched()
    form = {"seen": version(row), "what": what, "today": "x", "reason": "Mine"}
    for act in ["resend", "cancel"]:
        assert client.post(page(row, act), form).status_code == 403
        assert client.get(page(row, act), form).status_code == 403
    assert untouched() == before


def test_a_cancellation_keeps_its_reason(clerk):
    row = NotificationFactory()
    confirm(logged_in(clerk), page(row, "cancel"), reason="The wrong text")
    told = "Cancelled before it was sent. The reason given: The wrong text"
    assert LogEntry.objects.get().get_change_message() == told


def test_the_page_after_a_try_in_doubt_warns(clerk):
    row = sent_for(TicketFactory())
    AttemptFactory(notification=row, outcome=Outcome.MAY_HAVE_ARRIVED)
    assert "An earlier try may have arrived" in asked(logged_in(clerk), row)


# Two people at the same moment.


@pytest.mark.django_db(transaction=True)
def test_one_who_resends_and_one_who_rebuilds_at_the_same_moment_send_one(settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "worker"}
    rows = [sent_for(TicketFactory()) for _ in range(6)]
    clients = [logged_in(StaffFactory(may=["resend_notification"])) for _ in range(2)]
    for row in rows:
        form = form_on(clients[0], page(row, "resend"))
        at_once(
            lambda row=row, form=form: clients[0].post(page(row, "resend"), form),
            lambda row=row, form=form: clients[1].post(page(row, "resend"), {**form, **REBUILT}),
        )
        assert Notification.objects.filter(status=Status.PENDING).count() == 1
        deliver()
        assert Attempt.objects.count() == 1
        Attempt.objects.all().delete()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "mysql", reason="elsewhere such a transaction fails")
def test_a_transaction_that_reads_the_log_as_it_was_does_not_miss_a_resend():
    """As with ATOMIC_REQUESTS and the isolation level that is MariaDB's own default."""
    row = NotificationFactory(status=Status.ACCEPTED)
    seen = version(row)
    has_begun, has_resent = threading.Event(), threading.Event()
    refused = []

    def late():
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with transaction.atomic():
            assert Notification.objects.count() == 1
            has_begun.set()
            has_resent.wait()
            try:
                resend(row, seen=seen, user_id=None)
            except NotPossible as error:
                refused.append(error.code)

    def early():
        has_begun.wait()
        try:
            resend(row, seen=seen, user_id=None)
        finally:
            has_resent.set()

    at_once(late, early)
    assert refused == ["changed"]
    assert Notification.objects.filter(resend_of=row).count() == 1


def at_once(*acts):
    ready = threading.Barrier(len(acts))

    def run(act):
        ready.wait()
        try:
            act()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
