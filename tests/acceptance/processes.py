"""Other processes on the test database, outside of Django's test environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

from django.db import connection

ROOT = Path(__file__).parents[2]

SECONDS_TO_END = 120.0
"""What a process, or what is waited for, may take on a busy machine; a test fails after it."""

PREAMBLE = """
import os, signal, sys, time
import django
django.setup()
from chatitive_django.models import Notification
from tests.desk.models import *
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def environment(*, api_url: str = "chatitive+http://SID:TOKEN@localhost:1/CHANNEL", **chatitive):
    """The environment in which `tests.settings` opens the database of the running test."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_NAME": str(connection.settings_dict["NAME"]),
        "PYTHONPATH": str(ROOT),
        "CHATITIVE_API_URL": api_url,
        "CHATITIVE_EXTRA": json.dumps(chatitive),
    }


def python(code: str, *args: object, **settings) -> subprocess.Popen[str]:
    """Start a process that runs `code` after `django.setup()`."""
    script = PREAMBLE + textwrap.dedent(code)
    return start([sys.executable, "-c", script, *map(str, args)], **settings)


def manage(*args: object, **settings) -> subprocess.Popen[str]:
    """Start a management command."""
    return start([sys.executable, "-m", "django", *map(str, args)], **settings)


def start(command: list[str], **settings) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env=environment(**settings),
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_until(holds: Callable[[], object], *, seconds: float = SECONDS_TO_END) -> None:
    """Wait for a condition; fails where it doesn't come to hold in time."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come to hold in time"
        time.sleep(0.02)
