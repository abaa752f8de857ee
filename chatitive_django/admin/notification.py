"""The pages of the notification log; it answers: did it go, why not, may I send it again?"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.templatetags.admin_urls import admin_urlname
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import Attempt, Notification, log_alias
from ..resend import NotPossible, can_cancel, can_resend, cancel, resend, version
from ..subscribers import normalise
from .wording import ICONS, MEANINGS, consequence, why_sentence

if TYPE_CHECKING:
    _AttemptInline = admin.TabularInline[Attempt, Notification]
    _NotificationAdmin = admin.ModelAdmin[Notification]
else:  # Django's own classes take no type arguments when they run
    _AttemptInline = admin.TabularInline
    _NotificationAdmin = admin.ModelAdmin

Status = Notification.Status


class AttemptInline(_AttemptInline):
    """What was tried, oldest first; nobody adds to it here."""

    model = Attempt
    extra = 0
    can_delete = False
    verbose_name_plural = gettext_lazy("attempts")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        shown = ["number", "started_at", "actor", "outcome", "http_status", "error_class"]
        shown.append("duration_ms")
        if request.user.has_perm("chatitive_django.view_payload"):
            shown.append("response_excerpt")
        return shown

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("chatitive_django.view_notification")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        return super().get_queryset(request).select_related("actor")


class NotificationAdmin(_NotificationAdmin):
    """The log; rows are made by the app alone, and people resend or cancel them."""

    list_display = ("created_at", "badge", "event_name", "who", "about", "attempts", "next_try")
    list_display_links = ("created_at", "event_name")
    list_filter = ("status", "created_at", "channel", "origin")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("event_name__startswith",)
    search_help_text = gettext_lazy("Phone number in any format, id, SID, or the event's name")
    ordering = ("-id",)
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

    def _may_resend(self, request: HttpRequest, row: Notification) -> bool:
        permission = "send_again" if row.status == Status.ACCEPTED else "resend_notification"
        return can_resend(row) and request.user.has_perm(f"chatitive_django.{permission}")

    def _may_cancel(self, request: HttpRequest, row: Notification) -> bool:
        return can_cancel(row) and request.user.has_perm("chatitive_django.cancel_notification")

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notification]:
        return super().get_queryset(request).select_related("requested_by", "resend_of")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Notification], search_term: str
    ) -> tuple[QuerySet[Notification], bool]:
        """Search exactly: what the term looks like decides in which indexed column."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if found := _by_identity(queryset, term):
            return found, False
        return queryset.filter(event_name__startswith=term), False

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def badge(self, row: Notification) -> str:
        return format_html(
            '<span class="chatitive-badge chatitive-{}" title="{}">'
            '<span aria-hidden="true">{}</span> {}</span>',
            row.status,
            row.reason_sentence,
            ICONS[row.status],
            _("retrying")
            if row.status == Status.PENDING and row.attempts
            else row.get_status_display(),
        )

    @admin.display(description=gettext_lazy("to"))
    def who(self, row: Notification) -> str:
        return row.masked_subscriber or "–"

    @admin.display(description=gettext_lazy("about"))
    def about(self, row: Notification) -> str:
        name = row.source_name or f"{row.source_model} {row.source_id}".strip() or "–"
        url = _record_url(row)
        return format_html('<a href="{}">{}</a>', url, name) if url else name

    @admin.display(description=gettext_lazy("next try"))
    def next_try(self, row: Notification) -> Any:
        return row.available_at if row.status == Status.PENDING else None

    # The detail

    def get_fieldsets(self, request: HttpRequest, obj: Notification | None = None) -> Any:
        if request.user.has_perm("chatitive_django.view_payload"):
            message = ["event_name", "channel", "phone_number", "subscriber_sid"]
            message += ["consent", "payload_json"]
        else:
            message = ["event_name", "channel", "who", "consent"]
        return [
            (None, {"fields": ["state", "about", "why_it_fired"]}),
            (_("Message"), {"fields": message}),
            (
                _("Times"),
                {"fields": ["created_at", "available_at", "expires_at", "finished_at", "attempts"]},
            ),
            (
                _("Identity"),
                {"fields": ["public_id", "event_key", "origin", "resend_of", "requested_by"]},
            ),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [
            name for _label, part in self.get_fieldsets(request, obj) for name in part["fields"]
        ]

    @admin.display(description=gettext_lazy("status"))
    def state(self, row: Notification) -> str:
        return format_html(
            '{} <p class="chatitive-meaning">{} {}</p>',
            self.badge(row),
            row.reason_sentence,
            MEANINGS[row.status],
        )

    @admin.display(description=gettext_lazy("why it fired"))
    def why_it_fired(self, row: Notification) -> str:
        return why_sentence(row)

    @admin.display(description=gettext_lazy("consent"))
    def consent(self, row: Notification) -> str:
        if row.subscribe_new:
            return _("A number that is new to the channel is added as subscribed.")
        if row.allow_new:
            return _("A number that is new to the channel is added as unconfirmed.")
        return _("A number that is new to the channel is ignored.")

    @admin.display(description=gettext_lazy("payload"))
    def payload_json(self, row: Notification) -> str:
        text = json.dumps(row.payload, indent=2, ensure_ascii=False)
        return format_html('<pre class="chatitive-json">{}</pre>', text)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        tools = {
            "may_resend": row is not None and self._may_resend(request, row),
            "may_cancel": row is not None and self._may_cancel(request, row),
        }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **tools})

    # The acts

    def get_urls(self) -> list[URLPattern]:
        name = "chatitive_django_notification"
        acts: list[URLPattern] = [
            path(
                f"<path:object_id>/{act}/",
                self.admin_site.admin_view(view),
                name=f"{name}_{act}",
            )
            for act, view in (("resend", self.resend_view), ("cancel", self.cancel_view))
        ]
        return acts + super().get_urls()

    def resend_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET says what a resend will do, POST queues it."""
        row = self._row_or_404(request, object_id)
        if not self._may_resend(request, row):
            return self._refuse(request, row, can_resend(row))

        def act(seen: str) -> HttpResponse:
            queued = resend(row, seen=seen, user_id=request.user.pk)
            self.log_change(request, row, _("Resent as notification %(id)s.") % {"id": queued.pk})
            if queued.pk != row.pk:
                self.log_change(
                    request, queued, _("Made by a resend of notification %(id)s.") % {"id": row.pk}
                )
            messages.success(request, _("Queued: it will be sent at once."))
            return self._detail(queued)

        return self._confirmed(
            request,
            row,
            act,
            title=_("Resend this notification?"),
            consequence=consequence(row),
            button=_("Yes, resend it"),
        )

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET says what a cancellation will do, POST cancels."""
        row = self._row_or_404(request, object_id)
        if not self._may_cancel(request, row):
            return self._refuse(request, row, can_cancel(row))

        def act(seen: str) -> HttpResponse:
            cancel(row, seen=seen)
            self.log_change(request, row, _("Cancelled before it was sent."))
            messages.success(request, _("Cancelled: it will not be sent."))
            return self._detail(row)

        return self._confirmed(
            request,
            row,
            act,
            title=_("Cancel this notification?"),
            consequence=_("It will not be sent. You may still resend it later."),
            button=_("Yes, don't send it"),
        )

    def _confirmed(
        self,
        request: HttpRequest,
        row: Notification,
        act: Callable[[str], HttpResponse],
        **words: str,
    ) -> HttpResponse:
        """Show a page that says what will happen, and act when it is posted."""
        if request.method == "POST":
            try:
                with transaction.atomic(using=log_alias()):
                    return act(request.POST.get("seen", ""))
            except NotPossible as error:
                messages.error(request, str(error))
                return self._detail(row)
        context = {
            **self.admin_site.each_context(request),
            **words,
            "opts": self.opts,
            "object": row,
            "seen": version(row),
            "about": self.about(row),
            "badge": self.badge(row),
            "recipient": self._recipient(request, row),
            "media": self.media,
        }
        return TemplateResponse(
            request, "admin/chatitive_django/notification/confirm.html", context
        )

    def _row_or_404(self, request: HttpRequest, object_id: str) -> Notification:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404(_("There is no such notification."))
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row

    def _refuse(self, request: HttpRequest, row: Notification, possible: bool) -> HttpResponse:
        if possible:
            raise PermissionDenied
        messages.error(
            request,
            _("It is %(status)s now, so this can't be done.")
            % {"status": row.get_status_display()},
        )
        return self._detail(row)

    def _detail(self, row: Notification) -> HttpResponse:
        return HttpResponseRedirect(
            reverse(
                "admin:chatitive_django_notification_change",
                args=[row.pk],
                current_app=self.admin_site.name,
            )
        )

    def _recipient(self, request: HttpRequest, row: Notification) -> str:
        if request.user.has_perm("chatitive_django.view_payload"):
            return row.subscriber_sid or row.phone_number or "–"
        return self.who(row)


def _by_identity(queryset: QuerySet[Notification], term: str) -> QuerySet[Notification] | None:
    """The rows of one phone number, SID, public id or row number; `None` where it is none."""
    try:
        return queryset.filter(public_id=uuid.UUID(term))
    except ValueError:
        pass
    if term.isdigit() and len(term) < 7:
        return queryset.filter(pk=int(term))
    key = normalise(term)
    if key.startswith("+") or any(character.isdigit() for character in key):
        found = queryset.filter(subscriber_key__in=[key, f"sid:{term}"])
        if found.exists():
            return found
    return None


def _record_url(row: Notification) -> str | None:
    """The record's own admin page, where it has one."""
    try:
        meta = apps.get_model(row.source_model)._meta
        return reverse(admin_urlname(meta, "change"), args=[row.source_id])  # type: ignore[arg-type]
    except (LookupError, ValueError, NoReverseMatch):
        return None
