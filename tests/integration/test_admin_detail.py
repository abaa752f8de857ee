"""The page of one notification: the box on top, the facts, the steps, and the tools."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chatitive_django import Changed, Constant, Event, batches
from chatitive_django.admin.meanings import REASONS
from chatitive_django.models import Channel, Notification, ResendBatch
from chatitive_django.payloads import flat
from chatitive_django.testing import deliver
from tests.desk.models import Agent, Ticket
from tests.factories import (
    AttemptFactory,
    CustomerFactory,
    NotificationFactory,
    StaffFactory,
    TicketFactory,
)
from tests.integration.test_admin import LIST, SCRIPT, confirm, logged_in, page, text_of

pytestmark = pytest.mark.django_db

Status = Notification.Status


@pytest.fixture
def boss(admin_user):
    """May do everything."""
    return logged_in(admin_user)


@pytest.fixture
def viewer():
    """May look, and see neither payloads nor whole phone numbers."""
    return logged_in(StaffFactory())


def sent_for(ticket, **more):
    """What the ticket's event said when it was recorded."""
    payload = {
        "ticket_url": ticket.get_absolute_url(),
        "ticket_status": "Open",
        "cs_agent_name": ticket.agent.name,
    }
    return NotificationFactory(
        **{
            "ticket": ticket,
            "status": Status.REJECTED,
            "phone_number": ticket.customer.phone,
            "payload": payload,
            **more,
        }
    )


def box(text):
    """The box on top, as its reader reads it."""
    found = re.search(r'<section class="chatitive-story.*?</section>', text, re.DOTALL)[0]
    return unescape(" ".join(re.sub(r"<[^>]*>", " ", found).split()))


def copied(text, name):
    """What a field to copy from holds."""
    return unescape(re.search(rf'id="{name}".*?>(.*?)</textarea>', text, re.DOTALL)[1])


# The box on top.


def test_the_sentence_on_top_says_after_how_many_tries_and_why(viewer):
    row = NotificationFactory(status=Status.REJECTED, reason="http_412", attempts=5)
    told = "Failed after 5 tries: Chatitive can't send texts to this phone number (412)."
    assert told in box(text_of(viewer.get(page(row))))


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_its_box_on_the_page(reason, viewer):
    row = NotificationFactory(status=Status.REJECTED, reason=reason.replace("xx", "99"))
    told = box(text_of(viewer.get(page(row))))
    assert str(REASONS[reason].means) in told
    assert str(REASONS[reason].todo) in told
    assert str(REASONS[reason].mender.value) in told


def test_the_first_button_is_the_one_that_does(boss, admin_user):
    ticket = TicketFactory()
    cases = {
        "/admin/auth/user/": NotificationFactory(
            status=Status.INVALID, source_model="auth.user", source_id=admin_user.pk
        ),
        "/admin/chatitive_django/channel/": NotificationFactory(reason="http_401", attempts=1),
        "/cancel/": NotificationFactory(),
        "/resend/": NotificationFactory(status=Status.UNKNOWN),
        "/explain/": NotificationFactory(status=Status.SKIPPED, ticket=ticket),
        "/change/": NotificationFactory(status=Status.SENDING),
    }
    for address, row in cases.items():
        text = text_of(boss.get(page(row))).partition('<p class="chatitive-acts"')[2]
        assert address in re.search(r'href="([^"]*)"', text)[1]


def test_a_message_behind_an_earlier_one_of_the_same_person_says_so(viewer):
    first = NotificationFactory(phone_number="206-555-0142")
    second = NotificationFactory(phone_number="(206) 555-0142")
    text = text_of(viewer.get(page(second)))
    assert "they go in order" in box(text)
    assert page(first) in text
    assert "they go in order" not in box(text_of(viewer.get(page(first))))


def test_a_message_of_a_stopped_channel_says_so(viewer):
    row = NotificationFactory()
    Channel.objects.create(alias="default", stopped_at=timezone.now())
    assert "The whole channel is stopped" in box(text_of(viewer.get(page(row))))


# The facts.


def test_a_record_that_says_the_same_today_is_told_so(viewer):
    row = sent_for(TicketFactory())
    assert "The record says the same today." in text_of(viewer.get(page(row)))


def test_what_a_record_says_otherwise_is_shown_to_those_who_see_payloads(boss, viewer):
    ticket = TicketFactory(customer=CustomerFactory(phone="206-555-0142"))
    row = sent_for(ticket)
    Agent.objects.update(name="Quentin")
    ticket.customer.phone = "206-555-0177"
    ticket.customer.save()
    text = text_of(boss.get(page(row)))
    line = (
        f'<th scope="row">cs_agent_name</th><td><del>{ticket.agent.name}</del></td><td><ins>Quentin'
    )
    assert line in text
    assert "<del>206-555-0142</del></td><td><ins>206-555-0177" in text
    masked = text_of(viewer.get(page(row)))
    assert "The record says otherwise today: phone number, cs_agent_name." in masked
    assert not any(secret in masked for secret in ["Quentin", "0177", "206-555"])


def test_another_spelling_of_the_same_number_is_no_change(viewer):
    row = sent_for(TicketFactory(customer=CustomerFactory(phone="206-555-0142")))
    Notification.objects.update(phone_number="(206) 555 0142", subscriber_key="+12065550142")
    assert "The record says the same today." in text_of(viewer.get(page(row)))


def test_to_look_takes_back_whatever_the_projects_code_writes(boss, declare):
    def writes(ticket):
        Agent.objects.create(name="made by a look")
        return "x"

    ticket = TicketFactory()
    declare(
        Ticket,
        Event(
            "RequestSupportFeedback",
            when=Changed("status", to="Success"),
            phone_number="customer.phone",
            payload={"a": writes},
        ),
    )
    row = sent_for(ticket)
    for address in [page(row), page(row, "resend")]:
        text_of(boss.get(address))
    assert not Agent.objects.filter(name="made by a look").exists()


def test_a_failing_query_of_the_projects_code_leaves_a_page_that_works(boss, declare):
    ticket = TicketFactory()
    declare(
        Ticket,
        Event(
            "RequestSupportFeedback",
            when=Changed("status", to="Success"),
            phone_number="customer.phone",
            payload={"a": lambda _: list(Agent.objects.extra(where=["nonsense"]))},
        ),
    )
    row = sent_for(ticket)
    assert "A query failed while it was built anew" in text_of(boss.get(page(row)))


def test_the_payload_is_a_table_of_dotted_keys_with_its_json_folded(boss):
    row = NotificationFactory(payload={"a": {"b": [1, {"c": None}]}, "d": True, "e": {}})
    text = text_of(boss.get(page(row)))
    for key, value in [("a.b[0]", "1"), ("a.b[1].c", "–"), ("d", "yes"), ("e", "{}")]:
        assert f'<th scope="row">{key}</th><td>{value}</td>' in text
    assert "<details><summary>As JSON</summary>" in text


def test_no_two_payloads_have_the_same_dotted_keys():
    assert dict(flat({"a": {"b": 1}})) == {"a.b": 1}
    assert dict(flat({"a.b": 1})) == {'"a.b"': 1}
    assert dict(flat({"a": [], "b": {}})) == {"a": [], "b": {}}
    assert dict(flat({})) == {}
    assert dict(flat({"a[0]": 1})) != dict(flat({"a": [1]}))


def test_the_page_tells_how_long_it_took_to_be_accepted(viewer):
    row = NotificationFactory(status=Status.ACCEPTED)
    assert "Accepted 2.0 s after it was recorded." in text_of(viewer.get(page(row)))


def test_the_rule_is_told_as_its_sentence(viewer):
    row = sent_for(TicketFactory())
    text = text_of(viewer.get(page(row)))
    assert "When a Ticket&#x27;s status changes to Success, send RequestSupportFeedback" in text
    assert "no longer declared" in text_of(
        viewer.get(page(sent_for(TicketFactory(), event_key="x")))
    )


# The steps.


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("test", "It is a test that somebody asked for."),
        ("manual", "The project&#x27;s own code recorded it."),
    ],
)
def test_what_no_transition_fired_says_whence_it_came(origin, said, viewer):
    row = NotificationFactory(origin=origin, why={}, event_key="RequestSupportFeedback")
    text = text_of(viewer.get(page(row)))
    assert said in text
    assert "no longer declared" not in text
    assert "by hand or by" not in text


def test_what_people_did_is_among_the_steps_with_their_reason(boss, viewer, admin_user):
    row = NotificationFactory(status=Status.REJECTED)
    AttemptFactory(notification=row, started_at=row.created_at, outcome="rejected")
    confirm(boss, page(row, "resend"), reason=f"The customer called {SCRIPT}")
    steps = text_of(viewer.get(page(row))).partition('id="chatitive-steps"')[2]
    order = ["Recorded with the change.", "Try 1", f"<strong>{admin_user}</strong>", "The next try"]
    places = [steps.index(each) for each in order]
    assert places == sorted(places)
    assert "Asked to send it again. The reason given: The customer called &lt;script&gt;" in steps
    assert SCRIPT not in steps


def test_the_bulk_resend_that_it_was_part_of_is_among_the_steps_with_its_reason(viewer):
    clerk = StaffFactory()
    row = NotificationFactory(status=Status.REJECTED)
    accepted = NotificationFactory(status=Status.ACCEPTED)
    other = NotificationFactory(status=Status.REJECTED)
    batch = batches.draft(Notification.objects.exclude(pk=other.pk), selection={}, user_id=clerk.pk)
    batches.confirm(batch, sorts=["fresh", "accepted"], reason="It was down", pace=60)
    ResendBatch.objects.update(starts_at=timezone.now())
    batches.advance()
    deliver()
    new = Notification.objects.get(resend_of=accepted)
    for each in [row, new]:
        steps = text_of(viewer.get(page(each))).partition('id="chatitive-steps"')[2]
        assert f"<strong>{clerk}</strong>" in steps
        assert f"Bulk resend #{batch.pk}: It was down" in steps
    assert "Bulk resend" not in text_of(viewer.get(page(other))).partition("chatitive-steps")[2]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("+1 555\u2011777\u20111234", "555-777-4321 ext 5", "from “…1234” to “…4321 ext 5”"),
        ("tel:+15557771234", "call 555/777/4321", "from “tel:…1234” to “call …4321”"),
        ("2026-11-28", "2026-11-28 12:00:00", "from “2026-11-28” to “2026-11-28 12:00:00”"),
    ],
)
def test_why_it_fired_gives_away_no_number_however_it_is_written(viewer, boss, old, new, told):
    why = {"transition": "changed", "field": "phone", "old": old, "new": new}
    row = NotificationFactory(why=why)
    assert told in text_of(viewer.get(page(row)))
    assert f"from “{old}” to “{new}”" in text_of(boss.get(page(row)))


def test_the_name_of_a_record_gives_away_no_number(boss, viewer):
    ticket = TicketFactory(pk=12345678)
    row = NotificationFactory(ticket=ticket, source_name="12345678, (555) 777-1234")
    for address in [LIST, page(row)]:
        assert "12345678, …1234" in text_of(viewer.get(address))
        assert "777-1234" not in text_of(viewer.get(address))
        assert "12345678, (555) 777-1234" in text_of(boss.get(address))
    assert "12345678, …1234" in copied(text_of(boss.get(page(row))), "chatitive-summary")


# The tools.


def test_the_summary_has_all_that_a_colleague_needs_and_no_whole_number(boss):
    row = sent_for(TicketFactory(customer=CustomerFactory(phone="206-555-0142")))
    AttemptFactory(notification=row, outcome="rejected", reason="http_404", http_status=404)
    text = copied(text_of(boss.get(page(row))), "chatitive-summary")
    assert "Failed at the first try" in text
    assert str(row.public_id) in text
    assert "To: …0142" in text
    assert "Try 1: " in text
    assert "HTTP 404" in text
    assert "206" not in text.replace(str(row.public_id), "")
    assert "ticket_status" not in text


URL = "chatitive://SID-OF-OURS:TOKEN-OF-OURS@api.essential.to/p03Gjl8Uzn0RkZSpHXHnrw"


def test_the_call_as_curl_is_what_a_shell_gives_to_curl_and_holds_no_secret(
    boss, viewer, settings, tmp_path
):
    settings.CHATITIVE = {"API_URLS": {"default": URL}, "DISPATCHER": "worker"}
    nasty = 'it\'s `here` $(touch made) "quoted" \\ ! é\n@x'
    row = NotificationFactory(status=Status.REJECTED, payload={"a": nasty}, allow_new=True)
    text = text_of(boss.get(page(row)))
    assert "OF-OURS" not in text
    assert "chatitive-curl" not in text_of(viewer.get(page(row)))
    command = copied(text, "chatitive-curl")
    (tmp_path / "curl").write_text('#!/bin/sh\nfor each in "$@"; do printf "%s\\0" "$each"; done\n')
    (tmp_path / "curl").chmod(0o755)
    ran = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "CHATITIVE_SID": "S", "CHATITIVE_TOKEN": "T"},
        capture_output=True,
        text=True,
        check=True,
    )
    given = ran.stdout.split("\0")[:-1]
    notify = "v2/account/channels/p03Gjl8Uzn0RkZSpHXHnrw/subscribers/events/notify"
    assert given[:4] == ["--globoff", f"https://api.essential.to/{notify}", "--user", "S:T"]
    body = json.loads(given[given.index("--data-raw") + 1])
    assert body["payload"] == {"a": nasty}
    assert (body["phone_number"], body["allow_new"]) == (row.phone_number, True)
    assert f"Idempotency-Key: {row.public_id}" in given
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("url", ["console://", "locmem://", None])
def test_what_calls_nothing_has_no_curl(url, boss, settings):
    settings.CHATITIVE = {"API_URLS": {"default": url} if url else {"other": URL}}
    assert "chatitive-curl" not in text_of(boss.get(page(NotificationFactory())))


def test_all_to_a_person_is_a_list_whose_address_names_no_number(viewer):
    row = NotificationFactory(event_name="Wanted", phone_number="206-555-0142")
    NotificationFactory(event_name="AlsoWanted", phone_number="(206) 555 0142")
    NotificationFactory(event_name="Other", phone_number="206-555-0143")
    address = f"{LIST}?same_person_as={row.pk}"
    assert address in text_of(viewer.get(page(row)))
    text = text_of(viewer.get(address))
    assert "AlsoWanted" in text
    assert "Other" not in text
    assert "same person" in text
    assert "555" not in text


def test_all_about_a_record_is_a_list_of_them(viewer):
    ticket = TicketFactory()
    row = NotificationFactory(event_name="Wanted", ticket=ticket)
    NotificationFactory(event_name="AlsoWanted", ticket=ticket)
    NotificationFactory(event_name="Other", ticket=TicketFactory())
    address = f"{LIST}?same_record_as={row.pk}"
    assert address in text_of(viewer.get(page(row)))
    text = text_of(viewer.get(address))
    assert "AlsoWanted" in text
    assert "Other" not in text


@pytest.mark.parametrize("value", ["0", "x", "9" * 30, "1 OR 1=1", "²", "+1206"])
@pytest.mark.parametrize("name", ["same_person_as", "same_record_as"])
def test_a_number_that_is_none_lists_nothing(name, value, viewer):
    row = NotificationFactory()
    assert page(row) not in text_of(viewer.get(LIST, {name: value}))


def test_a_row_that_names_nobody_and_nothing_offers_no_list(viewer):
    row = NotificationFactory(status=Status.INVALID, phone_number=None, subscriber_key="")
    other = NotificationFactory(status=Status.INVALID, phone_number=None, subscriber_key="")
    assert "same_" not in text_of(viewer.get(page(row)))
    for name in ["same_person_as", "same_record_as"]:
        assert page(other) not in text_of(viewer.get(LIST, {name: row.pk}))


def test_the_detail_asks_the_same_few_queries_however_much_has_happened(boss):
    def cost(row):
        with CaptureQueriesContext(connection) as queries:
            text_of(boss.get(page(row)))
        return len(queries)

    row = sent_for(TicketFactory(), status=Status.ACCEPTED)
    AttemptFactory(notification=row, actor=StaffFactory())
    cost(row)  # Django remembers the content type
    few = cost(row)
    for number in range(2, 6):
        AttemptFactory(notification=row, number=number, actor=StaffFactory())
        sent_for(TicketFactory(), resend_of=row)
        LogEntry.objects.log_actions(
            StaffFactory().pk, Notification.objects.filter(pk=row.pk), 2, "Looked at it."
        )
    assert cost(row) == few <= 12
    waiting = NotificationFactory(available_at=timezone.now() + timedelta(minutes=1))
    assert cost(waiting) <= 11


def test_a_payload_row_of_constants_is_compared_too(viewer, declare):
    ticket = TicketFactory()
    declare(
        Ticket,
        Event(
            "RequestSupportFeedback",
            when=Changed("status", to="Success"),
            phone_number="customer.phone",
            payload={"desk": Constant("b"), "new": {"key": Constant(1)}},
        ),
    )
    row = sent_for(ticket, payload={"desk": "a", "gone": 1})
    text = text_of(viewer.get(page(row)))
    assert "The record says otherwise today: desk, gone, new.key." in text
