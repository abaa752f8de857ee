"""From an event and a record to an unsaved row of the log, `invalid` with its reason if need be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model

from ..conf import HOLD, settings
from ..dbtime import DatabaseNow
from ..events import WATCH, Event
from ..exceptions import Unbuildable
from ..models import Notification
from ..payloads import build, evaluate_as, plain
from ..registry import Declared, concrete, key_text
from ..subscribers import subscriber_key

Status = Notification.Status
Origin = Notification.Origin

NOW = DatabaseNow()


def row_for(
    event: Event,
    *,
    model: type[Model] | None,
    pk: Any,
    key: str,
    why: Mapping[str, Any],
    origin: Origin,
    rule_id: int | None = None,
) -> Notification:
    """A row that names the event and its record, and holds neither subscriber nor payload yet."""
    return Notification(
        event_name=event.name[:255],
        channel=event.channel[:64],
        allow_new=event.allow_new,
        subscribe_new=event.subscribe_new,
        on_ambiguous=HOLD,
        available_at=NOW,
        expires_at=NOW,
        created_at=NOW,
        source_model=concrete(model)._meta.label_lower if model else "",
        source_id="" if pk is None or model is None else key_text(concrete(model), pk)[:255],
        event_key=key[:400],
        rule_id=rule_id,
        why=dict(why),
        origin=origin,
    )


def compose(
    declared: Declared,
    instance: Model,
    *,
    pk: Any,
    why: Mapping[str, Any],
    origin: Origin = Origin.AUTOMATIC,
) -> Notification:
    """The row of a declared event for a record.

    Only a database error passes through, for the savepoint around it has to be rolled back.
    """
    row = _begun(declared, pk=pk, why=why, origin=origin)
    complete(row, declared.event, instance, where=declared.where)
    return row


def unbuilt(
    declared: Declared,
    *,
    pk: Any,
    why: Mapping[str, Any],
    reason: str,
    explanation: str,
    origin: Origin = Origin.AUTOMATIC,
) -> Notification:
    """The row of a declared event that can't be built for a record, with the reason."""
    row = _begun(declared, pk=pk, why=why, origin=origin)
    finish(row, Status.INVALID, reason, explanation)
    return row


def _begun(declared: Declared, *, pk: Any, why: Mapping[str, Any], origin: Origin) -> Notification:
    return row_for(
        declared.event,
        model=declared.owner,
        pk=pk,
        key=declared.key,
        why=why,
        origin=origin,
        rule_id=declared.rule_id,
    )


def complete(row: Notification, event: Event, instance: Model | None, *, where: str) -> None:
    """Give a row its subscriber, its payload and its time, or the reason why it has none."""
    try:
        if problems := event.problems():
            raise Unbuildable("bad_declaration", f"{where}: {problems[0]}")
        _configure(row, event)
        row.source_name = _name(instance)
        _address(row, event, instance)
        row.payload = build(event.payload or {}, instance)
    except Unbuildable as error:
        finish(row, Status.INVALID, error.reason, error.explanation)
    except ImproperlyConfigured as error:
        finish(row, Status.INVALID, "bad_setting", str(error))
    else:
        if event.mode == WATCH:
            finish(row, Status.SKIPPED, "watch_only")


def finish(row: Notification, status: Status, reason: str, explanation: str = "") -> None:
    """Record a row that is not to be sent, and why."""
    row.status = status
    row.reason = reason
    row.explanation = explanation
    row.finished_at = NOW


def _configure(row: Notification, event: Event) -> None:
    """What the settings say."""
    lifetime: timedelta = event.lifetime or settings.EXPIRES_AFTER
    row.on_ambiguous = event.on_ambiguous or settings.ON_AMBIGUOUS
    channels = settings.API_URLS
    row.expires_at = DatabaseNow(lifetime)
    if event.channel not in channels:
        raise Unbuildable(
            "unknown_channel", f'{event.channel!r} is no channel of CHATITIVE["API_URLS"].'
        )


def _address(row: Notification, event: Event, instance: Model | None) -> None:
    """The sid where it has a value, else the phone number as the model holds it."""
    for name in ("subscriber_sid", "phone_number"):
        source = getattr(event, name)
        if source is None:
            continue
        value = _identifier(evaluate_as(name, source, instance), name)
        if value is None:
            continue
        setattr(row, name, value)
        row.subscriber_key = subscriber_key(
            phone_number=row.phone_number, subscriber_sid=row.subscriber_sid
        )
        if event.ordered:
            row.order_key = f"{row.channel}:{row.subscriber_key}"
        return
    raise Unbuildable(
        "no_subscriber", "The record gave neither a phone number nor a subscriber SID."
    )


def _identifier(value: Any, name: str) -> str | None:
    if isinstance(value, (Model, Mapping, list, tuple, set, bool, bytes)):
        kind = type(value).__name__
        raise Unbuildable("bad_subscriber", f"{name} leads to a {kind}, which is no {name}.")
    text = "" if value is None else str(value)
    if not text.strip():
        return None
    if len(text) > 64:
        raise Unbuildable("bad_subscriber", f"{name} is longer than 64 characters.")
    plain(text, name)
    return text


def _name(instance: Model | None) -> str:
    """The record's name at the time, or nothing where its `__str__` fails."""
    if instance is None:
        return ""
    try:
        name = evaluate_as("__str__", str, instance)
    except Unbuildable:
        return ""
    return str(name).replace("\0", "").encode(errors="replace").decode()[:255]
