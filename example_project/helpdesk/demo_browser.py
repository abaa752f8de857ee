"""What stands in for a person in front of the admin while the demo tells its story."""

import requests
from django.conf import settings
from django.core.management.base import CommandError
from django.urls import reverse

from .models import Ticket

SECONDS_TO_ANSWER = 30.0


class Browser:
    """Logs in and sends forms, over HTTP; raises `CommandError` where one isn't taken."""

    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy knows nothing of this machine's loopback

    def log_in(self, username: str, password: str) -> None:
        self.submit(reverse("admin:login"), username=username, password=password)

    def save_ticket(self, ticket: Ticket, *, status: str) -> None:
        self.submit(
            reverse("admin:helpdesk_ticket_change", args=[ticket.pk]),
            title=ticket.title,
            status=status,
            customer=str(ticket.customer_id),
            agent=str(ticket.agent_id or ""),
        )

    def submit(self, path: str, **fields: str) -> None:
        """Fetch the form at `path` and send it filled in; a form that was taken redirects."""
        url = settings.SITE_URL + path
        try:
            self.session.get(url, timeout=SECONDS_TO_ANSWER).raise_for_status()
            fields["csrfmiddlewaretoken"] = self.session.cookies["csrftoken"]
            answer = self.session.post(
                url, fields, timeout=SECONDS_TO_ANSWER, allow_redirects=False
            )
            answer.raise_for_status()
        except requests.RequestException as error:
            raise CommandError(f"The form at {path} could not be sent: {error}") from error
        if not answer.is_redirect:
            raise CommandError(f"The form at {path} was not accepted.")
