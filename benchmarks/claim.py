"""How long a claim takes beside many settled rows, and behind a subscriber with many rows.

DATABASE=postgresql python -m benchmarks.claim [--explain]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from datetime import timedelta

from django.db import connection, transaction

from benchmarks.contestant import Measured
from benchmarks.database import run
from benchmarks.processes import measure
from benchmarks.rows import analyse, empty, fill
from benchmarks.server import serving
from benchmarks.targets import verdict
from chatitive_django import log
from chatitive_django.models import Notification

FEW, MANY = 1_000, int(os.environ.get("ROWS", "1000000"))
PENDING_EACH = 100
AT_ONCE = 8
LEASE = timedelta(seconds=120)
ROUNDS, CLAIMS = int(os.environ.get("ROUNDS", "2")), 100
MOST = 1.5

OF_ONE, OF_OTHERS = 5_000, 2_000
THE_ONE = 9_000_000
SLOW = 0.05
LEAST_OF_OTHERS = 0.8
"""One of eight threads serves the one subscriber: 7/8 are left to the others."""


def claim() -> float:
    """The seconds of a claim, whose rows are then put back."""
    began = time.perf_counter()
    rows = log.claim("default", AT_ONCE, LEASE)
    took = time.perf_counter() - began
    assert len(rows) == AT_ONCE
    claimed = Notification.objects.filter(pk__in=[row.pk for row in rows])
    claimed.update(status="pending", lease_token=None, leased_until=None, attempts=0)
    return took


def claims() -> list[float]:
    analyse()
    for _ in range(20):
        claim()
    return [claim() for _ in range(CLAIMS)]


def beside_settled_rows(*, explain: bool) -> bool:
    few: list[float] = []
    many: list[float] = []
    for _ in range(ROUNDS):
        empty()
        fill(FEW, pending_each=PENDING_EACH)
        few += claims()
        fill(MANY - FEW, pending_each=PENDING_EACH)
        many += claims()
    if explain:
        tell_plan()
    small, large = (statistics.median(each) * 1000 for each in (few, many))
    return verdict(
        f"{connection.vendor}: a claim of {AT_ONCE} at {MANY:,} rows takes × {large / small:.2f} "
        f"of that at {FEW:,} (at most {MOST}): {large:.2f} ms and {small:.2f} ms",
        large <= small * MOST,
    )


def tell_plan() -> None:
    """Print the statement that claims, and the database's plan for it."""
    executed = []

    def note(execute, sql, params, many, context):
        executed.append((sql, params))
        return execute(sql, params, many, context)

    with transaction.atomic(), connection.execute_wrapper(note):
        log.claim("default", AT_ONCE, LEASE)
        transaction.set_rollback(True)
    [(sql, params)] = [each for each in executed if "ORDER BY" in each[0]]
    explain = {
        "postgresql": "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)",
        "mysql": "EXPLAIN",
        "sqlite": "EXPLAIN QUERY PLAN",
    }[connection.vendor]
    print(sql)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{explain} {sql}", params)
        for row in cursor.fetchall():
            print("   ", *row)
        transaction.set_rollback(True)


def others(port: int) -> Measured:
    analyse()
    return measure(
        *("worker", "--concurrency", AT_ONCE, "--besides", f"+1206{THE_ONE}"),
        port=port,
        events=OF_OTHERS,
    )


def behind_one_subscriber() -> bool:
    alone: list[float] = []
    behind: list[float] = []
    with serving(delay=SLOW) as (port, _):
        for _ in range(ROUNDS):
            empty()
            fill(OF_OTHERS)
            alone.append(others(port).rate)
            empty()
            fill(OF_ONE, subscribers=1, first=THE_ONE, earlier=timedelta(days=1))
            fill(OF_OTHERS)
            behind.append(others(port).rate)
    ratio = statistics.median(behind) / statistics.median(alone)
    return verdict(
        f"{connection.vendor}: behind {OF_ONE:,} rows of one subscriber those of others are "
        f"delivered at × {ratio:.2f} of their rate without them (at least {LEAST_OF_OTHERS}) by "
        f"{AT_ONCE} threads to a server that takes {SLOW * 1000:.0f} ms",
        ratio >= LEAST_OF_OTHERS,
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--explain", action="store_true", help="print the statement and its plan")
    given = parser.parse_args()
    results = [beside_settled_rows(explain=given.explain), behind_one_subscriber()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    run(main)
