"""Statements that are made for every event, compiled once a connection.

To build and compile a query takes Django several times as long as the database takes to answer it.
Those of capture and of delivery are always the same but for their values, so they are compiled with
slots where the values go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Field, Model
from django.db.models.sql.compiler import SQLCompiler

from .dbtime import DatabaseNow

T = TypeVar("T")
Statement = tuple[str, list[Any]]
"""SQL and its parameters."""
Rows = list[tuple[Any, ...]]

_compiled: WeakKeyDictionary[BaseDatabaseWrapper, dict[Any, Any]] = WeakKeyDictionary()


def once(using: str, key: tuple[Any, ...], make: Callable[[], T]) -> T:
    """What `make` gives, made once for a connection."""
    known = _compiled.setdefault(connections[using], {})
    if key not in known:
        known[key] = make()
    made: T = known[key]
    return made


class Slot(Expression):
    """A value that each execution of a statement gives by name, as that field stores it."""

    def __init__(self, name: str, model: type[Model], field: str) -> None:
        super().__init__(output_field=cast("Field[Any, Any]", model._meta.get_field(field)))
        self.name = name

    def as_sql(self, *args: Any, **kwargs: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)

    def bind(self, connection: BaseDatabaseWrapper, values: dict[str, Any]) -> Any:
        return self.output_field.get_db_prep_value(values[self.name], connection)


class LateNow(DatabaseNow):
    """The database's time when the statement is executed, not when it is compiled."""

    def as_sql(  # type: ignore[override]
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        sql, _ = self.compiled(connection)
        return sql, (self,)

    def bind(self, connection: BaseDatabaseWrapper, values: dict[str, Any]) -> Any:
        [value] = self.compiled(connection)[1]
        return value


def bound(
    params: Iterable[Any], connection: BaseDatabaseWrapper, values: dict[str, Any]
) -> list[Any]:
    """The parameters of a compiled statement with its slots filled."""
    return [
        param.bind(connection, values) if isinstance(param, (Slot, LateNow)) else param
        for param in params
    ]


def updates_return_rows(connection: BaseDatabaseWrapper) -> bool:
    """Whether `UPDATE … RETURNING` is there: MySQL and MariaDB have it for no update."""
    if connection.vendor == "sqlite":
        # Both came with SQLite 3.35.
        return connection.features.can_return_columns_from_insert
    return connection.vendor == "postgresql"


def takes_several(connection: BaseDatabaseWrapper) -> bool:
    """Whether one execution takes several statements and gives the rows of each.

    So it is with psycopg 3, unless it leaves it to the server to put in the values.
    """
    if connection.vendor != "postgresql":
        return False
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    options = connection.settings_dict["OPTIONS"]
    return is_psycopg3 and not options.get("server_side_binding")


def execute_all(connection: BaseDatabaseWrapper, statements: Sequence[Statement]) -> list[Rows]:
    """Execute statements one after the other, and give the rows of each.

    Where the driver takes several at once, they are one round trip and, in autocommit, one
    transaction.
    """
    with connection.cursor() as cursor:
        if not takes_several(connection):
            found = []
            for sql, params in statements:
                cursor.execute(sql, params)
                found.append(_fetched(cursor))
            return found
        sql = "; ".join(sql for sql, _ in statements)
        cursor.execute(sql, [param for _, params in statements for param in params])
        found = [_fetched(cursor)]
        while cursor.nextset():
            found.append(_fetched(cursor))
        return found


def _fetched(cursor: Any) -> Rows:
    return list(cursor.fetchall()) if cursor.description else []


class Insert:
    """An `INSERT` of so many rows, where the given fields hold the database's own time."""

    def __init__(
        self, model: type[Model], using: str, *, rows: int = 1, times: frozenset[str] = frozenset()
    ) -> None:
        connection = connections[using]
        quote = connection.ops.quote_name
        self._fields = [field for field in model._meta.concrete_fields if not field.primary_key]
        moment, _ = DatabaseNow().compiled(connection)
        columns = ", ".join(quote(str(field.column)) for field in self._fields)
        values = ", ".join(moment if field.name in times else "%s" for field in self._fields)
        table = quote(model._meta.db_table)
        every = ", ".join([f"({values})"] * rows)
        self._sql = f"INSERT INTO {table} ({columns}) VALUES {every}"  # noqa: S608 -- own names

    def execute(self, rows: Sequence[Model], using: str) -> None:
        """Insert the rows, as many as it was made for; they don't learn their primary keys."""
        connection = connections[using]
        execute_all(connection, [self.statement(rows, connection)])

    def statement(self, rows: Sequence[Model], connection: BaseDatabaseWrapper) -> Statement:
        """What inserts the rows."""
        params: list[Any] = []
        for row in rows:
            for field in self._fields:
                value = getattr(row, field.attname)
                if isinstance(value, DatabaseNow):
                    params += value.compiled(connection)[1]
                else:
                    params.append(field.get_db_prep_save(value, connection))
        return self._sql, params
