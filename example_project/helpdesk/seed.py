"""Made-up data for both sides, desk and sandbox; the phone numbers are reserved for fiction."""

from collections.abc import Mapping
from typing import TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import Model

from chatitive_django import muted
from chatitive_django.sandbox.vendor_example import add_subscriber, install_vendor_example

from .models import Agent, Customer, Ticket

M = TypeVar("M", bound=Model)

CUSTOMERS = [  # name, phone, agreed to texts
    ("Ada Lund", "206-555-0142", True),
    ("Ben Okafor", "206-555-0117", False),
    ("Carla Reyes", "206-555-0163", True),
]
AGENTS = ["Pam", "Quentin"]
TICKETS = [  # title, customer, agent
    ("The invoice shows my old address", "Ada Lund", "Pam"),
    ("I can't log in since the update", "Ben Okafor", "Quentin"),
    ("How do I export my contacts?", "Carla Reyes", None),
]


def seed(*, token: str = settings.SANDBOX_TOKEN) -> Ticket:
    """Make what is missing and open the tickets again; gives Pam's ticket.

    `token` is the one that the sandbox asks for.
    """
    with transaction.atomic(), muted():  # these writes are news to no customer
        customers = {
            name: _stored(Customer, name=name, values={"phone": phone, "agreed_to_texts": agreed})
            for name, phone, agreed in CUSTOMERS
        }
        agents = {name: _stored(Agent, name=name) for name in AGENTS}
        tickets = [
            _stored(
                Ticket,
                title=title,
                customer=customers[customer],
                values={"agent": agents.get(agent), "status": Ticket.Status.OPEN},
            )
            for title, customer, agent in TICKETS
        ]
    _prepare_sandbox(token)
    return tickets[0]


def _stored(model: type[M], *, values: Mapping[str, object] | None = None, **known_by: object) -> M:
    """The first object of its kind, made where there is none, with these values."""
    found = model._default_manager.filter(**known_by).order_by("pk").first() or model(**known_by)
    for name, value in (values or {}).items():
        setattr(found, name, value)
    found.save()
    return found


def _prepare_sandbox(token: str) -> None:
    """On the other side: the vendor's sample workflow, one for new tickets, and the subscribers."""
    channel = install_vendor_example(account_sid=settings.SANDBOX_SID, token=token)
    if not channel.workflows.filter(event_name="TicketReceived").exists():
        channel.workflows.create(
            event_name="TicketReceived",
            name="Ticket received",
            message=(
                "Hi {{ subscriber.properties.firstName }}, {{ cs_agent_name }} at {{ desk }} will "
                "look at “{{ ticket_title }}” soon."
            ),
        )
    for name, phone, _ in CUSTOMERS:
        add_subscriber(channel, phone, first_name=name.split()[0])
