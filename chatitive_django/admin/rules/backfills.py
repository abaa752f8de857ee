"""Going live for records, too, that are in the rule's state already: a batch that asks first."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from ... import batches
from ...backfill import backfill_of
from ...capture.transitions import rows_of
from ...models import BatchRow, ChangedMeanwhile, EventRule, ResendBatch, log_alias
from ...registry import AnyModel, key_read
from ...resend import NotPossible
from ..acts import RESEND
from ..asking import SHOWN, Asking, Named
from ..subjects import named
from .switching import Switching

Sort = BatchRow.Sort

VIEW_PAYLOAD = "chatitive_django.view_payload"


class Backfills(Asking, Switching):
    """What going live offers for the records that were there before."""

    def get_urls(self) -> list[URLPattern]:
        page: URLPattern = path(
            "<path:object_id>/go-live/<int:batch_id>/",
            self.admin_site.admin_view(self.backfill_view),
            name="chatitive_django_eventrule_backfill",
        )
        return [page, *super().get_urls()]

    def may_backfill(self, request: HttpRequest) -> bool:
        """Whether who may make a rule live may also send to many, and see what becomes of it."""
        return request.user.has_perm(RESEND) and self.admin_site.is_registered(ResendBatch)

    def already_there(self, request: HttpRequest, rule: EventRule) -> dict[str, Any]:
        """What the page of going live tells of the records that are in the state already."""
        found = backfill_of(rule)
        count = found.count(batches.AT_MOST + 1) if found is not None else 0
        return {
            "has_state": found is not None,
            "already": count,
            "most": batches.AT_MOST,
            "too_many": count > batches.AT_MOST,
            "may_backfill": self.may_backfill(request),
        }

    def ask_about_backfill(self, request: HttpRequest, rule: EventRule) -> HttpResponse:
        """Freeze the records that are in the state, and lead to the page that asks about them."""
        if not self.may_backfill(request):
            raise PermissionDenied
        try:
            self.refuse_another_version(rule, request.POST.get("seen"))
            batch = batches.draft_backfill(rule, user_id=request.user.pk)
        except NotPossible as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(self.rule_url("go_live", rule))
        return HttpResponseRedirect(self.rule_url("backfill", rule, batch.pk))

    def backfill_view(self, request: HttpRequest, object_id: str, batch_id: int) -> HttpResponse:
        """GET shows what was found, sorted; POST makes the rule live and has the batch begin."""
        rule = self.rule_to_activate(request, object_id)
        if not self.may_backfill(request):
            raise PermissionDenied
        drafts = ResendBatch.objects.using(log_alias()).filter(rule=rule.pk)
        batch = drafts.filter(pk=batch_id).first()
        if batch is None:
            messages.error(request, _("This page is too old. Begin again."))
            return HttpResponseRedirect(self.rule_url("go_live", rule))
        if batch.made_by_id != request.user.pk:
            raise PermissionDenied
        if batch.state != ResendBatch.State.DRAFT:
            return HttpResponseRedirect(self.batch_url(batch))
        if request.method == "POST":
            return self._begun(request, rule, batch)
        return self.ask(
            request,
            batch,
            title=_("Make this rule live, and send to these records?"),
            consequence=_("The rule goes live at once, and these records follow."),
            button=_("Yes, make it live and send"),
            back=self.rule_url("go_live", rule),
        )

    def _begun(self, request: HttpRequest, rule: EventRule, batch: ResendBatch) -> HttpResponse:
        """Both or neither: the rule is live, and its backfill begins after a minute."""
        try:
            self.refuse_another_version(rule, batch.rule_version)
            if rule.problems():
                raise NotPossible(_("It can't go live before its problems are mended."))
            with transaction.atomic(using=log_alias()):
                self.give_mode(request, rule, EventRule.Mode.LIVE)
                told = _("Asked to send to %(count)s records that were there already: %(reason)s")
                self.begin(request, batch, told)
        except (NotPossible, ChangedMeanwhile) as error:
            batch.refresh_from_db()
            if batch.state == ResendBatch.State.DRAFT:
                messages.error(request, str(error))
                return HttpResponseRedirect(request.path)
        else:
            messages.success(request, _("It is live: what happens from now on is sent."))
        return HttpResponseRedirect(self.batch_url(batch))

    def rows_to_name(self, request: HttpRequest, batch: ResendBatch, sort: Sort) -> list[Named]:
        rows = BatchRow.objects.using(log_alias()).filter(batch=batch, sort=sort).order_by("pk")
        texts = [text or "" for text in rows.values_list("source_id", flat=True)[:SHOWN]]
        rule = EventRule.objects.using(log_alias()).filter(pk=batch.rule_id).first()
        model = rule.model_class if rule is not None else None
        if model is None:
            return []
        records: dict[str, Any] = {}
        if request.user.has_perm(VIEW_PAYLOAD):
            keys = {key_read(model, text): text for text in texts}
            records = {keys[row.pk]: row for row in rows_of(model, list(keys), log_alias())}
        return [
            (self._record_url(model, text), named(model, text, records.get(text)), "", "")
            for text in texts
        ]

    def note_on(self, batch: ResendBatch, sort: Sort) -> str:
        match sort:
            case Sort.FRESH:
                return _("Each is looked at again at its turn, and left out if it has changed.")
            case Sort.NO_PHONE:
                return _("Mend the records first.")
            case Sort.IMPOSSIBLE:
                return _("Their messages can't be built.")
            case _other:
                return _("They get nothing.")

    def _record_url(self, model: AnyModel, text: str) -> str:
        """Where it is told what is declared for a record, if this admin has that page."""
        try:
            url = reverse("admin:chatitive_django_explain", current_app=self.admin_site.name)
        except NoReverseMatch:
            return ""
        return f"{url}?{urlencode({'model': model._meta.label_lower, 'pk': text})}"
