"""What the layers above a worker have done at each of its sweeps."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import Error as DatabaseFailure

logger = logging.getLogger("chatitive_django")

_sweepers: list[Callable[[], int]] = []


def register(sweeper: Callable[[], int]) -> None:
    """Have a function called at each sweep; it gives the number of rows that it made due."""
    if sweeper not in _sweepers:
        _sweepers.append(sweeper)


def run() -> int:
    """Call them all; gives the number of rows that they made due. Raises what the database does."""
    return sum(_run(sweeper) for sweeper in _sweepers)


def _run(sweeper: Callable[[], int]) -> int:
    try:
        return sweeper()
    except DatabaseFailure:
        raise
    except Exception as error:  # noqa: BLE001 -- delivery goes on
        logger.error("%s failed (%s).", sweeper.__qualname__, type(error).__name__)
        return 0
