"""`manage.py seed`: something to play with."""

from django.core.management.base import BaseCommand

from helpdesk import seed


class Command(BaseCommand):
    help = "Make customers, agents, open tickets, and the other side of them in the sandbox."

    def handle(self, *args: object, **options: object) -> None:
        seed.seed()
        self.stdout.write(
            f"{len(seed.CUSTOMERS)} customers, {len(seed.AGENTS)} agents and "
            f"{len(seed.TICKETS)} open tickets are there, and the sandbox is ready."
        )
