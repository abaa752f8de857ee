"""The body of a notify call, read as strictly as its documentation allows."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import NoReturn

from chatitive_django.exceptions import ChatitiveError

from .assumptions import Assumption

LONGEST_NAME = 200
LONGEST_IDENTIFIER = 64
DEEPEST_PAYLOAD = 20
"""Levels of nesting; MariaDB stores JSON of at most 32."""

_PARAMETERS = {
    "event_name",
    "phone_number",
    "subscriber_sid",
    "allow_new",
    "subscribe_new",
    "payload",
}


class Refused(ChatitiveError):
    """A call that is not accepted; the text says what is wrong with it, and where."""

    def __init__(self, explanation: str, assumption: Assumption, http_status: int = 400) -> None:
        super().__init__(explanation)
        self.explanation = explanation
        self.assumption = assumption
        self.http_status = http_status


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyCall:
    """A notify call that can be processed: it has exactly one of the two identifiers."""

    event_name: str
    phone_number: str | None
    subscriber_sid: str | None
    allow_new: bool
    subscribe_new: bool
    payload: dict[str, object]
    unknown: tuple[str, ...]


def read_call(body: bytes) -> NotifyCall:
    """Read the body of a notify call, or raise `Refused`."""
    given = _read_json(body)
    phone_number = _identifier(given, "phone_number")
    subscriber_sid = _identifier(given, "subscriber_sid")
    if phone_number is None and subscriber_sid is None:
        raise Refused(
            "Neither phone_number nor subscriber_sid is given; one of them is required.",
            Assumption.NO_IDENTIFIER,
        )
    if phone_number is not None and subscriber_sid is not None:
        raise Refused(
            "phone_number and subscriber_sid are both given; send one of them.",
            Assumption.BOTH_IDENTIFIERS,
        )
    allow_new, subscribe_new = _flag(given, "allow_new"), _flag(given, "subscribe_new")
    if subscribe_new and not allow_new:
        raise Refused(
            "subscribe_new is true and allow_new is not; a new subscriber has to be allowed first.",
            Assumption.SUBSCRIBE_NEW_ALONE,
        )
    return NotifyCall(
        event_name=_event_name(given),
        phone_number=phone_number,
        subscriber_sid=subscriber_sid,
        allow_new=allow_new,
        subscribe_new=subscribe_new,
        payload=_payload(given),
        unknown=tuple(sorted(given.keys() - _PARAMETERS)),
    )


def _malformed(explanation: str) -> NoReturn:
    raise Refused(explanation, Assumption.MALFORMED)


def _read_json(body: bytes) -> dict[str, object]:
    try:
        given = json.loads(body.decode())
    except ValueError as error:
        _malformed(f"The body is no JSON in UTF-8: {error}.")
    except RecursionError:
        raise Refused("The body is nested too deeply.", Assumption.TOO_LARGE) from None
    if not isinstance(given, dict):
        _malformed(f"The body must be a dictionary, not {_kind(given)}.")
    _refuse_unstorable(given)
    return given


def _refuse_unstorable(given: dict[str, object]) -> None:
    """Refuse what Python's parser lets through and a database, or RFC 8259, does not."""
    queue: list[tuple[object, int]] = [(given, 0)]
    while queue:
        value, depth = queue.pop()
        if depth > DEEPEST_PAYLOAD:
            raise Refused(
                f"The body is nested deeper than {DEEPEST_PAYLOAD} levels.", Assumption.TOO_LARGE
            )
        if isinstance(value, dict):
            queue += [(part, depth + 1) for item in value.items() for part in item]
        elif isinstance(value, list):
            queue += [(part, depth + 1) for part in value]
        elif isinstance(value, float) and not math.isfinite(value):
            _malformed("The body holds a number that JSON does not have, such as NaN.")
        elif isinstance(value, str) and not _is_text(value):
            _malformed("A text in the body holds a NUL or half of a surrogate pair.")


def _is_text(value: str) -> bool:
    return "\x00" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _event_name(given: dict[str, object]) -> str:
    if "event_name" not in given:
        _malformed("event_name is missing.")
    return _word(given, "event_name", LONGEST_NAME)


def _identifier(given: dict[str, object], name: str) -> str | None:
    return _word(given, name, LONGEST_IDENTIFIER) if name in given else None


def _word(given: dict[str, object], name: str, longest: int) -> str:
    value = given[name]
    if not isinstance(value, str):
        _malformed(f"{name} must be text, not {_kind(value)}.")
    if not value.strip() or not value.isprintable():
        _malformed(f"{name} is empty or holds characters that can't be seen.")
    if len(value) > longest:
        raise Refused(f"{name} is longer than {longest} characters.", Assumption.TOO_LARGE)
    return value


def _flag(given: dict[str, object], name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        _malformed(f"{name} must be true or false, not {_kind(value)}.")
    return value


def _payload(given: dict[str, object]) -> dict[str, object]:
    value = given.get("payload", {})
    if not isinstance(value, dict):
        _malformed(f"payload must be a dictionary, not {_kind(value)}.")
    return value


def _kind(value: object) -> str:
    kinds = {bool: "true or false", str: "text", list: "a list", dict: "a dictionary"}
    return "null" if value is None else kinds.get(type(value), "a number")
