"""The database's own clock, which rules every lease, and the writer's turn on SQLite."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func, Model
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone

_Compiled = tuple[str, tuple[Any, ...]]


class DatabaseNow(Func):
    """The moment of the statement, by the database's clock, plus an offset.

    Django's own `Now()` is the start of the transaction on PostgreSQL, and on MariaDB it is in the
    session's time zone, which made a lease of 30 seconds last for hours.
    """

    template = "%(function)s()"
    function = "STATEMENT_TIMESTAMP"
    output_field = DateTimeField()

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        super().__init__()
        self.offset = offset

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> _Compiled:
        if not self.offset:
            return "STATEMENT_TIMESTAMP()", ()
        return "STATEMENT_TIMESTAMP() + make_interval(secs => %s)", (self.offset.total_seconds(),)

    def as_mysql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> _Compiled:
        utc_offset = datetime.now(
            connection.timezone or timezone.get_default_timezone()
        ).utcoffset()
        offset = self.offset + (utc_offset or timedelta(0))
        return (
            "DATE_ADD(UTC_TIMESTAMP(6), INTERVAL %s MICROSECOND)",
            (offset // timedelta(microseconds=1),),
        )

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> _Compiled:
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
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET id = id WHERE 0")  # noqa: S608 -- no value, own table
