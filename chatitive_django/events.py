"""What a user declares: an event, and the transitions of a record that emit it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from types import NoneType
from typing import Any, Protocol, TypeAlias

from .conditions import If
from .conf import HOLD, LONGEST_SPAN, RETRY
from .exceptions import InvalidEvent
from .payloads import Source


class _Any(Enum):
    ANY = "ANY"

    def __repr__(self) -> str:
        return "ANY"


ANY = _Any.ANY
"""Matches every value."""

LIVE, WATCH, OFF = MODES = ("live", "watch", "off")
PER_RECORD, PER_TRANSITION = ONCE = ("record", "transition")


@dataclass(frozen=True, slots=True)
class Change:
    """The stored value of a field before and after one write."""

    old: Any
    new: Any


class Kind(Enum):
    """What a write did to a row."""

    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    ADDED = "added"
    REMOVED = "removed"


FOUND = "found"
"""Stands in the log for a transition where a record was in that state before its rule went live."""


class Move(Protocol):
    """A transition as triggers see it: what the write did, and the changes by field name."""

    @property
    def kind(self) -> Kind: ...
    @property
    def changes(self) -> Mapping[str, Change]: ...


@dataclass(frozen=True, slots=True)
class Created:
    """The row is inserted."""

    def matches(self, move: Move) -> bool:
        return move.kind is Kind.CREATED


@dataclass(frozen=True, slots=True)
class Deleted:
    """The row is deleted; the payload is built from the row as it was."""

    def matches(self, move: Move) -> bool:
        return move.kind is Kind.DELETED


@dataclass(frozen=True, slots=True)
class Added:
    """The many-to-many relation `field` gains objects, from whichever side they are added."""

    field: str

    def matches(self, move: Move) -> bool:
        return move.kind is Kind.ADDED and self.field in move.changes


@dataclass(frozen=True, slots=True)
class Removed:
    """The many-to-many relation `field` loses objects, from whichever side they are removed."""

    field: str

    def matches(self, move: Move) -> bool:
        return move.kind is Kind.REMOVED and self.field in move.changes


@dataclass(frozen=True, slots=True)
class Changed:
    """The stored value of `field` changes.

    `from_` and `to` take one value, a list, tuple or set of values, or `ANY`. With `on_create` the
    trigger also fires when a row is inserted already holding `to`.
    """

    field: str
    from_: Any = ANY
    to: Any = ANY
    on_create: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.field, str) or not self.field:
            raise InvalidEvent(f"Changed({self.field!r}) must name a field of the model.")
        object.__setattr__(self, "from_", _values(self.from_))
        object.__setattr__(self, "to", _values(self.to))

    def matches(self, move: Move) -> bool:
        change = move.changes.get(self.field)
        if change is None or not self.accepts_new(change.new):
            return False
        if move.kind is Kind.CREATED:
            return self.on_create
        return differs(change.old, change.new) and self.accepts_old(change.old)

    def accepts_old(self, value: Any) -> bool:
        return self.from_ is ANY or value in self.from_

    def accepts_new(self, value: Any) -> bool:
        return self.to is ANY or value in self.to

    def converted(self, to_python: Callable[[Any], Any]) -> Changed:
        """The same trigger with its values as the field holds them."""
        return dataclasses.replace(
            self,
            from_=ANY if self.from_ is ANY else [to_python(value) for value in self.from_],
            to=ANY if self.to is ANY else [to_python(value) for value in self.to],
        )


def differs(old: Any, new: Any) -> bool:
    """Whether two stored values are two: NaN is itself, and in JSON `true` is not 1."""
    if old != new:
        return not (old != old and new != new)  # NaN alone differs from itself
    match old, new:
        case dict(), dict():
            return any(differs(old[key], new[key]) for key in old)
        case list(), list():
            return any(map(differs, old, new))
    return isinstance(old, bool) is not isinstance(new, bool)


Trigger: TypeAlias = Created | Deleted | Changed | Added | Removed


def _values(given: Any) -> Any:
    if given is ANY:
        return ANY
    if not isinstance(given, (list, tuple, set, frozenset)):
        return (given,)
    if not given:
        raise InvalidEvent("An empty list of values never matches: name one, or leave it out.")
    return tuple(given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One declared event: which transitions emit it, to whom, and with what payload.

    `when` is a trigger or a list of them: a write emits the event once, whichever match.
    `phone_number` and `subscriber_sid` are paths, callables of the instance, or `Constant`s; the
    sid is sent where it has a value, else the phone number. `payload` maps the workflow's keyword
    arguments to paths, `Path`, `Constant`, callables, and nested dicts and lists of them.
    `condition` is a callable of the instance, `only_if` one `If` or a list: all must hold.
    `allow_new` and `subscribe_new` are the API's own flags. `expires_after` is a timedelta or
    seconds, `on_ambiguous` "hold" or "retry"; `None` takes the setting's value.

    `cooldown` (a timedelta or seconds) is the least time between two of this event for the same
    subscriber. `once` is "record" (ever, for this record) or "transition" (for the same field going
    from the same value to the same value of this record). What they hold back is recorded as
    skipped. `mode` is "live", "watch" (recorded as skipped, never sent) or "off". `key` is the
    event's identity in the log, "helpdesk.Ticket:Name" unless given.

    Raises `InvalidEvent` for what can't be a declaration. What contradicts itself or the model is
    found by Django's system checks, and is recorded as `invalid` where those were not run.
    """

    name: str = dataclasses.field(kw_only=False)
    when: Trigger | Iterable[Trigger]
    phone_number: Source | None = None
    subscriber_sid: Source | None = None
    payload: Mapping[str, Any] | None = None
    channel: str = "default"
    allow_new: bool = False
    subscribe_new: bool = False
    condition: Callable[[Any], Any] | None = None
    only_if: If | Iterable[If] = ()
    ordered: bool = True
    on_ambiguous: str | None = None
    expires_after: timedelta | float | None = None
    cooldown: timedelta | float | None = None
    once: str | None = None
    mode: str = LIVE
    key: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "when", _listed(self, "when", Trigger))
        object.__setattr__(self, "only_if", _listed(self, "only_if", If))
        if not isinstance(self.name, str) or not self.name:
            raise InvalidEvent("An Event needs a name, the one that the workflow listens for.")
        if not self.triggers:
            raise InvalidEvent(f"Event {self.name!r} has no trigger in `when`, so it never fires.")
        for name, kind, told in _KINDS:
            if not isinstance(given := getattr(self, name), kind):
                raise _of_another_kind(self, name, given, told)
        if self.condition is not None and not callable(self.condition):
            raise _of_another_kind(self, "condition", self.condition, "a callable of the instance")
        for name in _SPANS:
            object.__setattr__(self, name, _span(self, name))

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        return self.when  # type: ignore[return-value]  # made a tuple above

    @property
    def conditions(self) -> tuple[If, ...]:
        return self.only_if  # type: ignore[return-value]  # made a tuple above

    @property
    def lifetime(self) -> timedelta | None:
        return self.expires_after  # type: ignore[return-value]  # made a timedelta above

    @property
    def gap(self) -> timedelta | None:
        return self.cooldown  # type: ignore[return-value]  # made a timedelta above

    def problems(self) -> list[str]:
        """What contradicts itself in the declaration, whatever the model: a sentence each."""
        found = []
        if self.phone_number is None and self.subscriber_sid is None:
            found.append("it names no subscriber: give phone_number or subscriber_sid.")
        if self.subscribe_new and not self.allow_new:
            found.append("subscribe_new needs allow_new: only a new subscriber can be subscribed.")
        if self.mode not in MODES:
            found.append(f"mode must be one of {', '.join(MODES)}, and it is {self.mode!r}.")
        if self.once not in (None, *ONCE):
            found.append(f"once must be one of {', '.join(ONCE)}, and it is {self.once!r}.")
        if self.on_ambiguous not in (None, HOLD, RETRY):
            found.append(f'on_ambiguous must be "{HOLD}" or "{RETRY}".')
        if len(self.name) > 255:
            found.append("its name is longer than 255 characters.")
        found.extend(
            f"{name} must be longer than nothing and at most {LONGEST_SPAN.days} days."
            for name in _SPANS
            if (span := getattr(self, name)) is not None and not timedelta(0) < span <= LONGEST_SPAN
        )
        found.extend(
            f"{trigger} never fires: it asks for a change from a value to the same value."
            for trigger in self.triggers
            if isinstance(trigger, Changed)
            and trigger.from_ is not ANY
            and trigger.from_ == trigger.to
            and len(trigger.to) == 1
            and not trigger.on_create
        )
        return found


_KINDS: tuple[tuple[str, Any, str], ...] = (
    ("payload", (Mapping, NoneType), "a dict"),
    ("channel", str, "a channel's name"),
    ("allow_new", bool, "True or False"),
    ("subscribe_new", bool, "True or False"),
    ("ordered", bool, "True or False"),
    ("key", (str, NoneType), "a text"),
)
_SPANS = ("expires_after", "cooldown")


def _of_another_kind(event: Event, name: str, given: Any, told: str) -> InvalidEvent:
    kind = type(given).__name__
    return InvalidEvent(f"Event {event.name!r}: {name} must be {told}, and it is of type {kind}.")


def _span(event: Event, name: str) -> timedelta | None:
    given = getattr(event, name)
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        try:
            return timedelta(seconds=given)
        except (OverflowError, ValueError):
            raise InvalidEvent(
                f"Event {event.name!r}: {name} can't be {given!r} seconds."
            ) from None
    if not isinstance(given, (timedelta, NoneType)):
        raise _of_another_kind(event, name, given, "a timedelta or a number of seconds")
    return given


def _listed(event: Event, name: str, kind: Any) -> tuple[Any, ...]:
    given = getattr(event, name)
    rows = (given,) if isinstance(given, kind) else given
    if not isinstance(rows, (list, tuple)) or not all(isinstance(row, kind) for row in rows):
        raise InvalidEvent(
            f"Event {event.name!r}: {name} holds {given!r}, which is none of the kinds it takes."
        )
    return tuple(rows)
