"""The list of the notification log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import Notification
from . import wording
from .acts import RESEND, is_failed
from .badges import noted, state
from .columns import Column
from .filters import ChannelFilter
from .many import ManyActs
from .moments import moment
from .search import search

if TYPE_CHECKING:
    from django.contrib.admin.options import _ListDisplayT

FILTERED = {"status", "created_at", "channel", "origin"}
"""What a list's address may name. By any other column, people could find out, letter by letter,
the payloads and phone numbers that they may not see."""


class LogPage(ChangeList):
    """A page of the list, which needs neither payloads nor reasons of firing."""

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Any = None
    ) -> QuerySet[Notification]:
        return super().get_queryset(request, exclude_parameters).defer("payload", "why")


class Listing(ManyActs):
    """The list, with what may be done to many of its rows."""

    list_display = ("recorded", "event_name")
    list_filter = ("status", "created_at", ChannelFilter, "origin")
    list_per_page = 50
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    search_fields = ("event_name",)
    search_help_text = gettext_lazy("Phone number in any format, id, SID, or the event's name")
    sortable_by = ("recorded",)
    ordering = ("-id",)
    change_list_template = "admin/chatitive_django/notification/change_list.html"

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup.partition("__")[0] in FILTERED

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LogPage

    def get_list_display(self, request: HttpRequest) -> _ListDisplayT[Notification]:
        return [
            "recorded",
            Column(request, self.state_and_way_out, _("status")),
            Column(request, self.event_and_record, _("event")),
            Column(request, self.recipient, _("to")),
        ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Notification], search_term: str
    ) -> tuple[QuerySet[Notification], bool]:
        return search(queryset, search_term), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "declared_sentences": wording.declared_sentences,
            "may_resend_many": self.has_resend_permission(request),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    @admin.display(description=gettext_lazy("recorded"), ordering="id")
    def recorded(self, row: Notification) -> str:
        return moment(row.created_at)

    def state_and_way_out(self, request: HttpRequest, row: Notification) -> str:
        """The status, what it leaves to say, and for what failed the way to send it again."""
        if not (is_failed(row) and request.user.has_perm(RESEND)):
            return state(row)
        link = format_html('<a href="{}">{}</a>', self.act_url("resend", row), _("Resend…"))
        return state(row, beside=link)

    def event_and_record(self, request: HttpRequest, row: Notification) -> str:
        """What was said, and below it about which record."""
        filters = self.get_preserved_filters(request)
        kept: dict[str, Any] = {"preserved_filters": filters, "opts": self.opts}
        url = add_preserved_filters(kept, self.act_url("change", row))
        about = noted(self.about(request, row))
        return format_html('<a href="{}">{}</a>{}', url, row.event_name, about)

    def about(self, request: HttpRequest, row: Notification) -> str:
        """The record, by the name it had."""
        raise NotImplementedError
