"""Going live for the records that are in the state already: what is offered, asked and refused."""

from __future__ import annotations

import re
import threading

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client

from chatitive_django import batches
from chatitive_django.models import BatchRow, EventRule, Notification, ResendBatch
from chatitive_django.testing import deliver
from tests.desk.models import Lead
from tests.factories import StaffFactory
from tests.integration.test_admin_batches import logged_in, start, text_of, told
from tests.integration.test_admin_rules import EVERYTHING, URL, words
from tests.integration.test_backfill import leads
from tests.integration.test_rules import make

pytestmark = pytest.mark.django_db

State = ResendBatch.State
BATCHES = "/admin/chatitive_django/resendbatch/"
MAY = [*EVERYTHING, "resend_notification"]
FORM = {"sort": ["fresh"], "reason": "they should know", "pace": "60"}
SCRIPT = "<script>alert('x')</script>"


@pytest.fixture
def pam():
    return StaffFactory(username="pam", may=MAY)


@pytest.fixture
def client_of_pam(pam):
    return logged_in(pam)


@pytest.fixture
def rule():
    return make("Cheer", mode="watch", payload={"title": {"path": "title"}})


def go_live(rule):
    return f"{URL}{rule.pk}/go-live/"


def asked(client, rule):
    """The address of the page that asks about the records that are there already."""
    response = client.post(go_live(rule), {"seen": rule.version, "already": "send"})
    assert response.url.startswith(go_live(rule)), told(response)
    return response.url


def everything():
    """All that going live could change."""
    return [
        list(model.objects.order_by("pk").values())
        for model in (Notification, ResendBatch, BatchRow, LogEntry, EventRule)
    ]


def mode_of(rule):
    rule.refresh_from_db()
    return rule.mode


def test_the_rule_goes_live_and_the_records_that_were_there_follow(
    client_of_pam, pam, rule, outbox
):
    leads(2)
    text = text_of(client_of_pam.get(go_live(rule)))
    assert "Send to the <strong>2</strong> that are in this state, too" in text
    assert re.search(r'value="nothing"[^>]* checked', text)
    url = asked(client_of_pam, rule)
    assert (mode_of(rule), Notification.objects.count()) == ("watch", 0)
    text = words(text_of(client_of_pam.get(url)))
    assert "Records that were in the state already: “When a Lead's stage changes to Won" in text
    assert "2 Will be sent" in text
    response = client_of_pam.post(url, FORM)
    batch = ResendBatch.objects.get()
    assert response.url == f"{BATCHES}{batch.pk}/change/"
    assert mode_of(rule) == "live"
    assert (batch.state, batch.made_by, batch.rule_version) == (State.WAITING, pam, rule.version)
    live, begun = LogEntry.objects.order_by("pk")
    assert "“watch only” became “live”" in live.get_change_message()
    assert begun.get_change_message() == (
        "Asked to send to 2 records that were there already: they should know"
    )
    start(batch)
    deliver()
    assert len(outbox) == 2
    text = words(text_of(client_of_pam.get(response.url)))
    assert "Backfill of 2" in text
    assert "Who pam Why they should know Which Records that were in the state already" in text
    assert "Accepted since 2" in text
    row = Notification.objects.latest("pk")
    text = words(
        text_of(client_of_pam.get(f"/admin/chatitive_django/notification/{row.pk}/change/"))
    )
    assert "The stage was “won” already when the rule went live." in text


def test_to_do_nothing_is_what_happens_unless_asked_otherwise(client_of_pam, rule):
    leads()
    for given in ({}, {"already": "nothing"}, {"already": "nonsense"}):
        client_of_pam.post(go_live(rule), {"seen": rule.version, **given})
        assert mode_of(rule) == "live"
        rule.mode = "watch"
        rule.save()
    assert not ResendBatch.objects.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"field": "stage", "to_values": ["lost"]}, "There is none."),
        ({"trigger": "created"}, "which is no state that a record could be in"),
        ({"field": "stage"}, "which is no state that a record could be in"),
    ],
)
def test_where_there_is_nobody_to_send_to_nothing_is_offered(options, said, client_of_pam):
    leads()
    rule = make(mode="watch", **options)
    text = text_of(client_of_pam.get(go_live(rule)))
    assert said in text
    assert 'name="already"' not in text
    response = client_of_pam.post(go_live(rule), {"seen": rule.version, "already": "send"})
    assert response.url == go_live(rule)
    assert mode_of(rule) == "watch"


def test_too_many_are_told_and_not_offered(client_of_pam, rule, monkeypatch):
    leads(3)
    monkeypatch.setattr(batches, "AT_MOST", 2)
    text = text_of(client_of_pam.get(go_live(rule)))
    assert "More than 2 records are in this state" in text
    assert 'name="already"' not in text
    response = client_of_pam.post(go_live(rule), {"seen": rule.version, "already": "send"})
    assert "More than 2 records" in told(response)
    assert (mode_of(rule), ResendBatch.objects.count()) == ("watch", 0)


def test_a_rule_with_problems_is_not_counted_for(client_of_pam):
    leads()
    rule = make(mode="watch", phone_number="customer.mobile")
    text = text_of(client_of_pam.get(go_live(rule)))
    assert "this is mended" in text
    assert 'name="already"' not in text
    client_of_pam.post(go_live(rule), {"seen": rule.version, "already": "send"})
    assert not ResendBatch.objects.exists()


@pytest.mark.parametrize("lacking", ["resend_notification", "activate_rule", "change_eventrule"])
def test_it_takes_the_permissions_to_make_rules_live_and_to_resend(lacking, client_of_pam, rule):
    leads()
    url = asked(client_of_pam, rule)
    other = logged_in(StaffFactory(may=[name for name in MAY if name != lacking]))
    before = everything()
    if lacking == "resend_notification":
        text = text_of(other.get(go_live(rule)))
        assert "takes the permission to resend notifications" in text
        assert 'name="already"' not in text
    sending = {"seen": rule.version, "already": "send"}
    assert other.post(go_live(rule), sending).status_code == 403
    for method in (other.get, other.post):
        assert method(url, FORM).status_code == 403
    assert everything() == before


def test_another_persons_draft_is_refused(client_of_pam, rule):
    leads()
    url = asked(client_of_pam, rule)
    before = everything()
    colleague = logged_in(StaffFactory(may=MAY))
    assert colleague.get(url).status_code == 403
    assert colleague.post(url, FORM).status_code == 403
    assert everything() == before


def test_a_page_of_another_rule_or_that_is_too_old_says_so(client_of_pam, rule):
    leads()
    asked(client_of_pam, rule)
    other = make("Other", mode="watch")
    batch = ResendBatch.objects.get()
    for address in (f"{go_live(other)}{batch.pk}/", f"{go_live(other)}4711/"):
        response = client_of_pam.post(address, FORM)
        assert response.url == go_live(other)
        assert "too old" in told(response)
    assert mode_of(other) == "watch"


def test_to_look_changes_nothing(client_of_pam, rule):
    leads()
    url = asked(client_of_pam, rule)
    before = everything()
    for address in (go_live(rule), url):
        for query in ("", "?already=send&sort=fresh&reason=x&pace=60"):
            client_of_pam.get(address + query)
            client_of_pam.head(address + query)
    assert everything() == before


def test_forged_posts_are_refused(client_of_pam, pam, rule):
    leads()
    url = asked(client_of_pam, rule)
    forger = Client(enforce_csrf_checks=True)
    forger.force_login(pam)
    before = everything()
    sending = {"seen": rule.version, "already": "send"}
    for address, data in ((go_live(rule), sending), (url, FORM)):
        assert forger.post(address, data).status_code == 403
    assert everything() == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": " "}, "Give a reason"),
        ({"pace": "1000000"}, "Choose a pace"),
        ({"sort": []}, "Nothing is ticked"),
        ({"sort": ["condition", "told", "no_phone"]}, "Nothing is ticked"),
    ],
)
def test_what_is_asked_for_wrongly_leaves_the_rule_as_it_is(changes, said, client_of_pam, rule):
    leads(2)
    leads(phone="")
    url = asked(client_of_pam, rule)
    before = everything()
    response = client_of_pam.post(url, {**FORM, **changes})
    assert response.url == url
    assert said in told(response)
    assert everything() == before


def test_a_rule_that_someone_changed_in_between_is_not_made_live(client_of_pam, rule):
    leads()
    stale = rule.version
    url = asked(client_of_pam, rule)
    rule.save()
    for address, data in ((go_live(rule), {"seen": stale, "already": "send"}), (url, FORM)):
        response = client_of_pam.post(address, data)
        assert "It has changed since you opened the page." in told(response)
    assert mode_of(rule) == "watch"
    assert ResendBatch.objects.get().state == State.DRAFT


def test_the_batch_tells_how_many_came_too_late(client_of_pam, rule):
    leads()
    url = asked(client_of_pam, rule)
    leads(2)
    text = words(text_of(client_of_pam.get(client_of_pam.post(url, FORM).url)))
    assert "Too late 2 records came into the state after the rows were frozen" in text


def test_two_people_make_it_live_and_send_once(client_of_pam, rule):
    leads()
    colleague = logged_in(StaffFactory(may=MAY))
    one, other = asked(client_of_pam, rule), asked(colleague, rule)
    assert client_of_pam.post(one, FORM).url.startswith(BATCHES)
    response = colleague.post(other, FORM)
    assert response.url == other
    assert "It has changed since you opened the page." in told(response)
    assert ResendBatch.objects.exclude(state=State.DRAFT).count() == 1


def test_a_page_confirmed_twice_sends_once(client_of_pam, rule, outbox):
    leads(2)
    url = asked(client_of_pam, rule)
    first, second = client_of_pam.post(url, FORM), client_of_pam.post(url, FORM)
    assert first.url == second.url
    start(ResendBatch.objects.get())
    deliver()
    client_of_pam.post(url, FORM)
    deliver()
    assert len(outbox) == 2
    assert LogEntry.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_double_click_at_the_same_moment_begins_once(settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "worker"}
    leads(2)
    rule = make("Cheer", mode="watch")
    pam = StaffFactory(may=MAY)
    url = asked(logged_in(pam), rule)
    clients = [logged_in(pam) for _ in range(2)]
    ready = threading.Barrier(2)
    urls = []

    def click(client):
        ready.wait()
        urls.append(client.post(url, FORM).url)
        connection.close()

    threads = [threading.Thread(target=click, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batch = ResendBatch.objects.get()
    assert urls == [f"{BATCHES}{batch.pk}/change/"] * 2
    assert (batch.state, mode_of(rule)) == (State.WAITING, "live")
    assert LogEntry.objects.count() == 2


def test_names_of_records_are_for_those_who_may_see_them(client_of_pam, rule):
    (lead,) = leads(title=SCRIPT)
    text = text_of(client_of_pam.get(asked(client_of_pam, rule)))
    assert f"explain/?model=desk.lead&amp;pk={lead.pk}" in text
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text
    clerk = logged_in(StaffFactory(may=[name for name in MAY if name != "view_payload"]))
    text = text_of(clerk.get(asked(clerk, rule)))
    assert f"Lead {lead.pk}" in text
    assert "script&gt;" not in text


def test_a_rule_that_is_turned_off_ends_it_and_the_page_says_why(client_of_pam, rule):
    leads(2)
    client_of_pam.post(asked(client_of_pam, rule), FORM)
    batch = ResendBatch.objects.get()
    client_of_pam.post(f"{URL}{rule.pk}/off/", {"seen": EventRule.objects.get().version})
    start(batch)
    deliver()
    text = words(text_of(client_of_pam.get(f"{BATCHES}{batch.pk}/change/")))
    assert "Skipped 2: The rule was no longer live" in text
    assert not Notification.objects.exists()


def test_a_backfill_of_a_rule_that_was_deleted_still_has_its_page(client_of_pam, rule):
    leads()
    client_of_pam.post(asked(client_of_pam, rule), FORM)
    batch = ResendBatch.objects.get()
    rule.delete()
    text = words(text_of(client_of_pam.get(f"{BATCHES}{batch.pk}/change/")))
    assert "When a Lead's stage changes to Won at last" in text
    assert "Backfill" in words(text_of(client_of_pam.get(BATCHES)))
    assert Lead.objects.exists()


def test_the_batch_leads_to_its_rule_for_those_who_may_see_rules(client_of_pam, rule):
    leads()
    client_of_pam.post(asked(client_of_pam, rule), FORM)
    page = f"{BATCHES}{ResendBatch.objects.get().pk}/change/"
    link = f'<a href="{URL}{rule.pk}/change/">Cheer</a>'
    assert link in text_of(client_of_pam.get(page))
    assert link not in text_of(logged_in(StaffFactory()).get(page))


def test_it_is_undone_within_the_minute_while_the_rule_stays_live(client_of_pam, rule):
    leads()
    client_of_pam.post(asked(client_of_pam, rule), FORM)
    batch = ResendBatch.objects.get()
    page = f"{BATCHES}{batch.pk}/change/"
    assert "Undo" in text_of(client_of_pam.get(page))
    client_of_pam.post(f"{BATCHES}{batch.pk}/cancel/")
    start(batch)
    deliver()
    assert (mode_of(rule), Notification.objects.count()) == ("live", 0)
    assert "It was undone: nothing of it was sent." in text_of(client_of_pam.get(page))
