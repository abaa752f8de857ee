"""The notification log: one row an event, one row an attempt to send it."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, router
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ..outcomes import Outcome
from ..reasons import sentence
from ..subscribers import mask


def log_alias() -> str:
    """The database that holds the log; only writes through this alias are captured."""
    return router.db_for_write(Notification)


class Notification(models.Model):
    """One event for one subscriber, and where it stands."""

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        SENDING = "sending", _("sending")
        ACCEPTED = "accepted", _("accepted")
        REJECTED = "rejected", _("rejected")
        UNKNOWN = "unknown", _("unknown")
        EXPIRED = "expired", _("expired")
        CANCELLED = "cancelled", _("cancelled")
        INVALID = "invalid", _("invalid")
        SKIPPED = "skipped", _("skipped")

    class Origin(models.TextChoices):
        AUTOMATIC = "automatic", _("automatic")
        MANUAL = "manual", _("by hand")
        RESEND = "resend", _("resend")
        TEST = "test", _("test")
        BACKFILL = "backfill", _("backfill")

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, editable=False, unique=True)
    event_name = models.CharField(_("event"), max_length=255)
    channel = models.CharField(_("channel"), max_length=64)
    phone_number = models.CharField(_("phone number"), max_length=64, null=True)
    subscriber_sid = models.CharField(_("subscriber SID"), max_length=64, null=True)
    subscriber_key = models.CharField(
        _("subscriber"), max_length=80, blank=True, help_text=_("The subscriber as it is compared.")
    )
    allow_new = models.BooleanField(_("allow new"), default=False)
    subscribe_new = models.BooleanField(_("subscribe new"), default=False)
    payload = models.JSONField(_("payload"), default=dict, encoder=DjangoJSONEncoder)
    on_ambiguous = models.CharField(_("when it may have arrived"), max_length=8)
    order_key = models.CharField(_("order key"), max_length=160, null=True)

    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.PENDING
    )
    reason = models.CharField(_("reason"), max_length=64, blank=True)
    explanation = models.TextField(_("explanation"), blank=True)
    attempts = models.PositiveIntegerField(_("tries"), default=0)
    available_at = models.DateTimeField(_("next try"))
    expires_at = models.DateTimeField(_("expires"))
    lease_token = models.UUIDField(_("lease token"), null=True, editable=False)
    leased_until = models.DateTimeField(_("leased until"), null=True)
    created_at = models.DateTimeField(_("recorded"))
    finished_at = models.DateTimeField(_("finished"), null=True)
    scrubbed_at = models.DateTimeField(
        _("scrubbed"), null=True, help_text=_("When the person was taken out of it.")
    )

    source_model = models.CharField(_("model"), max_length=200, blank=True)
    source_id = models.CharField(_("record"), max_length=255, blank=True)
    source_name = models.CharField(_("about"), max_length=255, blank=True)
    event_key = models.CharField(_("declaration"), max_length=400, blank=True)
    # No constraint in the database: another process may use a rule for a moment after it is
    # deleted, and every message would wait for whoever edits its rule.
    rule = models.ForeignKey(
        "chatitive_django.EventRule",
        models.SET_NULL,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="notifications",
        verbose_name=_("rule"),
    )
    why = models.JSONField(_("why it fired"), default=dict, encoder=DjangoJSONEncoder)
    origin = models.CharField(
        _("origin"), max_length=16, choices=Origin.choices, default=Origin.AUTOMATIC
    )
    resend_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, related_name="resends", verbose_name=_("resend of")
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("asked for by"),
        help_text=_("Who asked for the attempt that is due, where a person did."),
    )

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        default_permissions = ("view",)
        permissions = [
            ("view_payload", _("Can see payloads and whole phone numbers")),
            ("resend_notification", _("Can resend notifications")),
            ("send_again", _("Can send again what was already accepted")),
            ("cancel_notification", _("Can cancel pending notifications")),
            ("export_notification", _("Can export notifications")),
        ]
        indexes = [
            # Status comes first where a condition would do elsewhere: MySQL and MariaDB drop the
            # condition and keep the index.
            models.Index(
                fields=["status", "channel", "available_at", "id"],
                name="chatitive_due",
                condition=models.Q(status="pending"),
            ),
            # Pending and sending are the two statuses that have not finished. Asked for in this way
            # the first row of a subscriber is one step, however many wait behind it.
            models.Index(
                fields=["order_key", "finished_at", "id"],
                name="chatitive_order",
                condition=models.Q(finished_at__isnull=True),
            ),
            models.Index(
                fields=["status", "leased_until"],
                name="chatitive_leases",
                condition=models.Q(status="sending"),
            ),
            models.Index(
                fields=["status", "expires_at"],
                name="chatitive_expiry",
                condition=models.Q(status="pending"),
            ),
            models.Index(fields=["status", "-created_at"], name="chatitive_by_status"),
            models.Index(fields=["subscriber_key", "-created_at"], name="chatitive_by_subscriber"),
            models.Index(
                fields=["source_model", "source_id", "-created_at"], name="chatitive_by_source"
            ),
            models.Index(
                fields=["rule", "-created_at"],
                name="chatitive_by_rule",
                condition=models.Q(rule__isnull=False),
            ),
            # The list shows the latest first, of all or of what a filter leaves. In the order of a
            # locale PostgreSQL can't find how a name begins, so the index has that of the bytes.
            models.Index(fields=["-created_at"], name="chatitive_by_time"),
            models.Index(
                fields=["event_name", "-created_at"],
                name="chatitive_by_event",
                opclasses=["varchar_pattern_ops", "timestamptz_ops"],
            ),
            models.Index(
                fields=["origin", "-created_at"],
                name="chatitive_by_origin",
                condition=~models.Q(origin="automatic"),
            ),
        ]

    RESENDABLE: Collection[Status] = frozenset(
        {Status.UNKNOWN, Status.REJECTED, Status.EXPIRED, Status.CANCELLED}
    )
    """The statuses from which the same message may be sent again as the same row."""

    def __str__(self) -> str:
        return f"{self.event_name} #{self.pk}"

    @property
    def masked_subscriber(self) -> str:
        """Whom it is for, without giving the number away: `…0123`."""
        return mask(self.subscriber_sid or self.phone_number or "")

    @property
    def reason_sentence(self) -> str:
        """The reason in words for support staff; empty where none is needed."""
        return self.explanation or (sentence(self.reason) if self.reason else "")


class Attempt(models.Model):
    """One try to send a notification; rows are only ever added."""

    LEASE_RAN_OUT = "lease_ran_out"

    OUTCOMES: list[tuple[str, str | Promise]] = [
        (Outcome.ACCEPTED, _("accepted")),
        (Outcome.TURNED_AWAY, _("turned away for now")),
        (Outcome.REJECTED, _("rejected")),
        (Outcome.CONFIGURATION, _("not possible with these settings")),
        (Outcome.NOT_ARRIVED, _("did not arrive")),
        (Outcome.MAY_HAVE_ARRIVED, _("may have arrived")),
        (Outcome.NOT_SENT, _("not sent")),
        (LEASE_RAN_OUT, _("the worker was lost")),
    ]

    notification = models.ForeignKey(
        Notification, models.CASCADE, related_name="attempt_set", verbose_name=_("notification")
    )
    number = models.PositiveIntegerField(_("try"))
    started_at = models.DateTimeField(_("started"))
    duration_ms = models.PositiveIntegerField(_("duration in ms"), null=True)
    outcome = models.CharField(_("outcome"), max_length=24, choices=OUTCOMES)
    reason = models.CharField(_("reason"), max_length=64, blank=True)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True)
    error_class = models.CharField(_("error"), max_length=64, blank=True)
    response_excerpt = models.TextField(_("response"), blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        default_permissions = ("view",)
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.notification_id}/{self.number}: {self.outcome}"
