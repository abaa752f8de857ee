"""What stands above the list: what someone must act on, or that all is well; and the last days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.cache import cache
from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ..calls import median_of_all
from ..conf import InvalidSetting
from ..findings import Finding, Level
from ..health import glance, last_day
from ..models import Notification, log_alias
from ..tallies import tally
from .bars import bars
from .guarded import unusable_settings

Status = Notification.Status

KEPT = 60
"""The seconds for which the figures of the last 24 hours are kept in the cache."""
_WENT_WRONG = (Status.REJECTED, Status.UNKNOWN, Status.EXPIRED, Status.INVALID)


@dataclass(frozen=True, slots=True)
class Standing:
    """How delivery stands: what someone must act on, else a line that says how well it goes."""

    findings: Sequence[Finding]
    healthy: str

    @property
    def tone(self) -> str:
        return "bad" if any(each.level is Level.BAD for each in self.findings) else "warn"


def standing() -> Standing:
    """Read what must be true now; the figures may be a minute old."""
    try:
        findings = glance()
    except InvalidSetting:
        findings = [unusable_settings()]
    return Standing(findings, "" if findings else _healthy())


def last_days() -> SafeString:
    """The last seven days as bars."""
    return bars(tally().days, _("The last seven days"))


def _healthy() -> str:
    counts, median = _lately()
    accepted = counts[Status.ACCEPTED]
    ended = accepted + sum(counts[status] for status in _WENT_WRONG)
    if not ended:
        return _("Healthy: nothing had to be sent in the last 24 hours.")
    # Rounded down: a hundred means that nothing failed.
    told = {"share": number_format(1000 * accepted // ended / 10, 1)}
    if median is None:
        return _("Healthy: %(share)s%% accepted in 24 h.") % told
    told["ms"] = number_format(median, 0)
    return _("Healthy: %(share)s%% accepted in 24 h, median %(ms)s ms.") % told


def _lately() -> tuple[dict[str, int], float | None]:
    """How many of the last 24 hours have each status, and how long the latest took."""
    key = f"chatitive_django.lately.{log_alias()}"
    figures: tuple[dict[str, int], float | None] | None = cache.get(key)
    if figures is None:
        figures = last_day(), median_of_all()
        cache.set(key, figures, KEPT)
    return figures
