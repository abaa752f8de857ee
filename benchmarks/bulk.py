"""A bulk update of many rows that all fire: statements, memory, and time beside Django's own.

DATABASE=postgresql ROWS=100000 python -m benchmarks.bulk
"""

from __future__ import annotations

import os
import time
import tracemalloc
from collections import Counter

import django
from django.db import connection

from benchmarks.database import run
from benchmarks.models import Item
from chatitive_django import muted
from chatitive_django.models import Notification


def main() -> int:
    rows = int(os.environ.get("ROWS", "100000"))
    with muted():
        for start in range(0, rows, 10_000):
            Item.objects.bulk_create([Item(code=f"i{start + n}") for n in range(10_000)])
    statements: Counter[str] = Counter()

    def count(execute, sql, params, many, context):
        statements[sql.split(None, 1)[0]] += 1
        return execute(sql, params, many, context)

    with muted():
        began = time.perf_counter()
        Item.objects.update(state="lost")
        plain = time.perf_counter() - began
    began = time.perf_counter()
    with connection.execute_wrapper(count):
        Item.objects.update(state="sold")
    took = time.perf_counter() - began
    assert Notification.objects.count() == rows
    Notification.objects.all().delete()
    with muted():
        Item.objects.update(state="lost")
    tracemalloc.start()
    Item.objects.update(state="sold")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{connection.vendor}, Django {django.__version__}, {rows:,} rows that all fire")
    print(f"  statements: {sum(statements.values()):,} ({dict(statements)})")
    print(f"  peak of what Python held: {peak / 2**20:.1f} MiB, {peak / rows:.0f} bytes a row")
    print(f"  time beside Django's own update() of the same rows: {took / plain:.0f} times")
    print(f"  time a row: {took / rows * 1e6:.0f} µs")
    return 0


if __name__ == "__main__":
    run(main)
