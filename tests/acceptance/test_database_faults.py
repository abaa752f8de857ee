"""A database that fails under the workers: what they sent is noted once, and not sent again."""

from __future__ import annotations

import time

import pytest
from django.db import connection

from chatitive_django.models import Attempt, Notification
from tests.acceptance.databases import UNSTABLE, cut_connections, impatient
from tests.acceptance.processes import wait_until
from tests.acceptance.storm import PATIENT, Storm, sized, unhurried
from tests.fault_server import answer, answer_in_turn

pytestmark = pytest.mark.django_db(transaction=True)

LOSSES = """
from django.db import OperationalError, connection
from chatitive_django import log

def fail_once_committed():
    if not connection.in_atomic_block:
        raise OperationalError("the confirmation is lost")
    commit = connection._commit
    def commit_and_fail():
        connection._commit = commit
        commit()
        raise OperationalError("the confirmation is lost")
    connection._commit = commit_and_fail

def lose_the_confirmation_of(name):
    original = getattr(log, name)
    def last(*args, **kwargs):
        done = original(*args, **kwargs)
        if done == []:
            return done
        setattr(log, name, original)
        fail_once_committed()
        return done
    setattr(log, name, last)

def lose_the_confirmation_of_settling():
    # Results are stored by what adds an attempt, alone or on the way of a claim.
    def wrapper(execute, sql, params, many, context):
        done = execute(sql, params, many, context)
        if "chatitive_django_attempt" in sql and "INSERT INTO" in sql:
            connection.execute_wrappers.remove(wrapper)
            fail_once_committed()
        return done
    connection.execute_wrappers.append(wrapper)

"""


@pytest.mark.parametrize("statuses", [[202], [404], [503, 202], [401, 202]], ids=str)
def test_a_result_whose_commit_nobody_heard_of_is_noted_once(nursery, statuses):
    with Storm(nursery, answer_in_turn(*statuses), PROBE_INTERVAL=0.2, **PATIENT) as storm:
        storm.record(1)
        worker = storm.start_ready_worker(LOSSES + "lose_the_confirmation_of_settling()")
        storm.wait_for_calm()
        storm.stop(worker)
        assert "The database failed" in storm.output
    aftermath = storm.aftermath()
    aftermath.holds()
    assert not aftermath.rescued
    assert list(Attempt.objects.order_by("id").values_list("http_status", flat=True)) == statuses


@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
def test_a_claim_whose_commit_nobody_heard_of_comes_back_after_its_lease(nursery, on_ambiguous):
    with Storm(nursery, answer(202), on_ambiguous=on_ambiguous, **PATIENT) as storm:
        storm.record(1)
        worker = storm.start_ready_worker(LOSSES + 'lose_the_confirmation_of("claim")')
        wait_until(lambda: "The database failed" in storm.output)
        storm.end_leases()
        storm.wait_for_calm()
        storm.stop(worker)
    aftermath = storm.aftermath()
    aftermath.holds()
    end = ("unknown", 0) if on_ambiguous == "hold" else ("accepted", 1)
    assert (Notification.objects.get().status, len(storm.server.requests)) == end


def test_connections_cut_again_and_again_repeat_nothing(nursery, tell):
    with Storm(nursery, unhurried(0.05)) as storm:
        workers = [storm.start_ready_worker(impatient()) for _ in range(3)]
        for _ in range(sized(8)):
            storm.record(60)
            storm.random_pause(0.3)
            cut_connections()
        storm.wait_for_calm()
        storm.stop(*workers)
        failures = storm.output.count("The database failed")
    aftermath = storm.aftermath()
    tell({**aftermath.figures(), "database failures": failures})
    aftermath.holds()
    assert failures > 0


def test_a_database_that_crashes_and_starts_again_repeats_nothing(nursery, tell):
    with UNSTABLE[connection.vendor]() as database:
        with Storm(nursery, unhurried(0.05), LEASE=5) as storm:
            workers = [storm.start_ready_worker(database.code) for _ in range(3)]
            for _ in range(sized(2)):
                storm.record(200)
                time.sleep(0.3)
                connection.close()
                database.crash()
                time.sleep(1)
                database.start()
            storm.wait_for_calm()
            storm.stop(*workers)
            failures = storm.output.count("The database failed")
        aftermath = storm.aftermath()
        tell({**aftermath.figures(), "database failures": failures})
        aftermath.holds()
        assert failures > 0
