"""Timing of several things in turn, so that a machine whose speed drifts is no matter."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable


def medians(
    contestants: dict[str, Callable[[], object]], *, rounds: int, warmup: int
) -> dict[str, float]:
    """The median seconds of each contestant over rounds in which each runs once."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(warmup + rounds):
        for name, run in contestants.items():
            gc.disable()
            began = time.perf_counter()
            run()
            took = time.perf_counter() - began
            gc.enable()
            if number >= warmup:
                times[name].append(took)
    return {name: statistics.median(each) for name, each in times.items()}
