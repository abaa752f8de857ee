"""A support desk, small, with one of each thing that capture has to get right."""

from __future__ import annotations

from django.db import models

from chatitive_django import Changed, Event


class Customer(models.Model):
    name = models.CharField(max_length=80)
    phone = models.CharField(max_length=40, blank=True)

    def __str__(self):
        return self.name


class Agent(models.Model):
    name = models.CharField(max_length=80)

    def __str__(self):
        return self.name


class Ticket(models.Model):
    """The vendor's own example."""

    class Status(models.TextChoices):
        OPEN = "Open"
        FAILED = "Failed"
        SUCCESS = "Success"

    title = models.CharField(max_length=80, default="Printer on fire")
    status = models.CharField(max_length=20, choices=Status, default=Status.OPEN)
    customer = models.ForeignKey(Customer, models.PROTECT)
    agent = models.ForeignKey(Agent, models.SET_NULL, null=True, blank=True)

    chatitive_events = [
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
    ]
    chatitive_fields = ["status", "title", "customer.phone", "agent.name", "get_absolute_url"]

    def __str__(self):
        return f"#{self.pk} {self.title}"

    def get_absolute_url(self):
        return f"https://support.yourcompany.com/tickets/{self.pk}"
