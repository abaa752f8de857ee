"""The list of the notification log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import Channel, Notification
from ..registry import declared
from ..sentences import sentence
from . import wording
from .acts import RESEND, is_failed, resends_known
from .badges import noted, status_badge
from .columns import Column
from .export import Exports
from .filters import ALLOWED, FILTERS, WhenFilter, events_known, in_force, worded
from .incidents import Incidents
from .moments import clock, moment
from .paging import LogPaginator
from .search import search
from .standing import last_days, standing

if TYPE_CHECKING:
    from django.contrib.admin.options import _ListDisplayT

Status = Notification.Status

VIEW_CHANNEL = "chatitive_django.view_channel"


class LogPage(ChangeList):
    """A page of the list, which needs neither payloads nor reasons of firing."""

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Any = None
    ) -> QuerySet[Notification]:
        rows: QuerySet[Notification] = super().get_queryset(request, exclude_parameters)
        rows = rows.defer("payload", "why").prefetch_related("rule__conditions", "rule__payload")
        return rows.prefetch_related(resends_known())

    @property
    def when(self) -> WhenFilter:
        """The filter by time, which is in force though nobody chose it."""
        return next(spec for spec in self.filter_specs if isinstance(spec, WhenFilter))

    @property
    def all_time(self) -> str:
        """The address of the same page without a bound in time."""
        span: Mapping[str, Any] = {"when": "all", "from": None, "until": None}
        return self.get_query_string({**span})

    @property
    def hides_all(self) -> bool:
        """Whether there are rows, and it is for the time alone that none is shown."""
        return self.when.is_usual and self.root_queryset.exists()


class Listing(Incidents, Exports):
    """The list, with what may be done to many of its rows."""

    actions = ("resend_many", "cancel_many", "export_csv")
    list_display = ("recorded", "event_name")
    list_display_links = None
    list_filter = FILTERS
    list_per_page = 30  # drawing a row takes Django more time than finding it
    paginator = LogPaginator
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    search_fields = ("event_name",)
    search_help_text = gettext_lazy("Phone number in any format, id, SID, or the event's name")
    sortable_by = ("recorded",)
    ordering = ("-created_at",)
    change_list_template = "admin/chatitive_django/notification/change_list.html"

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup in ALLOWED

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LogPage

    def get_list_display(self, request: HttpRequest) -> _ListDisplayT[Notification]:
        columns: list[Any] = [
            "recorded",
            "state_and_reason",
            Column(request, self.what, _("what")),
            Column(request, self.recipient, _("who")),
            Column(request, self.about, _("about")),
            "tries",
            "next_due",
        ]
        if request.user.has_perm(RESEND):
            columns.append(Column(request, self.way_out, _("resend")))
        return columns

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Notification], search_term: str
    ) -> tuple[QuerySet[Notification], bool]:
        return search(queryset, search_term, events_known(request)), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "standing": standing,
            "last_days": last_days,
            "tiles": lambda: list(self.tiles(request)),
            "shown": worded(in_force(request)),
            "may_see_channels": request.user.has_perm(VIEW_CHANNEL)
            and self.admin_site.is_registered(Channel),
            "declared_sentences": wording.declared_sentences,
            "may_resend_many": self.has_resend_permission(request),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    @admin.display(description=gettext_lazy("recorded"), ordering="created_at")
    def recorded(self, row: Notification) -> str:
        return moment(row.created_at)

    @admin.display(description=gettext_lazy("status"))
    def state_and_reason(self, row: Notification) -> SafeString:
        """The status and its reason; where there is no room for more columns, the tries too."""
        is_retried = row.status == Status.PENDING and row.attempts
        told = row.reason_sentence if is_retried or row.status not in wording.QUIET else ""
        brief = wording.tries(row)
        narrow = format_html('<span class="chatitive-note chatitive-narrow">{}</span>', brief)
        return format_html(
            "{}{}{}", status_badge(row), noted(told) if told else "", narrow if brief else ""
        )

    def what(self, request: HttpRequest, row: Notification) -> str:
        """The event, which leads to the notification, with the rule's sentence on hover.

        Where there is no room for its column, the record stands below it.
        """
        filters = self.get_preserved_filters(request)
        kept: dict[str, Any] = {"preserved_filters": filters, "opts": self.opts}
        url = add_preserved_filters(kept, self.act_url("change", row))
        told = _sentence(request, row)
        return format_html(
            '<a href="{}" title="{}">{}</a><span class="chatitive-note chatitive-narrow">{}</span>',
            url,
            told,
            row.event_name,
            self.about(request, row),
        )

    @admin.display(description=gettext_lazy("tries"))
    def tries(self, row: Notification) -> str:
        return str(row.attempts) if row.attempts else "–"

    @admin.display(description=gettext_lazy("next try"))
    def next_due(self, row: Notification) -> str:
        if row.status != Status.PENDING:
            return "–"
        now = timezone.now()
        if row.available_at <= now:
            return _("now")
        if (row.available_at - now).days:
            return moment(row.available_at)
        return clock(row.available_at)

    def way_out(self, request: HttpRequest, row: Notification) -> str:
        """For what failed the way to send it again."""
        if not (is_failed(row) and self.may_resend(request, row)):
            return ""
        return format_html('<a href="{}">{}</a>', self.act_url("resend", row), _("Resend…"))

    def about(self, request: HttpRequest, row: Notification) -> str:
        """The record, by the name it had."""
        raise NotImplementedError


def _sentence(request: HttpRequest, row: Notification) -> str:
    """What the rule or the code that a row is of says, found once a request."""
    known = cast(dict[str, str], request.__dict__.setdefault("_chatitive_sentences", {}))
    if row.event_key not in known:
        known[row.event_key] = row.rule.sentence() if row.rule else _declared_sentence(row)
    return known[row.event_key]


def _declared_sentence(row: Notification) -> str:
    try:
        model = apps.get_model(row.source_model)
    except (LookupError, ValueError):
        return ""
    found = (each for each in declared(model) if each.key == row.event_key)
    each = next(found, None)
    return sentence(each.event, each.model) if each is not None else ""
