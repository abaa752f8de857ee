"""Going live, back to watch only, and off: each a POST that says who did it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Min, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ...models import ChangedMeanwhile, EventRule, Notification, log_alias
from ...subscribers import mask
from ..badges import mode_badge
from ..moments import moment

if TYPE_CHECKING:
    _RuleAdmin = admin.ModelAdmin[EventRule]
else:  # Django's own classes take no type arguments when they run
    _RuleAdmin = admin.ModelAdmin

Mode = EventRule.Mode
Status = Notification.Status

ACTIVATE = "chatitive_django.activate_rule"
VIEW_PAYLOAD = "chatitive_django.view_payload"
REPORTED = timedelta(days=7)
EXAMPLES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a rule would have sent in the last days, by what it recorded while it watched."""

    messages: int
    people: int
    without_recipient: int
    unbuildable: int
    """Others that could not be built."""
    since: datetime | None
    examples: list[Notification]


def report(rule: EventRule) -> Report:
    """Read what a rule has recorded lately without sending it."""
    rows: QuerySet[Notification] = Notification.objects.using(log_alias()).filter(
        rule_id=rule.pk, created_at__gte=now() - REPORTED
    )
    watched = Q(status=Status.SKIPPED, reason="watch_only")
    lacking = Q(status=Status.INVALID, reason="no_subscriber")
    found = rows.aggregate(
        messages=Count("pk", watched),
        people=Count("subscriber_key", watched, distinct=True),
        without_recipient=Count("pk", lacking),
        unbuildable=Count("pk", Q(status=Status.INVALID) & ~lacking),
        since=Min("created_at", filter=watched | Q(status=Status.INVALID)),
    )
    examples = rows.filter(watched | Q(status=Status.INVALID)).order_by("-created_at")
    return Report(**found, examples=list(examples.defer("payload", "why")[:EXAMPLES]))


class Modes(_RuleAdmin):
    """The pages and buttons that change a rule's mode."""

    def get_urls(self) -> list[URLPattern]:
        pages: list[URLPattern] = [
            path(
                "<path:object_id>/go-live/",
                self.admin_site.admin_view(self.go_live_view),
                name="chatitive_django_eventrule_go_live",
            ),
            *(
                path(
                    f"<path:object_id>/{word}/",
                    self.admin_site.admin_view(view),
                    name=f"chatitive_django_eventrule_{word}",
                )
                for word, view in {"watch": self.watch_view, "off": self.off_view}.items()
            ),
        ]
        return pages + super().get_urls()

    def may_activate(self, request: HttpRequest) -> bool:
        """Whether this person may make rules live, and change those that are."""
        return request.user.has_perm(ACTIVATE)

    def may_stop(self, request: HttpRequest, rule: EventRule) -> bool:
        """Whether this person may keep a rule from sending; to have it send needs more."""
        return super().has_change_permission(request, rule)

    def go_live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET tells what it would have sent, POST has it send from now on."""
        rule = self._rule(request, object_id)
        if not (self.may_activate(request) and self.may_stop(request, rule)):
            raise PermissionDenied
        if rule.mode == Mode.LIVE:
            messages.info(request, _("It is live already."))
            return self._page(rule)
        problems = rule.problems()
        if request.method == "POST":
            if problems:
                messages.error(request, _("It can't go live before its problems are mended."))
                return self._page(rule)
            return self._switch(
                request, rule, Mode.LIVE, _("It is live: what happens from now on is sent.")
            )
        whole = request.user.has_perm(VIEW_PAYLOAD)
        told = report(rule)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": rule,
            "title": _("Make this rule live?"),
            "has_view_permission": True,
            "media": self.media,
            "badge": mode_badge(rule.mode),
            "sentence": rule.sentence(),
            "problems": problems,
            "report": told,
            "days": REPORTED.days,
            "examples": [(row, moment(row.created_at), _whom(row, whole)) for row in told.examples],
            "edited_since": bool(told.since and told.since < rule.edited_at),
        }
        return TemplateResponse(request, "admin/chatitive_django/eventrule/go_live.html", context)

    @method_decorator(require_POST)
    def watch_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have a rule record what it would send, and send nothing."""
        rule = self._rule(request, object_id)
        if not self.may_stop(request, rule):
            raise PermissionDenied
        text = _("It only watches: what it would send is recorded and not sent.")
        return self._switch(request, rule, Mode.WATCH, text)

    @method_decorator(require_POST)
    def off_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have a rule do nothing."""
        rule = self._rule(request, object_id)
        if not self.may_stop(request, rule):
            raise PermissionDenied
        return self._switch(request, rule, Mode.OFF, _("It is off: it does nothing."))

    def _switch(self, request: HttpRequest, rule: EventRule, mode: Mode, text: str) -> HttpResponse:
        """Give a rule another mode, if it is still the one that the person saw."""
        if request.POST.get("seen") != str(rule.version):
            messages.error(
                request, _("It has changed since you opened the page. Look at it again.")
            )
            return self._page(rule)
        before = rule.get_mode_display()
        rule.mode = mode
        rule.edited_by_id = request.user.pk
        try:
            with transaction.atomic(using=rule._state.db):
                rule.save(update_fields=["mode", "edited_by"])
                modes = {"before": before, "after": rule.get_mode_display()}
                said = _("Mode: “%(before)s” became “%(after)s”.") % modes
                self.log_change(request, rule, f"{said} {rule.sentence()}")
        except ChangedMeanwhile as error:
            messages.error(request, str(error))
        else:
            messages.success(request, text)
        return self._page(rule)

    def _rule(self, request: HttpRequest, object_id: str) -> EventRule:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rule: EventRule | None = self.get_object(request, object_id)
        if rule is None:
            raise Http404(_("There is no such rule."))
        return rule

    def _page(self, rule: EventRule) -> HttpResponse:
        url = reverse(
            "admin:chatitive_django_eventrule_change",
            args=[rule.pk],
            current_app=self.admin_site.name,
        )
        return HttpResponseRedirect(url)


def _whom(row: Notification, whole: bool) -> str:
    identifier = row.subscriber_sid or row.phone_number or ""
    if row.status == Status.INVALID:
        return row.reason_sentence
    return identifier if whole else mask(identifier)
