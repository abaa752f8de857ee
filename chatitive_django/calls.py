"""What the latest calls tell of each channel: how long they took, and why some failed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from .models import Attempt, log_alias
from .outcomes import Outcome

LATEST = 1000
"""The calls that are looked at, of all channels together."""


@dataclass(slots=True)
class Calls:
    """The latest calls of one channel; `failures` counts them by reason code."""

    total: int = 0
    durations: list[int] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def median_ms(self) -> int | None:
        """How long an accepted call takes, in milliseconds; `None` where none was accepted."""
        return round(median(self.durations)) if self.durations else None


def latest() -> Mapping[str, Calls]:
    """The latest calls by channel; a channel without one has none here."""
    found: defaultdict[str, Calls] = defaultdict(Calls)
    attempts = Attempt.objects.using(log_alias()).order_by("-pk")
    rows = attempts.values_list("notification__channel", "outcome", "reason", "duration_ms")
    for channel, outcome, reason, duration in rows[:LATEST]:
        calls = found[channel]
        calls.total += 1
        if outcome != Outcome.ACCEPTED:
            calls.failures[reason or outcome] += 1
        elif duration is not None:
            calls.durations.append(duration)
    return found


def median_of_all() -> float | None:
    """How long an accepted call takes on any channel, in milliseconds."""
    durations = [each for calls in latest().values() for each in calls.durations]
    return median(durations) if durations else None
