"""What the remote side keeps: accounts, subscribers, workflows, and what came of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.utils import timezone

from chatitive_django.subscribers import normalise

from .conditions import Operator
from .liquid import LONGEST_TEMPLATE, BrokenTemplate, parse
from .sids import new_sid

if TYPE_CHECKING:
    TextField = models.CharField[str, str]
else:
    TextField = models.CharField


class PhoneNumberField(TextField):
    """A phone number, stored and looked up in the form in which its spellings are equal."""

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Let the instance hold what the database will."""
        value = self.get_prep_value(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, value)
        return value

    def get_prep_value(self, value: Any) -> Any:
        """Normalise what goes to the database, in a write or in a query."""
        prepared = super().get_prep_value(value)
        return normalise(prepared) if isinstance(prepared, str) else prepared

    def to_python(self, value: Any) -> Any:
        """Normalise what a form cleans, so that it finds a number that is there already."""
        cleaned = super().to_python(value)
        return normalise(cleaned) if isinstance(cleaned, str) else cleaned


class Account(models.Model):
    """Whose channels these are: its SID and token are a client's user name and password."""

    sid = models.CharField("SID", max_length=64, unique=True, default=new_sid)
    token = models.CharField(max_length=200)
    name = models.CharField(max_length=100, blank=True)

    def __str__(self) -> str:
        return self.name or self.sid


class Channel(models.Model):
    """What subscribers subscribe to."""

    sid = models.CharField("SID", max_length=64, unique=True, default=new_sid)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="channels")
    name = models.CharField(max_length=100, blank=True)

    def __str__(self) -> str:
        return self.name or self.sid


class Subscriber(models.Model):
    """One phone number on one channel."""

    class Status(models.TextChoices):
        """Whether a text may be sent: to the unconfirmed, none that is marketing."""

        UNCONFIRMED = "unconfirmed", "unconfirmed"
        SUBSCRIBED = "subscribed", "subscribed"
        UNSUBSCRIBED = "unsubscribed", "unsubscribed"

    sid = models.CharField("SID", max_length=64, unique=True, default=new_sid)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="subscribers")
    phone_number = PhoneNumberField(max_length=64, db_index=True)
    status = models.CharField(max_length=12, choices=Status, default=Status.UNCONFIRMED)
    properties = models.JSONField(
        default=dict, blank=True, help_text='Names are camelCase, as in {"firstName": "Ada"}.'
    )
    subscribed_at = models.DateTimeField(null=True, blank=True)
    unsubscribed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "phone_number"], name="chatitive_sandbox_one_subscriber"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name or self.phone_number} ({self.status})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Note the time at which the subscriber first had this status."""
        if self.status == self.Status.SUBSCRIBED and self.subscribed_at is None:
            self.subscribed_at = timezone.now()
        if self.status == self.Status.UNSUBSCRIBED and self.unsubscribed_at is None:
            self.unsubscribed_at = timezone.now()
        super().save(*args, **kwargs)

    @property
    def name(self) -> str:
        """What the properties say the person is called, or nothing."""
        known = self.properties if isinstance(self.properties, dict) else {}
        parts = (known.get("firstName"), known.get("lastName"))
        return " ".join(str(part) for part in parts if part)

    def as_values(self) -> dict[str, object]:
        """What templates and start conditions know as `subscriber`."""
        return {
            "sid": self.sid,
            "phone_number": self.phone_number,
            "status": self.status,
            "properties": self.properties,
        }


class Workflow(models.Model):
    """What happens at an event: if its start conditions hold, a text is sent."""

    sid = models.CharField("SID", max_length=64, unique=True, default=new_sid)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="workflows")
    name = models.CharField(max_length=100)
    event_name = models.CharField(
        max_length=200, help_text="It must match what a notify call names, letter for letter."
    )
    is_enabled = models.BooleanField(default=True)
    is_marketing = models.BooleanField(
        default=False, help_text="Texts that are marketing go to those who subscribed, only."
    )
    message = models.TextField(
        max_length=LONGEST_TEMPLATE,
        validators=[MaxLengthValidator(LONGEST_TEMPLATE)],
        help_text=(
            "A Liquid template. It knows the payload's keys and `subscriber`, as in "
            "{{ subscriber.properties.firstName }}."
        ),
    )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a message that is no template."""
        try:
            parse(self.message)
        except BrokenTemplate as error:
            raise ValidationError({"message": f"This is no Liquid template: {error}."}) from error


class StartCondition(models.Model):
    """One of the conditions that must all hold for a workflow to start."""

    workflow = models.ForeignKey(
        Workflow, on_delete=models.CASCADE, related_name="start_conditions"
    )
    path = models.CharField(
        max_length=200,
        help_text="A dotted path: ticket_status, or subscriber.properties.firstName.",
    )
    operator = models.CharField(max_length=12, choices=Operator, default=Operator.EQUALS)
    value = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.path} {Operator(self.operator).label} {self.value}".rstrip()


class ReceivedEvent(models.Model):
    """A notify call with the right credentials, and what came of it."""

    class Outcome(models.TextChoices):
        """The most that came of the event, over all workflows that listen for it."""

        SENT = "sent", "sent"
        FAILED = "failed", "failed"
        WITHHELD = "withheld", "withheld"
        SKIPPED = "skipped", "skipped"
        IGNORED = "ignored", "ignored"
        REFUSED = "refused", "refused"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="events")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, null=True, related_name="events")
    subscriber = models.ForeignKey(
        Subscriber, on_delete=models.SET_NULL, null=True, related_name="events"
    )
    event_name = models.CharField(max_length=200)
    body = models.TextField(help_text="As it came.")
    idempotency_key = models.CharField(max_length=200, db_index=True)
    received_at = models.DateTimeField(default=timezone.now)
    http_status = models.PositiveSmallIntegerField(default=202)
    outcome = models.CharField(max_length=10, choices=Outcome)
    explanation = models.TextField(help_text="What happened and why, a line each.")
    assumptions = models.JSONField(
        default=list, help_text="Which choices of the sandbox's took part."
    )

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.event_name or 'a call'} ({self.outcome})"


class WorkflowExecution(models.Model):
    """What one workflow did with one event."""

    class Status(models.TextChoices):
        """How it ended."""

        COMPLETED = "completed", "sent a text"
        FAILED = "failed", "failed"
        WITHHELD = "withheld", "was withheld"
        SKIPPED = "skipped", "was skipped"

    sid = models.CharField("SID", max_length=64, unique=True, default=new_sid)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="executions")
    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="executions")
    event = models.ForeignKey(ReceivedEvent, on_delete=models.CASCADE, related_name="executions")
    status = models.CharField(max_length=10, choices=Status)
    kwargs = models.JSONField(default=dict)
    explanation = models.TextField(
        blank=True, help_text="Why there is no text, or what is odd about it."
    )
    start_date = models.DateTimeField(null=True, help_text="Empty where it did not start.")
    completion_date = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.workflow} {self.get_status_display()}"


class Message(models.Model):
    """A text that was sent, which here means that it is in the inbox."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="messages")
    execution = models.ForeignKey(
        WorkflowExecution, on_delete=models.CASCADE, related_name="messages"
    )
    phone_number = PhoneNumberField(max_length=64, db_index=True)
    body = models.TextField()
    sent_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.phone_number}: {self.body[:40]}"
