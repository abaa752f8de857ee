"""Sets Django up when it is imported, and lends a benchmark a test database."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")

import django

django.setup()

from django.conf import settings
from django.test.utils import get_runner


def run(main: Callable[[], int]) -> NoReturn:
    """End the process with what `main` returns, called on a new and migrated database."""
    runner = get_runner(settings)(verbosity=0, interactive=False)
    old = runner.setup_databases()
    try:
        code = main()
    finally:
        runner.teardown_databases(old)
    sys.exit(code)
