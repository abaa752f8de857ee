"""What an attempt's result makes of its row, where the lease still holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections, transaction
from django.db.models import F, QuerySet

from ..dbtime import DatabaseNow, become_writer
from ..models import Attempt, Notification, log_alias
from ..outcomes import Outcome, Result
from ..retry import Decision
from ..signals import (
    notification_accepted,
    notification_rejected,
    notification_settled,
    notification_skipped,
    notification_unknown,
)
from ..statements import Insert, LateNow, Slot, bound, once, updates_return_rows

Status = Notification.Status

ENDED = {
    Status.ACCEPTED: notification_accepted,
    Status.REJECTED: notification_rejected,
    Status.UNKNOWN: notification_unknown,
    Status.SKIPPED: notification_skipped,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The result of one attempt, and what was decided about its notification."""

    notification: Notification
    result: Result
    decision: Decision
    started_at: datetime


def settle(settlements: Collection[Settlement], *, again: bool = False) -> list[Settlement]:
    """Store the results of attempts, each where its lease still holds; gives those.

    `tell_settled` tells of them, when the transaction has committed. It is tried `again` after a
    failure that may have come between the commit and its confirmation: what is stored already is
    given as well, and not stored twice.
    """
    using = log_alias()
    with transaction.atomic(using=using, savepoint=False):
        become_writer(Notification, using)
        known = [each for each in settlements if _is_stored(each)] if again else []
        settlements = [each for each in settlements if each not in known]
        if not settlements:
            return known
        accepted = _store_accepted([each for each in settlements if _is_plain(each)], using)
        stored = [
            settlement
            for settlement in settlements
            if settlement.notification.pk in accepted or _store(settlement)
        ]
        attempts = [_attempt(settlement) for settlement in settlements]
        insert = once(
            using,
            (settle, len(attempts)),
            lambda: Insert(Attempt, using, rows=len(attempts)),
        )
        insert.execute(attempts, using)
    return [*known, *stored]


def _is_stored(settlement: Settlement) -> bool:
    """Whether this very attempt is in the log."""
    attempts = Attempt.objects.using(log_alias()).filter(
        notification=settlement.notification.pk, started_at=settlement.started_at
    )
    return attempts.exists()


def _is_plain(settlement: Settlement) -> bool:
    """Whether nothing but its acceptance is to be stored of a row, as it is for nearly all."""
    result = settlement.result
    accepted = settlement.decision.status == Status.ACCEPTED
    return accepted and not (result.reason or result.explanation)


def _rows() -> QuerySet[Notification]:
    return Notification.objects.using(log_alias())


def _store_accepted(settlements: Sequence[Settlement], using: str) -> set[int]:
    """Store these in one statement; gives the keys of those whose lease held."""
    if not settlements:
        return set()
    rows = [settlement.notification for settlement in settlements]
    statement = once(using, (_Accept, len(rows)), lambda: _Accept(len(rows), using))
    return statement.execute(rows, using)


def _store(settlement: Settlement) -> bool:
    row, result, decision = settlement.notification, settlement.result, settlement.decision
    pending = decision.status == Status.PENDING
    values = {
        "status": decision.status,
        "reason": result.reason,
        "explanation": result.explanation,
        "lease_token": None,
        "leased_until": None,
        "finished_at": None if pending else DatabaseNow(),
    }
    if pending:
        values["available_at"] = DatabaseNow(decision.delay)
    else:
        values["requested_by"] = None
    held = _rows().filter(pk=row.pk, status=Status.SENDING, lease_token=row.lease_token)
    given_back = {} if decision.counts else {"attempts": F("attempts") - 1}
    if held.update(**values, **given_back):
        return True
    if result.outcome is not Outcome.ACCEPTED:
        return False
    # Late proof: the lease ran out while the answer was on its way. What another worker is sending
    # now is left to it.
    doubtful = _rows().filter(pk=row.pk, status__in=[Status.UNKNOWN, Status.PENDING])
    return bool(doubtful.update(**values))


class _Accept:
    """The update of so many accepted rows, compiled."""

    def __init__(self, rows: int, using: str) -> None:
        connection = connections[using]
        quote = connection.ops.quote_name
        table = quote(Notification._meta.db_table)
        now = LateNow()
        moment, _ = now.compiled(connection)
        held = " OR ".join(["(id = %s AND lease_token = %s)"] * rows)
        self._held: list[Any] = [Status.SENDING.value]
        for n in range(rows):
            self._held += [
                Slot(f"id{n}", Notification, "id"),
                Slot(f"token{n}", Notification, "lease_token"),
            ]
        self._update = (
            f"UPDATE {table} SET status = %s, reason = '', explanation = '', "  # noqa: S608 -- own names
            f"lease_token = NULL, leased_until = NULL, requested_by_id = NULL, "
            f"finished_at = {moment} WHERE "
        )
        self._update_params = [Status.ACCEPTED.value, now]
        self._select = ""
        if updates_return_rows(connection):
            self._update += f"status = %s AND ({held}) RETURNING id"
        else:
            self._select = f"SELECT id FROM {table} WHERE status = %s AND ({held}) FOR UPDATE"  # noqa: S608

    def execute(self, rows: Sequence[Notification], using: str) -> set[int]:
        """Accept those rows whose lease holds, and give their keys."""
        values: dict[str, Any] = {}
        for n, row in enumerate(rows):
            values |= {f"id{n}": row.pk, f"token{n}": row.lease_token}
        connection = connections[using]
        update, held = (
            bound(params, connection, values) for params in (self._update_params, self._held)
        )
        with connection.cursor() as cursor:
            if not self._select:
                cursor.execute(self._update, [*update, *held])
                return {pk for (pk,) in cursor.fetchall()}
            cursor.execute(self._select, held)
            found = {pk for (pk,) in cursor.fetchall()}
            if found:
                chosen = ", ".join(["%s"] * len(found))
                cursor.execute(f"{self._update} id IN ({chosen})", [*update, *found])
            return found


def tell_settled(settlements: Iterable[Settlement]) -> None:
    """Send the signals of attempts whose results are stored."""
    for settlement in settlements:
        row, result = settlement.notification, settlement.result
        row.status = settlement.decision.status
        row.reason, row.explanation = result.reason, result.explanation
        tell(row, result)


def tell(row: Notification, result: Result) -> None:
    """Tell of an attempt that has ended, and of the end of its row where it is one."""
    for signal in (notification_settled, ENDED.get(Status(row.status))):
        if signal is not None:
            signal.send_robust(
                sender=Notification, notification=row, result=result, using=log_alias()
            )


def _attempt(settlement: Settlement) -> Attempt:
    row, result = settlement.notification, settlement.result
    return Attempt(
        notification=row,
        number=row.attempts,
        started_at=settlement.started_at,
        duration_ms=round(result.duration * 1000),
        outcome=result.outcome,
        reason=result.reason,
        http_status=result.http_status,
        error_class=result.error_class[:64],
        response_excerpt=result.excerpt,
        actor_id=row.requested_by_id,
    )
