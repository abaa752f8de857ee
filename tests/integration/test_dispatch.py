"""When delivery runs, and when it must not."""

from __future__ import annotations

import os
import threading

import pytest
from django.core.signals import request_started
from django.db import connections, transaction
from django.test import TestCase

from chatitive_django import notify
from chatitive_django.dispatch import Dispatcher, EmbeddedDispatcher, get_dispatcher
from chatitive_django.models import Notification
from chatitive_django.signals import notification_recorded, notifications_committed
from chatitive_django.worker import Worker
from tests.acceptance.processes import wait_until
from tests.fault_server import FaultServer, answer, closed_port

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def embedded(settings):
    """An embedded dispatcher of the test's own on a server, stopped when the test ends."""
    made = []

    def embedded(port):
        settings.CHATITIVE = {
            "API_URLS": {"default": f"chatitive+http://SID:TOKEN@localhost:{port}/CHANNEL"},
            "DISPATCHER": "worker",
        }
        made.append(EmbeddedDispatcher())
        return made[-1]

    yield embedded
    for dispatcher in made:
        dispatcher.finish()


def threads():
    return [each for each in threading.enumerate() if each.name == "chatitive-embedded"]


def test_the_embedded_thread_begins_with_the_first_request_and_is_woken_by_a_commit(embedded):
    with FaultServer(answer(202)) as server:
        dispatcher = embedded(server.port)
        dispatcher.wake()
        assert threads() == []
        dispatcher.serve()
        dispatcher.serve()
        assert len(threads()) == 1
        row = notify("Hello", phone_number="206-555-0100")
        dispatcher.wake()
        wait_until(lambda: Notification.objects.get(pk=row.pk).status == "accepted")
        dispatcher.finish()
    assert threads() == []


def test_a_forked_child_begins_a_thread_of_its_own(embedded):
    dispatcher = embedded(closed_port())
    dispatcher.serve()
    wait_until(threads)
    child = os.fork()
    if child == 0:
        # The parent's thread isn't here, and nothing may wait for it.
        dispatcher.wake()
        dispatcher.finish()
        os._exit(0 if dispatcher._thread is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_an_in_memory_database_has_no_embedded_thread(embedded, monkeypatch):
    monkeypatch.setattr("chatitive_django.dispatch._in_memory", lambda: True)
    embedded(closed_port()).serve()
    assert threads() == []


def test_a_thread_that_outlives_its_test_database_ends_before_it_reads_another(settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "worker"}
    connection = connections["default"]
    worker = Worker(concurrency=1, poll_interval=0.05)
    name = connection.settings_dict["NAME"]
    timer = threading.Timer(0.2, connection.settings_dict.update, [{"NAME": "the real one"}])
    timer.start()
    try:
        worker.run()
    finally:
        timer.join()
        connection.settings_dict["NAME"] = name


def test_a_broken_setting_stops_no_request_and_no_commit(settings, caplog):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "embeded"}
    request_started.send(None, environ={})
    row = notify("Hello", phone_number="206-555-0100")
    assert row.status == "pending"
    assert "Did you mean 'embedded'?" in caplog.text


def test_a_dispatcher_of_ones_own_is_named_by_its_path(settings):
    settings.CHATITIVE = {
        "API_URLS": {"default": "locmem://"},
        "DISPATCHER": "chatitive_django.dispatch.WorkerDispatcher",
    }
    assert type(get_dispatcher()).__name__ == "WorkerDispatcher"


class Counted(Dispatcher):
    """Counts how often it is woken."""

    def __init__(self) -> None:
        self.wakes = 0

    def wake(self) -> None:
        self.wakes += 1


@pytest.fixture
def counted(monkeypatch):
    dispatcher = Counted()
    monkeypatch.setattr("chatitive_django.dispatch.get_dispatcher", lambda: dispatcher)
    return dispatcher


def record():
    return notify("Hello", phone_number="206-555-0100")


def test_a_transaction_wakes_once_when_it_commits_however_many_events_it_recorded(counted):
    with transaction.atomic():
        for _ in range(5):
            record()
        assert counted.wakes == 0
    assert counted.wakes == 1
    record()
    assert counted.wakes == 2


def test_what_is_rolled_back_wakes_nobody_and_takes_no_wake_of_others_along(counted):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record()
        raise ZeroDivisionError
    assert counted.wakes == 0
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            record()
            raise ZeroDivisionError
        record()
    assert counted.wakes == 1


def test_a_test_that_runs_the_commit_s_callbacks_of_a_block_wakes_for_what_it_recorded(counted):
    with transaction.atomic():
        record()
        for wakes in (1, 2):
            with TestCase.captureOnCommitCallbacks(execute=True):
                record()
            assert counted.wakes == wakes


def test_a_receiver_that_fails_at_the_commit_breaks_no_write(counted):
    def fail(**kwargs):
        raise ZeroDivisionError

    notifications_committed.connect(fail, sender=Notification)
    try:
        record()
    finally:
        notifications_committed.disconnect(fail, sender=Notification)
    assert Notification.objects.count() == 1


def test_what_runs_at_the_commit_has_the_name_by_which_django_tells_of_a_failure(counted):
    def receive(**kwargs):
        pass

    notification_recorded.connect(receive, sender=Notification)
    try:
        with transaction.atomic():
            record()
            callbacks = [callback for _, callback, _ in transaction.get_connection().run_on_commit]
    finally:
        notification_recorded.disconnect(receive, sender=Notification)
    assert len(callbacks) == 2
    assert all(callback.__qualname__ for callback in callbacks)
