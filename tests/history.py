"""What the log should say, kept in plain Python: rows, and what each change of one tells.

A program makes every write twice, in the database and here. Nothing here asks the app, so that
the log of the one can be held to the log of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from django.db.models import Model

from chatitive_django import ANY, Added, Changed, Created, Deleted, Event, Removed

Row: TypeAlias = Mapping[str, Any]
"""The stored values of a record by field name; of a relation, the set of the related keys."""


class Record(NamedTuple):
    """The place of a row: its table and its key."""

    model: type[Model]
    pk: Any


class Entry(NamedTuple):
    """What the log says of one transition of one record."""

    event: str
    is_valid: bool
    transition: str
    field: str | None = None
    old: Any = None
    new: Any = None


class History:
    """The rows as they are stored now, and all that the log should say of each record, in order."""

    def __init__(self) -> None:
        self.rows: dict[Record, Row] = {}
        self.log: dict[Record, tuple[Entry, ...]] = {}
        self._untold: frozenset[Record] = frozenset()
        self._is_muted = False
        self._covered: tuple[Collection[Record], ...] = ()

    def write(self, record: Record, after: Row | None, *, seen: bool = True) -> None:
        """Insert, update or, with `None`, delete a row, by a write that capture sees or doesn't."""
        before = self.rows.get(record)
        others = {place: row for place, row in self.rows.items() if place != record}
        self.rows = others if after is None else {**others, record: after}
        waits = after is not None and any(record in records for records in self._covered)
        is_told = seen and not waits and not self._is_muted
        if is_told:
            self._tell(record, before, after)
        if before is None and not is_told:
            self._untold |= {record}
        elif after is None:
            self._untold -= {record}

    def _tell(self, record: Record, before: Row | None, after: Row | None) -> None:
        events = getattr(record.model, "chatitive_events", ())
        told = [told for event in events if (told := entry(event, before, after))]
        self.log = {**self.log, record: (*self.log.get(record, ()), *told)}

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """A transaction or savepoint: where the block raises, nothing of it has happened."""
        saved = self.rows, self.log, self._untold
        try:
            yield
        except BaseException:
            self.rows, self.log, self._untold = saved
            raise

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Inside, no write is seen."""
        before, self._is_muted = self._is_muted, True
        try:
            yield
        finally:
            self._is_muted = before

    @contextmanager
    def capture_changes(self, covers: Callable[[Record, Row], bool]) -> Iterator[None]:
        """What the block does to a row that is covered is one transition, told when it ends.

        A new row that would be covered is told of then, unless its creation was seen by itself.
        """
        if self._is_muted:
            yield
            return
        with self.atomic():
            at_first, outer = self.rows, self._covered
            covered = {
                record: row
                for record, row in at_first.items()
                if covers(record, row) and not any(record in records for records in outer)
            }
            self._covered = (*outer, covered)
            try:
                yield
            finally:
                self._covered = outer
            for record, row in self.rows.items():
                if record in covered:
                    self._tell(record, covered[record], row)
                elif record in self._untold - at_first.keys() and covers(record, row):
                    self._untold -= {record}
                    self._tell(record, None, row)


def entry(event: Event, before: Row | None, after: Row | None) -> Entry | None:
    """What an event says of one change of a row: the first of its triggers that asks for it."""
    row: Row = before if after is None else after  # type: ignore[assignment]
    if not all(row[condition.path] == condition.value for condition in event.conditions):
        return None
    says = partial(Entry, event.name, not row.get("fault"))
    for trigger in event.triggers:
        match trigger:
            case Created() if before is None:
                return says("created")
            case Deleted() if after is None:
                return says("deleted")
            case Changed(name, from_, to, on_create) if after and _among(after[name], to):
                new = after[name]
                if before is None and on_create:
                    return says("created", name, None, new)
                if before and before[name] != new and _among(before[name], from_):
                    return says("changed", name, before[name], new)
            case Added(name) if before and after and (new := after[name] - before[name]):
                return says("added", name, None, sorted(new))
            case Removed(name) if before and after and (old := before[name] - after[name]):
                return says("removed", name, sorted(old), None)
    return None


def _among(value: Any, values: Any) -> bool:
    return values is ANY or value in values
