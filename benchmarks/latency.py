"""From the commit of a change to the arrival of its request, while a worker process is idle.

DATABASE=postgresql python -m benchmarks.latency
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from collections.abc import Iterator

from django.db import connection, transaction

from benchmarks.database import run
from benchmarks.models import Agent, Customer, Watched
from benchmarks.processes import accepted, wait_until, working
from benchmarks.server import serving
from benchmarks.targets import verdict

TIMES = int(os.environ.get("TIMES", "40"))
MOST = 25
"""Milliseconds."""


def from_commit_to_arrival(ticket: Watched, arrivals: Iterator[float]) -> float:
    committed = []
    with transaction.atomic():
        transaction.on_commit(lambda: committed.append(time.monotonic()))
        ticket.status = "Success"
        ticket.save()
    return next(arrivals) - committed[0]


def main() -> int:
    if connection.vendor != "postgresql":
        sys.exit("Only PostgreSQL tells workers of a commit; elsewhere they poll each second.")
    customer = Customer.objects.create(name="Kim", phone="206-555-0100")
    ticket = Watched.objects.create(customer=customer, agent=Agent.objects.create(name="Pam"))
    waits = []
    with serving(tell=True) as (port, arrivals), working(port):
        for _ in range(TIMES):
            time.sleep(random.uniform(0.2, 2))
            waits.append(from_commit_to_arrival(ticket, arrivals) * 1000)
            ticket.status = "Open"
            ticket.save()
            wait_until(lambda: accepted() == len(waits))
    median, slow = statistics.median(waits), statistics.quantiles(waits, n=20)[-1]
    told = f"from commit to arrival: {median:.1f} ms (at most {MOST}), of 19 in 20 up to {slow:.1f}"
    return 0 if verdict(told, median <= MOST) else 1


if __name__ == "__main__":
    run(main)
