"""`resend`."""

from __future__ import annotations

import argparse
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Q, QuerySet

from ... import batches
from ...models import BatchRow, Notification, ResendBatch, log_alias
from ...resend import NotPossible, resend
from .base import FINDING, MISUSE, Output, Verb, fitting, since

Status = Notification.Status
Sort = BatchRow.Sort

_STATUSES = [*batches.FAILED, Status.CANCELLED]
_ALSO = [Sort.DOUBTFUL, Sort.ACCEPTED_LATER, Sort.CHANGED]


def row_id(text: str) -> int | uuid.UUID:
    """A notification's number or public id, for argparse."""
    if text.isascii() and text.isdecimal() and len(text) <= 18:
        return int(text)
    try:
        return uuid.UUID(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no notification's id") from None


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", type=row_id, metavar="ID", help="number or public id")
    parser.add_argument("--status", choices=[each.value for each in _STATUSES])
    parser.add_argument(
        "--since",
        type=since,
        metavar="T",
        help="those that ended since: a time such as 2026-03-31T18:00, or 90m, 12h, 3d ago",
    )
    parser.add_argument("--event", metavar="E", help="those of this event")
    parser.add_argument(
        "--also",
        action="append",
        choices=[each.value for each in _ALSO],
        default=[],
        help="send this sort too, where a customer may get a second text, or an old one",
    )
    parser.add_argument(
        "--reason",
        type=fitting(ResendBatch.reason.field),
        default="",
        metavar="R",
        help="for the report of the resend",
    )
    parser.add_argument(
        "--pace",
        type=int,
        choices=ResendBatch.Pace.values,
        default=ResendBatch.Pace.STEADY.value,
        help="how many a minute",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what it would do, and do none")


def _resend(
    out: Output,
    *,
    ids: Sequence[int | uuid.UUID],
    status: str | None,
    since: datetime | None,
    event: str | None,
    also: Sequence[str],
    reason: str,
    pace: int,
    dry_run: bool,
) -> int:
    if bool(ids) == any((status, since, event)):
        raise CommandError(
            "Say which: ids, or a filter of --status, --since and --event.", returncode=MISUSE
        )
    if ids:
        rows, selection = _named(ids), {"ticked": True}
    else:
        rows, selection = _filtered(status, since, event)
    sorts = {Sort.FRESH, *map(Sort, also)}
    try:
        found = batches.chosen(rows)
        for line in _told(found, sorts):
            out.write(line)
        total = sum(row.sort in sorts for row in found)
        left_out = bool(ids) and total < len(ids)
        if dry_run:
            out.write("Nothing was done.")
        elif total == 1 and len(found) == 1 and (one := found[0].notification) is not None:
            queued = resend(one, seen=found[0].seen, user_id=None)
            held_back = queued.status != Status.PENDING
            told = f"is {queued.status}: {queued.reason_sentence}" if held_back else "is queued."
            out.write(f"Notification {queued.pk} {told}")
        elif total:
            batch = batches.draft(rows, selection=selection, user_id=None)
            reason = reason or "manage.py chatitive resend"
            batches.confirm(batch, sorts=sorts, reason=reason, pace=pace)
            out.write(
                f"Bulk resend {batch} queues {batch.total} of them, {pace} a minute, after "
                f"{batches.UNDO.seconds} seconds in which it can be undone in the admin."
            )
    except NotPossible as error:
        if error.code != "nothing":
            raise CommandError(str(error), returncode=MISUSE) from None
        out.write("Nothing matches.")
        return 0
    return FINDING if left_out else 0


def _named(ids: Sequence[int | uuid.UUID]) -> QuerySet[Notification]:
    numbers = [each for each in ids if isinstance(each, int)]
    public = [each for each in ids if isinstance(each, uuid.UUID)]
    rows = Notification.objects.using(log_alias()).filter(
        Q(pk__in=numbers) | Q(public_id__in=public)
    )
    known = {each for pair in rows.values_list("pk", "public_id") for each in pair}
    if missing := [str(each) for each in ids if each not in known]:
        raise CommandError(f"The log has no {', '.join(missing)}.", returncode=MISUSE)
    return rows


def _filtered(
    status: str | None, since: datetime | None, event: str | None
) -> tuple[QuerySet[Notification], dict[str, Any]]:
    """What failed, as far as the options narrow it, and how the report tells of that."""
    statuses = [status] if status else [each.value for each in batches.FAILED]
    rows = Notification.objects.using(log_alias()).filter(status__in=statuses)
    told = {"status__in": ", ".join(statuses)}
    if since:
        rows = rows.filter(finished_at__gte=since)
        told["finished_at__gte"] = since.isoformat(sep=" ", timespec="seconds")
    if event:
        rows = rows.filter(event_name=event)
        told["event_name"] = event
    return rows, {"filter": told}


def _told(found: Sequence[BatchRow], sorts: set[Sort]) -> Iterator[str]:
    """How many there are of each sort, and what becomes of them."""
    counts = Counter(row.sort for row in found)
    for sort in Sort:
        if count := counts[sort]:
            verdict = "resend" if sort in sorts else "leave"
            hint = f" (--also {sort.value})" if verdict == "leave" and sort in _ALSO else ""
            label = "Not sent, as far as is known" if sort == Sort.FRESH else sort.label
            yield f"{verdict} {count}: {label}{hint}"


RESEND = Verb(
    name="resend",
    help="Send again what failed: only what, as far as is known, never arrived, unless asked; "
    "never what was accepted.",
    add_arguments=_arguments,
    run=_resend,
)
