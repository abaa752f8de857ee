"""The pages of the notification log; it answers: did it go, why not, may I send it again?"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.utils import quote
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from ..models import Notification, log_alias
from .badges import state
from .detail import VIEW_PAYLOAD, Detail
from .listing import Listing
from .moments import moment


class NotificationAdmin(Detail, Listing):
    """The log; rows are made by the app alone, and people resend or cancel them."""

    class Media:
        css = {"all": ("chatitive_django/admin.css",)}

    # Who may do what

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # The list and the detail

    def recipient(self, request: HttpRequest, row: Notification) -> str:
        """Whom it is for; masked for those who may not see whole numbers."""
        if request.user.has_perm(VIEW_PAYLOAD):
            return row.subscriber_sid or row.phone_number or "–"
        return row.masked_subscriber or "–"

    def about(self, request: HttpRequest, row: Notification) -> str:
        """The record, by the name it had, with a link where this person may see it."""
        url = self._record_url(request, row)
        return format_html('<a href="{}">{}</a>', url, _named(row)) if url else _named(row)

    def facts(self, request: HttpRequest, row: Notification) -> list[tuple[str, Any]]:
        return [
            (_("Event"), row.event_name),
            (_("To"), self.recipient(request, row)),
            (_("About"), self.about_now(request, row)),
            (_("Recorded"), moment(row.created_at)),
            (_("Now"), state(row)),
        ]

    def about_now(self, request: HttpRequest, row: Notification) -> str:
        """The record, and whether it is still there."""
        try:
            model = apps.get_model(row.source_model)
            pk = model._meta.pk.to_python(row.source_id)
        except (LookupError, ValueError, ValidationError):
            return row.source_name or "–"
        if model._base_manager.using(log_alias()).filter(pk=pk).exists():
            return self.about(request, row)
        return _("%(record)s (deleted since)") % {"record": _named(row)}

    def _record_url(self, request: HttpRequest, row: Notification) -> str | None:
        try:
            model = apps.get_model(row.source_model)
            shown = self.admin_site.get_model_admin(model)
        except (LookupError, ValueError, NotRegistered):
            return None
        if not shown.has_view_or_change_permission(request):
            return None
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
        try:
            return reverse(name, args=[quote(row.source_id)], current_app=self.admin_site.name)
        except NoReverseMatch:  # its admin has no such page
            return None


def _named(row: Notification) -> str:
    return row.source_name or f"{row.source_model} {row.source_id}".strip() or "–"
