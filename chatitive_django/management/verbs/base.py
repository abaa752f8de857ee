"""What a verb is, and the types of its arguments."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Protocol

from django.conf import settings as django_settings
from django.core.management.base import CommandError
from django.db.models import Field
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from ...conf import LONGEST_SPAN, did_you_mean, settings

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
    if re.fullmatch(r"[1-9]\d{0,5}", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 999,999")
    return int(text)


def fitting(field: Field[Any, Any]) -> Callable[[str], str]:
    """A text that a column can hold, for argparse."""

    def text_that_fits(text: str) -> str:
        if field.max_length is not None and len(text) > field.max_length:
            raise argparse.ArgumentTypeError(
                f"it has {len(text)} characters, and may have {field.max_length}"
            )
        return text

    return text_that_fits


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
    span = timedelta(**{_UNITS[found[2] or "s"]: int(found[1])}) if found else None
    if span is None or span > LONGEST_SPAN:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no span of time of up to 100 years, such as 90m, 12h or 30d"
        )
    return span


def since(text: str) -> datetime:
    """A moment: an ISO date or time, or a span of time before now, for argparse."""
    now = timezone.now()
    try:
        return now - duration(text)
    except argparse.ArgumentTypeError:
        moment = _moment(text)
    if moment is None or abs(now - moment) > LONGEST_SPAN:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a time such as 2026-03-31T18:00 nor a span such as 90m or 12h, "
            "within 100 years"
        )
    return moment


def _moment(text: str) -> datetime | None:
    """The moment as the database is asked for it: with a zone only under USE_TZ."""
    try:
        day = parse_date(text)
        moment = datetime.combine(day, time.min) if day else parse_datetime(text)
        if moment is None or timezone.is_aware(moment) == django_settings.USE_TZ:
            return moment
        convert = timezone.make_aware if django_settings.USE_TZ else timezone.make_naive
        return convert(moment)
    except (ValueError, OverflowError):  # well written, and no day that there is
        return None


def known_channel(alias: str) -> str:
    """A channel of the settings; raises `CommandError`, which says what was meant."""
    known = list(settings.API_URLS)
    if alias not in known:
        raise CommandError(
            f"{alias!r} is no channel. {did_you_mean(alias, known)}", returncode=MISUSE
        )
    return alias
