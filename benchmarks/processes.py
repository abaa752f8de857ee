"""Contestants and workers in processes of their own, which work on this process's database."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection

from benchmarks.contestant import CHANNEL, SID, TOKEN, Measured
from chatitive_django.models import Heartbeat, Notification


def api_url(port: int) -> str:
    return f"chatitive+http://{SID}:{TOKEN}@127.0.0.1:{port}/{CHANNEL}"


def environment(port: int) -> dict[str, str]:
    """That of a process which works on this database and posts to that port."""
    return {
        **os.environ,
        "DATABASE_NAME": str(connection.settings_dict["NAME"]),
        "CHATITIVE_API_URL": api_url(port),
    }


def measure(*kind: object, port: int, events: int) -> Measured:
    """What a contestant says of itself; one that works on the log is given this database."""
    command = [*kind, "--port", port, "--events", events]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.contestant", *map(str, command)],
        env=environment(port),
        stdout=subprocess.PIPE,
        check=True,
    )
    return Measured(**json.loads(done.stdout))


@contextmanager
def working(port: int) -> Iterator[int]:
    """The pid of a worker that has begun."""
    command = [sys.executable, "-m", "django", "chatitive", "worker"]
    with subprocess.Popen(command, env=environment(port)) as process:
        try:
            wait_until(Heartbeat.objects.exists)
            yield process.pid
        finally:
            process.terminate()


def wait_until(holds: Callable[[], object], *, seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.05)


def accepted() -> int:
    return Notification.objects.filter(status="accepted").count()


def peak(pid: int) -> int:
    """Bytes of memory that a process held at most at one time."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024
