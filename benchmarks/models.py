"""Twins: a plain model and the same one watched."""

from __future__ import annotations

from django.db import models

from chatitive_django import Changed, Constant, Created, Event, EventManager


class Customer(models.Model):
    name = models.CharField(max_length=80)
    phone = models.CharField(max_length=40)


class Agent(models.Model):
    name = models.CharField(max_length=80)


class Columns(models.Model):
    title = models.CharField(max_length=80, default="Printer on fire")
    body = models.TextField(default="It burns. " * 20)
    status = models.CharField(max_length=20, default="Open")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    agent = models.ForeignKey(Agent, models.PROTECT, related_name="+")
    opened_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True

    def get_absolute_url(self) -> str:
        return f"https://support.yourcompany.com/tickets/{self.pk}"


class Plain(Columns):
    pass


class Watched(Columns):
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


class WatchedCreation(Columns):
    chatitive_events = [
        Event("TicketOpened", when=Created(), phone_number="customer.phone"),
    ]


class OneRule(Columns):
    chatitive_fields = ["status", "title", "agent_id", "customer.phone"]


class ManyRules(Columns):
    chatitive_fields = ["status", "title", "agent_id", "customer.phone"]


class Item(models.Model):
    code = models.CharField(max_length=20)
    state = models.CharField(max_length=20, default="new")

    objects = EventManager()

    chatitive_events = [
        Event(
            "ItemSold",
            when=Changed("state", to="sold"),
            phone_number=Constant("206-555-0166"),
            payload={"code": "code"},
        ),
    ]
