"""The page of the channels in a real Chromium, under a strict policy: `pytest -m browser`."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from chatitive_django import channels
from chatitive_django.heartbeats import Pulse
from chatitive_django.models import Heartbeat, Notification
from tests.acceptance.test_browser import CUT_OFF, LOOKS, Visit, chromium, shown  # noqa: F401
from tests.factories import NotificationFactory

pytestmark = pytest.mark.browser

Status = Notification.Status
CHANNELS = "/admin/chatitive_django/channel/"


def aside(act, *args, **options):
    """Do something with the database in a thread, for Playwright's own runs a loop."""

    def do():
        act(*args, **options)
        connection.close()

    thread = threading.Thread(target=do)
    thread.start()
    thread.join()


@pytest.fixture
def three_channels(settings):
    """One that flows, one that is paused, and one that can't deliver."""
    settings.CHATITIVE = {
        "API_URLS": {
            "default": "chatitive://SID:a-t0ken-of-some-length@api.essential.to/CHANNEL",
            "offers": "chatitive://SID:a-t0ken-of-some-length@api.essential.to/OFFERS",
            "surveys": "locmem://",
        },
        "DISPATCHER": "worker",
        "API_TEST_NUMBERS": ["206-555-0142", "206-555-0143"],
    }


@pytest.fixture
def week(shown, three_channels):  # noqa: F811
    """The gallery after a week of messages."""
    _rows, address = shown
    now = timezone.now()
    for day, (accepted, failed) in enumerate([(9, 1), (14, 0), (22, 2), (18, 1), (31, 9), (12, 0)]):
        when = now - timedelta(days=6 - day)
        NotificationFactory.create_batch(accepted, status=Status.ACCEPTED, created_at=when)
        NotificationFactory.create_batch(failed, status=Status.REJECTED, created_at=when)
    for hours in (2, 3, 30, 50):
        NotificationFactory(
            channel="offers",
            created_at=now - timedelta(hours=hours),
            expires_at=now + timedelta(hours=1),
        )
    channels.pause("offers", reason="the texts name the wrong shop")
    channels.open_breaker("surveys", "http_401", timedelta(seconds=30))
    Pulse(Heartbeat.Kind.WORKER, channels=["default", "offers"], concurrency=8).beat()
    return address


@pytest.mark.parametrize("look", LOOKS)
def test_the_channels_look_right_and_keep_to_a_strict_policy(look, week, chromium):  # noqa: F811
    context, _statuses = LOOKS[look]
    with Visit(chromium, look, **context) as visit:
        page = visit.page
        visit.log_in(f"{week}/admin/", "pam", "demo")
        page.goto(week + CHANNELS)
        visit.picture("channels", whole=True)
        assert page.evaluate(CUT_OFF) == []
        page.locator(".chatitive-bars summary").first.click()
        visit.picture("channels-numbers")
        visit.follow(page.get_by_role("button", name="Send a test…").first)
        visit.picture("send-test", whole=True)
        assert page.evaluate(CUT_OFF) == []
        assert visit.complaints == []


def test_a_channel_is_tested_paused_and_resumed(week, chromium):  # noqa: F811
    with Visit(chromium, "channels") as visit:
        page = visit.page
        visit.log_in(f"{week}/admin/", "pam", "demo")
        page.goto(week + CHANNELS)
        surveys = page.get_by_role("region", name="surveys")
        with page.expect_navigation():
            surveys.get_by_role("button", name="Test the connection").click()
        assert visit.says("Channel surveys sends nothing anywhere")
        visit.picture("tested", whole=True)

        visit.follow(page.get_by_role("button", name="Send a test…").last)
        page.get_by_label("Event").fill("Ping")
        page.get_by_label("Number").select_option(label="206-555-0143")
        visit.press("Send the test")
        assert "Queued: its page tells what becomes of it." in page.content()

        page.goto(week + CHANNELS)
        offers = page.get_by_role("region", name="offers")
        offers.get_by_label("only those of the last 24 hours").check()
        with page.expect_navigation():
            offers.get_by_role("button", name="Resume").click()
        assert visit.says("2 that had waited were discarded")
        visit.picture("resumed", whole=True)
        offers.get_by_label("Reason for those who see the pause").fill("the shop has moved")
        with page.expect_navigation():
            offers.get_by_role("button", name="Pause").click()
        assert visit.says("The reason given: the shop has moved")
        assert visit.complaints == []
