"""What a verb is, and the types of its arguments."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Protocol

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from ...conf import did_you_mean, settings

FINDING, MISUSE = 1, 2

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Output(Protocol):
    """Where a verb writes: Django's wrapper, which ends each line."""

    def write(self, msg: str) -> None: ...
    def flush(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One verb of `manage.py chatitive`.

    `run` is called with `out` and the arguments by name; it gives the exit code, and raises
    `CommandError` for misuse. One that needs a sound project runs only where Django's system checks
    find no error.
    """

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[..., int]
    needs_sound_project: bool = True


def identifier(text: str) -> str:
    """A phone number or SID, for argparse."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is blank, so it names nobody")
    return text


def positive(text: str) -> int:
    """A whole number from 1, for argparse."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return number


def seconds(text: str) -> float:
    """A number of seconds from 0, for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return number


def duration(text: str) -> timedelta:
    """A span of time such as 90m, 12h or 30d, for argparse; a bare number is seconds."""
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no span of time such as 90m, 12h or 30d")
    return timedelta(**{_UNITS[found[2] or "s"]: int(found[1])})


def since(text: str) -> datetime:
    """A moment: an ISO date or time, or a span of time before now, for argparse."""
    try:
        return timezone.now() - duration(text)
    except argparse.ArgumentTypeError:
        moment = _moment(text)
    if moment is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a time such as 2026-03-31T18:00 nor a span such as 90m or 12h"
        )
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def _moment(text: str) -> datetime | None:
    try:
        day = parse_date(text)
        return datetime.combine(day, time.min) if day else parse_datetime(text)
    except ValueError:  # well written, and no day that there is
        return None


def known_channel(alias: str) -> str:
    """A channel of the settings; raises `CommandError`, which says what was meant."""
    known = list(settings.API_URLS)
    if alias not in known:
        raise CommandError(
            f"{alias!r} is no channel. {did_you_mean(alias, known)}", returncode=MISUSE
        )
    return alias
