"""`manage.py chatitive VERB`: the whole package from a shell."""

from __future__ import annotations

import argparse
import signal
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...conf import did_you_mean, settings
from ...models import Heartbeat
from ...worker import Worker, deliver

MISUSE = 2


def positive(text: str) -> int:
    """A whole number from 1, for argparse."""
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return number


def seconds(text: str) -> float:
    """A number of seconds from 0, for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return number


class Command(BaseCommand):
    help = "Deliver the notifications of chatitive_django."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        worker = verbs.add_parser("worker", help="Deliver until stopped; many may run.")
        worker.add_argument("--concurrency", type=positive, help="HTTP threads")
        worker.add_argument(
            "--idle-exit", type=seconds, metavar="S", help="end after S seconds with nothing due"
        )
        once = verbs.add_parser("deliver", help="Deliver until nothing is due, then end.")
        for verb in (worker, once):
            verb.add_argument("--channel", metavar="ALIAS", help="this channel only")

    def handle(self, *args: Any, verb: str, channel: str | None, **options: Any) -> None:
        try:
            known = list(settings.API_URLS)
            if channel is not None and channel not in known:
                raise CommandError(
                    f"{channel!r} is no channel. {did_you_mean(channel, known)}", returncode=MISUSE
                )
            channels = None if channel is None else [channel]
            if verb == "worker":
                self._work(channels, options["concurrency"], options["idle_exit"])
            else:
                deliver(channels=channels)
        except ImproperlyConfigured as error:
            raise CommandError(str(error), returncode=MISUSE) from None

    def _work(
        self, channels: list[str] | None, concurrency: int | None, idle_exit: float | None
    ) -> None:
        worker = Worker(
            concurrency=concurrency or settings.CONCURRENCY,
            channels=channels,
            poll_interval=settings.POLL_INTERVAL,
            kind=Heartbeat.Kind.WORKER,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        self.stdout.write("Delivering. SIGTERM finishes what is in hand and ends.")
        worker.run(idle_exit=idle_exit)
