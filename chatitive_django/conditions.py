"""Condition rows that explain themselves: `If("customer.plan", "equals", "gold")`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .conf import did_you_mean
from .exceptions import InvalidEvent
from .paths import Path


def _is_set(actual: Any, _: Any) -> bool:
    return actual is not None and actual != "" and actual != [] and actual != {}


def _text(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda actual, value: actual is not None and test(str(actual), str(value))


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": operator.eq,
    "not_equals": operator.ne,
    "contains": lambda actual, value: actual is not None and value in actual,
    "not_contains": lambda actual, value: actual is None or value not in actual,
    "starts_with": _text(str.startswith),
    "in": lambda actual, value: actual in value,
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
