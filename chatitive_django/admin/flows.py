"""One channel on its page: a light and a sentence, what was found, bars, and what may be done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import calls, doctor, tallies
from ..findings import Finding, Mender
from ..health import (
    COUNTED_AT_MOST,
    ChannelHealth,
    WorkerHealth,
    channels_at_a_glance,
    glance,
    processes,
    waiting,
)
from ..models import Notification, log_alias
from ..reasons import sentence
from .badges import channel_badge
from .bars import bars

LAST_DAY = timedelta(hours=24)
CAUSES = 5
"""Failures that are told, the most frequent first."""

_TOLD = {"flowing", "slowed", "paused", "breaker_open", "not_configured"}
"""The findings that the light and its sentences tell already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What the page shows of one channel; counts that were cut end in a plus."""

    health: ChannelHealth
    badge: SafeString
    sentences: Sequence[str]
    waiting: str
    sending: str
    old: str
    mender: Mender | None
    oldest: str
    findings: Sequence[Finding]
    bars: SafeString
    calls: calls.Calls
    failures: Sequence[tuple[str, int]]

    @property
    def is_stopped(self) -> bool:
        """Whether there is something to end: a pause, an open breaker, a wait."""
        return self.health.state in {"paused", "slowed", "breaker_open"}


def general_findings() -> tuple[list[Finding], list[WorkerHealth]]:
    """What was found, a channel's among it, and the processes that deliver."""
    return glance(), processes()


def channel_flows(findings: Sequence[Finding]) -> Iterator[Flow]:
    """Each channel; of the findings it takes its own."""
    counts, latest = tallies.tally(), calls.latest()
    for health in channels_at_a_glance():
        alias = health.alias
        own = [finding for finding in findings if finding.channel == alias]
        found = [*doctor.channel(health), *own]
        late = any(finding.code == "overdue" for finding in own)
        yield _flow(
            replace(health, state="overdue") if late else health,
            found,
            bars(counts.of(alias), _("Recorded in the last seven days")),
            latest.get(alias) or calls.Calls(),
        )


def _flow(
    health: ChannelHealth, found: Sequence[Finding], drawing: SafeString, its_calls: calls.Calls
) -> Flow:
    failures = its_calls.failures.most_common(CAUSES)
    return Flow(
        health=health,
        badge=channel_badge(health),
        sentences=list(_story(health)),
        mender=next((each.mender for each in found if each.code in _TOLD), None),
        waiting=_counted(health.pending),
        sending=_counted(health.sending),
        old=_counted(_recorded_before_the_last_day(health)),
        oldest=_span(health.oldest_pending_age),
        findings=[finding for finding in found if finding.code not in _TOLD],
        bars=drawing,
        calls=its_calls,
        failures=[(sentence(reason), count) for reason, count in failures],
    )


def _story(channel: ChannelHealth) -> Iterator[str]:
    """How a channel is doing, in sentences for staff."""
    if not channel.configured:
        yield _("The project's settings have no such channel any more.")
        yield waiting(channel.pending)
    elif channel.state == "flowing":
        yield _flowing(channel)
    elif channel.state == "overdue":
        yield _("Nothing holds the channel up, and yet messages wait for too long.")
        yield waiting(channel.pending)
    elif channel.state == "slowed":
        yield sentence(channel.reason)
        yield _("It goes on by itself in a moment.")
    elif channel.state == "paused":
        if channel.reason:
            yield _("The reason given: %(reason)s") % {"reason": channel.reason}
        yield waiting(channel.pending)
    else:
        yield sentence(channel.reason)
        yield waiting(channel.pending)
        yield _("One is tried now and then; when it gets through, the others follow by themselves.")


def _flowing(channel: ChannelHealth) -> str:
    if not channel.pending:
        return _("Messages are sent as they come; none waits.")
    return ngettext(
        "Messages are sent as they come; %(count)s waits.",
        "Messages are sent as they come; %(count)s wait.",
        channel.pending,
    ) % {"count": _counted(channel.pending)}


def _recorded_before_the_last_day(channel: ChannelHealth) -> int:
    """How many of those that wait longest in a paused channel are older than a day."""
    if channel.state != "paused":
        return 0
    rows: QuerySet[Notification] = Notification.objects.using(log_alias())
    pending = rows.filter(status=Notification.Status.PENDING, channel=channel.alias)
    first = pending.order_by("available_at", "id").values_list("created_at", flat=True)
    begin = timezone.now() - LAST_DAY
    return sum(created_at <= begin for created_at in first[:COUNTED_AT_MOST])


def _span(seconds: float | None) -> str:
    """A span of time in words; empty where there is none."""
    if seconds is None:
        return ""
    if seconds < 60:
        return _("%(seconds)s s") % {"seconds": round(seconds)}
    now = timezone.now()
    return timesince(now - timedelta(seconds=seconds), now)


def _counted(count: int) -> str:
    return f"{count}+" if count >= COUNTED_AT_MOST else str(count)
