"""Capture of `save()` and `create()`, around the one write that they make.

Django sends `pre_save` and `post_save` outside any transaction in autocommit, so no receiver can
record an event with the change. `Model._save_table` is where the UPDATE or INSERT is made.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, connections, transaction
from django.db.models import Model

from .. import registry, rules
from ..events import Kind, differs
from ..models import log_alias
from ..plans import Plan, Table
from .muting import is_covered, is_muted
from .transitions import Transition, emit, stored_values

SAVE_TABLE_PARAMETERS = (
    "self",
    "raw",
    "cls",
    "force_insert",
    "force_update",
    "using",
    "update_fields",
)
"""The parameters of Django's private `Model._save_table`, which the wrapper stands in for."""

_MARK = "_chatitive_captures"
_WRITES = "_chatitive_writes"
_MISSING = object()


def watch_saves(model: type[Model]) -> None:
    """Wrap the write of a model; its proxies and children inherit the wrapper."""
    original = model._save_table  # type: ignore[attr-defined]
    if getattr(original, _MARK, False):
        return

    @functools.wraps(original)
    def _save_table(
        self: Model,
        raw: bool = False,
        cls: type[Model] | None = None,
        force_insert: bool = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Collection[str] | None = None,
    ) -> bool:
        def write(force_insert: bool = force_insert, force_update: bool = force_update) -> bool:
            return bool(original(self, raw, cls, force_insert, force_update, using, update_fields))

        plan = None if cls is None or raw else rules.plan_for(type(self))
        if plan is None or cls is None:
            return write()
        table = plan.tables[cls]
        asked = asked_attnames(self, table, update_fields)
        may_insert = table.emits_on_insert and not (force_update or update_fields)
        if not asked and not may_insert and len(plan.tables) == 1:
            return write()
        if using != log_alias() or is_muted():
            return write()
        save = _Save(self, plan, cls, using)
        if _surely_inserts(self, cls, force_insert, force_update):
            return save.insert(write)
        if asked or connections[using].in_atomic_block or self._state.adding:
            return save.update(write, asked)
        return save.update_or_insert(write)

    setattr(_save_table, _MARK, True)
    model._save_table = _save_table  # type: ignore[attr-defined]


def asked_attnames(
    instance: Model, table: Table, update_fields: Collection[str] | None
) -> list[str]:
    """The watched columns to which a write may give a value that a trigger asks for."""
    values = instance.__dict__
    return [
        column.attname
        for column in table.columns.values()
        if (
            update_fields is None
            or column.name in update_fields
            or column.attname in update_fields
            or column.field.generated
        )
        and column.may_become(values.get(column.attname, _MISSING))
    ]


def _surely_inserts(
    instance: Model, model: type[Model], force_insert: bool, force_update: bool
) -> bool:
    """Whether Django will insert without trying an UPDATE first, by its own rule."""
    meta = model._meta
    if force_insert or not instance._is_pk_set(meta):  # type: ignore[attr-defined]
        return True
    return (
        instance._state.adding
        and not force_update
        and all(f.has_default() or f.has_db_default() for f in meta.pk_fields)
    )


@dataclass(slots=True)
class _TableWrite:
    """What became of one table of a save."""

    inserted: bool
    before: Mapping[str, Any] = field(default_factory=dict)


class _Save:
    """One save of an instance, seen from one of its tables."""

    def __init__(self, instance: Model, plan: Plan, model: type[Model], using: str) -> None:
        self.instance = instance
        self.plan = plan
        self.model = model
        self.using = using

    def insert(self, write: Callable[[], bool]) -> bool:
        with self._transaction():
            updated = write()
            self._written(_TableWrite(inserted=not updated))
        return updated

    def update(self, write: Callable[[], bool], asked: Collection[str]) -> bool:
        """Write what is most likely an UPDATE, comparing the row before and after."""
        with self._transaction():
            before = {}
            if asked:
                pk = self._pk(self.model)
                before = stored_values(self.model, pk, asked, self.using) or {}
            updated = write()
            changed = {name: old for name, old in before.items() if self._may_differ(name, old)}
            self._written(_TableWrite(inserted=not updated, before=changed))
        return updated

    def update_or_insert(self, write: Callable[..., bool]) -> bool:
        """Save a row that is there most likely, without the transaction that only an insert needs.

        These are Django's own two steps, one after the other.
        """
        if self.model._meta.select_on_save:
            return self.update(write, ())
        not_updated = getattr(self.model, "NotUpdated", DatabaseError)
        try:
            return write(force_update=True)
        except not_updated as error:
            if type(error) is not not_updated:
                raise
        return self.insert(functools.partial(write, force_insert=True))

    def _transaction(self) -> AbstractContextManager[Any]:
        if connections[self.using].in_atomic_block:
            return nullcontext()
        return transaction.atomic(using=self.using)

    def _pk(self, model: type[Model]) -> Any:
        return self.instance._get_pk_val(model._meta)

    def _may_differ(self, attname: str, old: Any) -> bool:
        """Whether the row may hold another value than `old`, as far as the instance knows."""
        value = self.instance.__dict__.get(attname, _MISSING)
        column = self.plan.tables[self.model].columns[attname]
        unseen = value is _MISSING or column.is_written_unseen
        return unseen or differs(old, column.converted(value))

    def _written(self, done: _TableWrite) -> None:
        """Note what became of this table; after the last one, tell of the transitions.

        A model with concrete parents is written table by table, its own last, and a save is one
        transition whichever tables it went through.
        """
        if len(self.plan.tables) == 1:
            self._tell({self.model: done})
            return
        writes = self.instance.__dict__.setdefault(_WRITES, {})
        writes[self.model] = done
        if self.model is self.plan.model:
            self._tell(self.instance.__dict__.pop(_WRITES))

    def _tell(self, writes: Mapping[type[Model], _TableWrite]) -> None:
        for owner, events in self.plan.owners.items():
            if is_covered(owner, registry.stored_key(owner, self._pk(owner))):
                continue
            if owner not in writes:  # a rule has come into force between two tables of the save
                continue
            if writes[owner].inserted:
                if self.plan.tables[owner].emits_on_insert:
                    self._emit(owner, Kind.CREATED, {})
                continue
            before = {
                name: old
                for table, written in writes.items()
                if issubclass(owner, table)
                for name, old in written.before.items()
            }
            if any(
                watched.attname in before and watched.trigger.accepts_old(before[watched.attname])
                for declared in events
                for watched in declared.watched
            ):
                self._emit(owner, Kind.CHANGED, before)

    def _emit(self, owner: type[Model], kind: Kind, before: Mapping[str, Any]) -> None:
        pk = self._pk(owner)
        transition = Transition(
            plan=self.plan, model=owner, pk=pk, using=self.using, kind=kind, before=before
        )
        emit(owner, self.using, [transition])
