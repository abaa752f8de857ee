"""The page that asks before a batch begins: what was chosen and sorted, why, and how fast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from .. import batches
from ..models import BatchRow, ResendBatch, log_alias
from ..resend import NotPossible
from .acts import SEND_AGAIN
from .batches import chosen_how

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:  # Django's own classes take no type arguments when they run
    _ModelAdmin = admin.ModelAdmin

Sort = BatchRow.Sort

SHOWN = 5
"""Rows of each sort that the page names."""

Named = tuple[str, str, str, str]
"""The address of a row, and what tells it from others: its name, its recipient, its state."""


class Asking(_ModelAdmin):
    """Asks a person about the draft that they have made, and has it begin when they say so."""

    def rows_to_name(self, request: HttpRequest, batch: ResendBatch, sort: Sort) -> list[Named]:
        """Some rows of a sort."""
        raise NotImplementedError

    def rest_url(self, batch: ResendBatch, sort: Sort) -> str:
        """A list of all rows of a sort, where there is one."""
        return ""

    def note_on(self, batch: ResendBatch, sort: Sort) -> str:
        """What it means to send this sort, or why it can't be sent."""
        raise NotImplementedError

    def ask(self, request: HttpRequest, batch: ResendBatch, **context: Any) -> HttpResponse:
        """The page; the context gives its `title`, its `button` and the way `back`."""
        return TemplateResponse(
            request,
            "admin/chatitive_django/resendbatch/ask.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "media": self.media,
                "chosen_how": chosen_how(batch),
                "batch": batch,
                "sorts": list(self._sorts(request, batch)),
                "paces": ResendBatch.Pace.choices,
                "must_give_reason": batch.total > 1,
                **context,
            },
        )

    def begin(self, request: HttpRequest, batch: ResendBatch, told: str) -> None:
        """Confirm the draft as the posted page says, and log it; raises `NotPossible`."""
        sorts = set(request.POST.getlist("sort"))
        if Sort.ACCEPTED in sorts and not request.user.has_perm(SEND_AGAIN):
            raise PermissionDenied
        pace = request.POST.get("pace", "")
        if pace not in map(str, ResendBatch.Pace.values):
            raise NotPossible(_("Choose a pace."))
        with transaction.atomic(using=log_alias()):
            batches.confirm(batch, sorts=sorts, reason=typed(request, "reason"), pace=int(pace))
            self.log_addition(
                request,
                cast(Any, batch),
                told % {"count": batch.total, "reason": batch.reason or "–"},
            )

    def batch_url(self, batch: ResendBatch) -> str:
        """The page that tells how far it is."""
        name = "admin:chatitive_django_resendbatch_change"
        return reverse(name, args=[batch.pk], current_app=self.admin_site.name)

    def _sorts(self, request: HttpRequest, batch: ResendBatch) -> Iterator[dict[str, Any]]:
        """Each sort that there is, in the order of the page."""
        for sort in Sort:
            if count := batch.sorted.get(sort, 0):
                needs_permission = sort == Sort.ACCEPTED and not request.user.has_perm(SEND_AGAIN)
                yield {
                    "value": sort.value,
                    "label": sort.label,
                    "count": count,
                    "note": self.note_on(batch, sort),
                    "needs_permission": needs_permission,
                    "may_tick": sort in BatchRow.SENDABLE and not needs_permission,
                    "ticked": sort == Sort.FRESH,
                    "rows": self.rows_to_name(request, batch, sort),
                    "more": max(0, count - SHOWN),
                    "rest_url": self.rest_url(batch, sort),
                }


def typed(request: HttpRequest, name: str) -> str:
    """A line that was typed."""
    return request.POST.get(name, "").strip()[:400]
