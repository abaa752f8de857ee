"""The page of the channels: what it tells, and who may pause and resume."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from chatitive_django import channels
from chatitive_django.heartbeats import Pulse
from chatitive_django.models import Channel, Heartbeat
from tests.factories import NotificationFactory, StaffFactory

pytestmark = pytest.mark.django_db
URL = "/admin/chatitive_django/channel/"


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
    NotificationFactory.create_batch(2)
    Pulse(Heartbeat.Kind.WORKER, channels=["default"], concurrency=8).beat()
    html = page(staff("view_channel"))
    assert html.count("flowing") == 2
    assert "Nothing delivers" not in html
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
    assert "Nothing delivers" in html
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


def test_the_page_costs_few_queries(staff, django_assert_max_num_queries):
    client = staff("view_channel")
    NotificationFactory.create_batch(5)
    with django_assert_max_num_queries(14):
        client.get(URL)
