"""The pages of the rules that staff make: what they show, what they refuse, what they leave."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from chatitive_django.admin import EventRuleAdmin
from chatitive_django.models import EventRule, Notification
from tests.desk.models import Lead, Ticket
from tests.factories import (
    CustomerFactory,
    NotificationFactory,
    StaffFactory,
    TicketFactory,
)
from tests.integration.test_rules import make

pytestmark = pytest.mark.django_db

URL = "/admin/chatitive_django/eventrule/"
EVERYTHING = [
    "view_eventrule",
    "add_eventrule",
    "change_eventrule",
    "delete_eventrule",
    "activate_rule",
    "set_subscribe_new",
    "view_payload",
]
Status = Notification.Status


@pytest.fixture
def staff(client):
    """A client that is logged in as staff with these permissions, by default with all."""

    def staff(*may):
        client.force_login(StaffFactory(username="pam", may=may or EVERYTHING))
        return client

    return staff


def without(*names):
    return [name for name in EVERYTHING if name not in names]


def page(client, path=""):
    response = client.get(f"{URL}{path}")
    assert response.status_code == 200
    return response.content.decode()


def words(html):
    """A page's text, with one blank between words."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def form(conditions=(), payload=(), **fields):
    """A rule as its form posts it: a lead is won."""
    return {
        "name": "Won",
        "model": "desk.lead",
        "trigger": "changed",
        "field": "stage",
        "to_values": ["stage:won"],
        "event_name": "LeadWon",
        "channel": "default",
        "phone_number": "customer.phone",
        "ordered": "on",
        "cooldown_1": "hours",
        "expires_after_1": "hours",
        **_rows("conditions", conditions, ["path", "operator", "value"]),
        **_rows("payload", payload, ["key", "path", "constant", "fallback"]),
        **fields,
    }


def _rows(prefix, rows, names):
    found = {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": 0}
    for n, row in enumerate(rows):
        for name, value in zip(names, row, strict=False):
            found[f"{prefix}-{n}-{name}"] = value
    return found


def stored_form(rule, **fields):
    """The form of a stored rule as it is posted unchanged, but for these fields."""
    data = form(name=rule.name) | {"seen_version": rule.version}
    for prefix, rows in (("conditions", rule.conditions), ("payload", rule.payload)):
        data |= {f"{prefix}-TOTAL_FORMS": rows.count(), f"{prefix}-INITIAL_FORMS": rows.count()}
        for n, row in enumerate(rows.all()):
            data |= {f"{prefix}-{n}-id": row.pk, f"{prefix}-{n}-rule": rule.pk}
            for name in ("path", "operator", "value", "key", "constant", "fallback"):
                value = getattr(row, name, None)
                data[f"{prefix}-{n}-{name}"] = "" if value is None else value
    return data | fields


# The list


def test_a_mode_that_nobody_knows_is_shown_as_it_is(staff):
    rule, client = make("Cheer"), staff()
    EventRule.objects.update(mode="loud")
    for path in ("", f"{rule.pk}/change/", f"{rule.pk}/go-live/"):
        text = words(page(client, path))
        assert "loud" in text
        assert "Value 'loud' is not a valid choice." in text


def test_the_list_tells_each_rule_as_a_sentence_with_its_mode_and_its_counts(staff):
    rule = make("Cheer", mode="watch")
    for status in (Status.ACCEPTED, Status.ACCEPTED, Status.SKIPPED):
        NotificationFactory(status=status, rule=rule, event_key=rule.key)
    NotificationFactory(
        rule=rule, event_key=rule.key, created_at=timezone.now() - timedelta(days=8)
    )
    text = words(page(staff()))
    assert "watch only Cheer When a Lead's stage changes to Won at last, send Cheer to" in text
    assert "2 accepted, 1 skipped" in text


def test_the_list_says_what_is_wrong_with_a_rule(staff):
    make("Cheer", phone_number="customer.phnoe")
    assert "Did you mean “customer.phone”?" in words(page(staff()))


def test_what_code_declares_is_listed_beside_the_rules_with_its_file_and_cannot_be_changed(staff):
    NotificationFactory(status=Status.ACCEPTED, event_key="desk.Ticket:RequestSupportFeedback")
    html = page(staff())
    text = words(html)
    assert "When a Ticket's status changes to Success, send RequestSupportFeedback" in text
    assert "code tests/desk/models.py Ticket.chatitive_events[0]" in text
    assert "1 accepted" in text
    assert "declared/?key=desk.Ticket%3ARequestSupportFeedback" in html


def test_the_list_costs_the_same_queries_however_many_rules_there_are(
    staff, django_assert_max_num_queries
):
    client = staff()
    for n in range(3):
        make(f"Rule {n}", conditions=[("title", "is_set", None)], payload={"a": {"path": "title"}})
    page(client)
    with django_assert_max_num_queries(13) as few:
        page(client)
    for n in range(3, 12):
        make(f"Rule {n}", conditions=[("title", "is_set", None)], payload={"a": {"path": "title"}})
    with django_assert_max_num_queries(len(few)):
        page(client)


def test_rules_are_filtered_by_mode_and_by_whether_they_ever_fired(staff):
    fired, _silent = make("Fired"), make("Silent", mode="off")
    NotificationFactory(
        rule=fired, event_key=fired.key, created_at=timezone.now() - timedelta(days=29)
    )
    client = staff()
    shown = {"fired=never": "Silent", "fired=lately": "Fired", "mode=off": "Silent"}
    for query, name in shown.items():
        response = client.get(f"{URL}?{query}")
        assert [rule.name for rule in response.context["cl"].result_list] == [name]


def test_an_empty_list_says_what_a_rule_is(staff):
    assert "No rule has been made yet" in page(staff())


def test_counts_say_when_the_log_is_too_full_for_seven_days(staff, monkeypatch):
    monkeypatch.setattr("chatitive_django.admin.rules.counts.COUNTED", 1)
    rule = make()
    NotificationFactory.create_batch(3, rule=rule, event_key=rule.key, status=Status.ACCEPTED)
    text = words(page(staff()))
    assert "only its newest part is counted here" in text
    assert "1 accepted" in text


# Two steps


def test_the_first_step_asks_for_a_name_and_for_a_model_that_offers_something(staff):
    html = page(staff(), "add/")
    assert '<option value="desk.lead">Lead</option>' in html
    assert "desk.shape" not in html
    assert "id_trigger" not in html


def test_the_second_step_offers_what_the_model_does(staff):
    Lead.objects.create(title="Roof", customer=CustomerFactory(phone="206-555-0100"))
    html = page(staff(), "add/?name=Won&model=desk.lead")
    assert 'value="Won"' in html
    assert '<option value="stage">Stage</option>' in html
    assert '<option value="tags">Tags</option>' in html
    assert "secret" not in html
    assert escape("customer.phone, such as “206-555-0100”") in html
    assert "Won at last" in html


def test_sample_values_are_shown_to_those_who_may_see_payloads_only(staff):
    Lead.objects.create(title="Roof", customer=CustomerFactory(phone="206-555-0100"))
    assert "206-555-0100" not in page(
        staff(*without("view_payload")), "add/?name=a&model=desk.lead"
    )


def test_a_name_that_is_taken_is_refused_in_the_first_step(staff):
    make("Won")
    html = page(staff(), "add/?name=Won&model=desk.lead")
    assert "There is a rule of this name already." in html
    assert "id_trigger" not in html


def test_a_form_makes_a_whole_rule_that_only_watches(staff):
    client = staff()
    response = client.post(
        f"{URL}add/",
        form(
            from_values_text="new",
            conditions=[
                ("score", "gt", "10.5"),
                ("urgent", "equals", "yes"),
                ("customer.name", "in", "Ada, Ben"),
                ("data.plan", "equals", "3"),
                ("agent.name", "is_empty", ""),
            ],
            payload=[
                ("lead.title", "title", "", "none"),
                ("lead.score", "score", "", ""),
                ("source", "", "web", ""),
                ("level", "", '{"a": [1]}', ""),
            ],
            once="record",
            cooldown_0="2",
            cooldown_1="days",
            expires_after_0="90",
            expires_after_1="minutes",
        ),
    )
    assert response.status_code == 302, response.context["errors"]
    rule = EventRule.objects.get()
    assert (rule.mode, rule.version > 0, rule.created_by.username) == ("watch", True, "pam")
    assert (rule.from_values, rule.to_values) == (["new"], ["won"])
    assert (rule.cooldown, rule.expires_after) == (timedelta(days=2), timedelta(minutes=90))
    assert list(rule.conditions.values_list("path", "operator", "value")) == [
        ("score", "gt", "10.5"),
        ("urgent", "equals", True),
        ("customer.name", "in", ["Ada", "Ben"]),
        ("data.plan", "equals", 3),
        ("agent.name", "is_empty", None),
    ]
    assert list(rule.payload.values_list("key", "path", "constant", "fallback")) == [
        ("lead.title", "title", None, "none"),
        ("lead.score", "score", None, None),
        ("source", "", "web", None),
        ("level", "", {"a": [1]}, None),
    ]
    assert rule.problems() == []


def test_a_stored_rule_posted_unchanged_stays_as_it_is(staff):
    rule = make(
        "Won",
        event_name="LeadWon",
        conditions=[("title", "equals", "3"), ("data.plan", "in", ["a,b", 3])],
        payload={"a": {"constant": "3"}, "b": {"path": "title", "fallback": [1]}},
    )
    client = staff()
    response = client.get(f"{URL}{rule.pk}/change/")
    initial = response.context["adminform"].form.initial
    data = stored_form(rule, seen_version=initial["seen_version"])
    for formset in response.context["inline_admin_formsets"]:
        for n, each in enumerate(formset.formset.initial_forms):
            data |= {
                f"{formset.formset.prefix}-{n}-{name}": value
                for name, value in each.initial.items()
                if value is not None
            }
    assert client.post(f"{URL}{rule.pk}/change/", data).status_code == 302
    assert list(rule.conditions.values_list("value", flat=True)) == ["3", ["a,b", 3]]
    assert list(rule.payload.values_list("constant", "fallback")) == [("3", None), (None, [1])]
    assert EventRule.objects.get().to_values == ["won"]


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "1e400",
        "1" * 5000,
        '{"a": [Infinity]}',
        '"\\u0000"',
        '["\\ud800"]',
        "[" * 40 + "]" * 40,
        "[" * 100_000 + "]" * 100_000,
    ],
)
def test_a_text_that_is_no_json_which_can_be_stored_stands_for_itself(staff, text):
    client = staff()
    response = client.post(
        f"{URL}add/",
        form(
            to_values=[],
            field="title",
            to_values_text=text,
            conditions=[("data.plan", "equals", text), ("data.plan", "in", text)],
            payload=[("a", "", text), ("b", "title", "", text)],
        ),
    )
    assert response.status_code == 302, response.context["errors"]
    rule = EventRule.objects.get()
    constant, fallback = rule.payload.values_list("constant", "fallback")
    assert (constant, fallback) == ((text, None), (None, text))
    assert list(rule.conditions.values_list("value", flat=True)) == [text, [text]]
    assert rule.to_values == [text]
    assert escape(text) in page(client, f"{rule.pk}/change/")


def test_a_nul_that_no_database_stores_is_left_out(staff):
    data = form(to_values=["stage:won\0"], event_name="Lead\0Won", payload=[("a", "", "x\0")])
    response = staff().post(f"{URL}add/", data)
    assert response.status_code == 302, response.context["errors"]
    rule = EventRule.objects.get()
    assert (rule.to_values, rule.event_name) == (["won"], "LeadWon")
    assert rule.payload.get().constant == "x"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"phone_number": "customer.user.password"}, "is not one of the available choices"),
        ({"phone_number": ""}, "Say who gets the message"),
        ({"field": "secret"}, "is not one of the available choices"),
        ({"field": ""}, "Name the field."),
        ({"to_values_text": "nearly"}, "“nearly” is no choice of “stage”"),
        ({"to_values": ["urgent:True"]}, "doesn't watch the field of “True”"),
        ({"conditions": [("delete", "is_set", "")]}, "is not one of the available choices"),
        ({"conditions": [("title", "equals", "")]}, "Give a value"),
        ({"conditions": [("score", "gt", "much")]}, "can't hold “much”"),
        ({"payload": [("a", "title"), ("a", "score")]}, "The payload has “a” twice."),
        ({"payload": [("a", "title"), ("a.b", "score")]}, "which has a value of its own"),
        ({"payload": [("a", "title"), ("A", "score")]}, "“A” and “a” are the same key to some"),
        ({"payload": [("a", "_meta")]}, "is not one of the available choices"),
        ({"payload": [("a", "title", "x")]}, "Give a path or a constant, not both."),
        ({"subscribe_new": "on"}, "this needs “allow new” as well"),
        ({"to_values": ["stage:nonsense"]}, "“nonsense” is no choice of “stage”"),
        ({"payload": [("a", "", "", "")]}, "Choose a path, or give a constant."),
        ({"payload": [("a", "_meta")]}, "_meta is not one of the available choices"),
        ({"payload": [("a", "delete")]}, "delete is not one of the available choices"),
        ({"channel": "nowhere"}, "is not one of the available choices"),
        ({"model": "desk.gone"}, "The project has no model “desk.gone”."),
        ({"model": "desk.shape"}, "the project offers none of its fields"),
        ({"model": ""}, "This field is required"),
    ],
)
def test_what_is_wrong_is_refused_in_words(staff, fields, told):
    rows = {name: fields.pop(name) for name in ("conditions", "payload") if name in fields}
    response = staff().post(f"{URL}add/", form(**rows) | fields)
    assert response.status_code == 200
    assert told in words(response.content.decode())
    assert not EventRule.objects.exists()


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"0-DELETE": "on", "2-key": "a", "2-path": "score"}, {"b": "stage", "a": "score"}),
        ({"0-key": "b", "1-key": "a"}, {"b": "title", "a": "stage"}),
        ({"0-key": "b", "1-DELETE": "on"}, {"b": "title"}),
        (
            {"0-key": "a.x", "2-key": "a.y", "2-path": "score"},
            {"a.x": "title", "b": "stage", "a.y": "score"},
        ),
        ({"0-key": "A"}, {"A": "title", "b": "stage"}),
    ],
)
def test_a_row_of_the_payload_may_take_the_key_that_another_gives_up(staff, changes, kept):
    rule = make("Won", mode="watch", payload={"a": {"path": "title"}, "b": {"path": "stage"}})
    data = stored_form(rule, **{"payload-TOTAL_FORMS": 3})
    data |= {f"payload-{name}": value for name, value in changes.items()}
    response = staff().post(f"{URL}{rule.pk}/change/", data)
    assert response.status_code == 302, response.context["errors"]
    assert dict(rule.payload.values_list("key", "path")) == kept


def test_a_rule_that_a_rename_broke_opens_and_shows_what_it_holds(staff):
    rule = make(phone_number="customer.mobile", field="phase", to_values=["won"])
    html = page(staff(), f"{rule.pk}/change/")
    assert "customer.mobile (not offered)" in html
    assert "phase (not offered)" in html
    assert "Something is wrong with it" in html


def test_a_rule_for_a_model_that_is_gone_opens(staff):
    rule = make(model="desk.gone")
    assert "The project has no model “desk.gone”." in page(staff(), f"{rule.pk}/change/")


def test_created_and_deleted_need_no_field_and_drop_what_was_ticked(staff):
    staff().post(f"{URL}add/", form(trigger="created"))
    rule = EventRule.objects.get()
    assert (rule.field, rule.to_values) == ("", [])


# Consent


def test_to_subscribe_new_people_takes_its_own_permission(staff):
    client = staff(*without("set_subscribe_new"))
    client.post(f"{URL}add/", form(allow_new="on", subscribe_new="on"))
    rule = EventRule.objects.get()
    assert (rule.allow_new, rule.subscribe_new) == (True, False)
    EventRule.objects.update(subscribe_new=True)
    copied = client.get(f"{URL}add/?copy={rule.pk}").context["adminform"].form["subscribe_new"]
    assert (copied.value(), copied.field.disabled) == (False, True)


def test_with_the_permission_it_is_kept(staff):
    staff().post(f"{URL}add/", form(allow_new="on", subscribe_new="on"))
    assert EventRule.objects.get().subscribe_new


# The preview


def preview(client, data, rule=None):
    response = client.post(f"{URL}preview/" + (f"?rule={rule.pk}" if rule else ""), data)
    assert response.status_code == 200
    return response


def won(**options):
    return Lead.objects.create(
        stage="won", customer=CustomerFactory(phone="206-555-0100"), **options
    )


def test_an_unsaved_form_is_tried_on_the_latest_record_that_fits_and_nothing_is_written(staff):
    client = staff()
    lead = won(title="Roof")
    Lead.objects.create(title="Later", customer=lead.customer)
    before = Notification.objects.count()
    response = preview(
        client,
        form(conditions=[("title", "equals", "Roof")], payload=[("lead.title", "title")]),
    )
    text = words(response.content.decode())
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert "would be sent" in text
    assert "The stage is Won at last. holds" in text
    assert "title equals Roof holds Roof" in text
    assert "206-555-0100" in text
    assert '"title": "Roof"' in text
    assert (EventRule.objects.count(), Notification.objects.count()) == (0, before)
    assert not LogEntry.objects.exists()


def test_a_picked_record_is_tried_and_one_that_is_not_there_is_told(staff):
    client, lead = staff(), won()
    other = Lead.objects.create(title="Other", customer=lead.customer)
    assert "not now" in preview(client, form(preview_pk=other.pk)).content.decode()
    assert "There is no Lead “77777”." in preview(client, form(preview_pk="77777")).content.decode()


def test_a_preview_tells_what_to_mend_first(staff):
    text = words(preview(staff(), form(phone_number="")).content.decode())
    assert "Before it can be tried" in text
    assert "Phone number: Say who gets the message" in text


def test_a_preview_of_a_stored_rule_takes_the_form_rather_than_what_is_stored(staff):
    rule, _lead = make("Won", event_name="LeadWon"), won(title="Roof")
    data = stored_form(rule, event_name="LeadWonToday")
    assert "send LeadWonToday to" in words(preview(staff(), data, rule).content.decode())
    rule.refresh_from_db()
    assert (rule.event_name, rule.version) == ("LeadWon", 1)


def test_values_are_hidden_from_those_who_may_not_see_payloads(staff):
    client, _lead = staff(*without("view_payload")), won(urgent=True, title="Roof")
    data = form(conditions=[("customer.name", "is_set", "")], payload=[("a.b", "customer.name")])
    text = words(preview(client, data).content.decode())
    assert "Roof" not in text
    assert "customer.name has a value holds –" in text
    assert '{ "a": { "b": "…" } }' in text
    assert Lead.objects.get().customer.name not in text
    assert "206-555-0100" not in text
    assert "…0100" in text


def test_a_preview_needs_a_post_and_the_permission_to_make_rules(staff):
    client = staff("view_eventrule")
    assert client.post(f"{URL}preview/", form()).status_code == 403
    assert client.get(f"{URL}preview/").status_code == 405


def test_what_code_declares_has_the_same_preview(staff):
    ticket = TicketFactory(status="Success", customer__phone="206-555-0100")
    client = staff()
    path = "declared/?key=desk.Ticket%3ARequestSupportFeedback"
    assert "would be sent" in page(client, path)
    assert "206-555-0100" in page(client, f"{path}&pk={ticket.pk}")
    assert client.get(f"{URL}declared/?key=nothing").status_code == 404


# Modes


def test_the_going_live_page_tells_what_it_would_have_sent_and_to_how_many(staff):
    rule = make(mode="watch")
    same = CustomerFactory(phone="206-555-0100")
    for customer in (same, same, CustomerFactory(), CustomerFactory(phone="")):
        lead = Lead.objects.create(title="Roof", customer=customer)
        lead.stage = "won"
        lead.save()
    text = words(page(staff(), f"{rule.pk}/go-live/"))
    assert "Messages 3 People 2 Without a phone number 1" in text
    assert "4 records are in this state. They get nothing" in text
    assert "The record gave neither a phone number" in text
    rule.refresh_from_db()
    assert rule.mode == "watch"


def test_the_going_live_page_counts_what_the_limits_of_the_rule_would_let_through(staff):
    rule, lead = make(mode="watch", once="record"), Lead.objects.create(customer=CustomerFactory())
    for stage in ("won", "new", "won"):
        lead.stage = stage
        lead.save()
    assert Notification.objects.count() == 2
    assert "Messages 1 People 1" in words(page(staff(), f"{rule.pk}/go-live/"))


def go_live(client, rule, seen=None):
    return client.post(
        f"{URL}{rule.pk}/go-live/", {"seen": seen or rule.version}, follow=True
    ).content.decode()


def test_going_live_takes_its_own_permission_and_a_post(staff):
    rule, client = make(mode="watch"), staff(*without("activate_rule"))
    assert "Go live" not in page(client, f"{rule.pk}/change/")
    for method in (client.get, client.post):
        assert method(f"{URL}{rule.pk}/go-live/", {"seen": 1}).status_code == 403


def test_what_changes_after_going_live_is_sent_and_nothing_before(staff):
    rule = make(mode="watch", name="Cheer")
    won()
    assert "It is live" in go_live(staff(), rule)
    assert not Notification.objects.exists()
    lead = Lead.objects.create(customer=CustomerFactory())
    lead.stage = "won"
    lead.save()
    assert Notification.objects.get().status != Status.SKIPPED
    entry = LogEntry.objects.get()
    assert (entry.user.username, "“watch only” became “live”" in entry.change_message) == (
        "pam",
        True,
    )


def test_a_stale_page_makes_nothing_live(staff):
    rule = make(mode="watch")
    rule.save()
    assert "It has changed since you opened the page." in go_live(staff(), rule, seen=1)
    rule.refresh_from_db()
    assert rule.mode == "watch"


def test_a_rule_with_problems_does_not_go_live(staff):
    rule, client = make(mode="watch", phone_number="customer.mobile"), staff()
    assert "this is mended" in page(client, f"{rule.pk}/go-live/")
    go_live(client, rule)
    rule.refresh_from_db()
    assert rule.mode == "watch"


def test_a_live_rule_is_changed_by_those_only_who_may_make_rules_live_but_stopped_by_more(staff):
    rule, client = make("Won", event_name="LeadWon"), staff(*without("activate_rule"))
    assert "only who may make rules live can change it" in page(client, f"{rule.pk}/change/")
    refused = client.post(f"{URL}{rule.pk}/change/", stored_form(rule, event_name="Other"))
    assert refused.status_code == 403
    client.post(f"{URL}{rule.pk}/watch/", {"seen": rule.version})
    rule.refresh_from_db()
    assert (rule.mode, rule.event_name, rule.edited_by.username) == ("watch", "LeadWon", "pam")
    client.post(f"{URL}{rule.pk}/off/", {"seen": rule.version})
    rule.refresh_from_db()
    assert rule.mode == "off"


def test_no_page_that_is_looked_at_changes_anything(staff):
    rule, client = make(mode="watch"), staff()
    before = EventRule.objects.values().get()
    for path in ("", "add/", f"add/?copy={rule.pk}", "add/?name=a&model=desk.lead"):
        page(client, path)
    for path in ("change/", "go-live/", "history/", "delete/"):
        page(client, f"{rule.pk}/{path}")
    for path in ("watch/", "off/"):
        assert client.get(f"{URL}{rule.pk}/{path}").status_code == 405
    assert EventRule.objects.values().get() == before


def test_every_act_asks_for_the_csrf_token():
    rule = make(mode="watch")
    client = Client(enforce_csrf_checks=True)
    client.force_login(StaffFactory(may=EVERYTHING))
    for path in ("add/", "preview/", *(f"{rule.pk}/{act}/" for act in ("go-live", "watch", "off"))):
        assert client.post(f"{URL}{path}", form(seen=rule.version)).status_code == 403


def test_without_a_permission_the_pages_are_closed_and_with_the_first_they_are_read_only(staff):
    rule = make()
    client = staff("view_notification")
    for path in ("", "add/", f"{rule.pk}/change/", f"{rule.pk}/go-live/", "declared/?key=a"):
        assert client.get(f"{URL}{path}").status_code == 403
    client.force_login(StaffFactory(may=["view_eventrule"]))
    html = page(client, f"{rule.pk}/change/")
    assert "customer.phone" in html
    assert 'type="submit"' not in html.split('id="content-main"')[1]
    assert client.get(f"{URL}add/").status_code == 403


# Duplicates, and two people at once


def test_a_duplicate_begins_with_all_that_the_rule_has(staff):
    rule = make(
        "Won",
        conditions=[("title", "equals", "3")],
        payload={"a": {"constant": "3"}, "b": {"path": "title", "fallback": "x"}},
        cooldown=timedelta(hours=2),
    )
    client = staff()
    response = client.get(f"{URL}add/?copy={rule.pk}")
    data = form(**dict.fromkeys(("cooldown_0",), "2"), cooldown_1="hours")
    data |= {"name": response.context["adminform"].form["name"].value()}
    for each in response.context["inline_admin_formsets"]:
        formset = each.formset
        data[f"{formset.prefix}-TOTAL_FORMS"] = len(formset.forms)
        for n, row in enumerate(formset.forms):
            data |= {f"{formset.prefix}-{n}-{k}": row[k].value() or "" for k in row.initial}
    assert client.post(f"{URL}add/?copy={rule.pk}", data).status_code == 302
    copy = EventRule.objects.exclude(pk=rule.pk).get()
    assert (copy.name, copy.mode, copy.cooldown) == ("Won (copy)", "watch", rule.cooldown)
    assert [row.value for row in copy.conditions.all()] == ["3"]
    assert [(row.key, row.constant, row.fallback) for row in copy.payload.all()] == [
        ("a", "3", None),
        ("b", None, "x"),
    ]


def test_a_form_that_was_opened_before_someone_else_saved_is_refused_and_kept(staff):
    rule, client = make("Won", mode="watch"), staff()
    data = stored_form(rule, event_name="Mine")
    rule.edited_by = StaffFactory(username="quentin")
    rule.save()
    html = client.post(f"{URL}{rule.pk}/change/", data).content.decode()
    assert "quentin saved this rule on" in html
    assert 'value="Mine"' in html
    rule.refresh_from_db()
    assert rule.event_name == "Won"


def test_a_save_between_the_check_and_the_write_is_noticed_too(staff, monkeypatch):
    rule, client = make("Won", mode="watch"), staff()
    checked = EventRuleAdmin.save_form

    def overtaken(self, request, form, change):
        EventRule.objects.update(event_name="Theirs")
        return checked(self, request, form, change)

    monkeypatch.setattr(EventRuleAdmin, "save_form", overtaken)
    data = stored_form(rule, event_name="Mine")
    html = client.post(f"{URL}{rule.pk}/change/", data, follow=True).content.decode()
    assert "Someone else saved the rule “Won” in between" in html
    rule.refresh_from_db()
    assert rule.event_name == "Won"  # theirs was part of the same transaction here


@pytest.mark.parametrize(
    ("path", "overtaken", "lands_on"),
    [
        ("change", "save_form", "change/"),  # the deletion is a part of the same transaction here
        ("change", "save_model", "change/"),
        ("go-live", "give_mode", ""),
        ("off", "refuse_another_version", ""),
    ],
)
def test_a_rule_that_someone_else_deletes_meanwhile_is_told_and_does_not_come_back(
    staff, monkeypatch, path, overtaken, lands_on
):
    rule = make("Won", mode="watch")
    data, original = stored_form(rule, seen=rule.version), getattr(EventRuleAdmin, overtaken)

    def deleted(self, *args, **kwargs):
        EventRule.objects.all().delete()
        return original(self, *args, **kwargs)

    monkeypatch.setattr(EventRuleAdmin, overtaken, deleted)
    response = staff().post(f"{URL}{rule.pk}/{path}/", data, follow=True)
    assert "Someone else deleted the rule “Won” in between." in response.content.decode()
    there = f"{URL}{rule.pk}/{lands_on}" if lands_on else URL
    assert response.redirect_chain[-1][0] == there
    assert EventRule.objects.exists() is bool(lands_on)


def test_two_who_add_a_rule_of_one_name_at_once_are_told(staff, monkeypatch):
    original = EventRuleAdmin.save_model

    def overtaken(self, request, obj, form, change):
        make(obj.name)
        original(self, request, obj, form, change)

    monkeypatch.setattr(EventRuleAdmin, "save_model", overtaken)
    response = staff().post(f"{URL}add/?name=Won&model=desk.lead", form(), follow=True)
    assert "It wasn't saved: its name" in words(response.content.decode())
    assert not EventRule.objects.exists()  # theirs was part of the same transaction here


def test_history_tells_the_sentence_before_and_after(staff):
    rule, client = make("Won", event_name="LeadWon", mode="watch"), staff()
    client.post(f"{URL}{rule.pk}/change/", stored_form(rule, to_values=["stage:lost"]))
    message = LogEntry.objects.get().change_message
    assert message == (
        "“When a Lead's stage changes to Won at last, send LeadWon to customer.phone.” became "
        "“When a Lead's stage changes to Lost, send LeadWon to customer.phone.”"
    )


def test_history_tells_what_a_sentence_leaves_out_before_and_after(staff):
    payload = {"a": {"path": "title"}, "b": {"path": "agent.name", "fallback": "one of us"}}
    rule, client = make("Won", event_name="LeadWon", payload=payload, mode="watch"), staff()
    changes = {
        "payload-0-key": "c",
        "payload-1-path": "customer.name",
        "allow_new": "on",
        "once": "record",
        "cooldown_0": "2",
    }
    client.post(f"{URL}{rule.pk}/change/", stored_form(rule, **changes))
    assert LogEntry.objects.get().get_change_message() == (
        "Allow new: “no” became “yes”. "
        "Once: “nothing” became “once a record”. "
        "Least time between two for a person: “nothing” became “2:00:00”. "
        "Payload “a” was taken out: “title”. "
        "Payload “b”: “agent.name, or else one of us” became “customer.name, or else one of us”. "
        "Payload “c” was added: “title”."
    )


def test_history_makes_up_no_change(staff):
    rule, client = make("Won", event_name="LeadWon", mode="watch"), staff()
    client.post(f"{URL}{rule.pk}/change/", stored_form(rule))
    assert LogEntry.objects.get().get_change_message() == "No fields changed."


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ([("title", "equals", "A big one")], "Once it gets there, this would be sent"),
        ([("title", "equals", "Small")], "isn't in that state. Nothing would be sent for this"),
    ],
)
def test_a_preview_of_a_record_in_another_state_tells_what_else_stops_it(conditions, said, staff):
    Lead.objects.create(customer=CustomerFactory())
    assert said in words(preview(staff(), form(conditions=conditions)).content.decode())


def test_a_rule_is_deleted_and_what_it_recorded_stays(staff):
    rule = make()
    row = NotificationFactory(rule=rule, event_key=rule.key)
    staff().post(f"{URL}{rule.pk}/delete/", {"post": "yes"})
    row.refresh_from_db()
    assert (EventRule.objects.count(), row.rule_id, row.event_key) == (0, None, rule.key)


def test_a_ticket_can_be_watched_as_well(staff):
    staff().post(
        f"{URL}add/", form(model="desk.ticket", field="status", to_values=["status:Success"])
    )
    assert EventRule.objects.get().model_class is Ticket
