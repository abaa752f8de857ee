"""Takes notifications out of the log as a table for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ..models import Notification
from .filters import in_force, worded
from .many import ManyActs
from .subjects import record_name, sees_all

EXPORT = "chatitive_django.export_notification"
AT_MOST = 50_000
"""Rows in one file."""
AT_ONCE = 1000
"""Rows that are read at once: a cursor held open would keep the log from being cleaned up."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class Exports(ManyActs):
    """Export what is ticked, or all that the filter matches."""

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Whether this person may take notifications out of the log."""
        return self.has_view_permission(request) and request.user.has_perm(EXPORT)

    @admin.action(description=gettext_lazy("Export CSV"), permissions=["export"])
    def export_csv(
        self, request: HttpRequest, queryset: QuerySet[Notification]
    ) -> HttpResponseBase | None:
        """Stream the rows as they are now, without payloads; whole numbers for those who may."""
        count = queryset.order_by()[: AT_MOST + 1].count()
        if count > AT_MOST:
            text = _("More than %(limit)s notifications match. Narrow the filter.")
            messages.error(request, text % {"limit": f"{AT_MOST:,}"})
            return None
        self._log_export(request, count)
        response = StreamingHttpResponse(
            self._lines(request, queryset), content_type="text/csv; charset=utf-8"
        )
        name = f"notifications-{timezone.now():%Y-%m-%d}.csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["Cache-Control"] = "no-store"
        return response

    def _lines(self, request: HttpRequest, rows: QuerySet[Notification]) -> Iterator[bytes]:
        writer = csv.writer(_Echo(), quoting=csv.QUOTE_ALL)
        yield "\ufeff".encode()  # by which Excel knows UTF-8
        yield writer.writerow([str(label) for label in _HEADER])
        for row in _portions(rows):
            yield writer.writerow([harmless(cell) for cell in self._cells(request, row)])

    def _cells(self, request: HttpRequest, row: Notification) -> list[Any]:
        return [
            row.pk,
            row.public_id,
            row.created_at.isoformat(timespec="seconds"),
            row.get_status_display(),
            row.reason_sentence,
            row.event_name,
            self.recipient(request, row),
            row.source_model,
            row.source_id,
            record_name(row, whole=sees_all(request)),
            row.attempts,
            row.finished_at.isoformat(timespec="seconds") if row.finished_at else "",
            row.channel,
            row.get_origin_display(),
        ]

    def _log_export(self, request: HttpRequest, count: int) -> None:
        is_ticked = request.POST.get("select_across") != "1"
        how = _("ticked") if is_ticked else worded(in_force(request)) or _("all")
        text = ngettext(
            "Exported %(count)s notification (%(how)s).",
            "Exported %(count)s notifications (%(how)s).",
            count,
        )
        user: Any = request.user
        LogEntry.objects.create(
            user_id=user.pk,
            content_type=ContentType.objects.get_for_model(Notification),
            object_repr=str(self.opts.verbose_name_plural),
            action_flag=CHANGE,
            change_message=text % {"count": count, "how": how},
        )


def harmless(cell: Any) -> str:
    """A cell as text that no spreadsheet takes for a formula."""
    text = str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text


_HEADER = (
    gettext_lazy("id"),
    gettext_lazy("public id"),
    gettext_lazy("recorded"),
    gettext_lazy("status"),
    gettext_lazy("reason"),
    gettext_lazy("event"),
    gettext_lazy("to"),
    gettext_lazy("model"),
    gettext_lazy("record"),
    gettext_lazy("about"),
    gettext_lazy("tries"),
    gettext_lazy("finished"),
    gettext_lazy("channel"),
    gettext_lazy("origin"),
)


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> bytes:
        return text.encode()


def _portions(rows: QuerySet[Notification]) -> Iterator[Notification]:
    """The rows, the latest first, in queries that each begin where the one before ended."""
    rows = rows.prefetch_related(None).order_by("-pk")
    portion = list(rows[:AT_ONCE])
    left = AT_MOST
    while portion and left > 0:
        yield from portion[:left]
        left -= len(portion)
        portion = list(rows.filter(pk__lt=portion[-1].pk)[:AT_ONCE])
