"""Many sent at once, again or for the first time: who asked, why, which, and what came of it."""

from __future__ import annotations

from collections.abc import Collection

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .notifications import Notification
from .rules import EventRule


class ResendBatch(models.Model):
    """What one person asked to have sent to many, and how far that has come.

    It sends notifications again, or where it names a rule is that rule's backfill: it sends to the
    records that were in the rule's state before the rule went live.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("not confirmed")
        WAITING = "waiting", _("about to start")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        CANCELLED = "cancelled", _("cancelled")

    class Pace(models.IntegerChoices):
        SLOW = 20, _("20 a minute")
        STEADY = 60, _("60 a minute")
        FAST = 300, _("300 a minute")

    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    reason = models.CharField(_("reason"), max_length=400, blank=True)
    # No constraint: a rule that is deleted ends its backfill, which still tells what it was.
    rule = models.ForeignKey(
        EventRule,
        models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("rule"),
    )
    rule_version = models.PositiveIntegerField(
        _("version of the rule"), null=True, help_text=_("Another one ends the backfill.")
    )
    selection = models.JSONField(
        _("selection"), default=dict, help_text=_("What chose the notifications or records.")
    )
    highest_id = models.BigIntegerField(_("highest id"), null=True)
    until = models.DateTimeField(_("until"))
    sorted = models.JSONField(_("as sorted"), default=dict)
    total = models.PositiveIntegerField(_("in all"), default=0)
    queued = models.PositiveIntegerField(_("queued"), default=0)
    skipped = models.PositiveIntegerField(_("skipped"), default=0)
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.DRAFT)
    pace = models.PositiveIntegerField(
        _("pace"), choices=Pace.choices, default=Pace.STEADY, help_text=_("Rows a minute.")
    )
    created_at = models.DateTimeField(_("created"))
    starts_at = models.DateTimeField(_("starts"), null=True)
    started_at = models.DateTimeField(_("started"), null=True)
    advanced_at = models.DateTimeField(
        _("advanced"), null=True, help_text=_("Until when its pace has been used up.")
    )
    finished_at = models.DateTimeField(_("finished"), null=True)
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("cancelled by"),
    )

    class Meta:
        verbose_name = _("bulk send")
        verbose_name_plural = _("bulk sends")
        default_permissions = ()
        ordering = ["-pk"]
        indexes = [models.Index(fields=["state", "starts_at"], name="chatitive_batches_due")]

    UNDER_WAY: Collection[State] = frozenset({State.WAITING, State.RUNNING})
    """The states from which rows are, or will be, queued."""

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def is_backfill(self) -> bool:
        """Whether its rows are records, rather than notifications."""
        return self.rule_id is not None

    @property
    def gone_through(self) -> int:
        """How many of its rows have had their turn."""
        return self.queued + self.skipped


class BatchRow(models.Model):
    """One notification or record of a batch, as it stood when chosen, and what became of it.

    Pruning the log needs no look here: neither key is a constraint.
    """

    class Sort(models.TextChoices):
        FRESH = "fresh", _("Will be sent")
        DOUBTFUL = "doubtful", _("May have arrived already")
        ACCEPTED = "accepted", _("Already accepted, or resent as a new notification")
        ACCEPTED_LATER = "accepted_later", _("The same event was accepted later for this record")
        CHANGED = "changed", _("The record has changed since")
        SCHEDULED = "scheduled", _("Waiting or being sent already")
        NO_PHONE = "no_phone", _("The record has no phone number now")
        TOLD = "told", _("The rule has sent to this record before")
        CONDITION = "condition", _("A condition of the rule doesn't hold")
        IMPOSSIBLE = "impossible", _("Can't be sent")

    batch = models.ForeignKey(ResendBatch, models.CASCADE, related_name="rows")
    notification = models.ForeignKey(
        Notification,
        models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    source_id = models.CharField(
        max_length=255, null=True, help_text=_("Of a backfill: the record, as the log names it.")
    )
    sort = models.CharField(max_length=16, choices=Sort.choices)
    seen = models.CharField(
        max_length=64, blank=True, help_text=_("The state in which a notification was chosen.")
    )
    result = models.CharField(max_length=32, blank=True)
    sent_as = models.ForeignKey(
        Notification,
        models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )

    class Meta:
        verbose_name = _("row of a bulk send")
        verbose_name_plural = _("rows of bulk sends")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "notification"], name="chatitive_batch_row_once"
            ),
            models.UniqueConstraint(
                fields=["batch", "source_id"], name="chatitive_batch_record_once"
            ),
        ]
        indexes = [models.Index(fields=["batch", "result", "id"], name="chatitive_batch_rows")]

    SENDABLE: Collection[Sort] = frozenset(
        {Sort.FRESH, Sort.DOUBTFUL, Sort.ACCEPTED, Sort.ACCEPTED_LATER, Sort.CHANGED}
    )
    """What a person may choose to send; of the rest there is nothing to send."""

    def __str__(self) -> str:
        return f"{self.batch_id}/{self.notification_id or self.source_id}"
