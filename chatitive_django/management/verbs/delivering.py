"""`worker` and `deliver`."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ...conf import settings
from ...models import Heartbeat
from ...worker import Worker
from .base import Output, Verb, known_channel, positive, seconds


def _add_channel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--channel", metavar="ALIAS", help="this channel only")


def _work_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--concurrency", type=positive, metavar="N", help="HTTP threads")
    ending = parser.add_mutually_exclusive_group()
    ending.add_argument(
        "--idle-exit", type=seconds, metavar="S", help="end after S seconds with nothing due"
    )
    ending.add_argument("--once", action="store_true", help="end when nothing is due")
    _add_channel(parser)


def _work(
    out: Output,
    *,
    concurrency: int | None,
    idle_exit: float | None,
    once: bool,
    channel: str | None,
) -> int:
    worker = Worker(
        concurrency=concurrency or settings.CONCURRENCY,
        channels=_channels(channel),
        poll_interval=settings.POLL_INTERVAL,
        kind=Heartbeat.Kind.WORKER,
    )
    with _ended_by_signals(worker):
        out.write("Delivering. SIGTERM finishes what is in hand and ends.")
        worker.run(idle_exit=0 if once else idle_exit)
    return 0


def _deliver_arguments(parser: argparse.ArgumentParser) -> None:
    _add_channel(parser)


def _deliver(out: Output, *, channel: str | None) -> int:
    worker = Worker(concurrency=settings.CONCURRENCY, channels=_channels(channel))
    with _ended_by_signals(worker):
        worker.run(idle_exit=0)
    return 0


def _channels(alias: str | None) -> list[str] | None:
    return [known_channel(alias)] if alias else None


@contextmanager
def _ended_by_signals(worker: Worker) -> Iterator[None]:
    """Have SIGTERM and SIGINT finish what is in hand; in the main thread, which alone may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: worker.stop()) for number in numbers}
    try:
        yield
    finally:  # a caller of `call_command` goes on
        for number, handler in before.items():
            signal.signal(number, handler)


WORKER = Verb(
    name="worker",
    help="Deliver until stopped; many may run, on many machines.",
    add_arguments=_work_arguments,
    run=_work,
)
DELIVER = Verb(
    name="deliver",
    help="Deliver until nothing is due, then end: for cron.",
    add_arguments=_deliver_arguments,
    run=_deliver,
)
