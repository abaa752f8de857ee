"""One deliverer in a process of its own, which measures itself; see `benchmarks.delivery`.

python -m benchmarks.contestant session --port 8000 --events 1000
python -m benchmarks.contestant worker --port 8000 --events 1000 --concurrency 8
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

SID, TOKEN, CHANNEL = "ACf00000000000000000000000000000", "token", "p03Gjl8Uzn0RkZSpHXHnrw"
PAYLOAD = {
    "ticket_url": "https://support.yourcompany.com/tickets/12345",
    "ticket_status": "Success",
    "cs_agent_name": "Pam",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Events, the seconds that they took, and CPU seconds of the process."""

    events: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.events / self.seconds


def timed(deliver: Callable[[], int]) -> Measured:
    before, began = os.times(), time.perf_counter()
    events = deliver()
    seconds, after = time.perf_counter() - began, os.times()
    return Measured(
        events=events,
        seconds=seconds,
        cpu=after.user + after.system - before.user - before.system,
    )


def session(port: int, events: int) -> Measured:
    """A bare loop of a `requests.Session`, without a database."""
    import requests

    url = f"http://127.0.0.1:{port}/v2/account/channels/{CHANNEL}/subscribers/events/notify"

    def deliver() -> int:
        with requests.Session() as session:
            session.auth = (SID, TOKEN)
            for number in range(events):
                response = session.post(
                    url,
                    json={
                        "event_name": "RequestSupportFeedback",
                        "phone_number": f"206{1_000_000 + number}",
                        "allow_new": False,
                        "subscribe_new": False,
                        "payload": PAYLOAD,
                    },
                )
                response.raise_for_status()
        return events

    return timed(deliver)


def worker(events: int, concurrency: int, besides: str | None) -> Measured:
    """The package's worker, until nothing is due or it has settled that many besides one's."""
    import benchmarks.database  # noqa: F401, I001 -- sets Django up

    from django.db import connection

    from chatitive_django.models import Notification
    from chatitive_django.signals import notification_settled
    from chatitive_django.worker import Worker

    worker = Worker(concurrency=concurrency)
    settled = 0

    def count(notification: Notification, **kwargs: object) -> None:
        nonlocal settled
        settled += notification.subscriber_key != besides
        if settled == events:
            worker.stop()

    def deliver() -> int:
        worker.run(idle_exit=0)
        return settled

    notification_settled.connect(count)
    connection.ensure_connection()
    return timed(deliver)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["session", "worker"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--besides", help="a subscriber whose events aren't counted")
    given = parser.parse_args()
    if given.kind == "session":
        measured = session(given.port, given.events)
    else:
        measured = worker(given.events, given.concurrency, given.besides)
    print(json.dumps(asdict(measured)))
