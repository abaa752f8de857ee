"""What to do after an attempt: the decision as a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from .conf import RETRY
from .outcomes import Outcome, Result

FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(minutes=30)
SERVER_ERRORS_BEFORE_UNKNOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The status a notification takes, and for `pending` how long it waits.

    `slows` is how long the whole channel waits. Where it is the channel that failed, and not the
    message, the attempt doesn't count.
    """

    status: str
    delay: timedelta = timedelta(0)
    slows: timedelta | None = None
    counts: bool = True


def decide(
    result: Result,
    *,
    attempts: int,
    server_errors: int,
    on_ambiguous: str,
    by_person: bool,
    channel_broken: bool,
    jitter: float,
) -> Decision:
    """What an attempt's result means for its notification.

    `attempts` counts this one, and `server_errors` those that were answered 500, where it is one of
    them; `jitter` lies in [0, 1). An attempt that a person asked for does
    not start the automatic schedule again: what would be retried ends as expired.
    """
    first_wait = backoff(1, retry_after=result.retry_after, jitter=jitter)
    match result.outcome:
        case Outcome.CONFIGURATION:
            return Decision(status="pending", delay=first_wait, counts=False)
        case Outcome.TURNED_AWAY if result.http_status == 429:
            return Decision(status="pending", delay=first_wait, slows=first_wait, counts=False)
        case Outcome.REJECTED | Outcome.NOT_ARRIVED if channel_broken:
            return Decision(status="pending", delay=first_wait, counts=False)
        case Outcome.ACCEPTED:
            return Decision(status="accepted")
        case Outcome.REJECTED:
            return Decision(status="rejected")
        case Outcome.NOT_SENT:
            return Decision(status="skipped")
        case Outcome.MAY_HAVE_ARRIVED if on_ambiguous != RETRY:
            return Decision(status="unknown")
        case Outcome.TURNED_AWAY if server_errors >= SERVER_ERRORS_BEFORE_UNKNOWN:
            return Decision(status="unknown")
    if by_person:
        ambiguous = result.outcome is Outcome.MAY_HAVE_ARRIVED
        return Decision(status="unknown" if ambiguous else "expired")
    delay = backoff(attempts, retry_after=result.retry_after, jitter=jitter)
    return Decision(status="pending", delay=delay)


def backoff(attempts: int, *, retry_after: float | None, jitter: float) -> timedelta:
    """The wait before the next attempt: exponential to a cap, jittered, at least `Retry-After`.

    The jitter stays below the cap too: `uniform(0.5, 1) × min(30 min, 5 s × 3^(n-1))`.
    """
    growth: timedelta = FIRST_DELAY * 3 ** min(attempts - 1, 10)
    wait = min(LONGEST_DELAY, growth) * (0.5 + jitter / 2)
    return max(wait, timedelta(seconds=retry_after or 0))
