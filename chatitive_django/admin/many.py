"""What people may do to many notifications: the list's actions, and a page that asks first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Min, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from .. import batches
from ..models import BatchRow, Notification, ResendBatch, log_alias
from ..resend import NotPossible, cancel, version
from .acts import CANCEL, RESEND, Acts
from .asking import SHOWN, Asking, Named, typed
from .badges import state
from .filters import in_force
from .kin import batch_url
from .moments import clock

Status = Notification.Status
Sort = BatchRow.Sort

MOST_TICKED = 100
"""Rows that are named one by one: more than a page of the list can tick."""
SINCE = {
    1: gettext_lazy("the last hour"),
    24: gettext_lazy("the last 24 hours"),
    72: gettext_lazy("the last 3 days"),
    168: gettext_lazy("the last 7 days"),
    336: gettext_lazy("the last 14 days"),
}


class ManyActs(Asking, Acts):
    """Resend many and cancel many; neither page acts but when its form is posted."""

    actions: tuple[str, ...] = ("resend_many", "cancel_many")

    def has_resend_permission(self, request: HttpRequest) -> bool:
        """Whether this person may resend many, and this admin shows what becomes of it."""
        return (
            self.has_view_permission(request)
            and request.user.has_perm(RESEND)
            and self.admin_site.is_registered(ResendBatch)
        )

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Whether this person may cancel many."""
        return self.has_view_permission(request) and request.user.has_perm(CANCEL)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        name = "chatitive_django_notification"
        return [
            path("resend-many/", wrap(self.since_view), name=f"{name}_resend_many"),
            path(
                "resend-many/<int:batch_id>/",
                wrap(self.resend_many_view),
                name=f"{name}_resend_many",
            ),
            path("cancel-many/", wrap(self.cancel_many_view), name=f"{name}_cancel_many"),
            *super().get_urls(),
        ]

    # The list's actions

    @admin.action(description=gettext_lazy("Resend…"), permissions=["resend"])
    def resend_many(
        self, request: HttpRequest, queryset: QuerySet[Notification]
    ) -> HttpResponse | None:
        """Freeze what is ticked, or all that the filter matches, and ask."""
        if request.POST.get("select_across") == "1":
            selection: dict[str, Any] = {"filter": in_force(request)}
        else:
            selection = {"ticked": True}
        return self._ask(request, queryset, selection)

    @admin.action(description=gettext_lazy("Cancel pending…"), permissions=["cancel"])
    def cancel_many(
        self, request: HttpRequest, queryset: QuerySet[Notification]
    ) -> HttpResponse | None:
        """Ask before those that are ticked and pending are cancelled."""
        ids = list(queryset.order_by("pk").values_list("pk", flat=True)[: MOST_TICKED + 1])
        if len(ids) > MOST_TICKED:
            text = _("At most %(limit)s can be cancelled at once. Tick fewer.")
            messages.error(request, text % {"limit": MOST_TICKED})
            return None
        return HttpResponseRedirect(f"{self._url('cancel_many')}?ids={','.join(map(str, ids))}")

    # The pages

    def since_view(self, request: HttpRequest) -> HttpResponse:
        """Resend failed since…: GET asks since when, POST freezes what failed and asks again."""
        if not self.has_resend_permission(request):
            raise PermissionDenied
        hours = request.POST.get("hours", "")
        if request.method == "POST" and hours in map(str, SINCE):
            since = timezone.now() - timedelta(hours=int(hours))
            failed = Notification.objects.filter(status__in=batches.FAILED, finished_at__gte=since)
            asked = self._ask(request, failed, {"failed_since": since.isoformat()})
            if asked is not None:
                return asked
        return self._page(
            request,
            "resend_since.html",
            title=_("Resend what failed"),
            choices=[(hours, str(label)) for hours, label in SINCE.items()],
        )

    def resend_many_view(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """GET shows what was chosen, sorted; POST has the ticked sorts queued after a minute."""
        if not self.has_resend_permission(request):
            raise PermissionDenied
        batch = ResendBatch.objects.using(log_alias()).filter(pk=batch_id).first()
        if batch is None:
            messages.error(request, _("This page is too old. Choose the notifications again."))
            return HttpResponseRedirect(self._url("changelist"))
        if batch.made_by_id != request.user.pk:
            raise PermissionDenied
        if batch.state != ResendBatch.State.DRAFT:
            return HttpResponseRedirect(self.batch_url(batch))
        if request.method == "POST":
            try:
                self.begin(request, batch, _("Asked to resend %(count)s notifications: %(reason)s"))
            except NotPossible as error:
                messages.error(request, str(error))
                if error.code != "confirmed":
                    return HttpResponseRedirect(request.path)
            return HttpResponseRedirect(self.batch_url(batch))
        return self.ask(
            request,
            batch,
            title=_("Resend these notifications?"),
            button=_("Yes, resend what is ticked"),
            back=self._url("changelist"),
        )

    def cancel_many_view(self, request: HttpRequest) -> HttpResponse:
        """GET names those of the address that are still pending; POST cancels them."""
        if not self.has_cancel_permission(request):
            raise PermissionDenied
        ids = [int(each) for each in request.GET.get("ids", "").split(",") if _is_id(each)]
        named = Notification.objects.using(log_alias()).filter(pk__in=ids[:MOST_TICKED])
        pending = list(named.filter(status=Status.PENDING).order_by("pk").defer("payload", "why"))
        if not pending:
            messages.error(request, _("None of them is pending, so there is nothing to cancel."))
            return HttpResponseRedirect(self._url("changelist"))
        reason = typed(request, "reason")
        if request.method == "POST" and (reason or len(pending) == 1):
            self._cancel_all(request, pending, reason)
            return HttpResponseRedirect(self._url("changelist"))
        if request.method == "POST":
            messages.error(request, _("Give a reason: it is asked for where it is more than one."))
        return self._page(
            request,
            "cancel_many.html",
            title=_("Cancel these notifications?"),
            rows=[self._named(request, row) for row in pending],
            others=named.count() - len(pending),
            must_give_reason=len(pending) > 1,
        )

    def _ask(
        self, request: HttpRequest, rows: QuerySet[Notification], selection: dict[str, Any]
    ) -> HttpResponse | None:
        """The page that asks for these rows; `None`, and a message, where they can't be resent."""
        try:
            batch = batches.draft(
                rows.using(log_alias()), selection=selection, user_id=request.user.pk
            )
        except NotPossible as error:
            messages.error(request, str(error))
            return None
        return HttpResponseRedirect(self._url("resend_many", batch.pk))

    def _cancel_all(self, request: HttpRequest, rows: list[Notification], reason: str) -> None:
        told = _("Cancelled before it was sent: %(reason)s") % {"reason": reason or "–"}
        cancelled = 0
        for row in rows:
            try:
                with transaction.atomic(using=log_alias()):
                    cancel(row, seen=version(row))
                    self.log_change(request, row, told)
            except NotPossible:  # it is on its way by now, as the message below tells
                continue
            cancelled += 1
        if cancelled:
            text = ngettext(
                "%(count)s was cancelled: it will not be sent.",
                "%(count)s were cancelled: they will not be sent.",
                cancelled,
            )
            messages.success(request, text % {"count": cancelled})
        if left := len(rows) - cancelled:
            text = ngettext(
                "%(count)s was no longer pending.", "%(count)s were no longer pending.", left
            )
            messages.warning(request, text % {"count": left})

    def rows_to_name(self, request: HttpRequest, batch: ResendBatch, sort: Sort) -> list[Named]:
        rows = _rows(batch, sort).defer("payload", "why").order_by("-pk")[:SHOWN]
        return [self._named(request, row) for row in rows]

    def rest_url(self, batch: ResendBatch, sort: Sort) -> str:
        return batch_url(self.admin_site, batch, sort)

    def note_on(self, batch: ResendBatch, sort: Sort) -> str:
        return _note(sort, _rows(batch, sort))

    def _named(self, request: HttpRequest, row: Notification) -> Named:
        return self.act_url("change", row), str(row), self.recipient(request, row), state(row)

    def recipient(self, request: HttpRequest, row: Notification) -> str:
        """Whom it is for, as far as this person may see it."""
        raise NotImplementedError

    def _page(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        return TemplateResponse(
            request,
            f"admin/chatitive_django/notification/{template}",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "media": self.media,
                **context,
            },
        )

    def _url(self, act: str, *args: Any) -> str:
        name = f"admin:chatitive_django_notification_{act}"
        return reverse(name, args=args, current_app=self.admin_site.name)


def _rows(batch: ResendBatch, sort: Sort) -> QuerySet[Notification]:
    rows = BatchRow.objects.using(log_alias()).filter(batch=batch, sort=sort)
    return Notification.objects.using(log_alias()).filter(pk__in=rows.values("notification"))


def _note(sort: Sort, rows: QuerySet[Notification]) -> str:
    """What it means to send this sort, or why it can't be sent."""
    match sort:
        case Sort.FRESH:
            return _("As far as is known, the customers haven't got them.")
        case Sort.DOUBTFUL | Sort.ACCEPTED | Sort.ACCEPTED_LATER:
            return _("The customers may get a second text.")
        case Sort.CHANGED:
            return _("What was recorded then is sent, not what the record says today.")
        case Sort.SCHEDULED:
            waiting = rows.filter(status=Status.PENDING)
            next_try = waiting.aggregate(when=Min("available_at"))["when"]
            if next_try is None:
                return _("They are on their way by themselves.")
            return _("They go by themselves; the next try is at %(time)s.") % {
                "time": clock(next_try)
            }
        case Sort.NO_PHONE:
            return _("Mend the records first.")
        case _other:
            return _("They were meant not to be sent, can't be built, or are scrubbed.")


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18
