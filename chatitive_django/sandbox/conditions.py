"""Start conditions: a table of operators over dotted paths, each of which explains itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from django.db.models import TextChoices

LONGEST_SHOWN = 80


class Operator(TextChoices):
    """How a start condition compares; the wanted value is always text, as a person types it."""

    EQUALS = "equals", "equals"
    NOT_EQUALS = "not_equals", "does not equal"
    CONTAINS = "contains", "contains"
    NOT_CONTAINS = "not_contains", "does not contain"
    STARTS_WITH = "starts_with", "starts with"
    IN = "in", "is one of (separated by commas)"
    GT = "gt", "is greater than"
    GTE = "gte", "is at least"
    LT = "lt", "is less than"
    LTE = "lte", "is at most"
    IS_SET = "is_set", "is set"
    IS_EMPTY = "is_empty", "is empty"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition holds, and what was found where it does not."""

    holds: bool
    explanation: str


def judge(path: str, operator: str, wanted: str, values: Mapping[str, object]) -> Verdict:
    """Compare what `path` leads to in `values` with `wanted`; a missing value never raises."""
    actual = lookup(path, values)
    if _TESTS[Operator(operator)](actual, wanted):
        return Verdict(True, "")
    must = _MUST[Operator(operator)].format(f"`{wanted}`")
    if _is_empty(actual):
        found = f"{path} had no value; it must {must}"
    elif operator == Operator.EQUALS:
        found = f"{path} was `{_shown(actual)}`, not `{wanted}`"
    else:
        found = f"{path} was `{_shown(actual)}`; it must {must}"
    return Verdict(False, f"condition: {found}")


def lookup(path: str, values: Mapping[str, object]) -> object:
    """What a dotted path leads to in nested mappings and lists, or `None`."""
    found: object = values
    for part in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def _is_empty(actual: object) -> bool:
    return actual is None or actual in ("", [], {})


def _text(actual: object) -> str:
    return actual if isinstance(actual, str) else json.dumps(actual, ensure_ascii=False)


def _shown(actual: object) -> str:
    text = _text(actual)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _equals(actual: object, wanted: str) -> bool:
    """As text; a number, which JSON may write as `3` or `3.0`, as a number."""
    if actual is None:
        return False
    if not isinstance(actual, str) and _number(actual) is not None:
        return _number(actual) == _number(wanted)
    return _text(actual) == wanted


def _contains(actual: object, wanted: str) -> bool:
    if isinstance(actual, list):
        return any(_equals(item, wanted) for item in actual)
    if isinstance(actual, Mapping):
        return wanted in actual
    return actual is not None and wanted in _text(actual)


def _order(test: Callable[[int], bool]) -> Callable[[object, str], bool]:
    """Numbers as numbers and text, such as ISO dates, as text; never one with the other."""

    def holds(actual: object, wanted: str) -> bool:
        left, right = _number(actual), _number(wanted)
        if left is not None and right is not None:
            return test((left > right) - (left < right))
        if left is None and right is None and isinstance(actual, str) and actual:
            return test((actual > wanted) - (actual < wanted))
        return False

    return holds


_TESTS: dict[str, Callable[[object, str], bool]] = {
    Operator.EQUALS: _equals,
    Operator.NOT_EQUALS: lambda actual, wanted: not _equals(actual, wanted),
    Operator.CONTAINS: _contains,
    Operator.NOT_CONTAINS: lambda actual, wanted: not _contains(actual, wanted),
    Operator.STARTS_WITH: lambda actual, wanted: (
        actual is not None and _text(actual).startswith(wanted)
    ),
    Operator.IN: lambda actual, wanted: any(
        _equals(actual, choice.strip()) for choice in wanted.split(",")
    ),
    Operator.GT: _order(lambda sign: sign > 0),
    Operator.GTE: _order(lambda sign: sign >= 0),
    Operator.LT: _order(lambda sign: sign < 0),
    Operator.LTE: _order(lambda sign: sign <= 0),
    Operator.IS_SET: lambda actual, _: not _is_empty(actual),
    Operator.IS_EMPTY: lambda actual, _: _is_empty(actual),
}

_MUST: dict[str, str] = {
    Operator.EQUALS: "be {}",
    Operator.NOT_EQUALS: "not be {}",
    Operator.CONTAINS: "contain {}",
    Operator.NOT_CONTAINS: "not contain {}",
    Operator.STARTS_WITH: "start with {}",
    Operator.IN: "be one of {}",
    Operator.GT: "be greater than {}",
    Operator.GTE: "be at least {}",
    Operator.LT: "be less than {}",
    Operator.LTE: "be at most {}",
    Operator.IS_SET: "be set",
    Operator.IS_EMPTY: "be empty",
}
