"""How delivery is doing, as facts and as findings that someone must act on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from . import heartbeats
from .conf import settings
from .dbtime import DatabaseNow
from .log import due
from .models import Channel, Heartbeat, Notification, log_alias

Status = Notification.Status

OVERDUE = timedelta(minutes=5)
"""What is due for so long isn't waiting, it is forgotten."""
COUNTED = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: a stable code, and a sentence."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHealth:
    """One channel: `state` is flowing, slowed, breaker_open or paused. Ages are seconds."""

    alias: str
    configured: bool
    state: str
    since: datetime | None
    reason: str
    pending: int
    due: int
    sending: int
    oldest_pending_age: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHealth:
    """One process that delivers, or was lost within the last day. The age is seconds."""

    kind: str
    host: str
    pid: int
    concurrency: int
    started_at: datetime
    seen_age: float
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """All of it; `unknown` counts every row held for a person, `last_24_hours` rows by status."""

    findings: list[Finding] = field(default_factory=list)
    oldest_pending_age: float | None
    unknown: int
    last_24_hours: dict[str, int]
    channels: list[ChannelHealth]
    workers: list[WorkerHealth]

    @property
    def ok(self) -> bool:
        """Whether nobody must act."""
        return not self.findings


def examine() -> Health:
    """Read how delivery is doing now; raises `InvalidSetting` where the settings can't be read."""
    rows = _rows()
    now = timezone.now()
    channels = list(_channels(now))
    workers = list(_workers(now))
    unknown = rows.filter(status=Status.UNKNOWN).count()
    recent = rows.filter(created_at__gte=DatabaseNow(-COUNTED))
    counted = recent.order_by().values_list("status").annotate(Count("id"))
    ages = [each.oldest_pending_age for each in channels if each.oldest_pending_age is not None]
    return Health(
        findings=list(_findings(channels, workers, unknown)),
        oldest_pending_age=max(ages, default=None),
        unknown=unknown,
        last_24_hours={**dict.fromkeys(Status.values, 0), **dict(counted)},
        channels=channels,
        workers=workers,
    )


def _rows() -> QuerySet[Notification]:
    return Notification.objects.using(log_alias())


def _channels(now: datetime) -> Iterator[ChannelHealth]:
    known = {channel.alias: channel for channel in Channel.objects.using(log_alias())}
    waiting: dict[str, Any] = {
        found["channel"]: found
        for found in _rows()
        .filter(finished_at__isnull=True)
        .order_by()
        .values("channel")
        .annotate(
            pending=Count("id", Q(status=Status.PENDING)),
            sending=Count("id", Q(status=Status.SENDING)),
            due=Count("id", Q(status=Status.PENDING, available_at__lte=DatabaseNow())),
            oldest=Min("created_at", filter=Q(status=Status.PENDING)),
        )
    }
    configured = settings.API_URLS
    for alias in sorted({*configured, *waiting}):
        channel = known.get(alias) or Channel(alias=alias)
        facts = waiting.get(alias, {})
        oldest = facts.get("oldest")
        state, since, reason = _state(channel, now)
        yield ChannelHealth(
            alias=alias,
            configured=alias in configured,
            state=state,
            since=since,
            reason=reason,
            pending=facts.get("pending", 0),
            due=facts.get("due", 0),
            sending=facts.get("sending", 0),
            oldest_pending_age=_age(oldest, now) if oldest else None,
        )


def _state(channel: Channel, now: datetime) -> tuple[str, datetime | None, str]:
    if channel.paused_at is not None:
        return "paused", channel.paused_at, channel.pause_reason
    if channel.breaker_opened_at is not None:
        return "breaker_open", channel.breaker_opened_at, channel.breaker_reason
    if channel.slowed_until is not None and channel.slowed_until > now:
        return "slowed", None, "http_429"
    return "flowing", None, ""


def _workers(now: datetime) -> Iterator[WorkerHealth]:
    alive = set(heartbeats.alive().values_list("pk", flat=True))
    for row in Heartbeat.objects.using(log_alias()):
        yield WorkerHealth(
            kind=row.kind,
            host=row.host,
            pid=row.pid,
            concurrency=row.concurrency,
            started_at=row.started_at,
            seen_age=_age(row.seen_at, now),
            alive=row.pk in alive,
        )


def _age(moment: datetime, now: datetime) -> float:
    return round(max((now - moment).total_seconds(), 0.0), 1)


def _told(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds") if moment else "?"


def _findings(
    channels: list[ChannelHealth], workers: list[WorkerHealth], unknown: int
) -> Iterator[Finding]:
    for channel in channels:
        where = f"Channel {channel.alias}"
        if not channel.configured:
            yield Finding(
                code="not_configured",
                text=f'{where} is not in CHATITIVE["API_URLS"], and {channel.pending} messages '
                "wait for it. Add its URL, or cancel them.",
            )
        elif channel.state == "paused":
            yield Finding(
                code="paused",
                text=f"{where} is paused since {_told(channel.since)}"
                f"{f' ({channel.reason})' if channel.reason else ''}: {channel.pending} messages "
                f"wait. `manage.py chatitive resume {channel.alias}` sends them.",
            )
        elif channel.state == "breaker_open":
            yield Finding(
                code="breaker_open",
                text=f"{where} can't deliver since {_told(channel.since)} "
                f"({channel.reason}): {channel.pending} messages wait, and one is tried at times.",
            )
    if unknown:
        yield Finding(
            code="unknown",
            text=f"{unknown} messages may have arrived. A person must decide in the admin whether "
            "to send them again.",
        )
    if settings.DISPATCHER == "worker" and not any(worker.alive for worker in workers):
        yield Finding(
            code="no_worker",
            text="No worker is alive, so nothing is delivered. Start `manage.py chatitive worker`.",
        )
    for channel in channels:
        long_due = due(channel.alias).filter(available_at__lte=DatabaseNow(-OVERDUE))
        if channel.state == "flowing" and channel.configured and (found := long_due[:1000].count()):
            yield Finding(
                code="overdue",
                text=f"{'At least ' if found == 1000 else ''}{found} messages of channel "
                f"{channel.alias} are due for more than {OVERDUE // timedelta(minutes=1)} minutes: "
                "too little delivers, or nothing does.",
            )
    patience = timedelta(seconds=settings.SWEEP_INTERVAL * heartbeats.MISSED_BEFORE_LOST)
    stuck = _rows().filter(status=Status.SENDING, leased_until__lte=DatabaseNow(-patience)).count()
    if stuck:
        yield Finding(
            code="stuck",
            text=f"{stuck} messages are held by workers that were lost, and nothing brings them "
            "back: no delivery runs.",
        )
