"""Channels that stop: by a person, by their breaker, and for as long as a 429 asks."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from chatitive_django import channels, log, signals
from chatitive_django.lanes import Lane
from chatitive_django.models import Attempt, Channel, Notification
from chatitive_django.worker import deliver
from tests.factories import NotificationFactory, StaffFactory
from tests.fault_server import (
    FaultServer,
    answer,
    answer_in_turn,
    closed_port,
    reset_after,
    response,
)

pytestmark = pytest.mark.django_db(transaction=True)
Status = Notification.Status
LEASE = timedelta(seconds=60)


@pytest.fixture(autouse=True)
def nothing_is_there(channel):
    channel(closed_port())


@pytest.fixture
def heard():
    """The app's signals of channels as they come, by name."""
    names = ["channel_paused", "channel_resumed", "breaker_opened", "breaker_closed"]
    told = []

    def listen(signal, channel, **kwargs):
        told.append(
            (next(name for name in names if getattr(signals, name) is signal), str(channel))
        )

    for name in names:
        getattr(signals, name).connect(listen)
    yield told
    for name in names:
        getattr(signals, name).disconnect(listen)


def statuses():
    return list(Notification.objects.order_by("id").values_list("status", flat=True))


def let_the_probe_be_due():
    Channel.objects.update(probe_at=timezone.now() - timedelta(seconds=1))


def make_due():
    Notification.objects.filter(status=Status.PENDING).update(
        available_at=timezone.now() - timedelta(hours=1)
    )


# Pause


def test_a_paused_channel_sends_nothing_until_it_is_resumed(channel, heard):
    NotificationFactory.create_batch(3)
    user = StaffFactory()
    with FaultServer(answer(202)) as server:
        channel(server.port)
        assert channels.pause("default", reason="wrong texts", user_id=user.pk)
        assert not channels.pause("default")
        deliver()
        assert (server.requests, statuses()) == ([], [Status.PENDING] * 3)
        paused = Channel.objects.get()
        assert (paused.paused_by, paused.pause_reason) == (user, "wrong texts")
        assert channels.resume("default")
        assert not channels.resume("default")
        deliver()
    assert statuses() == [Status.ACCEPTED] * 3
    assert heard == [("channel_paused", "default"), ("channel_resumed", "default")]


def test_a_pause_holds_its_own_channel_only(settings):
    settings.CHATITIVE = {
        "API_URLS": {"default": "locmem://", "other": "locmem://"},
        "DISPATCHER": "worker",
    }
    NotificationFactory()
    NotificationFactory(channel="other")
    channels.pause("default")
    deliver()
    assert statuses() == [Status.PENDING, Status.ACCEPTED]


def test_the_time_under_a_pause_ages_no_message():
    now = timezone.now()
    before = NotificationFactory(
        created_at=now - timedelta(hours=5), expires_at=now - timedelta(hours=1)
    )
    during = NotificationFactory(
        created_at=now - timedelta(hours=1), expires_at=now + timedelta(hours=2)
    )
    channels.pause("default")
    Channel.objects.update(stopped_at=now - timedelta(hours=3))
    assert log.expire() == 0
    channels.resume("default")
    before.refresh_from_db()
    during.refresh_from_db()
    assert before.expires_at - (now + timedelta(hours=2)) < timedelta(seconds=10)
    assert during.expires_at - (now + timedelta(hours=3)) < timedelta(seconds=10)
    assert before.expires_at >= now + timedelta(hours=2)
    assert during.expires_at >= now + timedelta(hours=3)
    assert log.expire() == 0


def test_a_rolled_back_pause_pauses_nothing_and_tells_nobody(heard):
    with pytest.raises(RuntimeError), transaction.atomic():
        channels.pause("default")
        raise RuntimeError
    assert not channels.held().exists()
    assert heard == []


# The breaker


@pytest.mark.parametrize(
    "refusal", [answer(401), answer(403), answer(302, headers={"Location": "/"})]
)
def test_a_configuration_error_stops_the_channel_and_costs_no_attempt(
    channel, heard, caplog, refusal
):
    NotificationFactory.create_batch(5)
    with FaultServer(refusal) as server:
        channel(server.port, CONCURRENCY=1)
        deliver()
        make_due()
        deliver()
    assert len(server.requests) == 1
    assert statuses() == [Status.PENDING] * 5
    assert set(Notification.objects.values_list("attempts", flat=True)) == {0}
    assert Attempt.objects.get().outcome == "configuration"
    opened = Channel.objects.get()
    assert opened.breaker_reason.startswith("http_")
    assert heard == [("breaker_opened", "default")]
    [error] = [entry for entry in caplog.records if entry.levelname == "ERROR"]
    assert "breaker of channel default opened" in error.getMessage()


def test_one_probe_each_interval_tries_and_a_good_answer_lets_all_go_on(channel, heard):
    NotificationFactory.create_batch(4)
    with FaultServer(answer_in_turn(401, 401, 202)) as server:
        channel(server.port, CONCURRENCY=1, PROBE_INTERVAL=30)
        for calls in (1, 2):
            deliver()
            deliver()
            assert len(server.requests) == calls
            make_due()
            let_the_probe_be_due()
        deliver()
    assert statuses() == [Status.ACCEPTED] * 4
    assert set(Notification.objects.values_list("attempts", flat=True)) == {1}
    assert len(server.requests) == 6
    assert heard == [("breaker_opened", "default"), ("breaker_closed", "default")]
    assert Channel.objects.get().stopped_at is None


def test_only_one_worker_takes_the_probe():
    NotificationFactory.create_batch(2)
    channels.open_breaker("default", "http_401", timedelta(seconds=30))
    assert channels.take_probe("default", timedelta(seconds=30)) is None
    let_the_probe_be_due()
    assert channels.take_probe("default", timedelta(seconds=30)) is not None
    assert channels.take_probe("default", timedelta(seconds=30)) is None


def test_an_api_that_cannot_be_reached_is_left_alone_after_ten_calls(channel):
    NotificationFactory.create_batch(30)
    channel(closed_port(), CONCURRENCY=1)
    deliver()
    assert Attempt.objects.count() == 10
    assert statuses() == [Status.PENDING] * 30
    assert Channel.objects.get().breaker_reason == "connection_refused"


def test_calls_without_an_answer_stop_before_every_message_is_in_doubt(channel):
    NotificationFactory.create_batch(30)
    with FaultServer(reset_after()) as server:
        channel(server.port, CONCURRENCY=1)
        deliver()
    assert statuses().count(Status.UNKNOWN) == 10
    assert statuses().count(Status.PENDING) == 20


@pytest.mark.parametrize("status", [404, 405, 410])
def test_an_address_refused_for_three_subscribers_rejects_no_more(channel, status):
    NotificationFactory.create_batch(6)
    with FaultServer(answer(status)) as server:
        channel(server.port, CONCURRENCY=1)
        deliver()
        assert len(server.requests) == 3
        make_due()
        let_the_probe_be_due()
        deliver()
    assert len(server.requests) == 4
    assert statuses().count(Status.REJECTED) == 2
    assert statuses().count(Status.PENDING) == 4


def test_an_address_refused_for_one_subscriber_rejects_that_ones_messages(channel):
    NotificationFactory.create_batch(6, phone_number="206-555-0100")
    with FaultServer(answer(404)) as server:
        channel(server.port, CONCURRENCY=1)
        deliver()
    assert statuses() == [Status.REJECTED] * 6
    assert not channels.held().exists()


def test_a_probe_may_be_a_message_whose_time_ran_out_meanwhile(channel):
    now = timezone.now()
    late = NotificationFactory(
        created_at=now - timedelta(hours=5), expires_at=now - timedelta(hours=1)
    )
    channels.open_breaker("default", "http_401", timedelta(seconds=30))
    Channel.objects.update(stopped_at=now - timedelta(hours=3))
    let_the_probe_be_due()
    with FaultServer(answer(202)) as server:
        channel(server.port)
        deliver()
    late.refresh_from_db()
    assert (late.status, len(server.requests)) == (Status.ACCEPTED, 1)


@pytest.mark.parametrize("status", [500, 503, 408])
def test_a_probe_that_is_turned_away_gets_its_time_back_with_the_others(channel, status):
    now = timezone.now()
    created, expires = now - timedelta(hours=5), now - timedelta(hours=1)
    probe = NotificationFactory(created_at=created, expires_at=expires)
    channels.open_breaker("default", "http_401", timedelta(seconds=30))
    Channel.objects.update(stopped_at=now - timedelta(hours=3))
    let_the_probe_be_due()
    with FaultServer(answer(status)) as server:
        channel(server.port)
        deliver()
        assert len(server.requests) == 1
    probe.refresh_from_db()
    assert not channels.held().exists()
    assert probe.status == Status.PENDING
    assert timedelta(0) <= probe.expires_at - (expires + timedelta(hours=3)) < timedelta(seconds=10)


def test_a_pause_keeps_probes_back_and_the_time_is_given_back_once(channel):
    now = timezone.now()
    row = NotificationFactory(created_at=now - timedelta(hours=9), expires_at=now)
    channels.open_breaker("default", "http_401", timedelta(seconds=30))
    channels.pause("default")
    Channel.objects.update(stopped_at=now - timedelta(hours=2))
    let_the_probe_be_due()
    with FaultServer(answer(202)) as server:
        channel(server.port)
        deliver()
        assert server.requests == []
        channels.close_breaker("default")
        assert channels.held().exists()
        channels.resume("default")
    row.refresh_from_db()
    assert timedelta(0) <= row.expires_at - (now + timedelta(hours=2)) < timedelta(seconds=10)


def test_resume_has_an_open_breaker_probed_at_once(channel):
    NotificationFactory()
    channels.open_breaker("default", "http_401", timedelta(seconds=30))
    assert channels.resume("default")
    with FaultServer(answer(202)) as server:
        channel(server.port)
        deliver()
    assert statuses() == [Status.ACCEPTED]


def test_what_waits_for_its_next_try_serves_as_a_probe_where_nothing_else_is_due(channel):
    NotificationFactory(available_at=timezone.now() + timedelta(minutes=20))
    channels.open_breaker("default", "connection_refused", timedelta(0))
    with FaultServer(answer(202)) as server:
        channel(server.port)
        deliver()
    assert statuses() == [Status.ACCEPTED]


def test_an_open_breaker_uses_up_nothing_that_people_asked_for(channel):
    expired = []

    def listen(notification, **kwargs):
        expired.append(notification.pk)

    signals.notification_expired.connect(listen)
    NotificationFactory.create_batch(12, requested_by=StaffFactory())
    channel(closed_port(), CONCURRENCY=1)
    deliver()
    for _ in range(5):
        let_the_probe_be_due()
        deliver()
    signals.notification_expired.disconnect(listen)
    assert Counter(statuses()) == {Status.EXPIRED: 9, Status.PENDING: 3}
    assert len(expired) == 9


# Too many requests


def test_a_429_has_the_whole_channel_wait_and_costs_no_attempt(channel):
    NotificationFactory.create_batch(3)
    with FaultServer(answer_in_turn(429, 202)) as server:
        channel(server.port, CONCURRENCY=1)
        deliver()
        make_due()
        deliver()
        assert len(server.requests) == 1
        assert channels.held().exists()
        Channel.objects.update(slowed_until=timezone.now() - timedelta(seconds=1))
        deliver()
    assert statuses() == [Status.ACCEPTED] * 3
    assert set(Notification.objects.values_list("attempts", flat=True)) == {1}


@pytest.mark.parametrize("header", ["seconds", "date"])
def test_a_429_is_heeded_for_as_long_as_it_asks(channel, header):
    NotificationFactory()
    date = (timezone.now() + timedelta(seconds=1800)).astimezone(timezone.get_fixed_timezone(0))
    value = "1800" if header == "seconds" else date.strftime("%a, %d %b %Y %H:%M:%S GMT")
    with FaultServer(answer(429, headers={"Retry-After": value})) as server:
        channel(server.port)
        deliver()
    wait = Channel.objects.get().slowed_until - timezone.now()
    assert timedelta(minutes=29) < wait <= timedelta(minutes=30, seconds=1)


def test_a_shorter_wait_does_not_cut_a_longer_one_short():
    channels.slow("default", timedelta(hours=1))
    channels.slow("default", timedelta(seconds=5))
    assert Channel.objects.get().slowed_until > timezone.now() + timedelta(minutes=59)


# A subscriber with thousands of messages


class Hand:
    """Answers the subscriber's nth call when as many calls for others have come, of 40 in all."""

    def __init__(self, subscriber):
        self.subscriber = subscriber
        self.own = self.others = 0
        self.gave_up = False
        self.turn = threading.Condition()

    def __call__(self, peer):
        while request := peer.read_request():
            with self.turn:
                if request.json["phone_number"] != self.subscriber:
                    self.others += 1
                    self.turn.notify_all()
                else:
                    self.own += 1
                    self.wait_for(min(self.own, 40))
            peer.send(response(202))

    def wait_for(self, others):
        self.gave_up = self.gave_up or not self.turn.wait_for(
            lambda: self.others >= others, timeout=20
        )


def test_a_subscriber_with_many_messages_does_not_hold_up_the_others(channel):
    NotificationFactory.create_batch(300, phone_number="206-555-0100")
    others = NotificationFactory.create_batch(40)
    hand = Hand("206-555-0100")
    with FaultServer(hand) as server:
        channel(server.port, CONCURRENCY=4)
        deliver()
    assert set(statuses()) == {Status.ACCEPTED}
    keys = [request.headers["idempotency-key"] for request in server.requests]
    assert len(keys) == len(set(keys)) == 340
    assert not hand.gave_up
    last_other = max(keys.index(str(row.public_id)) for row in others)
    assert last_other < 100
    hot = [
        request.headers["idempotency-key"]
        for request in server.requests
        if request.json["phone_number"] == "206-555-0100"
    ]
    in_order = Notification.objects.filter(phone_number="206-555-0100").order_by("id")
    assert hot == [str(row.public_id) for row in in_order]


def test_what_was_passed_over_is_looked_at_again():
    NotificationFactory.create_batch(150, phone_number="206-555-0100")
    NotificationFactory.create_batch(3)
    lane = Lane("default")
    [first, _] = lane.claim(2, LEASE)
    assert lane._place is not None
    Notification.objects.filter(pk=first.pk).update(
        status=Status.ACCEPTED, finished_at=timezone.now()
    )
    [beyond] = lane.claim(1, LEASE)
    assert beyond.phone_number != "206-555-0100"
    lane._look_again_at = 0
    [second] = lane.claim(1, LEASE)
    assert second.phone_number == "206-555-0100"


def test_where_nothing_is_left_beyond_a_place_the_line_is_taken_from_its_start():
    NotificationFactory.create_batch(150, phone_number="206-555-0100")
    NotificationFactory()
    lane = Lane("default")
    [first, _] = lane.claim(2, LEASE)
    assert lane._place is not None
    Notification.objects.filter(pk=first.pk).update(
        status=Status.ACCEPTED, finished_at=timezone.now()
    )
    [second] = lane.claim(1, LEASE)
    assert second.phone_number == "206-555-0100"
