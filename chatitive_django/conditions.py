"""Condition rows that explain themselves: `If("customer.plan", "equals", "gold")`."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .conf import did_you_mean
from .exceptions import InvalidEvent
from .paths import Path


def _is_set(actual: Any, _: Any) -> bool:
    return actual is not None and actual != "" and actual != [] and actual != {}


def _as_text(value: Any) -> Any:
    """A number, yes or no as JSON writes it; anything else as it is."""
    return json.dumps(value) if isinstance(value, (int, float)) else value


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal, or one is the text that the other is written as."""
    if isinstance(one, str) or isinstance(other, str):
        one, other = _as_text(one), _as_text(other)
    return bool(one == other)


def _holds(several: Any, value: Any) -> bool:
    """Whether a text has a value as its part, or anything else as one of its own."""
    match several:
        case str():
            return _as_text(value) in several
        case list() | tuple():
            return any(_same(each, value) for each in several)
    return bool(value in several)


def _text(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda actual, value: actual is not None and test(str(actual), str(value))


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": _same,
    "not_equals": lambda actual, value: not _same(actual, value),
    "contains": lambda actual, value: actual is not None and _holds(actual, value),
    "not_contains": lambda actual, value: actual is None or not _holds(actual, value),
    "starts_with": _text(str.startswith),
    "in": lambda actual, value: _holds(value, actual),
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "is_set": _is_set,
    "is_empty": lambda actual, value: not _is_set(actual, value),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a condition saw: its actual value, and whether it holds."""

    condition: If
    actual: Any
    holds: bool


@dataclass(frozen=True, slots=True)
class If:
    """A condition on what a path leads to.

    `operator` is one of equals, not_equals, contains, not_contains, starts_with, in, gt, gte, lt,
    lte, is_set and is_empty; the last two take no value. Raises `InvalidEvent` for any other.
    """

    path: str
    operator: str
    value: Any = None

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            raise InvalidEvent(
                f"If({self.path!r}, {self.operator!r}) has no such operator. "
                f"{did_you_mean(str(self.operator), list(OPERATORS))}"
            )

    def check(self, instance: object) -> Finding:
        """Whether the condition holds for `instance`; two values that can't be compared don't."""
        actual = Path(self.path).read(instance)
        try:
            holds = bool(OPERATORS[self.operator](actual, self.value))
        except TypeError:
            holds = False
        return Finding(self, actual, holds)

    def __str__(self) -> str:
        return f"{self.path} {self.operator} {self.value!r}"
