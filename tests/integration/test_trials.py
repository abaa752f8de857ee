"""`send-test`: one message goes, and no other, and what became of it is told."""

from __future__ import annotations

import json
import threading
import uuid
from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.db import connection
from django.utils import timezone

from chatitive_django import channels
from chatitive_django.models import Channel, Notification
from chatitive_django.trials import deliver_this, record_test
from tests.factories import NotificationFactory
from tests.fault_server import FaultServer, answer, closed_port
from tests.shell import run

pytestmark = pytest.mark.django_db(transaction=True)

Status = Notification.Status
NUMBER = "206-555-0142"
DEEP = '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"


def test_a_test_is_sent_and_nothing_else_that_is_due(channel):
    waiting = NotificationFactory(phone_number=NUMBER)
    with FaultServer() as server:
        channel(server.port)
        code, text = run(
            "send-test",
            "Ping",
            "--phone-number",
            NUMBER,
            "--payload",
            '{"ticket_status": "Success"}',
        )
    assert code == 0, text
    [request] = server.requests
    assert request.json["event_name"] == "Ping"
    assert request.json["phone_number"] == NUMBER
    assert request.json["payload"] == {"ticket_status": "Success"}
    test = Notification.objects.get(event_name="Ping")
    assert (test.origin, test.status, test.attempts) == ("test", Status.ACCEPTED, 1)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.attempts) == (Status.PENDING, 0)
    assert f"Notification {test.pk} to …0142 is accepted (status 202" in text
    assert NUMBER not in text


def test_json_tells_the_same(channel):
    with FaultServer(answer(404)) as server:
        channel(server.port)
        code, text = run(
            "send-test", "Ping", "--subscriber-sid", "sub_0123456789", "--format", "json"
        )
    facts = json.loads(text)
    assert code == 1
    assert (facts["status"], facts["reason"], facts["http_status"]) == ("rejected", "http_404", 404)
    assert "doesn't know this channel" in facts["sentence"]


def test_what_can_not_be_reached_is_told_and_is_a_finding(channel):
    channel(closed_port())
    code, text = run("send-test", "Ping", "--phone-number", NUMBER)
    assert code == 1
    assert "is pending" in text
    assert "refused" in text


def test_a_test_is_the_probe_of_an_open_breaker(channel):
    waiting = NotificationFactory()
    channels.open_breaker("default", "http_401", timedelta(hours=1))
    with FaultServer() as server:
        channel(server.port)
        code, _text = run("send-test", "Ping", "--phone-number", NUMBER)
    assert code == 0
    assert len(server.requests) == 1
    assert Channel.objects.get().breaker_opened_at is None
    waiting.refresh_from_db()
    assert waiting.status == Status.PENDING


def test_a_test_that_fails_in_a_channel_that_flows_opens_no_breaker(channel):
    channel(closed_port())
    run("send-test", "Ping", "--phone-number", NUMBER)
    assert not channels.held().exists()


def test_a_test_waits_in_a_paused_channel(channel):
    channels.pause("default")
    with FaultServer() as server:
        channel(server.port)
        code, text = run("send-test", "Ping", "--phone-number", NUMBER)
    assert code == 1
    assert server.requests == []
    assert "Its channel is held up" in text


def test_a_test_goes_once_however_often_it_is_delivered(channel):
    with FaultServer() as server:
        channel(server.port)
        row = record_test("Ping", phone_number=NUMBER)
        assert deliver_this(row).status == Status.ACCEPTED
        assert deliver_this(row).status == Status.ACCEPTED
    assert len(server.requests) == 1


def test_a_test_that_another_worker_is_sending_is_waited_for(channel):
    channel(closed_port())
    row = record_test("Ping", phone_number=NUMBER)
    rows = Notification.objects.filter(pk=row.pk)
    until = timezone.now() + timedelta(minutes=1)
    rows.update(status=Status.SENDING, lease_token=uuid.uuid4(), leased_until=until)

    def settle():
        rows.update(status=Status.ACCEPTED)
        connection.close()

    worker = threading.Timer(0.5, settle)
    worker.start()
    assert deliver_this(row).status == Status.ACCEPTED
    worker.join()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["Ping"], "one of the arguments --phone-number --subscriber-sid is required"),
        (["Ping", "--phone-number", "1", "--subscriber-sid", "s"], "not allowed with"),
        (["Ping", "--phone-number", NUMBER, "--payload", "[1]"], "must be a JSON object"),
        (["Ping", "--phone-number", NUMBER, "--payload", "{"], "it is no JSON"),
        (["Ping", "--phone-number", NUMBER, "--payload", DEEP], "nested too deeply"),
        (["Ping", "--phone-number", NUMBER, "--channel", "defualt"], "Did you mean 'default'?"),
        (["", "--phone-number", NUMBER], "name"),
        (["Ping", "--phone-number", " "], "it is blank"),
        (["Ping", "--subscriber-sid", ""], "it is blank"),
    ],
)
def test_misuse_is_told_and_nothing_is_recorded(arguments, told):
    with pytest.raises(CommandError) as error:
        run("send-test", *arguments)
    assert told in str(error.value)
    assert not Notification.objects.exists()


def test_what_can_not_be_a_message_is_recorded_as_invalid_and_told():
    code, text = run("send-test", "Ping", "--phone-number", "5" * 65)
    test = Notification.objects.get()
    assert (code, test.origin) == (1, "test")
    assert f"Notification {test.pk} is invalid. " in text
    assert "longer than 64 characters" in text
