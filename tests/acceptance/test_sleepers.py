"""A worker that sleeps past its lease, and what it may still do when it wakes."""

from __future__ import annotations

import threading
import time

import pytest

from chatitive_django import channels, log
from chatitive_django.models import Attempt, Notification
from tests.acceptance.processes import wait_until
from tests.acceptance.storm import Storm
from tests.factories import NotificationFactory
from tests.fault_server import answer, response

pytestmark = pytest.mark.django_db(transaction=True)

BRIEF = {"LEASE": 4.0, "CALL_TIMEOUT": 2.0}
"""Seconds: long enough that no busy machine lets a call run out of time by itself."""

SLEEPER = """
import threading
from chatitive_django import transport
from chatitive_django.worker import Worker

between_turns = threading.Lock()
def turn(worker, original=Worker._turn):
    with between_turns:
        return original(worker)
Worker._turn = turn

def sleep():
    with between_turns:  # a transaction that slept would hold SQLite's lock
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
"""
SLEEP_BEFORE_POSTING = (
    SLEEPER
    + """
refuse = transport._refuse_after
def sleep_and_refuse(start_by):
    # At the last moment: the connection is there, and the next step writes the first byte.
    calls.append(start_by)
    if len(calls) == 2:
        sleep()
    return refuse(start_by)
calls = []
transport._refuse_after = sleep_and_refuse
"""
)
SLEEP_BEFORE_READING = (
    SLEEPER
    + """
Incoming = transport.Incoming
def sleep_and_read(stream):
    transport.Incoming = Incoming
    sleep()
    return Incoming(stream)
transport.Incoming = sleep_and_read
"""
)


def start_sleeper(storm):
    """Start a worker that falls asleep over its first call, which is answered meanwhile."""
    sleeper = storm.start_ready_worker(SLEEP_BEFORE_READING)
    storm.expect_sleep(sleeper)
    wait_until(lambda: storm.server.requests[0].answer)
    return sleeper


def row():
    return Notification.objects.get()


def outcomes():
    return list(Attempt.objects.order_by("id").values_list("outcome", flat=True))


def test_the_proof_of_a_sleeper_ends_the_doubt_that_its_sleep_left(nursery):
    with Storm(nursery, answer(202), on_ambiguous="hold", **BRIEF) as storm:
        storm.record(1)
        sleeper = start_sleeper(storm)
        successor = storm.start_ready_worker()
        wait_until(lambda: row().status == "unknown")
        storm.wake(sleeper)
        wait_until(lambda: row().status == "accepted")
        storm.stop(sleeper, successor)
    storm.aftermath().holds()
    assert outcomes() == ["lease_ran_out", "accepted"]
    assert len(storm.server.requests) == 1


def test_the_proof_of_a_sleeper_spares_a_pending_message_its_second_call(nursery):
    with Storm(nursery, answer(202), on_ambiguous="retry", **BRIEF) as storm:
        storm.record(1)
        sleeper = start_sleeper(storm)
        channels.pause("default")
        wait_until(log.rescue)
        assert row().status == "pending"
        storm.wake(sleeper)
        wait_until(lambda: row().status == "accepted")
        channels.resume("default")
        storm.stop(sleeper)
    storm.aftermath().holds()
    assert outcomes() == ["lease_ran_out", "accepted"]
    assert len(storm.server.requests) == 1


def test_a_sleeper_leaves_alone_what_its_successor_is_sending(nursery):
    noted = threading.Event()

    def answer_once_noted(peer):
        peer.read_request()
        noted.wait(BRIEF["CALL_TIMEOUT"])
        peer.send(response(202))

    script = [answer(202), answer_once_noted]
    with Storm(nursery, *script, on_ambiguous="retry", **BRIEF) as storm:
        storm.record(1)
        sleeper = start_sleeper(storm)
        successor = storm.start_ready_worker()
        wait_until(lambda: len(storm.server.requests) == 2)
        held = row()
        storm.wake(sleeper)
        wait_until(lambda: outcomes() == ["lease_ran_out", "accepted"])
        now = row()
        assert (now.status, now.lease_token) == ("sending", held.lease_token)
        noted.set()
        storm.wait_for_calm()
        storm.stop(sleeper, successor)
    storm.aftermath().holds()
    assert outcomes() == ["lease_ran_out", "accepted", "accepted"]


@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
def test_a_worker_that_slept_before_posting_does_not_come_after_its_successor(
    nursery, on_ambiguous
):
    with Storm(nursery, answer(202), on_ambiguous=on_ambiguous, **BRIEF) as storm:
        first, second = (
            NotificationFactory(phone_number="206-555-0100", on_ambiguous=on_ambiguous)
            for _ in range(2)
        )
        sleeper = storm.start_ready_worker(SLEEP_BEFORE_POSTING)
        storm.expect_sleep(sleeper)
        successor = storm.start_ready_worker()
        storm.wait_for_calm()
        storm.wake(sleeper)
        wait_until(lambda: Attempt.objects.filter(reason="overslept").exists())
        storm.stop(sleeper, successor)
    aftermath = storm.aftermath()
    aftermath.holds()
    assert aftermath.repeats == 0
    sent = [first, second] if on_ambiguous == "retry" else [second]
    assert [each.headers["idempotency-key"] for each in storm.server.requests] == [
        str(each.public_id) for each in sent
    ]


def test_a_worker_that_slept_before_posting_sends_once_when_it_wakes(nursery):
    with Storm(nursery, answer(202), on_ambiguous="retry", **BRIEF) as storm:
        storm.record(1)
        sleeper = storm.start_ready_worker(SLEEP_BEFORE_POSTING)
        storm.expect_sleep(sleeper)
        time.sleep(BRIEF["LEASE"] + 0.1)  # until its lease has run out
        storm.wake(sleeper)
        storm.wait_for_calm()
        storm.stop(sleeper)
    aftermath = storm.aftermath()
    aftermath.holds()
    aftermath.each_row_was_accepted_at_once()
    assert Attempt.objects.filter(reason="overslept", outcome="not_arrived").exists()
