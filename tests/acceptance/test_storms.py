"""Storms of killed workers, of racing workers, and of a server in every bad mood."""

from __future__ import annotations

import time

import pytest

from chatitive_django.models import Notification
from tests.acceptance.storm import PATIENT, Storm, Writers, moody, sized, unhurried

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
def test_workers_killed_at_random_lose_nothing_and_repeat_nothing(nursery, tell, on_ambiguous):
    kills = sized(110)
    writers = Writers(tickets=kills * 2, pause=0.03)
    with Storm(nursery, unhurried(0.02), on_ambiguous=on_ambiguous) as storm:
        workers = [storm.start_worker() for _ in range(3)]
        for _ in range(kills):
            if storm.unfinished() < 100:
                storm.record(100)
            storm.random_pause(0.2)
            storm.kill(workers.pop(storm.random.randrange(3)))
            workers.append(storm.start_worker())
        for worker in workers:
            storm.kill(worker)
        writers.end()
        storm.calm()
    aftermath = storm.aftermath()
    tell(aftermath.figures())
    aftermath.holds()
    writers.kept_what_they_committed()


def test_eight_workers_race_and_each_subscriber_gets_theirs_in_order(nursery, tell):
    with Storm(nursery, unhurried(0.02), **PATIENT) as storm:
        for _ in range(sized(10)):
            storm.record(100, subscribers=12)
            storm.record(100, ordered=False)
        workers = [storm.start_worker() for _ in range(8)]
        storm.wait_for_calm()
        storm.stop(*workers)
    aftermath = storm.aftermath()
    tell(aftermath.figures())
    aftermath.holds()
    aftermath.each_row_was_accepted_at_once()


def test_workers_ended_by_sigterm_under_load_leave_nothing_in_hand(nursery, tell):
    with Storm(nursery, unhurried(0.1), **PATIENT) as storm:
        workers = [storm.start_ready_worker() for _ in range(3)]
        in_hand = 0
        for _ in range(sized(10)):
            if storm.unfinished() < 50:
                storm.record(50)
            storm.random_pause(0.2)
            in_hand += sending()
            storm.stop(workers.pop(storm.random.randrange(3)))
            workers.append(storm.start_ready_worker())
        storm.stop(*workers)
        assert sending() == 0
        storm.calm()
    aftermath = storm.aftermath()
    tell({**aftermath.figures(), "in hand": in_hand})
    aftermath.holds()
    aftermath.each_row_was_accepted_at_once()
    assert in_hand > 0
    assert not aftermath.rescued


@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
def test_workers_that_sleep_past_their_leases_repeat_nothing_when_they_wake(
    nursery, tell, on_ambiguous
):
    quick = {"LEASE": 1.6, "CALL_TIMEOUT": 0.7}
    with Storm(nursery, unhurried(0.1), on_ambiguous=on_ambiguous, **quick) as storm:
        workers = [storm.start_ready_worker() for _ in range(3)]
        for _ in range(sized(2)):
            storm.record(100)
            storm.random_pause(0.3)
            sleepers = storm.random.sample(workers, 2)
            for sleeper in sleepers:
                storm.suspend(sleeper)
            time.sleep(2.1)
            for sleeper in sleepers:
                storm.wake(sleeper)
        storm.wait_for_calm()
        storm.stop(*workers)
    aftermath = storm.aftermath()
    tell(aftermath.figures())
    aftermath.holds()
    assert aftermath.rescued


@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
def test_a_server_in_every_bad_mood_loses_nothing_and_repeats_nothing(nursery, tell, on_ambiguous):
    quick = {"LEASE": 60, "PROBE_INTERVAL": 0.2}
    with Storm(nursery, moody(), on_ambiguous=on_ambiguous, **quick) as storm:
        storm.record(sized(300))
        workers = [storm.start_worker() for _ in range(3)]
        storm.wait_for_calm()
        storm.stop(*workers)
    aftermath = storm.aftermath()
    tell(aftermath.figures())
    aftermath.holds()
    assert not aftermath.rescued


def sending():
    return Notification.objects.filter(status="sending").count()
