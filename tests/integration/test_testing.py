"""What a project's own test suite gets: nothing leaves the process, and the log can be asked."""

from __future__ import annotations

import pytest
from django.test import TestCase

from chatitive_django import notify
from chatitive_django.conf import settings as chatitive
from chatitive_django.models import Notification
from chatitive_django.signals import notification_accepted
from chatitive_django.testing import assert_nothing_notified, assert_notified, deliver, sent
from tests.desk.models import Agent, Customer, Ticket


@pytest.mark.django_db(transaction=True)
def test_under_the_test_environment_nothing_leaves_the_process(outbox):
    assert set(chatitive.API_URLS.values()) == {"locmem://"}
    assert chatitive.DISPATCHER == "immediate"
    row = notify("Hello", phone_number="206-555-0100")
    row.refresh_from_db()
    assert row.status == Notification.Status.ACCEPTED
    assert [message.event_name for message in outbox] == ["Hello"]


class ProjectTest(TestCase):
    """As a project would write it."""

    def setUp(self):
        customer = Customer.objects.create(name="Kim", phone="206-555-0100")
        self.ticket = Ticket.objects.create(customer=customer, agent=Agent.objects.create())

    def test_an_uncommitted_change_is_asked_for_in_the_log(self):
        assert_nothing_notified()
        self.ticket.status = "Success"
        self.ticket.save()
        [row] = assert_notified("RequestSupportFeedback", payload={"ticket_status": "Success"})
        assert sent() == [row]
        assert row.status == "pending"
        [row] = deliver()
        assert row.status == "accepted"

    def test_the_commit_delivers_in_line(self):
        with self.captureOnCommitCallbacks(execute=True):
            self.ticket.status = "Success"
            self.ticket.save()
        assert [row.status for row in sent()] == ["accepted"]


@pytest.mark.django_db
def test_delivery_within_a_test_case_tells_by_signal_too():
    told = []

    def listen(notification, **kwargs):
        told.append(notification.event_name)

    notification_accepted.connect(listen)
    try:
        notify("Hello", phone_number="206-555-0100")
        deliver()
    finally:
        notification_accepted.disconnect(listen)
    assert told == ["Hello"]
