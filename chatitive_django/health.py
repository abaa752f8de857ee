"""How delivery is doing, as facts and as findings that someone must act on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import BooleanField, Count, ExpressionWrapper, Min, Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from . import heartbeats
from .conf import settings
from .dbtime import DatabaseNow
from .findings import Finding, Level, Mender
from .log import due
from .models import Channel, Heartbeat, Notification, log_alias
from .reasons import sentence

Status = Notification.Status

OVERDUE = timedelta(minutes=5)
"""What is due for so long isn't waiting, it is forgotten."""
COUNTED = timedelta(hours=24)
COUNTED_AT_MOST = 1000


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

    def as_json(self) -> str:
        """All of it for monitors, `ok` first."""
        facts = {"ok": self.ok, **dataclasses.asdict(self)}
        return json.dumps(facts, cls=DjangoJSONEncoder, indent=2)


def examine() -> Health:
    """Read how delivery is doing now; raises `InvalidSetting` where the settings can't be read."""
    rows = _rows()
    now = timezone.now()
    channels = list(_channels(now, _known(), _waiting()))
    workers = list(_workers(now))
    unknown = rows.filter(status=Status.UNKNOWN).count()
    ages = [each.oldest_pending_age for each in channels if each.oldest_pending_age is not None]
    return Health(
        findings=list(_findings(channels, workers, unknown)),
        oldest_pending_age=max(ages, default=None),
        unknown=unknown,
        last_24_hours=last_day(),
        channels=channels,
        workers=workers,
    )


def glance() -> list[Finding]:
    """What someone must act on, at a cost that doesn't grow with the log: counts may stop early."""
    now = timezone.now()
    unknown = _rows().filter(status=Status.UNKNOWN)[:COUNTED_AT_MOST].count()
    known = _known()
    channels = list(_channels(now, known, _held_up(known)))
    return list(_findings(channels, list(_workers(now)), unknown))


def channels_at_a_glance() -> list[ChannelHealth]:
    """How the channels are doing, at the same cost: of what waits so many are counted at most."""
    waiting = map(_waiting_at_most, _waited_for())
    return list(_channels(timezone.now(), _known(), waiting))


def processes() -> list[WorkerHealth]:
    """The processes that deliver, or were lost within the last day."""
    return list(_workers(timezone.now()))


def lost() -> Q:
    """What a worker held that was lost so long ago that something should have brought it back."""
    patience = timedelta(seconds=settings.SWEEP_INTERVAL * heartbeats.MISSED_BEFORE_LOST)
    return Q(status=Status.SENDING, leased_until__lte=DatabaseNow(-patience))


def last_day() -> dict[str, int]:
    """How many notifications of the last 24 hours have each status."""
    # The statuses are named for the index, which begins with them.
    recent = _rows().filter(status__in=Status.values, created_at__gte=DatabaseNow(-COUNTED))
    counted = recent.order_by().values_list("status").annotate(Count("id"))
    return {**dict.fromkeys(Status.values, 0), **dict(counted)}


def _rows() -> QuerySet[Notification]:
    return Notification.objects.using(log_alias())


def _known() -> dict[str, Channel]:
    """The channels that have a row, by alias: those that ever stood still."""
    return {channel.alias: channel for channel in Channel.objects.using(log_alias())}


def _channels(
    now: datetime, known: Mapping[str, Channel], waiting: Iterable[Mapping[str, Any]]
) -> Iterator[ChannelHealth]:
    waits = {found["channel"]: found for found in waiting}
    configured = settings.API_URLS
    for alias in sorted({*configured, *waits}):
        channel = known.get(alias) or Channel(alias=alias)
        facts = waits.get(alias, {})
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


def _waiting() -> Iterable[Mapping[str, Any]]:
    return (
        _rows()
        .filter(finished_at__isnull=True)
        .order_by()
        .values("channel")
        .annotate(
            pending=Count("id", Q(status=Status.PENDING)),
            sending=Count("id", Q(status=Status.SENDING)),
            due=Count("id", Q(status=Status.PENDING, available_at__lte=DatabaseNow())),
            oldest=Min("created_at", filter=Q(status=Status.PENDING)),
        )
    )


def _waited_for() -> Iterator[str]:
    """The channels for which messages wait: each found by one step in the index."""
    pending = _rows().filter(status=Status.PENDING).order_by("channel")
    alias = pending.values_list("channel", flat=True).first()
    while alias is not None:
        yield alias
        alias = pending.filter(channel__gt=alias).values_list("channel", flat=True).first()


def _waiting_at_most(alias: str) -> Mapping[str, Any]:
    pending = _rows().filter(status=Status.PENDING, channel=alias)
    oldest = pending.order_by("available_at", "id").values_list("created_at", flat=True).first()
    return {
        "channel": alias,
        "pending": pending[:COUNTED_AT_MOST].count(),
        "due": pending.filter(available_at__lte=DatabaseNow())[:COUNTED_AT_MOST].count(),
        "sending": _rows().filter(status=Status.SENDING, channel=alias)[:COUNTED_AT_MOST].count(),
        "oldest": oldest,
    }


def _held_up(known: Mapping[str, Channel]) -> Iterator[Mapping[str, Any]]:
    """How many wait for each channel that stands still or is gone, as far as they are counted."""
    stopped = {alias for alias, channel in known.items() if channel.stopped_at is not None}
    gone = {alias for alias in _waited_for() if alias not in settings.API_URLS}
    for alias in stopped | gone:
        waiting = _rows().filter(status=Status.PENDING, channel=alias)[:COUNTED_AT_MOST]
        yield {"channel": alias, "pending": waiting.count()}


def _state(channel: Channel, now: datetime) -> tuple[str, datetime | None, str]:
    if channel.paused_at is not None:
        return "paused", channel.paused_at, channel.pause_reason
    if channel.breaker_opened_at is not None:
        return "breaker_open", channel.breaker_opened_at, channel.breaker_reason
    if channel.slowed_until is not None and channel.slowed_until > now:
        return "slowed", None, "http_429"
    return "flowing", None, ""


def _workers(now: datetime) -> Iterator[WorkerHealth]:
    rows = Heartbeat.objects.using(log_alias())
    for row in rows.annotate(
        alive=ExpressionWrapper(heartbeats.is_alive(), output_field=BooleanField())
    ):
        yield WorkerHealth(
            kind=row.kind,
            host=row.host,
            pid=row.pid,
            concurrency=row.concurrency,
            started_at=row.started_at,
            seen_age=_age(row.seen_at, now),
            alive=row.alive,
        )


def _age(moment: datetime, now: datetime) -> float:
    return round(max((now - moment).total_seconds(), 0.0), 1)


def _told(moment: datetime | None) -> str:
    if moment is None:
        return "?"
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    return date_format(local, "DATETIME_FORMAT")


def _findings(
    channels: list[ChannelHealth], workers: list[WorkerHealth], unknown: int
) -> Iterator[Finding]:
    for channel in channels:
        yield from _stopped(channel)
    if unknown:
        yield Finding(
            code="unknown",
            level=Level.WARN,
            text=ngettext(
                "%(count)s message may have arrived.",
                "%(count)s messages may have arrived.",
                unknown,
            )
            % {"count": unknown},
            mender=Mender.STAFF,
            advice=_("Decide in the admin whether to send again what may have arrived."),
        )
    if settings.DISPATCHER == "worker" and not any(
        worker.alive and worker.kind == Heartbeat.Kind.WORKER for worker in workers
    ):
        yield Finding(
            code="no_worker",
            level=Level.BAD,
            text=_("No worker is alive, so nothing is delivered."),
            mender=Mender.DEVELOPER,
            advice=_("Start `manage.py chatitive worker`."),
        )
    for channel in channels:
        if channel.state == "flowing" and channel.configured:
            yield from _overdue(channel)
    stuck = _rows().filter(lost()).count()
    if stuck:
        yield Finding(
            code="stuck",
            level=Level.BAD,
            text=ngettext(
                "%(count)s message is held by a worker that was lost, and nothing brings it back.",
                "%(count)s messages are held by workers that were lost, and nothing brings them "
                "back.",
                stuck,
            )
            % {"count": stuck},
            mender=Mender.DEVELOPER,
            advice=_("No delivery runs: start what delivers."),
        )


def _stopped(channel: ChannelHealth) -> Iterator[Finding]:
    """What keeps a channel from flowing until someone acts."""
    told = {"alias": channel.alias, "reason": channel.reason, "since": _told(channel.since)}
    if not channel.configured:
        yield Finding(
            code="not_configured",
            level=Level.BAD,
            text=_('Channel %(alias)s is not in CHATITIVE["API_URLS"].') % told
            + f" {waiting(channel.pending)}",
            mender=Mender.DEVELOPER,
            advice=_("Add its URL, or cancel what waits for it."),
            channel=channel.alias,
        )
    elif channel.state == "paused":
        since = (
            _("Channel %(alias)s is paused since %(since)s (%(reason)s).")
            if channel.reason
            else _("Channel %(alias)s is paused since %(since)s.")
        )
        yield Finding(
            code="paused",
            level=Level.WARN,
            text=f"{since % told} {waiting(channel.pending)}",
            mender=Mender.STAFF,
            advice=_("Resume it in the admin or by `manage.py chatitive resume %(alias)s`.") % told,
            channel=channel.alias,
        )
    elif channel.state == "breaker_open":
        yield Finding(
            code="breaker_open",
            level=Level.BAD,
            text=_("Channel %(alias)s can't deliver since %(since)s (%(reason)s).") % told
            + f" {waiting(channel.pending)}",
            mender=breaker_mender(channel.reason),
            advice=sentence(channel.reason)
            + " "
            + _("One is tried now and then; when it gets through, the others follow."),
            channel=channel.alias,
        )


def _overdue(channel: ChannelHealth) -> Iterator[Finding]:
    long_due = due(channel.alias).filter(available_at__lte=DatabaseNow(-OVERDUE))
    found = long_due[:COUNTED_AT_MOST].count()
    if not found:
        return
    told = {
        "count": f"{found}+" if found == COUNTED_AT_MOST else found,
        "alias": channel.alias,
        "minutes": OVERDUE // timedelta(minutes=1),
    }
    yield Finding(
        code="overdue",
        level=Level.BAD,
        text=ngettext(
            "%(count)s message of channel %(alias)s is due for more than %(minutes)s minutes.",
            "%(count)s messages of channel %(alias)s are due for more than %(minutes)s minutes.",
            found,
        )
        % told,
        mender=Mender.DEVELOPER,
        advice=_("Too little delivers, or nothing does: see that workers run, or start more."),
        channel=channel.alias,
    )


def waiting(pending: int) -> str:
    """How many messages wait, in a sentence that takes the fear."""
    if not pending:
        return _("No message waits.")
    return ngettext(
        "%(pending)s message waits, and it isn't lost.",
        "%(pending)s messages wait, and none is lost.",
        pending,
    ) % {"pending": pending}


def breaker_mender(reason: str) -> Mender:
    """Who can mend what opened a breaker: what the API or the network has done passes by itself."""
    passes = {"no_answer", "connection_lost", "bad_answer", "connect_timeout", "connection_refused"}
    return Mender.WAIT if reason in passes else Mender.DEVELOPER
