"""What is known of each channel, and of the processes that deliver."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Channel(models.Model):
    """Whether a channel's messages flow; a channel without a row flows.

    Nothing is counted here: a row that every delivery writes would have all workers wait for it.
    """

    alias = models.CharField(_("channel"), max_length=64, primary_key=True)
    stopped_at = models.DateTimeField(
        _("stopped"),
        null=True,
        help_text=_("Since when it is paused, or its breaker open, or both without a break."),
    )
    paused_at = models.DateTimeField(_("paused"), null=True)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("paused by"),
    )
    pause_reason = models.CharField(_("why it is paused"), max_length=200, blank=True)
    breaker_opened_at = models.DateTimeField(_("breaker opened"), null=True)
    breaker_reason = models.CharField(_("why the breaker opened"), max_length=64, blank=True)
    probe_at = models.DateTimeField(_("next probe"), null=True)
    slowed_until = models.DateTimeField(_("slowed until"), null=True)

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        default_permissions = ("view",)
        permissions = [
            ("pause_channel", _("Can pause and resume channels")),
            ("send_test", _("Can send tests to the listed numbers")),
        ]
        ordering = ["alias"]

    def __str__(self) -> str:
        return self.alias


class Heartbeat(models.Model):
    """A process that delivers, and when it was last seen; one that ends in order leaves no row."""

    class Kind(models.TextChoices):
        WORKER = "worker", _("worker")
        EMBEDDED = "embedded", _("in a serving process")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    host = models.CharField(_("host"), max_length=255)
    pid = models.PositiveIntegerField(_("process"))
    channels = models.CharField(_("channels"), max_length=1000)
    concurrency = models.PositiveIntegerField(_("threads"))
    started_at = models.DateTimeField(_("started"))
    seen_at = models.DateTimeField(_("last seen"))

    class Meta:
        verbose_name = _("delivering process")
        verbose_name_plural = _("delivering processes")
        default_permissions = ("view",)
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"
