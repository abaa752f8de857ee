"""Resends of many: what is frozen, what is queued when, and what is left out."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from chatitive_django import batches
from chatitive_django.models import BatchRow, Notification, ResendBatch
from chatitive_django.outcomes import Outcome
from chatitive_django.resend import NotPossible, resend, version
from chatitive_django.retention import prune, scrub
from chatitive_django.testing import deliver
from tests.desk.models import Ticket
from tests.factories import (
    AttemptFactory,
    CustomerFactory,
    NotificationFactory,
    StaffFactory,
    TicketFactory,
)

pytestmark = pytest.mark.django_db

Status = Notification.Status
State = ResendBatch.State
Sort = BatchRow.Sort


@pytest.fixture
def clerk():
    return StaffFactory(may=["resend_notification"])


def drafted(user, rows=None):
    chosen = Notification.objects.all() if rows is None else rows
    return batches.draft(chosen, selection={"ticked": True}, user_id=user.pk)


def confirmed(user, rows=None, *, sorts=(Sort.FRESH,), pace=ResendBatch.Pace.FAST):
    batch = drafted(user, rows)
    batches.confirm(batch, sorts=sorts, reason="the API was down", pace=pace)
    return batch


def started(user, rows=None, **options):
    """A confirmed batch whose minute of undoing is over."""
    batch = confirmed(user, rows, **options)
    later(batch, seconds=61)
    return batch


def later(batch, *, seconds):
    """Let time go by for a batch."""
    batch.refresh_from_db()
    for name in ("starts_at", "started_at", "advanced_at"):
        if (when := getattr(batch, name)) is not None:
            setattr(batch, name, when - timedelta(seconds=seconds))
    batch.save()


def statuses():
    return list(Notification.objects.order_by("pk").values_list("status", flat=True))


def saved_ticket(**customer):
    """A ticket, and the row of its event as the app itself built it."""
    ticket = TicketFactory(customer=CustomerFactory(**customer))
    ticket.status = Ticket.Status.SUCCESS
    ticket.save()
    return ticket, Notification.objects.latest("pk")


def rejected(row):
    row.status, row.reason, row.finished_at = Status.REJECTED, "http_404", timezone.now()
    row.save()
    return row


def sort_of(row, user):
    return drafted(user).rows.get(notification=row).sort


# What is chosen, and how it is sorted.


@pytest.mark.parametrize(
    ("status", "sort"),
    [
        (Status.REJECTED, Sort.FRESH),
        (Status.EXPIRED, Sort.FRESH),
        (Status.CANCELLED, Sort.FRESH),
        (Status.UNKNOWN, Sort.DOUBTFUL),
        (Status.ACCEPTED, Sort.ACCEPTED),
        (Status.PENDING, Sort.SCHEDULED),
        (Status.SENDING, Sort.SCHEDULED),
        (Status.SKIPPED, Sort.IMPOSSIBLE),
        (Status.INVALID, Sort.IMPOSSIBLE),
    ],
)
def test_every_status_has_its_sort(status, sort, clerk):
    assert sort_of(NotificationFactory(status=status), clerk) == sort


def test_an_earlier_try_that_may_have_arrived_makes_a_row_doubtful(clerk):
    row = NotificationFactory(status=Status.REJECTED)
    AttemptFactory(notification=row, outcome=Outcome.MAY_HAVE_ARRIVED)
    assert sort_of(row, clerk) == Sort.DOUBTFUL


def test_a_row_whose_event_was_accepted_later_for_its_record_is_sorted_apart(clerk):
    ticket = TicketFactory()
    early = NotificationFactory(status=Status.ACCEPTED, ticket=ticket, event_key="")
    row = NotificationFactory(status=Status.REJECTED, ticket=ticket, event_key="")
    other = NotificationFactory(status=Status.REJECTED, ticket=TicketFactory(), event_key="")
    assert early.pk < row.pk
    assert sort_of(row, clerk) == Sort.FRESH
    NotificationFactory(status=Status.ACCEPTED, ticket=ticket, event_name="Other")
    assert sort_of(row, clerk) == Sort.FRESH
    NotificationFactory(status=Status.ACCEPTED, ticket=ticket)
    assert sort_of(row, clerk) == Sort.ACCEPTED_LATER
    assert sort_of(other, clerk) == Sort.FRESH


@pytest.mark.parametrize("status", [Status.PENDING, Status.ACCEPTED])
def test_a_row_that_was_resent_as_another_is_sorted_apart(status, clerk):
    row = NotificationFactory(status=Status.REJECTED)
    NotificationFactory(status=status, resend_of=row)
    assert sort_of(row, clerk) == Sort.ACCEPTED


def test_a_record_that_is_as_it_was_gives_the_same_message(clerk):
    _ticket, row = saved_ticket(phone="206-555-0142")
    assert sort_of(rejected(row), clerk) == Sort.FRESH


def test_a_record_that_changed_is_noticed(clerk):
    ticket, row = saved_ticket(phone="206-555-0142")
    ticket.agent.name = "Someone else"
    ticket.agent.save()
    assert sort_of(rejected(row), clerk) == Sort.CHANGED


def test_a_record_that_is_gone_has_changed(clerk):
    ticket, row = saved_ticket(phone="206-555-0142")
    ticket.delete()
    assert sort_of(rejected(row), clerk) == Sort.CHANGED


def test_a_customer_who_has_no_phone_any_more_is_sorted_apart(clerk):
    ticket, row = saved_ticket(phone="206-555-0142")
    ticket.customer.phone = ""
    ticket.customer.save()
    assert sort_of(rejected(row), clerk) == Sort.NO_PHONE


def test_what_could_not_be_built_waits_for_its_record_to_be_mended(clerk):
    ticket, row = saved_ticket(phone="")
    assert row.status == Status.INVALID
    assert sort_of(row, clerk) == Sort.NO_PHONE
    ticket.customer.phone = "206-555-0142"
    ticket.customer.save()
    assert sort_of(row, clerk) == Sort.FRESH
    resend(row, seen=version(row), user_id=None)
    assert sort_of(row, clerk) == Sort.ACCEPTED


def test_a_person_who_was_scrubbed_is_sent_nothing(clerk):
    row = NotificationFactory(status=Status.REJECTED, phone_number="206-555-0142")
    scrub(phone_number="206-555-0142")
    assert sort_of(row, clerk) == Sort.IMPOSSIBLE


def test_the_number_of_queries_to_sort_does_not_grow_with_the_rows(
    clerk, django_assert_max_num_queries
):
    for _ in range(3):
        rejected(saved_ticket(phone="206-555-0142")[1])
    first = Notification.objects.earliest("pk")
    with django_assert_max_num_queries(30) as one:
        drafted(clerk, Notification.objects.filter(pk=first.pk))
    with django_assert_max_num_queries(len(one)):
        drafted(clerk)


def test_too_many_rows_are_refused(clerk, monkeypatch):
    monkeypatch.setattr(batches, "AT_MOST", 3)
    NotificationFactory.create_batch(3, status=Status.REJECTED)
    assert drafted(clerk).total == 3
    NotificationFactory(status=Status.REJECTED)
    with pytest.raises(NotPossible, match="More than 3 notifications match"):
        drafted(clerk)


def test_rows_of_more_than_two_weeks_ago_are_refused(clerk):
    NotificationFactory(status=Status.REJECTED)
    NotificationFactory(status=Status.REJECTED, created_at=timezone.now() - timedelta(days=15))
    with pytest.raises(NotPossible, match="1 of 2 were recorded more than 14 days ago"):
        drafted(clerk)


def test_nothing_makes_no_batch(clerk):
    with pytest.raises(NotPossible):
        drafted(clerk)
    assert not ResendBatch.objects.exists()


def test_the_batch_keeps_up_to_where_it_reaches(clerk):
    rows = NotificationFactory.create_batch(2, status=Status.REJECTED)
    batch = drafted(clerk)
    later_row = NotificationFactory(status=Status.REJECTED)
    assert batch.highest_id == rows[-1].pk
    assert batch.until <= timezone.now()
    batches.confirm(batch, sorts=[Sort.FRESH], reason="why", pace=300)
    later(batch, seconds=61)
    batches.advance()
    later_row.refresh_from_db()
    assert later_row.status == Status.REJECTED


# From the confirmation to the end.


def test_what_was_not_confirmed_is_never_queued_and_goes_after_an_hour(clerk):
    NotificationFactory(status=Status.REJECTED)
    batch = drafted(clerk)
    assert batches.advance() == 0
    assert statuses() == [Status.REJECTED]
    ResendBatch.objects.filter(pk=batch.pk).update(
        created_at=timezone.now() - timedelta(minutes=61)
    )
    assert batches.advance() == 0
    assert not ResendBatch.objects.exists()
    assert not BatchRow.objects.exists()


def test_more_than_one_needs_a_reason(clerk):
    NotificationFactory(status=Status.REJECTED)
    batches.confirm(drafted(clerk), sorts=[Sort.FRESH], reason="", pace=60)
    NotificationFactory(status=Status.REJECTED)
    with pytest.raises(NotPossible, match="Give a reason"):
        batches.confirm(drafted(clerk), sorts=[Sort.FRESH], reason="", pace=60)


@pytest.mark.parametrize("sorts", [[], [Sort.ACCEPTED], [Sort.SCHEDULED], ["nonsense"]])
def test_nothing_that_can_be_sent_is_no_batch(sorts, clerk):
    NotificationFactory(status=Status.REJECTED)
    NotificationFactory()
    batch = drafted(clerk)
    with pytest.raises(NotPossible, match="Nothing is ticked"):
        batches.confirm(batch, sorts=sorts, reason="why", pace=60)
    batch.refresh_from_db()
    assert batch.state == State.DRAFT


def test_a_batch_is_confirmed_once(clerk):
    NotificationFactory(status=Status.REJECTED)
    batch = confirmed(clerk)
    starts_at = batch.starts_at
    with pytest.raises(NotPossible, match="confirmed already"):
        batches.confirm(batch, sorts=[Sort.FRESH], reason="again", pace=60)
    batch.refresh_from_db()
    assert (batch.starts_at, batch.reason) == (starts_at, "the API was down")


def test_nothing_is_queued_within_the_minute_of_undoing(clerk):
    NotificationFactory(status=Status.REJECTED)
    batch = confirmed(clerk)
    later(batch, seconds=55)
    assert batches.advance() == 0
    assert statuses() == [Status.REJECTED]
    later(batch, seconds=6)
    assert batches.advance() == 1
    assert statuses() == [Status.PENDING]


def test_a_batch_is_queued_by_a_sweep_and_sent_and_reported(clerk, outbox):
    rows = NotificationFactory.create_batch(3, status=Status.REJECTED)
    batch = started(clerk)
    deliver()
    assert len(outbox) == 3
    batch.refresh_from_db()
    assert (batch.state, batch.queued, batch.skipped) == (State.DONE, 3, 0)
    assert batch.finished_at is not None
    told = batches.report(batch)
    assert (told.queued, told.accepted, told.waiting, told.failed) == (3, 3, 0, 0)
    (attempt,) = rows[0].attempt_set.all()
    assert attempt.actor == clerk


def test_a_batch_keeps_its_pace(clerk):
    NotificationFactory.create_batch(12, status=Status.REJECTED)
    batch = started(clerk, pace=ResendBatch.Pace.SLOW)
    assert batches.advance() == 5
    assert batches.advance() == 0
    later(batch, seconds=6)
    assert batches.advance() == 2
    later(batch, seconds=3600)
    assert batches.advance() == 5
    batch.refresh_from_db()
    assert batch.state == State.DONE


def test_what_nobody_advanced_for_long_is_caught_up_for_a_minute_at_most(clerk):
    NotificationFactory.create_batch(30, status=Status.REJECTED)
    batch = started(clerk, pace=ResendBatch.Pace.SLOW)
    batches.advance()
    later(batch, seconds=3600)
    assert batches.advance() == 20


def test_a_sort_that_was_not_ticked_is_left_alone(clerk):
    NotificationFactory(status=Status.REJECTED)
    NotificationFactory(status=Status.UNKNOWN)
    NotificationFactory(status=Status.ACCEPTED)
    started(clerk)
    assert batches.advance() == 1
    assert statuses() == [Status.PENDING, Status.UNKNOWN, Status.ACCEPTED]


def test_the_accepted_that_were_ticked_are_sent_as_new_rows(clerk):
    row = NotificationFactory(status=Status.ACCEPTED)
    batch = started(clerk, sorts=[Sort.ACCEPTED])
    deliver()
    new = Notification.objects.get(resend_of=row)
    assert (new.status, new.payload) == (Status.ACCEPTED, row.payload)
    assert batches.report(batch).accepted == 1
    assert batch.rows.get().sent_as == new


def test_rows_that_changed_meanwhile_are_skipped_and_counted_with_the_reason(clerk):
    gone, tried, sent, left = NotificationFactory.create_batch(4, status=Status.REJECTED)
    batch = started(clerk)
    Notification.objects.filter(pk=tried.pk).update(attempts=2)
    Notification.objects.filter(pk=sent.pk).update(status=Status.ACCEPTED)
    Notification.objects.filter(pk=gone.pk).delete()
    assert batches.advance() == 1
    assert statuses() == [Status.REJECTED, Status.ACCEPTED, Status.PENDING]
    told = batches.report(batch)
    assert told.skipped == {"pruned": 1, "tried_since": 1, "now_accepted": 1}
    assert (told.queued, told.left) == (1, 0)
    batch.refresh_from_db()
    assert (batch.queued, batch.skipped, batch.state) == (1, 3, State.DONE)
    left.refresh_from_db()
    assert left.requested_by == clerk


def test_two_batches_of_the_same_rows_send_them_once(clerk, outbox):
    NotificationFactory.create_batch(3, status=Status.REJECTED)
    first, second = started(clerk), started(clerk)
    deliver()
    deliver()
    assert len(outbox) == 3
    assert batches.report(first).queued == 3
    assert sum(batches.report(second).skipped.values()) == 3


def test_what_was_cancelled_queues_no_more(clerk):
    NotificationFactory.create_batch(8, status=Status.REJECTED)
    batch = started(clerk, pace=ResendBatch.Pace.SLOW)
    batches.advance()
    batches.cancel(batch, user_id=clerk.pk)
    later(batch, seconds=60)
    assert batches.advance() == 0
    assert statuses().count(Status.PENDING) == 5
    assert (batch.state, batch.cancelled_by) == (State.CANCELLED, clerk)
    assert batches.report(batch).left == 3
    with pytest.raises(NotPossible, match="ended already"):
        batches.cancel(batch, user_id=clerk.pk)


def test_what_was_undone_within_the_minute_was_never_queued(clerk, outbox):
    NotificationFactory(status=Status.REJECTED)
    batch = confirmed(clerk)
    batches.cancel(batch, user_id=clerk.pk)
    later(batch, seconds=3600)
    deliver()
    assert outbox == []
    assert statuses() == [Status.REJECTED]


def test_a_report_tells_what_failed_again_and_what_has_left_the_log(clerk):
    failed, pruned = NotificationFactory.create_batch(2, status=Status.REJECTED)
    batch = started(clerk)
    batches.advance()
    Notification.objects.filter(pk=failed.pk).update(status=Status.REJECTED)
    Notification.objects.filter(pk=pruned.pk).delete()
    told = batches.report(batch)
    assert (told.queued, told.accepted, told.failed, told.pruned) == (2, 0, 1, 1)


def test_old_batches_go_with_the_log(clerk):
    NotificationFactory(status=Status.REJECTED)
    batch = started(clerk)
    batches.advance()
    prune(timedelta(days=1))
    assert ResendBatch.objects.exists()
    ResendBatch.objects.filter(pk=batch.pk).update(finished_at=timezone.now() - timedelta(days=2))
    prune(timedelta(days=1))
    assert not ResendBatch.objects.exists()
    assert not BatchRow.objects.exists()


def test_a_failure_while_a_batch_is_queued_stops_no_delivery(clerk, outbox, monkeypatch, caplog):
    NotificationFactory()
    row = NotificationFactory(status=Status.REJECTED)
    started(clerk, Notification.objects.filter(pk=row.pk))
    monkeypatch.setattr(batches, "AT_ONCE", "no number")
    deliver()
    assert len(outbox) == 1
    assert "advance failed (TypeError)" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_queue_each_row_once_and_keep_the_pace(settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "worker"}
    clerk = StaffFactory()
    NotificationFactory.create_batch(40, status=Status.ACCEPTED)
    batch = started(clerk, sorts=[Sort.ACCEPTED], pace=ResendBatch.Pace.STEADY)
    at_once = 4
    ready = threading.Barrier(at_once)
    queued = []

    def advance():
        ready.wait()
        queued.append(batches.advance())
        connection.close()

    for _round in range(4):
        threads = [threading.Thread(target=advance) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        later(batch, seconds=10)
    batch.refresh_from_db()
    assert sum(queued) == batch.queued == 40
    assert batch.state == State.DONE
    again = Notification.objects.filter(resend_of__isnull=False)
    assert again.count() == again.values("resend_of").distinct().count() == 40


@pytest.mark.django_db(transaction=True)
def test_a_person_and_a_batch_at_the_same_moment_send_a_row_once(settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "worker"}
    clerk = StaffFactory()
    rows = NotificationFactory.create_batch(10, status=Status.ACCEPTED)
    started(clerk, sorts=[Sort.ACCEPTED])
    ready = threading.Barrier(2)
    by_hand = []

    def sweep():
        ready.wait()
        batches.advance()
        connection.close()

    def click():
        ready.wait()
        for row in reversed(rows):
            try:
                resend(row, seen="accepted:1:0", user_id=clerk.pk)
            except NotPossible:
                continue
            by_hand.append(row)
        connection.close()

    threads = [threading.Thread(target=sweep), threading.Thread(target=click)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Notification.objects.filter(resend_of__isnull=False).count() == 10
    assert ResendBatch.objects.get().queued == 10 - len(by_hand)
