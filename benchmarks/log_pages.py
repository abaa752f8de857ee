"""How long the server takes for each page of the log, at 10,000 and at 1,000,000 rows.

DATABASE=postgresql python -m benchmarks.log_pages [--explain]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from benchmarks.database import run
from benchmarks.rows import analyse, empty, fill
from benchmarks.targets import verdict
from chatitive_django.models import Attempt, Heartbeat, Notification

FEW, MANY = 10_000, int(os.environ.get("ROWS", "1000000"))
KEPT = timedelta(days=30)
"""The rows are spread over so many days, few or many: a site that is a hundred times as busy."""
ROUNDS = int(os.environ.get("ROUNDS", "30"))
MOST_MS, MOST = 60.0, 2.0

# As many as fill a page of the list at either size: to draw a row takes longer than to find it.
FAILED = {
    "rejected": ("n %% 250 = 0", "http_404"),
    "invalid": ("n %% 1000 = 1", "no_subscriber"),
    "expired": ("n %% 1000 = 2", "too_late"),
    "unknown": ("n %% 2000 = 3", "no_answer"),
}
WAITING = 50


def cases(pairs: dict[str, str], otherwise: str) -> str:
    whens = " ".join(f"WHEN {condition} THEN '{value}'" for condition, value in pairs.items())
    return f"CASE {whens} ELSE '{otherwise}' END"


def fill_log(count: int) -> None:
    """A log as a site's: three events, some failures, a try each, and a few that wait."""
    empty()
    text = {"mysql": "CAST(n AS CHAR)"}.get(connection.vendor, "CAST(n AS VARCHAR(20))")
    waits = f"n > {count - WAITING}"
    fill(
        count,
        subscribers=count // 10,
        step=KEPT / count,
        columns={
            "status": cases(
                {waits: "pending", **{when: status for status, (when, _) in FAILED.items()}},
                "accepted",
            ),
            "reason": cases(dict(FAILED.values()), ""),
            "event_name": cases(
                {"n %% 100 = 5": "AccountClosed", "n %% 3 = 0": "TicketReceived"},
                "RequestSupportFeedback",
            ),
            "attempts": "1",
            "source_id": text,
        },
    )
    Notification.objects.filter(status="pending").update(
        finished_at=None, attempts=0, available_at=timezone.now() + timedelta(hours=1)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Attempt._meta.db_table} (notification_id, number, started_at, "
            "duration_ms, outcome, reason, http_status, error_class, response_excerpt) "
            "SELECT id, 1, created_at, 150 + id %% 100, 'accepted', '', 202, '', '' "
            f"FROM {Notification._meta.db_table} WHERE attempts > 0",
            [],
        )
        if connection.vendor == "postgresql":  # as its autovacuum does, in its own time
            cursor.execute(f"VACUUM {Notification._meta.db_table}")
    analyse()


def pages() -> dict[str, str]:
    """Each page by name, with its address."""
    log = reverse("admin:chatitive_django_notification_changelist")
    row = Notification.objects.filter(status="rejected").latest("pk")
    return {
        "the list": log,
        "the list of all time": f"{log}?when=all",
        "one status": f"{log}?status__exact=rejected&when=all",
        "what needs attention": f"{log}?status__exact=attention",
        "one event": f"{log}?event=AccountClosed&when=all",
        "a day": f"{log}?when=24h",
        "a past day": f"{log}?from={_day(20)}&until={_day(20)}",
        "a search by phone": f"{log}?q={row.phone_number}",
        "a search by event": f"{log}?q=Account",
        "a search in vain": f"{log}?q=Nothing",
        "the detail": reverse("admin:chatitive_django_notification_change", args=[row.pk]),
    }


def _day(ago: int) -> str:
    return (timezone.localdate() - timedelta(days=ago)).isoformat()


def took(get: Callable[[], object]) -> float:
    began = time.perf_counter()
    get()
    return (time.perf_counter() - began) * 1000


def measure(client: Client) -> dict[str, float]:
    """The median of each page in milliseconds, the pages in turn."""
    addresses = pages()
    found: dict[str, list[float]] = {name: [] for name in addresses}
    for turn in range(ROUNDS + 3):
        for name, address in addresses.items():
            response = client.get(address)
            assert response.status_code == 200, (name, response.status_code)
            if turn >= 3:
                found[name].append(took(lambda: client.get(address)))  # noqa: B023
    return {name: statistics.median(times) for name, times in found.items()}


def tell_queries(client: Client) -> None:
    """Print what each page asks of the database, and how long that takes."""
    for name, address in pages().items():
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        print(name)
        for query in queries:
            print(f"    {float(query['time']) * 1000:6.1f} ms  {query['sql'][:150]}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--explain", action="store_true", help="print each page's queries")
    given = parser.parse_args()
    boss = get_user_model().objects.create_superuser("boss", "boss@example.com", "demo")
    client = Client()
    client.force_login(boss)
    now = timezone.now()
    measured = []
    for count in (FEW, MANY):
        fill_log(count)
        cache.clear()
        Heartbeat.objects.all().delete()
        Heartbeat.objects.create(
            kind="worker", host="here", pid=1, concurrency=8, started_at=now, seen_at=timezone.now()
        )
        first = took(lambda: client.get(reverse("admin:chatitive_django_notification_changelist")))
        print(f"       the first list of a process at {count:,} rows: {first:.0f} ms", flush=True)
        measured.append(measure(client))
        if given.explain:
            tell_queries(client)
    few, many = measured
    results = [
        verdict(
            f"{connection.vendor}: {name} at {MANY:,} rows takes {many[name]:.1f} ms (at most "
            f"{MOST_MS:.0f}), × {many[name] / few[name]:.2f} of that at {FEW:,} (at most {MOST})",
            many[name] <= MOST_MS and many[name] <= MOST * few[name],
        )
        for name in few
    ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    run(main)
