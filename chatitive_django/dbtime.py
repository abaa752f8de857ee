"""The database's own clock, which rules every lease, and the writer's turn on SQLite."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func, Model
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone


class DatabaseNow(Func):
    """The moment of the statement plus an offset, by the database's clock; on SQLite the host's.

    Django's own `Now()` is the start of the transaction on PostgreSQL, and on MariaDB it is in the
    session's time zone, which made a lease of 30 seconds last for hours.
    """

    output_field = DateTimeField()

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        super().__init__()
        self.offset = offset

    def as_sql(  # type: ignore[override]
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        return self.compiled(connection)

    def compiled(self, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        """The SQL, the same for every offset, and its parameter."""
        match connection.vendor:
            case "postgresql":
                seconds = self.offset.total_seconds()
                return "STATEMENT_TIMESTAMP() + make_interval(secs => %s)", (seconds,)
            case "mysql":
                zone = connection.timezone or timezone.get_default_timezone()
                offset = self.offset + (datetime.now(zone).utcoffset() or timedelta(0))
                microseconds = offset // timedelta(microseconds=1)
                return "DATE_ADD(UTC_TIMESTAMP(6), INTERVAL %s MICROSECOND)", (microseconds,)
            case _:
                moment = timezone.now() + self.offset
                return "%s", (connection.ops.adapt_datetimefield_value(moment),)


def becomes_writer_late(connection: BaseDatabaseWrapper) -> bool:
    """Whether a transaction here begins as a reader of the whole file: SQLite's default."""
    if connection.vendor != "sqlite":
        return False
    mode = connection.settings_dict.get("OPTIONS", {}).get("transaction_mode")
    return str(mode).upper() not in {"IMMEDIATE", "EXCLUSIVE"}


def become_writer(model: type[Model], using: str) -> None:
    """On SQLite, take the write lock of the open transaction before its first read.

    A transaction that has read can't become the writer once another has written: it fails with
    "database is locked" at once, whatever its timeout. Elsewhere rows are locked, not the file.
    """
    connection = connections[using]
    if not becomes_writer_late(connection):
        return
    quote = connection.ops.quote_name
    table, key = quote(model._meta.db_table), quote(model._meta.pk.attname)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {key} = {key} WHERE 0")  # noqa: S608 -- own names


def database_now(using: str) -> datetime:
    """What the database's clock says."""
    connection = connections[using]
    moment = DatabaseNow()
    sql, params = moment.compiled(connection)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql}", params)
        [value] = cursor.fetchone()
    for convert in connection.ops.get_db_converters(moment):
        value = convert(value, moment, connection)
    found: datetime = value
    return found
