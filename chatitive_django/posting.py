"""The threads that talk to the API: given claimed rows, they give back what became of each."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from .backends import Backend, Message
from .conf import settings
from .models import Notification
from .outcomes import Outcome, Result
from .transport import OVERSLEPT


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed row, and the moment (monotonic) after which its lease is as good as lost."""

    notification: Notification
    give_up_at: float
    probe: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """A job with its result; `posted` unless it was kept from being sent."""

    job: Job
    result: Result
    started_at: datetime
    posted: bool = True


class Posting:
    """Posts jobs by so many threads, or `inline` by the one that hands them in.

    `ring` is called by the thread whose job has ended.
    """

    def __init__(
        self,
        backends: Mapping[str, Backend],
        *,
        threads: int,
        inline: bool,
        ring: Callable[[], None],
    ) -> None:
        self._backends = backends
        self._inline = inline
        self._ring = ring
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._post_jobs, name=f"chatitive-{n}", daemon=True)
            for n in range(0 if inline else threads)
        ]
        for thread in self._threads:
            thread.start()

    def hand_in(self, job: Job) -> None:
        """Have a job posted."""
        if self._inline:
            self._post(job)
        else:
            self._jobs.put(job)

    def end(self, job: Job, result: Result) -> None:
        """Have a job end unposted."""
        self._tell(Ended(job, result, timezone.now(), posted=False))

    def collect(self) -> list[Ended]:
        """Every job that has ended since the last time."""
        ended = []
        with suppress(queue.Empty):
            while True:
                ended.append(self._ended.get_nowait())
        return ended

    def close(self) -> None:
        """Wait for the threads, once they have posted what was handed in."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _post_jobs(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._post(job)

    def _post(self, job: Job) -> None:
        row = job.notification
        started_at = timezone.now()
        # By the end of a call that begins later another worker may hold the row.
        start_by = job.give_up_at - settings.CALL_TIMEOUT
        try:
            result = self._backends[row.channel].post(message_of(row), start_by=start_by)
        except Exception as error:  # noqa: BLE001 -- a backend's bug must not end the thread
            result = Result(
                outcome=Outcome.MAY_HAVE_ARRIVED,
                reason="crashed",
                error_class=type(error).__name__,
            )
        self._tell(Ended(job, result, started_at, posted=result.reason != OVERSLEPT))

    def _tell(self, ended: Ended) -> None:
        self._ended.put(ended)
        self._ring()


def message_of(row: Notification) -> Message:
    """What a row says, to exactly one of phone number and SID."""
    return Message(
        event_name=row.event_name,
        phone_number=None if row.subscriber_sid else row.phone_number,
        subscriber_sid=row.subscriber_sid or None,
        payload=row.payload,
        allow_new=row.allow_new,
        subscribe_new=row.subscribe_new,
        idempotency_key=str(row.public_id),
    )
