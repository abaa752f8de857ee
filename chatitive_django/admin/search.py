"""Finds rows of the log exactly: what a term looks like decides in which column to look."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from django.db import connections
from django.db.models import Q, QuerySet

from ..models import Notification
from ..subscribers import normalise

LONGEST_ID = 18
"""Digits of the longest number that every database takes as an id."""


def search(
    queryset: QuerySet[Notification], term: str, events: Collection[str]
) -> QuerySet[Notification]:
    """The rows of a subscriber, else the row of an id, else the events whose name begins so.

    Never inside payloads. Case counts for nothing in the names of `events`. A subscriber is
    looked for in the whole log, so that the same term means the same under every filter.
    """
    term = term.replace("\0", "").strip()
    if not term:
        return queryset
    if (public_id := _uuid(term)) is not None:
        return queryset.filter(public_id=public_id)
    keys = [normalise(term), f"sid:{term}"]
    log = Notification.objects.using(queryset.db)
    if log.filter(subscriber_key__in=keys).exists():
        return queryset.filter(subscriber_key__in=keys)
    number = term.removeprefix("#")
    if number.isdecimal() and len(number) <= LONGEST_ID:
        return queryset.filter(pk=int(number))
    # The comparison that MySQL and MariaDB find in an index is the one that takes no heed of case;
    # that of PostgreSQL does take heed.
    is_mysql = connections[queryset.db].vendor == "mysql"
    begins = Q(**{f"event_name__{'istartswith' if is_mysql else 'startswith'}": term})
    start = term.lower()
    missed = [e for e in events if e.lower().startswith(start) and not e.startswith(term)]
    return queryset.filter(begins | Q(event_name__in=missed) if missed else begins)


def _uuid(term: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(term)
    except ValueError:
        return None
