"""The page of the channels: does each one flow, why not, and what delivers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from ..channels import pause, resume
from ..conf import settings
from ..health import ChannelHealth, examine
from ..models import Channel, log_alias
from ..reasons import sentence
from .badges import channel_badge
from .moments import moment

if TYPE_CHECKING:
    _ChannelAdmin = admin.ModelAdmin[Channel]
else:  # Django's own classes take no type arguments when they run
    _ChannelAdmin = admin.ModelAdmin

PAUSE = "chatitive_django.pause_channel"


class ChannelAdmin(_ChannelAdmin):
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
        return [
            path(
                "",
                self.admin_site.admin_view(self.changelist_view),
                name="chatitive_django_channel_changelist",
            ),
            *(
                path(
                    f"<str:alias>/{act}/",
                    self.admin_site.admin_view(view),
                    name=f"chatitive_django_channel_{act}",
                )
                for act, view in {"pause": self.pause_view, "resume": self.resume_view}.items()
            ),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """How each channel is doing, and which processes deliver."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        health = examine()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Channels"),
            "opts": self.opts,
            "channels": [
                (channel, channel_badge(channel), _story(channel)) for channel in health.channels
            ],
            "workers": [(worker, moment(worker.started_at)) for worker in health.workers],
            "unknown": health.unknown,
            "nothing_delivers": any(finding.code == "no_worker" for finding in health.findings),
            "may_pause": request.user.has_perm(PAUSE),
            "media": self.media,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/chatitive_django/channel/change_list.html", context)

    @method_decorator(require_POST)
    def pause_view(self, request: HttpRequest, alias: str) -> HttpResponse:
        """Have the channel's messages wait, with the reason that was given."""
        reason = request.POST.get("reason", "").strip()[:200]

        def act() -> str:
            if not pause(alias, reason=reason, user_id=request.user.pk):
                return _("It was paused already.")
            self._log(request, alias, _("Paused: %(reason)s") % {"reason": reason or "–"})
            return _("Paused. Messages wait, and none is lost.")

        return self._act(request, alias, act)

    @method_decorator(require_POST)
    def resume_view(self, request: HttpRequest, alias: str) -> HttpResponse:
        """Let the channel go on."""

        def act() -> str:
            if not resume(alias):
                return _("Nothing held it up.")
            self._log(request, alias, _("Resumed."))
            return _("It goes on: what waits is sent within moments.")

        return self._act(request, alias, act)

    def _act(self, request: HttpRequest, alias: str, act: Callable[[], str]) -> HttpResponse:
        if not (self.has_view_permission(request) and request.user.has_perm(PAUSE)):
            raise PermissionDenied
        if alias not in settings.API_URLS:
            raise Http404(_("There is no such channel."))
        with transaction.atomic(using=log_alias()):
            messages.success(request, f"{alias}: {act()}")
        url = reverse("admin:chatitive_django_channel_changelist", current_app=self.admin_site.name)
        return HttpResponseRedirect(url)

    def _log(self, request: HttpRequest, alias: str, text: str) -> None:
        channel = Channel.objects.using(log_alias()).get(alias=alias)
        self.log_change(request, channel, text)


def _story(channel: ChannelHealth) -> list[str]:
    """What to tell of a channel's state, in sentences for staff."""
    waiting = ngettext(
        "%(pending)s message waits, and it isn't lost.",
        "%(pending)s messages wait, and none is lost.",
        channel.pending,
    ) % {"pending": channel.pending}
    if not channel.configured:
        return [_("The project's settings have no such channel any more."), waiting]
    if channel.state == "flowing":
        return []
    if channel.state == "paused":
        why = _("The reason given: %(reason)s") % {"reason": channel.reason}
        return [*([why] if channel.reason else []), waiting]
    if channel.state == "slowed":
        return [sentence(channel.reason), _("It goes on by itself in a moment.")]
    return [
        sentence(channel.reason),
        waiting,
        _("One is tried now and then; when it gets through, the others follow by themselves."),
    ]
