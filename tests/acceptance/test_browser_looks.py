"""Every page of the app's admin, light and dark, wide and on a phone, by eye and by machine.

`pytest -m browser tests/acceptance/test_browser_looks.py` shows Django's own admin, and
`ADMIN_THEME=unfold` or `ADMIN_THEME=jazzmin` before it the admin of that theme. A new page needs a
line in `PAGES`. Pictures are left in tests/screenshots/looks-*/.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings as project
from django.contrib import admin
from django.http import HttpResponse
from django.urls import path

from chatitive_django import batches, channels
from chatitive_django.admin import BatchAdmin, ChannelAdmin, EventRuleAdmin, NotificationAdmin
from chatitive_django.heartbeats import Pulse
from chatitive_django.models import Channel, EventRule, Heartbeat, Notification, ResendBatch
from tests.acceptance import gallery
from tests.acceptance.test_browser import PHONE, WIDE, Visit, chromium
from tests.desk.models import Customer, Lead, Ticket
from tests.factories import CustomerFactory, StaffFactory
from tests.integration.test_rules import make

__all__ = ["chromium"]

pytestmark = pytest.mark.browser

Status = Notification.Status

APP = "chatitive_django/"
LOG, RULES, BATCHES = f"{APP}notification/", f"{APP}eventrule/", f"{APP}resendbatch/"
PAGES = {
    "list": LOG,
    "list-ticked": LOG,
    "list-nothing-found": f"{LOG}?q=nothing+like+this",
    **{f"detail-{status}": f"{LOG}{{{status}}}/change/" for status in Status},
    "resend": f"{LOG}{{rejected}}/resend/",
    "resend-accepted": f"{LOG}{{accepted}}/resend/",
    "cancel": f"{LOG}{{pending}}/cancel/",
    "resend-since": f"{LOG}resend-many/",
    "resend-many": f"{LOG}resend-many/{{draft}}/",
    "cancel-many": f"{LOG}cancel-many/?ids={{pending}},{{accepted}}",
    "explain-form": f"{LOG}explain/",
    "explain": f"{LOG}explain/?model=desk.lead&pk={{lead}}",
    "messages-of-a-record": "desk/ticket/{ticket}/messages/",
    "messages-to-a-person": "desk/customer/{customer}/messages/",
    "record": "desk/ticket/{ticket}/change/",
    "batches": BATCHES,
    "batch-waiting": f"{BATCHES}{{waiting}}/change/",
    "batch-ended": f"{BATCHES}{{ended}}/change/",
    "channels": f"{APP}channel/",
    "channel-test": f"{APP}channel/default/send-test/",
    "rules": RULES,
    "rule-first-step": f"{RULES}add/",
    "rule-second-step": f"{RULES}add/?name=Lost&model=desk.lead",
    "rule": f"{RULES}{{rule}}/change/",
    "rule-preview": f"{RULES}{{rule}}/change/",
    "rule-broken": f"{RULES}{{broken}}/change/",
    "go-live": f"{RULES}{{rule}}/go-live/",
    "go-live-backfill": f"{RULES}{{rule}}/go-live/{{backfill}}/",
    "declared": f"{RULES}declared/?key=desk.Order%3AOrderShipped",
}
"""The address of each page below the admin's, with what `desk` names in braces."""

THEME = project.ADMIN_THEME
OURS = "#content-main" if THEME else None
"""What is looked at by axe: themes have faults of their own that this app can't mend."""
NOT_OURS = [
    *("#searchbar", ".breadcrumbs", '.small > a[href="?"]'),
    *('a[href="?o="]', ".object-tools > li"),
    ".add-row",
]
"""What axe has against Django (search, long breadcrumbs, "Show all"), against Jazzmin (sorting, and
tools that stand in no list) and Unfold (adding rows)."""
SIZES = {"wide": WIDE, "phone": PHONE}
AXE = {"resultTypes": ["violations"], "preload": False}
"""Without loading the style sheets itself, which takes an @import for one of the page."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "frame-src 'self'; frame-ancestors 'self'; form-action 'self'; connect-src 'self'; "
    "base-uri 'none'"
)
OUT_OF_REACH = """() => {
    const names = each => (each.value || each.textContent).trim() || each.outerHTML.slice(0, 80)
    const buttons = "a.button, [role=button], button, [type=submit]"
    return [...document.querySelectorAll("#content-main")].flatMap(
        ours => [...ours.querySelectorAll(buttons)]
    ).filter(each => {
        if (!each.checkVisibility() || each.disabled) return false
        each.scrollIntoView({block: "center", behavior: "instant"})
        const box = each.getBoundingClientRect()
        const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)
        return !(hit && (each.contains(hit) || hit.contains(each) && hit.closest("label")))
    }).map(names)
}"""
"""The buttons that are visible in name only: something lies over them, or they lie outside."""
TOO_WIDE = """() => {
    const room = document.documentElement.clientWidth
    if (document.documentElement.scrollWidth <= room) return []
    const pokes = [...document.body.querySelectorAll("*")].filter(
        each => each.getBoundingClientRect().right > room + 1)
    return pokes.slice(0, 3).map(each => each.outerHTML.slice(0, 120))
}"""


def strict_csp(get_response):
    """Middleware: nothing inline, nothing from elsewhere."""

    def respond(request):
        response = get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response

    return respond


site = admin.site.__class__("admin")  # a theme has a class of its own for it
site.register(Notification, NotificationAdmin)
site.register(ResendBatch, BatchAdmin)
site.register(Channel, ChannelAdmin)
site.register(EventRule, EventRuleAdmin)
site.register(Ticket, gallery.TicketAdmin)
site.register(Customer, gallery.CustomerAdmin)
site.register(Lead)
urlpatterns = [
    path("admin/", site.urls),
    path("favicon.ico", lambda request: HttpResponse(status=204)),  # every browser asks for it
]


@pytest.fixture
def desk(transactional_db, live_server, settings):
    """The gallery with rules, batches and channels in each state; what `PAGES` names."""
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [
        *([] if THEME else [f"{__name__}.strict_csp"]),
        *settings.MIDDLEWARE,
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    settings.CHATITIVE = {
        "API_URLS": {
            "default": "chatitive://SID:TOKEN@api.essential.to/CHANNEL",
            "offers": "locmem://",
            "surveys": "chatitive://SID:TOKEN@api.essential.to/SURVEYS",
        },
        "API_TEST_NUMBERS": ["206-555-0199"],
        "DISPATCHER": "worker",
    }
    boss = StaffFactory(username="pam", is_superuser=True)
    boss.set_password("demo")
    boss.save()
    rows = gallery.fill()
    channels.pause("offers", reason="The wrong texts", user_id=boss.pk)
    channels.open_breaker("surveys", "http_401", timedelta(seconds=30))
    Pulse(Heartbeat.Kind.WORKER, channels=["default"], concurrency=8).beat()
    return {
        "at": f"{live_server.url}/admin/",
        **{str(name): getattr(row, "pk", row) for name, row in rows.items()},
        "ticket": rows[Status.REJECTED].source_id,
        **_batches(boss),
        **_rules(boss),
    }


def _batches(boss):
    def draft():
        return batches.draft(
            Notification.objects.all(), selection={"ticked": True}, user_id=boss.pk
        )

    def confirmed():
        batch = draft()
        batches.confirm(batch, sorts={"fresh"}, reason="The API was down this morning", pace=60)
        return batch

    ended = confirmed()
    batches.cancel(ended, user_id=boss.pk)
    return {"ended": ended.pk, "waiting": confirmed().pk, "draft": draft().pk}


def _rules(boss):
    def lead(title, name, phone):
        return Lead.objects.create(title=title, customer=CustomerFactory(name=name, phone=phone))

    rule = make(
        "Thank whoever signs",
        mode="watch",
        event_name="ThankYou",
        conditions=[("title", "contains", "roof"), ("score", "gte", "0")],
        payload={"lead.title": {"path": "title"}, "agent": {"path": "agent.name"}},
    )
    broken = make("Broken", phone_number="customer.mobile", mode="off")
    make("Quick", trigger="created", event_name="Welcome")
    won = lead("A new roof", "Ada Lund", "206-555-0142")
    for each in (won, lead("A second roof", "Ben", ""), lead("A third roof", "Cy", "206-555-0111")):
        each.stage = "won"
        each.save()
    Lead.objects.filter(pk=lead("Windows", "Dee", "206-555-0112").pk).update(stage="won")
    backfill = batches.draft_backfill(rule, user_id=boss.pk)
    return {"rule": rule.pk, "broken": broken.pk, "lead": won.pk, "backfill": backfill.pk}


def _previewed(page):
    page.get_by_role("button", name="Preview").click()
    frame = page.frame(name="chatitive-preview")
    frame.get_by_text("What must hold").wait_for()
    return frame


def _ticked(page):
    page.locator(".action-select").first.check()
    page.locator("select[name=action]").select_option("resend_many", force=True)
    with page.expect_navigation():
        page.locator("[name=index]").click()
    page.get_by_role("button", name="Yes, resend what is ticked").wait_for()
    return page.main_frame


THEN = {"list-ticked": _ticked, "rule-preview": _previewed}
"""What is done on a page first; gives the frame that is looked at too."""


def _faults(frame, ours):
    """What axe finds serious, what is too wide, and the buttons that can't be reached."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(frame, ours, AXE).response["violations"]
    grave = [each for each in found if each["impact"] in {"serious", "critical"}]
    return [
        *(
            f"{each['id']}: {node['target']} {node['html'][:160]} {node['failureSummary'][:400]}"
            for each in grave
            for node in each["nodes"]
            if not any(each in node["target"][0] for each in NOT_OURS)
        ),
        *(f"too wide: {each}" for each in frame.evaluate(TOO_WIDE)),
        *(f"out of reach: {each}" for each in frame.evaluate(OUT_OF_REACH)),
    ]


def _look(visit, name):
    """The faults of the page that is open, wide and on a phone; leaves a picture of each."""
    page = visit.page
    frame = THEN[name](page) if name in THEN else page.main_frame
    for folded in page.locator("#content-main details").all():
        folded.evaluate("element => { element.open = true }")
    for size, viewport in SIZES.items():
        page.set_viewport_size(viewport)
        visit.picture(f"{name}-{size}", whole=True)
        found = _faults(page.main_frame, OURS)
        if frame.parent_frame:
            found += _faults(frame, None)
        yield from (f"{name}, {size}: {fault}" for fault in found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_right_for_eyes_keyboards_and_screen_readers(scheme, desk, chromium):
    faults = []
    folder = f"looks-{THEME or 'django'}-{scheme}"
    with Visit(chromium, folder, color_scheme=scheme) as visit:
        page = visit.page
        page.goto(desk["at"])
        page.locator("[name=username]").fill("pam")
        page.locator("[name=password]").fill("demo")
        with page.expect_navigation():
            page.locator("[type=submit]").first.click()
        for name, address in PAGES.items():
            page.set_viewport_size(WIDE)
            visit.complaints.clear()
            answer = page.goto(desk["at"] + address.format(**desk))
            if answer.status != 200:
                faults.append(f"{name}: HTTP {answer.status}")
                continue
            faults += _look(visit, name)
            if not THEME:
                faults += [f"{name}: {complaint}" for complaint in visit.complaints]
    assert not faults, "\n".join(faults)
