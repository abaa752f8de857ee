"""What wakes a worker on PostgreSQL: heard once, and never a reason to turn in circles."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection, connections

from chatitive_django.doorbell import Doorbell, ring_everywhere

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="only PostgreSQL has NOTIFY"),
]

A_WHILE = 0.3


@pytest.fixture
def bell():
    bell = Doorbell()
    bell.listen("default")
    yield bell
    bell.close()
    connection.close()


def elsewhere(act):
    """Do something over another connection."""

    def run():
        try:
            act()
        finally:
            connections["default"].close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def waits_its_time(bell):
    started = time.monotonic()
    bell.wait(A_WHILE)
    return time.monotonic() - started >= A_WHILE


def test_a_commit_elsewhere_ends_one_wait(bell):
    assert waits_its_time(bell)
    elsewhere(lambda: ring_everywhere("default"))
    assert not waits_its_time(bell)
    assert waits_its_time(bell)


def test_a_commit_that_was_told_during_a_query_ends_one_wait(bell):
    elsewhere(lambda: ring_everywhere("default"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert not waits_its_time(bell)
    assert waits_its_time(bell)


def test_a_connection_that_was_closed_does_not_end_every_wait(bell):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()

    def end_it():
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

    elsewhere(end_it)
    assert not waits_its_time(bell)
    assert any(waits_its_time(bell) for _ in range(3))
