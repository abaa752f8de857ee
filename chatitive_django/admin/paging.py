"""Counts for the list that cost the same at any size of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.db import connections
from django.db.models import Max, Min, QuerySet
from django.utils.functional import cached_property

from ..models import Notification

if TYPE_CHECKING:
    _Paginator = Paginator[Notification]
else:  # Django's own classes take no type arguments when they run
    _Paginator = Paginator

COUNTED = 10_000
"""Of what is filtered so many rows are counted at most."""


class LogPaginator(_Paginator):
    """Pages through the log: all of it by an estimate, a part of it up to `COUNTED` rows.

    `is_cut` tells that there are more rows than are counted, `is_estimate` that nobody counted.
    """

    object_list: QuerySet[Notification]

    @cached_property
    def count(self) -> int:
        return min(self._counted, COUNTED) if self._estimate is None else self._estimate

    @property
    def is_cut(self) -> bool:
        return self._estimate is None and self._counted > COUNTED

    @property
    def is_estimate(self) -> bool:
        return self._estimate is not None

    @cached_property
    def _counted(self) -> int:
        return self.object_list.order_by()[: COUNTED + 1].count()

    @cached_property
    def _estimate(self) -> int | None:
        """The size of the log where all of it is listed, and it is large."""
        if self.object_list.query.where:
            return None
        about = estimate(self.object_list)
        return about if about > COUNTED else None


def estimate(rows: QuerySet[Notification]) -> int:
    """About how many rows the log has, as the database's statistics tell; 0 where they don't.

    SQLite keeps none: there the ids tell, and rows that were pruned between them count.
    """
    connection = connections[rows.db]
    table = rows.model._meta.db_table
    match connection.vendor:
        case "postgresql":
            statement = "SELECT reltuples FROM pg_class WHERE oid = to_regclass(%s)"
            params = [connection.ops.quote_name(table)]
        case "mysql":
            statement = (
                "SELECT table_rows FROM information_schema.tables "
                "WHERE table_schema = DATABASE() AND table_name = %s"
            )
            params = [table]
        case _:
            ids: dict[str, Any] = rows.order_by().aggregate(first=Min("pk"), last=Max("pk"))
            return ids["last"] - ids["first"] + 1 if ids["last"] else 0
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        found = cursor.fetchone()
    return max(int(found[0] or 0), 0) if found else 0
