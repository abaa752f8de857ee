"""The pages of the notification log; it answers: did it go, why not, may I send it again?"""

from __future__ import annotations

import json
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.utils import quote
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import Notification, log_alias
from . import wording
from .acts import is_failed
from .attempts import AttemptInline
from .badges import TONES, state, status_badge
from .columns import Column
from .explain import Explains
from .listing import Listing
from .moments import moment

Status = Notification.Status

VIEW_PAYLOAD = "chatitive_django.view_payload"


class NotificationAdmin(Explains, Listing):
    """The log; rows are made by the app alone, and people resend or cancel them."""

    inlines = (AttemptInline,)
    change_form_template = "admin/chatitive_django/notification/change_form.html"

    class Media:
        css = {"all": ("chatitive_django/admin.css",)}

    # Who may do what

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # The detail

    def get_fieldsets(self, request: HttpRequest, obj: Notification | None = None) -> Any:
        what = [
            "event_name",
            Column(request, self.recipient, _("to")),
            Column(request, self.about_now, _("about")),
            Column(request, self.why_it_fired, _("why it fired")),
        ]
        times = ["recorded"]
        if obj is not None and obj.status == Status.PENDING:
            times += ["next_try", "expires"]
        elif obj is not None and obj.status != Status.SENDING:
            times += ["finished"]
        payload = "payload_json" if request.user.has_perm(VIEW_PAYLOAD) else "payload_hidden"
        identity = ["public_id", "channel", "event_key", "origin"]
        if obj is not None and obj.requested_by_id:
            identity.append("requested_by")
        return [
            (None, {"fields": [*what, *times]}),
            (_("Message"), {"fields": [payload, "consent"]}),
            (_("Identity"), {"fields": identity, "classes": ["collapse"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [
            name for _label, part in self.get_fieldsets(request, obj) for name in part["fields"]
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row: Notification = context["original"]
        may_resend = self.may_resend(request, row)
        about = (row.source_model, row.source_id)
        context |= {
            "explain_url": self.explain_url(*about) if all(about) else "",
            "badge": status_badge(row),
            "tone": TONES[row.status],
            "headline": wording.headline(row),
            "advice": wording.advice(row),
            "may_resend": may_resend,
            "must_ask": is_failed(row) and not may_resend,
            "may_cancel": self.may_cancel(request, row),
            "resends": row.resends.order_by("id"),
            "next_try": self.next_try(row) if row.status == Status.PENDING else "",
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=gettext_lazy("next try"))
    def next_try(self, row: Notification) -> str:
        return moment(row.available_at)

    @admin.display(description=gettext_lazy("given up after"))
    def expires(self, row: Notification) -> str:
        return moment(row.expires_at)

    @admin.display(description=gettext_lazy("finished"))
    def finished(self, row: Notification) -> str:
        return moment(row.finished_at)

    @admin.display(description=gettext_lazy("consent"))
    def consent(self, row: Notification) -> str:
        if row.subscribe_new:
            return _("A number that is new to the channel is added as subscribed.")
        if row.allow_new:
            return _("A number that is new to the channel is added as unconfirmed.")
        return _("A number that is new to the channel is ignored.")

    @admin.display(description=gettext_lazy("payload"))
    def payload_json(self, row: Notification) -> SafeString:
        text = json.dumps(row.payload, indent=2, ensure_ascii=False)
        return format_html('<pre class="chatitive-text">{}</pre>', text)

    @admin.display(description=gettext_lazy("payload"))
    def payload_hidden(self, row: Notification) -> str:
        return _("Only people with the permission to see payloads can see it.")

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

    def why_it_fired(self, request: HttpRequest, row: Notification) -> str:
        return wording.why_sentence(row, whole=request.user.has_perm(VIEW_PAYLOAD))

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
