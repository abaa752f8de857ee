"""Which rows may be sent now, and the claim that takes them for the time of a lease."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, transaction
from django.db.models import Exists, Expression, OuterRef, Q, QuerySet, Subquery

from ..channels import held
from ..dbtime import DatabaseNow, become_writer
from ..models import Channel, Notification, log_alias
from ..statements import LateNow, Slot, bound, execute_all, once, updates_return_rows
from .settling import Acceptances

Status = Notification.Status

_NOT_NEEDED = {
    "reason",
    "explanation",
    "why",
    "expires_at",
    "leased_until",
    "created_at",
    "finished_at",
    "scrubbed_at",
    "source_name",
    "origin",
    "resend_of",
}
"""What no delivery reads; a receiver of a signal that does has it fetched."""
_FIELDS = [field for field in Notification._meta.concrete_fields if field.name not in _NOT_NEEDED]
_NAMES = [field.name for field in _FIELDS]
_ATTNAMES = [field.attname for field in _FIELDS]
_CHANNEL: Any = Slot("channel", Notification, "channel")
_ANY_LIMIT = 999_999_999
"""Django writes a limit into its SQL as a number; in place of this one there is a slot."""


@dataclass(frozen=True, slots=True)
class Place:
    """A row's place in the order in which a channel's rows are claimed."""

    available_at: datetime
    id: int


def due(
    channel: str, *, now: Expression | None = None, not_expired_at: Any = None, early: bool = False
) -> QuerySet[Notification]:
    """The rows of a channel that may be sent now, oldest first; `early` before they are due too.

    A row waits while an earlier one for the same subscriber is pending or being sent. The earlier
    one is found by a scalar subquery: a `NOT EXISTS` becomes an anti join that scans. And it is
    compared by `<=`, for PostgreSQL takes `=` to hold for next to no row and then reads them all.
    """
    now = now or DatabaseNow()
    first = _unfinished(OuterRef("order_key")).values("id")[:1]
    rows = _rows().filter(
        Q(order_key__isnull=True) | Q(id__lte=Subquery(first)),
        status=Status.PENDING,
        channel=channel,
        expires_at__gt=not_expired_at or now,
    )
    if not early:
        rows = rows.filter(available_at__lte=now)
    return rows.order_by("available_at", "id")


def _unfinished(order_key: object) -> QuerySet[Notification]:
    """A subscriber's rows that are pending or being sent, oldest first.

    `finished_at` is null in all of them, but only if it is named does PostgreSQL see that the index
    has them in order.
    """
    rows = _rows().filter(order_key=order_key, finished_at__isnull=True)
    return rows.order_by("finished_at", "id")


def claim(
    channel: str,
    limit: int,
    lease: timedelta,
    *,
    after: Place | None = None,
    ahead: Acceptances | None = None,
) -> list[Notification]:
    """Take up to `limit` due rows of a channel for the time of a lease; none while it is held.

    With `after` the rows up to that place are passed over. What is `ahead` is stored before, in the
    same transaction.
    """
    statement = once(
        log_alias(),
        (claim, lease, after is not None),
        lambda: _Claim(_flowing(beyond=after is not None)[:_ANY_LIMIT], lease),
    )
    if after is None:
        return statement.execute(ahead, channel=channel, limit=limit)
    place = {"available_at": after.available_at, "id": after.id}
    return statement.execute(ahead, channel=channel, limit=limit, **place)


def claim_next(
    channel: str, order_key: str, lease: timedelta, *, ahead: Acceptances | None = None
) -> list[Notification]:
    """Take the row that is first now for a subscriber, if it is due."""
    first = _unfinished(Slot("order_key", Notification, "order_key")).values("id")[:1]
    statement = once(
        log_alias(),
        (claim_next, lease),
        lambda: _Claim(_flowing().filter(id=Subquery(first)), lease),
    )
    return statement.execute(ahead, channel=channel, order_key=order_key)


def claim_probe(channel: Channel, lease: timedelta) -> list[Notification]:
    """Take one row of a channel whose breaker is open; the time since then ages no row.

    One that waits for its next try serves where no other is due.
    """
    rows = due(channel.alias, not_expired_at=channel.stopped_at, early=True)
    return _Claim(rows[:1], lease).execute()


def claim_this(row: Notification, lease: timedelta, *, probe: bool = False) -> list[Notification]:
    """Take this very row if it is due and its channel isn't held.

    As a `probe` it is taken where the channel's breaker is open, and nothing else holds it.
    """
    own = Channel.objects.using(log_alias()).filter(alias=row.channel)
    probed = own.filter(breaker_opened_at__isnull=False, paused_at__isnull=True)
    allowed: Any = Exists(probed) if probe else ~Exists(held().filter(alias=row.channel))
    return _Claim(due(row.channel).filter(allowed, pk=row.pk)[:1], lease).execute()


def passed_over(channel: str, place: Place, *, at_most: int) -> Counter[str]:
    """The order keys of the first so many rows before a place, which wait for others of theirs."""
    earlier = (
        _rows()
        .filter(status=Status.PENDING, channel=channel, available_at__lte=place.available_at)
        .exclude(available_at=place.available_at, id__gte=place.id)
        .exclude(order_key=None)
        .order_by("available_at", "id")
    )
    return Counter(map(str, earlier.values_list("order_key", flat=True)[:at_most]))


def _flowing(*, beyond: bool = False) -> QuerySet[Notification]:
    """The due rows of a channel that isn't held, as a query with slots."""
    now = LateNow()
    rows = due(_CHANNEL, now=now).filter(~Exists(held(now=now).filter(alias=_CHANNEL)))
    if not beyond:
        return rows
    moment, pk = Slot("available_at", Notification, "available_at"), Slot("id", Notification, "id")
    later = Q(available_at__gt=moment) | Q(available_at=moment, id__gt=pk)
    return rows.filter(later, available_at__gte=moment)


def _rows() -> QuerySet[Notification]:
    return Notification.objects.using(log_alias())


class _Claim:
    """A compiled claim: one statement where the database gives back the rows of an update."""

    def __init__(self, rows: QuerySet[Notification], lease: timedelta) -> None:
        self._using = using = log_alias()
        connection = connections[using]
        quote = connection.ops.quote_name
        self._reader: Any = _rows().only(*_NAMES).query.get_compiler(using)
        self._reader.as_sql()
        self._converters = self._reader.get_converters([each[0] for each in self._reader.select])
        features = connection.features
        if features.has_select_for_update:
            rows = rows.select_for_update(skip_locked=features.has_select_for_update_skip_locked)
        table = quote(Notification._meta.db_table)
        until = LateNow(lease)
        moment, _ = until.compiled(connection)
        self._update = (
            f"UPDATE {table} SET status = %s, lease_token = %s, leased_until = {moment}, "  # noqa: S608 -- own names
            "attempts = attempts + 1 WHERE id "
        )
        self._set_params = [Status.SENDING.value, Slot("token", Notification, "lease_token"), until]
        self._returns = updates_return_rows(connection)
        with transaction.atomic(using=using):  # Django compiles no locking read outside of one
            chosen_rows = rows.values("id") if self._returns else rows.only(*_NAMES)
            select, params = chosen_rows.query.get_compiler(using).as_sql()
        self._select = select.replace(f"LIMIT {_ANY_LIMIT}", "LIMIT %s")
        limited = self._select != select  # nothing that takes a parameter follows a limit
        self._params = (*params, Slot("limit", Notification, "attempts")) if limited else params
        if not self._returns:
            return
        # An array is made once, where a subquery of rows that locks may be asked again and again.
        array = connection.vendor == "postgresql"
        chosen = f"= ANY(ARRAY({self._select}))" if array else f"IN ({self._select})"
        columns = ", ".join(quote(str(field.column)) for field in _FIELDS)
        self._update += f"{chosen} RETURNING {columns}"

    def execute(self, ahead: Acceptances | None = None, **values: Any) -> list[Notification]:
        """Take the rows with a token of this claim, oldest first."""
        values["token"] = uuid.uuid4()
        if self._returns:
            connection = connections[self._using]
            params = bound([*self._set_params, *self._params], connection, values)
            before = ahead.statements(connection) if ahead is not None else []
            *stored, found = execute_all(connection, [*before, (self._update, params)])
            if ahead is not None:
                ahead.note(stored)
            taken = self._made(found)
            return sorted(taken, key=lambda row: (row.available_at, row.pk))
        with transaction.atomic(using=self._using, savepoint=False):
            become_writer(Notification, self._using)
            taken = self._made(self._fetch(self._select, self._params, values))
            if taken:
                self._take(taken, values)
        return taken

    def _fetch(self, sql: str, params: Iterable[Any], values: dict[str, Any]) -> Any:
        connection = connections[self._using]
        with connection.cursor() as cursor:
            cursor.execute(sql, bound(params, connection, values))
            return cursor.fetchall()

    def _made(self, found: Any) -> list[Notification]:
        return [
            Notification.from_db(self._using, _ATTNAMES, list(row))
            for row in self._reader.apply_converters(found, self._converters)
        ]

    def _take(self, rows: list[Notification], values: dict[str, Any]) -> None:
        connection = connections[self._using]
        chosen = ", ".join(["%s"] * len(rows))
        params = [*bound(self._set_params, connection, values), *(row.pk for row in rows)]
        with connection.cursor() as cursor:
            cursor.execute(f"{self._update} IN ({chosen})", params)
        for row in rows:
            row.status = Status.SENDING
            row.lease_token = values["token"]
            row.attempts += 1
