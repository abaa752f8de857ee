"""Writes what a transition emits into the log, whole or as `invalid`, never not at all."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from django.core.exceptions import ObjectDoesNotExist
from django.core.files import File
from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from ..events import Added, Changed, Created, Event, Removed, Trigger
from ..exceptions import InvalidEvent, Unbuildable
from ..models import Notification, log_alias
from ..payloads import Constant, evaluate_as, plain
from ..registry import Declared
from ..signals import notification_recorded, notifications_committed
from .compose import Origin, complete, compose, row_for, unbuilt
from .limits import Limits
from .prepared import insert
from .transitions import Transition, load_together

logger = logging.getLogger("chatitive_django")


def record_transitions(
    sender: type[Model], transitions: Sequence[Transition], using: str, **kwargs: Any
) -> None:
    """The app's receiver of `transitioned`: a row for each event that the transitions emit."""
    try:
        with transaction.atomic(using=using):
            if len(transitions) > 1:
                load_together(transitions)
            limits = Limits(using)
            rows = [
                _emitted(declared, transition, limits)
                for transition in transitions
                for declared in transition.declared
            ]
    except (DatabaseError, ObjectDoesNotExist):
        limits = Limits(using)
        rows = [row for transition in transitions for row in _one_by_one(transition, limits, using)]
    write([row for row in rows if row is not None], using)


def _one_by_one(transition: Transition, limits: Limits, using: str) -> list[Notification | None]:
    """Each event in a savepoint of its own, from the bare row: one failing query spoils one event.

    The joined read may have failed, or found no row where a foreign key leads nowhere.
    """
    transition.without_joins()
    try:
        transition.instance()
    except ObjectDoesNotExist:
        logger.error("%r left no row behind, so nothing was recorded for it.", transition)
        return []
    return [_emitted_alone(declared, transition, limits, using) for declared in transition.declared]


def _emitted_alone(
    declared: Declared, transition: Transition, limits: Limits, using: str
) -> Notification | None:
    trigger = _matching(declared, transition)
    if trigger is None:
        return None
    try:
        with transaction.atomic(using=using):
            return _emitted(declared, transition, limits)
    except DatabaseError as error:
        return spoiled(declared, error, pk=transition.pk, why=_why(trigger, transition))


def _emitted(declared: Declared, transition: Transition, limits: Limits) -> Notification | None:
    """The row for one event; `None` where no trigger matches or a condition doesn't hold."""
    trigger = _matching(declared, transition)
    if trigger is None:
        return None
    why = _why(trigger, transition)
    row = judged(declared, transition.instance(declared.model), pk=transition.pk, why=why)
    if row is not None:
        limits.hold_back(row, declared.event)
    return row


def judged(
    declared: Declared,
    instance: Model,
    *,
    pk: Any,
    why: Mapping[str, Any],
    origin: Origin = Origin.AUTOMATIC,
) -> Notification | None:
    """The row of an event for a record, before its limits; `None` where a condition doesn't hold.

    Only a database error passes through, for the savepoint around it has to be rolled back.
    """
    try:
        conditions = _conditions_that_held(declared.event, instance)
    except Unbuildable as error:
        return unbuilt(
            declared,
            pk=pk,
            why=why,
            reason=error.reason,
            explanation=error.explanation,
            origin=origin,
        )
    if conditions is None:
        return None
    return compose(declared, instance, pk=pk, why={**why, "conditions": conditions}, origin=origin)


def spoiled(
    declared: Declared,
    error: DatabaseError,
    *,
    pk: Any,
    why: Mapping[str, Any],
    origin: Origin = Origin.AUTOMATIC,
) -> Notification:
    """The row of an event for a record on which a query failed."""
    explanation = f"A query raised {type(error).__name__}."
    return unbuilt(
        declared, pk=pk, why=why, reason="database", explanation=explanation, origin=origin
    )


def _matching(declared: Declared, transition: Transition) -> Trigger | None:
    return next((t for t in declared.triggers if t.matches(transition)), None)


def _conditions_that_held(event: Event, instance: Model) -> list[dict[str, Any]] | None:
    """Each condition with the value it saw, or `None` where one doesn't hold."""
    if event.condition is not None and not evaluate_as("condition", event.condition, instance):
        return None
    told = []
    for condition in event.conditions:
        finding = evaluate_as(f"only_if {condition.path!r}", condition.check, instance)
        if not finding.holds:
            return None
        told.append({"condition": str(condition), "actual": as_logged(finding.actual)})
    return told


def _why(trigger: Trigger, transition: Transition) -> dict[str, Any]:
    why: dict[str, Any] = {"transition": transition.kind.value}
    if isinstance(trigger, (Changed, Added, Removed)):
        change = transition.changes[trigger.field]
        why |= {"field": trigger.field, "old": as_logged(change.old), "new": as_logged(change.new)}
    return why


def as_logged(value: Any) -> Any:
    """A value for people to read: as JSON where it is short, else its beginning."""
    if isinstance(value, File):
        value = value.name
    elif getattr(value, "microsecond", 0) % 1000:
        value = value.isoformat()  # JSON's own encoder leaves out what is below a millisecond
    try:
        value = plain(value, "")
    except Unbuildable:
        if isinstance(value, (Model, bytes, memoryview)) or _has_no_words(type(value)):
            return f"<{type(value).__name__}>"
        value = str(value)
    text = value if isinstance(value, str) else str(value)
    return value if len(text) <= 200 else f"{text[:199]}…"


def _has_no_words(cls: type) -> bool:
    """Whether a class tells its instances by their address only."""
    return not any("__str__" in vars(each) or "__repr__" in vars(each) for each in cls.__mro__[:-1])


def notify(
    name: str,
    instance: Model | None = None,
    *,
    phone_number: str | None = None,
    subscriber_sid: str | None = None,
    payload: Mapping[str, Any] | None = None,
    channel: str = "default",
    allow_new: bool = False,
    subscribe_new: bool = False,
    ordered: bool = True,
    on_ambiguous: str | None = None,
    expires_after: timedelta | float | None = None,
    key: str | None = None,
) -> Notification:
    """Record an event by hand, in the current transaction; the options are plain values.

    Gives the row as it is stored: `pending`, or `invalid` with its reason where it can't be sent.
    Raises `InvalidEvent` for what can't be an event at all.
    """
    if instance is not None and not isinstance(instance, Model):
        raise InvalidEvent(f"notify({name!r}): instance must be a record, not its key.")
    if payload is not None and not isinstance(payload, Mapping):
        raise InvalidEvent(f"notify({name!r}): payload must be a dict.")
    event = Event(
        name,
        when=Created(),  # never asked: the call itself is the trigger
        phone_number=Constant(phone_number),
        subscriber_sid=Constant(subscriber_sid),
        payload={argument: Constant(value) for argument, value in (payload or {}).items()},
        channel=channel,
        allow_new=allow_new,
        subscribe_new=subscribe_new,
        ordered=ordered,
        on_ambiguous=on_ambiguous,
        expires_after=expires_after,
    )
    return record_by_hand(
        event, instance, key=key or name, origin=Origin.MANUAL, where=f"notify({name!r})"
    )


def record_by_hand(
    event: Event,
    instance: Model | None = None,
    *,
    key: str,
    origin: Origin,
    where: str,
    requested_by_id: Any = None,
) -> Notification:
    """The row of an event that no transition fired, as it is stored."""
    row = row_for(
        event,
        model=type(instance) if instance else None,
        pk=instance.pk if instance else None,
        key=key,
        why={},
        origin=origin,
    )
    row.requested_by_id = requested_by_id
    using = log_alias()
    with transaction.atomic(using=using):
        complete(row, event, instance, where=where)
        write([row], using)
        return Notification.objects.using(using).get(public_id=row.public_id)


def write(rows: Collection[Notification], using: str) -> None:
    """Insert rows in the open transaction, and tell of them when it commits."""
    if len(rows) == 1:
        insert(next(iter(rows)), using)
    elif rows:
        Notification.objects.using(using).bulk_create(rows)
    if rows:
        tell_on_commit(using)
        if notification_recorded.has_listeners(Notification):
            public_ids = [row.public_id for row in rows]
            transaction.on_commit(
                lambda: _tell_recorded(public_ids, using), using=using, robust=True
            )


def _tell_recorded(public_ids: Collection[UUID], using: str) -> None:
    rows = Notification.objects.using(using).filter(public_id__in=public_ids)
    for row in rows.order_by("id"):
        notification_recorded.send_robust(sender=Notification, notification=row, using=using)


class _Wake:
    """Tells of a commit once, however many of its rows ask for it."""

    def __init__(self, using: str) -> None:
        self.using = using
        self.told = False

    def tell(self) -> None:
        if not self.told:
            self.told = True
            notifications_committed.send(sender=Notification, using=self.using)


_wakes: WeakKeyDictionary[BaseDatabaseWrapper, _Wake] = WeakKeyDictionary()


def tell_on_commit(using: str) -> None:
    """Have delivery woken when the open transaction commits."""
    connection = transaction.get_connection(using)
    wake = _wakes.get(connection)
    if wake is None or wake.told:
        wake = _wakes[connection] = _Wake(using)
    # Each row asks, for a savepoint may roll back and take its own request along. What is asked for
    # needs a name: without one Django 5.2 fails where it logs that it has failed.
    transaction.on_commit(wake.tell, using=using, robust=True)
