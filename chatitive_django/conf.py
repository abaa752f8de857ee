"""The keys of `settings.CHATITIVE`, read when they are needed and checked when they are read."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Generic, TypeVar, overload

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver

from .exceptions import ChatitiveError

try:
    from phonenumbers import SUPPORTED_REGIONS as _REGIONS
except ImportError:  # without the `phone` extra nobody knows them
    _REGIONS = set()

T = TypeVar("T")

HOLD, RETRY = "hold", "retry"

LONGEST_SPAN = timedelta(days=36525)
"""A century: what is added to a date beyond that may leave what a database can hold."""

_ALIAS = re.compile(r"[A-Za-z0-9_-]{1,64}")


class InvalidSetting(ChatitiveError, ImproperlyConfigured):
    """A key of `settings.CHATITIVE` that can't be used; the text never holds a channel's URL."""


def did_you_mean(word: str, known: list[str]) -> str:
    """A closing hint that names the nearest known word, or all of them where none is near."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known are: {', '.join(known)}."


class Key(Generic[T]):
    """One key: its default, and how its value is read."""

    def __init__(self, default: object, parse: Callable[[object], T]) -> None:
        self.default = default
        self.parse = parse

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Key[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Key[T] | T:
        if instance is None:
            return self
        try:
            return self.parse(configured().get(self.name, self.default))
        except ValueError as error:
            raise InvalidSetting(f"CHATITIVE[{self.name!r}] {error}") from None


def _urls(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(
        isinstance(part, str) for item in value.items() for part in item
    ):
        raise ValueError(
            'must be a dict of channel alias → URL, such as {"default": env("CHATITIVE_API_URL")}.'
        )
    if not all(_ALIAS.fullmatch(alias) for alias in value):
        raise ValueError(
            "has an alias that is no name of up to 64 letters, digits, hyphens and underscores. "
            'The alias comes first: {"default": env("CHATITIVE_API_URL")}.'
        )
    return dict(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"must be a name, and it is {value!r}.")
    return value


def _region(value: object) -> str:
    region = _text(value)
    if not (region in _REGIONS if _REGIONS else re.fullmatch("[A-Z]{2}", region)):
        raise ValueError(
            f'must be the two capital letters of a country, such as "US" or "GB", not {value!r}.'
        )
    return region


def _duration(value: object) -> timedelta:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9:
        value = timedelta(seconds=value)
    if not isinstance(value, timedelta) or not timedelta(0) < value <= LONGEST_SPAN:
        raise ValueError(
            "must be a positive number of seconds or a timedelta, a century at most, "
            f"not {value!r}."
        )
    return value


def _seconds(value: object) -> float:
    return _duration(value).total_seconds()


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"must be a whole number from 1, and it is {value!r}.")
    return value


def _on_ambiguous(value: object) -> str:
    if value not in (HOLD, RETRY):
        raise ValueError(f'must be "{HOLD}" or "{RETRY}", and it is {value!r}.')
    return value


def _numbers(value: object) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(each, str) and each.strip() for each in value
    ):
        raise ValueError('must be a list of phone numbers, such as ["206-555-0100"].')
    return list(value)


def _bearer_token(value: object) -> str:
    if not isinstance(value, str) or not value.isascii() or " " in value:
        raise ValueError("must be a text of ASCII characters without blanks.")
    return value


class Settings:
    """Each attribute is a key; to read one that is wrong raises `InvalidSetting`."""

    API_URLS = Key({}, _urls)
    DISPATCHER = Key("embedded", _text)
    CONCURRENCY = Key(8, _count)
    CONNECT_TIMEOUT = Key(5, _seconds)
    CALL_TIMEOUT = Key(30, _seconds)
    LEASE = Key(120, _duration)
    POLL_INTERVAL = Key(1, _seconds)
    SWEEP_INTERVAL = Key(15, _seconds)
    PROBE_INTERVAL = Key(30, _duration)
    EXPIRES_AFTER = Key(timedelta(hours=24), _duration)
    ON_AMBIGUOUS = Key(HOLD, _on_ambiguous)
    RETENTION = Key(timedelta(days=30), _duration)
    RULES_REFRESH = Key(5, _seconds)
    PHONE_REGION = Key("US", _region)
    # Django's error pages mask settings by their names: with API or TOKEN in it neither is shown.
    API_TEST_NUMBERS = Key([], _numbers)
    MONITOR_TOKEN = Key("", _bearer_token)


KEYS = [name for name, value in vars(Settings).items() if isinstance(value, Key)]
settings = Settings()


class _Overrides:
    """Counts the tests that are inside an `override_settings(CHATITIVE=...)`."""

    depth = 0


@receiver(setting_changed)
def _note_override(*, setting: str, enter: bool, **kwargs: object) -> None:
    if setting == "CHATITIVE":
        _Overrides.depth += 1 if enter else -1


def in_test_environment() -> bool:
    """Whether Django's test environment is set up, by the mark that it leaves itself.

    `django.core.mail.outbox` is no such mark: the locmem mail backend sets it in development too.
    """
    utils = sys.modules.get("django.test.utils")
    return utils is not None and hasattr(utils._TestState, "saved_data")


def configured() -> Mapping[str, Any]:
    """`settings.CHATITIVE`, made harmless while tests run but for what a test overrides."""
    value: object = getattr(django_settings, "CHATITIVE", {})
    if not isinstance(value, Mapping):
        raise InvalidSetting(f"CHATITIVE must be a dict, and it is a {type(value).__name__}.")
    if not in_test_environment():
        return value
    if _Overrides.depth:
        return {"DISPATCHER": "immediate", **value}
    aliases = value.get("API_URLS") or {"default": ""}
    return {**value, "API_URLS": dict.fromkeys(aliases, "locmem://"), "DISPATCHER": "immediate"}


def problems() -> list[str]:
    """What is wrong with `settings.CHATITIVE`, a sentence each."""
    try:
        given = list(configured())
    except InvalidSetting as error:
        return [str(error)]
    found = [
        f"CHATITIVE[{name!r}] is no setting. {did_you_mean(str(name), KEYS)}"
        for name in given
        if name not in KEYS
    ]
    for name in KEYS:
        try:
            getattr(settings, name)
        except InvalidSetting as error:
            found.append(str(error))
    return found
