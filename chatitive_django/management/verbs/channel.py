"""`pause` and `resume`."""

from __future__ import annotations

import argparse

from ... import channels
from ...models import Channel, Notification, log_alias
from .base import Output, Verb, fitting, known_channel


def _waiting(alias: str) -> int:
    rows = Notification.objects.using(log_alias())
    return rows.filter(channel=alias, status=Notification.Status.PENDING).count()


def _pause_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("channel", metavar="CHANNEL")
    parser.add_argument(
        "--reason",
        type=fitting(Channel.pause_reason.field),
        default="",
        metavar="R",
        help="for those who see the pause",
    )


def _pause(out: Output, *, channel: str, reason: str) -> int:
    if channels.pause(known_channel(channel), reason=reason):
        out.write(f"Channel {channel} is paused. {_waiting(channel)} messages wait.")
    else:
        out.write(f"Channel {channel} was paused already.")
    return 0


def _resume_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("channel", metavar="CHANNEL")


def _resume(out: Output, *, channel: str) -> int:
    if channels.resume(known_channel(channel)):
        out.write(f"Channel {channel} goes on. {_waiting(channel)} messages are waiting.")
    else:
        out.write(f"Channel {channel} wasn't held up.")
    return 0


PAUSE = Verb(
    name="pause",
    help="Have a channel's messages wait; none is lost, and none grows old meanwhile.",
    add_arguments=_pause_arguments,
    run=_pause,
)
RESUME = Verb(
    name="resume",
    help="End a channel's pause and any wait that was asked for; try a broken one at once.",
    add_arguments=_resume_arguments,
    run=_resume,
)
