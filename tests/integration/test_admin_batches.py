"""Resend many and cancel many in the admin: who may, what is asked first, and what is logged."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from chatitive_django import batches
from chatitive_django.models import BatchRow, Notification, ResendBatch
from chatitive_django.testing import deliver
from tests.factories import NotificationFactory, StaffFactory

pytestmark = pytest.mark.django_db

Status = Notification.Status
State = ResendBatch.State

LIST = "/admin/chatitive_django/notification/"
SINCE = f"{LIST}resend-many/"
BATCHES = "/admin/chatitive_django/resendbatch/"
FORM = {"sort": ["fresh"], "reason": "the API was down", "pace": "60"}
SCRIPT = "<script>alert('x')</script>"


def logged_in(user, **options):
    client = Client(**options)
    client.force_login(user)
    return client


@pytest.fixture
def boss(admin_user):
    return logged_in(admin_user)


@pytest.fixture
def clerk():
    """Resends and cancels, but not what was accepted."""
    return StaffFactory(may=["resend_notification", "cancel_notification"])


@pytest.fixture
def client_of_clerk(clerk):
    return logged_in(clerk)


@pytest.fixture
def viewer():
    return logged_in(StaffFactory())


def text_of(response):
    assert response.status_code == 200
    return response.content.decode()


def listed(client, address):
    """The ids of the rows that a list shows."""
    text = text_of(client.get(address))
    return {int(pk) for pk in re.findall(rf'href="{LIST}(\d+)/change/', text)}


def told(response):
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def act(client, action, rows, *, across=False, query=""):
    """Tick rows of the list and choose an action, as a browser does."""
    return client.post(
        f"{LIST}?{query}",
        {
            "action": action,
            "_selected_action": [row.pk for row in rows],
            "select_across": "1" if across else "0",
            "index": "0",
        },
    )


def asked(client, rows, **options):
    """The address of the page that asks."""
    response = act(client, "resend_many", rows, **options)
    assert response.status_code == 302, told(response)
    return response.url


def confirmed(client, rows, **changes):
    """The batch that comes of ticking rows and confirming."""
    response = client.post(asked(client, rows), {**FORM, **changes})
    assert response.url.startswith(BATCHES), told(response)
    return ResendBatch.objects.latest("pk")


def page(batch, act="change"):
    return f"{BATCHES}{batch.pk}/{act}/"


def start(batch):
    ResendBatch.objects.filter(pk=batch.pk).update(starts_at=timezone.now() - timedelta(seconds=1))


def everything():
    """All that an act could change."""
    return [
        list(model.objects.order_by("pk").values())
        for model in (Notification, ResendBatch, BatchRow, LogEntry)
    ]


def failed(count=3, **values):
    return NotificationFactory.create_batch(count, status=Status.REJECTED, **values)


# The way there.


def test_ticked_rows_are_confirmed_queued_and_reported(client_of_clerk, clerk, outbox):
    rows = failed()
    untouched = failed(1)[0]
    url = asked(client_of_clerk, rows)
    text = text_of(client_of_clerk.get(url))
    assert "3 that were ticked" in text
    assert "<strong>3</strong> Will be sent" in text
    response = client_of_clerk.post(url, FORM)
    batch = ResendBatch.objects.get()
    assert response.url == page(batch)
    assert (batch.state, batch.made_by, batch.total) == (State.WAITING, clerk, 3)
    assert (batch.reason, batch.pace) == ("the API was down", 60)
    (entry,) = LogEntry.objects.all()
    assert (entry.user, entry.object_id) == (clerk, str(batch.pk))
    assert entry.get_change_message() == "Asked to resend 3 notifications: the API was down"
    start(batch)
    deliver()
    assert len(outbox) == 3
    text = text_of(client_of_clerk.get(page(batch)))
    assert "All of it was gone through." in text
    assert "<dt>Accepted since</dt><dd>3</dd>" in text
    untouched.refresh_from_db()
    assert untouched.status == Status.REJECTED


def test_all_that_match_the_filter_are_taken_beyond_the_page(client_of_clerk):
    rows = failed(60)
    NotificationFactory(status=Status.EXPIRED)
    url = asked(client_of_clerk, rows[:50], across=True, query="status__exact=rejected")
    batch = ResendBatch.objects.get()
    assert (batch.total, batch.selection) == (
        60,
        {"filter": {"status__exact": "rejected", "when": "7d"}},
    )
    text = text_of(client_of_clerk.get(url))
    assert "All that match: status = rejected" in text
    assert "and 55 more" in text


def test_what_failed_since_is_taken(client_of_clerk):
    failed(2)
    now = timezone.now()
    NotificationFactory(status=Status.UNKNOWN, finished_at=now)
    NotificationFactory(status=Status.REJECTED, finished_at=now - timedelta(hours=25))
    NotificationFactory(status=Status.CANCELLED, finished_at=now)
    NotificationFactory(status=Status.ACCEPTED, finished_at=now)
    assert SINCE in text_of(client_of_clerk.get(LIST))
    assert "the last 24 hours" in text_of(client_of_clerk.get(SINCE))
    response = client_of_clerk.post(SINCE, {"hours": "24"})
    assert ResendBatch.objects.get().sorted == {"fresh": 2, "doubtful": 1}
    assert "All that failed since" in text_of(client_of_clerk.get(response.url))


@pytest.mark.parametrize("form", [{}, {"hours": ""}, {"hours": "2"}, {"hours": "x"}])
def test_since_nothing_in_particular_asks_again(form, client_of_clerk):
    failed(1)
    assert "Take all that failed within" in text_of(client_of_clerk.post(SINCE, form))
    assert not ResendBatch.objects.exists()


def test_nothing_that_failed_is_said(client_of_clerk):
    response = client_of_clerk.post(SINCE, {"hours": "24"})
    assert "Nothing matches any more." in text_of(response)


def test_too_many_are_refused_in_words(client_of_clerk, monkeypatch):
    monkeypatch.setattr(batches, "AT_MOST", 2)
    response = act(client_of_clerk, "resend_many", failed(3))
    assert "More than 2 notifications match" in told(response)
    assert not ResendBatch.objects.exists()


def test_the_page_carries_no_ids_and_only_the_first_sort_is_ticked(boss):
    rows = [*failed(2), *(NotificationFactory(status=status) for status in Status)]
    text = text_of(boss.get(asked(boss, rows)))
    assert set(re.findall(r'<input type="hidden" name="(\w+)"', text)) == {"csrfmiddlewaretoken"}
    boxes = re.findall(r'<input type="checkbox" name="sort" value="(\w+)"[^>]*>', text)
    assert boxes == ["fresh", "doubtful", "accepted", "scheduled", "impossible"]
    assert re.findall(r'value="(\w+)"[^>]* checked>', text) == ["fresh"]
    assert re.findall(r'value="(\w+)"[^>]* disabled>', text) == ["scheduled", "impossible"]


def test_the_page_says_when_a_retry_is_due(boss):
    soon = timezone.now() + timedelta(minutes=3)
    row = NotificationFactory(attempts=1, available_at=soon)
    text = text_of(boss.get(asked(boss, [row])))
    assert f"the next try is at {timezone.localtime(soon):%H:%M:%S}" in text


def test_a_part_of_a_batch_is_a_list_that_no_time_cuts(client_of_clerk, outbox):
    rows = failed(7, created_at=timezone.now() - timedelta(days=8))
    failed(1)
    address = asked(client_of_clerk, rows, query="when=all")
    batch = ResendBatch.objects.get()
    link = f"{LIST}?in_batch={batch.pk}%3Afresh"
    assert f'<a href="{link}">and 2 more</a>' in text_of(client_of_clerk.get(address))
    assert listed(client_of_clerk, link) == {row.pk for row in rows}
    client_of_clerk.post(address, FORM)
    batch.rows.update(result=batches.QUEUED, sent_as=F("notification"))
    Notification.objects.filter(pk=rows[0].pk).update(status=Status.ACCEPTED)
    link = f"{LIST}?in_batch={batch.pk}%3Afailed"
    assert f'<dt>Failed since</dt><dd><a href="{link}">6</a></dd>' in text_of(
        client_of_clerk.get(page(batch))
    )
    assert listed(client_of_clerk, link) == {row.pk for row in rows[1:]}
    for wrong in ["", "x:fresh", f"{batch.pk}", f"{batch.pk}:nonsense", "9" * 30]:
        assert listed(client_of_clerk, f"{LIST}?in_batch={wrong}") == set()


def test_where_nothing_was_sent_to_many_it_says_how_to(viewer):
    text = text_of(viewer.get(BATCHES))
    assert "Nothing was sent to many yet" in text
    assert "0 bulk sends" not in text


def test_a_reason_is_required_for_more_than_one(client_of_clerk):
    url = asked(client_of_clerk, failed(2))
    assert re.search(r'name="reason"[^>]* required', text_of(client_of_clerk.get(url)))
    response = client_of_clerk.post(url, {**FORM, "reason": "  "})
    assert response.url == url
    assert "Give a reason" in told(response)
    assert ResendBatch.objects.get().state == State.DRAFT
    one = asked(client_of_clerk, failed(1))
    assert not re.search(r'name="reason"[^>]* required', text_of(client_of_clerk.get(one)))
    assert client_of_clerk.post(one, {**FORM, "reason": ""}).url.startswith(BATCHES)


@pytest.mark.parametrize(
    "changes", [{"pace": ""}, {"pace": "1000000"}, {"pace": "x"}, {"sort": []}, {"sort": ["no"]}]
)
def test_what_the_page_did_not_offer_is_refused(changes, client_of_clerk):
    url = asked(client_of_clerk, failed(2))
    assert client_of_clerk.post(url, {**FORM, **changes}).url == url
    assert ResendBatch.objects.get().state == State.DRAFT


def test_to_send_again_what_was_accepted_needs_its_own_permission(client_of_clerk, boss):
    rows = [NotificationFactory(status=Status.ACCEPTED), *failed(1)]
    url = asked(client_of_clerk, rows)
    assert "needs a permission that you don't have" in text_of(client_of_clerk.get(url))
    before = everything()
    forged = client_of_clerk.post(url, {**FORM, "sort": ["fresh", "accepted"]})
    assert forged.status_code == 403
    assert everything() == before
    batch = confirmed(boss, rows, sort=["fresh", "accepted"])
    start(batch)
    assert batches.advance() == 2


def test_numbers_are_masked_for_those_who_may_not_see_them(client_of_clerk):
    row = failed(1, phone_number="206-555-0142")[0]
    url = asked(client_of_clerk, [row], across=True, query="q=206-555-0142")
    text = text_of(client_of_clerk.get(url))
    assert "…0142" in text
    assert "206-555" not in text
    batch = ResendBatch.objects.get()
    assert "206-555" not in str(batch.selection)
    client_of_clerk.post(url, FORM)
    assert "206-555" not in text_of(client_of_clerk.get(page(batch)))


def test_script_stays_text(boss):
    rows = failed(2, event_name=SCRIPT, phone_number=SCRIPT)
    url = asked(boss, rows, across=True, query=f"q={SCRIPT}")
    assert "<script>alert" not in text_of(boss.get(url))
    boss.post(url, {**FORM, "reason": SCRIPT})
    for address in [BATCHES, page(ResendBatch.objects.get())]:
        text = text_of(boss.get(address))
        assert "<script>alert" not in text
        assert "&lt;script&gt;" in text


# Who may not.


def test_view_only_staff_can_do_nothing_by_address_or_form(viewer, client_of_clerk):
    rows = failed(2)
    pending = NotificationFactory()
    draft = asked(client_of_clerk, rows)
    batch = confirmed(client_of_clerk, rows)
    cancel = f"{LIST}cancel-many/?ids={pending.pk}"
    before = everything()
    for address in [SINCE, draft, cancel]:
        assert viewer.get(address).status_code == 403
        assert viewer.post(address, {**FORM, "hours": "24"}).status_code == 403
    assert viewer.post(page(batch, "cancel")).status_code == 403
    assert viewer.post(page(batch)).status_code == 403
    for action in ["resend_many", "cancel_many"]:
        act(viewer, action, [*rows, pending])
    assert everything() == before
    text = text_of(viewer.get(LIST))
    assert "Resend…" not in text
    assert "Cancel pending…" not in text
    assert "resend-many" not in text


def test_those_who_may_look_see_the_batches_of_others(viewer, client_of_clerk, clerk):
    batch = confirmed(client_of_clerk, failed(2))
    asked(client_of_clerk, failed(1))
    listed = text_of(viewer.get(BATCHES))
    assert listed.count(page(batch)) == 1
    assert "not confirmed" not in listed
    text = text_of(viewer.get(page(batch)))
    assert str(clerk) in text
    assert "the API was down" in text
    assert "/cancel/" not in text


def test_staff_without_any_permission_see_no_batch(client_of_clerk):
    batch = confirmed(client_of_clerk, failed(2))
    stranger = StaffFactory()
    stranger.user_permissions.clear()
    client = logged_in(stranger)
    for address in [BATCHES, page(batch), SINCE]:
        assert client.get(address).status_code == 403


def test_anonymous_is_sent_to_the_login(client, client_of_clerk):
    batch = confirmed(client_of_clerk, failed(2))
    for address in [SINCE, f"{SINCE}{batch.pk}/", page(batch), page(batch, "cancel")]:
        assert client.post(address).url.startswith("/admin/login/")


def test_another_persons_draft_is_refused(client_of_clerk, boss):
    url = asked(client_of_clerk, failed(2))
    colleague = logged_in(StaffFactory(may=["resend_notification"]))
    before = everything()
    for client in [colleague, boss]:
        assert client.get(url).status_code == 403
        assert client.post(url, FORM).status_code == 403
    assert everything() == before


def test_another_persons_batch_is_cancelled_by_a_superuser_only(client_of_clerk, boss):
    batch = confirmed(client_of_clerk, failed(2))
    colleague = logged_in(StaffFactory(may=["resend_notification", "cancel_notification"]))
    assert page(batch, "cancel") not in text_of(colleague.get(page(batch)))
    before = everything()
    assert colleague.post(page(batch, "cancel")).status_code == 403
    assert everything() == before
    assert page(batch, "cancel") in text_of(boss.get(page(batch)))
    assert boss.post(page(batch, "cancel")).url == page(batch)
    batch.refresh_from_db()
    assert batch.state == State.CANCELLED


def test_a_draft_has_no_page_among_the_batches(client_of_clerk):
    asked(client_of_clerk, failed(2))
    batch = ResendBatch.objects.get()
    assert client_of_clerk.post(page(batch, "cancel")).status_code == 404
    assert client_of_clerk.get(page(batch)).status_code == 302
    assert ResendBatch.objects.get().state == State.DRAFT


def test_a_page_that_is_too_old_says_so(client_of_clerk):
    response = client_of_clerk.post(f"{SINCE}4711/", FORM)
    assert response.url == LIST
    assert "too old" in told(response)


# What may not happen.


def test_to_look_changes_nothing(boss):
    rows = [*failed(2), NotificationFactory()]
    draft = asked(boss, rows)
    batch = confirmed(boss, rows)
    start(batch)
    before = everything()
    for address in [SINCE, draft, page(batch), page(batch, "cancel"), BATCHES]:
        for query in ["", "?post=yes&hours=24&sort=fresh&reason=x&pace=60"]:
            boss.get(address + query)
            boss.head(address + query)
    cancel = f"{LIST}cancel-many/?ids={rows[-1].pk}"
    for query in ["", "&reason=x&post=yes"]:
        assert boss.get(cancel + query).status_code == 200
    boss.get(LIST, {"action": "resend_many", "_selected_action": rows[0].pk})
    assert everything() == before
    assert boss.get(page(batch, "cancel")).status_code == 405


def test_forged_posts_are_refused(admin_user, boss):
    rows = [*failed(2), NotificationFactory()]
    draft = asked(boss, rows)
    batch = confirmed(boss, rows)
    forger = logged_in(admin_user, enforce_csrf_checks=True)
    before = everything()
    for address in [SINCE, draft, page(batch, "cancel"), f"{LIST}cancel-many/?ids={rows[-1].pk}"]:
        assert forger.post(address, {**FORM, "hours": "24"}).status_code == 403
    assert act(forger, "resend_many", rows).status_code == 403
    assert everything() == before


def test_the_page_can_be_posted_as_a_browser_does(admin_user):
    client = logged_in(admin_user, enforce_csrf_checks=True)
    rows = failed(2)
    token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', text_of(client.get(LIST)))[1]
    response = client.post(
        LIST,
        {
            "csrfmiddlewaretoken": token,
            "action": "resend_many",
            "_selected_action": [row.pk for row in rows],
        },
    )
    text = text_of(client.get(response.url))
    token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', text)[1]
    done = client.post(response.url, {"csrfmiddlewaretoken": token, **FORM})
    batch = ResendBatch.objects.get()
    assert done.url == page(batch)
    text = text_of(client.get(page(batch)))
    token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', text)[1]
    client.post(page(batch, "cancel"), {"csrfmiddlewaretoken": token})
    batch.refresh_from_db()
    assert batch.state == State.CANCELLED


def test_a_page_confirmed_twice_sends_once(client_of_clerk, outbox):
    url = asked(client_of_clerk, failed(2))
    first, second = client_of_clerk.post(url, FORM), client_of_clerk.post(url, FORM)
    assert first.url == second.url
    start(ResendBatch.objects.get())
    deliver()
    client_of_clerk.post(url, FORM)
    deliver()
    assert len(outbox) == 2
    assert LogEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_double_click_at_the_same_moment_confirms_once(clerk, settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "worker"}
    clients = [logged_in(clerk), logged_in(clerk)]
    url = asked(clients[0], failed(2))
    ready = threading.Barrier(2)
    urls = []

    def post(client):
        ready.wait()
        urls.append(client.post(url, FORM).url)
        connection.close()

    threads = [threading.Thread(target=post, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert urls == [page(ResendBatch.objects.get())] * 2
    assert LogEntry.objects.count() == 1


def test_two_people_who_choose_the_same_rows_send_them_once(client_of_clerk, boss, outbox):
    rows = failed(2)
    for batch in [confirmed(client_of_clerk, rows), confirmed(boss, rows)]:
        start(batch)
    deliver()
    deliver()
    assert len(outbox) == 2
    text = text_of(boss.get(page(ResendBatch.objects.latest("pk"))))
    assert re.search(r"<dt>Skipped</dt><dd>\d: By then it was (pending|accepted)</dd>", text)


def test_who_resends_one_by_hand_takes_it_out_of_the_batch(client_of_clerk, boss, outbox):
    rows = failed(2)
    batch = confirmed(client_of_clerk, rows)
    url = f"{LIST}{rows[0].pk}/resend/"
    seen = re.search(r'name="seen" value="([^"]*)"', text_of(boss.get(url)))[1]
    boss.post(url, {"seen": seen})
    deliver()
    start(batch)
    deliver()
    assert len(outbox) == 2
    assert batches.report(batch).skipped == {"now_accepted": 1}


# The page of a batch.


def test_a_batch_is_undone_within_the_minute(client_of_clerk, clerk, outbox):
    batch = confirmed(client_of_clerk, failed(2))
    text = text_of(client_of_clerk.get(page(batch)))
    assert re.search(r"It starts in (5\d|60) seconds", text)
    assert 'value="Undo"' in text
    assert 'data-chatitive-follow="on"' in text
    response = client_of_clerk.post(page(batch, "cancel"))
    assert "no more of it is sent" in told(response)
    start(batch)
    deliver()
    assert outbox == []
    text = text_of(client_of_clerk.get(page(batch)))
    assert "It was undone: nothing of it was sent." in text
    assert "http-equiv" not in text
    entry = LogEntry.objects.first()
    assert (entry.user, entry.get_change_message()) == (clerk, "Cancelled with 2 not queued.")
    assert "has ended already" in told(client_of_clerk.post(page(batch, "cancel")))
    assert LogEntry.objects.count() == 2


def test_a_running_batch_tells_how_far_it_is_and_is_cancelled(client_of_clerk, outbox):
    batch = confirmed(client_of_clerk, failed(8), pace="20")
    start(batch)
    deliver()
    text = text_of(client_of_clerk.get(page(batch)))
    assert "5 of 8 gone through" in text
    assert "Cancel what is left" in text
    assert "http-equiv" in text
    client_of_clerk.post(page(batch, "cancel"))
    text = text_of(client_of_clerk.get(page(batch)))
    assert "<dt>Left alone</dt><dd>3</dd>" in text
    assert len(outbox) == 5


def test_the_pages_keep_to_a_strict_content_policy(client_of_clerk):
    rows = failed(2)
    url = asked(client_of_clerk, rows)
    batch = confirmed(client_of_clerk, rows)
    for address in [SINCE, url, page(batch), f"{LIST}cancel-many/?ids={NotificationFactory().pk}"]:
        content = text_of(client_of_clerk.get(address)).partition('id="content-main"')[2]
        assert content
        assert not re.search(r"<script|<style| style=| on\w+=", content.partition("</main")[0])


def test_the_number_of_queries_of_the_pages_does_not_grow_with_their_rows(client_of_clerk):
    def cost(address):
        with CaptureQueriesContext(connection) as queries:
            text_of(client_of_clerk.get(address))
        return len(queries)

    few = failed(1)
    few_pages = asked(client_of_clerk, few), page(confirmed(client_of_clerk, few))
    many = failed(20)
    many_pages = asked(client_of_clerk, many), page(confirmed(client_of_clerk, many))
    for less, more in zip(few_pages, many_pages, strict=True):
        assert cost(less) == cost(more) <= 12
    assert cost(BATCHES) <= 6


# Cancel pending.


def test_ticked_pending_rows_are_cancelled_with_a_reason(client_of_clerk, clerk, outbox):
    rows = NotificationFactory.create_batch(2)
    other = failed(1)[0]
    url = act(client_of_clerk, "cancel_many", [*rows, other]).url
    text = text_of(client_of_clerk.get(url))
    assert "1 of those that you ticked isn't pending and stays as it is." in text
    assert "Give a reason" in text_of(client_of_clerk.post(url, {"reason": " "}))
    assert Notification.objects.filter(status=Status.PENDING).count() == 2
    response = client_of_clerk.post(url, {"reason": "wrong text"})
    assert response.url == LIST
    assert "2 were cancelled" in told(response)
    deliver()
    assert outbox == []
    assert {row.reason for row in Notification.objects.filter(status=Status.CANCELLED)} == {
        "cancelled_by_staff"
    }
    entries = LogEntry.objects.all()
    assert {entry.object_id for entry in entries} == {str(row.pk) for row in rows}
    assert {(entry.user, entry.get_change_message()) for entry in entries} == {
        (clerk, "Cancelled before it was sent: wrong text")
    }
    again = client_of_clerk.post(url, {"reason": "wrong text"})
    assert "None of them is pending" in told(again)
    assert LogEntry.objects.count() == 2


def test_one_is_cancelled_without_a_reason(client_of_clerk):
    url = act(client_of_clerk, "cancel_many", [NotificationFactory()]).url
    client_of_clerk.post(url, {})
    assert Notification.objects.get().status == Status.CANCELLED


def test_more_than_a_hundred_are_not_cancelled_at_once(client_of_clerk):
    rows = NotificationFactory.create_batch(101)
    response = act(client_of_clerk, "cancel_many", rows[:50], across=True)
    assert "At most 100 can be cancelled at once" in told(response)


@pytest.mark.parametrize("ids", ["", "x", "²", "1,2", "9" * 30, "-1", "1;DROP"])
def test_no_address_breaks_the_cancel_page(ids, client_of_clerk):
    failed(1)
    response = client_of_clerk.get(f"{LIST}cancel-many/", {"ids": ids})
    assert response.url == LIST


def test_the_names_of_the_pages_are_public():
    name = "admin:chatitive_django_notification_resend_many"
    assert reverse(name) == SINCE
    assert reverse(name, args=[7]) == f"{SINCE}7/"
    assert reverse("admin:chatitive_django_resendbatch_change", args=[7]) == f"{BATCHES}7/change/"
