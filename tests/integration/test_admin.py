"""The log in the admin: who sees what, and what a person's act does to it."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path, reverse
from django.utils import timezone

from chatitive_django import Added, Changed, Created, Deleted, Event, If, Removed
from chatitive_django.admin import NotificationAdmin
from chatitive_django.models import Attempt, Notification
from chatitive_django.outcomes import Outcome
from chatitive_django.testing import deliver
from tests.desk.models import Board, Ticket
from tests.factories import (
    AttemptFactory,
    CustomerFactory,
    NotificationFactory,
    StaffFactory,
    TicketFactory,
)

pytestmark = pytest.mark.django_db

Status = Notification.Status

LIST = "/admin/chatitive_django/notification/"
SCRIPT = "<script>alert('x')</script>"
SAME_ROW = [Status.REJECTED, Status.UNKNOWN, Status.EXPIRED, Status.CANCELLED]
NOT_RESENDABLE = [Status.PENDING, Status.SENDING, Status.SKIPPED]
RESENDABLE = [*SAME_ROW, Status.ACCEPTED, Status.INVALID]
ACTS = ["resend", "cancel"]

site = admin.AdminSite("backoffice")
site.register(Notification, NotificationAdmin)


@admin.register(Ticket, site=site)
class TicketAdmin(admin.ModelAdmin):
    def get_urls(self):
        return []  # it has no pages to link to


urlpatterns = [path("admin/", admin.AdminSite("admin").urls), path("backoffice/", site.urls)]
"""A second admin beside the usual one, where the log is in the second alone."""


def page(row, act="change"):
    return f"{LIST}{row.pk}/{act}/"


def logged_in(user, **options):
    client = Client(**options)
    client.force_login(user)
    return client


@pytest.fixture
def boss(admin_user):
    """May do everything."""
    return logged_in(admin_user)


@pytest.fixture
def viewer():
    """May look, and see neither payloads nor whole phone numbers."""
    return logged_in(StaffFactory())


@pytest.fixture
def clerk():
    """Resends and cancels, but not what was accepted."""
    return StaffFactory(may=["resend_notification", "cancel_notification"])


def text_of(response):
    assert response.status_code == 200
    return response.content.decode()


def form_on(client, address):
    """What the confirmation page would post: what its reader has seen, and what is chosen."""
    text = text_of(client.get(address))
    hidden = re.findall(r'<input type="hidden" name="(seen|today)" value="([^"]*)"', text)
    return dict(hidden)


def seen_on(client, address):
    """The state that the confirmation page showed."""
    return form_on(client, address)["seen"]


def confirm(client, address, **typed):
    """Open the confirmation page and press its button."""
    return client.post(address, {**form_on(client, address), **typed})


def told(response):
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def untouched():
    """All that an act could change."""
    return list(Notification.objects.order_by("pk").values()), LogEntry.objects.count()


def one_of_each():
    return [NotificationFactory(status=status) for status in Status]


def failed_ticket():
    """A ticket whose event could not be built, for its customer had no phone number."""
    ticket = TicketFactory(customer=CustomerFactory(phone=""))
    ticket.status = Ticket.Status.SUCCESS
    ticket.save()
    row = Notification.objects.get()
    assert row.status == Status.INVALID
    return ticket, row


# The pages.


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("who", ["boss", "viewer"])
def test_the_list_and_the_detail_show_every_status(status, who, request):
    client = request.getfixturevalue(who)
    row = NotificationFactory(status=status)
    AttemptFactory(notification=row)
    for address in [LIST, page(row)]:
        text = text_of(client.get(address))
        assert str(status.label) in text
        assert row.event_name in text


@pytest.mark.parametrize(("outcome", "label"), Attempt.OUTCOMES)
def test_the_detail_shows_every_outcome_of_an_attempt(outcome, label, boss):
    row = NotificationFactory(status=Status.UNKNOWN)
    AttemptFactory(notification=row, outcome=outcome)
    assert str(label) in text_of(boss.get(page(row)))


def test_a_row_that_is_tried_again_says_when(boss):
    soon = timezone.now() + timedelta(minutes=3)
    row = NotificationFactory(attempts=2, reason="http_503", available_at=soon)
    AttemptFactory(notification=row, outcome=Outcome.TURNED_AWAY, reason="http_503")
    listed = text_of(boss.get(LIST))
    assert "retrying" in listed
    assert f"Next try at {timezone.localtime(soon):%H:%M:%S} (2 tries)" in listed
    detail = text_of(boss.get(page(row)))
    assert "It was tried 2 times and will be tried again: Chatitive is unavailable" in detail
    assert "The next try" in detail


def test_the_detail_tells_why_the_event_fired(boss):
    ticket = TicketFactory()
    ticket.status = Ticket.Status.SUCCESS
    ticket.save()
    detail = text_of(boss.get(page(Notification.objects.get())))
    assert "The status changed from “Open” to “Success”." in detail


@pytest.mark.parametrize(
    ("why", "sentence"),
    [
        ({"transition": "created"}, "The record was created."),
        (
            {"transition": "created", "field": "status", "new": "Success"},
            "The record was created with the status “Success”.",
        ),
        ({"transition": "deleted"}, "The record was deleted."),
        (
            {"transition": "deleted", "conditions": [{"condition": "vip equals True"}]},
            "The record was deleted. It held that vip equals True.",
        ),
        (
            {"transition": "changed", "field": "gone", "old": None, "new": 3},
            "The gone changed from nothing to “3”.",
        ),
        (
            {"transition": "added", "field": "tags", "old": None, "new": [3, 4]},
            "The tags gained “3”, “4”.",
        ),
        (
            {"transition": "removed", "field": "tags", "old": [3], "new": None},
            "The tags lost “3”.",
        ),
        ({}, "It was recorded by hand or by the project&#x27;s own code."),
    ],
)
def test_every_way_to_fire_has_its_sentence(why, sentence, boss):
    row = NotificationFactory(ticket=TicketFactory(), why=why)
    assert sentence in text_of(boss.get(page(row)))


@pytest.mark.parametrize(
    ("duration_ms", "told"), [(0, " · 0 ms"), (214, " · 214 ms"), (30_012, " · 30.0 s"), (None, "")]
)
def test_the_detail_tells_how_long_an_attempt_took(duration_ms, told, boss):
    attempt = AttemptFactory(duration_ms=duration_ms)
    assert f"HTTP 202{told}</p>" in text_of(boss.get(page(attempt.notification)))


def test_what_was_accepted_in_the_end_says_at_which_try(boss):
    row = NotificationFactory(status=Status.ACCEPTED, attempts=3, finished_at=None)
    assert "Chatitive accepted it at try 3." in text_of(boss.get(page(row)))


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({}, "is ignored"),
        ({"allow_new": True}, "is added as unconfirmed"),
        ({"allow_new": True, "subscribe_new": True}, "is added as subscribed"),
    ],
)
def test_the_detail_tells_what_becomes_of_a_new_number(flags, sentence, boss):
    row = NotificationFactory(**flags)
    assert f"new to the channel {sentence}." in text_of(boss.get(page(row)))


def test_broken_credentials_are_no_reason_to_just_wait(boss):
    row = NotificationFactory(attempts=1, reason="http_401")
    text = text_of(boss.get(page(row)))
    assert "A developer, or whoever looks after this site, can." in text
    assert "/admin/chatitive_django/channel/" in text.partition('class="chatitive-acts"')[2]


def test_the_number_of_queries_of_the_detail_does_not_grow_with_its_attempts(boss, clerk):
    def cost(row):
        with CaptureQueriesContext(connection) as queries:
            text_of(boss.get(page(row)))
        return len(queries)

    row = NotificationFactory(status=Status.ACCEPTED, ticket=TicketFactory())
    AttemptFactory(notification=row, actor=clerk)
    cost(row)  # Django remembers the content type
    few = cost(row)
    for number in range(2, 9):
        AttemptFactory(notification=row, number=number, actor=StaffFactory())
        NotificationFactory(resend_of=row)
    assert cost(row) == few <= 12


def test_the_list_reads_no_payload(boss):
    NotificationFactory()
    with CaptureQueriesContext(connection) as queries:
        text_of(boss.get(LIST))
    assert not any("payload" in query["sql"] for query in queries)


def test_an_empty_log_says_what_will_fill_it(boss, declare):
    declare(
        Ticket,
        Event(
            "Fixed",
            when=[Changed("status", to=["Success", "Failed"]), Deleted()],
            phone_number="customer.phone",
        ),
        Event("Came", when=Created(), phone_number="customer.phone"),
        Event("Moved", when=Changed("agent"), phone_number="customer.phone"),
    )
    declare(Board, Event("Joined", when=[Added("tags"), Removed("tags")], phone_number="phone"))
    text = text_of(boss.get(LIST))
    assert "Nothing has been recorded yet" in text
    assert "when the tags of any board gain one or when the tags of any board lose one" in text
    assert "when the status of any ticket changes to “Success” or “Failed”" in text
    assert "or when any ticket is deleted" in text
    assert "when any ticket is created" in text
    assert "when the agent of any ticket changes<" in text


def test_a_search_that_finds_nothing_offers_the_whole_log(boss):
    NotificationFactory()
    for query in ["?q=nobody", "?status__exact=unknown&when=all"]:
        text = text_of(boss.get(LIST + query))
        assert "No notification matches" in text
        assert 'href="?"' in text


def test_the_log_can_be_read_when_the_settings_are_broken(boss, settings):
    row = NotificationFactory(status=Status.INVALID, reason="bad_setting")
    settings.CHATITIVE = {"API_URLS": "chatitive://SID:TOKEN@api.essential.to/x"}
    for address in [LIST, page(row)]:
        assert "TOKEN" not in text_of(boss.get(address))


def test_the_record_is_a_link_for_those_who_may_see_it(boss, viewer):
    row = NotificationFactory(source_model="auth.user", source_id="1", source_name="Kim")
    link = '<a href="/admin/auth/user/1/change/">Kim</a>'
    assert link in text_of(boss.get(LIST))
    assert link not in text_of(viewer.get(LIST))
    assert "Kim" in text_of(viewer.get(LIST))
    assert row.source_name in text_of(viewer.get(page(row)))


def test_a_record_that_was_deleted_leaves_pages_that_work(boss):
    ticket = TicketFactory(title="Gone tomorrow")
    row = NotificationFactory(status=Status.REJECTED, ticket=ticket)
    ticket.delete()
    assert "Gone tomorrow" in text_of(boss.get(LIST))
    for act in ["change", "resend"]:
        assert "Gone tomorrow (deleted since)" in text_of(boss.get(page(row, act)))


@pytest.mark.parametrize(
    ("source_model", "source_id"),
    [("left.behind", "1"), ("nonsense", "1"), ("desk.ticket", "no number"), ("", "")],
)
def test_a_record_of_which_nothing_is_known_leaves_pages_that_work(source_model, source_id, boss):
    row = NotificationFactory(source_model=source_model, source_id=source_id, source_name="Kim")
    for address in [LIST, page(row), page(row, "cancel")]:
        assert "Kim" in text_of(boss.get(address))


def test_an_accepted_row_and_its_resend_name_each_other(boss):
    row = NotificationFactory(status=Status.ACCEPTED)
    again = NotificationFactory(resend_of=row)
    assert f'It was resent as <a href="{page(again)}">{again}</a>' in text_of(boss.get(page(row)))
    assert f'It is a resend of <a href="{page(row)}">{row}</a>' in text_of(boss.get(page(again)))


def test_the_pages_stay_in_the_admin_where_they_were_opened(boss, settings):
    settings.ROOT_URLCONF = __name__
    row = NotificationFactory(status=Status.REJECTED, ticket=TicketFactory())
    NotificationFactory(resend_of=row)
    log = f"/backoffice{LIST.removeprefix('/admin')}"
    for address in [log, f"{log}{row.pk}/change/", f"{log}{row.pk}/resend/"]:
        text = text_of(boss.get(address))
        assert f"{log}{row.pk}/" in text
        assert LIST not in text
    response = confirm(boss, f"{log}{row.pk}/resend/")
    assert response.url == f"{log}{row.pk}/change/"


def test_script_stays_text_wherever_it_comes_from(boss):
    row = NotificationFactory(
        event_name=SCRIPT,
        channel=SCRIPT,
        phone_number=SCRIPT,
        subscriber_key="x",
        payload={SCRIPT: [SCRIPT]},
        source_model="desk.ticket",
        source_name=SCRIPT,
        event_key=SCRIPT,
        explanation=SCRIPT,
        why={
            "transition": "changed",
            "field": SCRIPT,
            "old": SCRIPT,
            "new": {"a": SCRIPT},
            "conditions": [{"condition": SCRIPT}],
        },
        status=Status.REJECTED,
    )
    AttemptFactory(notification=row, reason=SCRIPT, error_class=SCRIPT, response_excerpt=SCRIPT)
    for address in [LIST, f"{LIST}?q={SCRIPT}", page(row), page(row, "resend")]:
        text = text_of(boss.get(address))
        assert SCRIPT not in text
        assert "<script>alert" not in text
        assert "&lt;script&gt;" in text
    confirm(boss, page(row, "resend"))
    assert SCRIPT not in text_of(boss.get(page(row)))
    assert SCRIPT not in text_of(boss.get(page(row, "history")))


# Who sees what.


@pytest.mark.parametrize("address", [LIST, f"{LIST}1/change/", f"{LIST}1/resend/"])
def test_anonymous_is_sent_to_the_login(address, client):
    NotificationFactory(pk=1, status=Status.REJECTED)
    for response in [client.get(address), client.post(address, {"seen": "rejected:1:0"})]:
        assert response.status_code == 302
        assert response.url.startswith("/admin/login/")
    assert Notification.objects.get().status == Status.REJECTED


def test_whole_numbers_payloads_and_responses_need_their_permission(viewer):
    row = NotificationFactory(
        status=Status.REJECTED,
        phone_number="206-555-0142",
        payload={"secret": "of the payload"},
        why={"transition": "changed", "field": "phone", "old": "206-555-0100", "new": 1},
    )
    AttemptFactory(notification=row, response_excerpt="of the response")
    whole = logged_in(StaffFactory(may=["view_payload"]))
    secrets = ["206-555-0142", "of the payload", "206-555-0100", "of the response"]
    for address in [LIST, page(row)]:
        text = text_of(viewer.get(address))
        assert "…0142" in text
        assert not any(secret in text for secret in secrets)
    text = text_of(whole.get(page(row)))
    assert all(secret in text for secret in secrets)
    assert "206-555-0142" in text_of(whole.get(LIST))


def test_the_confirmation_masks_the_number_too(clerk):
    row = NotificationFactory(status=Status.REJECTED, phone_number="206-555-0142")
    text = text_of(logged_in(clerk).get(page(row, "resend")))
    assert "…0142" in text
    assert "206-555" not in text


@pytest.mark.parametrize("value", ["2026-11-22", "Success", "12.5", True])
def test_a_change_that_names_no_phone_number_is_told_whole(value, viewer):
    why = {"transition": "changed", "field": "status", "old": None, "new": value}
    row = NotificationFactory(why=why)
    assert f"to “{value}”." in text_of(viewer.get(page(row)))


@pytest.mark.parametrize(
    "lookup",
    [
        "phone_number=206-555-0142",
        "phone_number__startswith=2",
        "status__in=pending",
        "created_at__gte=2026-01-01",
        "subscriber_key__startswith=%2B1206",
        "payload__secret__startswith=a",
        "why__old__startswith=2",
        "explanation__contains=2",
        "resend_of__phone_number__startswith=2",
        "attempt_set__response_excerpt__contains=a",
    ],
)
def test_what_may_not_be_seen_can_not_be_guessed_by_filtering(lookup, viewer):
    NotificationFactory(phone_number="206-555-0142", payload={"secret": "abc"})
    assert viewer.get(f"{LIST}?{lookup}").status_code == 400


def test_staff_without_any_permission_see_nothing():
    row = NotificationFactory(status=Status.REJECTED)
    stranger = StaffFactory()
    stranger.user_permissions.clear()
    client = logged_in(stranger)
    for address in [LIST, page(row), page(row, "resend"), page(row, "cancel")]:
        assert client.get(address).status_code == 403


def test_a_permission_to_act_is_no_permission_to_look(clerk):
    row = NotificationFactory(status=Status.REJECTED)
    clerk.user_permissions.remove(*clerk.user_permissions.filter(codename="view_notification"))
    client = logged_in(clerk)
    for response in [
        client.get(page(row, "resend")),
        client.post(page(row, "resend"), {"seen": "rejected:1:0"}),
    ]:
        assert response.status_code == 403
    row.refresh_from_db()
    assert row.status == Status.REJECTED


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("act", ACTS)
def test_view_only_staff_can_not_act_by_address(act, status, viewer):
    row = NotificationFactory(status=status)
    before = untouched()
    assert viewer.get(page(row, act)).status_code == 403
    seen = f"{status}:{row.attempts}:0"
    assert viewer.post(page(row, act), {"seen": seen}).status_code == 403
    assert untouched() == before


def test_view_only_staff_see_no_buttons(viewer):
    rows = one_of_each()
    for address in [LIST, *(page(row) for row in rows)]:
        text = text_of(viewer.get(address))
        assert "/resend/" not in text
        assert "/cancel/" not in text


def test_who_may_not_resend_what_failed_is_told_to_ask_a_colleague(viewer, boss):
    for row in one_of_each():
        is_failed = row.status in {*SAME_ROW, Status.INVALID}
        assert ("ask a colleague" in text_of(viewer.get(page(row)))) == is_failed
        assert "ask a colleague" not in text_of(boss.get(page(row)))


def test_the_detail_offers_what_can_be_done_and_no_more(boss):
    for row in one_of_each():
        text = text_of(boss.get(page(row)))
        assert (page(row, "resend") in text) == (row.status in RESENDABLE)
        assert (page(row, "cancel") in text) == (row.status == Status.PENDING)


def test_the_list_offers_to_resend_what_failed(boss):
    rows = one_of_each()
    text = text_of(boss.get(LIST))
    for row in rows:
        is_failed = row.status in {*SAME_ROW, Status.INVALID}
        assert (page(row, "resend") in text) == is_failed


def test_nobody_adds_changes_or_deletes(boss):
    row = NotificationFactory(status=Status.REJECTED)
    AttemptFactory(notification=row)
    before = untouched()
    assert boss.get(f"{LIST}add/").status_code == 403
    assert boss.post(f"{LIST}add/", {"event_name": "Mine"}).status_code == 403
    assert boss.post(page(row), {"status": "accepted"}).status_code == 403
    assert boss.get(page(row, "delete")).status_code == 403
    assert boss.post(page(row, "delete"), {"post": "yes"}).status_code == 403
    boss.post(LIST, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert untouched() == before
    assert Attempt.objects.count() == 1


def test_a_row_that_is_not_there_is_not_found(boss):
    for number in ["404", "9" * 30, "none"]:
        for act in ACTS:
            assert boss.get(f"{LIST}{number}/{act}/").status_code == 404


# Search.


@pytest.mark.parametrize(
    "term",
    [
        "206-555-0142",
        "(206) 555-0142",
        "+1 206 555 0142",
        "2065550142",
        "12065550142",
        "  206.555.0142 ",
    ],
)
def test_a_phone_number_is_found_in_any_format(term, viewer):
    NotificationFactory(event_name="Wanted", phone_number="206-555-0142")
    NotificationFactory(event_name="Other", phone_number="206-555-0143")
    text = text_of(viewer.get(LIST, {"q": term}))
    assert "Wanted" in text
    assert "Other" not in text


def test_a_row_is_found_by_its_ids_and_its_sid(viewer):
    wanted = NotificationFactory(
        event_name="Wanted", phone_number=None, subscriber_sid="p03Gjl8Uzn0RkZSpHXHnrw"
    )
    NotificationFactory(event_name="Other")
    for term in [
        wanted.pk,
        f"#{wanted.pk}",
        wanted.public_id,
        wanted.public_id.hex,
        wanted.subscriber_sid,
    ]:
        text = text_of(viewer.get(LIST, {"q": term}))
        assert "Wanted" in text, term
        assert "Other" not in text, term


def test_an_event_is_found_by_how_its_name_begins(viewer):
    NotificationFactory(event_name="OrderShipped")
    NotificationFactory(event_name="TicketOrdered")
    text = text_of(viewer.get(LIST, {"q": "Order"}))
    assert "OrderShipped" in text
    assert "TicketOrdered" not in text


def test_an_event_that_is_declared_is_found_in_any_case(viewer):
    row = NotificationFactory()
    assert page(row) in text_of(viewer.get(LIST, {"q": "requestSUP"}))


@pytest.mark.parametrize("term", ["²", "9" * 5000, "0" * 19, "%", "_", "'", "\x00", "{", "💬"])
def test_no_term_breaks_the_search(term, viewer):
    NotificationFactory(event_name="Other")
    assert "Other" not in text_of(viewer.get(LIST, {"q": term})).partition('id="changelist"')[
        2
    ] or (
        term == "\x00"  # refused by Django's own form, which then shows all
    )


def test_a_number_means_the_same_under_every_filter(viewer):
    row = NotificationFactory(event_name="Other", status=Status.UNKNOWN)
    NotificationFactory(subscriber_key=str(row.pk), phone_number=str(row.pk))
    text = text_of(viewer.get(LIST, {"q": row.pk, "status__exact": "unknown"}))
    assert "No notification matches" in text


# Resend.


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("status", Status)
def test_to_look_changes_nothing(act, status, boss):
    row = NotificationFactory(status=status)
    before = untouched()
    for address in [LIST, page(row), page(row, act), page(row, "history")]:
        boss.get(address)
        boss.head(address)
        boss.get(address, {"seen": f"{status}:{row.attempts}:0", "post": "yes"})
    assert untouched() == before


@pytest.mark.parametrize("act", ACTS)
def test_a_forged_post_is_refused(act, admin_user):
    client = logged_in(admin_user, enforce_csrf_checks=True)
    row = NotificationFactory(status=Status.REJECTED if act == "resend" else Status.PENDING)
    before = untouched()
    seen = seen_on(client, page(row, act))
    assert client.post(page(row, act), {"seen": seen}).status_code == 403
    assert untouched() == before


def test_the_confirmation_page_can_be_posted_as_a_browser_does(admin_user):
    client = logged_in(admin_user, enforce_csrf_checks=True)
    row = NotificationFactory(status=Status.REJECTED)
    text = text_of(client.get(page(row, "resend")))
    form = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)"', text))
    assert set(form) == {"csrfmiddlewaretoken", "seen"}
    assert client.post(page(row, "resend"), form).status_code == 302
    row.refresh_from_db()
    assert row.status == Status.PENDING


@pytest.mark.parametrize("status", SAME_ROW)
def test_what_was_not_accepted_is_queued_as_the_same_row(status, clerk):
    row = NotificationFactory(status=status)
    response = confirm(logged_in(clerk), page(row, "resend"))
    assert response.url == page(row)
    assert "Queued" in told(response)
    (queued,) = Notification.objects.all()
    assert (queued.pk, queued.public_id) == (row.pk, row.public_id)
    assert (queued.status, queued.reason) == (Status.PENDING, "resent_by_staff")
    assert (queued.requested_by, queued.finished_at) == (clerk, None)
    assert queued.expires_at > timezone.now() + timedelta(hours=23)
    assert queued.attempts == row.attempts
    (entry,) = LogEntry.objects.all()
    assert (entry.user, entry.object_id) == (clerk, str(row.pk))
    assert entry.get_change_message() == "Asked to send it again."


def test_what_was_accepted_becomes_one_new_row_with_the_same_message(boss, admin_user):
    row = NotificationFactory(status=Status.ACCEPTED, ticket=TicketFactory(), allow_new=True)
    response = confirm(boss, page(row, "resend"))
    new = Notification.objects.exclude(pk=row.pk).get()
    assert response.url == page(new)
    assert (new.status, new.origin, new.resend_of) == (Status.PENDING, "resend", row)
    assert new.requested_by == admin_user
    assert new.public_id != row.public_id
    for name in ["event_name", "channel", "phone_number", "payload", "allow_new", "source_id"]:
        assert getattr(new, name) == getattr(row, name)
    row.refresh_from_db()
    assert row.status == Status.ACCEPTED
    entries = {entry.object_id: entry for entry in LogEntry.objects.all()}
    assert entries[str(row.pk)].get_change_message() == f"Resent as notification {new.pk}."
    assert str(row.pk) in entries[str(new.pk)].get_change_message()
    assert {entry.user for entry in entries.values()} == {admin_user}


def test_to_send_again_what_was_accepted_needs_its_own_permission(clerk):
    row = NotificationFactory(status=Status.ACCEPTED)
    client = logged_in(clerk)
    assert page(row, "resend") not in text_of(client.get(page(row)))
    assert client.get(page(row, "resend")).status_code == 403
    assert client.post(page(row, "resend"), {"seen": "accepted:1:0"}).status_code == 403
    assert Notification.objects.count() == 1


def test_the_permission_for_the_accepted_is_not_the_one_for_the_failed():
    client = logged_in(StaffFactory(may=["send_again"]))
    accepted = NotificationFactory(status=Status.ACCEPTED)
    rejected = NotificationFactory(status=Status.REJECTED)
    assert client.get(page(accepted, "resend")).status_code == 200
    assert client.get(page(rejected, "resend")).status_code == 403


def test_the_permission_is_asked_for_the_state_that_is_posted(clerk):
    """A guess at what the row is about to become doesn't get around the permission."""
    row = NotificationFactory(status=Status.UNKNOWN)
    response = logged_in(clerk).post(page(row, "resend"), {"seen": "accepted:1:0"})
    assert "It has changed since you opened the page" in told(response)
    assert Notification.objects.get().status == Status.UNKNOWN


@pytest.mark.parametrize("status", RESENDABLE)
def test_a_page_posted_twice_resends_once(status, boss):
    if status == Status.INVALID:
        ticket, row = failed_ticket()
        ticket.customer.phone = "206-555-0142"
        ticket.customer.save()
    else:
        row = NotificationFactory(status=status)
    form = form_on(boss, page(row, "resend"))
    assert "Queued" in told(boss.post(page(row, "resend"), form))
    before = untouched()
    second = boss.post(page(row, "resend"), form, follow=True)
    assert untouched() == before
    assert 'class="error"' in text_of(second)
    deliver()
    boss.post(page(row, "resend"), form)
    assert Attempt.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_page_posted_by_two_people_at_the_same_moment_resends_once(admin_user, settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "worker"}
    row = NotificationFactory(status=Status.ACCEPTED)
    clients = [logged_in(admin_user), logged_in(StaffFactory(may=["send_again"]))]
    seen = [seen_on(client, page(row, "resend")) for client in clients]
    ready = threading.Barrier(len(clients))
    answers = []

    def post(client, seen):
        ready.wait()
        answers.append(told(client.post(page(row, "resend"), {"seen": seen})))
        connection.close()

    threads = [threading.Thread(target=post, args=pair) for pair in zip(clients, seen, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Notification.objects.filter(resend_of=row).count() == 1
    assert sorted(answer.split()[0] for answer in answers) == ["It", "Queued:"]


def test_a_page_opened_before_someone_else_acted_is_refused(boss, clerk):
    row = NotificationFactory(status=Status.CANCELLED)
    seen = seen_on(boss, page(row, "resend"))
    confirm(logged_in(clerk), page(row, "resend"))
    deliver()
    before = untouched()
    answer = told(boss.post(page(row, "resend"), {"seen": seen}))
    assert answer == "It has changed since you opened the page. Look at it again."
    assert untouched() == before


def test_a_post_that_names_no_state_is_refused(boss):
    row = NotificationFactory(status=Status.REJECTED)
    for form in [{}, {"seen": ""}, {"seen": "rejected"}, {"seen": "pending:0:0"}]:
        assert "It has changed" in told(boss.post(page(row, "resend"), form))
    row.refresh_from_db()
    assert row.status == Status.REJECTED


@pytest.mark.parametrize(
    ("act", "status"),
    [
        *[("resend", status) for status in NOT_RESENDABLE],
        *[("cancel", status) for status in Status if status != Status.PENDING],
    ],
)
def test_what_can_not_be_done_is_said_and_not_done(act, status, boss):
    row = NotificationFactory(status=status)
    before = untouched()
    response = boss.post(page(row, act), {"seen": f"{status}:{row.attempts}:0"})
    assert response.url == page(row)
    assert f"It is {status.label} now" in told(response)
    assert untouched() == before


def test_an_invalid_row_is_built_anew_from_the_mended_record(boss, outbox):
    ticket, row = failed_ticket()
    ticket.customer.phone = "206-555-0142"
    ticket.customer.save()
    response = confirm(boss, page(row, "resend"))
    new = Notification.objects.exclude(pk=row.pk).get()
    assert response.url == page(new)
    assert (new.status, new.resend_of, new.phone_number) == (Status.PENDING, row, "206-555-0142")
    assert new.payload["ticket_status"] == "Success"
    row.refresh_from_db()
    assert row.status == Status.INVALID
    deliver()
    assert [message.phone_number for message in outbox] == ["206-555-0142"]


def assert_it_can_not_be_built(client, row, why):
    """The page says why and has no button; a POST all the same says it too, and does nothing."""
    before = untouched()
    text = text_of(client.get(page(row, "resend")))
    assert why in text
    assert "Yes, resend it" not in text
    response = client.post(page(row, "resend"), {"seen": "invalid:0:0"})
    assert response.url == page(row)
    assert why in told(response)
    assert untouched() == before


def test_an_invalid_row_whose_record_is_not_mended_stays_with_its_reason(boss):
    _ticket, row = failed_ticket()
    assert_it_can_not_be_built(boss, row, "neither a phone number nor a subscriber SID")


def test_an_invalid_row_whose_record_is_gone_stays_with_its_reason(boss):
    ticket, row = failed_ticket()
    ticket.delete()
    assert_it_can_not_be_built(boss, row, "The record is gone")


def test_an_invalid_row_whose_event_is_no_longer_declared_stays_with_its_reason(boss, declare):
    _ticket, row = failed_ticket()
    declare(Ticket)
    assert_it_can_not_be_built(boss, row, "no longer declares")


def test_an_invalid_row_that_was_built_anew_already_counts_as_sent(boss, clerk):
    ticket, row = failed_ticket()
    ticket.customer.phone = "206-555-0142"
    ticket.customer.save()
    assert "Nothing was sent before." in text_of(boss.get(page(row, "resend")))
    confirm(boss, page(row, "resend"))
    assert "It was resent before" in text_of(boss.get(page(row, "resend")))
    assert logged_in(clerk).get(page(row, "resend")).status_code == 403


def test_a_row_built_anew_for_an_event_in_watch_mode_is_not_called_queued(boss, declare):
    ticket, row = failed_ticket()
    ticket.customer.phone = "206-555-0142"
    ticket.customer.save()
    declare(
        Ticket,
        Event(
            "RequestSupportFeedback",
            when=Changed("status", to="Success"),
            only_if=If("status", "equals", "Success"),
            phone_number="customer.phone",
            mode="watch",
        ),
    )
    answer = told(confirm(boss, page(row, "resend")))
    assert "Queued" not in answer
    assert "watch mode" in answer
    assert Notification.objects.get(resend_of=row).status == Status.SKIPPED


@pytest.mark.parametrize(
    ("status", "warning"),
    [
        (Status.ACCEPTED, "the customer may get a second text"),
        (Status.UNKNOWN, "the customer may get a second text"),
        (Status.REJECTED, "The customer hasn&#x27;t got it before."),
    ],
)
def test_the_confirmation_says_what_a_resend_will_do(status, warning, boss):
    row = NotificationFactory(status=status)
    assert warning in text_of(boss.get(page(row, "resend")))


@pytest.mark.parametrize(
    "doubtful",
    [
        {"outcome": Outcome.MAY_HAVE_ARRIVED},
        {"outcome": Attempt.LEASE_RAN_OUT},
        {"outcome": Outcome.TURNED_AWAY, "http_status": 500},
    ],
)
def test_the_confirmation_remembers_an_earlier_try_that_may_have_arrived(doubtful, boss):
    row = NotificationFactory(status=Status.REJECTED, attempts=2)
    AttemptFactory(notification=row, **doubtful)
    AttemptFactory(notification=row, number=2, outcome=Outcome.REJECTED, http_status=404)
    text = text_of(boss.get(page(row, "resend")))
    assert "An earlier try may have arrived" in text


def test_the_attempt_after_a_resend_carries_who_asked(clerk):
    row = NotificationFactory(status=Status.REJECTED)
    AttemptFactory(notification=row, outcome=Outcome.REJECTED)
    client = logged_in(clerk)
    confirm(client, page(row, "resend"))
    deliver()
    row.refresh_from_db()
    assert (row.status, row.requested_by) == (Status.ACCEPTED, None)
    first, second = row.attempt_set.all()
    assert (first.actor, second.actor) == (None, clerk)
    assert (second.number, second.outcome) == (2, Outcome.ACCEPTED)
    assert str(clerk) in text_of(client.get(page(row))).partition("Try 2")[2]


@pytest.mark.django_db(transaction=True)
def test_a_failed_manual_attempt_does_not_start_the_schedule_again(clerk, settings):
    settings.CHATITIVE = {
        "API_URLS": {"default": "chatitive+http://SID:TOKEN@127.0.0.1:9/p03Gjl8Uzn0RkZSpHXHnrw"},
        "DISPATCHER": "worker",
    }
    row = NotificationFactory(status=Status.REJECTED)
    client = logged_in(clerk)
    confirm(client, page(row, "resend"))
    deliver()
    row.refresh_from_db()
    (attempt,) = row.attempt_set.all()
    assert (attempt.actor, attempt.outcome) == (clerk, Outcome.NOT_ARRIVED)
    assert (row.status, row.reason) == (Status.EXPIRED, "connection_refused")
    text = text_of(client.get(page(row)))
    assert "It was tried once more, and that failed: Chatitive couldn&#x27;t be reached" in text
    assert page(row, "resend") in text


# Cancel.


def test_a_pending_row_is_cancelled(clerk, outbox):
    row = NotificationFactory()
    response = confirm(logged_in(clerk), page(row, "cancel"))
    assert response.url == page(row)
    assert "it will not be sent" in told(response)
    deliver()
    row.refresh_from_db()
    assert (row.status, row.reason) == (Status.CANCELLED, "cancelled_by_staff")
    assert row.finished_at is not None
    assert outbox == []
    (entry,) = LogEntry.objects.all()
    assert (entry.user, entry.get_change_message()) == (clerk, "Cancelled before it was sent.")


def test_a_row_that_was_sent_meanwhile_is_not_cancelled(boss):
    row = NotificationFactory()
    seen = seen_on(boss, page(row, "cancel"))
    deliver()
    assert "It is accepted now" in told(boss.post(page(row, "cancel"), {"seen": seen}))
    row.refresh_from_db()
    assert row.status == Status.ACCEPTED


def test_the_names_of_the_pages_are_public():
    for act in ACTS:
        address = reverse(f"admin:chatitive_django_notification_{act}", args=[7])
        assert address == f"{LIST}7/{act}/"
