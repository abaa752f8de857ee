"""Processes that die at the worst moment, and processes that make the same change at once."""

from __future__ import annotations

import signal
import time

import pytest
from django.db import connection
from django.utils import timezone

from chatitive_django.models import Attempt, Notification
from tests.acceptance.processes import SECONDS_TO_END, manage, python, wait_until
from tests.desk.models import Agent, Customer, Order, Ticket
from tests.fault_server import FaultServer, answer, stall_at_once

pytestmark = pytest.mark.django_db(transaction=True)
Status = Notification.Status


@pytest.fixture
def ticket():
    customer = Customer.objects.create(name="Kim", phone="206-555-0100")
    return Ticket.objects.create(customer=customer, agent=Agent.objects.create(name="Pam"))


SAVE_AND_DIE = """
    {patch}
    ticket = Ticket.objects.get(pk=sys.argv[1])
    ticket.status = "Success"
    ticket.save()
"""


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        ("import chatitive_django.capture.saving as s; s.stored_values = die", False),
        ("import chatitive_django.capture.saving as s; s.emit = die", False),
        ("import chatitive_django.capture.record as r; r.compose = die", False),
        ("import chatitive_django.capture.record as r; r.write = die", False),
        ("import chatitive_django.capture.record as r; r.tell_on_commit = die", False),
        ("import django.db.transaction as t; t.Atomic.__exit__ = die", False),
        (
            "from django.db.models.signals import post_save; post_save.connect(die, sender=Ticket)",
            True,
        ),
    ],
    ids=[
        "before the update",
        "after the update",
        "while the payload is built",
        "before the log row",
        "after the log row",
        "before the first savepoint or commit ends",
        "after the commit",
    ],
)
def test_a_process_killed_within_a_save_in_autocommit_leaves_both_or_neither(
    ticket, patch, changed
):
    process = python(SAVE_AND_DIE.format(patch=patch), ticket.pk)
    output = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == -signal.SIGKILL, output
    ticket.refresh_from_db()
    assert (ticket.status == "Success") == changed
    assert Notification.objects.count() == changed


@pytest.mark.parametrize("processes", [2])
def test_processes_that_make_the_same_change_at_once_record_one_event_each_time(ticket, processes):
    rounds = 25
    tickets = [
        Ticket.objects.create(customer=ticket.customer, agent=ticket.agent) for _ in range(rounds)
    ]
    begin = time.time() + 3
    running = [
        python(
            """
            tickets = {ticket.pk: ticket for ticket in Ticket.objects.all()}
            begin = float(sys.argv[1])
            for n, pk in enumerate(map(int, sys.argv[2:])):
                tickets[pk].status = "Success"
                while time.time() < begin + n * 0.04:
                    pass
                tickets[pk].save()
            """,
            begin,
            *[each.pk for each in tickets],
        )
        for _ in range(processes)
    ]
    for process in running:
        output = process.communicate(timeout=SECONDS_TO_END)
        assert process.returncode == 0, output
    assert Ticket.objects.filter(status="Success").count() == rounds
    assert Notification.objects.count() == rounds
    assert Notification.objects.values("source_id").distinct().count() == rounds


def test_processes_that_delete_the_same_row_at_once_record_one_event():
    orders = [Order.objects.create(number=n) for n in range(15)]
    Notification.objects.all().delete()
    begin = time.time() + 3
    running = [
        python(
            """
            orders = list(Order.objects.order_by("number"))
            for n, order in enumerate(orders):
                while time.time() < float(sys.argv[1]) + n * 0.04:
                    pass
                order.delete()
            """,
            begin,
        )
        for _ in range(2)
    ]
    for process in running:
        output = process.communicate(timeout=SECONDS_TO_END)
        assert process.returncode == 0, output
    assert not Order.objects.exists()
    assert Notification.objects.count() == len(orders)


@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
def test_a_worker_killed_after_the_server_got_the_request_leaves_nothing_sending(
    ticket, on_ambiguous
):
    ticket.status = "Success"
    ticket.save()
    Notification.objects.update(status=Status.PENDING, attempts=0, finished_at=None)
    Notification.objects.update(on_ambiguous=on_ambiguous)
    Attempt.objects.all().delete()
    with FaultServer(stall_at_once, answer(202)) as server:
        url = f"chatitive+http://SID:TOKEN@localhost:{server.port}/CHANNEL"
        first = manage("chatitive", "worker", api_url=url)
        try:
            wait_until(lambda: server.connections)
        finally:
            first.kill()
            first.communicate()
        assert Notification.objects.get().status == Status.SENDING
        Notification.objects.update(leased_until=timezone.now())  # as if its two minutes were over
        second = manage("chatitive", "worker", api_url=url)
        try:
            wanted = Status.UNKNOWN if on_ambiguous == "hold" else Status.ACCEPTED
            wait_until(lambda: Notification.objects.get().status == wanted)
        finally:
            second.terminate()
            output = second.communicate(timeout=SECONDS_TO_END)
        assert second.returncode == 0, output
    outcomes = list(Attempt.objects.order_by("pk").values_list("outcome", flat=True))
    assert outcomes == ["lease_ran_out"] + ["accepted"] * (on_ambiguous == "retry")
    if on_ambiguous == "hold":
        assert server.connections == 1
        assert "unknown" in output[1]


def test_sigterm_finishes_what_is_in_hand_and_exits_zero(ticket):
    ticket.status = "Success"
    ticket.save()
    Notification.objects.update(status=Status.PENDING, attempts=0, finished_at=None)
    with FaultServer(answer(202, delay=1)) as server:
        url = f"chatitive+http://SID:TOKEN@localhost:{server.port}/CHANNEL"
        worker = manage("chatitive", "worker", api_url=url)
        try:
            wait_until(lambda: server.requests)
        finally:
            worker.terminate()
            output = worker.communicate(timeout=SECONDS_TO_END)
    assert worker.returncode == 0, output
    assert Notification.objects.get().status == Status.ACCEPTED


@pytest.mark.parametrize(
    ("arguments", "settings", "told"),
    [
        (["worker"], {"CONCURENCY": 4}, "Did you mean 'CONCURRENCY'?"),
        (["worker"], {"api_url": "chatitve://SID:s3cr3t@host/c"}, "API_URLS\"]['default']"),
        (["worker"], {"api_url": "chatitive://SID:s3cr3t@host"}, "API_URLS\"]['default']"),
        (["worker"], {"api_url": "s3cr3t"}, "must look like chatitive://"),
        (["deliver", "--channel", "defualt"], {}, "Did you mean 'default'?"),
        (["worker", "--concurrency", "0"], {}, "no whole number from 1"),
    ],
)
def test_misuse_ends_with_a_clear_error_that_holds_no_secret(arguments, settings, told):
    process = manage("chatitive", *arguments, **settings)
    out, err = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode != 0
    assert told in err
    assert "s3cr3t" not in out + err
    assert "Traceback" not in err


def test_a_wrong_password_loses_nothing_and_is_told(ticket):
    ticket.status = "Success"
    ticket.save()
    Notification.objects.update(status=Status.PENDING, attempts=0, finished_at=None)
    with FaultServer(answer(401)) as server:
        url = f"chatitive+http://SID:s3cr3t@localhost:{server.port}/CHANNEL"
        process = manage("chatitive", "deliver", api_url=url)
        out, err = process.communicate(timeout=SECONDS_TO_END)
    row = Notification.objects.get()
    assert (row.status, row.reason) == (Status.PENDING, "http_401")
    assert "http_401" in err
    assert "s3cr3t" not in out + err
    assert "206-555-0100" not in out + err


def test_the_embedded_dispatcher_delivers_in_the_serving_process_and_waits_at_exit(ticket):
    with FaultServer(answer(202, delay=0.5)) as server:
        url = f"chatitive+http://SID:TOKEN@localhost:{server.port}/CHANNEL"
        process = python(
            """
            from django.core.signals import request_started
            from django.db import connection
            request_started.send(None, environ={})
            time.sleep(0.5)
            ticket = Ticket.objects.get(pk=sys.argv[1])
            ticket.status = "Success"
            ticket.save()
            while Notification.objects.filter(status="pending").exists():
                time.sleep(0.02)
            """,
            ticket.pk,
            api_url=url,
            DISPATCHER="embedded",
        )
        output = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == 0, output
    assert Notification.objects.get().status == Status.ACCEPTED
    assert len(server.requests) == 1


def test_the_embedded_dispatcher_is_not_started_by_a_commit(ticket):
    process = python(
        """
        import threading
        ticket = Ticket.objects.get(pk=sys.argv[1])
        ticket.status = "Success"
        ticket.save()
        assert threading.active_count() == 1
        """,
        ticket.pk,
        DISPATCHER="embedded",
    )
    output = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == 0, output
    assert Notification.objects.get().status == Status.PENDING


def test_the_test_database_is_a_real_one():
    assert not (connection.vendor == "sqlite" and connection.is_in_memory_db())
