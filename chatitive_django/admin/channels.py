"""The page of the channels: does each one flow, why not, who can mend it, and what delivers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from ..channels import discard, pause, resume
from ..conf import settings
from ..models import Channel, Notification, ResendBatch, log_alias
from ..trials import record_test
from .badges import batch_badge
from .connections import is_reached, outside_transactions
from .flows import LAST_DAY, channel_flows, general_findings
from .guarded import Guarded
from .moments import moment
from .monitor import answer_monitor
from .trials import TrialForm

if TYPE_CHECKING:
    _ChannelAdmin = admin.ModelAdmin[Channel]
else:  # Django's own classes take no type arguments when they run
    _ChannelAdmin = admin.ModelAdmin

PAUSE, SEND_TEST = "chatitive_django.pause_channel", "chatitive_django.send_test"

ALL, RECENT, NONE = "all", "recent", "none"
"""What is to be sent when a paused channel goes on."""
BATCHES = 5


class ChannelAdmin(Guarded, _ChannelAdmin):
    """One page for all channels of the settings; a channel without a row flows."""

    class Media:
        css = {"all": ("chatitive_django/admin.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        acts = {
            "pause": self.pause_view,
            "resume": self.resume_view,
            "test_connection": outside_transactions(self.test_connection_view),
            "send_test": self.send_test_view,
        }
        name = "chatitive_django_channel"
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.changelist_view), name=f"{name}_changelist"),
            # For machines: what may see it is asked there, by a token or a log-in.
            path("health/", self.health_view, name="chatitive_django_health"),
            *(
                path(f"<str:alias>/{act.replace('_', '-')}/", wrap(view), name=f"{name}_{act}")
                for act, view in acts.items()
            ),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """How each channel is doing, and which processes deliver."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        findings, workers = general_findings()
        context = {
            "title": _("Channels"),
            "channels": channel_flows(findings),
            "findings": [finding for finding in findings if not finding.channel],
            "workers": [(worker, moment(worker.started_at)) for worker in workers],
            "batches": self._batches(),
            "may_pause": request.user.has_perm(PAUSE),
            "may_test": request.user.has_perm(SEND_TEST),
            **(extra_context or {}),
        }
        return self._page(request, "change_list.html", context)

    @login_not_required
    def health_view(self, request: HttpRequest) -> HttpResponse:
        """How delivery is doing, as JSON for monitors."""

        def may_see() -> bool:
            return self.admin_site.has_permission(request) and self.has_view_permission(request)

        return answer_monitor(request, may_see=may_see)

    @method_decorator(require_POST)
    def pause_view(self, request: HttpRequest, alias: str) -> HttpResponse:
        """Have the channel's messages wait, with the reason that was given."""
        reason = request.POST.get("reason", "").strip()[:200]

        def act() -> str:
            if not pause(alias, reason=reason, user_id=request.user.pk):
                return _("It was paused already.")
            self._log(request, alias, _("Paused: %(reason)s") % {"reason": reason or "–"})
            return _("Paused. Messages wait, and none is lost.")

        self._may(request, alias, PAUSE)
        return self._act(request, alias, act)

    @method_decorator(require_POST)
    def resume_view(self, request: HttpRequest, alias: str) -> HttpResponse:
        """Let the channel go on with all that waits, with the last day's, or with none of it."""
        self._may(request, alias, PAUSE)
        spans = {RECENT: LAST_DAY, NONE: timedelta(0)}
        choice = request.POST.get("send", ALL)
        discarded = discard(alias, older_than=spans[choice]) if choice in spans else 0

        def act() -> str:
            if discarded is None or not resume(alias):
                return _("Nothing held it up.")
            if not discarded:
                self._log(request, alias, _("Resumed."))
                return _("It goes on: what waits is sent within moments.")
            text = ngettext(
                "Resumed; %(count)s that had waited was discarded.",
                "Resumed; %(count)s that had waited were discarded.",
                discarded,
            ) % {"count": discarded}
            self._log(request, alias, text)
            return text

        return self._act(request, alias, act)

    @method_decorator(require_POST)
    def test_connection_view(self, request: HttpRequest, alias: str) -> HttpResponse:
        """Connect to the API without sending anything, outside of any transaction."""
        self._may(request, alias, SEND_TEST)
        is_reached(self, request, alias)
        return self._back()

    def send_test_view(self, request: HttpRequest, alias: str) -> HttpResponse:
        """GET asks for an event and a listed number, POST records a test for delivery."""
        self._may(request, alias, SEND_TEST)
        form = TrialForm(
            request.POST if request.method == "POST" else None,
            whole=request.user.has_perm("chatitive_django.view_payload"),
        )
        if form.is_valid():
            with transaction.atomic(using=log_alias()):
                row = record_test(
                    form.cleaned_data["event_name"],
                    phone_number=form.cleaned_data["number"],
                    channel=alias,
                    payload=form.cleaned_data["payload"],
                    user_id=request.user.pk,
                )
                self.log_addition(request, cast(Any, row), _("Sent a test."))
            if row.status == Notification.Status.PENDING:
                messages.success(request, _("Queued: its page tells what becomes of it."))
            else:
                messages.error(request, row.reason_sentence)
            return HttpResponseRedirect(self._url("notification_change", row.pk))
        context = {
            "title": _("Send a test by %(channel)s") % {"channel": alias},
            "form": form,
            "has_numbers": bool(settings.API_TEST_NUMBERS),
        }
        return self._page(request, "send_test.html", context)

    def _may(self, request: HttpRequest, alias: str, permission: str) -> None:
        if not (self.has_view_permission(request) and request.user.has_perm(permission)):
            raise PermissionDenied
        if alias not in settings.API_URLS:
            raise Http404(_("There is no such channel."))

    def _act(self, request: HttpRequest, alias: str, act: Callable[[], str]) -> HttpResponse:
        with transaction.atomic(using=log_alias()):
            messages.success(request, f"{alias}: {act()}")
        return self._back()

    def _batches(self) -> list[tuple[ResendBatch, str, str]]:
        """The bulk sends that are under way, as far as this admin has a page for them."""
        if not self.admin_site.is_registered(ResendBatch):
            return []
        under_way = ResendBatch.objects.using(log_alias()).filter(state__in=ResendBatch.UNDER_WAY)
        return [
            (batch, self._url("resendbatch_change", batch.pk), batch_badge(batch))
            for batch in under_way.order_by("-pk")[:BATCHES]
        ]

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        return TemplateResponse(
            request,
            f"admin/chatitive_django/channel/{template}",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "media": self.media,
                **context,
            },
        )

    def _back(self) -> HttpResponse:
        return HttpResponseRedirect(self._url("channel_changelist"))

    def _url(self, name: str, *args: Any) -> str:
        return reverse(
            f"admin:chatitive_django_{name}", args=args, current_app=self.admin_site.name
        )

    def _log(self, request: HttpRequest, alias: str, text: str) -> None:
        self.log_change(request, Channel(alias=alias), text)
