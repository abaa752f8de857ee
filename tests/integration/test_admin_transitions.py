"""The changes that the form of a rule shows as seen: counted once each, offered fields only."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chatitive_django.admin.rules import transitions
from chatitive_django.models import Notification
from tests.desk.models import Lead
from tests.factories import CustomerFactory, NotificationFactory, StaffFactory
from tests.integration.test_admin_batches import logged_in
from tests.integration.test_admin_rules import EVERYTHING, URL, page, without, words
from tests.integration.test_rules import make

pytestmark = pytest.mark.django_db

ADD = "add/?name=New&model=desk.lead"


@pytest.fixture
def pam():
    return logged_in(StaffFactory(may=EVERYTHING))


def change(lead, *stages, field="stage"):
    for stage in stages:
        setattr(lead, field, stage)
        lead.save()


@pytest.fixture
def lead():
    return Lead.objects.create(customer=CustomerFactory())


def test_each_change_is_counted_once_however_many_rules_have_seen_it(pam, lead):
    make("Any", to_values=[], field="stage", mode="watch")
    make("Won", mode="watch")
    change(lead, "won", "lost", "won")
    text = words(page(pam, ADD))
    assert "Stage From To How often" in text
    (stage,) = transitions.seen(Lead, whole=True)
    assert sorted(stage.changes) == [
        ("Lost", "Won at last", 1),
        ("New", "Won at last", 1),
        ("Won at last", "Lost", 1),
    ]


def test_the_most_frequent_come_first_and_the_rest_is_counted(lead, monkeypatch):
    make("Any", to_values=[], field="stage", mode="watch")
    monkeypatch.setattr(transitions, "TOLD", 1)
    change(lead, "won", "lost", "won", "lost")
    (stage,) = transitions.seen(Lead, whole=True)
    assert (stage.changes, stage.more) == ([("Won at last", "Lost", 2)], 2)


def test_fields_that_are_not_offered_are_not_shown(lead):
    for field in ("secret", "stage"):
        NotificationFactory(
            source_model="desk.lead",
            why={"transition": "changed", "field": field, "old": "s3cret", "new": "open"},
        )
    assert [each.field for each in transitions.seen(Lead, whole=True)] == ["stage"]


def test_what_was_no_change_or_came_by_hand_is_not_shown(lead):
    why = {"transition": "changed", "field": "stage", "old": "new", "new": "won"}
    for origin in ("manual", "resend", "backfill", "test"):
        NotificationFactory(source_model="desk.lead", why=why, origin=origin)
    NotificationFactory(source_model="desk.lead", why={**why, "transition": "created"})
    NotificationFactory(source_model="desk.ticket", why=why)
    NotificationFactory(source_model="desk.lead", why={})
    assert transitions.seen(Lead, whole=True) == []
    assert words(transitions.SeenTable(list).render("x", None)) == "Nothing yet."


def test_values_are_hidden_from_those_who_may_not_see_payloads_unless_offered_as_choices(lead):
    make("Title", field="title", to_values=[], mode="watch")
    make("Stage", field="stage", to_values=[], mode="watch")
    change(lead, "won")
    change(lead, "A secret roof", "", field="title")
    clerk = logged_in(StaffFactory(may=without("view_payload")))
    html = page(clerk, ADD)
    assert "A secret roof" not in html
    told = {each.field: each.changes for each in transitions.seen(Lead, whole=False)}
    assert told == {"title": [("…", "nothing", 1)], "stage": [("New", "Won at last", 1)]}
    assert "A secret roof" in page(logged_in(StaffFactory(may=EVERYTHING)), ADD)


def test_script_stays_text(pam, lead):
    make("Title", field="title", to_values=[], mode="watch")
    change(lead, "<script>alert('x')</script>", field="title")
    html = page(pam, ADD)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html


def test_values_of_every_kind_are_grouped(lead):
    for field, value in (("data", {"plan": [1]}), ("score", 3), ("urgent", True), ("due", None)):
        NotificationFactory.create_batch(
            2,
            source_model="desk.lead",
            why={"transition": "changed", "field": field, "old": None, "new": value},
        )
    found = {each.field: each.changes for each in transitions.seen(Lead, whole=True)}
    assert found == {
        "score": [("nothing", "3", 2)],
        "urgent": [("nothing", "yes", 2)],
        "due": [("nothing", "nothing", 2)],
    }


def test_it_takes_two_queries_of_the_newest_rows_and_none_when_the_form_is_posted(
    pam, lead, monkeypatch
):
    rule = make("Any", to_values=[], field="stage", mode="watch")
    change(lead, "won")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        transitions.seen(Lead, whole=True)
    assert len(queries) == 2
    monkeypatch.setattr(transitions, "LOOKED_THROUGH", 2)
    newest = Notification.objects.latest("pk").pk
    NotificationFactory(pk=newest + 5)
    assert transitions.seen(Lead, whole=True) == []
    monkeypatch.setattr(transitions, "Notification", None)
    response = pam.post(f"{URL}preview/?rule={rule.pk}", {})
    assert response.status_code == 200


def test_who_may_only_look_at_a_rule_has_no_such_table(lead):
    rule = make(mode="watch")
    viewer = logged_in(StaffFactory(may=["view_eventrule"]))
    assert "Seen lately" not in page(viewer, f"{rule.pk}/change/")
