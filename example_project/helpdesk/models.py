"""A support desk: customers write tickets, agents solve them."""

from django.conf import settings
from django.db import models
from django.urls import reverse

from chatitive_django import Changed, Constant, Created, Event, If, Path


class Customer(models.Model):
    """Who needs help."""

    name = models.CharField(max_length=80)
    phone = models.CharField(max_length=40, blank=True)
    agreed_to_texts = models.BooleanField(
        default=False, help_text="Whether we may also text when a ticket has come in."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Agent(models.Model):
    """Who helps."""

    name = models.CharField(max_length=80)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Ticket(models.Model):
    """What a customer needs help with."""

    class Status(models.TextChoices):
        OPEN = "Open"
        FAILED = "Failed"
        SUCCESS = "Success"

    title = models.CharField(max_length=120)
    status = models.CharField(max_length=20, choices=Status, default=Status.OPEN)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT)
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL)

    chatitive_events = [
        # When a ticket's status becomes Success, ask its customer how it was.
        Event(
            "RequestSupportFeedback",
            when=Changed("status", to="Success"),
            phone_number="customer.phone",
            payload={
                "ticket_url": "get_absolute_url",
                "ticket_status": "status",
                "cs_agent_name": "agent.name",
            },
        ),
        # When a ticket comes in, say so to those who want to know.
        Event(
            "TicketReceived",
            when=Created(),
            only_if=If("customer.agreed_to_texts", "equals", True),
            phone_number="customer.phone",
            payload={
                "ticket_title": "title",
                "cs_agent_name": Path("agent.name", fallback="one of us"),
                "desk": Constant("Example Support"),
            },
        ),
    ]
    # What staff may use when they build rules for tickets in the admin.
    chatitive_fields = ["status", "title", "customer.phone", "agent.name", "get_absolute_url"]

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"

    def get_absolute_url(self) -> str:
        """The ticket's page, as a link that works on a phone."""
        return settings.SITE_URL + reverse("ticket", args=[self.pk])
