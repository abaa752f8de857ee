"""`tail`: the newest lines of the log, and each change."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError

from chatitive_django.management.verbs import tailing
from chatitive_django.models import Notification
from tests.factories import NotificationFactory, TicketFactory
from tests.shell import run

pytestmark = pytest.mark.django_db

Status = Notification.Status
NUMBER = "206-555-0142"


@pytest.fixture
def meanwhile(monkeypatch):
    """Have these done one by one while `tail` waits, and then stop it."""

    def meanwhile(*acts):
        left = list(acts)

        def sleep(seconds):
            if not left:
                raise KeyboardInterrupt
            left.pop(0)()

        monkeypatch.setattr(tailing.time, "sleep", sleep)

    return meanwhile


def test_the_newest_lines_are_told_oldest_first_with_masked_numbers():
    ticket = TicketFactory()
    for status in (Status.ACCEPTED, Status.REJECTED):
        NotificationFactory(ticket=ticket, phone_number=NUMBER, status=status)
    code, text = run("tail", "--no-follow")
    [first, second] = text.splitlines()
    assert code == 0
    assert "accepted RequestSupportFeedback to …0142 by default" in first
    assert f"about desk.ticket {ticket.pk}." in first
    assert "rejected" in second
    assert second.endswith("Chatitive doesn't know this channel or address (404).")
    assert NUMBER not in text
    assert len(run("tail", "--no-follow", "--lines", "1")[1].splitlines()) == 1


def test_json_is_a_line_each():
    NotificationFactory(phone_number=NUMBER, status=Status.UNKNOWN)
    facts = json.loads(run("tail", "--no-follow", "--format", "json")[1])
    assert (facts["status"], facts["reason"], facts["subscriber"]) == (
        "unknown",
        "no_answer",
        "…0142",
    )
    assert "payload" not in facts


def test_what_is_new_and_what_changes_is_followed(meanwhile):
    row = NotificationFactory()

    def accept():
        Notification.objects.filter(pk=row.pk).update(status=Status.ACCEPTED)

    meanwhile(NotificationFactory, lambda: None, accept)
    lines = run("tail")[1].splitlines()
    assert [line.split()[3] for line in lines] == ["pending", "pending", "accepted"]


def test_a_filter_tells_of_rows_when_they_come_to_match(meanwhile):
    row = NotificationFactory()
    NotificationFactory(event_name="Other", status=Status.REJECTED)

    def reject():
        Notification.objects.filter(pk=row.pk).update(status=Status.REJECTED)

    meanwhile(reject)
    code, text = run("tail", "--status", "rejected", "--event", "RequestSupportFeedback")
    assert code == 0
    assert f"#{row.pk} rejected" in text
    assert len(text.splitlines()) == 1


def test_the_log_may_be_empty():
    assert run("tail", "--no-follow") == (0, "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--status", "lost"], "invalid choice: 'lost'"),
        (["--lines", "0"], "no whole number from 1 to 999,999"),
        (["--lines", "9" * 23], "no whole number from 1 to 999,999"),
    ],
)
def test_misuse_is_told(arguments, told):
    with pytest.raises(CommandError, match=told):
        run("tail", *arguments)


def test_there_may_be_fewer_lines_than_are_asked_for():
    NotificationFactory()
    assert len(run("tail", "--no-follow", "--lines", "999999")[1].splitlines()) == 1
