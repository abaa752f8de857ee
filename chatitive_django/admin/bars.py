"""Days as stacked bars: a drawing, and the same numbers as a table for those who can't see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ..models import Notification
from ..tallies import Day
from .badges import TONES

Status = Notification.Status

SLOT, WIDTH, HEIGHT = 64, 40, 80
"""A day's place, its bar, and the highest bar, in the units of the drawing."""
ABOVE, BELOW = 18, 22
"""What the numbers over the bars and the days under them take up."""
LEAST = 2.0
"""One failure among thousands is seen too."""

_ORDER = [
    Status.ACCEPTED,
    Status.PENDING,
    Status.SENDING,
    Status.SKIPPED,
    Status.CANCELLED,
    Status.UNKNOWN,
    Status.INVALID,
    Status.EXPIRED,
    Status.REJECTED,
]
"""From the ground up: what went well below, what someone should look at on top."""


@dataclass(frozen=True, slots=True)
class _Segment:
    status: Status
    y: float
    height: float


def bars(days: Sequence[Day], title: str) -> SafeString:
    """The days as one drawing with a title that tells it in words, and a table that unfolds."""
    width, height = SLOT * len(days), ABOVE + HEIGHT + BELOW
    highest = max((day.total for day in days), default=0)
    return format_html(
        '<figure class="chatitive-bars"><figcaption>{}</figcaption>'
        '<svg viewBox="0 0 {} {}" role="img" focusable="false"><title>{}</title>{}</svg>'
        "{}{}</figure>",
        title,
        width,
        height,
        f"{title}: {'; '.join(map(_in_words, days))}",
        format_html_join("", "{}", ((_bar(day, n, highest),) for n, day in enumerate(days))),
        _legend(days),
        _table(days, title),
    )


def _bar(day: Day, n: int, highest: int) -> SafeString:
    middle = SLOT * n + SLOT / 2
    segments = list(_segments(day, highest))
    top = segments[-1].y if segments else ABOVE + HEIGHT
    return format_html(
        '<g><title>{}</title>{}<text class="chatitive-count" x="{}" y="{}">{}</text>'
        '<text x="{}" y="{}">{}</text></g>',
        _in_words(day),
        format_html_join(
            "",
            '<rect class="chatitive-{} chatitive-is-{}" x="{}" y="{}" width="{}" height="{}"/>',
            (
                (
                    TONES[each.status],
                    each.status.value,
                    middle - WIDTH / 2,
                    round(each.y, 2),
                    WIDTH,
                    round(each.height, 2),
                )
                for each in segments
            ),
        ),
        middle,
        round(top - 5, 2),
        _number(day.total, cut=bool(day.cut)),
        middle,
        ABOVE + HEIGHT + 15,
        date_format(day.date, "D"),
    )


def _segments(day: Day, highest: int) -> Iterator[_Segment]:
    """A day's statuses as heights, one on the other; together no higher than the drawing."""
    shares = {
        status: max(LEAST, HEIGHT * count / highest)
        for status in _ORDER
        if (count := day.counts.get(status, 0))
    }
    shrink = min(1.0, HEIGHT / sum(shares.values())) if shares else 1.0
    y = float(ABOVE + HEIGHT)
    for status, share in shares.items():
        y -= share * shrink
        yield _Segment(status, y, share * shrink)


def _legend(days: Sequence[Day]) -> SafeString:
    found = [status for status in _ORDER if any(day.counts.get(status) for day in days)]
    return format_html(
        '<ul class="chatitive-legend" aria-hidden="true">{}</ul>',
        format_html_join(
            "",
            '<li><svg viewBox="0 0 10 10" width="10" height="10" focusable="false">'
            '<rect class="chatitive-{} chatitive-is-{}" width="10" height="10"/></svg> {}</li>',
            ((TONES[status], status.value, status.label) for status in found),
        ),
    )


def _table(days: Sequence[Day], title: str) -> SafeString:
    found = [status for status in _ORDER if any(day.counts.get(status) for day in days)]
    head = format_html_join("", '<th scope="col">{}</th>', ((each.label,) for each in found))
    rows = (
        (
            date_format(day.date, "SHORT_DATE_FORMAT"),
            format_html_join(
                "",
                "<td>{}</td>",
                ((_number(day.counts.get(status, 0), cut=status in day.cut),) for status in found),
            ),
        )
        for day in days
    )
    return format_html(
        "<details><summary>{}</summary>"
        '<div class="chatitive-scroll" tabindex="0" role="group" aria-label="{}"><table>'
        '<caption>{}</caption><thead><tr><th scope="col">{}</th>{}</tr></thead>'
        "<tbody>{}</tbody></table></div></details>",
        _("The numbers"),
        title,
        title,
        _("Day"),
        head,
        format_html_join("", '<tr><th scope="row">{}</th>{}</tr>', rows),
    )


def _in_words(day: Day) -> str:
    counts = ", ".join(
        f"{_number(count, cut=status in day.cut)} {status.label}"
        for status in _ORDER
        if (count := day.counts.get(status, 0))
    )
    return f"{date_format(day.date, 'D')} {counts or _('nothing')}"


def _number(count: int, *, cut: bool) -> str:
    """A count; with a plus where it is the least that there can be."""
    return f"{number_format(count, use_l10n=True, force_grouping=True)}{'+' if cut else ''}"
