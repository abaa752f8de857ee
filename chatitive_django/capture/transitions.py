"""What one write did to one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet

from .. import registry, signals
from ..dbtime import become_writer
from ..events import Change, Kind
from ..models import Notification


class Transition:
    """A row before and after one write, in a transaction that is still open.

    `before` holds the stored values of the watched fields by column attribute, read under the
    write's own lock; what the row holds now is read when it is first asked for.
    """

    def __init__(
        self,
        *,
        model: type[Model],
        pk: Any,
        using: str,
        kind: Kind,
        before: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.pk = pk
        self.using = using
        self.kind = kind
        self._before = before or {}
        self._instances: dict[type[Model], Model] = {}
        self._joined = True

    def __repr__(self) -> str:
        return f"<Transition: {self.model._meta.label} {self.pk} {self.kind.value}>"

    @cached_property
    def declared(self) -> tuple[registry.Declared, ...]:
        """The events that this model's rows may emit."""
        plan = registry.plan_for(self.model)
        return plan.owners.get(self.model, ()) if plan else ()

    def instance(self, model: type[Model] | None = None) -> Model:
        """The row as it is stored now, as the model or a proxy of it, with its related rows."""
        model = model or self.model
        if model not in self._instances:
            rows = _rows(model, self.pk, self.using)
            related = {name for each in self.declared for name in each.related}
            if self._joined and related:
                rows = rows.select_related(*sorted(related))
            self._instances[model] = rows.get()
        return self._instances[model]

    def without_joins(self) -> None:
        """Read the bare row from now on: the joined one could not be read."""
        self._joined = False
        self._instances.clear()

    @property
    def changes(self) -> dict[str, Change]:
        """The watched fields whose stored value changed, by name; all of them for a new row."""
        watched = {
            watched.trigger.field: watched.field.attname
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
            and getattr(self.instance(), attname) != self._before[attname]
        }


def stored_values(
    model: type[Model], pk: Any, attnames: Iterable[str], using: str
) -> dict[str, Any] | None:
    """The stored values of a row, read under the lock that the coming write takes anyway.

    `FOR NO KEY UPDATE` where there is one: a plain `FOR UPDATE` blocks the foreign-key inserts of
    other transactions. `None` where there is no such row.
    """
    become_writer(Notification, using)
    no_key = connections[using].features.has_select_for_no_key_update
    rows = _rows(model, pk, using).select_for_update(no_key=no_key)
    return next(iter(rows.values(*attnames)), None)


def _rows(model: type[Model], pk: Any, using: str) -> QuerySet[Model]:
    """The row without any manager, which may hide it (a soft delete that this write has made)."""
    return QuerySet(model=model, using=using).filter(pk=pk)


def emit(transition: Transition) -> None:
    """Tell of a transition; the app's own receiver records what it emits."""
    signals.transitioned.send(
        sender=transition.model, transition=transition, using=transition.using
    )
