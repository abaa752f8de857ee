"""The statements that capture makes for every event.

They are the read of one row's watched columns, the joined read of a record with what its payload
needs, and the insert of a log row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet
from django.db.models.fields.reverse_related import OneToOneRel

from ..dbtime import DatabaseNow
from ..models import Notification
from ..statements import Insert, once


class SelectByKey:
    """A `SELECT` of one row by its primary key."""

    def __init__(self, rows: QuerySet[Any, Any], using: str) -> None:
        """`rows` is a `values_list()` that is filtered by a primary key, any one, and no more."""
        self._compiler: Any = rows.query.get_compiler(using)
        self._sql, _ = self._compiler.as_sql()
        self._pk_fields = rows.model._meta.pk_fields

    def read(self, pk: Any, using: str) -> Sequence[Any] | None:
        """The values of the row with this key; `None` where there is none."""
        connection = connections[using]
        key = pk if len(self._pk_fields) > 1 else [pk]
        params = [
            field.get_db_prep_value(value, connection)
            for field, value in zip(self._pk_fields, key, strict=True)
        ]
        with connection.cursor() as cursor:
            cursor.execute(self._sql, params)
            rows = cursor.fetchall()
        return next(iter(self._compiler.results_iter([rows], tuple_expected=True)), None)


@dataclass(frozen=True, slots=True)
class _Joined:
    """A relation that is read along: which columns are its own, and whose it is."""

    parent: str
    field: Any
    model: type[Model]
    attnames: list[str]
    start: int


class SelectInstance:
    """A `SELECT` of one record together with the records that its paths cross."""

    def __init__(self, model: type[Model], related: Sequence[str], pk: Any, using: str) -> None:
        self._model = model
        self._attnames = [field.attname for field in model._meta.concrete_fields]
        self._joined: dict[str, _Joined] = {}
        names = list(self._attnames)
        for path in sorted({prefix for each in related for prefix in _prefixes(each)}):
            parent, _, name = path.rpartition("__")
            owner = self._joined[parent].model if parent else model
            field = owner._meta.get_field(name)
            related_model: Any = field.related_model
            attnames = [each.attname for each in related_model._meta.concrete_fields]
            self._joined[path] = _Joined(parent, field, related_model, attnames, len(names))
            names += [f"{path}__{attname}" for attname in attnames]
        rows: QuerySet[Any, Any] = QuerySet(model=model, using=using).filter(pk=pk)
        self._select = SelectByKey(rows.values_list(*names), using)

    def get(self, pk: Any, using: str) -> Model:
        """The record with this key; raises its model's `DoesNotExist`."""
        values = self._select.read(pk, using)
        if values is None:
            raise self._model.DoesNotExist  # type: ignore[attr-defined]
        root = self._model.from_db(using, self._attnames, values[: len(self._attnames)])
        read: dict[str, Model | None] = {"": root}
        for path, joined in self._joined.items():
            parent = read[joined.parent]
            own = values[joined.start : joined.start + len(joined.attnames)]
            found = None
            if any(value is not None for value in own):
                found = joined.model.from_db(using, joined.attnames, own)
            read[path] = found
            if parent is None:
                continue
            joined.field.set_cached_value(parent, found)
            if found is not None and isinstance(joined.field, OneToOneRel):
                joined.field.remote_field.set_cached_value(found, parent)
        return root


def _prefixes(path: str) -> list[str]:
    """A relation path and the shorter ones that it goes through."""
    parts = path.split("__")
    return ["__".join(parts[: n + 1]) for n in range(len(parts))]


def insert(row: Notification, using: str) -> None:
    """Insert one unsaved row of the log."""
    times = frozenset(
        name
        for name in ("available_at", "expires_at", "created_at", "finished_at")
        if isinstance(getattr(row, name), DatabaseNow)
    )
    statement = once(using, (insert, times), lambda: Insert(Notification, using, times=times))
    statement.execute([row], using)
