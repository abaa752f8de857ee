"""How often events and rules have fired lately, counted in one query that stays small."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, QuerySet
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import now
from django.utils.translation import gettext as _

from ...models import Notification, log_alias

Status = Notification.Status

DAYS = 7
COUNTED = 50_000
"""How many of the newest rows are counted at most: the log has no index by event."""

_PARTS: dict[str, tuple[Status, ...]] = {
    "good": (Status.ACCEPTED,),
    "busy": (Status.PENDING, Status.SENDING),
    "bad": (Status.REJECTED, Status.EXPIRED, Status.UNKNOWN, Status.INVALID, Status.CANCELLED),
    "quiet": (Status.SKIPPED,),
}


@dataclass(slots=True)
class Fired:
    """How often one event fired, by status, and when last."""

    by_status: dict[str, int] = field(default_factory=dict)
    last: datetime | None = None

    @property
    def total(self) -> int:
        return sum(self.by_status.values())

    def part(self, tone: str) -> int:
        return sum(self.by_status.get(status, 0) for status in _PARTS[tone])


@dataclass(frozen=True, slots=True)
class Lately:
    """The counts by the identity that events have in the log.

    `since` is given where the log is so full that not all of the days are counted.
    """

    fired: dict[str, Fired]
    since: datetime | None

    def of(self, key: str) -> Fired:
        return self.fired.get(key) or Fired()

    def bar(self, key: str) -> SafeString:
        """The counts in words, and a bar whose length compares them with the others'."""
        fired = self.of(key)
        if not fired.total:
            return format_html('<span class="chatitive-note">{}</span>', _("not once"))
        most = max(each.total for each in self.fired.values())
        segments, x = [], 0.0
        for tone in _PARTS:
            width = round(100 * fired.part(tone) / most, 2)
            if width:
                segments.append((tone, x, width))
            x += width
        words = ", ".join(_worded(fired))
        return format_html(
            '<svg class="chatitive-bar" viewBox="0 0 100 8" width="100" height="8" role="img" '
            'preserveAspectRatio="none"><title>{}</title>{}</svg>'
            '<span class="chatitive-note">{}</span>',
            words,
            format_html_join(
                "", '<rect class="chatitive-{}" x="{}" y="0" width="{}" height="8"/>', segments
            ),
            words,
        )


def _worded(fired: Fired) -> list[str]:
    words = {
        "good": _("%(count)s accepted"),
        "busy": _("%(count)s under way"),
        "bad": _("%(count)s not sent"),
        "quiet": _("%(count)s skipped"),
    }
    return [words[tone] % {"count": count} for tone in _PARTS if (count := fired.part(tone))]


def lately() -> Lately:
    """Count what the newest rows of the last days tell; what was resent counts once."""
    rows: QuerySet[Notification] = Notification.objects.using(log_alias()).order_by("-pk")
    begin = now() - timedelta(days=DAYS)
    newest = rows.values_list("pk", flat=True).first()
    if newest is None:
        return Lately({}, None)
    floor = newest - COUNTED
    last_left_out = rows.filter(pk__lte=floor).values_list("created_at", flat=True).first()
    found: QuerySet[Notification, Any] = (
        rows.filter(pk__gt=floor, created_at__gte=begin)
        .exclude(origin=Notification.Origin.RESEND)
        .order_by()
        .values_list("event_key", "status")
        .annotate(Count("pk"), Max("created_at"))
    )
    fired: dict[str, Fired] = {}
    for key, status, count, last in found:
        each = fired.setdefault(key, Fired())
        each.by_status[status] = count
        each.last = max(filter(None, [each.last, last]))
    is_cut = last_left_out is not None and last_left_out > begin
    return Lately(fired, last_left_out if is_cut else None)
