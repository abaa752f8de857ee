"""Delivery by the workers of Celery and of django.tasks: real brokers, real processes, real HTTP.

Where a test needs a broker it is marked `engines`: REDIS_URL and AMQP_URL say where they are.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from contextlib import ExitStack, contextmanager, suppress

import kombu
import pytest
import redis
from django.db import connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from chatitive_django import notify
from chatitive_django.models import Attempt, Notification
from tests.acceptance.processes import (
    ROOT,
    SECONDS_TO_END,
    environment,
    manage,
    python,
    wait_until,
)
from tests.desk.models import Agent, Customer, Ticket
from tests.fault_server import (
    FaultServer,
    answer,
    answer_in_turn,
    closed_port,
    deaf_port,
    stall_at_once,
)

pytestmark = pytest.mark.django_db(transaction=True)
Status = Notification.Status

SECONDS_TO_SAVE = 10.0
"""What a save may take on a busy machine; a broker that is waited for takes longer."""

BROKERS = {
    "redis": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
    "rabbitmq": os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672//"),
}


@pytest.fixture(autouse=True)
def nothing_delivers_by_itself(settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "worker"}


@pytest.fixture
def ticket():
    customer = Customer.objects.create(name="Kim", phone="206-555-0100")
    return Ticket.objects.create(customer=customer, agent=Agent.objects.create(name="Pam"))


class Broker:
    """A real broker, with a queue that this test has for itself."""

    def __init__(self, url: str, queue: str) -> None:
        self.url = url
        self.queue = queue
        with self._channel():
            pass  # it is there, or the test fails

    def purge(self) -> int:
        """Lose the messages that wait; gives their number."""
        with self._channel() as channel:
            return channel.queue_purge(self.queue)

    def forget(self) -> None:
        if self.url.startswith("redis"):
            with redis.Redis.from_url(self.url) as client:
                for key in client.scan_iter(f"{self.queue}:*"):
                    client.delete(key)
        else:
            with self._channel() as channel:
                channel.queue_delete(self.queue)
                channel.exchange_delete(self.queue)

    @contextmanager
    def _channel(self):
        options = {}
        if self.url.startswith("redis"):
            options = {"global_keyprefix": f"{self.queue}:"}
        with kombu.Connection(self.url, transport_options=options) as broker:
            broker.ensure_connection(max_retries=1)
            yield broker.default_channel


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.engines) for name in BROKERS])
def broker(request, monkeypatch):
    queue = f"chatitive-{uuid.uuid4().hex[:12]}"
    broker = Broker(BROKERS[request.param], queue)
    monkeypatch.setenv("CELERY_BROKER_URL", broker.url)
    monkeypatch.setenv("CELERY_RUN", queue)
    monkeypatch.setenv("CELERY_SKIP_CHECKS", "1")  # for the task must be known without them too
    yield broker
    broker.forget()


only_redis = pytest.mark.parametrize(
    "broker", [pytest.param("redis", marks=pytest.mark.engines)], indirect=True
)


class Process:
    """A process group whose output goes to a file."""

    def __init__(self, command, log, settings) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=environment(**settings),
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.log.read_text()

    def kill(self) -> None:
        """Kill all of it, as a machine that loses its power does."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=SECONDS_TO_END)
        finally:
            self.kill()


@pytest.fixture
def run(tmp_path):
    """Start `python -m COMMAND...` on the test database and a server; ended with the test."""
    started = []
    with ExitStack() as ending:

        def run(server, *command, **settings):
            url = f"chatitive+http://SID:TOKEN@localhost:{server.port}/CHANNEL"
            log = tmp_path / f"{len(started)}.log"
            started.append(Process(command, log, {"api_url": url, **settings}))
            ending.callback(started[-1].end)
            return started[-1]

        yield run
    for process in started:
        print(process.output)


@pytest.fixture
def celery(run, tmp_path):
    """Start a Celery worker, and wait until it listens; or Celery beat, each half a second."""

    def celery(server, program="worker", *options):
        app = ["celery", "-A", "tests.celery_app"]
        if program == "beat":
            schedule = str(tmp_path / "schedule")
            return run(server, *app, "beat", "-s", schedule, DISPATCHER="celery")
        alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        options = ["-l", "INFO", "-c", "2", *alone, *options]
        worker = run(server, *app, "worker", *options, DISPATCHER="celery")
        wait_until(lambda: " ready." in worker.output)
        return worker

    return celery


@pytest.fixture
def db_worker(run):
    """Start a worker of django-tasks-db."""

    def db_worker(server):
        options = ["--interval", "0.1", "--no-startup-delay", "--no-reload"]
        return run(server, "django", "db_worker", *options, DISPATCHER="tasks")

    return db_worker


def save(ticket, dispatcher):
    """Save the change in a process of its own, as one that serves requests would."""
    process = python(
        """
        import tests.celery_app
        ticket = Ticket.objects.get(pk=sys.argv[1])
        ticket.status = "Success"
        ticket.save()
        """,
        ticket.pk,
        DISPATCHER=dispatcher,
    )
    output = process.communicate(timeout=SECONDS_TO_END)
    assert (process.returncode, output) == (0, ("", ""))


def sweep(server, dispatcher):
    """Run the command that cron runs."""
    url = f"chatitive+http://SID:TOKEN@localhost:{server.port}/CHANNEL"
    process = manage("chatitive", "deliver", api_url=url, DISPATCHER=dispatcher)
    output = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == 0, output


def became(status):
    return lambda: Notification.objects.get().status == status


def connections_of_others():
    """How many connections to the test database other processes hold, where that can be asked."""
    queries = {
        "postgresql": (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ),
        "mysql": (
            "SELECT count(*) FROM information_schema.processlist"
            " WHERE db = database() AND id <> connection_id()"
        ),
    }
    with connection.cursor() as cursor:
        cursor.execute(queries.get(connection.vendor, "SELECT 0"))
        return cursor.fetchone()[0]


# Celery


def test_a_celery_worker_delivers_a_saved_change_and_holds_no_connection_after(
    broker, celery, ticket
):
    with FaultServer(answer(202)) as server:
        worker = celery(server)
        save(ticket, "celery")
        wait_until(became(Status.ACCEPTED))
        wait_until(lambda: connections_of_others() == 0)
        worker.end()
    assert worker.process.returncode == 0
    [request] = server.requests
    assert request.json["event_name"] == "RequestSupportFeedback"


def test_messages_that_come_many_times_send_once(broker, celery):
    notify("Hello", phone_number="206-555-0100")
    with FaultServer(answer(202, delay=1)) as server:
        worker = celery(server)
        wakes = python(
            """
            import tests.celery_app
            from chatitive_django.contrib.celery import deliver
            for _ in range(20):
                deliver.delay()
            """
        )
        assert wakes.communicate(timeout=SECONDS_TO_END) == ("", "")
        wait_until(lambda: worker.output.count(" succeeded ") == 20)
    assert len(server.requests) == 1
    assert Notification.objects.get().status == Status.ACCEPTED


def test_beat_finds_what_a_lost_message_left_and_what_has_become_due_since(
    broker, celery, ticket, monkeypatch
):
    monkeypatch.setenv("SWEEP_EVERY", "0.5")
    save(ticket, "celery")
    assert broker.purge() == 1
    with FaultServer(answer_in_turn(503, 202)) as server:
        celery(server)
        celery(server, "beat")
        wait_until(became(Status.ACCEPTED))
    assert len(server.requests) == 2


def test_what_a_killed_celery_worker_held_is_brought_back(broker, celery, ticket, monkeypatch):
    monkeypatch.setenv("SWEEP_EVERY", "0.5")
    with FaultServer(stall_at_once, answer(202)) as server:
        worker = celery(server)
        save(ticket, "celery")
        wait_until(lambda: server.connections)
        worker.kill()
        assert Notification.objects.get().status == Status.SENDING
        Notification.objects.update(leased_until=timezone.now())  # as if its two minutes were over
        celery(server)
        celery(server, "beat")
        wait_until(became(Status.UNKNOWN))
        assert server.connections == 1
    assert Attempt.objects.get().outcome == Attempt.LEASE_RAN_OUT


@only_redis
def test_the_project_s_time_limits_cut_no_call_off(broker, celery, ticket):
    with FaultServer(answer(202, delay=3)) as server:
        worker = celery(server, "worker", "--soft-time-limit", "1", "--time-limit", "2")
        save(ticket, "celery")
        wait_until(became(Status.ACCEPTED))
        worker.end()
    assert "time limit" not in worker.output
    assert len(server.requests) == 1


@only_redis
def test_sigterm_of_a_celery_worker_finishes_the_call_in_hand(broker, celery, ticket):
    with FaultServer(answer(202, delay=2)) as server:
        worker = celery(server)
        save(ticket, "celery")
        wait_until(lambda: server.requests)
        worker.end()
    assert worker.process.returncode == 0
    assert Notification.objects.get().status == Status.ACCEPTED


def test_a_connection_that_was_closed_since_is_opened_again_by_the_next_save(broker, ticket):
    process = python(
        """
        import gc, socket, tests.celery_app
        ticket = Ticket.objects.get(pk=sys.argv[1])
        ticket.status = "Success"
        ticket.save()
        time.sleep(0.2)
        for each in gc.get_objects():
            if isinstance(each, socket.socket) and each.family == socket.AF_INET:
                each.shutdown(socket.SHUT_RDWR)
                print("closed")
        ticket.status = "Failed"
        ticket.save()
        ticket.status = "Success"
        ticket.save()
        """,
        ticket.pk,
        DISPATCHER="celery",
    )
    out, err = process.communicate(timeout=SECONDS_TO_END)
    assert (process.returncode, err) == (0, "")
    assert "closed" in out
    assert broker.purge() == 2


@contextmanager
def a_port_where(what):
    if what == "nothing listens":
        yield closed_port()
    elif what == "nothing answers a connect":
        with deaf_port() as port:
            yield port
    else:
        with FaultServer(stall_at_once) as server:
            yield server.port


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
@pytest.mark.parametrize("what", ["nothing listens", "nothing answers a connect", "nobody speaks"])
def test_a_broker_that_is_down_breaks_and_delays_no_save_and_loses_nothing(
    ticket, monkeypatch, scheme, what
):
    with a_port_where(what) as port:
        monkeypatch.setenv("CELERY_BROKER_URL", f"{scheme}://user:s3cr3t@127.0.0.1:{port}/")
        process = python(
            """
            import tests.celery_app
            ticket = Ticket.objects.get(pk=sys.argv[1])
            for status in ("Success", "Failed", "Success", "Failed", "Success"):
                ticket.status = status
                started = time.monotonic()
                ticket.save()
                print(time.monotonic() - started)
            """,
            ticket.pk,
            DISPATCHER="celery",
        )
        out, err = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == 0, err
    assert max(map(float, out.split())) < SECONDS_TO_SAVE
    # Once: a broker that is down isn't asked again by the next save.
    assert err == "No delivery could be woken (OperationalError): messages wait for the sweep.\n"
    assert list(Notification.objects.values_list("status", flat=True)) == [Status.PENDING] * 3
    with FaultServer(answer(202)) as server:
        sweep(server, "celery")
    assert len(server.requests) == 3


# django.tasks


def test_a_worker_of_django_tasks_delivers_a_saved_change(db_worker, ticket):
    with FaultServer(answer(202)) as server:
        worker = db_worker(server)
        save(ticket, "tasks")
        wait_until(became(Status.ACCEPTED))
        wait_until(lambda: DBTaskResult.objects.get().status == "SUCCESSFUL")
        worker.end()
    assert len(server.requests) == 1


def test_tasks_that_are_enqueued_many_times_send_once(db_worker):
    notify("Hello", phone_number="206-555-0100")
    wakes = python(
        """
        from chatitive_django.contrib.tasks import deliver
        for _ in range(6):
            deliver.enqueue()
        """
    )
    assert wakes.communicate(timeout=SECONDS_TO_END) == ("", "")
    with FaultServer(answer(202, delay=1)) as server:
        for _ in range(2):
            db_worker(server)
        wait_until(lambda: DBTaskResult.objects.filter(status="SUCCESSFUL").count() == 6)
    assert len(server.requests) == 1
    assert Notification.objects.get().status == Status.ACCEPTED


def test_the_command_finds_what_a_lost_task_left_and_what_has_become_due_since(ticket):
    save(ticket, "tasks")
    assert DBTaskResult.objects.all().delete()[0] == 1
    with FaultServer(answer_in_turn(503, 202)) as server:
        sweep(server, "tasks")
        assert Notification.objects.get().status == Status.PENDING
        Notification.objects.update(available_at=timezone.now())  # as if its seconds were over
        sweep(server, "tasks")
    assert Notification.objects.get().status == Status.ACCEPTED
    assert not DBTaskResult.objects.exists()


def test_what_a_killed_worker_of_django_tasks_held_is_brought_back(db_worker, ticket):
    with FaultServer(stall_at_once, answer(202)) as server:
        worker = db_worker(server)
        save(ticket, "tasks")
        wait_until(lambda: server.connections)
        worker.kill()
        assert Notification.objects.get().status == Status.SENDING
        Notification.objects.update(leased_until=timezone.now(), on_ambiguous="retry")
        db_worker(server)
        # Its row in the engine's table is left as running, and it takes the next message.
        other = Ticket.objects.create(customer=ticket.customer, agent=ticket.agent)
        save(other, "tasks")
        wait_until(lambda: Notification.objects.filter(status=Status.ACCEPTED).count() == 2)
    assert Attempt.objects.filter(outcome=Attempt.LEASE_RAN_OUT).count() == 1


def test_an_engine_that_takes_no_task_breaks_no_save_and_tells_no_secret(ticket, monkeypatch):
    monkeypatch.setenv("TASKS_BACKEND", "tests.broken_tasks.BrokenBackend")
    process = python(
        """
        ticket = Ticket.objects.get(pk=sys.argv[1])
        ticket.status = "Success"
        ticket.save()
        """,
        ticket.pk,
        DISPATCHER="tasks",
    )
    out, err = process.communicate(timeout=SECONDS_TO_END)
    assert (process.returncode, out) == (0, "")
    assert err == "No delivery could be woken (RuntimeError): messages wait for the sweep.\n"
    assert Notification.objects.get().status == Status.PENDING
