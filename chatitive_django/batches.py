"""Many at once: chosen and sorted, confirmed by a person, and queued at a pace.

They are notifications to be sent again, or the records that a rule finds in its state when it goes
live. Nothing here sends. What was chosen is frozen row by row, and whatever changes meanwhile is
skipped and counted rather than sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from .backfill import QUEUED, Ended, backfill_for, backfill_of
from .conf import settings
from .dbtime import DatabaseNow, become_writer
from .models import BatchRow, EventRule, Notification, ResendBatch, log_alias
from .resend import NotPossible, resend
from .sorting import sort

Status = Notification.Status
State = ResendBatch.State

AT_MOST = 10_000
"""Rows in one batch."""
BACK = timedelta(days=14)
UNDO = timedelta(seconds=60)
DRAFT_LIFE = timedelta(hours=1)
AT_ONCE = 100
"""Rows that one transaction queues, so that no delivery waits for long."""
SORTED_AT_ONCE = 500
BURST = 60.0
"""Seconds of its pace that a batch may catch up after nobody could advance it."""
FAILED = [Status.REJECTED, Status.UNKNOWN, Status.EXPIRED, Status.INVALID]

NOT_SENT = "not_sent"
TRIED_SINCE = "tried_since"
NOW = "now_"
"""Begins the result of a row that had another status by the time of its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of a batch's rows; `pruned` were queued and have left the log since."""

    sorts: Mapping[str, int]
    left: int
    queued: int
    skipped: Mapping[str, int]
    accepted: int
    waiting: int
    failed: int
    pruned: int


def draft(
    rows: QuerySet[Notification], *, selection: Mapping[str, Any], user_id: Any
) -> ResendBatch:
    """Freeze and sort what a person has chosen, for them to confirm; raises `NotPossible`.

    `selection` tells how they were chosen, as JSON. One that isn't confirmed within an hour is
    dropped.
    """
    until = timezone.now()
    batch_rows = chosen(rows)
    return _frozen(
        batch_rows,
        made_by_id=user_id,
        selection=dict(selection),
        highest_id=batch_rows[-1].notification_id,
        until=until,
    )


def draft_backfill(rule: EventRule, *, user_id: Any) -> ResendBatch:
    """Freeze and sort the records that are in a rule's state; raises `NotPossible`.

    At most 10,000. Like any draft it is dropped unless it is confirmed within an hour, which can't
    be before the rule is live.
    """
    until = timezone.now()
    found = backfill_of(rule)
    if found is None:
        raise NotPossible(_("The rule waits for no state that records could be in already."))
    keys = found.keys(AT_MOST + 1)
    if len(keys) > AT_MOST:
        raise NotPossible(
            _("More than %(limit)s records are in this state: that is too many for a backfill.")
            % {"limit": f"{AT_MOST:,}"}
        )
    rows = list(found.sorted(keys))
    if not rows:
        raise NotPossible(_("No record is in this state any more."))
    return _frozen(
        rows,
        made_by_id=user_id,
        rule=rule,
        rule_version=rule.version,
        selection={"sentence": rule.sentence()},
        until=until,
    )


def _frozen(rows: list[BatchRow], **values: Any) -> ResendBatch:
    """A draft of these rows, in their order."""
    using = log_alias()
    with transaction.atomic(using=using):
        batch = _batches().create(
            sorted=dict(Counter(row.sort for row in rows)),
            total=len(rows),
            created_at=values["until"],
            **values,
        )
        for row in rows:
            row.batch = batch
        BatchRow.objects.using(using).bulk_create(rows, batch_size=1000)
    return batch


def chosen(rows: QuerySet[Notification]) -> list[BatchRow]:
    """The rows sorted, oldest first and not saved; raises `NotPossible`.

    At most 10,000, none recorded more than 14 days ago.
    """
    begin = timezone.now() - BACK
    found = list(rows.order_by("-id").values_list("id", "created_at")[: AT_MOST + 1])
    if len(found) > AT_MOST:
        raise NotPossible(
            _("More than %(limit)s notifications match. Narrow the filter, and do it in parts.")
            % {"limit": f"{AT_MOST:,}"}
        )
    if old := sum(created_at < begin for _pk, created_at in found):
        raise NotPossible(
            _(
                "%(old)s of %(all)s were recorded more than %(days)s days ago, which is too late "
                "to resend many at once. Narrow the filter."
            )
            % {"old": old, "all": len(found), "days": BACK.days}
        )
    batch_rows = list(_sorted(sorted(pk for pk, _created_at in found)))
    if not batch_rows:
        raise NotPossible(_("Nothing matches any more."), "nothing")
    return batch_rows


def _sorted(ids: list[int]) -> Iterable[BatchRow]:
    """All of them sorted, outside of any transaction: it reads records, which takes a while."""
    for start in range(0, len(ids), SORTED_AT_ONCE):
        part = ids[start : start + SORTED_AT_ONCE]
        yield from sort(list(_log().filter(pk__in=part).order_by("id")))


def confirm(batch: ResendBatch, *, sorts: Collection[str], reason: str, pace: int) -> None:
    """Have the chosen sorts of a draft queued after a minute in which it can be undone.

    Raises `NotPossible`, also where it was confirmed before, or is the backfill of a rule that
    isn't live.
    """
    chosen = [each for each in BatchRow.SENDABLE if each in sorts]
    total = sum(batch.sorted.get(each, 0) for each in chosen)
    if not total:
        raise NotPossible(_("Nothing is ticked, so there is nothing to send."))
    if total > 1 and not reason:
        raise NotPossible(_("Give a reason: it is asked for where more than one is sent."))
    with transaction.atomic(using=log_alias()):
        confirmed = (
            _batches()
            .filter(pk=batch.pk, state=State.DRAFT)
            .update(
                state=State.WAITING,
                reason=reason,
                pace=pace,
                total=total,
                starts_at=DatabaseNow(UNDO),
                **(_confirmed_with_rule(batch) if batch.is_backfill else {}),
            )
        )
        if not confirmed:
            raise NotPossible(_("It was confirmed already."), "confirmed")
        _rows_of(batch).exclude(sort__in=chosen).delete()
    batch.refresh_from_db()


def _confirmed_with_rule(batch: ResendBatch) -> dict[str, Any]:
    """What a backfill keeps of its rule as it went live, and how many records came too late.

    They came into the state after the rows were frozen and before the rule was live.
    """
    rule = EventRule.objects.using(log_alias()).filter(pk=batch.rule_id).first()
    found = backfill_of(rule) if rule is not None and rule.mode == EventRule.Mode.LIVE else None
    if rule is None or found is None:
        raise NotPossible(_("The rule isn't live, so there is nothing to backfill."))
    frozen = set(_rows_of(batch).values_list("source_id", flat=True))
    late = set(found.texts(AT_MOST + 1)) - frozen
    return {"rule_version": rule.version, "selection": {**batch.selection, "late": len(late)}}


def cancel(batch: ResendBatch, *, user_id: Any) -> None:
    """Queue no more of a batch; raises `NotPossible` where it has ended."""
    cancelled = (
        _batches()
        .filter(pk=batch.pk, state__in=ResendBatch.UNDER_WAY)
        .update(state=State.CANCELLED, cancelled_by_id=user_id, finished_at=DatabaseNow())
    )
    if not cancelled:
        raise NotPossible(_("It has ended already, so there is nothing to cancel."))
    batch.refresh_from_db()


def advance() -> int:
    """Queue the next portion of each batch that is under way; gives the number of rows queued.

    Safe with many callers at once: a batch is advanced by one of them at a time.
    """
    abandoned = Q(state=State.DRAFT, created_at__lt=DatabaseNow(-DRAFT_LIFE))
    found = dict(_batches().filter(abandoned | _due()).order_by("pk").values_list("pk", "state"))
    if drafts := [pk for pk, state in found.items() if state == State.DRAFT]:
        _batches().filter(abandoned, pk__in=drafts).delete()
    return sum(_advance(pk) for pk, state in found.items() if state != State.DRAFT)


def failed_of(batch_id: int) -> QuerySet[Notification]:
    """What was queued of a batch and has failed."""
    queued = BatchRow.objects.using(log_alias()).filter(batch=batch_id, result=QUEUED)
    on_its_way = (Status.ACCEPTED, Status.PENDING, Status.SENDING)
    return _log().filter(pk__in=queued.values("sent_as")).exclude(status__in=on_its_way)


def report(batch: ResendBatch) -> Report:
    """What became of a batch's rows, as of now."""
    rows = _rows_of(batch).order_by()
    results = dict(rows.values_list("result").annotate(Count("id")))
    left, queued = results.pop("", 0), results.pop(QUEUED, 0)
    sent = _log().filter(pk__in=rows.filter(result=QUEUED).values("sent_as"))
    now: dict[str, int] = dict(sent.order_by().values_list("status").annotate(Count("id")))
    accepted = now.pop(Status.ACCEPTED, 0)
    waiting = now.pop(Status.PENDING, 0) + now.pop(Status.SENDING, 0)
    failed = sum(now.values())
    return Report(
        sorts=dict(rows.values_list("sort").annotate(Count("id"))),
        left=left,
        queued=queued,
        skipped=results,
        accepted=accepted,
        waiting=waiting,
        failed=failed,
        pruned=queued - accepted - waiting - failed,
    )


def _advance(pk: int) -> int:
    using = log_alias()
    skip_locked = connections[using].features.has_select_for_update_skip_locked
    with transaction.atomic(using=using):
        become_writer(ResendBatch, using)
        due = _batches().filter(_due(), pk=pk).annotate(now=DatabaseNow())
        batch = due.select_for_update(skip_locked=skip_locked).first()
        if batch is None:
            return 0
        portion, so_far = _portion(batch, batch.now)
        left = _rows_of(batch).filter(result="")
        rows = list(left.order_by("pk")[:portion])
        try:
            results = _take(batch, rows)
        except Ended as ended:
            results = [ended.code] * left.update(result=ended.code)
        queued = results.count(QUEUED)
        batch.state = State.RUNNING
        batch.started_at = batch.started_at or batch.now
        batch.advanced_at = so_far + timedelta(seconds=len(results) * 60 / batch.pace)
        batch.queued += queued
        batch.skipped += len(results) - queued
        if not left.exists():
            batch.state = State.DONE
            batch.finished_at = batch.now
        batch.save(
            update_fields=["state", "started_at", "advanced_at", "queued", "skipped", "finished_at"]
        )
    return queued


def _portion(batch: ResendBatch, now: datetime) -> tuple[int, datetime]:
    """How many rows its pace allows now, and from when that time is counted."""
    since = batch.advanced_at or now - timedelta(seconds=settings.SWEEP_INTERVAL)
    since = max(since, now - timedelta(seconds=BURST))
    allowed = int((now - since).total_seconds() * batch.pace / 60)
    return min(max(allowed, 0), AT_ONCE), since


def _take(batch: ResendBatch, rows: list[BatchRow]) -> list[str]:
    """Give each row its turn, note what became of it, and give that; some may have to wait."""
    if batch.is_backfill:
        backfill_for(batch).take(rows)
    else:
        _resend(batch, rows)
    taken = [row for row in rows if row.result]
    BatchRow.objects.using(log_alias()).bulk_update(taken, ["result", "sent_as"])
    return [row.result for row in taken]


def _resend(batch: ResendBatch, rows: list[BatchRow]) -> None:
    """Queue the notifications that are as they were seen."""
    chosen = _log().in_bulk([row.notification_id for row in rows if row.notification_id])
    for row in rows:
        notification = chosen.get(row.notification_id or 0)
        try:
            if notification is None:
                raise NotPossible("", "pruned")
            queued = resend(notification, seen=row.seen, user_id=batch.made_by_id)
        except NotPossible as error:
            row.result = _why_not(notification, row.seen, error.code)[:32]
        else:
            row.sent_as = queued
            row.result = QUEUED if queued.status == Status.PENDING else NOT_SENT


def _why_not(notification: Notification | None, seen: str, code: str) -> str:
    if notification is None or code != "changed":
        return code
    if seen.partition(":")[0] == notification.status:
        return TRIED_SINCE
    return f"{NOW}{notification.status}"


def _due() -> Q:
    return Q(state__in=ResendBatch.UNDER_WAY, starts_at__lte=DatabaseNow())


def _batches() -> QuerySet[ResendBatch]:
    return ResendBatch.objects.using(log_alias())


def _rows_of(batch: ResendBatch) -> QuerySet[BatchRow]:
    return BatchRow.objects.using(log_alias()).filter(batch=batch)


def _log() -> QuerySet[Notification]:
    return Notification.objects.using(log_alias())
