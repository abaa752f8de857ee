"""What the app tells others, and the question that it asks before it sends."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from chatitive_django import log, notify, signals
from chatitive_django.models import Attempt, Channel, Notification
from chatitive_django.worker import deliver
from tests.factories import NotificationFactory, TicketFactory
from tests.fault_server import FaultServer, answer, closed_port, reset_after

pytestmark = pytest.mark.django_db(transaction=True)
Status = Notification.Status


@pytest.fixture(autouse=True)
def nothing_is_there(channel):
    channel(closed_port())


@contextmanager
def hearing(*names):
    """What the named signals tell meanwhile: the name and the notification's status."""
    told, receivers = [], []
    for name in names:

        def listen(signal, notification, using, name=name, **kwargs):
            assert using == "default"
            told.append((name, notification.status, notification.event_name))

        getattr(signals, name).connect(listen)
        receivers.append((getattr(signals, name), listen))
    try:
        yield told
    finally:
        for signal, receiver in receivers:
            signal.disconnect(receiver)


@contextmanager
def asked(answer):
    """Have a receiver of `should_send` give this answer, or raise it."""

    def receiver(notification, **kwargs):
        if isinstance(answer, Exception):
            raise answer
        return answer(notification) if callable(answer) else answer

    signals.should_send.connect(receiver)
    try:
        yield
    finally:
        signals.should_send.disconnect(receiver)


# Told


def test_a_recorded_notification_is_told_after_its_commit():
    with hearing("notification_recorded") as told:
        with transaction.atomic():
            notify("Hello", phone_number="206-555-0100")
            notify("Nobody")
            assert told == []
        assert told == [
            ("notification_recorded", Status.PENDING, "Hello"),
            ("notification_recorded", Status.INVALID, "Nobody"),
        ]


def test_what_is_rolled_back_is_not_told():
    ticket = TicketFactory()
    with hearing("notification_recorded") as told:
        with pytest.raises(RuntimeError), transaction.atomic():
            ticket.status = "Success"
            ticket.save()
            raise RuntimeError
        ticket.save()
    assert [event for _, _, event in told] == ["RequestSupportFeedback"]


@pytest.mark.parametrize(
    ("behaviour", "name"),
    [
        (answer(202), "notification_accepted"),
        (answer(400), "notification_rejected"),
        (reset_after(), "notification_unknown"),
        (answer(503), None),
    ],
)
def test_each_way_to_end_has_its_signal_beside_that_of_every_attempt(channel, behaviour, name):
    row = NotificationFactory()
    with (
        FaultServer(behaviour) as server,
        hearing(
            "notification_settled",
            "notification_accepted",
            "notification_rejected",
            "notification_unknown",
            "notification_skipped",
            "notification_expired",
        ) as told,
    ):
        channel(server.port)
        deliver()
    row.refresh_from_db()
    expected = ["notification_settled"] + ([name] if name else [])
    assert told == [(each, row.status, row.event_name) for each in expected]


def test_each_expired_notification_is_told_and_logged(caplog):
    rows = NotificationFactory.create_batch(3, expires_at=timezone.now() - timedelta(seconds=1))
    with hearing("notification_expired") as told:
        assert log.expire() == 3
    assert told == [("notification_expired", Status.EXPIRED, rows[0].event_name)] * 3
    assert all(str(row.public_id) in caplog.text for row in rows)


def test_a_receiver_that_raises_stops_no_delivery(channel, caplog):
    NotificationFactory.create_batch(2)

    def fail(**kwargs):
        raise RuntimeError

    signals.notification_accepted.connect(fail)
    try:
        with FaultServer(answer(202)) as server:
            channel(server.port)
            deliver()
    finally:
        signals.notification_accepted.disconnect(fail)
    assert not Notification.objects.exclude(status=Status.ACCEPTED).exists()
    assert "RuntimeError" in caplog.text


# Asked


@pytest.mark.parametrize(("said", "explanation"), [(False, ""), ("opted out on Monday",) * 2])
def test_a_receiver_may_keep_a_message_back_at_the_last_moment(channel, said, explanation):
    row = NotificationFactory()
    with FaultServer() as server, asked(said), hearing("notification_skipped") as told:
        channel(server.port)
        deliver()
    row.refresh_from_db()
    assert (row.status, row.reason, row.explanation) == (Status.SKIPPED, "vetoed", explanation)
    assert row.reason_sentence
    assert row.finished_at is not None
    assert server.requests == []
    assert Attempt.objects.get().outcome == "not_sent"
    assert told == [("notification_skipped", Status.SKIPPED, row.event_name)]


@pytest.mark.parametrize("said", [None, True])
def test_a_receiver_that_has_no_objection_lets_it_go(channel, said):
    NotificationFactory()
    with FaultServer(answer(202)) as server, asked(said):
        channel(server.port)
        deliver()
    assert Notification.objects.get().status == Status.ACCEPTED


def test_only_the_message_that_is_objected_to_is_kept_back(channel):
    rows = NotificationFactory.create_batch(3)
    with FaultServer(answer(202)) as server, asked(lambda row: row.pk != rows[1].pk):
        channel(server.port)
        deliver()
    statuses = Notification.objects.order_by("id").values_list("status", flat=True)
    assert list(statuses) == [Status.ACCEPTED, Status.SKIPPED, Status.ACCEPTED]


def test_where_the_question_fails_nothing_is_sent_and_it_is_asked_again(channel):
    rows = NotificationFactory.create_batch(12)
    with FaultServer(answer(202)) as server:
        channel(server.port)
        with asked(RuntimeError("206-555-0100")):
            deliver()
        assert server.requests == []
        assert set(Notification.objects.values_list("status", "reason")) == {
            (Status.PENDING, "veto_failed")
        }
        assert not Channel.objects.exists()
        Notification.objects.update(available_at=timezone.now() - timedelta(hours=1))
        deliver()
    assert len(server.requests) == len(rows)


def test_the_question_is_asked_outside_of_any_transaction(channel):
    NotificationFactory()
    inside = []

    def look(notification):
        inside.append(transaction.get_connection().in_atomic_block)

    with FaultServer(answer(202)) as server, asked(look):
        channel(server.port)
        deliver()
    assert inside == [False]
