"""The memory of a worker that has many rows before it.

DATABASE=postgresql python -m benchmarks.memory
"""

from __future__ import annotations

import os

from benchmarks.database import run
from benchmarks.processes import accepted, peak, wait_until, working
from benchmarks.rows import analyse, fill
from benchmarks.server import serving
from benchmarks.targets import verdict

PENDING = int(os.environ.get("PENDING", "100000"))
DELIVERED = int(os.environ.get("DELIVERED", "3000"))
MOST = 90
"""MiB."""


def main() -> int:
    fill(PENDING)
    analyse()
    with serving() as (port, _), working(port) as pid:
        wait_until(lambda: accepted() >= DELIVERED)
        held = peak(pid) / 2**20
    told = (
        f"a worker held {held:.0f} MiB at most (at most {MOST}) while it delivered {DELIVERED:,} "
        f"of {PENDING:,} pending rows"
    )
    return 0 if verdict(told, held <= MOST) else 1


if __name__ == "__main__":
    run(main)
