"""One worker's rate and CPU beside a bare `requests.Session` loop, as ratios within one run.

DATABASE=postgresql python -m benchmarks.delivery
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable

from benchmarks.contestant import Measured
from benchmarks.database import run
from benchmarks.processes import measure
from benchmarks.rows import analyse, empty, fill
from benchmarks.server import serving
from benchmarks.targets import verdict
from chatitive_django.models import Notification

ROUNDS = int(os.environ.get("ROUNDS", "5"))
EVENTS = int(os.environ.get("EVENTS", "1000"))
CONCURRENCIES = [1, 2, 4, 8, 16]
LEAST_RATE, MOST_CPU, LEAST_OF_IDEAL = 1.0, 1.3, 0.9
SLOW = 0.05
CALLS_EACH = 150
"""By each thread to the slow server: so many that how the worker starts hardly counts."""


def worker(port: int, concurrency: int) -> Measured:
    empty()
    fill(EVENTS)
    analyse()
    measured = measure("worker", "--concurrency", concurrency, port=port, events=EVENTS)
    accepted = Notification.objects.filter(status="accepted", attempt_set__outcome="accepted")
    assert measured.events == accepted.count() == EVENTS
    return measured


def median(rounds: list[Measured], what: Callable[[Measured], float]) -> float:
    return statistics.median(map(what, rounds))


def beside_a_session() -> bool:
    sessions: list[Measured] = []
    workers: dict[int, list[Measured]] = {threads: [] for threads in CONCURRENCIES}
    with serving() as (port, _):
        for _ in range(ROUNDS):
            for threads, rounds in workers.items():
                sessions.append(measure("session", port=port, events=EVENTS))
                rounds.append(worker(port, threads))
    rate, cpu = (median(sessions, what) for what in (lambda m: m.rate, lambda m: m.cpu))
    print(f"{EVENTS:,} events, medians of {ROUNDS} rounds, beside a requests.Session")
    print(f"  (which made {rate:,.0f} calls a second, {cpu / EVENTS * 1e6:,.0f} µs of CPU each)")
    ratios = {}
    for threads, rounds in workers.items():
        ratios[threads] = (
            median(rounds, lambda m: m.rate) / rate,
            median(rounds, lambda m: m.cpu) / cpu,
        )
        print("  concurrency {:2}: rate × {:.2f}, CPU × {:.2f}".format(threads, *ratios[threads]))
    best = max(ratios, key=lambda threads: ratios[threads][0])
    rate_ratio, cpu_ratio = ratios[best]
    return verdict(
        f"best at {best}: rate × {rate_ratio:.2f} (at least {LEAST_RATE}), "
        f"CPU × {cpu_ratio:.2f} (at most {MOST_CPU})",
        rate_ratio >= LEAST_RATE and cpu_ratio <= MOST_CPU,
    )


def behind_a_slow_server() -> bool:
    good = []
    with serving(delay=SLOW) as (port, _):
        for threads in (1, 8, 16):
            events = CALLS_EACH * threads
            rounds = []
            for _ in range(3):
                empty()
                fill(events)
                rounds.append(measure("worker", "--concurrency", threads, port=port, events=events))
            of_ideal = median(rounds, lambda m: m.rate) / (threads / SLOW)
            good.append(
                verdict(
                    f"a server that takes {SLOW * 1000:.0f} ms, concurrency {threads:2}: "
                    f"× {of_ideal:.2f} of threads / {SLOW * 1000:.0f} ms "
                    f"(at least {LEAST_OF_IDEAL})",
                    of_ideal >= LEAST_OF_IDEAL,
                )
            )
    return all(good)


def main() -> int:
    results = [beside_a_session(), behind_a_slow_server()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    run(main)
