"""The sandbox's start conditions: what holds, and what is said of what doesn't."""

from __future__ import annotations

import pytest

from chatitive_django.sandbox.conditions import Operator, judge, lookup

VALUES = {
    "status": "Success",
    "count": 3,
    "price": 2.5,
    "text_number": "10",
    "is_open": True,
    "due": "2025-06-01",
    "tags": ["vip", 7],
    "nothing": None,
    "blank": "",
    "subscriber": {"properties": {"firstName": "Ada"}, "lines": [{"name": "tea"}]},
}


@pytest.mark.parametrize(
    ("path", "operator", "wanted", "holds"),
    [
        ("status", "equals", "Success", True),
        ("status", "equals", "success", False),
        ("count", "equals", "3", True),
        ("count", "equals", "3.0", True),
        ("count", "equals", "three", False),
        ("text_number", "equals", "10.0", False),
        ("is_open", "equals", "true", True),
        ("is_open", "equals", "1", False),
        ("nothing", "equals", "", False),
        ("status", "not_equals", "Failed", True),
        ("missing", "not_equals", "Failed", True),
        ("status", "contains", "cce", True),
        ("tags", "contains", "vip", True),
        ("tags", "contains", "7", True),
        ("tags", "contains", "vi", False),
        ("subscriber", "contains", "properties", True),
        ("missing", "contains", "", False),
        ("missing", "not_contains", "x", True),
        ("status", "starts_with", "Suc", True),
        ("missing", "starts_with", "", False),
        ("status", "in", "Failed, Success", True),
        ("count", "in", "1,2,3", True),
        ("missing", "in", "", False),
        ("count", "gt", "2", True),
        ("count", "gt", "3", False),
        ("count", "gte", "3", True),
        ("price", "lt", "10", True),
        ("text_number", "gt", "9", True),
        ("price", "lte", "2.5", True),
        ("due", "lt", "2025-10-01", True),
        ("status", "gt", "3", False),
        ("count", "gt", "abc", False),
        ("count", "lt", "NaN", False),
        ("is_open", "gt", "0", False),
        ("missing", "lt", "3", False),
        ("status", "is_set", "", True),
        ("blank", "is_set", "", False),
        ("nothing", "is_empty", "", True),
        ("missing.deeper.still", "is_empty", "", True),
        ("count", "is_empty", "", False),
        ("status.deeper", "is_empty", "", True),
    ],
)
def test_a_condition_holds_where_its_operator_says(path, operator, wanted, holds):
    verdict = judge(path, operator, wanted, VALUES)
    assert verdict.holds is holds
    assert bool(verdict.explanation) is not holds


@pytest.mark.parametrize("operator", Operator)
def test_no_value_ever_raises(operator):
    for path in [*VALUES, "missing", "tags.0", "tags.9", "subscriber..x", ""]:
        for wanted in ["", "3", "a{}b", ","]:
            judge(path, operator, wanted, VALUES)


@pytest.mark.parametrize(
    ("path", "operator", "wanted", "explanation"),
    [
        ("status", "equals", "Failed", "status was `Success`, not `Failed`"),
        ("missing", "equals", "x", "missing had no value; it must be `x`"),
        ("count", "gt", "5", "count was `3`; it must be greater than `5`"),
        ("is_open", "not_equals", "true", "is_open was `true`; it must not be `true`"),
        ("status", "is_empty", "", "status was `Success`; it must be empty"),
        ("blank", "is_set", "", "blank had no value; it must be set"),
    ],
)
def test_a_condition_that_fails_says_what_it_saw(path, operator, wanted, explanation):
    assert judge(path, operator, wanted, VALUES).explanation == f"condition: {explanation}"


def test_a_long_value_is_cut_in_the_explanation():
    verdict = judge("a", "equals", "x", {"a": "y" * 10_000})
    assert len(verdict.explanation) < 150


def test_a_path_leads_through_mappings_and_lists():
    assert lookup("subscriber.properties.firstName", VALUES) == "Ada"
    assert lookup("subscriber.lines.0.name", VALUES) == "tea"
    assert lookup("subscriber.lines.9.name", VALUES) is None
