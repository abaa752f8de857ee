"""Whatever goes wrong while an event is built: the write stands, and the log says what happened."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from chatitive_django import Changed, Constant, Event, If, InvalidEvent, Path, notify
from chatitive_django.models import Notification
from chatitive_django.signals import transitioned
from chatitive_django.testing import assert_nothing_notified, assert_notified, deliver, sent
from tests.desk.models import Shape

pytestmark = pytest.mark.django_db
Status = Notification.Status


def lists(levels):
    """So many lists within each other."""
    return [lists(levels - 1)] if levels > 1 else []


@pytest.fixture
def fire(declare):
    """Declare an event with the given options, make its transition, and give its log row."""

    def fire(shape=None, **options):
        options.setdefault("phone_number", "phone")
        declare(Shape, Event("Fired", when=Changed("state", to="done"), **options))
        shape = shape or Shape.objects.create()
        shape.state = "done"
        shape.save()
        assert Shape.objects.get(pk=shape.pk).state == "done"
        return Notification.objects.get()

    return fire


def test_a_payload_is_paths_constants_callables_and_nestings_of_them(fire):
    shape = Shape.objects.create(data={"size": {"w": 3}}, parent=Shape.objects.create())
    row = fire(
        shape,
        payload={
            "path": "parent.state",
            "method": "get_state",
            "key": "data.size.w",
            "missing key": "data.size.h",
            "none": "parent.parent.state",
            "fallback": Path("parent.parent.state", fallback="nobody"),
            "constant": Constant("parent.state"),
            "callable": lambda shape: shape.pk * 2,
            "nested": {"list": ["state", Constant(2), {"deep": "state"}]},
        },
    )
    assert row.payload == {
        "path": "new",
        "method": "done!",
        "key": 3,
        "missing key": None,
        "none": None,
        "fallback": "nobody",
        "constant": "parent.state",
        "callable": shape.pk * 2,
        "nested": {"list": ["done", 2, {"deep": "done"}]},
    }


def test_values_are_json_as_djangos_encoder_writes_it(fire):
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    row = fire(
        payload={
            "decimal": Constant(Decimal("1.50")),
            "uuid": Constant(uuid.UUID(int=1)),
            "moment": Constant(moment),
            "emoji": Constant("☎ 📱"),
        }
    )
    assert row.payload == {
        "decimal": "1.50",
        "uuid": "00000000-0000-0000-0000-000000000001",
        "moment": "2026-01-02T03:04:05Z",
        "emoji": "☎ 📱",
    }


@pytest.mark.parametrize(
    ("options", "reason", "told"),
    [
        (
            {"payload": {"agent_name": "parent.nmae"}, "parented": True},
            "bad_path",
            "payload \"agent_name\" reads 'parent.nmae', and Shape has no 'nmae'.",
        ),
        (
            {"payload": {"x": "stat"}},
            "bad_path",
            "payload \"x\" reads 'stat', and Shape has no 'stat'. Did you mean 'state'?",
        ),
        ({"payload": {"x": "_state.db"}}, "bad_path", "private"),
        ({"payload": {"x": "delete"}}, "bad_path", "'delete' changes data"),
        ({"payload": {"x": "fails"}}, "raised", 'payload "x" raised RuntimeError.'),
        ({"payload": {"x": "queries_badly"}}, "database", "Error"),
        ({"payload": {"x": "itself"}}, "not_json", 'payload "x" is of type Shape'),
        ({"payload": {"x": Constant(float("nan"))}}, "not_json", "type float"),
        ({"payload": {"x": Constant("a\0b")}}, "not_json", "NUL"),
        ({"payload": {"x": Constant("\ud800")}}, "not_json", "type str"),
        ({"payload": {"x": [{"y": Constant({1, 2})}]}}, "not_json", 'payload "x"[0].y'),
        ({"payload": {"x": Constant(10**5000)}}, "not_json", "type int"),
        ({"payload": {"x": Constant(lists(26))}}, "not_json", 'payload "x" nests deeper than 25'),
        ({"payload": {"x": [Constant(lists(24))]}}, "not_json", "payload nests deeper than 25"),
        ({"payload": {"a\0b": Constant(1)}}, "not_json", "a key of payload holds a NUL"),
        (
            {"payload": {"x": {"\ud800": Constant(1)}}},
            "not_json",
            "a key of payload is of type str",
        ),
        ({"payload": {5: Constant(1)}}, "not_json", "payload has a key of type int"),
        ({"phone_number": Constant("")}, "no_subscriber", "neither a phone number"),
        ({"phone_number": Constant("   ")}, "no_subscriber", "neither a phone number"),
        ({"phone_number": Constant(None)}, "no_subscriber", "neither a phone number"),
        ({"phone_number": "itself"}, "bad_subscriber", "leads to a Shape"),
        ({"phone_number": Constant("5" * 65)}, "bad_subscriber", "longer than 64"),
        ({"phone_number": Constant("555\0")}, "not_json", "NUL"),
        ({"phone_number": None}, "bad_declaration", "names no subscriber"),
        ({"subscribe_new": True}, "bad_declaration", "subscribe_new needs allow_new"),
        ({"channel": "sales"}, "unknown_channel", "'sales' is no channel"),
        ({"condition": lambda shape: shape.fails()}, "raised", "condition raised RuntimeError."),
        ({"only_if": If("stat", "is_set")}, "bad_path", "Shape has no 'stat'"),
    ],
)
def test_what_cannot_be_built_is_in_the_log_as_invalid_with_its_reason(fire, options, reason, told):
    options = dict(options)
    shape = None
    if options.pop("parented", False):
        shape = Shape.objects.create(parent=Shape.objects.create())
    row = fire(shape, **options)
    assert (row.status, row.reason) == (Status.INVALID, reason)
    assert told in row.explanation
    assert "206-555-0199" not in row.explanation
    assert row.finished_at is not None
    deliver()
    assert sent() == []


def test_a_failing_query_in_the_users_own_transaction_spoils_one_event_and_nothing_else(declare):
    declare(
        Shape,
        Event("Bad", when=Changed("state"), phone_number="phone", payload={"x": "queries_badly"}),
        Event("Good", when=Changed("state"), phone_number="phone"),
    )
    with transaction.atomic():
        shape = Shape.objects.create()
        shape.state = "done"
        shape.save()
        assert Shape.objects.count() == 1
    assert dict(Notification.objects.values_list("event_name", "status")) == {
        "Bad": Status.INVALID,
        "Good": Status.PENDING,
    }


def test_a_query_failure_that_the_payload_swallows_still_spoils_only_its_own_event(declare):
    def swallow(shape):
        try:
            shape.queries_badly()
        except DatabaseError:
            return "swallowed"

    declare(
        Shape,
        Event("Bad", when=Changed("state"), phone_number="phone", payload={"x": swallow}),
        Event("Good", when=Changed("state"), phone_number="phone"),
    )
    shape = Shape.objects.create()
    shape.state = "done"
    shape.save()
    assert Notification.objects.get(event_name="Good").status == Status.PENDING
    assert Notification.objects.filter(event_name="Bad").count() == 1


@pytest.mark.parametrize(
    ("sid", "phone", "expected"),
    [
        ("sub_1", "206-555-0100", ("sub_1", None, "sid:sub_1")),
        ("", "206-555-0100", (None, "206-555-0100", "+12065550100")),
        ("", "  (206) 555-0100 ", (None, "  (206) 555-0100 ", "+12065550100")),
        ("", "+49 30 901820", (None, "+49 30 901820", "+4930901820")),
        ("", "ask Kim", (None, "ask Kim", "ask Kim")),
    ],
)
def test_the_sid_is_sent_where_it_has_a_value_else_the_phone_number_as_the_model_holds_it(
    fire, sid, phone, expected
):
    row = fire(Shape.objects.create(sid=sid, phone=phone), subscriber_sid="sid")
    assert (row.subscriber_sid, row.phone_number, row.subscriber_key) == expected
    assert row.order_key == f"default:{row.subscriber_key}"


def test_an_unordered_event_has_no_order_key(fire):
    assert fire(ordered=False).order_key is None


def test_an_event_that_is_watched_is_recorded_and_not_sent(fire):
    row = fire(mode="watch", payload={"state": "state"})
    assert (row.status, row.reason, row.payload) == (
        Status.SKIPPED,
        "watch_only",
        {"state": "done"},
    )


def test_an_event_that_is_off_records_nothing(declare):
    declare(Shape, Event("Off", when=Changed("state"), phone_number="phone", mode="off"))
    shape = Shape.objects.create()
    shape.state = "done"
    shape.save()
    assert not Notification.objects.exists()


def test_the_conditions_that_held_are_kept_with_what_they_saw(fire):
    shape = Shape.objects.create(data={"plan": "gold"})
    row = fire(shape, only_if=[If("data.plan", "equals", "gold"), If("phone", "is_set")])
    assert row.why["conditions"] == [
        {"condition": "data.plan equals 'gold'", "actual": "gold"},
        {"condition": "phone is_set None", "actual": "206-555-0122"},
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [("EXPIRES_AFTER", -1), ("ON_AMBIGUOUS", "guess"), ("API_URLS", []), ("PHONE_REGION", 1)],
)
def test_a_broken_setting_breaks_no_save_and_loses_no_event(fire, settings, key, value):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "worker", key: value}
    row = fire()
    assert (row.status, row.reason) == (Status.INVALID, "bad_setting")
    assert key in row.explanation


def test_a_very_long_or_odd_name_of_the_record_is_no_obstacle(fire, monkeypatch):
    monkeypatch.setattr(Shape, "__str__", lambda self: "x\0\ud800" * 500)
    assert fire().status == Status.PENDING
    Notification.objects.all().delete()
    monkeypatch.setattr(Shape, "__str__", lambda self: 1 / 0)
    assert fire().source_name == ""


def test_the_apps_own_signal_tells_each_transition_to_whoever_listens(fire):
    told = []

    def listen(sender, transitions, using, **kwargs):
        [transition] = transitions
        told.append((sender, transition.kind.value, transition.pk, transition.changes, using))

    transitioned.connect(listen, sender=Shape)
    try:
        row = fire()
    finally:
        transitioned.disconnect(listen, sender=Shape)
    [(sender, kind, pk, changes, using)] = told
    assert (sender, kind, str(pk), using) == (Shape, "changed", row.source_id, "default")
    assert (changes["state"].old, changes["state"].new) == ("new", "done")


def test_a_deep_value_is_sent_where_json_holds_it_and_logged_as_its_text_where_not(
    fire, monkeypatch
):
    monkeypatch.setattr(Shape, "get_state", lambda self: lists(60))
    row = fire(payload={"x": Constant(lists(24))}, only_if=If("get_state", "is_set"))
    assert row.status == Status.PENDING
    assert row.payload == {"x": lists(24)}
    assert row.why["conditions"][0]["actual"] == str(lists(60))


def test_notify_records_by_hand_with_plain_values():
    shape = Shape.objects.create()
    row = notify(
        "Hello",
        shape,
        phone_number="206-555-0100",
        payload={"name": "parent.name"},
        channel="default",
    )
    assert row.status == Status.PENDING
    assert row.payload == {"name": "parent.name"}
    assert (row.origin, row.source_model, row.source_id) == ("manual", "desk.shape", str(shape.pk))
    assert_notified("Hello", phone_number="206-555-0100", payload={"name": "parent.name"})


def test_notify_without_a_subscriber_is_recorded_as_invalid():
    assert notify("Hello").reason == "no_subscriber"
    assert_nothing_notified()


def test_notify_is_rolled_back_with_its_transaction():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        notify("Hello", phone_number="206-555-0100")
        _ = 1 / 0
    assert not Notification.objects.exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"instance": 5}, "instance must be a record"),
        ({"payload": ["a"]}, "payload must be a dict"),
        ({"expires_after": "1h"}, "expires_after must be a timedelta or a number of seconds"),
        ({"allow_new": "yes"}, "allow_new must be True or False"),
    ],
)
def test_notify_refuses_values_of_another_kind(options, told):
    with pytest.raises(InvalidEvent, match=told):
        notify("Hello", phone_number="206-555-0100", **options)
    assert not Notification.objects.exists()


def test_notify_refuses_what_cannot_be_an_event():
    with pytest.raises(InvalidEvent, match="needs a name"):
        notify("", phone_number="206-555-0100")
    with pytest.raises(TypeError, match="phone"):
        notify("Hello", phone="206-555-0100")


def test_assertions_tell_what_the_log_holds():
    notify("Hello", phone_number="206-555-0100")
    with pytest.raises(AssertionError, match="Hello to 206-555-0100"):
        assert_notified("Goodbye")
    with pytest.raises(AssertionError, match="Hello to 206-555-0100"):
        assert_nothing_notified()
