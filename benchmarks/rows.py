"""Fills the log with one statement, so that a million rows take seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.core.management.color import no_style
from django.db import connection
from django.utils import timezone

from benchmarks.contestant import PAYLOAD
from chatitive_django.models import Attempt, Notification


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a vendor says: the numbers n from 1, a new UUID, some text with a number, a moment."""

    numbers: str
    uuid: str
    text: str
    moment: str


DIALECTS = {
    "postgresql": Dialect(
        numbers="generate_series(1, {count}) AS n",
        uuid="gen_random_uuid()",
        text="'{text}' || {number}",
        moment="%s::timestamptz + n * interval '{step} seconds'",
    ),
    "mysql": Dialect(
        numbers="(SELECT seq AS n FROM seq_1_to_{count}) AS numbers",
        uuid="uuid()",
        text="concat('{text}', {number})",
        moment="date_add(%s, interval n * {step} second)",
    ),
    "sqlite": Dialect(
        numbers="(WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers"
        " LIMIT {count}) SELECT n FROM numbers)",
        uuid="lower(hex(randomblob(16)))",
        text="'{text}' || ({number})",
        moment="strftime('%%Y-%%m-%%d %%H:%%M:%%f', %s, '+' || (n * {step}) || ' seconds')",
    ),
}


def fill(
    count: int,
    *,
    pending_each: int = 1,
    subscribers: int | None = None,
    first: int = 1_000_000,
    earlier: timedelta = timedelta(),
    step: timedelta = timedelta(seconds=1),
    columns: Mapping[str, str] | None = None,
) -> None:
    """Add `count` rows, one in `pending_each` pending and the others accepted, oldest first.

    They are for as many subscribers as rows, or for `subscribers` in turn, whose numbers begin with
    `first`. One came each `step`, the last of them some time `earlier` than now, and all have been
    due since. `columns` gives other values for columns, as SQL of the row's number n.
    """
    dialect = DIALECTS[connection.vendor]
    now = timezone.now()
    row = Notification(
        event_name="RequestSupportFeedback",
        channel="default",
        payload=PAYLOAD,
        on_ambiguous="hold",
        expires_at=now + timedelta(days=1),
        source_model="benchmarks.watched",
        source_id="12345",
        source_name="Watched object (12345)",
        event_key="benchmarks.Watched:RequestSupportFeedback",
        why={"transition": "changed", "field": "status", "old": "Other", "new": "Success"},
    )
    subscriber = f"({first} + n %% {subscribers or count})"
    pending = f"n %% {pending_each} = 0"
    started = connection.ops.adapt_datetimefield_value(now - earlier - step * (count + 1))
    moment = dialect.moment.format(step=step.total_seconds())
    given = {
        "public_id": (dialect.uuid, []),
        "phone_number": (dialect.text.format(text="206", number=subscriber), []),
        "subscriber_key": (dialect.text.format(text="+1206", number=subscriber), []),
        "order_key": (dialect.text.format(text="default:+1206", number=subscriber), []),
        "status": (f"CASE WHEN {pending} THEN 'pending' ELSE 'accepted' END", []),
        "finished_at": (f"CASE WHEN {pending} THEN NULL ELSE {moment} END", [started]),
        "available_at": (moment, [started]),
        "created_at": (moment, [started]),
        **{name: (value, []) for name, value in (columns or {}).items()},
    }
    names, values, params = [], [], []
    for field in Notification._meta.concrete_fields:
        if not field.primary_key:
            value, its_params = given.get(field.name) or (
                "%s",
                [field.get_db_prep_save(getattr(row, field.attname), connection)],
            )
            names.append(connection.ops.quote_name(field.column))
            values.append(value)
            params += its_params
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Notification._meta.db_table} ({', '.join(names)}) "
            f"SELECT {', '.join(values)} FROM {dialect.numbers.format(count=count)}",
            params,
        )


def empty() -> None:
    """Make the log as new."""
    tables = [model._meta.db_table for model in (Attempt, Notification)]
    statements = connection.ops.sql_flush(
        style=no_style(), tables=tables, reset_sequences=True, allow_cascade=True
    )
    connection.ops.execute_sql_flush(statements)


def analyse() -> None:
    """Have the planner know the log as it is now."""
    each = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
    with connection.cursor() as cursor:
        cursor.execute(f"{each} {Notification._meta.db_table}")
        if connection.vendor == "mysql":
            cursor.fetchall()
