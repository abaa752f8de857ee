"""What `doctor` looks at: what it finds, who can mend it, and that it sends and tells nothing."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.db import InterfaceError, OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from chatitive_django import channels, doctor
from chatitive_django.findings import Level, Mender
from chatitive_django.heartbeats import Pulse
from chatitive_django.models import EventRule, Heartbeat, Notification
from tests.factories import NotificationFactory
from tests.fault_server import FaultServer, closed_port
from tests.shell import run

pytestmark = pytest.mark.django_db

Status = Notification.Status


def wrong():
    """What isn't well, by code."""
    return {each.code: each for each in doctor.examine() if each.level is not Level.OK}


@pytest.fixture
def sound(channel):
    """A project in which all is well, with a server that can be reached."""
    with FaultServer() as server:
        channel(server.port)
        Pulse(Heartbeat.Kind.WORKER, channels=["default"], concurrency=8).beat()
        yield server


def test_a_sound_project_is_told_so_and_nothing_is_sent(sound):
    code, text = run("doctor")
    assert code == 0, text
    assert "0 of them with something to mend" in text
    assert "localhost was reached in" in text
    assert "1 process delivers (dispatcher worker)" in text
    assert sound.connections == 1
    assert sound.requests == []


def test_json_holds_every_check(sound):
    code, text = run("doctor", "--format", "json")
    facts = json.loads(text)
    assert (code, facts["ok"]) == (0, True)
    assert {check["code"] for check in facts["checks"]} >= {
        "settings",
        "channel_urls",
        "django",
        "sqlite",
        "tasks",
        "declarations",
        "migrations",
        "events",
        "connection",
        "channel_url",
        "flowing",
        "workers",
        "rows",
        "clock",
        "rules",
    }
    assert set(facts["checks"][0]) == {"code", "text", "level", "mender", "advice", "channel"}


def test_each_finding_says_who_can_mend_it_and_what_to_do(sound):
    NotificationFactory(status=Status.UNKNOWN)
    NotificationFactory(status=Status.SENDING, leased_until=timezone.now() - timedelta(minutes=5))
    channels.pause("default", reason="wrong texts")
    Heartbeat.objects.all().delete()
    found = wrong()
    assert set(found) == {"unknown", "stuck", "paused", "no_worker"}
    assert {code: each.mender for code, each in found.items()} == {
        "unknown": Mender.STAFF,
        "stuck": Mender.DEVELOPER,
        "paused": Mender.STAFF,
        "no_worker": Mender.DEVELOPER,
    }
    assert all(each.advice for each in found.values())
    code, text = run("doctor")
    assert code == 1
    assert "wrong texts" in text
    assert "staff, in the admin: Resume it" in text


def test_a_channel_that_slows_down_asks_for_nothing_but_patience(sound):
    channels.slow("default", timedelta(minutes=1))
    assert wrong()["slowed"].mender is Mender.WAIT


@pytest.mark.parametrize(
    ("reason", "mender"), [("http_401", Mender.DEVELOPER), ("connect_timeout", Mender.WAIT)]
)
def test_an_open_breaker_is_mended_by_a_developer_unless_it_passes(sound, reason, mender):
    channels.open_breaker("default", reason, timedelta(seconds=30))
    assert wrong()["breaker_open"].mender is mender


def test_a_channel_that_can_not_be_reached_is_told_with_its_host(channel):
    channel(closed_port())
    found = wrong()["connection"]
    assert "localhost was not reached" in found.text
    assert "refused" in found.text
    assert (found.channel, found.mender) == ("default", Mender.WAIT)


def test_a_host_that_is_not_found_is_for_a_developer(settings):
    settings.CHATITIVE = {
        "API_URLS": {"default": "chatitive://SID:s3cr3t-t0ken-long@nowhere.invalid/CHANNEL"},
        "DISPATCHER": "worker",
    }
    assert wrong()["connection"].mender is Mender.DEVELOPER
    told = run("doctor")[1] + run("doctor", "--format", "json")[1]
    assert "s3cr3t" not in told
    assert "its token ends in …long" in told
    assert 'CHATITIVE["API_URLS"]["default"]' in told


def test_a_channel_that_sends_nothing_has_nothing_to_be_reached(settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "immediate"}
    finding = doctor.test_connection("default")
    assert (finding.level, finding.channel) == (Level.OK, "default")
    assert "sends nothing anywhere" in finding.text


@pytest.mark.parametrize(
    ("setting", "code", "told"),
    [
        ({"API_URLS": {"default": "chatitive://x:s3cr3t@y"}}, "channel_urls", "E003"),
        ({"API_URLS": {}}, "channel_urls", "names no channel"),
        ({"API_URLS": 5}, "settings", "E001"),
        ({"LAESE": 5}, "settings", "Did you mean 'LEASE'?"),
        ({"LEASE": 5}, "settings", "E002"),
        ({"DISPATCHER": "celry"}, "settings", "Did you mean 'celery'?"),
    ],
)
def test_settings_that_can_not_be_used_are_findings_and_stop_no_other_check(
    settings, setting, code, told
):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, **setting}
    found = doctor.examine()
    [finding] = [each for each in found if each.code == code]
    assert told in finding.text
    assert (finding.level, finding.mender) == (Level.BAD, Mender.DEVELOPER)
    assert "s3cr3t" not in repr(found)
    assert "migrations" in {each.code for each in found}
    assert run("doctor")[0] == 1


def test_a_broken_project_can_be_looked_at_although_its_checks_fail(settings):
    settings.CHATITIVE = {"API_URLS": {"default": "chatitive://x"}}
    code, text = run("doctor", skip_checks=False)
    assert code == 1
    assert "E003" in text


def test_migrations_that_are_not_applied_are_told_before_tables_are_missed(sound):
    MigrationRecorder(connection).record_unapplied("chatitive_django", "0001_initial")
    finding = wrong()["migrations"]
    assert "1 migration isn't applied" in finding.text
    assert "migrate" in finding.advice
    assert "workers" not in {each.code for each in doctor.examine()}


@pytest.mark.skipif(connection.vendor == "sqlite", reason="its clock is the host's")
def test_clocks_that_differ_are_told(sound, monkeypatch):
    real = timezone.now
    monkeypatch.setattr(doctor.timezone, "now", lambda: real() + timedelta(seconds=90))
    assert "differ by 90" in wrong()["clock"].text


def test_a_rule_with_a_problem_is_told_unless_it_is_off(sound):
    rule = EventRule.objects.create(
        name="Feedback",
        model="desk.ticket",
        trigger="changed",
        field="statsu",
        event_name="RequestSupportFeedback",
        phone_number="customer.phone",
        mode="live",
    )
    finding = wrong()["rule"]
    assert finding.text.startswith("Rule Feedback: ")
    assert (finding.level, finding.mender) == (Level.BAD, Mender.STAFF)
    EventRule.objects.filter(pk=rule.pk).update(mode="off")
    assert "rule" not in wrong()


@pytest.mark.parametrize(
    ("dispatcher", "told"),
    [
        ("embedded", "the next request has one begin"),
        ("immediate", "dispatcher immediate delivers"),
        ("celery", "dispatcher celery delivers"),
    ],
)
def test_what_delivers_is_told_for_each_dispatcher(settings, dispatcher, told):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": dispatcher}
    [finding] = [each for each in doctor.examine() if each.code == "workers"]
    assert told in finding.text


@pytest.mark.parametrize("failure", [OperationalError, InterfaceError])
def test_a_database_that_fails_is_a_finding_and_no_traceback(sound, failure):
    def refuse(*args):
        raise failure("FATAL: password authentication failed for s3cr3t")

    with connection.execute_wrapper(refuse):
        found = wrong()
    assert failure.__name__ in found["database"].text
    assert "s3cr3t" not in repr(found)


def test_misuse_is_told():
    with pytest.raises(CommandError, match="invalid choice: 'yaml'"):
        run("doctor", "--format", "yaml")
