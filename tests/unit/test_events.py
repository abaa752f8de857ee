from __future__ import annotations

import re
from datetime import timedelta

import pytest

from chatitive_django import ANY, Changed, Constant, Created, Deleted, Event, If, InvalidEvent, Path
from chatitive_django.exceptions import PathError


def event(**options):
    return Event("Hello", **{"when": Created(), "phone_number": "phone", **options})


def test_an_event_is_a_frozen_value():
    assert event() == event()
    with pytest.raises(AttributeError):
        event().name = "Other"


def test_one_trigger_or_a_list_may_be_given():
    assert event(when=Created()).triggers == (Created(),)
    assert event(when=[Created(), Deleted()]).triggers == (Created(), Deleted())
    assert event(only_if=If("a", "is_set")).conditions == (If("a", "is_set"),)


def test_changed_takes_one_value_several_or_any():
    assert Changed("status", to="a").to == ("a",)
    assert Changed("status", to=["a", "b"]).to == ("a", "b")
    assert Changed("status", to=None).to == (None,)
    assert Changed("status").to is ANY
    assert repr(ANY) == "ANY"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Event("", when=Created(), phone_number="phone"), "needs a name"),
        (lambda: event(when=[]), "no trigger in `when`"),
        (lambda: event(when="status"), "none of the kinds"),
        (lambda: event(only_if="gold"), "none of the kinds"),
        (lambda: event(payload=["status"]), "payload must be a dict"),
        (lambda: event(channel=5), "channel must be a channel's name, and it is of type int"),
        (lambda: event(key=5), "key must be a text"),
        (lambda: event(allow_new="false"), "allow_new must be True or False"),
        (lambda: event(subscribe_new=1), "subscribe_new must be True or False"),
        (lambda: event(ordered=None), "ordered must be True or False"),
        (lambda: event(condition=True), "condition must be a callable of the instance"),
        (lambda: event(expires_after="24h"), "expires_after must be a timedelta or a number"),
        (lambda: event(cooldown=True), "cooldown must be a timedelta or a number"),
        (lambda: event(cooldown=1e300), "cooldown can't be 1e+300 seconds"),
        (lambda: event(expires_after=float("nan")), "expires_after can't be nan seconds"),
        (lambda: Changed(""), "must name a field"),
        (lambda: Changed("status", to=[]), "An empty list of values never matches"),
        (lambda: If("plan", "equal", "gold"), "Did you mean 'equals'?"),
    ],
)
def test_what_can_be_no_declaration_is_refused_where_it_stands(make, told):
    with pytest.raises(InvalidEvent, match=re.escape(told)):
        make()


@pytest.mark.parametrize("path", ["", ".", "agent.", ".name", "agent..name", None])
def test_a_path_is_names_with_dots(path):
    with pytest.raises(PathError, match="write names with dots"):
        Path(path)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"phone_number": None}, "names no subscriber"),
        ({"subscribe_new": True}, "subscribe_new needs allow_new"),
        ({"mode": "live!"}, "mode must be one of live, watch, off"),
        ({"on_ambiguous": "ask"}, 'on_ambiguous must be "hold" or "retry"'),
        ({"when": Changed("status", from_="a", to="a")}, "never fires"),
        ({"expires_after": 0}, "expires_after must be longer than nothing and at most 36525 days"),
        ({"cooldown": timedelta(seconds=-1)}, "cooldown must be longer than nothing"),
        ({"cooldown": timedelta(days=36526)}, "cooldown must be longer than nothing and at most"),
    ],
)
def test_what_contradicts_itself_is_told(options, told):
    [problem] = event(**options).problems()
    assert told in problem


def test_a_sound_declaration_has_no_problems():
    assert event(payload={"a": Constant(1)}, allow_new=True, subscribe_new=True).problems() == []


@pytest.mark.parametrize(
    ("operator", "value", "actual", "holds"),
    [
        ("equals", "gold", "gold", True),
        ("equals", "gold", None, False),
        ("not_equals", "gold", "tin", True),
        ("contains", "ol", "gold", True),
        ("contains", "ol", None, False),
        ("not_contains", "ol", "gold", False),
        ("not_contains", "ol", None, True),
        ("starts_with", "go", "gold", True),
        ("in", ["gold", "tin"], "tin", True),
        ("in", ["gold", "tin"], "zinc", False),
        ("equals", 90210, "90210", True),
        ("equals", "90210", 90210, True),
        ("equals", True, "true", True),
        ("equals", 9, "90210", False),
        ("equals", None, "null", False),
        ("not_equals", 90210, "90210", False),
        ("in", [1, 90210], "90210", True),
        ("contains", 902, "90210", True),
        ("contains", 902, ["902", "5"], True),
        ("contains", None, "nullable", False),
        ("contains", "a", {"a": 1}, True),
        ("not_contains", 5, "90210", True),
        ("not_contains", 9, "90210", False),
        ("starts_with", 902, "90210", True),
        ("gt", 5, 6, True),
        ("gt", 5, None, False),
        ("gt", 5, "6", False),
        ("gte", 5, 5, True),
        ("lt", 5, 4, True),
        ("lte", 5, 6, False),
        ("is_set", None, "", False),
        ("is_set", None, 0, True),
        ("is_set", None, False, True),
        ("is_empty", None, None, True),
        ("is_empty", None, [], True),
        ("is_empty", None, 0, False),
    ],
)
def test_conditions_hold_or_not_and_never_raise(operator, value, actual, holds):
    finding = If("plan", operator, value).check({"plan": actual})
    assert (finding.holds, finding.actual) == (holds, actual)
