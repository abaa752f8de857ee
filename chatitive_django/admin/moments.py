"""Moments as the log shows them: to the second, in the reader's language and time zone."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext


def moment(when: datetime | None) -> str:
    """A date and a time; a dash where there is none."""
    if when is None:
        return "–"
    local = _local(when)
    return format_html(
        '<time datetime="{}">{}, <span class="chatitive-word">{}</span></time>',
        local.isoformat(timespec="seconds"),
        date_format(local),
        clock(when),
    )


def clock(when: datetime) -> str:
    """The time of a day, to the second."""
    return _local(when).strftime("%H:%M:%S")


def duration(time: timedelta) -> str:
    """A length of time in the unit that fits it."""
    seconds = max(time.total_seconds(), 0)
    if seconds < 1:
        return _("%(count)s ms") % {"count": round(seconds * 1000)}
    if seconds < 120:
        return _("%(count)s s") % {"count": number_format(seconds, 1)}
    minutes = round(seconds / 60)
    if minutes < 120:
        return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}
    hours = round(minutes / 60)
    return ngettext("%(count)s hour", "%(count)s hours", hours) % {"count": hours}


def _local(when: datetime) -> datetime:
    return localtime(when) if is_aware(when) else when
