"""`prune` and `scrub`."""

from __future__ import annotations

import argparse
from datetime import timedelta

from ...conf import settings
from ...retention import prune, scrub
from .base import FINDING, Output, Verb, duration, identifier


def _prune_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--older-than",
        type=duration,
        metavar="D",
        help="such as 90m, 12h or 30d (default: the setting RETENTION)",
    )


def _prune(out: Output, *, older_than: timedelta | None) -> int:
    deleted = prune(settings.RETENTION if older_than is None else older_than)
    out.write(f"{deleted} notifications were deleted.")
    return 0


def _scrub_arguments(parser: argparse.ArgumentParser) -> None:
    person = parser.add_mutually_exclusive_group(required=True)
    person.add_argument("--phone-number", type=identifier, metavar="N", help="in any spelling")
    person.add_argument("--subscriber-sid", type=identifier, metavar="S")


def _scrub(out: Output, *, phone_number: str | None, subscriber_sid: str | None) -> int:
    done = scrub(phone_number=phone_number, subscriber_sid=subscriber_sid)
    out.write(f"{done.rows} notifications were scrubbed; {done.cancelled} of them were cancelled.")
    if done.left:
        out.write(f"{done.left} are being sent at this moment: run it again in a minute.")
        return FINDING
    return 0


PRUNE = Verb(
    name="prune",
    help="Delete settled notifications by age; what is unsettled or in doubt stays.",
    add_arguments=_prune_arguments,
    run=_prune,
)
SCRUB = Verb(
    name="scrub",
    help="Take one person out of the log; what waits to be sent to them is cancelled.",
    add_arguments=_scrub_arguments,
    run=_scrub,
)
