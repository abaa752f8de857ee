"""What people may do to a notification: each act a page that says what will happen, and a POST."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from ..models import BatchRow, Notification, log_alias
from ..resend import TODAY_CHANGED, NotPossible, can_cancel, can_resend, cancel, resend, version
from ..sorting import Sorted, sort_one
from ..today import fingerprint
from .badges import state
from .differences import told_today
from .moments import moment
from .subjects import about_now, recipient
from .wording import consequence

if TYPE_CHECKING:
    _NotificationAdmin = admin.ModelAdmin[Notification]
else:  # Django's own classes take no type arguments when they run
    _NotificationAdmin = admin.ModelAdmin

Status = Notification.Status
Sort = BatchRow.Sort

RESEND, SEND_AGAIN, CANCEL = (
    f"chatitive_django.{name}"
    for name in ("resend_notification", "send_again", "cancel_notification")
)


CHANGED = "changed"
"""In the address of a page whose reader knows that the record changes: some messages, with a time
in them, are never the same twice, so what is shown isn't compared again."""


class Acts(_NotificationAdmin):
    """Resend and cancel."""

    def may_resend(self, request: HttpRequest, row: Notification) -> bool:
        """Whether there is something to resend, and this person may."""
        return can_resend(row) and request.user.has_perm(_needed_to_resend(row))

    def may_cancel(self, request: HttpRequest, row: Notification) -> bool:
        """Whether there is something to cancel, and this person may."""
        return can_cancel(row) and request.user.has_perm(CANCEL)

    def act_url(self, act: str, row: Notification) -> str:
        """The page of an act, or of Django's own "change"."""
        name = f"admin:chatitive_django_notification_{act}"
        return reverse(name, args=[row.pk], current_app=self.admin_site.name)

    def get_urls(self) -> list[URLPattern]:
        views = {"resend": self.resend_view, "cancel": self.cancel_view}
        acts: list[URLPattern] = [
            path(
                f"<path:object_id>/{act}/",
                self.admin_site.admin_view(view),
                name=f"chatitive_django_notification_{act}",
            )
            for act, view in views.items()
        ]
        return acts + super().get_urls()

    def resend_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET says what a resend will do and offers what there is to choose, POST queues it."""
        row = self._row(request, object_id, [RESEND, SEND_AGAIN])
        if can_resend(row) and not self.may_resend(request, row):
            raise PermissionDenied
        if request.method == "POST":
            if not can_resend(row):
                return self._too_late(request, row)
            return self._act(request, row, self._resend)
        found = sort_one(row)
        rebuilt = found.today.row if found.today else None
        is_invalid = row.status == Status.INVALID
        return self._before(
            request,
            row,
            title=_("Resend this notification?"),
            seen=found.seen,
            label=found.sort.label,
            consequence=consequence(row, found),
            later=self._later(found),
            is_risky=found.sort not in {Sort.FRESH, Sort.SCHEDULED},
            may_act=can_resend(row) and not (is_invalid and rebuilt is None),
            may_choose=rebuilt is not None and not is_invalid,
            today=fingerprint(rebuilt) if rebuilt and CHANGED not in request.GET else "",
            told_today=told_today(request, row, found.today)
            if found.today and not is_invalid
            else "",
            button=_("Yes, resend it"),
        )

    def _resend(self, request: HttpRequest, row: Notification, seen: str) -> Notification:
        queued = resend(
            row,
            seen=seen,
            user_id=request.user.pk,
            rebuild=request.POST.get("what") == "rebuilt",
            seen_today=request.POST.get("today"),
        )
        if queued.pk == row.pk:
            self._log(request, row, _("Asked to send it again."))
        else:
            numbers = {"old": row.pk, "new": queued.pk}
            self._log(request, row, _("Resent as notification %(new)s.") % numbers)
            self._log(request, queued, _("Made by a resend of notification %(old)s.") % numbers)
        if queued.status == Status.PENDING:
            messages.success(request, _("Queued: it is sent within moments."))
        else:
            messages.warning(request, queued.reason_sentence)
        return queued

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET says what a cancellation will do, POST cancels."""
        row = self._row(request, object_id, [CANCEL])
        if not can_cancel(row):
            return self._too_late(request, row)
        if request.method == "POST":
            return self._act(request, row, self._cancel)
        return self._before(
            request,
            row,
            title=_("Cancel this notification?"),
            seen=version(row),
            consequence=_("It will not be sent. You may still resend it later."),
            may_act=True,
            button=_("Yes, don't send it"),
        )

    def _cancel(self, request: HttpRequest, row: Notification, seen: str) -> Notification:
        cancel(row, seen=seen)
        self._log(request, row, _("Cancelled before it was sent."))
        messages.success(request, _("Cancelled: it will not be sent."))
        return row

    def _row(
        self, request: HttpRequest, object_id: str, permissions: Sequence[str]
    ) -> Notification:
        """The row, for a person who may see it and has one of the permissions."""
        may_act = any(request.user.has_perm(permission) for permission in permissions)
        if not (may_act and self.has_view_permission(request)):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404(_("There is no such notification."))
        return row

    def _act(
        self,
        request: HttpRequest,
        row: Notification,
        act: Callable[[HttpRequest, Notification, str], Notification],
    ) -> HttpResponse:
        """Do what was confirmed.

        What is posted names the state that the page showed. It must be the state for which the
        permission was asked here, and still be so under the lock.
        """
        seen = version(row)
        try:
            if request.POST.get("seen") != seen:
                raise NotPossible(_("It has changed since you opened the page. Look at it again."))
            with transaction.atomic(using=log_alias()):
                row = act(request, row, seen)
        except NotPossible as error:
            messages.error(request, str(error))
            if error.code == TODAY_CHANGED:
                return HttpResponseRedirect(f"{self.act_url('resend', row)}?{CHANGED}=1")
        return self._detail(row)

    def _before(self, request: HttpRequest, row: Notification, **context: Any) -> HttpResponse:
        """A page that says what will happen."""
        return TemplateResponse(
            request,
            "admin/chatitive_django/notification/confirm.html",
            {
                **self.admin_site.each_context(request),
                **context,
                "opts": self.opts,
                "original": row,
                "has_view_permission": True,
                "facts": self.facts(request, row),
                "media": self.media,
            },
        )

    def _later(self, found: Sorted) -> Notification | None:
        """The later notification that the sentence speaks of."""
        if found.sort != Sort.ACCEPTED_LATER or found.later is None:
            return None
        return Notification.objects.using(log_alias()).filter(pk=found.later).first()

    def _log(self, request: HttpRequest, row: Notification, text: str) -> None:
        """Keep what was done and the reason that was typed."""
        reason = request.POST.get("reason", "").strip()[:400]
        if reason:
            text = _("%(what)s The reason given: %(reason)s") % {"what": text, "reason": reason}
        self.log_change(request, row, text)

    def facts(self, request: HttpRequest, row: Notification) -> list[tuple[str, Any]]:
        """What tells this notification from others, each with its label."""
        return [
            (_("Event"), row.event_name),
            (_("To"), recipient(request, row)),
            (_("About"), about_now(request, self.admin_site, row)),
            (_("Recorded"), moment(row.created_at)),
            (_("Now"), state(row)),
        ]

    def _too_late(self, request: HttpRequest, row: Notification) -> HttpResponse:
        text = _("It is %(status)s now, so this can't be done.")
        messages.error(request, text % {"status": row.get_status_display()})
        return self._detail(row)

    def _detail(self, row: Notification) -> HttpResponse:
        return HttpResponseRedirect(self.act_url("change", row))


def is_failed(row: Notification) -> bool:
    """Whether it did not go, as far as anyone knows, and could go after all."""
    return row.status != Status.ACCEPTED and can_resend(row)


def resends_known() -> Prefetch[Any]:
    """What spares `may_resend` a query a row."""
    return Prefetch("resends", queryset=Notification.objects.using(log_alias()).only("resend_of"))


def _needed_to_resend(row: Notification) -> str:
    """The permission for what may reach the customer a second time, or the one for the rest."""
    is_sent = row.status == Status.ACCEPTED or row.resends.exists()
    return SEND_AGAIN if is_sent else RESEND
