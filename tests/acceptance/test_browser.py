"""The main job and the pages of the log in a real Chromium: `pytest -m browser`.

Each page leaves a picture in the directory that SCREENSHOTS names, tests/screenshots/ by default.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from chatitive_django import batches
from chatitive_django.models import Notification, ResendBatch
from tests.acceptance import gallery
from tests.acceptance.processes import SECONDS_TO_END
from tests.factories import StaffFactory

pytestmark = pytest.mark.browser

Status = Notification.Status

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = Path(os.environ.get("SCREENSHOTS", ROOT / "tests" / "screenshots"))
CHROMIUM = ["chromium", "chromium-browser", "google-chrome"]
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SECONDS_FOR_THE_DEMO = 45
SECONDS_FOR_A_TEXT = 20
LOG = "/admin/chatitive_django/notification/"
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 800}
CUT_OFF = """[...document.querySelectorAll("html, main, #result_list, .results")]
    .filter(each => each.scrollWidth > each.clientWidth).map(each => each.outerHTML.slice(0, 80))"""
"""What is wider than the place it has."""


@pytest.fixture
def chromium():
    """A browser for one test: it must be gone before the test's database is."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert found, f"None of {', '.join(CHROMIUM)} is installed, and these tests drive one."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        browser.close()


class Visit:
    """A page of a browser with what it complained of, and a folder for pictures of it."""

    def __init__(self, browser, folder, **context):
        self.folder = SCREENSHOTS / folder
        self.context = browser.new_context(**{"viewport": WIDE, "locale": "en-US", **context})
        self.context.set_default_timeout(10_000)
        self.page = self.context.new_page()
        self.complaints = []
        self.page.on("console", self._complain)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def __enter__(self):
        return self

    def _complain(self, said):
        self.complaints.append(f"{said.type}: {said.text} {said.location['url']}")

    def __exit__(self, *exc_info):
        self.context.close()

    def picture(self, name, *, whole=False):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self.folder / f"{name}.png", full_page=whole)

    def log_in(self, address, username, password):
        self.page.goto(address)
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password").fill(password)
        self.picture("login")
        self.press("Log in")

    def press(self, name, *, key=None):
        """Press a button, by the mouse or by a key, and wait for the page that it leads to."""
        button = self.page.get_by_role("button", name=name, exact=True)
        with self.page.expect_navigation():
            button.press(key) if key else button.click()

    def follow(self, link):
        with self.page.expect_navigation():
            link.click()

    def says(self, text):
        return text in self.page.locator("main").inner_text()

    def loads_until(self, text):
        """Load the page again until it says this."""
        give_up_at = time.monotonic() + SECONDS_FOR_A_TEXT
        while not self.says(text):
            assert time.monotonic() < give_up_at, self.page.locator("main").inner_text()
            self.page.wait_for_timeout(200)
            self.page.reload()


# The main job, in the example project as it is served.


@pytest.fixture
def demo(tmp_path):
    """The example project's demo as a process of its own; gives the facts that it prints."""
    ours = {"DJANGO_SETTINGS_MODULE", "DATABASE_URL", "CHATITIVE_API_URL", "DEBUG", "SECRET_KEY"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    manage = ROOT / "example_project" / "manage.py"
    with subprocess.Popen(
        [sys.executable, manage, "demo", "--database", tmp_path / "demo.sqlite3"],
        env={**kept, "PYTHONPATH": os.pathsep.join([str(ROOT), kept.get("PYTHONPATH", "")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        too_late = threading.Timer(SECONDS_FOR_THE_DEMO, process.kill)
        too_late.start()
        told = []
        try:
            for line in process.stdout:
                told.append(line)
                if line.startswith("Ctrl-C ends"):
                    break
            facts = dict(re.findall(r"^   (\w+) +(\S.*)$", "".join(told), re.MULTILINE))
            assert {"admin", "log", "inbox", "login"} <= set(facts), "".join(told)
            too_late.cancel()
            yield facts
        finally:
            too_late.cancel()
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=SECONDS_TO_END)
            finally:
                process.kill()


def test_a_changed_ticket_becomes_a_text_and_a_resend_a_second_one(demo, chromium):
    with Visit(chromium, "main-job") as visit:
        page = visit.page
        visit.log_in(demo["admin"], *demo["login"].split(", password "))
        visit.picture("index")

        page.goto(demo["admin"] + "helpdesk/ticket/")
        visit.follow(page.get_by_role("link", name="I can't log in since the update"))
        page.get_by_label("Status").select_option("Success")
        visit.picture("ticket")
        visit.press("Save")
        assert "was changed successfully" in page.content()

        page.goto(demo["log"])
        rows = page.locator("#result_list tbody tr")
        newest = rows.first
        assert "I can't log in since the update" in newest.inner_text()
        give_up_at = time.monotonic() + SECONDS_FOR_A_TEXT
        while "accepted" not in newest.inner_text():
            assert time.monotonic() < give_up_at, newest.inner_text()
            page.wait_for_timeout(200)
            page.reload()
        visit.picture("log")
        count = rows.count()

        visit.follow(newest.get_by_role("link", name="RequestSupportFeedback"))
        assert visit.says("Chatitive accepted it.")
        assert visit.says("The status changed from “Open” to “Success”.")
        assert visit.says("HTTP 202")
        visit.picture("notification", whole=True)

        visit.press("Resend…")
        assert visit.says("the customer may get a second text")
        visit.picture("confirm")
        visit.press("Yes, resend it")
        assert "Queued: it is sent within moments." in page.content()
        assert visit.says("It is a resend of")
        visit.picture("queued", whole=True)
        visit.loads_until("Chatitive accepted it.")
        assert visit.says("pam")
        visit.picture("resent", whole=True)
        page.goto(demo["log"])
        assert rows.count() == count + 1

        page.goto(demo["inbox"])
        visit.picture("inbox")
        visit.follow(page.get_by_role("link", name="Ben"))
        texts = page.locator(".bubble")
        assert texts.count() == 2
        assert all(
            "how was your interaction with Quentin?" in text for text in texts.all_inner_texts()
        )
        visit.picture("texts")


# The pages of the log, one of each kind.


@pytest.fixture
def shown(transactional_db, live_server, settings):
    """The gallery, served with a strict policy; gives its rows and its address."""
    settings.ROOT_URLCONF = gallery.__name__
    settings.MIDDLEWARE = [f"{gallery.__name__}.strict_csp", *settings.MIDDLEWARE]
    boss = StaffFactory(username="pam", is_superuser=True)
    boss.set_password("demo")
    boss.save()
    looks = StaffFactory(username="quentin")
    looks.set_password("demo")
    looks.save()
    return gallery.fill(), live_server.url


@pytest.fixture
def api(settings):
    """Name an API for the calls that are shown; nothing here calls it."""
    url = "chatitive://SID:TOKEN@api.essential.to/p03Gjl8Uzn0RkZSpHXHnrw"
    settings.CHATITIVE = {"API_URLS": {"default": url}, "DISPATCHER": "worker"}


LOOKS = {
    "light": ({"color_scheme": "light"}, list(Status)),
    "dark": ({"color_scheme": "dark"}, [Status.ACCEPTED, Status.REJECTED, Status.INVALID]),
    "phone": ({"viewport": PHONE}, [Status.ACCEPTED, Status.EXPIRED]),
}


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_looks_right_and_keeps_to_a_strict_policy(look, shown, api, chromium):
    context, statuses = LOOKS[look]
    rows, address = shown
    customer = rows["customer"]
    pages = {
        "log": LOG,
        "nothing-found": f"{LOG}?q=nothing+like+this",
        **{f"notification-{status}": f"{LOG}{rows[status].pk}/change/" for status in statuses},
        "resend-accepted": f"{LOG}{rows[Status.ACCEPTED].pk}/resend/",
        "resend-rejected": f"{LOG}{rows[Status.REJECTED].pk}/resend/",
        "resend-pending": f"{LOG}{rows[Status.PENDING].pk}/resend/",
        "cancel": f"{LOG}{rows[Status.PENDING].pk}/cancel/",
        "to-one-person": f"{LOG}?same_person_as={rows[Status.ACCEPTED].pk}",
        "ticket": f"/admin/desk/ticket/{rows[Status.REJECTED].source_id}/change/",
        "messages-ticket": f"/admin/desk/ticket/{rows[Status.REJECTED].source_id}/messages/",
        "messages-customer": f"/admin/desk/customer/{customer}/messages/",
    }
    with Visit(chromium, look, **context) as visit:
        visit.log_in(f"{address}/admin/", "pam", "demo")
        for name, path in pages.items():
            answer = visit.page.goto(address + path)
            assert answer.status == 200, name
            for folded in visit.page.locator("main details").all():
                folded.evaluate("element => { element.open = true }")
            visit.picture(name, whole=True)
            assert visit.page.evaluate(CUT_OFF) == [], name
        assert visit.complaints == []


@pytest.mark.parametrize("look", LOOKS)
def test_an_outage_is_told_above_the_list_and_mended_from_there(look, shown, chromium):
    context, _statuses = LOOKS[look]
    _rows, address = shown
    with Visit(chromium, look, **context) as visit:
        page = visit.page

        def looks_right(name):
            visit.picture(name, whole=True)
            assert page.evaluate(CUT_OFF) == [], name

        visit.log_in(f"{address}/admin/", "pam", "demo")
        in_a_thread(gallery.break_down)
        page.goto(address + LOG)
        assert visit.says("Someone must act")
        assert not visit.says("Resend these 13…")
        looks_right("log-outage")
        with page.expect_navigation():
            page.get_by_role("button", name="Test the connection").first.click()
        looks_right("log-tested")
        visit.press("Resend these 13…")
        assert visit.says("All that failed so")
        page.goto(f"{address}{LOG}?status__exact=attention&from=2026-01-01")
        looks_right("log-filtered")
        in_a_thread(gallery.be_well)
        page.goto(address + LOG)
        looks_right("log-well")
        assert visit.complaints == []


def test_all_columns_are_shown_where_there_is_room(shown, chromium):
    _rows, address = shown
    with Visit(chromium, "light", viewport={"width": 1600, "height": 900}) as visit:
        visit.log_in(f"{address}/admin/", "pam", "demo")
        visit.page.goto(address + LOG)
        visit.picture("log-wide", whole=True)
        assert visit.page.evaluate(CUT_OFF) == []
        assert visit.page.get_by_role("columnheader", name="Next try").is_visible()
        assert visit.complaints == []


def test_every_act_works_under_a_strict_policy_and_by_keyboard(shown, chromium):
    rows, address = shown
    with Visit(chromium, "acts") as visit:
        page = visit.page
        visit.log_in(f"{address}/admin/", "pam", "demo")
        page.goto(f"{address}{LOG}{rows[Status.REJECTED].pk}/change/")
        visit.press("Resend…", key="Enter")
        visit.press("Yes, resend it", key="Enter")
        assert "Queued" in page.content()
        visit.picture("resent", whole=True)

        page.goto(f"{address}{LOG}{rows[Status.EXPIRED].pk}/resend/")
        visit.press("No, take me back")
        assert visit.says("Given up after 3 tries")
        assert visit.complaints == []


def test_a_message_is_rebuilt_from_todays_data_with_what_changed_before_the_eyes(shown, chromium):
    rows, address = shown
    with Visit(chromium, "acts") as visit:
        page = visit.page
        visit.log_in(f"{address}/admin/", "pam", "demo")
        page.goto(f"{address}{LOG}{rows[Status.REJECTED].pk}/change/")
        visit.press("Resend…")
        page.get_by_label("Rebuilt from today's data").check()
        page.set_viewport_size(PHONE)
        widths = "cells => cells.map(cell => cell.clientWidth)"
        then, *others = page.locator(".chatitive-pairs tbody td").evaluate_all(widths)
        assert set(others) == {then}
        visit.picture("rebuild-phone", whole=True)
        page.set_viewport_size(WIDE)
        page.get_by_label("Reason").fill("The customer called")
        visit.picture("rebuild", whole=True)
        visit.press("Yes, resend it")
        assert "Queued" in page.content()
        assert visit.says("It is a resend of")
        assert visit.says("The reason given: The customer called")
        assert page.get_by_role("row", name="ticket_status").last.inner_text().endswith("Open")
        visit.picture("rebuilt", whole=True)
        assert visit.complaints == []


@pytest.mark.parametrize("name", ["Support summary", "The call as curl"])
def test_what_a_colleague_needs_is_copied_by_one_press(name, shown, api, chromium):
    rows, address = shown
    allowed = {"permissions": ["clipboard-read", "clipboard-write"]}
    with Visit(chromium, "acts", **allowed) as visit:
        page = visit.page
        visit.log_in(f"{address}/admin/", "pam", "demo")
        page.goto(f"{address}{LOG}{rows[Status.REJECTED].pk}/change/")
        page.get_by_role("button", name=f"Copy: {name}").press("Enter")
        page.get_by_text("Copied.").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        field = page.get_by_role("textbox", name=name, include_hidden=True)
        assert copied == field.input_value()
        assert len(copied) > 100
        assert "SID:TOKEN" not in copied
        assert visit.complaints == []


def test_without_javascript_it_is_unfolded_and_copied_by_hand(shown, chromium):
    rows, address = shown
    with Visit(chromium, "acts", java_script_enabled=False) as visit:
        page = visit.page
        visit.log_in(f"{address}/admin/", "pam", "demo")
        page.goto(f"{address}{LOG}{rows[Status.REJECTED].pk}/change/")
        assert page.get_by_role("button", name="Copy").count() == 0
        page.get_by_text("Support summary", exact=True).click()
        assert "…0149" in page.get_by_role("textbox", name="Support summary").input_value()
        visit.picture("no-javascript", whole=True)


def test_the_messages_of_a_record_lead_to_their_resend(shown, chromium):
    rows, address = shown
    row = rows[Status.REJECTED]
    with Visit(chromium, "acts") as visit:
        page = visit.page
        visit.log_in(f"{address}/admin/", "pam", "demo")
        page.goto(f"{address}/admin/desk/ticket/{row.source_id}/change/")
        visit.follow(page.get_by_role("link", name="Messages", exact=True))
        step = page.get_by_role("listitem").filter(has_text="rejected")
        visit.follow(step.get_by_role("link", name="Resend…"))
        visit.press("Yes, resend it")
        assert "Queued" in page.content()


def test_a_double_click_and_a_stale_page_send_nothing_twice(shown, chromium):
    rows, address = shown
    accepted = f"{address}{LOG}{rows[Status.ACCEPTED].pk}"
    with Visit(chromium, "acts") as visit:
        page = visit.page
        visit.log_in(f"{address}/admin/", "pam", "demo")
        stale = visit.context.new_page()
        for each in (stale, page):
            each.goto(f"{accepted}/resend/")
        page.get_by_role("button", name="Yes, resend it").dblclick()
        page.wait_for_url("**/change/")
        stale.get_by_role("button", name="Yes, resend it").click()
        stale.wait_for_url("**/change/")
        assert "It has changed since you opened the page." in stale.content()
        stale.screenshot(path=visit.folder / "refused.png", full_page=True)
        page.goto(f"{accepted}/change/")
        assert page.get_by_text("It was resent as").get_by_role("link").count() == 1


def in_a_thread(act):
    """Use the database beside Playwright, which runs a loop of its own."""

    def run():
        act()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def let_a_minute_go_by():
    """Start what was confirmed."""

    def start():
        ResendBatch.objects.update(starts_at=timezone.now())
        batches.advance()

    in_a_thread(start)


@pytest.mark.parametrize("look", LOOKS)
def test_many_are_resent_and_cancelled_under_a_strict_policy(look, shown, chromium):
    context, _statuses = LOOKS[look]
    _rows, address = shown
    with Visit(chromium, look, **context) as visit:
        page = visit.page

        def looks_right(name):
            visit.picture(name, whole=True)
            assert page.evaluate(CUT_OFF) == [], name

        def choose(action):
            page.goto(address + LOG)
            for box in page.locator(".action-select").all():
                box.check()
            page.locator("select[name=action]").select_option(label=action)
            visit.picture(f"ticked-{action[0]}")
            with page.expect_navigation():
                page.locator("button[name=index]").click()

        visit.log_in(f"{address}/admin/", "pam", "demo")
        page.goto(address + LOG)
        visit.follow(page.get_by_role("link", name="Resend failed since…"))
        looks_right("resend-since")
        choose("Resend…")
        page.locator("details").first.evaluate("element => { element.open = true }")
        looks_right("resend-many")
        assert page.locator("[name=sort]:checked").count() == 1
        asking = page.url
        choose("Cancel pending…")
        page.get_by_label("Reason").fill("The wrong text")
        looks_right("cancel-many")
        visit.press("Yes, don't send them")
        assert "were cancelled" in page.content()
        page.goto(asking)
        page.get_by_label("Reason").fill("The API was down this morning")
        visit.press("Yes, resend what is ticked")
        assert visit.says("Until then nothing is sent.")
        looks_right("batch-waiting")
        let_a_minute_go_by()
        page.get_by_text("All of it was gone through.").wait_for()  # by itself
        looks_right("batch-done")
        page.goto(f"{address}/admin/chatitive_django/resendbatch/")
        looks_right("batches")
        assert visit.complaints == []


def test_who_only_looks_sees_no_number_no_payload_and_no_button(shown, chromium):
    rows, address = shown
    with Visit(chromium, "view-only") as visit:
        visit.log_in(f"{address}/admin/", "quentin", "demo")
        for name, path in {
            "log": LOG,
            "notification": f"{LOG}{rows[Status.REJECTED].pk}/change/",
        }.items():
            visit.page.goto(address + path)
            visit.picture(name, whole=True)
            assert visit.says("…01")
            assert not visit.says("206-555")
            assert not visit.says("Resend…")
            assert not visit.says("cs_agent_name")


@pytest.fixture
def emptied(shown):
    Notification.objects.all().delete()
    return shown[1]


def test_an_empty_log_says_what_will_fill_it(emptied, chromium):
    with Visit(chromium, "light") as visit:
        visit.log_in(f"{emptied}/admin/", "pam", "demo")
        visit.page.goto(f"{emptied}{LOG}")
        visit.picture("empty")
        assert visit.says(
            "RequestSupportFeedback when the status of any ticket changes to “Success”"
        )
        assert visit.complaints == []


def test_the_picture_of_the_log_for_the_readme(shown, chromium):
    """`LOG_PICTURE=docs/log.png pytest -m browser -k readme` makes the README's picture again."""
    _rows, address = shown
    picture = Path(os.environ.get("LOG_PICTURE", SCREENSHOTS / "log.png"))
    picture.parent.mkdir(parents=True, exist_ok=True)
    with Visit(chromium, "readme", color_scheme="light", device_scale_factor=2) as visit:
        visit.log_in(f"{address}/admin/", "pam", "demo")
        visit.page.goto(f"{address}{LOG}")
        last = visit.page.locator("#result_list tbody tr").nth(6).bounding_box()
        shape = {"x": 0, "y": 0, "width": WIDE["width"], "height": last["y"] + last["height"]}
        visit.page.screenshot(path=picture, clip=shape)
    assert picture.stat().st_size > 0


def test_the_picture_of_a_notification_for_the_docs(shown, chromium):
    """`NOTIFICATION_PICTURE=docs/notification.png pytest -m browser -k docs` makes it again."""
    rows, address = shown
    picture = Path(os.environ.get("NOTIFICATION_PICTURE", SCREENSHOTS / "notification.png"))
    picture.parent.mkdir(parents=True, exist_ok=True)
    size = {"width": 1280, "height": 760}
    with Visit(chromium, "docs", color_scheme="light", viewport=size) as visit:
        visit.log_in(f"{address}/admin/", "pam", "demo")
        visit.page.goto(f"{address}{LOG}{rows[Status.REJECTED].pk}/change/")
        visit.page.screenshot(path=picture)
    assert picture.stat().st_size > 0
