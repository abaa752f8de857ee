"""A day in the log of a support desk, one of each kind, to look at; and an admin that shows it.

The module is a URLconf. `fill()` stores the day.
"""

from __future__ import annotations

from datetime import timedelta

from django.contrib import admin
from django.core.cache import cache
from django.http import HttpResponse
from django.urls import path
from django.utils import timezone

from chatitive_django.admin import BatchAdmin, ChannelAdmin, MessagesMixin, NotificationAdmin
from chatitive_django.channels import pause, resume
from chatitive_django.models import Channel, Notification, ResendBatch
from chatitive_django.outcomes import Outcome
from tests.desk.models import Customer, Ticket
from tests.factories import (
    AgentFactory,
    AttemptFactory,
    CustomerFactory,
    NotificationFactory,
    TicketFactory,
)

Status = Notification.Status

site = admin.AdminSite("admin")
site.site_header = site.site_title = "Support desk"
site.register(Notification, NotificationAdmin)
site.register(ResendBatch, BatchAdmin)
site.register(Channel, ChannelAdmin)


@admin.register(Ticket, site=site)
class TicketAdmin(MessagesMixin, admin.ModelAdmin):
    """As a project puts Messages on its own records."""


@admin.register(Customer, site=site)
class CustomerAdmin(MessagesMixin, admin.ModelAdmin):
    """And on people."""

    chatitive_phone_number = "phone"


urlpatterns = [
    path("admin/", site.urls),
    path("favicon.ico", lambda request: HttpResponse(status=204)),  # every browser asks for it
]


def strict_csp(get_response):
    """Middleware: nothing inline and nothing from elsewhere."""

    def respond(request):
        response = get_response(request)
        response["Content-Security-Policy"] = "default-src 'self'"
        return response

    return respond


FEEDBACK, RECEIVED, ASSIGNED, OVERDUE = (
    "RequestSupportFeedback",
    "TicketReceived",
    "AgentAssigned",
    "ReplyOverdue",
)
TICKETS = [
    ("Printer prints everything in green", "Ada Lund", "Pam"),
    ("The invoice shows my old address", "Ben Okafor", "Quentin"),
    ("I can't log in since the update", "Carla Reyes", "Pam"),
    ("How do I export my contacts?", "Dmitri Sokolov", "Rosa"),
    ("Parcel arrived without the charger", "Eun-ji Park", "Quentin"),
    ("Please close my second account", "Farah Haddad", "Rosa"),
]
DAY = [  # minutes ago, event, ticket, status, what else the row holds, its tries
    (1, FEEDBACK, 0, Status.PENDING, {}, []),
    (3, RECEIVED, 3, Status.SENDING, {}, []),
    (4, FEEDBACK, 4, Status.PENDING, {"reason": "http_503"}, ["http_503", "connection_refused"]),
    (9, FEEDBACK, 2, Status.ACCEPTED, {}, ["ok"]),
    (26, ASSIGNED, 5, Status.UNKNOWN, {"reason": "no_answer"}, ["no_answer"]),
    (41, FEEDBACK, 1, Status.REJECTED, {"reason": "http_404"}, ["http_404"]),
    (58, RECEIVED, 4, Status.ACCEPTED, {}, ["http_429", "ok"]),
    (73, FEEDBACK, 5, Status.INVALID, {}, []),
    (96, OVERDUE, 1, Status.SKIPPED, {}, []),
    (130, ASSIGNED, 2, Status.ACCEPTED, {}, ["ok"]),
    (152, OVERDUE, 3, Status.CANCELLED, {}, []),
    (171, RECEIVED, 0, Status.ACCEPTED, {}, ["ok"]),
    (1530, FEEDBACK, 3, Status.EXPIRED, {}, ["http_503", "connect_timeout", "http_503"]),
    (1544, FEEDBACK, 0, Status.ACCEPTED, {}, ["ok"]),
    (1590, RECEIVED, 2, Status.ACCEPTED, {}, ["http_500", "ok"]),
]
TRIES = {  # outcome, HTTP status, error class, ms, response
    "ok": (Outcome.ACCEPTED, 202, "", 214, '{"status": "accepted"}'),
    "http_404": (Outcome.REJECTED, 404, "", 187, '{"message": "Channel not found."}'),
    "http_429": (Outcome.TURNED_AWAY, 429, "", 96, '{"message": "Too many requests."}'),
    "http_500": (Outcome.TURNED_AWAY, 500, "", 1204, "Internal Server Error"),
    "http_503": (Outcome.TURNED_AWAY, 503, "", 402, "upstream connect error"),
    "connection_refused": (Outcome.NOT_ARRIVED, None, "ConnectionError", 3, ""),
    "connect_timeout": (Outcome.NOT_ARRIVED, None, "ConnectTimeout", 5001, ""),
    "no_answer": (Outcome.MAY_HAVE_ARRIVED, None, "ReadTimeout", 30012, ""),
}


def fill():
    """Store the day; gives a row for each status, and the id of a "customer" who got several."""
    agents = {name: AgentFactory(name=name) for name in ("Pam", "Quentin", "Rosa")}
    tickets = [
        TicketFactory(
            id=1042 + n,
            title=title,
            customer=CustomerFactory(name=customer, phone=f"206-555-01{42 + 7 * n}"),
            agent=agents[agent],
        )
        for n, (title, customer, agent) in enumerate(TICKETS)
    ]
    now = timezone.now()
    rows = {}
    for minutes, event, n, status, more, tries in reversed(DAY):
        row = _row(now - timedelta(minutes=minutes), event, tickets[n], status, more, tries)
        rows[status] = row
    return {**rows, "customer": tickets[1].customer_id}


def break_down():
    """Store what an outage leaves: failures of two causes, and a channel that stands still."""
    now = timezone.now()
    ticket = Ticket.objects.first()
    for n in range(12):
        when = now - timedelta(minutes=90 - n)
        refused = {"reason": "http_404"}
        _row(when, FEEDBACK, ticket, Status.REJECTED, refused, ["http_404"])
        if n % 3 == 0:
            _row(when, RECEIVED, ticket, Status.INVALID, {"reason": "no_subscriber"}, [])
    pause("default", reason="The texts name the wrong shop")


def be_well():
    """Store a week in which nearly all went well, and nobody must act."""
    Notification.objects.exclude(status=Status.ACCEPTED).delete()
    resume("default")
    cache.clear()
    ticket = Ticket.objects.first()
    for n in range(60):
        _row(
            timezone.now() - timedelta(hours=2.6 * n), RECEIVED, ticket, Status.ACCEPTED, {}, ["ok"]
        )
    _row(timezone.now() - timedelta(hours=3), FEEDBACK, ticket, Status.EXPIRED, {}, ["http_503"])


def _row(created_at, event, ticket, status, more, tries):
    started = [created_at + timedelta(seconds=4 * 3**n - 3) for n in range(len(tries))]
    finished_at = started[-1] + timedelta(seconds=1) if tries else created_at
    if status == Status.EXPIRED:
        finished_at = created_at + timedelta(hours=24)
    if status in {Status.PENDING, Status.SENDING}:
        finished_at = None
    said = {
        "phone_number": ticket.customer.phone,
        "payload": {
            "ticket_url": ticket.get_absolute_url(),
            "ticket_status": "Success",
            "cs_agent_name": ticket.agent.name,
        },
    }
    if status == Status.INVALID:
        said = {"phone_number": None, "payload": {}}
    row = NotificationFactory(
        event_name=event,
        ticket=ticket,
        ordered=False,
        status=status,
        created_at=created_at,
        available_at=timezone.now() + timedelta(seconds=9) if tries else created_at,
        finished_at=finished_at,
        attempts=len(tries) or int(status == Status.SENDING),
        **said,
        **more,
    )
    for number, (reason, started_at) in enumerate(zip(tries, started, strict=True), 1):
        outcome, http_status, error_class, duration_ms, response = TRIES[reason]
        AttemptFactory(
            notification=row,
            number=number,
            started_at=started_at,
            outcome=outcome,
            reason="" if reason == "ok" else reason,
            http_status=http_status,
            error_class=error_class,
            duration_ms=duration_ms,
            response_excerpt=response,
        )
    return row
