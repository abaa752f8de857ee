"""The dispatchers of task engines, as far as they need neither broker nor worker."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from datetime import timedelta
from importlib.util import find_spec

import pytest
from django.utils import timezone

from chatitive_django import log, notify
from chatitive_django.contrib import engine
from chatitive_django.contrib.celery import deliver
from chatitive_django.contrib.engine import EngineDispatcher, deliver_briefly
from chatitive_django.models import Notification
from tests.acceptance.processes import ROOT
from tests.celery_app import app
from tests.fault_server import FaultServer, answer

pytestmark = pytest.mark.django_db(transaction=True)
Status = Notification.Status
TASKS = "django.tasks" if find_spec("django.tasks") else "django_tasks"


@pytest.fixture
def channel(settings):
    """Point the default channel at a server, two calls at a time."""

    def channel(port=1):
        settings.CHATITIVE = {
            "API_URLS": {"default": f"chatitive+http://SID:TOKEN@localhost:{port}/CHANNEL"},
            "DISPATCHER": "worker",
            "CONCURRENCY": 2,
        }

    channel()
    return channel


class Engine(EngineDispatcher):
    """Counts the messages; `down` has each one fail."""

    def __init__(self, *, down=False) -> None:
        self.down = down
        self.sent = 0

    def send(self) -> None:
        self.sent += 1
        if self.down:
            raise ConnectionError("redis://user:s3cr3t@127.0.0.1:6379/0")


def record(**values):
    row = notify("Hello", phone_number="206-555-0100", ordered=False)
    Notification.objects.filter(pk=row.pk).update(**values)
    return row


def statuses():
    return sorted(Notification.objects.values_list("status", flat=True))


NOW = timezone.now()
EARLIER, LATER = NOW - timedelta(hours=1), NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("values", "waits"),
    [
        ({}, True),
        ({"available_at": LATER}, False),
        ({"available_at": LATER, "expires_at": EARLIER}, True),
        ({"channel": "of another project"}, False),
        ({"status": "sending", "leased_until": LATER}, False),
        ({"status": "sending", "leased_until": EARLIER}, True),
        ({"status": "accepted"}, False),
        ({"status": "unknown"}, False),
    ],
)
def test_work_waits_where_a_delivery_would_change_a_row(channel, values, waits):
    record(**values)
    assert log.work_waits(["default"]) is waits


def test_to_find_nothing_costs_four_queries_and_no_thread(channel, django_assert_num_queries):
    threads = threading.active_count()
    with django_assert_num_queries(4):
        assert deliver_briefly(10)
    assert threading.active_count() == threads


def test_what_is_due_is_delivered_and_no_other_message_asked_for(channel):
    record()
    with FaultServer(answer(202)) as server:
        channel(server.port)
        dispatcher = Engine()
        dispatcher.deliver()
    assert statuses() == [Status.ACCEPTED]
    assert dispatcher.sent == 0


def test_a_task_claims_for_a_while_ends_what_it_holds_and_leaves_the_rest_to_another(
    channel, monkeypatch
):
    for _ in range(8):
        record()
    monkeypatch.setattr(engine, "SECONDS_OF_CLAIMING", 0.5)
    with FaultServer(answer(202, delay=0.4)) as server:
        channel(server.port)
        dispatcher = Engine()
        dispatcher.deliver()
        assert len(server.requests) == statuses().count(Status.ACCEPTED)
    assert set(statuses()) == {Status.ACCEPTED, Status.PENDING}
    assert dispatcher.sent == 1


def test_an_engine_that_is_down_is_told_of_without_its_secret_and_left_alone_for_a_sweep(
    channel, caplog, monkeypatch
):
    moment = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: moment)
    dispatcher = Engine(down=True)
    for _ in range(3):
        dispatcher.wake()
    assert dispatcher.sent == 1
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage() == (
        "No delivery could be woken (ConnectionError): messages wait for the sweep."
    )
    assert "s3cr3t" not in caplog.text
    moment += 16
    dispatcher.down = False
    dispatcher.wake()
    dispatcher.wake()
    assert dispatcher.sent == 3


# What the page of the docs says


def test_the_page_s_beat_entry_is_the_one_that_is_tried_and_names_the_task():
    page = (ROOT / "docs" / "engines.md").read_text()
    entry = json.loads(re.search(r'\{"task".*?\}', page)[0])
    assert entry == {"task": deliver.name, "schedule": 15}
    assert app.conf.beat_schedule["deliver"] == entry


# Where the engine is missing, or refuses


SAY_WHAT_IS_WRONG = """
import json, sys
for name in json.loads(sys.argv[2]):
    sys.modules[name] = None  # as if it weren't installed
import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "chatitive_django"],
    CHATITIVE={"DISPATCHER": sys.argv[1]},
    TASKS=json.loads(sys.argv[3]),
)
django.setup()
from chatitive_django.dispatch import get_dispatcher
try:
    get_dispatcher()
except ImproperlyConfigured as error:
    print(error)
"""


def what_is_wrong(dispatcher, *, missing=(), **tasks):
    arguments = [dispatcher, json.dumps(missing), json.dumps({"default": tasks})]
    done = subprocess.run(
        [sys.executable, "-c", SAY_WHAT_IS_WRONG, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_where_celery_is_missing_it_is_said_and_how_to_get_it():
    assert what_is_wrong("celery", missing=["celery"]) == (
        'CHATITIVE["DISPATCHER"] is "celery", and Celery isn\'t installed: '
        'pip install "chatitive-django[celery]".'
    )


def test_where_no_django_tasks_is_there_it_is_said_and_how_to_get_it():
    assert what_is_wrong("tasks", missing=["django.tasks", "django_tasks"]) == (
        'CHATITIVE["DISPATCHER"] is "tasks", and this Django has no django.tasks: '
        'pip install "chatitive-django[tasks]", or use Django 6.0.'
    )


def test_a_queue_that_the_tasks_backend_does_not_have_is_said():
    immediate = f"{TASKS}.backends.immediate.ImmediateBackend"
    assert what_is_wrong("tasks", BACKEND=immediate) == ""
    wrong = what_is_wrong("tasks", BACKEND=immediate, QUEUES=["mails"])
    assert wrong.startswith('CHATITIVE["DISPATCHER"] is "tasks", and TASKS["default"] refuses')
    assert "Queue 'default'" in wrong
