"""The loop that delivers: one thread talks to the database, N threads talk to the API."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from django.db import Error as DatabaseFailure
from django.db import connections, transaction
from django.db.transaction import TransactionManagementError

from . import channels, log, sweepers
from .backends import Backend, make_backend
from .breaker import Verdict
from .conf import InvalidSetting, settings
from .dbtime import become_writer
from .doorbell import Doorbell
from .heartbeats import Pulse
from .lanes import Lane
from .models import Heartbeat, Notification, log_alias
from .objections import objection_to
from .posting import Ended, Job, Posting
from .retry import decide
from .statements import takes_several

logger = logging.getLogger("chatitive_django")

LONGEST_PAUSE_AFTER_FAILURE = 30.0


@dataclass(frozen=True, slots=True)
class _Judged:
    """A result with what was decided about its row, and what it tells of its channel."""

    job: Job
    settlement: log.Settlement
    verdict: Verdict | None


class Worker:
    """Claims what is due, has it posted, and settles each result by its lease.

    Each turn settles every result that has come in, then claims as many rows as there are idle
    threads. So batches form by themselves under load, a lone event is settled at once, and a
    crash can touch at most `concurrency` rows. With `inline` the calling thread posts too. One of a
    `kind` can be seen to live by its heartbeat. `lane` makes what claims a channel's rows.
    """

    def __init__(
        self,
        *,
        concurrency: int,
        channels: Collection[str] | None = None,
        poll_interval: float = 1.0,
        keep_connection: bool = True,
        inline: bool = False,
        kind: Heartbeat.Kind | None = None,
        lane: Callable[[str], Lane] = Lane,
    ) -> None:
        self.concurrency = concurrency
        self.poll_interval = poll_interval
        self.keep_connection = keep_connection
        self.inline = inline
        self.kind = kind
        self.lane = lane
        self._channels = channels
        self._lanes: deque[Lane] = deque()
        self._pulse: Pulse | None = None
        self._doorbell = Doorbell()
        self._posting: Posting
        self._ended: list[Ended] = []
        self._unrecorded: list[_Judged] = []
        self._in_hand = 0
        self._stopping = threading.Event()
        self._next_sweep = 0.0
        self._failures = 0
        self._unsure = False

    def stop(self) -> None:
        """Claim no more, and end when what is in hand is settled; from any thread or handler."""
        self._stopping.set()
        self.wake()

    def wake(self) -> None:
        """Look for due rows now instead of at the next poll; from any thread or handler."""
        self._doorbell.ring()

    def run(self, *, idle_exit: float | None = None) -> None:
        """Deliver until stopped, or until nothing was due for `idle_exit` seconds.

        Raises `InvalidSetting` where no channel can be used; database errors are waited out,
        but with `idle_exit` they are raised once nothing is in hand.
        """
        try:
            backends = self._open_backends()
            self._lanes = deque(map(self.lane, backends))
            if self.kind is not None:
                self._pulse = Pulse(self.kind, channels=backends, concurrency=self.concurrency)
            self._posting = Posting(
                backends, threads=self.concurrency, inline=self.inline, ring=self.wake
            )
            try:
                self._loop(idle_exit)
            finally:
                self._posting.close()
                for backend in backends.values():
                    backend.close()
        finally:
            self._doorbell.close()

    def _open_backends(self) -> dict[str, Backend]:
        urls = settings.API_URLS
        backends = {}
        refused: InvalidSetting | None = None
        for alias in urls if self._channels is None else self._channels:
            if alias not in urls:
                raise InvalidSetting(f'{alias!r} is no channel of CHATITIVE["API_URLS"].')
            try:
                backends[alias] = make_backend(alias, urls[alias])
            except InvalidSetting as error:
                logger.error("Channel %r can't deliver, its messages wait: %s", alias, error)
                refused = error
        if refused is not None and not backends:
            raise refused
        in_transaction = connections[log_alias()].in_atomic_block
        if in_transaction and any(backend.reaches_phones for backend in backends.values()):
            raise TransactionManagementError(
                "Delivery was called inside a database transaction. What was sent can't be rolled "
                "back: call it after the commit."
            )
        return backends

    def _loop(self, idle_exit: float | None) -> None:
        database = connections[log_alias()].settings_dict["NAME"]
        busy_at = time.monotonic()
        while True:
            if connections[log_alias()].settings_dict["NAME"] != database:
                # A test run has ended and given the real database's name back.
                return
            try:
                touched = self._turn()
                self._failures = 0
            except DatabaseFailure as error:
                if idle_exit is not None and not self._in_hand:
                    raise
                self._after_failure(error)
                continue
            if touched or self._in_hand:
                busy_at = time.monotonic()
            elif self._stopping.is_set() or (
                idle_exit is not None and time.monotonic() - busy_at >= idle_exit
            ):
                self._end_pulse()
                return
            self._collect(self._patience(idle_exit))

    def _turn(self) -> int:
        """Settle and claim, in one transaction where there is something to settle.

        Gives how many rows it touched beside those that it settled.
        """
        if self.kind is Heartbeat.Kind.WORKER and not self._stopping.is_set():
            self._doorbell.listen(log_alias())
        self._judge()
        taken = self._turn_plainly() if self._is_plain() else self._turn_in_transaction()
        if time.monotonic() < self._next_sweep or self._stopping.is_set():
            return taken
        return taken + self._sweep()

    def _is_plain(self) -> bool:
        """Whether the results, if there are any, can be stored on the way of a claim."""
        if not self._unrecorded:
            return True
        return (
            takes_several(connections[log_alias()])
            and not self._unsure
            and all(
                judged.verdict is Verdict.WORKS
                and not judged.job.probe
                and log.is_plain(judged.settlement)
                for judged in self._unrecorded
            )
        )

    def _turn_plainly(self) -> int:
        ahead = log.Acceptances(self._settlements()) if self._unrecorded else None
        jobs: list[Job] = []
        try:
            self._claim(jobs, ahead)
            stored = ahead.finish() if ahead is not None else []
            self._forget_recorded()
        finally:  # what was claimed is in hand, whatever else failed
            self._hand_out(jobs)
        log.tell_settled(stored)
        return len(jobs)

    def _turn_in_transaction(self) -> int:
        jobs: list[Job] = []
        with transaction.atomic(using=log_alias()):
            become_writer(Notification, log_alias())
            self._mind_channels()
            stored = log.settle(self._settlements(), again=self._unsure)
            self._claim(jobs)
        self._forget_recorded()
        self._hand_out(jobs)
        log.tell_settled(stored)
        return len(jobs)

    def _settlements(self) -> list[log.Settlement]:
        return [judged.settlement for judged in self._unrecorded]

    def _forget_recorded(self) -> None:
        self._in_hand -= len(self._unrecorded)
        self._unrecorded.clear()
        self._unsure = False

    def _sweep(self) -> int:
        """Be seen, and mind what no worker does; gives how many rows that were."""
        if self._pulse is not None:
            self._pulse.beat()
        rescued, expired = log.rescue(), log.expire()
        if log.AT_ONCE not in {rescued, expired}:
            self._next_sweep = time.monotonic() + _jittered(settings.SWEEP_INTERVAL)
        return rescued + expired + sweepers.run()

    def _end_pulse(self) -> None:
        if self._pulse is not None:
            with suppress(DatabaseFailure):
                self._pulse.stop()

    def _mind_channels(self) -> None:
        """Open, close and slow channels; before any row is written, as a resume does it."""
        for lane in self._lanes:
            own = [each for each in self._unrecorded if each.job.notification.channel == lane.alias]
            lane.act_on(
                [
                    (each.verdict, each.settlement.result, each.job.probe)
                    for each in own
                    if each.verdict is not None
                ]
            )
            waits = [each.settlement.decision.slows for each in own]
            if longest := max((wait for wait in waits if wait is not None), default=None):
                channels.slow(lane.alias, longest)

    def _claim(self, jobs: list[Job], ahead: log.Acceptances | None = None) -> None:
        """Add rows for the idle threads; each channel is asked first in its turn."""
        lease = settings.LEASE
        idle = self.concurrency - self._in_hand + len(self._unrecorded)
        give_up_at = time.monotonic() + lease.total_seconds() * 0.9
        self._lanes.rotate()
        for lane in self._lanes:
            if self._stopping.is_set() or len(jobs) >= idle:
                break
            rows = lane.claim(idle - len(jobs), lease, ahead=ahead)
            jobs += [Job(row, give_up_at, probe=False) for row in rows]
            if not rows:
                probes = lane.claim_probe(lease)
                jobs += [Job(row, give_up_at, probe=True) for row in probes]

    def _hand_out(self, jobs: Collection[Job]) -> None:
        self._in_hand += len(jobs)
        for job in jobs:
            objection = objection_to(job.notification)
            if objection is not None:
                self._posting.end(job, objection)
            else:
                self._posting.hand_in(job)

    def _patience(self, idle_exit: float | None) -> float:
        if self._in_hand:
            return _jittered(min(self.poll_interval, 1.0))
        if not self.keep_connection:
            connections[log_alias()].close()
        wait = _jittered(self.poll_interval)
        return wait if idle_exit is None else min(wait, idle_exit)

    def _collect(self, patience: float) -> None:
        """Wait for a result or a wake-up, then take every result that is there."""
        self._doorbell.wait(patience)
        self._ended += self._posting.collect()

    def _judge(self) -> None:
        """Decide about every result that was taken."""
        while self._ended:
            self._unrecorded.append(self._judged(self._ended[0]))
            del self._ended[0]

    def _judged(self, ended: Ended) -> _Judged:
        row, result = ended.job.notification, ended.result
        server_errors = log.server_errors(row) + 1 if result.http_status == 500 else 0
        verdict = None
        if ended.posted:
            lane = next(lane for lane in self._lanes if lane.alias == row.channel)
            verdict = lane.judge(row, result, probe=ended.job.probe)
        decision = decide(
            result,
            attempts=row.attempts,
            server_errors=server_errors,
            on_ambiguous=row.on_ambiguous,
            by_person=ended.posted and row.requested_by_id is not None,
            channel_broken=verdict is Verdict.BROKEN,
            jitter=random.random(),  # noqa: S311 -- spreads retries, hides nothing
        )
        settlement = log.Settlement(
            notification=row, result=result, decision=decision, started_at=ended.started_at
        )
        return _Judged(ended.job, settlement, verdict)

    def _after_failure(self, error: Exception) -> None:
        """Wait for the database, holding on to the results that it has not taken yet.

        Trying the recording alone again is what keeps a database restart from making duplicates.
        """
        self._failures += 1
        self._unsure = True
        logger.error("The database failed (%s); trying again.", type(error).__name__)
        self._doorbell.stop_listening()
        with suppress(DatabaseFailure):
            connections[log_alias()].close()
        pause = min(LONGEST_PAUSE_AFTER_FAILURE, 0.1 * 2 ** min(self._failures, 10))
        self._collect(_jittered(pause))
        self._give_up_lost()

    def _give_up_lost(self) -> None:
        """Forget the results whose rows another worker may hold by now."""
        now = time.monotonic()
        jobs = [done.job for done in self._ended] + [done.job for done in self._unrecorded]
        for job in jobs:
            if job.give_up_at < now:
                logger.error(
                    "The result of notification %s could not be recorded within its lease.",
                    job.notification.public_id,
                )
                self._in_hand -= 1
        self._ended = [done for done in self._ended if done.job.give_up_at >= now]
        self._unrecorded = [done for done in self._unrecorded if done.job.give_up_at >= now]


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 -- spreads polls, hides nothing


def deliver(
    *, channels: Collection[str] | None = None, concurrency: int | None = None, inline: bool = False
) -> None:
    """Deliver what is due now and return when nothing is left; safe beside other workers.

    Raises `InvalidSetting` where no channel can be used, and what the database raises.
    """
    Worker(
        concurrency=1 if inline else concurrency or settings.CONCURRENCY,
        channels=channels,
        inline=inline,
    ).run(idle_exit=0)
