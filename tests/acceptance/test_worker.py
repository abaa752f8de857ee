"""`manage.py chatitive worker` as a process: woken, seen, asked to end."""

from __future__ import annotations

import json
import signal
import statistics
import threading
import time
from contextlib import contextmanager

import pytest
from django.db import connection

from chatitive_django import notify
from chatitive_django.models import Heartbeat, Notification
from tests.acceptance.processes import SECONDS_TO_END, manage, python, wait_until
from tests.factories import NotificationFactory
from tests.fault_server import FaultServer, answer
from tests.shell import run

pytestmark = pytest.mark.django_db(transaction=True)
Status = Notification.Status


def url_of(server):
    return f"chatitive+http://SID:TOKEN@localhost:{server.port}/CHANNEL"


@pytest.fixture(autouse=True)
def workers_deliver(settings):
    settings.CHATITIVE = {
        "API_URLS": {"default": "chatitive+http://SID:TOKEN@localhost:1/CHANNEL"},
        "DISPATCHER": "worker",
    }


@contextmanager
def working(*arguments, **settings):
    """A worker that has begun, and is ended by SIGTERM."""
    process = manage("chatitive", "worker", *arguments, **settings)
    try:
        wait_until(Heartbeat.objects.exists)
        yield process
    finally:
        process.terminate()
        output = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == 0, output


def accepted():
    return Notification.objects.filter(status=Status.ACCEPTED).count()


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="only PostgreSQL has NOTIFY")
def test_a_commit_wakes_an_idle_worker_at_once():
    with FaultServer(answer(202)) as server, working(api_url=url_of(server), POLL_INTERVAL=60):
        time.sleep(0.5)
        waits = []
        for n in range(1, 12):
            notify("Hello", phone_number="206-555-0100")
            committed = time.monotonic()
            wait_until(lambda n=n: len(server.requests) == n)
            waits.append(time.monotonic() - committed)
            wait_until(lambda n=n: accepted() == n)
    assert statistics.median(waits) < 0.5


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="only PostgreSQL has NOTIFY")
def test_a_worker_whose_connection_was_cut_listens_on_the_next_one():
    with FaultServer(answer(202)) as server, working(api_url=url_of(server), POLL_INTERVAL=60):
        time.sleep(0.5)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        time.sleep(2)
        notify("Hello", phone_number="206-555-0100")
        wait_until(lambda: accepted() == 1, seconds=5)


def test_polling_is_the_floor_where_nothing_wakes():
    with FaultServer(answer(202)) as server, working(api_url=url_of(server), POLL_INTERVAL=0.2):
        NotificationFactory()
        wait_until(lambda: accepted() == 1, seconds=5)


def test_a_living_worker_is_seen_and_one_that_was_killed_is_missed():
    def findings(**settings):
        process = manage("chatitive", "status", "--format", "json", **settings)
        out, _ = process.communicate(timeout=SECONDS_TO_END)
        facts = json.loads(out)
        assert process.returncode == (0 if facts["ok"] else 1)
        return [finding["code"] for finding in facts["findings"]]

    assert findings() == ["no_worker"]
    with FaultServer(answer(202)) as server:
        with working(api_url=url_of(server)):
            assert findings() == []
        assert not Heartbeat.objects.exists()
        process = manage("chatitive", "worker", api_url=url_of(server), SWEEP_INTERVAL=0.2)
        wait_until(Heartbeat.objects.exists)
        process.kill()
        process.communicate()
    wait_until(lambda: findings(SWEEP_INTERVAL=0.2) == ["no_worker"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("verb", ["worker", "deliver"])
def test_both_signals_that_ask_a_worker_to_end_are_heeded(verb, number):
    with FaultServer(answer(202, delay=1)) as server:
        rows = NotificationFactory.create_batch(20)
        process = manage("chatitive", verb, api_url=url_of(server), CONCURRENCY=2)
        try:
            wait_until(lambda: len(server.requests) == 2)
        finally:
            process.send_signal(number)
            output = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == 0, output
    assert accepted() == len(server.requests) == 2
    assert Notification.objects.filter(status=Status.PENDING).count() == len(rows) - 2


@pytest.mark.parametrize("ending", [["--once"], ["--idle-exit", "0.5"]])
def test_a_worker_may_end_by_itself_when_nothing_is_due(ending):
    NotificationFactory.create_batch(5)
    with FaultServer(answer(202)) as server:
        process = manage("chatitive", "worker", *ending, api_url=url_of(server))
        output = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == 0, output
    assert accepted() == 5


def test_a_pause_made_elsewhere_stops_a_running_worker():
    with FaultServer(answer(202)) as server, working(api_url=url_of(server), POLL_INTERVAL=0.2):
        process = manage("chatitive", "pause", "default", api_url=url_of(server))
        process.communicate(timeout=SECONDS_TO_END)
        NotificationFactory()
        time.sleep(1)
        assert server.requests == []
        process = python("from chatitive_django import channels; channels.resume('default')")
        process.communicate(timeout=SECONDS_TO_END)
        wait_until(lambda: accepted() == 1)


def test_delivery_by_a_caller_leaves_its_handlers_as_they_were_and_may_be_in_a_thread():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    ends = [run("deliver")]

    def deliver():
        ends.append(run("deliver"))
        connection.close()

    thread = threading.Thread(target=deliver)
    thread.start()
    thread.join()
    assert ends == [(0, ""), (0, "")]
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
