"""Records of the support desk, rows of the log as each status leaves them, and people of staff."""

from __future__ import annotations

from datetime import timedelta

import factory
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone
from factory.django import DjangoModelFactory

from chatitive_django.models import Attempt, Notification
from chatitive_django.outcomes import Outcome
from chatitive_django.subscribers import subscriber_key
from tests.desk.models import Agent, Customer, Ticket

Status = Notification.Status


class CustomerFactory(DjangoModelFactory):
    class Meta:
        model = Customer

    name = factory.Sequence(lambda n: f"Customer {n}")
    phone = factory.Sequence(lambda n: f"(555) 010-{n % 10_000:04}")


class AgentFactory(DjangoModelFactory):
    class Meta:
        model = Agent

    name = factory.Sequence(lambda n: f"Agent {n}")


class TicketFactory(DjangoModelFactory):
    """An open ticket: to save it with the status Success emits the vendor's event."""

    class Meta:
        model = Ticket

    title = factory.Sequence(lambda n: f"Ticket {n}")
    customer = factory.SubFactory(CustomerFactory)
    agent = factory.SubFactory(AgentFactory)


REASONS = {
    Status.REJECTED: "http_404",
    Status.UNKNOWN: "no_answer",
    Status.EXPIRED: "too_late",
    Status.CANCELLED: "cancelled_by_staff",
    Status.INVALID: "no_subscriber",
    Status.SKIPPED: "watch_only",
}
UNSETTLED = {Status.PENDING, Status.SENDING}
NEVER_TRIED = {Status.PENDING, Status.CANCELLED, Status.INVALID, Status.SKIPPED}


class NotificationFactory(DjangoModelFactory):
    """A row of the log as its status leaves it: pending and due unless `status` is given.

    It names no record unless `ticket` is given; `phone_number` or `subscriber_sid` is compared as
    the app compares it.
    """

    class Meta:
        model = Notification

    class Params:
        ticket = None
        ordered = True

    event_name = "RequestSupportFeedback"
    channel = "default"
    phone_number = factory.Sequence(lambda n: f"(555) 020-{n % 10_000:04}")
    subscriber_key = factory.LazyAttribute(
        lambda row: subscriber_key(
            phone_number=row.phone_number, subscriber_sid=getattr(row, "subscriber_sid", None)
        )
    )
    payload = factory.LazyFunction(lambda: {"ticket_status": "Success", "cs_agent_name": "Pam"})
    on_ambiguous = "hold"
    order_key = factory.LazyAttribute(
        lambda row: f"{row.channel}:{row.subscriber_key}" if row.ordered else None
    )
    status = Status.PENDING
    reason = factory.LazyAttribute(lambda row: REASONS.get(row.status, ""))
    attempts = factory.LazyAttribute(lambda row: 0 if row.status in NEVER_TRIED else 1)
    created_at = factory.LazyFunction(lambda: timezone.now() - timedelta(minutes=5))
    available_at = factory.SelfAttribute("created_at")
    expires_at = factory.LazyAttribute(lambda row: row.created_at + timedelta(hours=24))
    finished_at = factory.LazyAttribute(
        lambda row: None if row.status in UNSETTLED else row.created_at + timedelta(seconds=2)
    )
    source_model = factory.LazyAttribute(lambda row: "desk.ticket" if row.ticket else "")
    source_id = factory.LazyAttribute(lambda row: str(row.ticket.pk) if row.ticket else "")
    source_name = factory.LazyAttribute(lambda row: str(row.ticket) if row.ticket else "")
    event_key = factory.LazyAttribute(lambda row: f"desk.Ticket:{row.event_name}")
    why = factory.LazyFunction(
        lambda: {
            "transition": "changed",
            "field": "status",
            "old": "Open",
            "new": "Success",
            "conditions": [],
        }
    )


class AttemptFactory(DjangoModelFactory):
    """A try that was accepted, unless told otherwise."""

    class Meta:
        model = Attempt

    notification = factory.SubFactory(NotificationFactory, status=Status.ACCEPTED)
    number = 1
    started_at = factory.LazyFunction(timezone.now)
    duration_ms = 210
    outcome = Outcome.ACCEPTED.value
    http_status = 202


class StaffFactory(DjangoModelFactory):
    """A member of staff who may see the log; `may=["resend_notification"]` adds permissions."""

    class Meta:
        model = get_user_model()
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"staff{n}")
    is_staff = True

    @factory.post_generation
    def may(self, create, extracted, **kwargs):
        names = {"view_notification", *(extracted or [])}
        found = Permission.objects.filter(
            content_type__app_label="chatitive_django", codename__in=names
        )
        assert {permission.codename for permission in found} == names
        self.user_permissions.set(found)
