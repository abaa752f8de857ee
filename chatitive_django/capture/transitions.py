"""What one write did to one row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet

from .. import registry, signals
from ..dbtime import become_writer
from ..events import Change, Kind, differs
from ..models import Notification
from ..plans import Plan
from ..statements import once
from .prepared import SelectByKey, SelectInstance


class Transition:
    """A row before and after one write, in a transaction that is still open.

    `before` holds the stored values of the watched fields by column attribute, read under the
    write's own lock; what the row holds now is read when it is first asked for. For a relation
    `changes` is given instead.
    """

    def __init__(
        self,
        *,
        plan: Plan,
        model: type[Model],
        pk: Any,
        using: str,
        kind: Kind,
        before: Mapping[str, Any] | None = None,
        changes: Mapping[str, Change] | None = None,
    ) -> None:
        self.declared: tuple[registry.Declared, ...] = plan.owners.get(model, ())
        """The events that this model's rows may emit."""
        self.model = model
        self.pk = registry.stored_key(model, pk)
        self.using = using
        self.kind = kind
        self._before = before or {}
        self._given_changes = changes
        self._instances: dict[type[Model], Model] = {}
        self._joined = True

    def __repr__(self) -> str:
        return f"<Transition: {self.model._meta.label} {self.pk} {self.kind.value}>"

    def instance(self, model: type[Model] | None = None) -> Model:
        """The row as it is stored now, as the model or a proxy of it, with its related rows."""
        model = model or self.model
        if model not in self._instances:
            related = self.related if self._joined else ()
            select = once(
                self.using,
                (SelectInstance, model, related),
                lambda: SelectInstance(model, related, self.pk, self.using),
            )
            self._instances[model] = select.get(self.pk, self.using)
        return self._instances[model]

    @cached_property
    def related(self) -> tuple[str, ...]:
        """The relations that the events' paths cross."""
        return tuple(sorted({name for each in self.declared for name in each.related}))

    def remember(self, model: type[Model], instance: Model) -> None:
        """Take a row that was read together with others."""
        self._instances[model] = instance

    def without_joins(self) -> None:
        """Read the bare row from now on: the joined one could not be read."""
        self._joined = False
        self._instances.clear()

    @cached_property
    def changes(self) -> Mapping[str, Change]:
        """The watched fields whose stored value changed, by name; all of them for a new row."""
        if self._given_changes is not None:
            return self._given_changes
        watched = {
            watched.trigger.field: watched.attname
            for each in self.declared
            for watched in each.watched
        }
        if self.kind is Kind.CREATED:
            return {
                name: Change(None, getattr(self.instance(), attname))
                for name, attname in watched.items()
            }
        return {
            name: Change(self._before[attname], getattr(self.instance(), attname))
            for name, attname in watched.items()
            if attname in self._before
            and differs(self._before[attname], getattr(self.instance(), attname))
        }


def load_together(transitions: Sequence[Transition]) -> None:
    """Read the rows of several transitions of one model at once."""
    by_pk = {transition.pk: transition for transition in transitions}
    first = transitions[0]
    for model in {first.model, *(each.model for each in first.declared)}:
        rows = rows_of(model, list(by_pk), first.using)
        for row in rows.select_related(*first.related) if first.related else rows:
            by_pk[row.pk].remember(model, row)


def emit(model: type[Model], using: str, transitions: Sequence[Transition]) -> None:
    """Tell of transitions of one model; the app's own receiver records what they emit."""
    signals.transitioned.send(sender=model, transitions=transitions, using=using)


def locked(rows: QuerySet[Model], using: str, *, waits: bool = True) -> QuerySet[Model]:
    """Rows under the lock that a write takes; those that others hold are left out unless it waits.

    `FOR NO KEY UPDATE` where there is one: a plain `FOR UPDATE` blocks the foreign-key inserts of
    other transactions.
    """
    become_writer(Notification, using)
    features = connections[using].features
    return rows.select_for_update(
        no_key=features.has_select_for_no_key_update,
        skip_locked=not waits and features.has_select_for_update_skip_locked,
    )


def stored_values(
    model: type[Model], pk: Any, attnames: Iterable[str], using: str
) -> dict[str, Any] | None:
    """The stored values of a row, read under its lock; `None` where there is no such row."""
    become_writer(Notification, using)
    names = tuple(attnames)
    select = once(
        using,
        (SelectByKey, model, names),
        lambda: SelectByKey(
            locked(QuerySet(model=model, using=using).filter(pk=pk), using).values_list(*names),
            using,
        ),
    )
    values = select.read(pk, using)
    return None if values is None else dict(zip(names, values, strict=True))


def rows_of(model: type[Model], pks: Collection[Any], using: str) -> QuerySet[Model]:
    """Rows without any manager, which may hide one (a soft delete that this write has made)."""
    return QuerySet(model=model, using=using).filter(pk__in=pks)
