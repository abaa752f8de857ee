"""`manage.py demo`: the main job, made to happen and told step by step."""

import contextlib
import http
import json
import logging
import os
import secrets
import signal
import sys
import time
from argparse import ArgumentParser
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.urls import reverse
from django.utils import timezone

from chatitive_django.models import Channel, Notification
from chatitive_django.sandbox.models import Message, ReceivedEvent
from chatitive_django.sandbox.vendor_example import CHANNEL_SID
from helpdesk.demo_browser import Browser
from helpdesk.demo_server import SOCKET, DemoServer, start_again_in_own_environment
from helpdesk.models import Ticket
from helpdesk.seed import seed

USERNAME = "pam"
PASSWORD = "demo"  # noqa: S105 -- for made-up data on the loopback
PATIENCE = 45.0
"""Seconds until a notification should have been tried."""

WAITING = [Notification.Status.PENDING, Notification.Status.SENDING]


class Command(BaseCommand):
    help = (
        "Save a ticket and follow it until its customer's text is there, then keep serving. Uses a "
        "database file of its own and the sandbox, whatever the environment says."
    )
    requires_system_checks = []  # they run in the demo's own environment, see handle()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="end when the text is there; exit 1 if it isn't"
        )
        parser.add_argument(
            "--port", type=int, default=0, metavar="N", help="serve here, not on any free port"
        )
        parser.add_argument(
            "--database",
            type=Path,
            default=settings.BASE_DIR / "demo.sqlite3",
            metavar="FILE",
            help="the SQLite file; it may be deleted at any time (default: demo.sqlite3)",
        )
        parser.add_argument(
            "--wrong-token",
            action="store_true",
            help="see a failure: the sandbox asks for another token than the one it gets",
        )

    def handle(
        self,
        *,
        once: bool,
        port: int,
        database: Path,
        wrong_token: bool,
        verbosity: int,
        **options: object,
    ) -> None:
        if SOCKET not in os.environ:
            start_again_in_own_environment(port, database)
        for number in (signal.SIGINT, signal.SIGTERM):  # in the background SIGINT comes ignored
            signal.signal(number, signal.default_int_handler)
        try:
            self.run(once=once, wrong_token=wrong_token, verbosity=verbosity)
        except DatabaseError as error:
            raise CommandError(
                f"{database} can't be used: {error}. It may be deleted; the demo makes it anew."
            ) from error
        except KeyboardInterrupt:
            self.write("", "Stopped before its end.")
            sys.exit(130)

    def run(self, *, once: bool, wrong_token: bool, verbosity: int) -> None:
        if verbosity < 2:
            for name in ("django", "django.server"):
                logging.getLogger(name).setLevel(logging.ERROR)
            logging.getLogger("chatitive_django").setLevel(logging.CRITICAL)  # it is told below
        self.check()
        call_command("migrate", verbosity=0)
        give_up_leftovers()
        ticket = seed(token=secrets.token_urlsafe() if wrong_token else settings.SANDBOX_TOKEN)
        let_pam_log_in()

        failure = None
        with DemoServer():
            self.title(f"Support desk at {settings.SITE_URL}/")
            try:
                self.tell(ticket)
            except CommandError as error:
                failure = error
            if not once:
                if failure:
                    self.write("", self.style.ERROR(str(failure)))
                self.serve()
        if failure:
            if once:
                raise failure
            sys.exit(1)

    def tell(self, ticket: Ticket) -> None:
        """Save the ticket as Pam does, and follow it; raises `CommandError` where it is lost."""
        newest = Notification.objects.order_by("pk").last()
        was = ticket.status
        pam = Browser()
        pam.log_in(USERNAME, PASSWORD)
        pam.save_ticket(ticket, status=Ticket.Status.SUCCESS)
        ticket.refresh_from_db()
        self.step(1, "Pam saves her ticket in the admin")
        self.facts(ticket=ticket, status=f"{ticket.status} (was {was})")

        row = Notification.objects.filter(
            source_model=ticket._meta.label_lower,
            source_id=str(ticket.pk),
            pk__gt=newest.pk if newest else 0,
        ).first()
        if row is None:
            raise CommandError("No text will arrive: no notification was recorded.")
        self.step(2, "A notification is recorded in the same transaction")
        self.facts(
            event=row.event_name,
            subscriber=f"{ticket.customer}, {row.phone_number}",
            id=row.public_id,
        )

        row = when_tried(row)
        attempt = row.attempt_set.last()
        if attempt is None:
            raise CommandError(f"No text will arrive: {where_it_stands(row)}")
        received = ReceivedEvent.objects.filter(idempotency_key=row.public_id).last()
        self.step(3, "The server's delivery thread posts it to the sandbox")
        self.lines(f"POST {reverse('chatitive_sandbox:notify', args=[CHANNEL_SID])}")
        if received is not None:
            body = json.dumps(json.loads(received.body), indent=2, ensure_ascii=False)
            self.lines(*body.splitlines())

        self.step(4, "The sandbox answers")
        status = attempt.http_status
        answer = f"{status} {http.HTTPStatus(status).phrase}" if status else attempt.error_class
        self.lines(f"{answer}, after {attempt.duration_ms} ms")
        if row.status != Notification.Status.ACCEPTED or received is None:
            raise CommandError(f"No text arrived: {where_it_stands(row)}")

        texts = Message.objects.filter(execution__event=received)
        if not texts:
            raise CommandError(
                f"No text arrived: the sandbox took the event. {received.explanation}"
            )
        self.step(5, f"{ticket.customer} gets a text")
        for text in texts:
            self.lines(*(self.style.SUCCESS(line) for line in text.body.splitlines()))

    def serve(self) -> None:
        """Print where to look, and stay until Ctrl-C."""
        self.title("Look around")
        self.facts(
            start=f"{settings.SITE_URL}/",
            admin=settings.SITE_URL + reverse("admin:index"),
            log=settings.SITE_URL + reverse("admin:chatitive_django_notification_changelist"),
            inbox=settings.SITE_URL + reverse("chatitive_sandbox:inbox"),
            login=f"{USERNAME}, password {PASSWORD}",
            database=f"{settings.DATABASES['default']['NAME']} (delete it to begin anew)",
        )
        self.write("", "Ctrl-C ends the demo.")
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
        self.write("", "Stopped.")

    def title(self, text: str) -> None:
        self.write("", self.style.MIGRATE_HEADING(text))

    def step(self, number: int, text: str) -> None:
        self.write("", self.style.MIGRATE_LABEL(f"{number}. {text}"))

    def facts(self, **facts: object) -> None:
        self.lines(*(f"{name:<12}{value}" for name, value in facts.items()))

    def lines(self, *lines: str) -> None:
        self.write(*(f"   {line}" for line in lines))

    def write(self, *lines: str) -> None:
        for line in lines:
            self.stdout.write(line)
        self.stdout.flush()


def give_up_leftovers() -> None:
    """Cancel what an earlier demo left unsent, for which the same person's next text would wait.

    And forget what stopped the channel then.
    """
    Channel.objects.all().delete()
    Notification.objects.filter(status__in=WAITING).update(
        status=Notification.Status.CANCELLED,
        reason="cancelled_by_staff",
        lease_token=None,
        leased_until=None,
        finished_at=timezone.now(),
    )


def let_pam_log_in() -> None:
    """Make the demo's superuser, with the password that is printed."""
    user, _ = get_user_model().objects.get_or_create(username=USERNAME)
    user.is_staff = user.is_superuser = user.is_active = True
    if not user.check_password(PASSWORD):  # to set it again would end her sessions
        user.set_password(PASSWORD)
    user.save()


def when_tried(row: Notification) -> Notification:
    """The row once it has been tried, or could not be; or as it is when patience ends."""
    deadline = time.monotonic() + PATIENCE
    while row.status in WAITING and not row.attempt_set.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
        row.refresh_from_db()
    row.refresh_from_db()  # its try and its status were stored together, perhaps just now
    return row


def where_it_stands(row: Notification) -> str:
    """The notification's status, and the reason in the log's own words."""
    reason = row.reason_sentence or "Nothing has tried to send it yet."
    return f"the notification is {row.get_status_display()}. {reason}"
