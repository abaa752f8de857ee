from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from django.conf import settings

from tests.acceptance.nursery import Nursery

FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def nursery(django_db_setup):
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
def tell(request):
    """Have a storm's figures printed at the end of the run, and kept where STORM_FIGURES says."""

    def tell(figures):
        line = json.dumps({"storm": request.node.name, "database": settings.VENDOR, **figures})
        request.config.stash.setdefault(FIGURES, []).append(line)
        if directory := os.environ.get("STORM_FIGURES"):
            with (Path(directory) / f"{settings.VENDOR}.jsonl").open("a") as file:
                file.write(line + "\n")

    return tell


def pytest_terminal_summary(terminalreporter, config):
    if lines := config.stash.get(FIGURES, []):
        terminalreporter.section("storms")
        terminalreporter.write_line("\n".join(lines))
