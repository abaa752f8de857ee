"""`tail`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from ...conf import settings
from ...models import Notification, log_alias
from ...reasons import sentence
from .base import Output, Verb, positive

Status = Notification.Status

WATCHED = 500
"""The newest rows whose changes are followed: a row may be seen late, or change its status."""
SEARCHED = 50_000
"""How far back lines of one event are looked for: the log has no index by event."""

_Seen = dict[int, tuple[str, int]]


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--status", choices=Status.values)
    parser.add_argument("--event", metavar="E")
    parser.add_argument("--lines", type=positive, default=10, metavar="N", help="to begin with")
    parser.add_argument("--no-follow", action="store_true", help="end after them")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="a line each")


def _tail(
    out: Output,
    *,
    status: str | None,
    event: str | None,
    lines: int,
    no_follow: bool,
    format: str,  # noqa: A002 -- its option's
) -> int:
    told = _as_json if format == "json" else _as_text
    wanted: dict[str, Any] = {"event_name": event} if event else {}
    if status:
        wanted["status"] = status
    try:
        seen: _Seen = {}
        newest = _newest(wanted, max(lines, WATCHED))
        seen |= {row.pk: _state(row) for row in newest}
        _write(out, reversed(newest[:lines]), told)
        while not no_follow:
            time.sleep(settings.POLL_INTERVAL)
            changed = [row for row in _newest(wanted, WATCHED) if seen.get(row.pk) != _state(row)]
            seen |= {row.pk: _state(row) for row in changed}
            _forget(seen)
            _write(out, reversed(changed), told)
    except (KeyboardInterrupt, BrokenPipeError):
        pass  # whoever watched has seen enough
    return 0


def _newest(wanted: dict[str, Any], limit: int) -> list[Notification]:
    rows: QuerySet[Notification] = Notification.objects.using(log_alias()).order_by("-pk")
    last = rows.values_list("pk", flat=True).first() or 0
    found = rows.filter(pk__gt=last - SEARCHED, **wanted).defer("payload", "why")
    return list(found[:limit])


def _state(row: Notification) -> tuple[str, int]:
    return row.status, row.attempts


def _forget(seen: _Seen) -> None:
    """Keep what may come up again."""
    for pk in sorted(seen)[: -2 * WATCHED]:
        del seen[pk]


def _write(out: Output, rows: Iterator[Notification], told: Callable[[Notification], str]) -> None:
    for row in rows:
        out.write(told(row))
    out.flush()  # a pipe would be told nothing for long


def _as_text(row: Notification) -> str:
    when = row.finished_at or row.created_at
    local = timezone.localtime(when) if timezone.is_aware(when) else when
    about = f" about {row.source_model} {row.source_id}" if row.source_model else ""
    tries = f", try {row.attempts}" if row.attempts > 1 else ""
    return (
        f"{local:%Y-%m-%d %H:%M:%S} #{row.pk} {row.status}{tries} {row.event_name} "
        f"to {row.masked_subscriber or 'nobody'} by {row.channel}{about}. {sentence(row.reason)}"
    ).rstrip()


def _as_json(row: Notification) -> str:
    facts = {
        "id": row.pk,
        "public_id": str(row.public_id),
        "event_name": row.event_name,
        "channel": row.channel,
        "subscriber": row.masked_subscriber,
        "status": row.status,
        "reason": row.reason,
        "attempts": row.attempts,
        "source_model": row.source_model,
        "source_id": row.source_id,
        "origin": row.origin,
        "created_at": row.created_at.isoformat(),
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
    }
    return json.dumps(facts, ensure_ascii=False)


TAIL = Verb(
    name="tail",
    help="Show the newest lines of the log and each change, until stopped; numbers are masked.",
    add_arguments=_arguments,
    run=_tail,
)
