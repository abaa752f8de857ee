"""The page of one notification: what happened, what it means, and what may be done about it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from ..models import Attempt, Channel, Notification, log_alias
from . import wording
from .acts import is_failed
from .badges import TONES, status_badge
from .explain import Explains
from .facts import Facts
from .kin import kin_urls
from .meanings import BEHIND, STOPPED, Act, Meaning, meaning
from .subjects import record_url, sees_all
from .tools import curl, summary
from .trail import trail

Status = Notification.Status

MENDING = {Act.RESEND, Act.RECORD, Act.CHANNELS}
"""The acts that stand out: to do the others is no advice."""


class Detail(Explains, Facts):
    """A sentence and a box on top, the facts, every step that was taken, and tools."""

    change_form_template = "admin/chatitive_django/notification/change_form.html"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row: Notification = context["original"]
        attempts = list(
            Attempt.objects.using(log_alias()).filter(notification=row).select_related("actor")
        )
        whole = sees_all(request)
        earlier = _earlier(row)
        means = _held_up(row, earlier) or meaning(row)
        may_resend = self.may_resend(request, row)
        about = (row.source_model, row.source_id)
        context |= {
            **kin_urls(self.admin_site, row),
            "explain_url": self.explain_url(*about) if all(about) else "",
            "badge": status_badge(row),
            "tone": TONES[row.status],
            "headline": wording.headline(row),
            "meaning": means,
            "earlier": earlier,
            "buttons": self._buttons(request, row, means.act),
            "must_ask": is_failed(row) and not may_resend,
            "resends": row.resends.order_by("id"),
            "steps": trail(row, attempts, whole=whole),
            "summary": summary(row, attempts),
            "curl": curl(row) if whole else "",
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def _buttons(self, request: HttpRequest, row: Notification, first: Act) -> list[dict[str, Any]]:
        """What this person may do, the act that does first."""
        may = {
            Act.RESEND: (
                _("Resend…"),
                self.may_resend(request, row) and self.act_url("resend", row),
            ),
            Act.CANCEL: (
                _("Cancel…"),
                self.may_cancel(request, row) and self.act_url("cancel", row),
            ),
        }
        also = {
            Act.RECORD: (_("Open the record"), record_url(request, self.admin_site, row)),
            Act.CHANNELS: (_("Look at the channels"), self._channels_url(request)),
            Act.RELOAD: (_("Load again"), request.get_full_path()),
            Act.EXPLAIN: (
                _("Why didn't it fire?"),
                row.source_model and self.explain_url(row.source_model, row.source_id),
            ),
        }
        shown = {first: (may | also)[first]} | may
        stands_out = first in MENDING and row.status != Status.ACCEPTED
        return [
            {"label": label, "url": url, "first": act is first and stands_out}
            for act, (label, url) in shown.items()
            if url
        ]

    def _channels_url(self, request: HttpRequest) -> str:
        may_look = request.user.has_perm("chatitive_django.view_channel")
        if not (may_look and self.admin_site.is_registered(Channel)):
            return ""
        return reverse(
            "admin:chatitive_django_channel_changelist", current_app=self.admin_site.name
        )


def _earlier(row: Notification) -> Notification | None:
    """The one that a pending row waits behind."""
    if row.status != Status.PENDING or row.order_key is None:
        return None
    waiting = Notification.objects.using(log_alias()).filter(
        order_key=row.order_key, finished_at=None, pk__lt=row.pk
    )
    return waiting.order_by("pk").defer("payload", "why").first()


def _held_up(row: Notification, earlier: Notification | None) -> Meaning | None:
    """What keeps a pending row waiting, where it isn't its own reason."""
    if row.status != Status.PENDING:
        return None
    channels = Channel.objects.using(log_alias())
    if channels.filter(alias=row.channel, stopped_at__isnull=False).exists():
        return STOPPED
    return BEHIND if earlier is not None else None
