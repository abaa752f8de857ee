"""What an event would do for one record as it is stored now; nothing is written, nothing sent.

The event may be one that code declares or a rule, stored or not. What runs of the project's code
runs in a transaction that is rolled back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, TypeVar

from django.db import DatabaseError, transaction
from django.db.models import Model, QuerySet
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from .capture.compose import compose, unbuilt
from .capture.limits import Limits
from .conditions import If
from .dbtime import DatabaseNow
from .events import ANY, LIVE, Changed, Created, Deleted, Trigger
from .exceptions import Unbuildable
from .models import Notification, log_alias
from .payloads import evaluate_as
from .registry import UNCONVERTIBLE, Declared, field_named, held_value
from .rules import plan_for
from .sentences import (
    condition_phrase,
    field_phrase,
    sentence,
    value_phrase,
    values_phrase,
)
from .walking import field_at

T = TypeVar("T")

Status = Notification.Status

LOOKED_THROUGH = 50
"""How many of the latest records are looked through for one that matches."""
LATELY = timedelta(hours=24)
"""How long ago the same event for the same person is worth a warning."""
_LONGEST = 200


class Verdict(Enum):
    """What would come of it if the transition happened now."""

    SENDS = "sends"
    WAITS = "waits"
    """The record isn't in a state to which the event's transitions lead."""
    CONDITION_FAILS = "condition_fails"
    HELD_BACK = "held_back"
    """By `once` or a cooldown."""
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must hold: in words, and what the record holds, in words too.

    `holds` is `None` where a record as it stands can't tell, such as that it is deleted. `problem`
    says why the record couldn't be asked.
    """

    text: str
    actual: str = ""
    holds: bool | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an event would do for a record.

    `states` are those to which its triggers lead, one each, of which one is enough; `conditions`
    must all hold. `notification` is an unsaved row with the recipient and the payload, and with the
    reason where it would be `invalid` or `skipped`; the mode takes no part.
    """

    declared: Declared
    instance: Model
    states: tuple[Check, ...]
    conditions: tuple[Check, ...]
    notification: Notification
    warnings: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        if all(state.holds is False for state in self.states):
            return Verdict.WAITS
        return self.verdict_in_state

    @property
    def verdict_in_state(self) -> Verdict:
        """What would come of it if the record were in the state, as it is otherwise."""
        if any(check.problem for check in self.conditions):
            return Verdict.INVALID
        if not all(check.holds for check in self.conditions):
            return Verdict.CONDITION_FAILS
        if self.notification.status == Status.INVALID:
            return Verdict.INVALID
        if self.notification.status == Status.SKIPPED:
            return Verdict.HELD_BACK
        return Verdict.SENDS


def preview(declared: Declared, instance: Model) -> Preview:
    """What a declared event or a rule would do for a record that is stored."""
    live = _live(declared)
    with _nothing_written():
        conditions = tuple(_conditions(live, instance))
        row = _row(live, instance)
        return Preview(
            declared=declared,
            instance=instance,
            states=tuple(state(trigger, instance) for trigger in declared.triggers),
            conditions=conditions,
            notification=row,
            warnings=tuple(_warnings(live, row)),
        )


def latest(declared: Declared) -> Model | None:
    """The latest record for which the event would be sent, or one that comes near to it.

    That is one in the right state, else one for which the conditions hold, else any; `None` where
    there is no record.
    """
    rows: QuerySet[Model] = QuerySet(model=declared.model, using=log_alias())
    with _nothing_written():
        found = list(rows.order_by("-pk")[:LOOKED_THROUGH])
        if not found:
            return None
        fitting = [row for row in found if _is_in_state(declared, row)] or _in_state(declared, rows)
        near = fitting or found
        return next((row for row in near if _conditions_hold(declared, row)), near[0])


def record(declared: Declared, key: str) -> Model | None:
    """The record of the event's model with a key as people type it; `None` where there is none."""
    rows: QuerySet[Model] = QuerySet(model=declared.model, using=log_alias())
    with _nothing_written():
        try:
            pk = declared.owner._meta.pk.to_python(key)
            return _apart(lambda: rows.filter(pk=pk).first())
        except (*UNCONVERTIBLE, Unbuildable):
            return None


def state(trigger: Trigger, instance: Model) -> Check:
    """Whether a record is as a trigger's transition leaves it."""
    model = type(instance)
    if isinstance(trigger, Created):
        return Check(text=_("It is created."))
    if isinstance(trigger, Deleted):
        return Check(text=_("It is deleted."))
    name = field_phrase(model, trigger.field)
    if not isinstance(trigger, Changed):
        return Check(text=_("Its %(field)s change.") % {"field": name})
    field = field_named(model, trigger.field)
    if field is None:
        return Check(text=name, holds=False)
    value = getattr(instance, field.attname)
    actual = _shortened(value_phrase(value, field))
    if trigger.to is ANY:
        return Check(text=_("The %(field)s changes.") % {"field": name}, actual=actual)
    return Check(
        text=_("The %(field)s is %(values)s.")
        % {"field": name, "values": values_phrase(trigger.to, field)},
        actual=actual,
        holds=trigger.accepts_new(held_value(field, value)),
    )


def overlapping(declared: Declared) -> list[Declared]:
    """Other events and rules in force that the same write may emit for the same subscriber."""
    plan = plan_for(declared.model)
    others = plan.owners.get(declared.owner, ()) if plan else ()
    return [
        each
        for each in others
        if each.key != declared.key
        and each.event.phone_number == declared.event.phone_number
        and each.event.subscriber_sid == declared.event.subscriber_sid
        and any(_overlap(a, b) for a in each.triggers for b in declared.triggers)
    ]


@contextmanager
def _nothing_written() -> Iterator[None]:
    """A transaction, or a savepoint where one is open, that is rolled back at its end."""
    using = log_alias()
    with transaction.atomic(using=using):
        yield
        transaction.set_rollback(True, using=using)


def _live(declared: Declared) -> Declared:
    """The same event as if it were live: its mode would only say that it is not sent."""
    return dataclasses.replace(declared, event=dataclasses.replace(declared.event, mode=LIVE))


def _conditions(declared: Declared, instance: Model) -> Iterator[Check]:
    event, model = declared.event, declared.model
    if event.condition is not None:
        yield _asked(_("Its condition in code holds."), event.condition, instance)
    for condition in event.conditions:
        yield _checked(condition, instance, model)


def _checked(condition: If, instance: Model, model: type[Model]) -> Check:
    text = condition_phrase(condition, model)
    try:
        finding = _apart(
            lambda: evaluate_as(f"only_if {condition.path!r}", condition.check, instance)
        )
    except Unbuildable as error:
        return Check(text=text, problem=error.explanation)
    actual = value_phrase(finding.actual, field_at(model, condition.path))
    return Check(text=text, actual=_shortened(actual), holds=finding.holds)


def _asked(text: str, condition: Callable[[Any], Any], instance: Model) -> Check:
    try:
        holds = _apart(lambda: bool(evaluate_as("condition", condition, instance)))
    except Unbuildable as error:
        return Check(text=text, problem=error.explanation)
    return Check(text=text, actual=value_phrase(holds, None), holds=holds)


def _row(declared: Declared, instance: Model) -> Notification:
    """The row that would be written, with its reason where it would not be sent."""
    why = _why(declared, instance)
    try:
        row = _apart(lambda: compose(declared, instance, pk=instance.pk, why=why))
    except Unbuildable as error:
        return unbuilt(
            declared,
            pk=instance.pk,
            why=why,
            reason=error.reason,
            explanation=error.explanation,
        )
    Limits(log_alias()).hold_back(row, declared.event)
    return row


def _why(declared: Declared, instance: Model) -> dict[str, Any]:
    """Why it would fire, as far as the record tells: the old value only where one is possible."""
    for trigger in declared.triggers:
        if isinstance(trigger, Changed):
            field = field_named(declared.model, trigger.field)
            if field is None:
                continue
            single = trigger.from_ is not ANY and len(trigger.from_) == 1
            return {
                "transition": "changed",
                "field": trigger.field,
                "old": trigger.from_[0] if single else None,
                "new": getattr(instance, field.attname),
            }
    return {"transition": type(declared.triggers[0]).__name__.lower()}


def _apart(ask: Callable[[], T]) -> T:
    """What `ask` gives, in a savepoint; a database error is told as `Unbuildable`."""
    try:
        with transaction.atomic(using=log_alias()):
            return ask()
    except DatabaseError as error:
        raise Unbuildable("database", f"A query raised {type(error).__name__}.") from error


def _is_in_state(declared: Declared, instance: Model) -> bool:
    return any(state(trigger, instance).holds is not False for trigger in declared.triggers)


def _in_state(declared: Declared, rows: QuerySet[Model]) -> list[Model]:
    """The latest records in the right state, which are older than those looked through."""
    for trigger in declared.triggers:
        if isinstance(trigger, Changed) and trigger.to is not ANY:
            asked = rows.filter(**{f"{trigger.field}__in": trigger.to}).order_by("-pk")
            try:
                found = _apart(lambda asked=asked: list(asked[:LOOKED_THROUGH]))  # type: ignore[misc]
            except (Unbuildable, TypeError, ValueError):  # a value that the field can't hold
                continue
            if found:
                return found
    return []


def _conditions_hold(declared: Declared, instance: Model) -> bool:
    return all(check.holds for check in _conditions(declared, instance))


def _warnings(declared: Declared, row: Notification) -> Iterator[str]:
    for key in _empty(row.payload):
        yield _("“%(key)s” is empty for this record.") % {"key": key}
    if row.subscriber_key:
        earlier = Notification.objects.using(log_alias()).filter(
            subscriber_key=row.subscriber_key,
            event_name=row.event_name,
            created_at__gt=DatabaseNow(-LATELY),
            status__in=[Status.PENDING, Status.SENDING, Status.ACCEPTED, Status.UNKNOWN],
        )
        if (last := earlier.order_by("-created_at").first()) is not None:
            yield _("This person got %(event)s %(time)s ago.") % {
                "event": row.event_name,
                "time": timesince(last.created_at),
            }
    for other in overlapping(declared):
        yield _("The same change may send this person another message: “%(sentence)s”") % {
            "sentence": sentence(other.event, other.model)
        }


def _empty(payload: Any, outer: str = "") -> Iterator[str]:
    """The keys of a payload whose values are empty, dotted where they nest."""
    for key, value in payload.items():
        if isinstance(value, dict) and value:
            yield from _empty(value, f"{outer}{key}.")
        elif value is None or value in ("", [], {}):
            yield f"{outer}{key}"


def _overlap(one: Trigger, other: Trigger) -> bool:
    if isinstance(one, Changed) and isinstance(other, Changed):
        return (
            one.field == other.field and _meet(one.to, other.to) and _meet(one.from_, other.from_)
        )
    return one == other


def _meet(some: Any, others: Any) -> bool:
    return some is ANY or others is ANY or any(value in others for value in some)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
