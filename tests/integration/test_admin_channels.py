"""The page of the channels: what it tells, and who may pause and resume."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.urls import path, reverse
from django.utils import timezone

from chatitive_django import batches, channels, doctor
from chatitive_django.admin import ChannelAdmin
from chatitive_django.heartbeats import Pulse
from chatitive_django.models import Channel, Heartbeat, Notification, ResendBatch
from tests.factories import AttemptFactory, NotificationFactory, StaffFactory
from tests.fault_server import FaultServer, closed_port

pytestmark = pytest.mark.django_db

Status = Notification.Status
URL = "/admin/chatitive_django/channel/"
TILES = "/admin/chatitive_django/notification/"
NUMBER = "206-555-0142"

site = AdminSite("backoffice")
site.register(Channel, ChannelAdmin)
urlpatterns = [path("admin/", admin.site.urls), path("backoffice/", site.urls)]
"""A second admin beside the usual one."""


@pytest.fixture(autouse=True)
def two_channels(settings):
    settings.CHATITIVE = {
        "API_URLS": {
            "default": "chatitive://SID:s3cr3t-token@api.essential.to/CHANNEL",
            "offers": "locmem://",
        },
        "DISPATCHER": "worker",
    }


@pytest.fixture
def staff(client):
    """A client that is logged in as staff with these permissions."""

    def staff(*may):
        client.force_login(StaffFactory(may=may))
        return client

    return staff


def page(client):
    response = client.get(URL)
    assert response.status_code == 200
    return response.content.decode()


def test_the_page_tells_of_every_channel_and_what_delivers(staff):
    NotificationFactory.create_batch(2, created_at=timezone.now())
    Pulse(Heartbeat.Kind.WORKER, channels=["default"], concurrency=8).beat()
    html = page(staff("view_channel"))
    assert html.count("flowing") == 2
    assert "nothing is delivered" not in html
    assert Heartbeat.objects.get().host in html
    assert "s3cr3t" not in html
    assert 'type="submit" value="Pause"' not in html


def test_a_stopped_channel_says_why_and_what_will_happen(staff):
    NotificationFactory.create_batch(2)
    channels.open_breaker("default", "http_401", timedelta(seconds=30))
    channels.pause("offers", reason="<b>wrong texts</b>")
    html = page(staff("view_channel", "pause_channel"))
    assert "refused the account SID or the token" in html
    assert "2 messages wait, and none is lost." in html
    assert "&lt;b&gt;wrong texts&lt;/b&gt;" in html
    assert "No worker is alive, so nothing is delivered." in html
    assert 'value="Resume"' in html
    assert 'value="Try it now"' in html


def test_pause_and_resume_leave_who_and_why(staff):
    client = staff("view_channel", "pause_channel")
    client.post(f"{URL}default/pause/", {"reason": "wrong texts"})
    paused = Channel.objects.get()
    assert (paused.pause_reason, paused.paused_by_id) == (
        "wrong texts",
        int(client.session["_auth_user_id"]),
    )
    assert "wrong texts" in LogEntry.objects.get().change_message
    response = client.post(f"{URL}default/resume/", follow=True)
    assert "what waits is sent within moments" in response.content.decode()
    assert Channel.objects.get().paused_at is None
    assert LogEntry.objects.count() == 2


def test_a_second_pause_changes_nothing_and_says_so(staff):
    channels.pause("default", reason="first")
    response = staff("view_channel", "pause_channel").post(
        f"{URL}default/pause/", {"reason": "second"}, follow=True
    )
    assert "paused already" in response.content.decode()
    assert Channel.objects.get().pause_reason == "first"
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("act", ["pause", "resume"])
def test_only_those_with_the_permission_act_and_only_by_a_guarded_post(staff, act):
    channels.pause("offers")
    url = f"{URL}{'default' if act == 'pause' else 'offers'}/{act}/"
    assert staff("view_channel").post(url).status_code == 403
    client = staff("view_channel", "pause_channel")
    assert client.get(url).status_code == 405
    assert client.post(f"{URL}nothing/{act}/").status_code == 404
    guarded = Client(enforce_csrf_checks=True)
    guarded.force_login(StaffFactory(may=["view_channel", "pause_channel"]))
    assert guarded.post(url).status_code == 403
    assert list(channels.held().values_list("alias", flat=True)) == ["offers"]


def test_the_page_is_for_those_who_may_see_channels(staff):
    assert staff().get(URL).status_code == 403
    assert staff("view_channel").get(reverse("admin:index")).content.decode().count(URL) >= 1


def test_the_page_costs_the_same_however_much_there_is(staff, django_assert_max_num_queries):
    client = staff("view_channel", "pause_channel", "send_test")
    channels.pause("offers")
    for channel in ("default", "offers"):
        NotificationFactory(channel=channel)
    client.get(URL)  # the days before today are in the cache from now on
    with django_assert_max_num_queries(30) as few:
        client.get(URL)
    for channel in ("default", "offers"):
        for row in NotificationFactory.create_batch(20, channel=channel):
            AttemptFactory(notification=row)
    with django_assert_max_num_queries(len(few)):
        client.get(URL)


def test_a_channel_tells_how_long_calls_take_why_they_fail_and_what_was_recorded(staff):
    row = NotificationFactory(status=Status.ACCEPTED, created_at=timezone.now())
    for duration in (100, 210, 5000):
        AttemptFactory(notification=row, duration_ms=duration)
    AttemptFactory(notification=row, outcome="rejected", reason="http_404", http_status=404)
    other = NotificationFactory(channel="offers", status=Status.ACCEPTED)
    AttemptFactory(notification=other, duration_ms=7)
    html = page(staff("view_channel"))
    assert "210 ms at the median" in html
    assert "7 ms at the median" in html
    assert "1 × Chatitive doesn&#x27;t know this channel or address (404)." in html
    assert html.count('role="img"') == 2
    assert "1 accepted" in html


def test_what_doctor_finds_of_a_channel_is_told_with_who_can_mend_it(staff, settings):
    settings.CHATITIVE = {
        "API_URLS": {
            "default": "chatitive://SID:s3cr3t-t0ken-l0ng@api.essential.to/CHANNEL",
            "broken": "chatitive://s3cr3t",
        },
        "DISPATCHER": "worker",
    }
    html = page(staff("view_channel"))
    assert "its token ends in …l0ng" in html
    assert "CHATITIVE[&quot;API_URLS&quot;][&quot;default&quot;]" in html
    assert "The URL has no SID:TOKEN@ before its host" in html
    assert "a developer, or whoever runs the servers" in html
    assert "s3cr3t" not in html


def test_a_channel_that_falls_behind_is_not_shown_as_flowing(staff):
    NotificationFactory(created_at=timezone.now() - timedelta(minutes=20))
    html = page(staff("view_channel"))
    assert "falling behind" in html
    assert html.count("flowing") == 1
    assert "is due for more than 5 minutes" in html


def test_bulk_resends_under_way_are_named(staff):
    NotificationFactory.create_batch(2, status=Status.REJECTED)
    batch = batches.draft(Notification.objects.all(), selection={"ticked": True}, user_id=None)
    batches.confirm(batch, sorts=["fresh"], reason="the API was down", pace=60)
    html = page(staff("view_channel"))
    assert f'href="/admin/chatitive_django/resendbatch/{batch.pk}/change/"' in html
    assert "0 of 2 gone through" in html
    ResendBatch.objects.update(queued=1, skipped=1)
    assert "2 of 2 gone through" in page(staff("view_channel"))


def test_in_an_admin_site_of_the_projects_own_all_links_stay_there(staff, settings):
    settings.ROOT_URLCONF = __name__
    channels.pause("offers")
    client = staff("view_channel", "pause_channel", "send_test")
    html = client.get("/backoffice/chatitive_django/channel/").content.decode()
    assert 'action="/backoffice/chatitive_django/channel/default/pause/"' in html
    assert 'action="/backoffice/chatitive_django/channel/offers/resume/"' in html
    assert 'action="/admin/' not in html
    assert "/admin/chatitive_django/channel/" not in html
    response = client.post("/backoffice/chatitive_django/channel/default/pause/")
    assert response.url == "/backoffice/chatitive_django/channel/"


# Pause and resume


def test_a_pause_says_beforehand_what_it_means(staff):
    NotificationFactory.create_batch(12)
    html = page(staff("view_channel", "pause_channel"))
    assert "Under a pause 12 messages, and all that come, wait; none is lost" in html


@pytest.mark.parametrize(
    ("send", "left", "told"),
    [
        ("all", 3, "what waits is sent within moments"),
        ("recent", 1, "2 that had waited were discarded"),
        ("none", 0, "3 that had waited were discarded"),
    ],
)
def test_a_resume_sends_all_or_the_last_days_or_none(staff, send, left, told):
    channels.pause("default")
    days_ago = timezone.now() - timedelta(days=2)
    NotificationFactory.create_batch(2, created_at=days_ago, expires_at=timezone.now())
    NotificationFactory()
    elsewhere = NotificationFactory(channel="offers", created_at=days_ago)
    client = staff("view_channel", "pause_channel")
    html = page(client)
    assert "all 3</label>" in html
    assert "2 older ones are cancelled" in html
    response = client.post(f"{URL}default/resume/", {"send": send}, follow=True)
    assert told in response.content.decode()
    rows = Notification.objects.filter(channel="default")
    assert rows.filter(status=Status.PENDING).count() == left
    cancelled = rows.filter(status=Status.CANCELLED)
    assert cancelled.count() == 3 - left
    assert all(row.reason == "discarded_by_staff" and row.finished_at for row in cancelled)
    assert Notification.objects.get(pk=elsewhere.pk).status == Status.PENDING
    assert not channels.held().exists()
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user_id) == ("default", int(client.session["_auth_user_id"]))
    assert ("discarded" in entry.change_message) == (left < 3)


def test_nothing_is_discarded_where_nobody_paused(staff):
    NotificationFactory()
    channels.open_breaker("default", "http_401", timedelta(seconds=30))
    client = staff("view_channel", "pause_channel")
    response = client.post(f"{URL}default/resume/", {"send": "none"}, follow=True)
    assert "Nothing held it up." in response.content.decode()
    assert Notification.objects.get().status == Status.PENDING


def test_many_are_discarded_in_portions(monkeypatch):
    monkeypatch.setattr(channels, "AT_ONCE", 2)
    NotificationFactory.create_batch(5)
    channels.pause("default")
    assert channels.discard("default") == 5
    assert channels.discard("default") == 0
    channels.resume("default")
    assert channels.discard("default") is None


# Tests


def test_the_connection_is_tested_without_an_event(staff, channel):
    with FaultServer() as server:
        channel(server.port)
        client = staff("view_channel", "send_test")
        response = client.post(f"{URL}default/test-connection/", follow=True)
    assert "localhost was reached in" in response.content.decode()
    assert server.requests == []
    assert "localhost was reached" in LogEntry.objects.get().change_message
    channel(closed_port())
    response = client.post(f"{URL}default/test-connection/", follow=True)
    html = response.content.decode()
    assert "localhost was not reached" in html
    assert 'class="error"' in html
    assert not Notification.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "address", [f"{URL}default/test-connection/", f"{TILES}test-connection/"], ids=["page", "tile"]
)
def test_no_transaction_is_held_while_the_connection_is_tested(
    staff, channel, monkeypatch, address
):
    seen = []
    real = doctor.test_connection

    def test_connection(alias):
        seen.append(connection.in_atomic_block)
        return real(alias)

    monkeypatch.setattr(doctor, "test_connection", test_connection)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    with FaultServer() as server:
        channel(server.port)
        client = staff("view_channel", "send_test", "resend_notification")
        client.post(address, {"channel": "default"})
    assert seen == [False]


@pytest.fixture
def listed(settings):
    settings.CHATITIVE = {**settings.CHATITIVE, "API_TEST_NUMBERS": [NUMBER, "206-555-0143"]}


def test_a_test_goes_to_a_listed_number_through_the_log(staff, listed):
    client = staff("view_channel", "send_test")
    html = client.get(f"{URL}offers/send-test/").content.decode()
    assert "…0142" in html
    assert NUMBER not in html
    assert "RequestSupportFeedback" in html
    response = client.post(
        f"{URL}offers/send-test/",
        {"event_name": "Ping", "number": "1", "payload": '{"ticket_status": "Success"}'},
    )
    row = Notification.objects.get()
    assert response.url == f"/admin/chatitive_django/notification/{row.pk}/change/"
    assert (row.event_name, row.channel, row.phone_number) == ("Ping", "offers", "206-555-0143")
    assert (row.origin, row.status, row.payload) == (
        "test",
        "pending",
        {"ticket_status": "Success"},
    )
    assert row.requested_by_id == int(client.session["_auth_user_id"])
    assert LogEntry.objects.get().object_id == str(row.pk)


@pytest.mark.parametrize(
    ("posted", "told"),
    [
        ({"number": "7"}, "7 is not one of the available choices"),
        ({"number": "206-555-0199"}, "is not one of the available choices"),
        ({"payload": "[1]"}, "Write a JSON object"),
        ({"payload": "{"}, "Write a JSON object"),
        ({"payload": '{"a": NaN}'}, "Write a JSON object"),
        ({"payload": '{"\\u0000": 1}'}, "Write a JSON object"),
        ({"payload": '{"a": "\\ud800"}'}, "Write a JSON object"),
        ({"payload": f'{{"a": {"1" * 5000}}}'}, "Write a JSON object"),
        ({"payload": f'{{"a": {"[" * 100_000}{"]" * 100_000}}}'}, "Write a JSON object"),
        ({"event_name": ""}, "This field is required"),
    ],
)
def test_what_can_not_be_a_test_is_refused_on_the_page(staff, listed, posted, told):
    client = staff("view_channel", "send_test")
    given = {"event_name": "Ping", "number": "0", "payload": "", **posted}
    response = client.post(f"{URL}default/send-test/", given)
    assert response.status_code == 200
    assert told in response.content.decode()
    assert not Notification.objects.exists()


def test_without_listed_numbers_the_page_says_what_to_set(staff):
    client = staff("view_channel", "send_test")
    html = client.get(f"{URL}default/send-test/").content.decode()
    assert "API_TEST_NUMBERS" in html
    assert "<textarea" not in html
    client.post(f"{URL}default/send-test/", {"event_name": "Ping", "number": "0"})
    assert not Notification.objects.exists()


@pytest.mark.parametrize("act", ["test-connection", "send-test"])
def test_only_those_with_the_permission_may_test_and_only_by_a_guarded_post(staff, listed, act):
    url = f"{URL}default/{act}/"
    given = {"event_name": "Ping", "number": "0"}
    assert staff("view_channel", "pause_channel").post(url, given).status_code == 403
    assert staff("send_test").post(url, given).status_code == 403
    client = staff("view_channel", "send_test")
    assert client.post(f"{URL}nothing/{act}/", given).status_code == 404
    assert client.get(url).status_code == (200 if act == "send-test" else 405)
    guarded = Client(enforce_csrf_checks=True)
    guarded.force_login(StaffFactory(may=["view_channel", "send_test"]))
    assert guarded.post(url, given).status_code == 403
    assert not Notification.objects.exists()
    assert not LogEntry.objects.exists()
