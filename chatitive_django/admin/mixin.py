"""What puts "Messages" on the admin of a project's own model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction
from django.db.models import Model, Q, QuerySet
from django.forms import Media
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from ..exceptions import Unbuildable
from ..explain import source_keys
from ..models import Notification, log_alias
from ..payloads import evaluate_as
from ..registry import concrete, key_text
from ..subscribers import subscriber_key
from .acts import Acts, is_failed, resends_known
from .badges import state
from .guarded import guarded
from .moments import moment
from .subjects import about, recipient

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Model]
else:  # Django's own classes take no type arguments when they run
    _ModelAdmin = object

VIEW = "chatitive_django.view_notification"
CSS = ["chatitive_django/admin.css", "chatitive_django/detail.css"]
A_PAGE = 25
LAST_PAGE = 400


class MessagesMixin(_ModelAdmin):
    """Put before `ModelAdmin`: each record has a page of its messages, newest first.

    Those are the messages about the record. Where the record is a person, `chatitive_phone_number`
    or `chatitive_subscriber_sid` names the path to who they are, as an `Event` does, and the
    messages to them are there too. It takes *Can view notification* beside the permission for the
    record, and asks no query of the list.
    """

    chatitive_phone_number: str = ""
    chatitive_subscriber_sid: str = ""

    def get_urls(self) -> list[URLPattern]:
        page = path(
            "<path:object_id>/messages/",
            self.admin_site.admin_view(guarded(self, self.chatitive_messages_view)),
            name=self._messages_name(),
        )
        return [page, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The form as it is, whatever template it has, with one more button above it."""
        response = super().render_change_form(request, context, *args, **kwargs)
        record = context.get("original")
        if (
            record is None
            or context.get("is_popup")
            or not isinstance(response, TemplateResponse)
            or not request.user.has_perm(VIEW)
        ):
            return response
        assert response.context_data is not None  # noqa: S101 -- Django's own always has one
        response.context_data |= {
            "chatitive_form": response.resolve_template(response.template_name),
            "chatitive_messages_url": self._messages_url(record),
        }
        response.template_name = "admin/chatitive_django/messages/change_form.html"
        return response

    def chatitive_messages_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """By GET alone: it shows, and its links lead to the pages that act."""
        record = self.get_object(request, unquote(object_id))
        if not (
            request.user.has_perm(VIEW) and self.has_view_or_change_permission(request, record)
        ):
            raise PermissionDenied
        if record is None:
            raise Http404(_("There is no such record."))
        number = min(_number(request.GET.get("p", "")), LAST_PAGE)
        asked, problem = self._messages_of(record)
        start = number * A_PAGE
        rows = list(asked[start : start + A_PAGE + 1])
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            "admin/chatitive_django/messages/messages.html",
            {
                **self.admin_site.each_context(request),
                "title": _("Messages: %(record)s") % {"record": record},
                "opts": self.opts,
                "original": record,
                "media": self.media + Media(css={"all": CSS}),
                "has_view_permission": True,
                "record_url": self._page_url("change", record),
                "problem": problem,
                "is_person": bool(self.chatitive_phone_number or self.chatitive_subscriber_sid),
                "messages_of": [self._shown(request, row) for row in rows[:A_PAGE]],
                "newer": f"?p={number - 1}" if number else "",
                "older": f"?p={number + 1}" if len(rows) > A_PAGE and number < LAST_PAGE else "",
            },
        )

    def _shown(self, request: HttpRequest, row: Notification) -> dict[str, Any]:
        log = _log_admin(self.admin_site)
        return {
            "when": moment(row.created_at),
            "event": row.event_name,
            "url": log.act_url("change", row) if log else "",
            "state": state(row),
            "to": recipient(request, row),
            "about": about(request, self.admin_site, row),
            "resend_url": log.act_url("resend", row)
            if log and is_failed(row) and log.may_resend(request, row)
            else "",
        }

    def _messages_of(self, record: Model) -> tuple[QuerySet[Notification], str]:
        """The messages about a record and to its person, and what kept the person from being read.

        Ordered by time, whose indexes they have: the key's would be walked through all of the log.
        """
        asked = Q()
        for model, pk in source_keys(concrete(type(record)), record.pk, record):
            asked |= Q(source_model=model._meta.label_lower, source_id=key_text(model, pk)[:255])
        problem = ""
        try:
            if keys := list(self._subscriber_keys(record)):
                asked |= Q(subscriber_key__in=keys)
        except Unbuildable as error:
            problem = error.explanation
        rows = Notification.objects.using(log_alias()).filter(asked).defer("payload", "why")
        rows = rows.prefetch_related(resends_known())
        return rows.order_by("-created_at", "-pk"), problem

    def _subscriber_keys(self, record: Model) -> list[str]:
        found = []
        for name in ("phone_number", "subscriber_sid"):
            source = getattr(self, f"chatitive_{name}")
            if not source:
                continue
            try:
                with transaction.atomic(using=record._state.db):
                    value = str(evaluate_as(f"chatitive_{name}", source, record) or "").strip()
            except DatabaseError as error:
                raise Unbuildable("database", type(error).__name__) from error
            if value:
                sent = {"phone_number": None, "subscriber_sid": None, name: value}
                found.append(subscriber_key(**sent))
        return found

    def _messages_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_chatitive_messages"

    def _messages_url(self, record: Model) -> str:
        return self._page_url("chatitive_messages", record)

    def _page_url(self, page: str, record: Model) -> str:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}"
        return reverse(name, args=[quote(record.pk)], current_app=self.admin_site.name)


def _log_admin(site: admin.AdminSite) -> Acts | None:
    """The log's own admin on this site, where it is there."""
    try:
        found = site.get_model_admin(Notification)
    except NotRegistered:
        return None
    return found if isinstance(found, Acts) else None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
