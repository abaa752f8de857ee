"""A worker that is lost at each point of its way, and what the next one makes of it."""

from __future__ import annotations

import pytest

from chatitive_django.models import Notification
from tests.acceptance.processes import wait_until
from tests.acceptance.storm import PATIENT, Storm
from tests.fault_server import answer

pytestmark = pytest.mark.django_db(transaction=True)

DEATHS = """
from django.db import connection, transaction
from chatitive_django import answers, log
from chatitive_django.backends.api import APIBackend

def die_instead_of(owner, name):
    setattr(owner, name, die)

def die_before_the_commit_of(owner, name):
    original = getattr(owner, name)
    def last(*args, **kwargs):
        with transaction.atomic():
            done = original(*args, **kwargs)
            return [] if done == [] else die()
    setattr(owner, name, last)

def die_after(owner, name):
    original = getattr(owner, name)
    def last(*args, **kwargs):
        done = original(*args, **kwargs)
        return [] if done == [] else transaction.on_commit(die)
    setattr(owner, name, last)

def at_the_settling(act):
    # Results are stored by what adds an attempt, alone or on the way of a claim.
    def wrapper(execute, sql, params, many, context):
        if "chatitive_django_attempt" in sql and "INSERT INTO" in sql:
            return act(lambda: execute(sql, params, many, context))
        return execute(sql, params, many, context)
    connection.execute_wrappers.append(wrapper)

def die_before_committing(execute):
    with transaction.atomic():
        execute()
        die()

def die_once_committed(execute):
    done = execute()
    transaction.on_commit(die)
    return done

"""


@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
@pytest.mark.parametrize(
    ("death", "received", "end"),
    [
        ('die_before_the_commit_of(log, "claim")', 0, "accepted"),
        ('die_after(log, "claim")', 0, "unknown"),
        ('die_instead_of(APIBackend, "post")', 0, "unknown"),
        ('die_instead_of(answers.Incoming, "__init__")', 1, "unknown"),
        ('die_after(APIBackend, "post")', 1, "unknown"),
        ("at_the_settling(die)", 1, "unknown"),
        ("at_the_settling(die_before_committing)", 1, "unknown"),
        ("at_the_settling(die_once_committed)", 1, "accepted"),
    ],
    ids=[
        "before the claim's commit",
        "after the claim's commit",
        "before the post",
        "before the answer is read",
        "after the answer",
        "before settling",
        "before the settling's commit",
        "after the settling's commit",
    ],
)
def test_a_worker_killed_at_any_point_leaves_what_is_true(
    nursery, death, received, end, on_ambiguous
):
    with Storm(nursery, answer(202), on_ambiguous=on_ambiguous, **PATIENT) as storm:
        storm.record(1)
        storm.expect_death(storm.start_worker(DEATHS + death))
        wait_until(lambda: sum(request.whole for request in storm.server.requests) == received)
        storm.end_leases()
        storm.calm()
    storm.aftermath().holds()
    row = Notification.objects.get()
    if end == "unknown" and on_ambiguous == "retry":
        assert (row.status, len(storm.server.requests)) == ("accepted", received + 1)
    else:
        assert row.status == end
        assert len(storm.server.requests) == (1 if end == "accepted" else received)
