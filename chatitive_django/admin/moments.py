"""Moments as the log shows them: to the second, in the reader's language and time zone."""

from __future__ import annotations

from datetime import datetime

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import is_aware, localtime


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


def _local(when: datetime) -> datetime:
    return localtime(when) if is_aware(when) else when
