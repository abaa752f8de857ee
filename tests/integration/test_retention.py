"""What is pruned and what stays, and a person who is taken out of the log."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from chatitive_django import resend, retention
from chatitive_django.models import Attempt, Notification
from chatitive_django.retention import prune, scrub
from tests.factories import AttemptFactory, NotificationFactory

pytestmark = pytest.mark.django_db
Status = Notification.Status
LONG_AGO = timezone.now() - timedelta(days=90)


@pytest.mark.parametrize("status", Status.values)
def test_old_rows_are_pruned_if_they_are_settled_and_nobody_must_decide(status):
    AttemptFactory(notification=NotificationFactory(status=status, created_at=LONG_AGO))
    fresh = NotificationFactory(status=status)
    stays = status in {Status.PENDING, Status.SENDING, Status.UNKNOWN}
    assert prune(timedelta(days=30)) == (not stays)
    assert Notification.objects.count() == 1 + stays
    assert Attempt.objects.count() == stays
    assert Notification.objects.filter(pk=fresh.pk).exists()


def test_what_ended_lately_stays_however_old_it_is():
    NotificationFactory(
        status=Status.ACCEPTED, created_at=LONG_AGO, finished_at=timezone.now() - timedelta(days=1)
    )
    assert prune(timedelta(days=30)) == 0


def test_a_resend_outlives_what_it_was_made_of():
    old = NotificationFactory(status=Status.ACCEPTED, created_at=LONG_AGO)
    again = NotificationFactory(resend_of=old)
    assert prune(timedelta(days=30)) == 1
    again.refresh_from_db()
    assert again.resend_of is None


def test_many_rows_are_pruned_a_few_at_a_time(monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(retention, "AT_ONCE", 4)
    NotificationFactory.create_batch(10, status=Status.REJECTED, created_at=LONG_AGO)
    with django_assert_max_num_queries(60):
        assert prune(timedelta(days=30)) == 10


PHONE = "206-555-0142"
DIGITS = "555-0142", "555 0142", "5550142"


def everything():
    """All that the log holds, as text."""
    rows = [*Notification.objects.values(), *Attempt.objects.values()]
    return " ".join(str(value) for row in rows for value in row.values())


@pytest.mark.parametrize("spelling", [PHONE, "(206) 555-0142", "+12065550142"])
def test_a_scrubbed_person_is_nowhere_in_the_log(spelling):
    for status in Status.values:
        row = NotificationFactory(
            status=status,
            phone_number=spelling,
            payload={"name": "Canary"},
            why={"old": "Canary"},
            source_name="Canary's ticket",
            explanation="Canary said no",
        )
        AttemptFactory(notification=row, response_excerpt="Canary")
    other = NotificationFactory(phone_number="206-555-0143", payload={"name": "Stays"})
    done = scrub(phone_number=PHONE)
    assert (done.rows, done.cancelled, done.left) == (len(Status.values) - 1, 1, 1)
    Notification.objects.filter(status=Status.SENDING).update(
        status=Status.ACCEPTED, finished_at=timezone.now()
    )
    assert scrub(phone_number=PHONE).left == 0
    assert "Canary" not in everything()
    assert not any(digits in everything() for digits in DIGITS)
    other.refresh_from_db()
    assert (other.phone_number, other.payload) == ("206-555-0143", {"name": "Stays"})
    assert Notification.objects.count() == len(Status.values) + 1


def test_a_number_kept_beside_a_sid_is_scrubbed_with_the_number():
    NotificationFactory(status=Status.ACCEPTED, phone_number="(206) 555 0142", subscriber_sid="S")
    assert scrub(phone_number=PHONE).rows == 1
    assert not any(digits in everything() for digits in DIGITS)


def test_a_sid_is_scrubbed_by_itself():
    row = NotificationFactory(status=Status.ACCEPTED, phone_number=None, subscriber_sid="abc")
    assert scrub(subscriber_sid="abc").rows == 1
    row.refresh_from_db()
    assert (row.subscriber_sid, row.subscriber_key) == (None, "")


@pytest.mark.parametrize("blank", [None, "", " "])
@pytest.mark.parametrize("name", ["phone_number", "subscriber_sid"])
def test_where_nobody_is_named_nothing_is_scrubbed(name, blank):
    row = NotificationFactory(status=Status.INVALID, phone_number=None, payload={"a": 1})
    with pytest.raises(ValueError, match="Name a person"):
        scrub(**{name: blank})
    row.refresh_from_db()
    assert (row.scrubbed_at, row.payload) == (None, {"a": 1})


def test_a_scrubbed_notification_is_sent_to_nobody():
    row = NotificationFactory(status=Status.REJECTED, phone_number=PHONE)
    scrub(phone_number=PHONE)
    row.refresh_from_db()
    assert not resend.can_resend(row)
    with pytest.raises(resend.NotPossible, match="scrubbed"):
        resend.resend(row, seen=resend.version(row), user_id=None)
