"""What an attempt's result makes of its row, where the lease still holds."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DataError, IntegrityError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, QuerySet

from ..dbtime import DatabaseNow, become_writer
from ..models import Attempt, Notification, log_alias
from ..outcomes import Outcome, Result
from ..retry import Decision
from ..signals import (
    notification_accepted,
    notification_expired,
    notification_rejected,
    notification_settled,
    notification_skipped,
    notification_unknown,
)
from ..statements import (
    Insert,
    LateNow,
    Rows,
    Slot,
    Statement,
    bound,
    execute_all,
    once,
    updates_return_rows,
)

logger = logging.getLogger("chatitive_django")

Status = Notification.Status

ENDED = {
    Status.ACCEPTED: notification_accepted,
    Status.REJECTED: notification_rejected,
    Status.UNKNOWN: notification_unknown,
    Status.SKIPPED: notification_skipped,
    Status.EXPIRED: notification_expired,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The result of one attempt, and what was decided about its notification."""

    notification: Notification
    result: Result
    decision: Decision
    started_at: datetime


def settle(settlements: Sequence[Settlement], *, again: bool = False) -> list[Settlement]:
    """Store the results of attempts, each where its lease still holds; gives those.

    `tell_settled` tells of them, when the transaction has committed. It is tried `again` after a
    failure: one by one, so that none keeps the others back, and what is stored already is given as
    well, and not stored twice.
    """
    using = log_alias()
    with transaction.atomic(using=using, savepoint=False):
        become_writer(Notification, using)
        if again:
            return [each for each in settlements if _settle_again(each, using)]
        return _settle(settlements, using)


def _settle(settlements: Sequence[Settlement], using: str) -> list[Settlement]:
    if not settlements:
        return []
    connection = connections[using]
    accepted = _keys(execute_all(connection, _statements(settlements, connection)))
    return _stored(settlements, accepted)


def _settle_again(settlement: Settlement, using: str) -> bool:
    """Store what a failure has kept from being stored, or from being known to be."""
    row = settlement.notification
    if _is_stored(settlement):
        if is_plain(settlement):
            _store(settlement)  # its late proof may have come to nothing
        return True
    stored = _rows().filter(pk=row.pk).only("requested_by").first()
    if stored is None:
        logger.error("Notification %s is gone, and its result with it.", row.public_id)
        return False
    row.requested_by_id = stored.requested_by_id  # who asked may be gone meanwhile
    try:
        with transaction.atomic(using=using):
            return bool(_settle([settlement], using))
    except (DataError, IntegrityError) as error:
        logger.error(
            "The result of notification %s can't be stored (%s).",
            row.public_id,
            type(error).__name__,
        )
        return False


class Acceptances:
    """Attempts that were plainly accepted, stored on the way of the next claim.

    Only where the driver takes several statements at once: then settling costs no round trip and no
    commit of its own. Where no claim took them along, `finish` stores them.
    """

    def __init__(self, settlements: Sequence[Settlement]) -> None:
        self._settlements = settlements
        self._accepted: set[int] | None = None

    def statements(self, connection: BaseDatabaseWrapper) -> list[Statement]:
        """What stores them, unless a claim has done it already."""
        if self._accepted is not None:
            return []
        return _statements(self._settlements, connection)

    def note(self, found: Sequence[Rows]) -> None:
        """Learn what the statements gave, if there were any."""
        if found:
            self._accepted = _keys(found)

    def finish(self) -> list[Settlement]:
        """Give those that are stored."""
        if self._accepted is None:
            return settle(self._settlements)
        return _stored(self._settlements, self._accepted)


def server_errors(row: Notification) -> int:
    """How many of a row's stored attempts were answered 500."""
    attempts = Attempt.objects.using(log_alias())
    return attempts.filter(notification=row.pk, http_status=500).count()


def is_plain(settlement: Settlement) -> bool:
    """Whether nothing but its acceptance is to be stored of a row, as it is for nearly all."""
    result = settlement.result
    accepted = settlement.decision.status == Status.ACCEPTED
    return accepted and not (result.reason or result.explanation)


def _is_stored(settlement: Settlement) -> bool:
    """Whether this very attempt is in the log."""
    attempts = Attempt.objects.using(log_alias()).filter(
        notification=settlement.notification.pk, started_at=settlement.started_at
    )
    return attempts.exists()


def _rows() -> QuerySet[Notification]:
    return Notification.objects.using(log_alias())


def _statements(
    settlements: Sequence[Settlement], connection: BaseDatabaseWrapper
) -> list[Statement]:
    """What accepts the rows of those that are plain, and adds the attempts of all."""
    using, count = connection.alias, len(settlements)
    rows = [each.notification for each in settlements if is_plain(each)]
    statements: list[Statement] = []
    if rows:
        accept = once(using, (_Accept, len(rows)), lambda: _Accept(len(rows), connection))
        statements += accept.statements(rows, connection)
    insert = once(using, (Insert, count), lambda: Insert(Attempt, using, rows=count))
    attempts = [_attempt(settlement) for settlement in settlements]
    return [*statements, insert.statement(attempts, connection)]


def _keys(found: Sequence[Rows]) -> set[int]:
    """The keys of the rows that `_statements` accepted."""
    return {pk for rows in found for (pk,) in rows}


def _stored(settlements: Iterable[Settlement], accepted: Collection[int]) -> list[Settlement]:
    """Those that are accepted, and those of the rest that can be stored."""
    return [each for each in settlements if each.notification.pk in accepted or _store(each)]


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
    """What accepts so many rows, each where its lease holds, and gives their keys; compiled.

    A row has a token while it is being sent and at no other time. So its status isn't asked for:
    then the row is found by its key, and not among all that were being sent since the last vacuum.
    """

    def __init__(self, rows: int, connection: BaseDatabaseWrapper) -> None:
        table = connection.ops.quote_name(Notification._meta.db_table)
        now = LateNow()
        moment, _ = now.compiled(connection)
        held = " OR ".join(["(id = %s AND lease_token = %s)"] * rows)
        slots: list[Any] = []
        for n in range(rows):
            slots.append(Slot(f"id{n}", Notification, "id"))
            slots.append(Slot(f"token{n}", Notification, "lease_token"))
        update = (
            f"UPDATE {table} SET status = %s, reason = '', explanation = '', "  # noqa: S608 -- own names
            "lease_token = NULL, leased_until = NULL, requested_by_id = NULL, "
            f"finished_at = {moment} WHERE {held}"
        )
        params = [Status.ACCEPTED.value, now, *slots]
        if updates_return_rows(connection):
            self._statements = [(f"{update} RETURNING id", params)]
        else:
            found = f"SELECT id FROM {table} WHERE {held} FOR UPDATE"  # noqa: S608
            self._statements = [(found, slots), (update, params)]

    def statements(
        self, rows: Sequence[Notification], connection: BaseDatabaseWrapper
    ) -> list[Statement]:
        """What accepts these rows."""
        values: dict[str, Any] = {}
        for n, row in enumerate(rows):
            values |= {f"id{n}": row.pk, f"token{n}": row.lease_token}
        return [(sql, bound(params, connection, values)) for sql, params in self._statements]


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
