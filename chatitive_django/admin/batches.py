"""The pages of batches: how far each has come, undo and cancel, and the report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from .. import backfill, batches
from ..models import BatchRow, EventRule, Notification, ResendBatch, log_alias
from ..reasons import sentence
from ..resend import NotPossible
from .acts import RESEND
from .badges import BATCH_TONES, batch_badge
from .filters import worded
from .guarded import Guarded
from .kin import FAILED, batch_url
from .moments import moment

if TYPE_CHECKING:
    _BatchAdmin = admin.ModelAdmin[ResendBatch]
else:  # Django's own classes take no type arguments when they run
    _BatchAdmin = admin.ModelAdmin

State = ResendBatch.State

VIEW = "chatitive_django.view_notification"
VIEW_RULE = "chatitive_django.view_eventrule"


class BatchAdmin(Guarded, _BatchAdmin):
    """For those who may see the log; who made a batch, or a superuser, may stop it."""

    list_display = ("asked", "kind", "state_badge", "made_by", "reason", "progress")
    list_display_links = ("asked",)
    list_select_related = ("made_by",)
    show_full_result_count = False
    actions = None
    change_list_template = "admin/chatitive_django/resendbatch/change_list.html"
    change_form_template = "admin/chatitive_django/resendbatch/change_form.html"

    class Media:
        css = {"all": ("chatitive_django/admin.css",)}
        js = ("chatitive_django/progress.js",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(VIEW)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def may_cancel(self, request: HttpRequest, batch: ResendBatch) -> bool:
        """Whether this person may stop it, as far as it is still to be stopped."""
        user = request.user
        is_theirs = user.pk is not None and batch.made_by_id == user.pk
        stands_above = user.is_active and getattr(user, "is_superuser", False)
        return (
            self.has_view_permission(request)
            and user.has_perm(RESEND)
            and (is_theirs or stands_above)
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ResendBatch]:
        return super().get_queryset(request).exclude(state=State.DRAFT)

    def get_urls(self) -> list[URLPattern]:
        cancel: URLPattern = path(
            "<int:batch_id>/cancel/",
            self.admin_site.admin_view(self.cancel_view),
            name="chatitive_django_resendbatch_cancel",
        )
        return [cancel, *super().get_urls()]

    @admin.display(description=gettext_lazy("asked for"), ordering="pk")
    def asked(self, batch: ResendBatch) -> str:
        return moment(batch.created_at)

    @admin.display(description=gettext_lazy("what"))
    def kind(self, batch: ResendBatch) -> str:
        return _title(batch)

    @admin.display(description=gettext_lazy("state"))
    def state_badge(self, batch: ResendBatch) -> str:
        return batch_badge(batch)

    @admin.display(description=gettext_lazy("progress"))
    def progress(self, batch: ResendBatch) -> str:
        return _("%(done)s of %(total)s") % {"done": batch.gone_through, "total": batch.total}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        batch: ResendBatch = context["original"]
        told = batches.report(batch)
        under_way = batch.state in ResendBatch.UNDER_WAY
        context |= {
            "title": _title(batch),
            "batch": batch,
            "badge": batch_badge(batch),
            "tone": BATCH_TONES[batch.state],
            "headline": _headline(batch),
            "report": told,
            "failed_url": batch_url(self.admin_site, batch, FAILED),
            "done": batch.total - told.left,
            "skipped": [(_skipped(code), count) for code, count in sorted(told.skipped.items())],
            "facts": [*_facts(batch, told), *self._rule(request, batch)],
            "under_way": under_way,
            "may_cancel": under_way and self.may_cancel(request, batch),
            "can_undo": batch.state == State.WAITING,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def _rule(self, request: HttpRequest, batch: ResendBatch) -> Iterator[tuple[str, str]]:
        """The way to the rule of a backfill, where it can be turned off."""
        may_see = request.user.has_perm(VIEW_RULE) and self.admin_site.is_registered(EventRule)
        rule = EventRule.objects.using(log_alias()).filter(pk=batch.rule_id).first()
        if rule is not None and may_see:
            name = "admin:chatitive_django_eventrule_change"
            url = reverse(name, args=[rule.pk], current_app=self.admin_site.name)
            yield _("Rule"), format_html('<a href="{}">{}</a>', url, rule.name)

    @method_decorator(require_POST)
    def cancel_view(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """Queue no more of it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        batch = self.get_queryset(request).using(log_alias()).filter(pk=batch_id).first()
        if batch is None:
            raise Http404(_("There is no such bulk send."))
        if not self.may_cancel(request, batch):
            raise PermissionDenied
        try:
            with transaction.atomic(using=log_alias()):
                batches.cancel(batch, user_id=request.user.pk)
                left = batch.total - batch.gone_through
                self.log_change(
                    request, batch, _("Cancelled with %(left)s not queued.") % {"left": left}
                )
        except NotPossible as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("Cancelled: no more of it is sent."))
        name = "admin:chatitive_django_resendbatch_change"
        return HttpResponseRedirect(
            reverse(name, args=[batch.pk], current_app=self.admin_site.name)
        )


def chosen_how(batch: ResendBatch) -> str:
    """How a batch's notifications or records were chosen, in words."""
    chosen = batch.selection
    if batch.is_backfill:
        backfilled = {"sentence": chosen.get("sentence", "–")}
        return _("Records that were in the state already: “%(sentence)s”") % backfilled
    if "failed_since" in chosen:
        since = parse_datetime(chosen["failed_since"])
        return format_html("{} {}", _("All that failed since"), moment(since))
    if "ticked" in chosen:
        count = sum(batch.sorted.values())
        text = ngettext("%(count)s that was ticked", "%(count)s that were ticked", count)
        return text % {"count": count}
    if "cause" in chosen:
        return _("All that failed so: %(cause)s") % {"cause": sentence(chosen["cause"]["reason"])}
    told = worded(chosen.get("filter", {}))
    return _("All that match: %(filter)s") % {"filter": told} if told else _("All notifications")


def _facts(batch: ResendBatch, told: batches.Report) -> list[tuple[str, Any]]:
    ticked = [f"{told.sorts[sort]} × {sort.label}" for sort in BatchRow.Sort if sort in told.sorts]
    facts: list[tuple[str, Any]] = [
        (_("Who"), batch.made_by or "–"),
        (_("Why"), batch.reason or "–"),
        (_("Which"), chosen_how(batch)),
        (_("Of these"), ", ".join(ticked)),
        (
            _("Frozen"),
            moment(batch.until)
            if batch.is_backfill
            else format_html("{} (#{})", moment(batch.until), batch.highest_id),
        ),
        (_("Pace"), batch.get_pace_display()),
    ]
    times = {_("Started"): batch.started_at, _("Ended"): batch.finished_at}
    facts += [(label, moment(when)) for label, when in times.items() if when is not None]
    if late := batch.selection.get("late"):
        text = ngettext(
            "%(count)s record came into the state after the rows were frozen and before the rule "
            "was live: it got nothing.",
            "%(count)s records came into the state after the rows were frozen and before the rule "
            "was live: they got nothing.",
            late,
        )
        facts.append((_("Too late"), text % {"count": late}))
    if batch.cancelled_by is not None:
        facts.append((_("Cancelled by"), batch.cancelled_by))
    return facts


def _title(batch: ResendBatch) -> str:
    told = {"count": batch.total}
    if batch.is_backfill:
        return _("Backfill of %(count)s") % told
    return _("Resend of %(count)s") % told


def _headline(batch: ResendBatch) -> str:
    if batch.state == State.WAITING:
        wait = (batch.starts_at or timezone.now()) - timezone.now()
        seconds = max(0, round(wait / timedelta(seconds=1)))
        if not seconds:
            return _("It starts as soon as a worker looks. You may still undo it.")
        return _("It starts in %(seconds)s seconds. Until then nothing is sent.") % {
            "seconds": seconds
        }
    if batch.state == State.RUNNING:
        return _("It is running. This page refreshes itself.")
    if batch.state == State.DONE:
        return _("All of it was gone through.")
    if not batch.queued:
        told = _("It was undone: nothing of it was sent.")
    else:
        told = _("It was cancelled. What had been queued before is sent.")
    if batch.is_backfill:
        told += " " + _("Its rule is as it was: it may be live.")
    return told


def _skipped(code: str) -> str:
    """Why rows were skipped."""
    if code.startswith(batches.NOW):
        status = Notification.Status(code.removeprefix(batches.NOW))
        return _("By then it was %(status)s") % {"status": status.label}
    told = {
        batches.TRIED_SINCE: _("It had been tried or resent since"),
        batches.NOT_SENT: _("It was recorded and, as intended, not sent"),
        "pruned": _("It had left the log"),
        "scrubbed": _("Its subscriber was scrubbed"),
        "not_declared": _("The project no longer declares its event"),
        backfill.RECORD_GONE: _("The record is gone"),
        backfill.OTHER_STATE: _("The record was no longer in the state"),
        backfill.TOLD_BEFORE: _("The rule had sent to this record before"),
        backfill.CONDITION_FAILS: _("A condition of the rule didn't hold"),
        backfill.RULE_GONE: _("The rule had been deleted"),
        backfill.RULE_OFF: _("The rule was no longer live"),
        backfill.RULE_CHANGED: _("The rule had been changed"),
    }
    return told.get(code) or sentence(code)
