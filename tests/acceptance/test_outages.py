"""An API that fails for everyone for a while: the breaker opens, the clock stops, all is sent."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from chatitive_django.models import Attempt, Channel, Notification
from tests.acceptance.processes import wait_until
from tests.acceptance.storm import CONCURRENCY, PATIENT, Storm
from tests.factories import NotificationFactory
from tests.fault_server import Peer, response

pytestmark = pytest.mark.django_db(transaction=True)

PROBE_INTERVAL = 0.4
OUTAGE = 4.8
LEFT = timedelta(seconds=2.4)
"""What a message has left when the outage begins: far less than it lasts."""
ROWS = 40


class Moods:
    """Answers each request with the status of the hour."""

    def __init__(self, status: int) -> None:
        self.status = status

    def __call__(self, peer: Peer) -> None:
        while peer.read_request():
            peer.send(response(self.status))


@pytest.fixture
def api():
    return Moods(202)


@pytest.fixture
def storm(nursery, api):
    with Storm(nursery, api, PROBE_INTERVAL=PROBE_INTERVAL, **PATIENT) as storm:
        yield storm


def record_with_little_time():
    """Rows of as many subscribers, with the moment at which each of them would expire."""
    expires_at = timezone.now() + LEFT
    Notification.objects.bulk_create(
        NotificationFactory.build(expires_at=expires_at) for _ in range(ROWS)
    )
    return dict(Notification.objects.filter(finished_at=None).values_list("pk", "expires_at"))


def channel():
    return Channel.objects.filter(alias="default").first()


def broken():
    return channel() is not None and channel().breaker_opened_at is not None


def live_through(storm, reason):
    """Wait for the breaker to open, and for the outage to last; gives the tries made meanwhile."""
    wait_until(broken)
    assert channel().breaker_reason == reason
    time.sleep(0.2)  # until what was under way then has been settled
    before, begun = Attempt.objects.count(), time.monotonic()
    time.sleep(OUTAGE)
    calls = Attempt.objects.count() - before
    assert 0 < calls <= (time.monotonic() - begun) / PROBE_INTERVAL + 1
    assert broken()
    assert f"The breaker of channel default opened ({reason})" in storm.output
    assert storm.output.count("The breaker of channel") == 1
    return calls


def mended(storm, *workers):
    """Wait for calm: the breaker is closed, and nothing is lost; gives what was accepted."""
    storm.wait_for_calm()
    storm.stop(*workers)
    assert not broken()
    assert channel().stopped_at is None
    storm.aftermath().holds()
    return list(Notification.objects.filter(status="accepted"))


def test_credentials_refused_for_a_while_lose_nothing(storm, api, tell):
    workers = [storm.start_ready_worker() for _ in range(2)]
    api.status = 401
    due = record_with_little_time()
    calls = live_through(storm, "http_401")
    api.status = 202
    accepted = mended(storm, *workers)
    tell({**storm.aftermath().figures(), "calls while open": calls})
    assert len(accepted) == ROWS
    assert {row.attempts for row in accepted} == {1}
    assert_time_was_given_back(accepted, due)


def test_a_port_closed_for_a_while_loses_nothing(storm, tell):
    workers = [storm.start_ready_worker() for _ in range(2)]
    storm.record(20)
    storm.wait_for_calm()
    with storm.server.closed():
        due = record_with_little_time()
        calls = live_through(storm, "connection_refused")
    accepted = mended(storm, *workers)
    tell({**storm.aftermath().figures(), "calls while open": calls})
    assert len(accepted) == ROWS + 20
    assert len(storm.server.requests) == ROWS + 20
    assert_time_was_given_back(accepted, due)


def test_an_address_unknown_for_a_while_rejects_two_messages_at_most(storm, api, tell):
    worker = storm.start_ready_worker()
    api.status = 404
    due = record_with_little_time()
    calls = live_through(storm, "http_404")
    api.status = 202
    accepted = mended(storm, worker)
    tell({**storm.aftermath().figures(), "calls while open": calls})
    assert len(accepted) >= ROWS - 2
    assert {row.attempts for row in accepted} == {1}
    assert_time_was_given_back(accepted, due)


def assert_time_was_given_back(rows, due):
    """They were sent after they would have expired; only the last probes needed no more time."""
    late = [row for row in rows if row.pk in due and row.finished_at > due[row.pk]]
    assert len(late) >= ROWS - CONCURRENCY
    given = [(row.expires_at - due[row.pk]).total_seconds() for row in late]
    assert given.count(0) <= 2
    assert all(OUTAGE <= each < OUTAGE + 5 * PROBE_INTERVAL for each in given if each)
