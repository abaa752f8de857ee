"""A storm over the log: rows to send, workers to lose, and a server that notes what it received.

    with Storm(nursery, answer(202), on_ambiguous="hold") as storm:
        storm.record(500)
        storm.kill(storm.start_worker())
        storm.calm()
    storm.aftermath().holds()

What the server received is the truth that the log is held against. The promises are the methods of
`Aftermath`, one each.

Environment: STORM_SIZE=10 makes every storm ten times as long; STORM_SEED repeats the random
choices of a run, whose seed is among its figures; STORM_FIGURES names a directory where each storm
leaves its figures as a line of JSON, which pytest prints at its end too.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter, defaultdict
from functools import cached_property
from typing import Any, Self

from chatitive_django.models import Attempt, Notification
from tests.acceptance.nursery import Forked, Nursery
from tests.acceptance.processes import python, wait_until
from tests.factories import CustomerFactory, NotificationFactory, TicketFactory
from tests.fault_server import Behaviour, FaultServer, Peer, Received, response

SIZE = float(os.environ.get("STORM_SIZE", "1"))
SEED = int(os.environ.get("STORM_SEED") or random.randrange(1_000_000))

Status = Notification.Status
UNFINISHED = [Status.PENDING, Status.SENDING]
COME_AGAIN = {401, 403, 408, 425, 429, 500, 503}
"""The answers after which the same request may be sent again: it was not taken."""

LEASE, CALL_TIMEOUT, CONCURRENCY = 2.0, 1.0, 4
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


class Storm:
    """Delivers what is recorded to a server of this behaviour, by workers that start and end.

    `chatitive` are keys of the workers' settings.
    """

    def __init__(
        self, nursery: Nursery, *script: Behaviour, on_ambiguous: str = "hold", **chatitive: object
    ) -> None:
        self.random = random.Random(SEED)
        self.server = FaultServer(*script)
        self.on_ambiguous = on_ambiguous
        self.kills = 0
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

    def random_pause(self, longest: float) -> None:
        time.sleep(self.random.uniform(0, longest))

    def wait_for_calm(self, *, seconds: float = 60.0) -> None:
        """Wait until no row is pending or being sent."""
        until = time.monotonic() + seconds
        while left := self.unfinished():
            assert time.monotonic() < until, f"{left} rows are left. {self.output}"
            time.sleep(0.1)

    def calm(self) -> None:
        """Let one last worker finish what the storm left."""
        ready = self.output.count(READY)
        worker = self.start_worker()
        wait_until(lambda: self.output.count(READY) > ready)
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
        output = self._process.communicate(timeout=120)
        assert self._process.returncode == 0, output

    def kept_what_they_committed(self) -> None:
        """Each committed save is in the log once, and each that was undone is not."""
        saved = [ticket.pk for ticket in self._tickets[::2]]
        rows = Notification.objects.filter(source_model="desk.ticket").values_list("source_id")
        assert sorted(int(pk) for (pk,) in rows) == saved


class Aftermath:
    """The log beside what the server received; each promise is a method that fails if broken."""

    def __init__(self, storm: Storm) -> None:
        self.storm = storm
        self.rows = list(Notification.objects.order_by("id"))
        self.attempts: dict[int, list[Attempt]] = defaultdict(list)
        for attempt in Attempt.objects.order_by("id"):
            self.attempts[attempt.notification_id].append(attempt)
        self.received: dict[str, list[Received]] = defaultdict(list)
        for request in sorted(storm.server.requests, key=lambda request: request.at):
            if key := request.headers.get("idempotency-key"):
                self.received[key].append(request)

    def holds(self) -> None:
        self.nothing_is_lost()
        self.nothing_was_sent_that_is_not_in_the_log()
        self.accepted_means_received_whole()
        self.each_row_ends_as_its_answers_say()
        self.nothing_is_repeated_without_need()
        self.subscribers_get_theirs_in_order()

    def nothing_is_lost(self) -> None:
        ends = {Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN}
        assert [row for row in self.rows if row.status not in ends] == []
        assert all(row.lease_token is None and row.finished_at for row in self.rows)

    def nothing_was_sent_that_is_not_in_the_log(self) -> None:
        assert set(self.received) <= {str(row.public_id) for row in self.rows}

    def accepted_means_received_whole(self) -> None:
        for row in self.rows:
            taken = [each for each in self.of(row) if each.whole and succeeded(each)]
            assert row.status != Status.ACCEPTED or taken, self.story(row)

    def each_row_ends_as_its_answers_say(self) -> None:
        """Unless its worker was lost with the answer, which only leaves it in doubt."""
        for row in self.rows:
            requests, attempts = self.of(row), self.attempts[row.pk]
            if row.pk in self.rescued:
                assert row.status != Status.REJECTED or is_refusal(requests[-1]), self.story(row)
                continue
            answers = [each.answered for each in requests if each.answered]
            assert [each.http_status for each in attempts if each.http_status] == answers, (
                self.story(row)
            )
            if any(map(succeeded, requests)):
                end = Status.ACCEPTED
            elif requests and is_refusal(requests[-1]):
                end = Status.REJECTED
            else:
                assert attempts[-1].outcome == "may_have_arrived" or answers.count(500) == 5
                end = Status.UNKNOWN
            assert row.status == end, self.story(row)

    def nothing_is_repeated_without_need(self) -> None:
        """With "hold" never, with "retry" no oftener than faults and lost workers left doubt."""
        for row in self.rows:
            assert row.on_ambiguous == "retry" or not self.repeated(row), self.story(row)
        assert self.repeats <= self.doubts

    def subscribers_get_theirs_in_order(self) -> None:
        """Nothing arrives after a later message for the same subscriber, repeats included."""
        arrived = sorted(
            (request.at, row.pk, row.order_key)
            for row in self.rows
            if row.order_key
            for request in self.of(row)
            if request.whole
        )
        latest: dict[str, int] = {}
        for _, pk, subscriber in arrived:
            assert latest.get(subscriber, 0) <= pk, f"{pk} after {latest[subscriber]}"
            latest[subscriber] = pk

    def each_row_was_accepted_at_once(self) -> None:
        assert {row.status for row in self.rows} == {Status.ACCEPTED}
        assert len(self.storm.server.requests) == len(self.rows)

    def of(self, row: Notification) -> list[Received]:
        """The requests for a row, in the order in which they arrived."""
        return self.received[str(row.public_id)]

    @cached_property
    def rescued(self) -> set[int]:
        """The rows that lost their worker at least once."""
        return {
            attempt.notification_id
            for attempts in self.attempts.values()
            for attempt in attempts
            if attempt.outcome == Attempt.LEASE_RAN_OUT
        }

    def repeated(self, row: Notification) -> int:
        """How often a row's request arrived again though it may have been taken before."""
        whole = [request for request in self.of(row) if request.whole]
        return sum(request.answered not in COME_AGAIN for request in whole[:-1])

    @cached_property
    def repeats(self) -> int:
        return sum(map(self.repeated, self.rows))

    @cached_property
    def doubts(self) -> int:
        """The requests that the server left without an answer, and those that kills may have."""
        unanswered = sum(request.answered is None for request in self.storm.server.requests)
        return unanswered + self.storm.kills * CONCURRENCY

    def story(self, row: Notification) -> str:
        """What became of a row, for a failed assertion."""
        answers = [(each.whole, each.answered) for each in self.of(row)]
        tries = [(each.number, each.outcome, each.http_status) for each in self.attempts[row.pk]]
        return f"#{row.pk} {row.status} {row.reason}: tried {tries}, received {answers}"

    def figures(self) -> dict[str, Any]:
        """What the storm measured."""
        return {
            "seed": SEED,
            "rows": len(self.rows),
            **Counter(sorted(row.status for row in self.rows)),
            "requests": len(self.storm.server.requests),
            "whole": sum(request.whole for request in self.storm.server.requests),
            "kills": self.storm.kills,
            "rescued": len(self.rescued),
            "repeats": self.repeats,
            "doubts": self.doubts,
        }


def succeeded(request: Received) -> bool:
    return request.answered is not None and 200 <= request.answered < 300


def is_refusal(request: Received) -> bool:
    status = request.answered or 0
    return 400 <= status < 500 and status not in COME_AGAIN


def unhurried(longest: float) -> Behaviour:
    """Accept each request after a random while, so that calls overtake each other."""

    def behave(peer: Peer) -> None:
        while peer.read_request():
            peer.server.stopped.wait(random.uniform(0, longest))
            peer.send(response(202))

    return behave
