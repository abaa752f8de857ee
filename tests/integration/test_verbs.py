"""`manage.py chatitive VERB` but for those that deliver."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command, load_command_class
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from chatitive_django import channels
from chatitive_django.heartbeats import Pulse
from chatitive_django.models import Channel, Heartbeat, Notification
from tests.factories import NotificationFactory
from tests.shell import run

pytestmark = pytest.mark.django_db
Status = Notification.Status


@pytest.fixture(autouse=True)
def immediate(settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "immediate"}


def status():
    code, text = run("status", "--format", "json")
    facts = json.loads(text)
    assert facts["ok"] == (code == 0)
    return code, facts


def findings():
    return [finding["code"] for finding in status()[1]["findings"]]


def test_a_healthy_log_has_no_finding():
    NotificationFactory.create_batch(2, status=Status.ACCEPTED)
    NotificationFactory(status=Status.REJECTED)
    waiting = NotificationFactory(available_at=timezone.now() + timedelta(minutes=1))
    Notification.objects.filter(pk=waiting.pk).update(
        created_at=timezone.now() - timedelta(seconds=90)
    )
    code, facts = status()
    assert (code, facts["findings"], facts["unknown"]) == (0, [], 0)
    assert facts["last_24_hours"]["accepted"] == 2
    assert 85 < facts["oldest_pending_age"] < 120
    [channel] = facts["channels"]
    assert (channel["alias"], channel["state"]) == ("default", "flowing")
    assert (channel["pending"], channel["due"], channel["sending"]) == (1, 0, 0)
    code, text = run("status")
    assert code == 0
    assert "Nobody must act." in text
    assert "1 pending (0 due)" in text


def test_what_may_have_arrived_is_a_finding():
    NotificationFactory(status=Status.UNKNOWN)
    assert findings() == ["unknown"]
    code, text = run("status")
    assert code == 1
    assert "may have arrived" in text


def test_a_paused_channel_is_a_finding_and_tells_the_way_out():
    NotificationFactory()
    channels.pause("default", reason="wrong texts")
    assert "paused" in findings()
    text = run("status")[1]
    assert "wrong texts" in text
    assert "chatitive resume default" in text


def test_an_open_breaker_is_a_finding():
    channels.open_breaker("default", "http_401", timedelta(seconds=30))
    [finding] = status()[1]["findings"]
    assert finding["code"] == "breaker_open"
    assert "http_401" in finding["text"]


def test_what_is_due_for_long_is_a_finding_but_for_those_that_wait_for_an_earlier_one():
    long_ago = timezone.now() - timedelta(minutes=20)
    NotificationFactory(
        phone_number="206-555-0100",
        created_at=long_ago,
        available_at=timezone.now() + timedelta(minutes=9),
    )
    NotificationFactory(phone_number="206-555-0100", created_at=long_ago)
    assert findings() == []
    NotificationFactory(phone_number="206-555-0101", created_at=long_ago)
    assert findings() == ["overdue"]


def test_rows_that_nothing_brings_back_are_a_finding():
    NotificationFactory(status=Status.SENDING, leased_until=timezone.now() - timedelta(minutes=5))
    assert findings() == ["stuck"]


def test_messages_of_a_channel_that_is_gone_are_a_finding():
    NotificationFactory(channel="gone")
    assert findings() == ["not_configured"]


def test_without_a_living_worker_the_worker_dispatcher_has_a_finding(settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "worker"}
    assert findings() == ["no_worker"]
    pulse = Pulse(Heartbeat.Kind.WORKER, channels=["default"], concurrency=8)
    pulse.beat()
    assert findings() == []
    [worker] = status()[1]["workers"]
    assert worker["alive"]
    assert (worker["kind"], worker["concurrency"]) == ("worker", 8)
    Heartbeat.objects.update(seen_at=timezone.now() - timedelta(minutes=5))
    assert findings() == ["no_worker"]
    assert "LOST" in run("status")[1]
    pulse.beat()
    assert findings() == []
    pulse.stop()
    assert not Heartbeat.objects.exists()
    Pulse(Heartbeat.Kind.EMBEDDED, channels=["default"], concurrency=2).beat()
    assert findings() == ["no_worker"]


def test_a_process_lost_long_ago_is_forgotten():
    Pulse(Heartbeat.Kind.WORKER, channels=["default"], concurrency=8).beat()
    Heartbeat.objects.update(seen_at=timezone.now() - timedelta(days=2))
    Pulse(Heartbeat.Kind.WORKER, channels=["default"], concurrency=8).beat()
    assert Heartbeat.objects.count() == 1


def test_pause_and_resume_say_what_waits():
    NotificationFactory.create_batch(2)
    assert run("pause", "default", "--reason", "a test") == (
        0,
        "Channel default is paused. 2 messages wait.\n",
    )
    assert Channel.objects.get().pause_reason == "a test"
    assert "already" in run("pause", "default")[1]
    assert "goes on" in run("resume", "default")[1]
    assert "wasn't held up" in run("resume", "default")[1]


@pytest.mark.parametrize("verb", [["status"], ["rules", "list"]])
def test_djangos_own_options_may_stand_before_the_verb_and_after_it(verb):
    parser = load_command_class("chatitive_django", "chatitive").create_parser("manage.py", "x")
    given = ["--verbosity", "2", "--settings", "shop.settings", "--traceback"]
    before = parser.parse_args([*given, *verb])
    assert (before.verbosity, before.settings, before.traceback) == (2, "shop.settings", True)
    assert parser.parse_args([*verb, *given]) == before
    assert parser.parse_args(verb).verbosity == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["pause", "defualt"], "Did you mean 'default'?"),
        (["resume", "x"], "is no channel"),
        (["pause", "default", "--reason", "x" * 201], "it has 201 characters, and may have 200"),
        (["prune", "--older-than", "soon"], "no span of time"),
        (["prune", "--older-than", "800000d"], "no span of time of up to 100 years"),
        (["prune", "--older-than", "999999999d"], "no span of time of up to 100 years"),
        (["scrub"], "required"),
        (["scrub", "--phone-number", ""], "it is blank"),
        (["scrub", "--subscriber-sid", " "], "it is blank"),
        (["worker", "--once", "--idle-exit", "3"], "not allowed with"),
    ],
)
def test_misuse_says_what_was_meant(arguments, told):
    with pytest.raises(CommandError, match=None) as error:
        call_command("chatitive", *arguments)
    assert told in str(error.value)


def test_the_longest_span_and_reason_are_taken():
    assert run("prune", "--older-than", "36525d")[0] == 0
    assert run("pause", "default", "--reason", "x" * 200)[0] == 0
    assert Channel.objects.get().pause_reason == "x" * 200


@pytest.fixture(params=[OperationalError, InterfaceError])
def broken(request):
    """A database that fails, and the name of its error."""

    def refuse(*args):
        raise request.param("FATAL: s3cr3t")

    with connection.execute_wrapper(refuse):
        yield request.param.__name__


@pytest.mark.parametrize(
    "arguments",
    [
        ["deliver"],
        ["status"],
        ["send-test", "Ping", "--phone-number", "206-555-0142"],
        ["resend", "--since", "1h"],
        ["explain", "desk.Ticket", "1"],
        ["tail", "--no-follow"],
        ["rules", "list"],
        ["pause", "default"],
        ["resume", "default"],
        ["groups"],
        ["prune"],
        ["scrub", "--phone-number", "206-555-0142"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_database_that_fails_is_no_finding_and_is_told_without_a_detail(broken, arguments):
    with pytest.raises(CommandError) as error:
        run(*arguments)
    assert error.value.returncode == 2
    assert str(error.value) == (
        f"The database failed ({broken}). Run `manage.py migrate`, or see "
        "`manage.py chatitive doctor`."
    )


def test_a_monitor_reads_json_where_the_database_fails(broken):
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("chatitive", "status", "--format", "json", stdout=out)
    assert json.loads(out.getvalue()) == {"ok": False, "error": broken}


def test_delivery_inside_a_transaction_still_says_what_is_wrong(settings):
    settings.CHATITIVE = {"API_URLS": {"default": "chatitive+http://SID:TOKEN@localhost:1/C"}}
    with pytest.raises(transaction.TransactionManagementError, match="after the commit"):
        run("deliver")


@pytest.mark.parametrize(("span", "left"), [(["--older-than", "12h"], 1), ([], 2)])
def test_prune_takes_a_span_or_the_setting(span, left):
    NotificationFactory(status=Status.ACCEPTED)
    NotificationFactory(status=Status.ACCEPTED, created_at=timezone.now() - timedelta(days=3))
    assert run("prune", *span) == (0, f"{2 - left} notifications were deleted.\n")
    assert Notification.objects.count() == left


def test_scrub_says_what_it_did():
    NotificationFactory(phone_number="206-555-0142")
    code, text = run("scrub", "--phone-number", "(206) 555 0142")
    assert (code, text) == (0, "1 notifications were scrubbed; 1 of them were cancelled.\n")
    NotificationFactory(phone_number="206-555-0142", status=Status.SENDING)
    code, text = run("scrub", "--phone-number", "(206) 555 0142")
    assert code == 1
    assert "run it again" in text


def test_groups_are_made_once_and_keep_what_they_have():
    code, text = run("groups")
    assert code == 0
    assert "Group Support was made" in text
    support, manager = (Group.objects.get(name=name) for name in ("Support", "Messaging manager"))
    may = set(support.permissions.values_list("codename", flat=True))
    assert may == {
        "view_notification",
        "view_channel",
        "resend_notification",
        "cancel_notification",
    }
    assert may < set(manager.permissions.values_list("codename", flat=True))
    support.permissions.add(Permission.objects.get(codename="send_again"))
    manager.permissions.remove(Permission.objects.get(codename="send_test"))
    assert "Group Support was there; 0 permissions were added" in run("groups")[1]
    assert support.permissions.filter(codename="send_again").exists()
    assert manager.permissions.filter(codename="send_test").exists()
    assert Group.objects.count() == 2


def test_every_permission_of_the_package_is_some_groups():
    run("groups")
    given = Permission.objects.filter(group__isnull=False).values_list("codename", flat=True)
    of_people = {"notification", "eventrule", "channel"}
    there = Permission.objects.filter(
        content_type__app_label="chatitive_django", content_type__model__in=of_people
    )
    assert set(there.values_list("codename", flat=True)) == set(given)
