"""Going live, back to watch only, and off: each a POST that says who did it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Min, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ...capture.limits import WATCHED
from ...models import ChangedMeanwhile, EventRule, Notification, log_alias
from ...resend import NotPossible
from ...subscribers import mask
from ..badges import mode_badge
from ..moments import moment
from ..subjects import record_name
from .backfills import VIEW_PAYLOAD, Backfills

Mode = EventRule.Mode
Status = Notification.Status

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
    watched = Q(status=Status.SKIPPED, reason=WATCHED)
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


class Modes(Backfills):
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

    def go_live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET tells what it would have sent, POST has it send from now on."""
        rule = self.rule_to_activate(request, object_id)
        if rule.mode == Mode.LIVE:
            messages.info(request, _("It is live already."))
            return self.back_to(rule)
        problems = rule.problems()
        if request.method == "POST":
            if problems:
                messages.error(request, _("It can't go live before its problems are mended."))
                return self.back_to(rule)
            if request.POST.get("already") == "send":
                return self.ask_about_backfill(request, rule)
            text = _("It is live: what happens from now on is sent.")
            return self._switch(request, rule, Mode.LIVE, text)
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
            **({} if problems else self.already_there(request, rule)),
            "report": told,
            "days": REPORTED.days,
            "examples": [
                (row, record_name(row, whole=whole), moment(row.created_at), _whom(row, whole))
                for row in told.examples
            ],
            "edited_since": bool(told.since and told.since < rule.edited_at),
        }
        return TemplateResponse(request, "admin/chatitive_django/eventrule/go_live.html", context)

    @method_decorator(require_POST)
    def watch_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have a rule record what it would send, and send nothing."""
        rule = self.rule_named(request, object_id)
        if not self.may_stop(request, rule):
            raise PermissionDenied
        text = _("It only watches: what it would send is recorded and not sent.")
        return self._switch(request, rule, Mode.WATCH, text)

    @method_decorator(require_POST)
    def off_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have a rule do nothing."""
        rule = self.rule_named(request, object_id)
        if not self.may_stop(request, rule):
            raise PermissionDenied
        return self._switch(request, rule, Mode.OFF, _("It is off: it does nothing."))

    def _switch(self, request: HttpRequest, rule: EventRule, mode: Mode, text: str) -> HttpResponse:
        """Give a rule another mode, if it is still the one that the person saw."""
        try:
            self.refuse_another_version(rule, request.POST.get("seen"))
            self.give_mode(request, rule, mode)
        except (NotPossible, ChangedMeanwhile) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, text)
        return self.back_to(rule)


def _whom(row: Notification, whole: bool) -> str:
    identifier = row.subscriber_sid or row.phone_number or ""
    if row.status == Status.INVALID:
        return row.reason_sentence
    return identifier if whole else mask(identifier)
