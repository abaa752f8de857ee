"""The story of someone who doesn't program and makes a rule, in a real Chromium: `-m browser`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.contrib.admin import AdminSite
from django.http import HttpResponse
from django.urls import path

from chatitive_django.admin import BatchAdmin, EventRuleAdmin, NotificationAdmin
from chatitive_django.models import EventRule, Notification, ResendBatch
from tests.acceptance import gallery
from tests.acceptance.test_browser import (
    CUT_OFF,
    PHONE,
    SCREENSHOTS,
    WIDE,
    Visit,
    chromium,
    demo,
    let_a_minute_go_by,
)
from tests.desk.models import Lead
from tests.factories import CustomerFactory, StaffFactory
from tests.integration.test_rules import make

__all__ = ["chromium", "demo"]

pytestmark = pytest.mark.browser

RULES = "/admin/chatitive_django/eventrule/"
Status = Notification.Status

site = AdminSite("admin")
site.site_header = site.site_title = "Support desk"
site.register(EventRule, EventRuleAdmin)
site.register(Notification, NotificationAdmin)
site.register(ResendBatch, BatchAdmin)
site.register(Lead, fields=["title", "stage"])
urlpatterns = [
    path("admin/", site.urls),
    path("favicon.ico", lambda request: HttpResponse(status=204)),
]


@pytest.fixture
def served(transactional_db, live_server, settings):
    """The admin under a strict policy, with a boss who may do everything; gives its address."""
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [
        f"{gallery.__name__}.strict_csp",
        *settings.MIDDLEWARE,
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    boss = StaffFactory(username="pam", is_superuser=True)
    boss.set_password("demo")
    boss.save()
    return live_server.url


def lead(title, name, phone, **options):
    return Lead.objects.create(
        title=title, customer=CustomerFactory(name=name, phone=phone), **options
    )


def win(visit, address, each):
    """Have the lead won, in the admin as staff would."""
    visit.page.goto(f"{address}/admin/desk/lead/{each.pk}/change/")
    visit.page.get_by_label("Stage").select_option("won")
    visit.press("Save")
    assert "was changed successfully" in visit.page.content()


@pytest.fixture
def leads(served):
    return [
        lead("A new roof", "Ada Lund", "206-555-0142"),
        lead("Solar panels", "Ben Okafor", "206-555-0149"),
    ]


def test_who_does_not_program_makes_a_rule_tries_it_watches_it_and_makes_it_live(
    served, leads, chromium, outbox
):
    first, second = leads
    with Visit(chromium, "rule-story") as visit:
        page = visit.page
        visit.log_in(f"{served}/admin/", "pam", "demo")

        page.goto(f"{served}{RULES}")
        visit.picture("empty", whole=True)
        visit.press("Make a rule")
        page.get_by_label("Name").fill("Thank whoever signs")
        page.get_by_label("About").select_option("Lead")
        visit.picture("first-step")
        visit.press("Continue")

        page.get_by_label("Field:", exact=True).select_option("Stage")
        page.get_by_role("group", name="To: stage").get_by_label("Won at last").check()
        page.get_by_label("Event:", exact=True).fill("ThankYou")
        page.get_by_label("Phone number:").select_option("customer.phone")
        page.locator("#id_conditions-0-path").select_option("title")
        page.locator("#id_conditions-0-operator").select_option(label="contains")
        page.locator("#id_conditions-0-value").fill("roof")
        page.locator("#id_payload-0-key").fill("lead.title")
        page.locator("#id_payload-0-path").select_option("title")
        visit.picture("form", whole=True)

        page.get_by_label("On the record with the id").fill(str(first.pk))
        page.get_by_role("button", name="Preview").click()
        frame = page.frame_locator("iframe[name=chatitive-preview]")
        frame.get_by_text("not now").wait_for()
        said = frame.locator("main").inner_text()
        assert "206-555-0142" in said
        assert '"title": "A new roof"' in said
        visit.picture("preview", whole=True)

        # The condition turns out to be one that only some leads meet.
        page.locator("#id_conditions-0-value").fill("o")
        visit.press("Save and continue editing")
        assert "/change/" in page.url
        assert visit.says("watch only")
        assert visit.says("It sends nothing")
        visit.picture("saved", whole=True)

        win(visit, served, first)
        page.goto(f"{served}{RULES}")
        assert visit.says("1 skipped")
        visit.picture("watched", whole=True)
        visit.follow(page.get_by_role("link", name="When a Lead's stage changes to Won at last"))
        visit.press("Go live…")
        assert visit.says("A new roof")
        assert visit.says("206-555-0142")
        visit.picture("go-live", whole=True)
        visit.press("Yes, make it live")
        assert "It is live: what happens from now on is sent." in page.content()
        visit.picture("live", whole=True)
        rule_page = page.url
        assert not outbox

        win(visit, served, second)
        page.goto(f"{served}/admin/chatitive_django/notification/")
        newest = page.locator("#result_list tbody tr").first.inner_text()
        assert "accepted" in newest
        assert "ThankYou" in newest
        assert "Solar panels" in newest
        visit.picture("log", whole=True)

        page.goto(rule_page.replace("/change/", "/history/"))
        assert "“watch only” became “live”" in page.content()
        visit.picture("history")
        assert visit.complaints == []
    (sent,) = outbox
    assert (sent.event_name, sent.phone_number) == ("ThankYou", "206-555-0149")


def test_in_the_example_project_the_story_of_a_rule_ends_in_the_inbox(demo, chromium):
    rules, tickets = (demo["admin"] + path for path in ("chatitive_django/", "helpdesk/ticket/"))
    with Visit(chromium, "rule-inbox") as visit:
        page = visit.page

        def fails(title):
            page.goto(tickets)
            visit.follow(page.get_by_role("link", name=title))
            page.get_by_label("Status").select_option("Failed")
            visit.press("Save")

        def texts_of(name):
            page.goto(demo["inbox"])
            visit.follow(page.get_by_role("link", name=name))
            return page.locator(".bubble").all_inner_texts()

        visit.log_in(demo["admin"], *demo["login"].split(", password "))
        page.goto(f"{rules}eventrule/add/?name=We+are+on+it&model=helpdesk.ticket")
        page.get_by_label("Field:", exact=True).select_option("Status")
        page.get_by_role("group", name="To: status").get_by_label("Failed").check()
        page.get_by_label("Event:", exact=True).fill("TicketReceived")
        page.get_by_label("Phone number:").select_option("customer.phone")
        for n, (key, path_or_constant) in enumerate(
            {
                "ticket_title": "title",
                "cs_agent_name": "agent.name",
                "desk": "Example Support",
            }.items()
        ):
            if n:
                page.locator("#payload-group .add-row a").click()
            page.locator(f"#id_payload-{n}-key").fill(key)
            if key == "desk":
                page.locator(f"#id_payload-{n}-constant").fill(path_or_constant)
            else:
                page.locator(f"#id_payload-{n}-path").select_option(path_or_constant)
        page.locator("#id_payload-1-fallback").fill("one of us")
        page.get_by_role("button", name="Preview").click()
        frame = page.frame_locator("iframe[name=chatitive-preview]")
        frame.get_by_text('"desk": "Example Support"').wait_for()
        visit.picture("preview", whole=True)
        visit.press("Save and continue editing")
        assert visit.says("It sends nothing")
        rule = page.url

        fails("I can't log in since the update")
        page.goto(rule)
        visit.follow(page.get_by_role("button", name="Go live…", exact=True))
        assert visit.says("I can't log in since the update")
        page.get_by_label("Send to the 1 that is in this state, too").check()
        visit.picture("go-live", whole=True)
        visit.press("Yes, make it live")
        visit.press("Yes, make it live and send")
        backfill = page.url

        fails("How do I export my contacts?")
        page.goto(demo["log"])
        visit.loads_until("accepted")
        (text,) = (text for text in texts_of("Carla") if "one of us at Example Support" in text)
        assert "“How do I export my contacts?” soon" in text
        visit.picture("inbox", whole=True)
        page.goto(demo["inbox"])
        assert page.get_by_role("link", name="Ben").count() == 0

        page.goto(backfill)
        page.get_by_text("All of it was gone through.").wait_for(timeout=120_000)
        visit.loads_until("Accepted since\n1")
        visit.picture("backfill", whole=True)
        (text,) = (text for text in texts_of("Ben") if "Quentin at Example Support" in text)
        visit.picture("backfilled", whole=True)
        page.goto(demo["log"])
        visit.picture("log", whole=True)


LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": PHONE},
}


@pytest.fixture
def rules(served):
    """Rules of each mode, one of them broken, with what one recorded; gives it and a lead."""
    won = lead("A new roof", "Ada Lund", "206-555-0142", stage="won")
    rule = make(
        "Thank whoever signs",
        mode="watch",
        event_name="ThankYou",
        conditions=[("title", "contains", "roof"), ("score", "gte", "0")],
        payload={"lead.title": {"path": "title"}, "agent": {"path": "agent.name"}},
    )
    make("Broken", phone_number="customer.mobile", mode="off")
    make("Quick", trigger="created", event_name="Welcome")
    for each in (lead("A second roof", "Ben", ""), lead("A third roof", "Cy", "206-555-0111")):
        each.stage = "won"
        each.save()
    return won, rule


@pytest.mark.parametrize("look", LOOKS)
def test_a_rule_goes_live_for_the_records_that_are_there_already(
    look, served, rules, chromium, outbox
):
    won, rule = rules
    with Visit(chromium, f"backfill-{look}", **LOOKS[look]) as visit:
        page = visit.page

        def looks_right(name):
            visit.picture(name, whole=True)
            assert page.evaluate(CUT_OFF) == [], name

        visit.log_in(f"{served}/admin/", "pam", "demo")
        page.goto(f"{served}{RULES}{rule.pk}/change/")
        visit.follow(page.get_by_role("button", name="Go live…", exact=True))
        page.get_by_label("Send to the 3 that are in this state, too").check()
        looks_right("go-live")
        visit.press("Yes, make it live")
        assert visit.says("2 Will be sent")
        assert visit.says("1 The record has no phone number now")
        page.get_by_text("Which ones").first.click()
        assert visit.says(f"Lead {won.pk}")
        looks_right("which")
        page.get_by_label("Reason").fill("They signed before we had this rule")
        page.get_by_label("Pace").select_option("300 a minute")
        visit.press("Yes, make it live and send")
        assert visit.says("Until then nothing is sent")
        assert page.get_by_role("button", name="Undo").is_visible()
        looks_right("waiting")
        let_a_minute_go_by()
        page.get_by_text("2 of 2 gone through").wait_for()  # by itself
        looks_right("report")
        page.goto(f"{served}/admin/chatitive_django/resendbatch/")
        looks_right("batches")
        page.goto(f"{served}{RULES}{rule.pk}/change/")
        looks_right("live")
        assert visit.complaints == []
    sent = [each.payload["lead"]["title"] for each in outbox if each.event_name == "ThankYou"]
    assert sent == ["A new roof", "A third roof"]


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_of_the_rules_looks_right_and_keeps_to_a_strict_policy(
    look, served, rules, chromium
):
    won, rule = rules
    pages = {
        "rules": RULES,
        "add": f"{RULES}add/",
        "second-step": f"{RULES}add/?name=Lost&model=desk.lead",
        "rule": f"{RULES}{rule.pk}/change/",
        "go-live": f"{RULES}{rule.pk}/go-live/",
        "declared": f"{RULES}declared/?key=desk.Order%3AOrderShipped",
    }
    with Visit(chromium, f"rules-{look}", **LOOKS[look]) as visit:
        visit.log_in(f"{served}/admin/", "pam", "demo")
        for name, address in pages.items():
            answer = visit.page.goto(served + address)
            assert answer.status == 200, name
            visit.picture(name, whole=True)
            assert visit.page.evaluate(CUT_OFF) == [], name
        visit.page.goto(served + pages["rule"])
        visit.page.get_by_label("On the record with the id").fill(str(won.pk))
        visit.page.get_by_role("button", name="Preview").click()
        visit.page.frame_locator("iframe[name=chatitive-preview]").get_by_text(
            "would be sent", exact=True
        ).wait_for()
        visit.picture("preview", whole=True)
        assert visit.complaints == []


def test_the_form_shows_what_the_trigger_and_the_field_need(served, chromium):
    with Visit(chromium, "rules-light") as visit:
        page = visit.page
        visit.log_in(f"{served}/admin/", "pam", "demo")
        page.goto(f"{served}{RULES}add/?name=Lost&model=desk.lead")
        assert not page.locator(".field-to_values").is_visible()
        page.get_by_label("Field:", exact=True).select_option("Urgent")
        visit.picture("form-urgent", whole=True)
        assert page.get_by_role("group", name="To: urgent").get_by_label("yes").is_visible()
        assert page.get_by_label("Won at last").count() == 2
        assert not page.get_by_label("Won at last").first.is_visible()
        page.get_by_label("When it:").select_option("is created")
        assert not page.locator(".field-field").is_visible()
        assert not page.locator(".field-on_create").is_visible()
        assert visit.complaints == []


@pytest.fixture
def week(served):
    """A rule of each mode, one of them in need of mending, and what they made of three leads."""
    make("Welcome whoever asks", trigger="created", event_name="Welcome")
    make(
        "Thank whoever signs",
        mode="watch",
        event_name="ThankYou",
        conditions=[("title", "contains", "roof")],
    )
    make(
        "Ask whoever left",
        mode="off",
        event_name="WhyNot",
        field="stage",
        to_values=["lost"],
        phone_number="customer.mobile",
    )
    for title, name, phone in [
        ("A new roof", "Ada Lund", "206-555-0142"),
        ("Solar panels", "Ben Okafor", "206-555-0149"),
        ("A second roof", "Carla Reyes", ""),
    ]:
        each = lead(title, name, phone)
        each.stage = "won"
        each.save()
    return served


def test_the_picture_of_the_rules_for_the_docs(week, chromium):
    """`RULES_PICTURE=docs/rules.png pytest -m browser -k rules_for_the_docs` makes it again."""
    picture = Path(os.environ.get("RULES_PICTURE", SCREENSHOTS / "rules.png"))
    picture.parent.mkdir(parents=True, exist_ok=True)
    with Visit(chromium, "docs", color_scheme="light") as visit:
        visit.log_in(f"{week}/admin/", "pam", "demo")
        visit.page.goto(f"{week}{RULES}")
        last = visit.page.locator("table").last.locator("tbody tr").nth(2).bounding_box()
        shape = {"x": 0, "y": 0, "width": WIDE["width"], "height": last["y"] + last["height"]}
        visit.page.screenshot(path=picture, clip=shape, full_page=True)
    assert picture.stat().st_size > 0
