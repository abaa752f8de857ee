"""All the SQL on the channels: pause and resume, the breaker, and the wait that a 429 asks for.

Both pause and breaker stop the clock of the messages that wait: when the channel goes on, each of
them gets the time back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connections, transaction
from django.db.models import DateTimeField, Expression, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Greatest
from django.dispatch import Signal

from .dbtime import DatabaseNow, become_writer, database_now
from .models import Channel, Notification, log_alias
from .signals import (
    breaker_closed,
    breaker_opened,
    channel_paused,
    channel_resumed,
    notifications_committed,
)

AT_ONCE = 1000
"""Rows that one transaction discards."""


def held(*, now: Expression | None = None) -> QuerySet[Channel]:
    """The channels from which nothing may be claimed now."""
    waits = Q(stopped_at__isnull=False) | Q(slowed_until__gt=now or DatabaseNow())
    return Channel.objects.using(log_alias()).filter(waits)


def pause(alias: str, *, reason: str = "", user_id: Any = None) -> bool:
    """Have a channel's messages wait; `False` where it is paused already."""
    with _locked(alias) as channel:
        if channel.paused_at is not None:
            return False
        _store(
            channel,
            paused_at=DatabaseNow(),
            paused_by_id=user_id,
            pause_reason=reason,
            stopped_at=channel.stopped_at or DatabaseNow(),
        )
        _tell(channel_paused, channel)
    return True


def resume(alias: str) -> bool:
    """End a pause and any wait that a 429 asked for; `False` where there was neither.

    A breaker stays as it is, but its next probe is due at once.
    """
    with _locked(alias) as channel:
        was_paused = channel.paused_at is not None
        if not was_paused and channel.slowed_until is None and channel.probe_at is None:
            return False
        values: dict[str, Any] = {
            "paused_at": None,
            "paused_by_id": None,
            "pause_reason": "",
            "slowed_until": None,
        }
        if channel.breaker_opened_at is None:
            _give_time_back(channel)
            values["stopped_at"] = None
        else:
            values["probe_at"] = DatabaseNow()
        _store(channel, **values)
        if was_paused:
            _tell(channel_resumed, channel)
        _tell(notifications_committed, channel)
    return True


def discard(alias: str, *, older_than: timedelta = timedelta(0)) -> int | None:
    """Cancel what waits in a paused channel and was recorded so long ago; gives their number.

    `None` where the channel isn't paused, or no longer. What is recorded meanwhile stays.
    """
    until = database_now(log_alias()) - older_than
    discarded = 0
    while True:
        with _locked(alias) as channel:
            if channel.paused_at is None:
                return discarded or None
            rows = Notification.objects.using(log_alias()).filter(
                status=Notification.Status.PENDING, channel=alias
            )
            late = rows.filter(created_at__lte=until).order_by("available_at", "id")
            chosen = list(late.values_list("pk", flat=True)[:AT_ONCE])
            discarded += rows.filter(pk__in=chosen).update(
                status=Notification.Status.CANCELLED,
                reason="discarded_by_staff",
                finished_at=DatabaseNow(),
            )
        if len(chosen) < AT_ONCE:
            return discarded


def open_breaker(alias: str, reason: str, probe_after: timedelta) -> None:
    """Stop a channel that can't work now, but for one probe after each such wait."""
    with _locked(alias) as channel:
        was_open = channel.breaker_opened_at is not None
        _store(
            channel,
            breaker_opened_at=channel.breaker_opened_at or DatabaseNow(),
            breaker_reason=reason,
            probe_at=DatabaseNow(probe_after),
            stopped_at=channel.stopped_at or DatabaseNow(),
        )
        if not was_open:
            _tell(breaker_opened, channel)


def close_breaker(alias: str) -> None:
    """Let a channel go on: a call has shown that it works."""
    with _locked(alias) as channel:
        if channel.breaker_opened_at is None:
            return
        values: dict[str, Any] = {
            "breaker_opened_at": None,
            "breaker_reason": "",
            "probe_at": None,
        }
        if channel.paused_at is None:
            _give_time_back(channel)
            values["stopped_at"] = None
        _store(channel, **values)
        _tell(breaker_closed, channel)


def slow(alias: str, wait: timedelta) -> None:
    """Have a channel wait, as a 429 asks for; a longer wait that was asked for before stays."""
    with _locked(alias) as channel:
        until: Any = DatabaseNow(wait)
        if channel.slowed_until is not None:
            until = Greatest(F("slowed_until"), until)
        _store(channel, slowed_until=until)


def take_probe(alias: str, again_after: timedelta) -> Channel | None:
    """The channel, where its breaker's next probe is due and this caller is the one to make it."""
    using = log_alias()
    due = Channel.objects.using(using).filter(
        alias=alias, paused_at__isnull=True, probe_at__lte=DatabaseNow()
    )
    if not (due.exists() and due.update(probe_at=DatabaseNow(again_after))):
        return None
    return Channel.objects.using(using).get(alias=alias)


@contextmanager
def _locked(alias: str) -> Iterator[Channel]:
    """The channel's row under a lock, made where there is none."""
    using = log_alias()
    Channel.objects.using(using).bulk_create([Channel(alias=alias)], ignore_conflicts=True)
    with transaction.atomic(using=using):
        become_writer(Channel, using)
        yield Channel.objects.using(using).select_for_update().get(alias=alias)


def _tell(signal: Signal, channel: Channel) -> None:
    """Send a signal when the open transaction has committed."""
    using = log_alias()
    transaction.on_commit(
        lambda: signal.send_robust(sender=Channel, channel=channel, using=using),
        using=using,
        robust=True,
    )


def _store(channel: Channel, **values: Any) -> None:
    rows = Channel.objects.using(log_alias()).filter(pk=channel.pk)
    rows.update(**values)
    channel.refresh_from_db()


def _give_time_back(channel: Channel) -> None:
    """Add the time for which the channel stood still to what each unfinished message has left.

    Those being sent may come back to wait, above all the probe, which waited as long as the others.
    A row that its worker is settling right now is left to it: to wait for it could be a deadlock.
    """
    if channel.stopped_at is None:
        return
    waited = DatabaseNow() - Greatest(F("created_at"), channel.stopped_at)
    expires_at = ExpressionWrapper(F("expires_at") + waited, output_field=DateTimeField())
    using = log_alias()
    rows = Notification.objects.using(using).filter(channel=channel.alias)
    rows.filter(status=Notification.Status.PENDING).update(expires_at=expires_at)
    skip_locked = connections[using].features.has_select_for_update_skip_locked
    sending = rows.filter(status=Notification.Status.SENDING)
    free = sending.select_for_update(skip_locked=skip_locked).values_list("pk", flat=True)
    rows.filter(pk__in=list(free)).update(expires_at=expires_at)
