"""Rules that staff make: one engine with code's events, whatever is wrong with a rule."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from chatitive_django import (
    Added,
    Changed,
    Constant,
    Created,
    Deleted,
    Event,
    If,
    Path,
    Removed,
    capture_changes,
    registry,
    rules,
)
from chatitive_django.models import (
    ChangedMeanwhile,
    EventRule,
    Notification,
    RuleCondition,
    RulePayload,
)
from chatitive_django.payloads import nested
from chatitive_django.resend import NotPossible, resend, version
from chatitive_django.sentences import sentence
from tests.desk.models import (
    Agent,
    Board,
    Clerk,
    Customer,
    Item,
    Lead,
    Order,
    Person,
    Shape,
    Ticket,
    TicketProxy,
)

autocommit = pytest.mark.django_db(transaction=True)
pytestmark = pytest.mark.django_db
Status = Notification.Status


def make(name="Won", *, conditions=(), payload=None, **options):
    """A stored rule: the lead's stage becomes "won", unless told otherwise."""
    options = {
        "model": "desk.lead",
        "trigger": "changed",
        "event_name": name,
        "phone_number": "customer.phone",
        "mode": "live",
    } | options
    if options["trigger"] == "changed" and "field" not in options:
        options |= {"field": "stage", "to_values": ["won"]}
    with transaction.atomic():
        rule = EventRule.objects.create(name=name, **options)
        for path, operator, value in conditions:
            rule.conditions.create(path=path, operator=operator, value=value)
        for key, row in (payload or {}).items():
            rule.payload.create(key=key, **row)
    return rule


@pytest.fixture
def lead():
    customer = Customer.objects.create(name="Kim", phone="206-555-0100")
    return Lead.objects.create(customer=customer, agent=Agent.objects.create(name="Pam"))


def win(lead, **values):
    for name, value in {"stage": "won", **values}.items():
        setattr(lead, name, value)
    lead.save()


def recorded():
    return list(Notification.objects.order_by("id").values_list("event_name", flat=True))


# One engine


def test_a_rule_is_the_same_event_that_code_declares():
    rule = make(
        "Feedback",
        model="desk.ticket",
        field="status",
        from_values=["Open"],
        to_values=["Success"],
        event_name="RequestSupportFeedback",
        channel="default",
        allow_new=True,
        subscribe_new=True,
        ordered=False,
        on_ambiguous="retry",
        expires_after=timedelta(hours=2),
        cooldown=timedelta(days=1),
        once="record",
        on_create=True,
        conditions=[("title", "contains", "fire")],
        payload={
            "ticket.url": {"path": "get_absolute_url"},
            "ticket.status": {"path": "status"},
            "agent": {"path": "agent.name", "fallback": "nobody"},
            "source": {"constant": {"a": [1]}},
        },
    )
    assert rule.as_event() == Event(
        "RequestSupportFeedback",
        when=Changed("status", from_="Open", to="Success", on_create=True),
        phone_number="customer.phone",
        payload={
            "ticket": {"url": Path("get_absolute_url"), "status": Path("status")},
            "agent": Path("agent.name", fallback="nobody"),
            "source": Constant({"a": [1]}),
        },
        allow_new=True,
        subscribe_new=True,
        ordered=False,
        on_ambiguous="retry",
        expires_after=timedelta(hours=2),
        cooldown=timedelta(days=1),
        once="record",
        only_if=If("title", "contains", "fire"),
        key=f"rule:{rule.pk}",
    )


def test_a_rule_that_is_not_stored_yet_is_an_event_with_the_rows_that_are_given():
    rule = EventRule(
        name="New", model="desk.lead", trigger="created", event_name="X", phone_number="title"
    )
    event = rule.as_event(
        conditions=[RuleCondition(rule=rule, path="score", operator="gt", value="1.5")],
        payload=[RulePayload(rule=rule, key="a.b", path="title")],
    )
    assert event.payload == {"a": {"b": Path("title")}}
    assert event.conditions[0].value == 1.5
    assert (event.mode, event.triggers) == ("watch", (Created(),))
    assert not EventRule.objects.exists()


def test_a_rule_works_on_a_model_for_which_no_code_declares_anything(lead):
    rule = make(
        payload={
            "lead.url": {"path": "get_absolute_url"},
            "lead.agent": {"path": "agent.name"},
            "by": {"constant": "rule"},
        }
    )
    win(lead)
    row = Notification.objects.get()
    assert row.payload == {
        "lead": {
            "url": f"https://support.yourcompany.com/leads/{lead.pk}",
            "agent": "Pam",
        },
        "by": "rule",
    }
    assert (row.status, row.phone_number) == (Status.PENDING, "206-555-0100")
    assert (row.rule, row.event_key) == (rule, f"rule:{rule.pk}")
    assert row.why == {
        "transition": "changed",
        "field": "stage",
        "old": "new",
        "new": "won",
        "conditions": [],
    }


def test_a_rule_stands_beside_the_events_of_code():
    make("Solved", model="desk.ticket", field="status", to_values=["Success"])
    ticket = Ticket.objects.create(customer=Customer.objects.create(name="Kim", phone="206"))
    ticket.status = "Success"
    ticket.save()
    assert recorded() == ["RequestSupportFeedback", "Solved"]
    assert [row.rule_id is None for row in Notification.objects.order_by("id")] == [True, False]


@pytest.mark.parametrize(
    ("options", "act"),
    [
        ({"trigger": "created"}, lambda lead: Lead.objects.create(customer=lead.customer)),
        ({"trigger": "deleted"}, lambda lead: lead.delete()),
        ({"trigger": "deleted"}, lambda lead: Lead.objects.all().delete()),
        ({"trigger": "added", "field": "tags"}, lambda lead: lead.tags.create(name="hot")),
        (
            {"trigger": "added", "field": "tags"},
            lambda lead: lead.tags.model.objects.create(name="hot").leads.add(lead),
        ),
        ({"field": "title"}, lambda lead: win(lead, title="Other")),
        ({"field": "agent"}, lambda lead: win(lead, agent=None)),
        ({"field": "agent_id", "to_values": [None]}, lambda lead: lead.agent.delete()),
        ({"field": "score", "to_values": ["1.5"]}, lambda lead: win(lead, score=1.5)),
        ({"field": "due", "to_values": ["2026-01-02"]}, lambda lead: win(lead, due="2026-01-02")),
        ({"field": "urgent", "to_values": [True]}, lambda lead: win(lead, urgent=1)),
        (
            {"field": "stage", "from_values": ["lost", "new"], "to_values": ["won", "lost"]},
            win,
        ),
        (
            {"field": "stage", "to_values": ["won"], "on_create": True},
            lambda lead: Lead.objects.create(customer=lead.customer, stage="won"),
        ),
    ],
)
def test_every_trigger_fires(lead, options, act):
    make("Fired", **options)
    act(lead)
    assert recorded() == ["Fired"]


def test_a_relation_that_loses_records_fires(lead):
    make("Lost", trigger="removed", field="tags")
    lead.tags.create(name="hot")
    lead.tags.create(name="cold")
    assert recorded() == []
    lead.tags.clear()
    assert recorded() == ["Lost"]


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ({}, {"stage": "lost"}),
        ({}, {"stage": "new", "title": "Other"}),
        ({"from_values": ["lost"], "field": "stage", "to_values": ["won"]}, {}),
        ({"mode": "off"}, {}),
        ({"model": "desk.ticket", "field": "status"}, {}),
        ({"conditions": [("customer.name", "equals", "Pam")]}, {}),
    ],
)
def test_anything_else_records_nothing(lead, options, values):
    make(**options)
    win(lead, **values)
    assert recorded() == []


def test_deleting_what_a_key_points_to_costs_nothing_where_no_rule_watches_the_key(lead):
    make()
    agent = lead.agent
    with CaptureQueriesContext(connection) as queries:
        agent.delete()
    assert not [each for each in queries if "FROM" in each["sql"] and "desk_lead" in each["sql"]]


@pytest.mark.parametrize(
    ("path", "operator", "value", "holds"),
    [
        ("score", "equals", "7.50", True),
        ("score", "gt", 7, True),
        ("score", "lt", "7.4", False),
        ("score", "in", ["1", "7.5"], True),
        ("due", "gte", "2026-01-02", True),
        ("due", "lt", "2026-01-02", False),
        ("urgent", "equals", False, True),
        ("data.plan", "equals", "gold", True),
        ("customer.name", "starts_with", "K", True),
        ("agent.name", "is_set", None, True),
        ("agent.name", "is_empty", None, False),
    ],
)
def test_a_condition_compares_with_the_value_as_the_field_holds_it(
    lead, path, operator, value, holds
):
    make(conditions=[(path, operator, value)])
    win(lead, score="7.5", due=date(2026, 1, 2), data={"plan": "gold"})
    assert recorded() == ["Won"] * holds


def test_a_rule_that_watches_only_is_recorded_as_skipped(lead):
    make(mode="watch")
    win(lead)
    row = Notification.objects.get()
    assert (row.status, row.reason) == (Status.SKIPPED, "watch_only")


def test_once_and_cooldown_hold_a_rule_back(lead):
    make("Once", once="record")
    make("Seldom", cooldown=timedelta(hours=1))
    for stage in ("won", "new", "won"):
        win(lead, stage=stage)
    assert list(Notification.objects.order_by("id").values_list("event_name", "reason")) == [
        ("Once", ""),
        ("Seldom", ""),
        ("Once", "once_per_record"),
        ("Seldom", "cooldown"),
    ]


def test_what_the_limits_of_a_rule_would_hold_back_is_told_while_it_only_watches(lead):
    rule = make("Once", once="record", mode="watch")
    make("Seldom", cooldown=timedelta(hours=1), mode="watch")
    for stage in ("won", "new", "won"):
        win(lead, stage=stage)
    assert list(Notification.objects.order_by("id").values_list("event_name", "reason")) == [
        ("Once", "watch_only"),
        ("Seldom", "watch_only"),
        ("Once", "watch_held_back"),
        ("Seldom", "watch_held_back"),
    ]
    rule.mode = "live"
    rule.save()
    win(lead, stage="new")
    win(lead)
    assert Notification.objects.get(status=Status.PENDING).event_name == "Once"


def test_a_parents_rule_fires_for_its_children_and_a_proxys_for_the_rows_themselves():
    make("Named", model="desk.person", field="nickname", phone_number="phone", to_values=[])
    make("Proxied", model="desk.ticketproxy", field="status", to_values=["Failed"])
    clerk = Clerk.objects.create(nickname="A")
    clerk.nickname = "B"
    clerk.save()
    ticket = Ticket.objects.create(customer=Customer.objects.create(name="Kim", phone="206"))
    for cls, status in ((Ticket, "Failed"), (Ticket, "Open"), (TicketProxy, "Failed")):
        found = cls.objects.get(pk=ticket.pk)
        found.status = status
        found.save()
    rows = Notification.objects.exclude(rule=None).order_by("id")
    assert list(rows.values_list("event_name", "source_model")) == [
        ("Named", "desk.person"),
        ("Proxied", "desk.ticket"),
        ("Proxied", "desk.ticket"),
    ]


def test_a_childs_rule_is_not_its_parents():
    make("Moved", model="desk.clerk", field="nickname", phone_number="phone", to_values=[])
    person = Person.objects.create(nickname="A")
    person.nickname = "B"
    person.save()
    clerk = Clerk.objects.create(nickname="A")
    clerk.nickname = "B"
    clerk.save()
    rows = Notification.objects.exclude(rule=None)
    assert list(rows.values_list("source_model", flat=True)) == ["desk.clerk"]


def test_bulk_writes_emit_the_events_of_rules(lead):
    make("Noted", model="desk.item", field="note", to_values=["x"], phone_number="owner.phone")
    make()
    item = Item.objects.create(code="a", owner=lead.customer)
    Item.objects.update(note="x")
    with capture_changes(Lead.objects.all()):
        Lead.objects.update(stage="won")
    rows = Notification.objects.exclude(rule=None).order_by("id")
    assert [(row.event_name, row.source_id) for row in rows] == [
        ("Noted", str(item.pk)),
        ("Won", str(lead.pk)),
    ]


def test_the_log_outlives_the_rule(lead):
    rule = make()
    key = rule.key
    win(lead)
    rule.delete()
    row = Notification.objects.get()
    assert (row.rule, row.event_key, row.status) == (None, key, Status.PENDING)
    win(lead, stage="new")
    win(lead)
    assert recorded() == ["Won"]


# What is wrong with a rule


def faults(row):
    with pytest.raises(ValidationError) as error:
        row.full_clean()
    return error.value.message_dict


@pytest.mark.parametrize(
    ("options", "field", "told"),
    [
        (
            {"phone_number": "customer.user.password"},
            "phone_number",
            "Rules can't read “customer.user.password” of Lead.",
        ),
        ({"phone_number": "delete"}, "phone_number", "Rules can't read “delete” of Lead."),
        ({"phone_number": "_meta"}, "phone_number", "Rules can't read “_meta” of Lead."),
        ({"phone_number": "secret"}, "phone_number", "Rules can't read “secret” of Lead."),
        (
            {"subscriber_sid": "customer.phnoe"},
            "subscriber_sid",
            "Did you mean “customer.phone”?",
        ),
        ({"phone_number": ""}, "phone_number", "Say who gets the message"),
        ({"to_values": ["Won"]}, "to_values", "“Won” is no choice of “stage”. Did you mean “won”?"),
        ({"from_values": ["old"]}, "from_values", "“old” is no choice of “stage”."),
        ({"to_values": "won"}, "to_values", "Give a list of values"),
        ({"to_values": [None]}, "to_values", "“stage” is never without a value."),
        (
            {"from_values": ["won"], "to_values": ["won"]},
            "to_values",
            "no change goes from a value to the same value",
        ),
        (
            {"field": "score", "to_values": ["many"]},
            "to_values",
            "“score” can't hold “many”.",
        ),
        ({"subscribe_new": True}, "subscribe_new", "this needs “allow new” as well"),
        ({"model": "desk.gone"}, "model", "The project has no model “desk.gone”."),
        ({"model": "nonsense"}, "model", "The project has no model “nonsense”."),
        ({"model": "desk.tag"}, "model", "Rules can't be made for Tag"),
        ({"field": "stgae"}, "field", "Rules can't watch “stgae” of Lead. Did you mean “stage”?"),
        ({"field": "secret"}, "field", "Rules can't watch “secret” of Lead."),
        ({"field": "data"}, "field", "Rules can't watch “data” of Lead."),
        ({"field": "id"}, "field", "Rules can't watch “id” of Lead."),
        ({"field": "get_absolute_url"}, "field", "Rules can't watch “get_absolute_url” of Lead."),
        ({"field": ""}, "field", "Name the field. Choose one of: title, stage, "),
        ({"field": "tags"}, "field", "“tags” holds several records"),
        ({"trigger": "added", "field": "stage"}, "field", "“stage” holds one value"),
        ({"trigger": "added", "field": "x"}, "field", "Choose one of: tags."),
        ({"trigger": "flown"}, "trigger", "Value 'flown' is not a valid choice."),
        ({"channel": "sales"}, "channel", "The project has no channel “sales”."),
        ({"event_name": " Won"}, "event_name", "begins or ends with blanks"),
        ({"event_name": ""}, "event_name", "This field cannot be blank."),
        ({"cooldown": timedelta(0)}, "cooldown", "longer than nothing"),
        ({"cooldown": timedelta(days=36526)}, "cooldown", "at most 36525 days"),
        ({"expires_after": timedelta(days=999_999_999)}, "expires_after", "at most 36525 days"),
        ({"mode": "on"}, "mode", "Value 'on' is not a valid choice."),
        ({"once": "week"}, "once", "Value 'week' is not a valid choice."),
    ],
)
def test_a_rule_is_refused_with_a_sentence(options, field, told):
    values = {
        "name": "Won",
        "model": "desk.lead",
        "trigger": "changed",
        "field": "stage",
        "to_values": ["won"],
        "event_name": "Won",
        "phone_number": "customer.phone",
    }
    EventRule(**values).full_clean()
    texts = faults(EventRule(**values | options))
    assert list(texts) == [field]
    assert told in " ".join(texts[field])


@pytest.mark.parametrize(
    ("row", "field", "told"),
    [
        ({"path": "secret", "operator": "equals", "value": 1}, "path", "can't read “secret”"),
        ({"path": "title", "operator": "like", "value": 1}, "operator", "not a valid choice"),
        ({"path": "score", "operator": "gt", "value": "x"}, "value", "“score” can't hold “x”."),
        ({"path": "stage", "operator": "in", "value": "won"}, "value", "Give a list"),
        ({"path": "stage", "operator": "in", "value": []}, "value", "Give a list"),
        ({"path": "title", "operator": "contains"}, "value", "Give a value"),
        ({"path": "score", "operator": "gt"}, "value", "Give a value"),
        ({"path": "stage", "operator": "in", "value": ["wno"]}, "value", "Did you mean “won”?"),
        ({"path": "", "operator": "is_set"}, "path", "blank"),
    ],
)
def test_a_condition_is_refused_with_a_sentence(row, field, told):
    texts = faults(RuleCondition(rule=make(), **row))
    assert told in " ".join(texts[field])


@pytest.mark.parametrize(
    ("row", "field", "told"),
    [
        ({"key": "x", "path": "customer.user.password"}, "path", "Rules can't read"),
        ({"key": "x", "path": "title", "constant": 1}, "constant", "a path or a constant"),
        ({"key": "x..y", "constant": 1}, "key", "names with dots"),
        ({"key": "ticket.url", "constant": 1}, "__all__", "The payload has this key already."),
        ({"key": "ticket", "constant": 1}, "key", "“ticket.url” can't be in “ticket”"),
        ({"key": "x"}, "path", "Choose a path, or give a constant."),
        ({"key": "ticket.url.host", "constant": 1}, "key", "can't be in “ticket.url”"),
    ],
)
def test_a_payload_row_is_refused_with_a_sentence(row, field, told):
    rule = make(payload={"ticket.url": {"path": "get_absolute_url"}})
    texts = faults(RulePayload(rule=rule, **row))
    assert told in " ".join(texts[field])
    RulePayload(rule=rule, key="ticket.title", path="title").full_clean()
    rule.payload.get().full_clean()


def test_two_keys_of_one_payload_that_clash_make_no_event():
    for keys in (["a", "a.b"], ["a.b", "a"], ["a.b", "a.b.c"]):
        with pytest.raises(ValueError, match="nests"):
            nested(dict.fromkeys(keys, 1))
    assert nested({"a.b": 1, "a.c.d": 2, "e": 3}) == {"a": {"b": 1, "c": {"d": 2}}, "e": 3}


def test_a_path_that_is_offered_and_leads_to_no_value_is_refused(monkeypatch):
    monkeypatch.setattr(Lead, "chatitive_fields", ["stage", "customer", "agent.nmae", "tags"])
    rule = make(
        phone_number="customer", payload={"x": {"path": "agent.nmae"}, "y": {"path": "tags"}}
    )
    assert rule.problems() == [
        "phone number: “customer”: that is a Customer, no JSON value: name one of its fields.",
        "payload “x”: path: “agent.nmae”: Agent has no 'nmae'. Did you mean 'name'?",
        (
            "payload “y”: path: “tags”: 'tags' leads to several records: "
            "name what you want, as in 'tags.count'."
        ),
    ]


def test_the_problems_of_a_rule_are_those_of_all_its_rows():
    rule = make(
        to_values=["Won"],
        field="stage",
        conditions=[("secret", "equals", 1)],
        payload={"a": {"constant": 1}, "a.b": {"path": "delete"}},
    )
    assert [text.partition(". ")[0] for text in rule.problems()] == [
        "to: “Won” is no choice of “stage”",
        "condition on “secret”: path: Rules can't read “secret” of Lead",
        "payload “a.b”: path: Rules can't read “delete” of Lead",
        "“a.b” can't be in “a”, which has a value of its own.",
    ]
    assert make("Good").problems() == []


def test_a_rule_whose_paths_were_renamed_is_recorded_as_invalid_with_the_reason(lead):
    rule = make(phone_number="customer.phnoe")
    EventRule.objects.create(
        name="Title",
        model="desk.lead",
        trigger="changed",
        field="stage",
        event_name="Titled",
        phone_number="customer.phone",
        mode="live",
    ).payload.create(key="x", path="name")
    win(lead)
    first, second = Notification.objects.order_by("id")
    for row in (first, second):
        assert (row.status, row.reason) == (Status.INVALID, "bad_declaration")
    assert first.explanation == (
        "rule 'Won': Rules can't read “customer.phnoe” of Lead. Did you mean “customer.phone”?"
    )
    assert "Rules can't read “name” of Lead." in second.explanation
    assert (first.rule, second.event_name) == (rule, "Titled")
    assert "customer.phnoe" in rule.problems()[0]
    win(lead, title="Other")
    assert Notification.objects.count() == 2


def test_an_invalid_row_is_built_anew_once_its_rule_is_mended(lead):
    rule = make(phone_number="customer.mobile")
    win(lead)
    row = Notification.objects.get()
    with pytest.raises(NotPossible, match=r"customer\.mobile"):
        resend(row, seen=version(row), user_id=None)
    rule.phone_number = "customer.phone"
    rule.save()
    again = resend(row, seen=version(row), user_id=None)
    assert (again.rule, again.phone_number, again.status) == (rule, "206-555-0100", Status.PENDING)


def test_conditions_still_choose_among_the_records_of_a_broken_rule(lead):
    make("Mine", phone_number="x", conditions=[("title", "equals", "A big one")])
    make("Not mine", phone_number="x", conditions=[("title", "equals", "Other")])
    make("Who knows", conditions=[("titel", "equals", "Other")])
    make("No operator", conditions=[("title", "is like", "Other")])
    win(lead)
    rows = Notification.objects.order_by("id")
    assert [(row.event_name, row.status) for row in rows] == [
        ("Mine", Status.INVALID),
        ("Who knows", Status.INVALID),
        ("No operator", Status.INVALID),
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"field": "state", "to_values": ["won"]},
        {"field": "secret"},
        {"model": "desk.gone"},
        {"model": "nonsense"},
        {"model": "desk.tag"},
        {"trigger": "flown", "field": "stage"},
        {"trigger": "added", "field": "tgas"},
        {"field": "stage", "to_values": {"a": 1}},
        {"field": "stage", "to_values": "won"},
        {"field": "score", "to_values": [["a"], {}]},
        {"event_name": ""},
    ],
)
def test_a_rule_whose_transition_is_gone_breaks_no_save_and_is_a_problem(lead, options):
    rule = make("Gone", **options)
    make("Good")
    win(lead, secret="other")
    lead.tags.create(name="x")
    lead.delete()
    assert set(recorded()) - {"Gone"} == {"Good"}
    assert rule.problems()


def test_a_value_at_which_a_projects_own_field_fails_breaks_no_save(lead, monkeypatch):
    rule = make("Gone", field="stage", to_values=["renamed"])
    known = {stage: stage for stage in Lead.Stage.values}
    monkeypatch.setattr(Lead._meta.get_field("stage"), "to_python", known.__getitem__)
    win(lead)
    assert recorded() == []
    assert rule.problems() == ["to: “stage” can't hold “renamed”."]


def test_what_the_project_offers_no_more_is_not_read(lead, monkeypatch):
    make("Stage")
    make("Agent", payload={"agent": {"path": "agent.name"}})
    make("Title", field="title", to_values=[])
    monkeypatch.setattr(Lead, "chatitive_fields", ["stage", "customer.phone"])
    registry.forget_plans()
    win(lead, title="Other")
    rows = dict(Notification.objects.values_list("event_name", "status"))
    assert rows == {"Stage": Status.PENDING, "Agent": Status.INVALID}


def test_a_removed_model_takes_nothing_along():
    rule = make(model="desk.gone", conditions=[("x", "equals", 1)], payload={"a": {"path": "b"}})
    assert rule.problems() == ["model: The project has no model “desk.gone”."]
    assert rule.sentence() == "Won"


# Sentences


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"trigger": "created"}, "When a Lead is created, send Won to customer.phone."),
        ({"trigger": "deleted"}, "When a Lead is deleted, send Won to customer.phone."),
        (
            {"trigger": "added", "field": "tags"},
            "When a Lead's tags gain one, send Won to customer.phone.",
        ),
        (
            {"trigger": "removed", "field": "tags"},
            "When a Lead's tags lose one, send Won to customer.phone.",
        ),
        ({"field": "title"}, "When a Lead's title changes, send Won to customer.phone."),
        (
            {"field": "stage", "from_values": ["new"]},
            "When a Lead's stage changes from New, send Won to customer.phone.",
        ),
        (
            {"field": "stage", "from_values": ["new"], "to_values": ["won", "lost"]},
            (
                "When a Lead's stage changes from New to Won at last or Lost, send Won to "
                "customer.phone."
            ),
        ),
        (
            {"field": "stage", "to_values": ["won"], "on_create": True},
            (
                "When a Lead's stage changes to Won at last or it is created so, send Won to "
                "customer.phone."
            ),
        ),
        (
            {"field": "agent_id", "to_values": [None]},
            "When a Lead's agent changes to nothing, send Won to customer.phone.",
        ),
        (
            {"field": "urgent", "to_values": [True]},
            "When a Lead's urgent changes to yes, send Won to customer.phone.",
        ),
        (
            {"model": "desk.order", "trigger": "created", "subscriber_sid": "number"},
            "When an Order is created, send Won to number or else customer.phone.",
        ),
        (
            {
                "trigger": "created",
                "conditions": [
                    ("data.plan", "equals", "gold"),
                    ("stage", "in", ["new", "lost"]),
                    ("agent.name", "is_set", None),
                ],
            },
            (
                "When a Lead is created, send Won to customer.phone, if data.plan equals gold and "
                "stage is one of New or Lost and agent.name has a value."
            ),
        ),
    ],
)
def test_a_rule_reads_as_a_sentence(options, told):
    assert make(**options).sentence() == told


def test_what_code_declares_reads_as_a_sentence_too():
    [event] = Ticket.chatitive_events
    assert sentence(event, Ticket) == (
        "When a Ticket's status changes to Success, send RequestSupportFeedback to customer.phone."
    )
    event = Event(
        "Told",
        when=[Added("tags"), Removed("tags"), Deleted(), Changed("phone", to="")],
        phone_number=lambda board: "206-555-0100",
        condition=lambda board: True,
    )
    assert sentence(event, Board) == (
        "When a Board's tags gain one, a Board's tags lose one, a Board is deleted or "
        "a Board's phone changes to nothing, send Told to whom the project's code names, "
        "if its condition in code holds."
    )
    event = Event("Told", when=Created(), phone_number=Constant("206-555-0100"))
    assert sentence(event, Board) == "When a Board is created, send Told to a fixed number."


# In force


def test_a_project_without_rules_pays_no_query(lead, django_assert_num_queries):
    with django_assert_num_queries(1):
        win(lead)


def test_a_model_that_offers_nothing_pays_no_query_for_the_rules_of_others(
    lead, django_assert_num_queries
):
    make()
    with django_assert_num_queries(1):
        lead.customer.save()
    with django_assert_num_queries(1):
        Shape.objects.create()


@autocommit
def test_a_project_whose_rules_are_all_gone_pays_no_query(lead, django_assert_num_queries):
    make()
    win(lead)
    EventRule.objects.all().delete()
    win(lead, stage="new")
    with django_assert_num_queries(1):
        win(lead)
    assert recorded() == ["Won"]


@autocommit
def test_each_change_of_a_rule_is_in_force_at_the_next_save_of_a_test(lead):
    def changes(**values):
        before = Notification.objects.count()
        win(lead, stage="new")
        win(lead, **values)
        return Notification.objects.count() - before

    rule = make()
    assert changes() == 1
    EventRule.objects.update(mode="off")
    assert changes() == 0
    EventRule.objects.update(mode="live")
    assert changes() == 1
    condition = rule.conditions.create(path="title", operator="equals", value="Other")
    assert changes() == 0
    RuleCondition.objects.update(value="A big one")
    assert changes() == 1
    condition.value = "Other"
    condition.save()
    assert changes() == 0
    condition.delete()
    assert changes() == 1
    RulePayload.objects.bulk_create([RulePayload(rule=rule, key="x", constant=5)])
    assert changes() == 1
    assert Notification.objects.last().payload == {"x": 5}
    rule.delete()
    assert changes() == 0


def test_a_transaction_reads_the_rules_that_it_wrote_and_a_savepoint_takes_them_back(lead):
    with transaction.atomic():
        make()
        win(lead)
    assert recorded() == ["Won"]
    win(lead, stage="new")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        make("Never")
        win(lead)
        assert recorded() == ["Won", "Won", "Never"]
        _ = 1 / 0
    win(lead, stage="new")
    win(lead)
    assert recorded() == ["Won", "Won"]


@autocommit
def test_a_rule_that_is_not_committed_is_in_force_for_nobody_else(lead):
    if connection.vendor == "sqlite":
        pytest.skip("on SQLite nobody else can write meanwhile")
    other = Lead.objects.create(customer=lead.customer)

    def elsewhere():
        try:
            win(Lead.objects.get(pk=other.pk))
        finally:
            connection.close()

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        make()
        win(lead)
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        _ = 1 / 0
    win(Lead.objects.get(pk=lead.pk))
    assert recorded() == []
    assert Lead.objects.filter(stage="won").count() == 2


@autocommit
def test_a_rule_that_a_fixture_restores_is_in_force_again(lead, monkeypatch, tmp_path):
    rule, fixture = make(), str(tmp_path / "rules.json")
    call_command("dumpdata", "chatitive_django.eventrule", output=fixture, verbosity=0)
    monkeypatch.setattr(rules, "in_test_environment", lambda: False)
    rule.mode = "off"
    rule.save()
    win(lead)
    assert recorded() == []
    call_command("loaddata", fixture, verbosity=0)
    assert EventRule.objects.get().version == rule.version
    win(lead, stage="new")
    win(lead)
    assert recorded() == ["Won"]


def test_a_missing_table_means_no_rules_and_breaks_no_transaction(lead, monkeypatch, caplog):
    make()
    monkeypatch.setattr(EventRule._meta, "db_table", "chatitive_rules_of_tomorrow")
    with transaction.atomic():
        win(lead)
        assert Lead.objects.get().stage == "won"
    assert recorded() == []
    assert caplog.records == []


@autocommit
@pytest.mark.parametrize("in_transaction", [True, False])
def test_rules_that_cannot_be_read_stay_in_force_as_they_were(
    lead, monkeypatch, caplog, in_transaction
):
    make()
    win(lead)
    win(lead, stage="new")
    monkeypatch.setattr(EventRule._meta.get_field("version"), "column", "no_such_column")
    if in_transaction:
        with transaction.atomic():
            win(lead)
    else:
        win(lead)
    assert Lead.objects.get().stage == "won"
    assert recorded() == ["Won", "Won"]
    assert {record.levelname for record in caplog.records} == {"ERROR"}
    assert "those read before stay in force" in caplog.text


def test_a_rule_that_comes_into_force_between_two_tables_of_a_save_breaks_nothing(
    declare, monkeypatch
):
    declare(Person)
    declare(Clerk)
    clerk = Clerk.objects.create(nickname="A")
    field = Person._meta.get_field("nickname")
    original = field.pre_save

    def pre_save(instance, add):
        if not EventRule.objects.exists():
            make("Named", model="desk.person", field="nickname", to_values=[], phone_number="phone")
        return original(instance, add)

    monkeypatch.setattr(field, "pre_save", pre_save)
    for nickname in ("B", "C"):
        clerk.nickname = nickname
        clerk.save()
        assert Clerk.objects.get().nickname == nickname
    assert recorded() == ["Named"]


# Versions


def test_whoever_saves_a_rule_that_was_saved_in_between_is_told():
    mine = make()
    theirs = EventRule.objects.get(pk=mine.pk)
    theirs.event_name = "Theirs"
    theirs.save()
    mine.event_name = "Mine"
    with pytest.raises(ChangedMeanwhile, match="Someone else saved the rule “Won” in between"):
        mine.save()
    mine.refresh_from_db()
    assert (mine.event_name, mine.version) == ("Theirs", 2)
    mine.save(update_fields=["event_name"])
    assert EventRule.objects.get().version == 3


@pytest.mark.parametrize("options", [{}, {"update_fields": ["event_name"]}])
def test_a_rule_that_was_deleted_in_between_does_not_come_back(options):
    mine = make(conditions=[("title", "equals", "Roof")])
    EventRule.objects.all().delete()
    with pytest.raises(ChangedMeanwhile, match="Someone else deleted the rule “Won” in between"):
        mine.save(**options)
    assert not EventRule.objects.exists()


def test_a_row_of_a_rule_is_a_part_of_its_version():
    rule = make()
    stale = EventRule.objects.get(pk=rule.pk)
    row = rule.payload.create(key="x", constant=1)
    row.constant = 2
    row.save()
    row.delete()
    assert rule.version == EventRule.objects.get(pk=rule.pk).version == 4
    rule.save()
    with pytest.raises(ChangedMeanwhile):
        stale.save()


def test_a_rule_that_could_not_be_saved_keeps_its_version():
    rule, other = make("A"), make("B")
    rule.name = other.name
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"), transaction.atomic():
        rule.save()
    rule.name = "C"
    rule.save()
    assert EventRule.objects.get(name="C").version == 2


def test_the_plan_knows_a_rule_by_its_key():
    rule = make()
    assert rules.declared_by_key("desk.lead", f"rule:{rule.pk}").rule_id == rule.pk
    assert rules.declared_by_key("desk.lead", "rule:0") is None
    assert rules.declared_by_key("desk.order", "desk.Order:OrderShipped").rule_id is None
    assert Order.chatitive_fields


def test_the_permissions_of_rules_are_there():
    names = {code for code, _ in EventRule._meta.permissions}
    assert names == {"activate_rule", "set_subscribe_new"}
    assert set(EventRule._meta.default_permissions) == {"add", "change", "delete", "view"}
