"""What a rule sends, when it goes live, to the records that were in its state before.

A record is judged twice: when the rows are chosen, to tell a person what would come of it, and
again at its turn, which alone counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q, QuerySet

from .capture.compose import Origin
from .capture.limits import HEARD, Limits
from .capture.record import as_logged, judged, spoiled, write
from .capture.transitions import locked, rows_of
from .events import ANY, FOUND, LIVE
from .models import BatchRow, EventRule, Notification, ResendBatch, log_alias
from .registry import Declared, Watched, held_value, key_read, key_text
from .rules import declared_rule
from .today import bisected, records_of

Status = Notification.Status
Sort = BatchRow.Sort

QUEUED = "queued"
RECORD_GONE = "record_gone"
OTHER_STATE = "other_state"
TOLD_BEFORE = "told_before"
CONDITION_FAILS = "condition_fails"
RULE_GONE = "rule_gone"
RULE_OFF = "rule_off"
RULE_CHANGED = "rule_changed"

_SORTED_AT_ONCE = 500

Judged = Notification | str
"""The row of the log that a record makes, or a code that says why it makes none."""


class Ended(Exception):
    """A backfill's rule is no longer the one that went live; `code` says what became of it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Backfill:
    """A rule, and the state to which its transition leads."""

    declared: Declared
    watched: Watched

    def keys(self, limit: int) -> list[Any]:
        """The keys of the records that are in the state, lowest first."""
        return list(self._in_state()[:limit])

    def texts(self, limit: int) -> list[str]:
        """The same as the log names them."""
        return [key_text(self.declared.owner, key)[:255] for key in self.keys(limit)]

    def count(self, limit: int) -> int:
        """How many records are in the state; no more than the limit are counted."""
        return self._in_state()[:limit].count()

    def sorted(self, keys: Sequence[Any]) -> Iterator[BatchRow]:
        """A row of a batch for each record that is in the state, sorted by what would come of it.

        What `once` and a cooldown hold back is left to the record's turn.
        """
        for start in range(0, len(keys), _SORTED_AT_ONCE):
            for text, found in bisected(
                self._judged, keys[start : start + _SORTED_AT_ONCE], spoiled=self._spoiled
            ):
                if (sort := _sort(found)) is not None:
                    yield BatchRow(source_id=text, sort=sort)

    def take(self, rows: Sequence[BatchRow]) -> None:
        """Write what each row's record makes to the log, and note in the row what became of it.

        The records are held until the open transaction ends. One that another transaction holds
        just now is left out: to wait for it while holding others could deadlock with a user's.
        """
        keys = {row: key_read(self.declared.owner, row.source_id or "") for row in rows}
        held = self._held(keys.values())
        busy = self._existing(set(keys.values()) - held)
        due = {row: key for row, key in keys.items() if key not in busy}

        def record(part: Sequence[BatchRow]) -> list[tuple[BatchRow, Judged]]:
            found = [each for _text, each in self._judged([due[row] for row in part])]
            self._write(found)
            return list(zip(part, found, strict=True))

        made = list(bisected(record, list(due), spoiled=self._spoiled_row))
        public_ids = [found.public_id for _row, found in made if isinstance(found, Notification)]
        written = Notification.objects.using(log_alias()).filter(public_id__in=public_ids)
        ids = dict(written.values_list("public_id", "pk"))
        for row, found in made:
            row.result = _result(found)[:32]
            if isinstance(found, Notification):
                row.sent_as_id = ids[found.public_id]

    def _judged(self, keys: Sequence[Any]) -> list[tuple[str, Judged]]:
        """What each record makes as it is stored now, with its key as the log names it."""
        owner = self.declared.owner
        texts = {key: key_text(owner, key)[:255] for key in keys}
        visible = list(_keys(self._manager().filter(pk__in=list(keys))))
        records = records_of(self.declared, visible)
        told = self._told(texts.values())
        return [
            (texts[key], self._judge(records.get(key), key, is_told=texts[key] in told))
            for key in keys
        ]

    def _judge(self, instance: Model | None, key: Any, *, is_told: bool) -> Judged:
        if instance is None:
            return RECORD_GONE
        value = getattr(instance, self.watched.attname)
        if not self.watched.trigger.accepts_new(held_value(self.watched.field, value)):
            return OTHER_STATE
        if is_told:
            return TOLD_BEFORE
        why = self._why(value)
        row = judged(self.declared, instance, pk=key, why=why, origin=Origin.BACKFILL)
        return CONDITION_FAILS if row is None else row

    def _write(self, found: Sequence[Judged]) -> None:
        limits = Limits(log_alias())
        rows = [each for each in found if isinstance(each, Notification)]
        for row in rows:
            limits.hold_back(row, self.declared.event)
        write(rows, log_alias())

    def _spoiled(self, key: Any, error: Any) -> tuple[str, Judged]:
        row = spoiled(self.declared, error, pk=key, why=self._why(None), origin=Origin.BACKFILL)
        return row.source_id, row

    def _spoiled_row(self, row: BatchRow, error: Any) -> tuple[BatchRow, Judged]:
        key = key_read(self.declared.owner, row.source_id or "")
        _text, found = self._spoiled(key, error)
        self._write([found])
        return row, found

    def _why(self, value: Any) -> dict[str, Any]:
        return {
            "transition": FOUND,
            "field": self.watched.trigger.field,
            "new": as_logged(value),
        }

    def _told(self, texts: Collection[str]) -> set[str]:
        """Those to which the rule has sent before, whatever they were then."""
        rows = Notification.objects.using(log_alias()).filter(
            event_key=self.declared.key,
            source_model=self.declared.owner._meta.label_lower,
            source_id__in=texts,
            status__in=HEARD,
        )
        return set(rows.values_list("source_id", flat=True))

    def _in_state(self) -> QuerySet[Model, Any]:
        name, to = self.watched.field.name, self.watched.trigger.to
        asked = Q(**{f"{name}__in": [value for value in to if value is not None]})
        if None in to:
            asked |= Q(**{f"{name}__isnull": True})
        return _keys(self._manager().filter(asked))

    def _manager(self) -> QuerySet[Model]:
        """The records as the project's own manager has them: what it hides is sent nothing."""
        return self.declared.model._default_manager.using(log_alias())

    def _held(self, keys: Collection[Any]) -> set[Any]:
        """The records that nobody else holds, under the lock that their own write takes."""
        using = log_alias()
        rows = rows_of(self.declared.model, list(keys), using).order_by("pk")
        held = locked(rows, using, waits=False).values_list("pk", self.watched.attname)
        return {pk for pk, _value in held}

    def _existing(self, keys: Collection[Any]) -> set[Any]:
        if not keys:
            return set()
        return set(_keys(rows_of(self.declared.model, list(keys), log_alias())))


def _keys(rows: QuerySet[Model]) -> QuerySet[Model, Any]:
    """The keys of rows, each once though a manager may join, whatever the order of their model."""
    keys = rows.order_by("pk").values_list("pk", flat=True)
    # Of a key of several columns Django's `distinct()` gives the first alone.
    return keys if len(rows.model._meta.pk_fields) > 1 else keys.distinct()


def backfill_of(rule: EventRule) -> Backfill | None:
    """A rule's backfill; `None` where no record shows that the rule's transition was made.

    That is told by a field that has become one of some values, whatever it was before. That a
    record was once created, or has lost or gained another, is no state that it is in.
    """
    declared = declared_rule(rule, rule.conditions.all(), rule.payload.all())
    for watched in declared.watched if declared is not None else ():
        if declared is not None and watched.trigger.to is not ANY:
            return Backfill(declared, watched)
    return None


def backfill_for(batch: ResendBatch) -> Backfill:
    """The backfill of a batch's rule as it went live; raises `Ended` where it is another by now."""
    rules = EventRule.objects.using(log_alias()).prefetch_related("conditions", "payload")
    rule = rules.filter(pk=batch.rule_id).first()
    if rule is None:
        raise Ended(RULE_GONE)
    if rule.mode != LIVE:
        raise Ended(RULE_OFF)
    if rule.version != batch.rule_version or (found := backfill_of(rule)) is None:
        raise Ended(RULE_CHANGED)
    return found


_SORTS: Mapping[str, Sort] = {TOLD_BEFORE: Sort.TOLD, CONDITION_FAILS: Sort.CONDITION}


def _sort(found: Judged) -> Sort | None:
    """How a record is sorted; `None` where it left the state while it was looked at."""
    if isinstance(found, str):
        return _SORTS.get(found)
    if found.status != Status.INVALID:
        return Sort.FRESH
    return Sort.NO_PHONE if found.reason == "no_subscriber" else Sort.IMPOSSIBLE


def _result(found: Judged) -> str:
    if isinstance(found, str):
        return found
    return QUEUED if found.status == Status.PENDING else found.reason
