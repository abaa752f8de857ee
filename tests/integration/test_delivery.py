"""What becomes of a recorded notification: claimed, posted over real HTTP, settled, rescued."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from chatitive_django import log, notify
from chatitive_django.dbtime import DatabaseNow
from chatitive_django.models import Attempt, Heartbeat, Notification
from chatitive_django.outcomes import Outcome, Result
from chatitive_django.retry import Decision
from chatitive_django.signals import notification_settled, should_send
from chatitive_django.statements import takes_several
from chatitive_django.worker import Worker, deliver
from tests.factories import StaffFactory
from tests.fault_server import (
    FaultServer,
    answer,
    answer_in_turn,
    closed_port,
    reset_after,
    response,
    stall_at_once,
)

pytestmark = pytest.mark.django_db(transaction=True)
Status = Notification.Status
LEASE = timedelta(seconds=60)


@pytest.fixture(autouse=True)
def nothing_delivers_by_itself(settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "worker"}


def record(**options):
    options.setdefault("phone_number", "206-555-0100")
    return notify("Hello", payload={"n": 1}, **options)


def make_due():
    """Let the wait of every pending row be over."""
    Notification.objects.filter(status=Status.PENDING).update(
        available_at=timezone.now() - timedelta(hours=1)
    )


def test_a_recorded_notification_is_posted_and_accepted(channel):
    row = record()
    with FaultServer(answer(202)) as server:
        channel(server.port)
        deliver()
    row.refresh_from_db()
    assert (row.status, row.attempts, row.lease_token) == (Status.ACCEPTED, 1, None)
    assert row.finished_at >= row.created_at
    [request] = server.requests
    assert request.path == "/v2/account/channels/CHANNEL/subscribers/events/notify"
    assert request.headers["idempotency-key"] == str(row.public_id)
    assert request.json == {
        "event_name": "Hello",
        "phone_number": "206-555-0100",
        "allow_new": False,
        "subscribe_new": False,
        "payload": {"n": 1},
    }
    attempt = Attempt.objects.get()
    assert (attempt.number, attempt.outcome, attempt.http_status) == (1, "accepted", 202)


@pytest.mark.parametrize(
    ("behaviour", "on_ambiguous", "status", "reason"),
    [
        (answer(202), "hold", Status.ACCEPTED, ""),
        (answer(200), "hold", Status.ACCEPTED, ""),
        (answer(408), "hold", Status.PENDING, "http_408"),
        (answer(425), "hold", Status.PENDING, "http_425"),
        (answer(429), "hold", Status.PENDING, "http_429"),
        (answer(500), "hold", Status.PENDING, "http_500"),
        (answer(503), "hold", Status.PENDING, "http_503"),
        (answer(401), "hold", Status.PENDING, "http_401"),
        (answer(403), "hold", Status.PENDING, "http_403"),
        (answer(302, headers={"Location": "/"}), "hold", Status.PENDING, "http_302"),
        (answer(400), "hold", Status.REJECTED, "http_400"),
        (answer(404), "hold", Status.REJECTED, "http_404"),
        (answer(422), "hold", Status.REJECTED, "http_422"),
        (answer(502), "hold", Status.UNKNOWN, "http_502"),
        (answer(504), "retry", Status.PENDING, "http_504"),
        (reset_after(), "hold", Status.UNKNOWN, "connection_lost"),
        (reset_after(), "retry", Status.PENDING, "connection_lost"),
        (stall_at_once, "hold", Status.UNKNOWN, "no_answer"),
    ],
)
def test_each_outcome_has_its_status(channel, behaviour, on_ambiguous, status, reason):
    row = record(on_ambiguous=on_ambiguous)
    with FaultServer(behaviour) as server:
        channel(server.port, CALL_TIMEOUT=0.5)
        deliver()
    row.refresh_from_db()
    assert (row.status, row.reason) == (status, reason)
    assert reason == "" or row.reason_sentence != reason
    assert (row.finished_at is None) == (status == Status.PENDING)
    assert Attempt.objects.filter(notification=row, number=1).count() == 1


def test_a_server_that_is_not_there_is_tried_again(channel):
    row = record()
    channel(closed_port())
    deliver()
    row.refresh_from_db()
    assert (row.status, row.reason, row.attempts) == (Status.PENDING, "connection_refused", 1)
    assert row.available_at > timezone.now()
    with FaultServer(answer(202)) as server:
        channel(server.port)
        deliver()
        assert server.requests == []
        make_due()
        deliver()
    row.refresh_from_db()
    assert (row.status, row.attempts) == (Status.ACCEPTED, 2)


def test_retry_after_is_heeded(channel):
    row = record()
    with FaultServer(answer(429, headers={"Retry-After": "1800"})) as server:
        channel(server.port)
        deliver()
    row.refresh_from_db()
    assert row.available_at > timezone.now() + timedelta(minutes=29)


def test_the_fifth_internal_error_holds_the_row_as_unknown(channel):
    row = record()
    with FaultServer(answer(500)) as server:
        channel(server.port)
        for _ in range(6):
            deliver()
            make_due()
    row.refresh_from_db()
    assert (row.status, row.attempts, len(server.requests)) == (Status.UNKNOWN, 5, 5)


def test_an_internal_error_after_other_failures_is_the_first_of_five(channel):
    row = record()
    with FaultServer(answer_in_turn(503, 503, 503, 503, 500, 503)) as server:
        channel(server.port)
        for _ in range(5):
            deliver()
            make_due()
    row.refresh_from_db()
    assert (row.status, row.attempts, row.reason) == (Status.PENDING, 5, "http_500")


def test_what_is_not_accepted_in_its_time_expires_and_is_not_sent(channel):
    row = record(expires_after=60)
    Notification.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with FaultServer() as server:
        channel(server.port)
        deliver()
    row.refresh_from_db()
    assert (row.status, row.reason, server.requests) == (Status.EXPIRED, "too_late", [])


def test_a_console_channel_ends_as_skipped_and_never_as_accepted(settings, capsys):
    settings.CHATITIVE = {"API_URLS": {"default": "console://"}, "DISPATCHER": "worker"}
    row = record()
    deliver()
    row.refresh_from_db()
    assert (row.status, row.reason) == (Status.SKIPPED, "printed_not_sent")
    assert "Hello to 206-555-0100" in capsys.readouterr().out


# Order


def test_a_later_notification_of_a_subscriber_waits_for_the_earlier(channel):
    rows = [record(phone_number=number) for number in ("206-555-0100", "(206) 555 0100")]
    other = record(phone_number="206-555-0199")
    with FaultServer(answer_in_turn(503, 202)) as server:
        channel(server.port, CONCURRENCY=1)
        deliver()
        statuses = [Notification.objects.get(pk=row.pk).status for row in (*rows, other)]
        assert statuses == [Status.PENDING, Status.PENDING, Status.ACCEPTED]
        make_due()
        deliver()
    numbers = [request.json["phone_number"] for request in server.requests]
    assert numbers == ["206-555-0100", "206-555-0199", "206-555-0100", "(206) 555 0100"]


def test_an_unordered_notification_does_not_wait(channel):
    first, second = record(), record(ordered=False)
    with FaultServer(answer_in_turn(503, 202)) as server:
        channel(server.port, CONCURRENCY=1)
        deliver()
    assert Notification.objects.get(pk=first.pk).status == Status.PENDING
    assert Notification.objects.get(pk=second.pk).status == Status.ACCEPTED


# Leases


def test_a_claimed_row_is_claimed_by_nobody_else(channel):
    channel(closed_port())
    row = record()
    assert [claimed.pk for claimed in log.claim("default", 5, LEASE)] == [row.pk]
    assert log.claim("default", 5, LEASE) == []
    row.refresh_from_db()
    assert (row.status, row.attempts) == (Status.SENDING, 1)
    assert timedelta(seconds=50) < row.leased_until - timezone.now() < timedelta(seconds=70)


@pytest.mark.parametrize(
    ("on_ambiguous", "status"), [("hold", Status.UNKNOWN), ("retry", Status.PENDING)]
)
def test_a_row_whose_worker_was_lost_comes_back_after_its_lease(channel, on_ambiguous, status):
    channel(closed_port())
    row = record(on_ambiguous=on_ambiguous)
    log.claim("default", 1, LEASE)
    assert log.rescue() == 0
    Notification.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert log.rescue() == 1
    row.refresh_from_db()
    assert (row.status, row.reason, row.lease_token) == (status, "worker_lost", None)
    assert Attempt.objects.get().outcome == Attempt.LEASE_RAN_OUT


def test_a_row_rescued_three_times_is_unknown_whatever_the_policy(channel):
    channel(closed_port())
    row = record(on_ambiguous="retry")
    for _ in range(3):
        log.claim("default", 1, LEASE)
        Notification.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        log.rescue()
    row.refresh_from_db()
    assert row.status == Status.UNKNOWN


def settlement(row, outcome, status):
    return log.Settlement(
        notification=row,
        result=Result(outcome=Outcome(outcome)),
        decision=Decision(status=status),
        started_at=timezone.now(),
    )


def test_a_worker_that_slept_past_its_lease_cannot_overwrite_its_successor(channel):
    channel(closed_port())
    record(on_ambiguous="retry")
    [slept] = log.claim("default", 1, LEASE)
    Notification.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    log.rescue()
    [successor] = log.claim("default", 1, LEASE)
    log.settle([settlement(slept, "rejected", "rejected")])
    assert Notification.objects.get().lease_token == successor.lease_token
    log.settle([settlement(slept, "accepted", "accepted")])
    assert Notification.objects.get().lease_token == successor.lease_token
    log.settle([settlement(successor, "accepted", "accepted")])
    assert Notification.objects.get().status == Status.ACCEPTED


def test_late_proof_turns_unknown_into_accepted(channel):
    channel(closed_port())
    record()
    [slept] = log.claim("default", 1, LEASE)
    Notification.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    log.rescue()
    assert Notification.objects.get().status == Status.UNKNOWN
    log.settle([settlement(slept, "rejected", "rejected")])
    assert Notification.objects.get().status == Status.UNKNOWN
    log.settle([settlement(slept, "accepted", "accepted")])
    assert Notification.objects.get().status == Status.ACCEPTED


# The loop


def test_many_threads_post_many_rows_once_each(channel):
    for n in range(40):
        record(phone_number=f"206-555-01{n:02}")
    with FaultServer(answer(202, delay=0.02)) as server:
        channel(server.port)
        deliver(concurrency=8)
    keys = [request.headers["idempotency-key"] for request in server.requests]
    assert len(keys) == len(set(keys)) == 40
    assert server.connections <= 8
    assert not Notification.objects.exclude(status=Status.ACCEPTED).exists()


def test_a_stopped_worker_finishes_what_is_in_hand_and_claims_no_more(channel):
    first = record(phone_number="206-555-0100")
    second = record(phone_number="206-555-0101")
    worker = Worker(concurrency=1)

    def stop_and_answer(peer):
        while peer.read_request():
            worker.stop()
            peer.send(response(202))

    with FaultServer(stop_and_answer) as server:
        channel(server.port)
        worker.run()
    assert Notification.objects.get(pk=first.pk).status == Status.ACCEPTED
    assert Notification.objects.get(pk=second.pk).status == Status.PENDING
    assert len(server.requests) == 1


@contextmanager
def failing_to_note_an_attempt(times, *, after_commit=False):
    """Have the database fail where a result is stored: before, or when it has committed."""
    left = times
    quoted = connection.ops.quote_name(Attempt._meta.db_table)
    commit = connection._commit

    def fail(execute, sql, params, many, context):
        nonlocal left
        if not left or f"INTO {quoted}" not in sql:
            return execute(sql, params, many, context)
        left -= 1
        if after_commit:
            done = execute(sql, params, many, context)
            if connection.in_atomic_block:
                connection._commit = commit_and_fail
                return done
        raise DatabaseError("the database is restarting")

    def commit_and_fail():
        connection._commit = commit
        commit()
        raise DatabaseError("the connection is gone")

    with connection.execute_wrapper(fail):
        yield
    assert left == 0


@pytest.mark.parametrize("behaviour", [answer(202), reset_after()], ids=["plain", "unknown"])
@pytest.mark.parametrize("after_commit", [False, True])
def test_a_result_that_the_database_would_not_take_is_noted_once_when_it_does(
    channel, behaviour, after_commit
):
    row = record()
    told = []

    def listen(notification, **kwargs):
        told.append(notification.status)

    notification_settled.connect(listen)
    try:
        with FaultServer(behaviour) as server:
            channel(server.port)
            with failing_to_note_an_attempt(1 if after_commit else 3, after_commit=after_commit):
                # A claim that goes along with a result may be repeated: nothing else is due.
                deliver()
    finally:
        notification_settled.disconnect(listen)
    row.refresh_from_db()
    end = Status.UNKNOWN if row.reason else Status.ACCEPTED
    assert (row.status, row.attempts, len(server.requests)) == (end, 1, 1)
    assert (Attempt.objects.count(), told) == (1, [end])


@contextmanager
def asked_before_it_is_sent(answer_to):
    should_send.connect(answer_to)
    try:
        yield
    finally:
        should_send.disconnect(answer_to)


@pytest.mark.parametrize("gone", ["who asked for it", "its row"])
def test_a_result_that_can_no_longer_be_stored_as_it_is_keeps_no_other_back(channel, gone):
    user = StaffFactory()
    row = record()
    Notification.objects.update(requested_by=user)
    others = [record(phone_number=f"206-555-01{n:02}") for n in range(10, 13)]

    def delete(notification, **kwargs):
        if notification.pk == row.pk:
            user.delete() if gone == "who asked for it" else notification.delete()

    with FaultServer(answer(202)) as server, asked_before_it_is_sent(delete):
        channel(server.port)
        deliver()
    left = others if gone == "its row" else [row, *others]
    assert set(Notification.objects.filter(status=Status.ACCEPTED)) == set(left)
    assert list(Attempt.objects.values_list("actor", flat=True)) == [None] * len(left)
    assert len(server.requests) == 4


def test_what_a_person_asked_for_waits_where_the_question_failed(channel):
    row = record()
    Notification.objects.update(requested_by=StaffFactory())

    def fail(**kwargs):
        raise RuntimeError

    channel(closed_port())
    with asked_before_it_is_sent(fail):
        deliver()
    row.refresh_from_db()
    assert (row.status, row.reason) == (Status.PENDING, "veto_failed")


def run_apart(worker):
    """Run a worker in a thread; whether it ended."""

    def run():
        worker.run()
        connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout=60)
    return not thread.is_alive()


def test_a_worker_ends_where_it_is_asked_to_though_the_database_is_gone(monkeypatch):
    def fail(*args):
        raise OperationalError("the database is gone")

    monkeypatch.setattr("chatitive_django.doorbell.Doorbell.listen", fail)
    worker = Worker(concurrency=1, kind=Heartbeat.Kind.WORKER)
    worker.stop()
    assert run_apart(worker)


def test_a_worker_outlives_an_outage_of_any_length(monkeypatch):
    worker = Worker(concurrency=1)
    waits = []
    monkeypatch.setattr(worker, "_collect", waits.append)
    worker._failures = 100_000
    worker._after_failure(OperationalError("the database is gone"))
    worker._doorbell.close()
    assert 24 <= waits[0] <= 36


def test_a_channel_whose_claim_fails_loses_nothing_that_another_has_claimed(settings, monkeypatch):
    settings.CHATITIVE = {
        "API_URLS": {"default": "locmem://", "other": "locmem://"},
        "DISPATCHER": "worker",
    }
    rows = [record(), record(channel="other")]
    claim, calls = log.claim, []

    def claim_and_fail_the_second_time(*args, **options):
        calls.append(args)
        if len(calls) == 2:
            raise DatabaseError("the connection is gone")
        return claim(*args, **options)

    monkeypatch.setattr(log, "claim", claim_and_fail_the_second_time)
    deliver()
    assert [Notification.objects.get(pk=row.pk).status for row in rows] == [Status.ACCEPTED] * 2


def test_late_proof_on_the_way_of_a_claim_ends_the_doubt_and_a_foreign_lease_is_left_alone(channel):
    if not takes_several(connection):
        pytest.skip("only psycopg 3 takes several statements at once")
    channel(closed_port())
    record(), record(phone_number="206-555-0101")
    doubtful, foreign = log.claim("default", 2, LEASE)
    Notification.objects.filter(pk=doubtful.pk).update(status="unknown", lease_token=None)
    Notification.objects.filter(pk=foreign.pk).update(lease_token=uuid.uuid4())
    settlements = [settlement(row, "accepted", "accepted") for row in (doubtful, foreign)]
    ahead = log.Acceptances(settlements)
    assert log.claim("default", 5, LEASE, ahead=ahead) == []
    assert ahead.finish() == settlements[:1]
    assert Notification.objects.get(pk=doubtful.pk).status == Status.ACCEPTED
    assert Notification.objects.get(pk=foreign.pk).status == Status.SENDING
    assert Attempt.objects.count() == 2


def test_a_turn_that_settles_and_claims_is_one_round_trip_where_the_driver_has_it(channel):
    if not takes_several(connection):
        pytest.skip("only psycopg 3 takes several statements at once")
    for n in range(3):
        record(phone_number=f"206-555-01{n:02}")
    executed = []

    def note(execute, sql, params, many, context):
        executed.append(sql)
        return execute(sql, params, many, context)

    with FaultServer(answer(202)) as server, connection.execute_wrapper(note):
        channel(server.port)
        deliver(inline=True)
    stores = [sql for sql in executed if "INSERT INTO" in sql]
    assert len(stores) == 3
    assert all(sql.count("RETURNING") == 2 for sql in stores)


def test_what_was_claimed_too_long_ago_is_not_posted(channel, monkeypatch):
    row = record()
    clock = time.monotonic

    def slow_claim(*args, **kwargs):
        rows = claim(*args, **kwargs)
        monkeypatch.setattr(time, "monotonic", lambda: clock() + 100)
        return rows

    claim = log.claim
    monkeypatch.setattr(log, "claim", slow_claim)
    with FaultServer(answer(202)) as server:
        channel(server.port)
        deliver()
    row.refresh_from_db()
    assert server.requests == []
    assert (row.status, row.reason) == (Status.PENDING, "overslept")


def test_a_backend_that_raises_holds_the_row_as_unknown(monkeypatch, caplog):
    def fail(self, message, **options):
        raise RuntimeError(message.phone_number)

    monkeypatch.setattr("chatitive_django.backends.locmem.LocmemBackend.post", fail)
    row = record()
    deliver()
    row.refresh_from_db()
    assert (row.status, row.reason) == (Status.UNKNOWN, "crashed")
    assert "206-555-0100" not in caplog.text


def test_an_unknown_logs_an_error_and_sends_a_signal(channel, caplog):
    told = []

    def listen(sender, notification, result, **kwargs):
        told.append((notification.status, result.reason))

    notification_settled.connect(listen)
    row = record()
    try:
        with FaultServer(reset_after()) as server:
            channel(server.port)
            deliver()
    finally:
        notification_settled.disconnect(listen)
    assert told == [("unknown", "connection_lost")]
    [error] = [entry for entry in caplog.records if entry.levelno == logging.ERROR]
    assert str(row.public_id) in error.getMessage()
    assert "555-0100" not in caplog.text


def test_delivery_refuses_to_run_inside_a_transaction(channel):
    channel(closed_port())
    with pytest.raises(TransactionManagementError, match="after the commit"), transaction.atomic():
        deliver()


def test_the_immediate_dispatcher_delivers_on_commit(channel):
    with FaultServer(answer(202)) as server:
        channel(server.port, DISPATCHER="immediate")
        with transaction.atomic():
            row = record()
            assert server.requests == []
        assert len(server.requests) == 1
    row.refresh_from_db()
    assert row.status == Status.ACCEPTED


def test_one_broken_channel_does_not_stop_the_others(settings, caplog):
    with FaultServer(answer(202)) as server:
        settings.CHATITIVE = {
            "API_URLS": {
                "default": f"chatitive+http://SID:TOKEN@localhost:{server.port}/CHANNEL",
                "broken": "chatitive://SID:s3cr3t@",
            },
            "DISPATCHER": "worker",
        }
        good, waiting = record(), record(channel="broken")
        deliver()
    assert Notification.objects.get(pk=good.pk).status == Status.ACCEPTED
    assert Notification.objects.get(pk=waiting.pk).status == Status.PENDING
    assert "'broken'" in caplog.text
    assert "s3cr3t" not in caplog.text


def test_the_databases_clock_agrees_with_the_stored_times():
    row = record()
    Notification.objects.update(created_at=DatabaseNow(), available_at=DatabaseNow(LEASE))
    row.refresh_from_db()
    assert abs(row.created_at - timezone.now()) < timedelta(seconds=5)
    assert abs(row.available_at - row.created_at - LEASE) < timedelta(seconds=1)


def test_the_claim_finds_its_rows_by_the_indexes_made_for_it():
    for n in range(20):
        record(phone_number=f"206-555-01{n:02}")
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:  # or it scans the few rows of a test
                cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        plan = log.due("default").explain()
    assert "chatitive_due" in plan
    assert "chatitive_order" in plan
    assert "TEMP B-TREE" not in plan
