"""A storm over the log: rows to send, workers to lose, and a server that notes what it received.

    with Storm(nursery, answer(202), on_ambiguous="hold") as storm:
        storm.record(500)
        storm.kill(storm.start_worker())
        storm.calm()
    storm.aftermath().holds()

Environment: STORM_SIZE=10 makes every storm ten times as long; STORM_SEED repeats the random
choices of a run, whose seed is among its figures; STORM_FIGURES names a directory where each storm
leaves its figures as a line of JSON, which pytest prints at its end too.
"""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Self

from django.utils import timezone

from chatitive_django.models import Notification
from tests.acceptance.aftermath import Aftermath
from tests.acceptance.nursery import Forked, Nursery
from tests.acceptance.processes import SECONDS_TO_END, python, wait_until
from tests.factories import CustomerFactory, NotificationFactory, TicketFactory
from tests.fault_server import (
    Behaviour,
    FaultServer,
    Peer,
    close_at_once,
    reset_after,
    reset_at_once,
    response,
)

SIZE = float(os.environ.get("STORM_SIZE", "1"))
SEED = int(os.environ.get("STORM_SEED") or random.randrange(1_000_000))

Status = Notification.Status
UNFINISHED = [Status.PENDING, Status.SENDING]

LEASE, CALL_TIMEOUT, CONCURRENCY = 2.0, 1.0, 4
PATIENT = {"LEASE": 60, "CALL_TIMEOUT": 20}
"""For workers that are neither lost nor sleep: no call runs out of time on a busy machine."""
READY = "SIGTERM finishes what is in hand"

QUICK = """
from datetime import timedelta
from chatitive_django import retry
retry.FIRST_DELAY = timedelta(milliseconds=50)
retry.LONGEST_DELAY = timedelta(milliseconds=500)
"""
"""Backoff as if time passed a hundred times as fast."""

WRITER = """
    from django.db import transaction

    class Undone(Exception):
        pass

    for number, ticket in enumerate(Ticket.objects.order_by("pk")):
        ticket.status = "Success"
        try:
            with transaction.atomic():
                ticket.save()
                if number % 2:
                    raise Undone
        except Undone:
            pass
        time.sleep(float(sys.argv[1]))
"""
"""Saves every ticket, and undoes every other save."""


def sized(count: int) -> int:
    """So many, by the size of the storms; one at least."""
    return max(1, round(count * SIZE))


class Storm:
    """Delivers what is recorded to a server of this behaviour, by workers that start and end.

    `chatitive` are keys of the workers' settings.
    """

    def __init__(
        self, nursery: Nursery, *script: Behaviour, on_ambiguous: str = "hold", **chatitive: object
    ) -> None:
        self.random = random.Random(SEED)
        self.server = FaultServer(*script)
        self.concurrency = CONCURRENCY
        self.call_timeout = float(str(chatitive.get("CALL_TIMEOUT", CALL_TIMEOUT)))
        self.on_ambiguous = on_ambiguous
        self.kills = 0
        self.naps = 0
        self.seed = SEED
        self._nursery = nursery
        self._settings = {
            "API_URLS": {"default": f"chatitive+http://SID:TOKEN@localhost:{self.server.port}/C"},
            "DISPATCHER": "worker",
            "CONCURRENCY": CONCURRENCY,
            "CALL_TIMEOUT": CALL_TIMEOUT,
            "LEASE": LEASE,
            "POLL_INTERVAL": 0.05,
            "SWEEP_INTERVAL": 0.2,
            **chatitive,
        }

    def __enter__(self) -> Self:
        self._nursery.output.write_text("")
        self.server.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._nursery.kill_all()
        self.server.__exit__(*exc_info)

    def record(self, count: int, *, subscribers: int = 60, ordered: bool = True) -> None:
        """Add rows that are due, dealt to so many subscribers at random."""
        Notification.objects.bulk_create(
            NotificationFactory.build(
                phone_number=f"206-555-{self.random.randrange(subscribers):04}",
                on_ambiguous=self.on_ambiguous,
                ordered=ordered,
            )
            for _ in range(count)
        )

    def unfinished(self) -> int:
        return Notification.objects.filter(status__in=UNFINISHED).count()

    def start_worker(self, code: str = "") -> Forked:
        """Start `manage.py chatitive worker`, after `code` has run in its process."""
        arguments = ["chatitive", "--skip-checks", "worker"]
        return self._nursery.manage(*arguments, code=QUICK + code, **self._settings)

    def start_ready_worker(self, code: str = "") -> Forked:
        """Start a worker, and wait until it ends in good order where it is asked to."""
        ready = self.output.count(READY)
        worker = self.start_worker(code)
        wait_until(lambda: self.output.count(READY) > ready)
        return worker

    def suspend(self, worker: Forked) -> None:
        """Have a worker sleep, wherever it stands."""
        worker.send(signal.SIGSTOP)
        self.expect_sleep(worker)

    def expect_sleep(self, worker: Forked) -> None:
        """Wait for a worker to be asleep, whoever sent it to sleep."""
        wait_until(lambda: worker.asleep)
        self.naps += 1

    def wake(self, worker: Forked) -> None:
        worker.send(signal.SIGCONT)

    def kill(self, worker: Forked) -> None:
        worker.send(signal.SIGKILL)
        self.expect_death(worker)

    def expect_death(self, worker: Forked) -> None:
        """Wait for a worker that is killed, and by nothing else ends."""
        assert worker.exit_code() == -signal.SIGKILL, self.output
        self.kills += 1

    def stop(self, *workers: Forked) -> None:
        """End workers in good order, all at once."""
        for worker in workers:
            worker.send(signal.SIGTERM)
        assert {worker.exit_code() for worker in workers} == {0}, self.output

    def end_leases(self) -> None:
        """Have the leases of workers that are lost run out, as if the time had passed."""
        Notification.objects.filter(status=Status.SENDING).update(leased_until=timezone.now())

    def random_pause(self, longest: float) -> None:
        time.sleep(self.random.uniform(0, longest))

    def wait_for_calm(self, *, seconds: float = SECONDS_TO_END) -> None:
        """Wait until no row is pending or being sent."""
        until = time.monotonic() + seconds
        while left := self.unfinished():
            assert time.monotonic() < until, f"{left} rows are left. {self.output}"
            time.sleep(0.1)

    def calm(self) -> None:
        """Let one last worker finish what the storm left."""
        worker = self.start_ready_worker()
        self.wait_for_calm()
        self.stop(worker)

    @property
    def output(self) -> str:
        """What the workers have printed."""
        return self._nursery.output.read_text()

    def aftermath(self) -> Aftermath:
        return Aftermath(self)


class Writers:
    """A process that saves tickets while it storms, half of which it takes back."""

    def __init__(self, *, tickets: int, pause: float) -> None:
        customers = CustomerFactory.create_batch(10)
        self._tickets = [
            TicketFactory.create(customer=customers[number % 10]) for number in range(tickets)
        ]
        self._process = python(WRITER, pause)

    def end(self) -> None:
        output = self._process.communicate(timeout=SECONDS_TO_END)
        assert self._process.returncode == 0, output

    def kept_what_they_committed(self) -> None:
        """Each committed save is in the log once, and each that was undone is not."""
        saved = [ticket.pk for ticket in self._tickets[::2]]
        rows = Notification.objects.filter(source_model="desk.ticket").values_list("source_id")
        assert sorted(int(pk) for (pk,) in rows) == saved


def unhurried(longest: float) -> Behaviour:
    """Accept each request after a random while, so that calls overtake each other."""

    def behave(peer: Peer) -> None:
        while peer.read_request():
            peer.server.stopped.wait(random.uniform(0, longest))
            peer.send(response(202))

    return behave


MOODS: list[tuple[float, bytes, Behaviour | None]] = [
    (14, response(202), None),
    (2, response(500), None),
    (1, response(503), None),
    (0.5, response(429), None),
    (0.5, response(400), None),
    (0.5, response(502), None),
    (1, b"HTTP/1.1 202 Accepted\r\nContent-Ty", close_at_once),
    (1, b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\nhalf", Peer.reset),
    (0.2, b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\nhalf", Peer.stall),
    (1, b"HTTP/1.", close_at_once),
    (1, b"", close_at_once),
    (1, b"", Peer.reset),
    (0.5, b"", Peer.stall),
]
"""How often it says what to a request, and what it does then, if not wait for the next."""


def moody() -> Behaviour:
    """Treat each connection, and each request, as chance will have it."""
    chance = random.Random(SEED)

    def behave(peer: Peer) -> None:
        if chance.random() < 0.1:
            return chance.choice([reset_at_once, reset_after(20)])(peer)
        while peer.read_request():
            [(_, said, then)] = chance.choices(MOODS, [weight for weight, _, _ in MOODS])
            peer.send(said)
            if then is not None:
                return then(peer)
        return None

    return behave
