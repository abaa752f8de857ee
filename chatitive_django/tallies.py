"""How many notifications each day had, by status: counted so that millions of rows cost no more."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import connections
from django.utils import timezone

from .models import Notification, log_alias

Status = Notification.Status

DAYS = 7
AT_MOST = 50_000
"""So many rows of one status are counted of a day; where there are so many, there may be more."""
TODAY, BEFORE = 60, 600
"""The seconds for which the counts of today, and of a day before, are kept in the cache."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day's notifications by status; of those in `cut` there are at least so many."""

    date: date
    counts: Mapping[str, int] = field(default_factory=dict)
    cut: frozenset[str] = frozenset()

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Tally:
    """The last days, the oldest first, of all channels together and of each."""

    days: Sequence[Day]
    _of_channel: Mapping[str, Mapping[date, Mapping[str, int]]]

    def of(self, channel: str) -> Sequence[Day]:
        """The same days of one channel."""
        counts = self._of_channel.get(channel, {})
        return [Day(day.date, counts.get(day.date, {}), day.cut) for day in self.days]


def tally(days: int = DAYS) -> Tally:
    """Count what was recorded today and on the days before; most of it is in the cache.

    Of each day and status the newest `AT_MOST` rows are looked at, whatever their channel.
    """
    today = timezone.localdate() if settings.USE_TZ else date.today()  # noqa: DTZ011
    dates = [today - timedelta(days=n) for n in reversed(range(days))]
    keys = {
        day: f"chatitive_django.day.{log_alias()}.{_midnight(day).timestamp()}" for day in dates
    }
    known = cache.get_many(keys.values())
    of_all: dict[date, Counter[str]] = {day: Counter() for day in dates}
    of_channel: defaultdict[str, defaultdict[date, Counter[str]]]
    of_channel = defaultdict(lambda: defaultdict(Counter))
    for day, key in keys.items():
        if key not in known:
            known[key] = _counted(day)
            cache.set(key, known[key], TODAY if day == today else BEFORE)
        for status, channel, count in known[key]:
            of_all[day][status] += count
            of_channel[channel][day][status] += count
    return Tally([_day(day, of_all[day]) for day in dates], of_channel)


def _key(day: date) -> str:
    return f"chatitive_django.day.{log_alias()}.{_midnight(day).timestamp()}"


def _day(day: date, counts: Mapping[str, int]) -> Day:
    return Day(day, counts, frozenset(each for each, count in counts.items() if count >= AT_MOST))


def _counted(day: date) -> Sequence[tuple[str, str, int]]:
    """A status, a channel, and a count, of one day: of several, PostgreSQL compiles the statement.

    The order is what has PostgreSQL take the rows from the index: it would read the table from its
    oldest row on, in the hope of meeting so many soon.
    """
    connection = connections[log_alias()]
    table = connection.ops.quote_name(Notification._meta.db_table)
    newest = (
        f"SELECT channel FROM {table} WHERE status = %s AND created_at >= %s AND created_at < %s "  # noqa: S608 -- own names
        f"ORDER BY created_at DESC LIMIT {AT_MOST}"
    )
    created_at = Notification._meta.get_field("created_at")
    bounds = [
        created_at.get_db_prep_value(_midnight(each), connection)
        for each in (day, day + timedelta(days=1))
    ]
    part = f"SELECT %s, channel, COUNT(*) FROM ({newest}) newest GROUP BY channel"  # noqa: S608
    params = [each for status in Status.values for each in (status, status, *bounds)]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join([part] * len(Status)), params)
        found: Sequence[tuple[str, str, int]] = cursor.fetchall()
    return found


def _midnight(day: date) -> datetime:
    """When a day begins for the reader."""
    begin = datetime.combine(day, time.min)
    return timezone.make_aware(begin) if settings.USE_TZ else begin
