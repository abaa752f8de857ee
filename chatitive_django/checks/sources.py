"""Of what an event reads: its payload, its subscriber, its conditions, and the paths for rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.checks import CheckMessage
from django.db.models import Model

from ..events import Event
from ..paths import Path
from ..payloads import Constant, paths_in
from ..walking import NO_PATH, walk
from .messages import Place

_SECRET = re.compile(
    r"""^ (?!has_|is_|had_) (.*_)?
    ( password | passwd | passphrase | secret | token | credential | api_?key | cvv | cvc | ssn
    | (access|private|secret|session|signing|encryption)_key )
    s? ( _(hash|digest|value) )? $""",
    re.VERBOSE,
)
_INNER_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def check_sources(model: type[Model], event: Event, place: Place) -> Iterator[CheckMessage]:
    """What an event reads to be built and to be held back.

    E008: a path leads nowhere, or to what is no JSON value; E019: a value is none that a payload
    takes; W002: the path or watched field looks like a secret; I001: the path costs a query.
    """
    sources = {f"payload {key!r}": value for key, value in (event.payload or {}).items()}
    for name in ("phone_number", "subscriber_sid"):
        if (identifier := getattr(event, name)) is not None:
            sources[name] = identifier
    for what, source in sources.items():
        for value in _unknown_values(source):
            yield place.finding(
                "E019",
                f"{what} holds {value!r}, which is no path, Constant or callable. "
                f"Write Constant({value!r}).",
            )
        for path in paths_in(source):
            yield from check_path(model, what, path, place, as_json=True)
    for condition in event.conditions:
        yield from check_path(model, "only_if", condition.path, place)
    for trigger in event.triggers:
        watched = str(getattr(trigger, "field", ""))
        yield from _check_secret(f"{type(trigger).__name__} watches", watched, place)


def check_path(
    model: type[Model],
    what: str,
    path: Any,
    place: Place,
    *,
    as_json: bool = False,
    number: str = "E008",
) -> Iterator[CheckMessage]:
    """One path from a model, whose value has to be JSON or may be a record."""
    reads = f"{what} reads"
    if not isinstance(path, str):
        yield place.finding(number, f"{reads} {path!r}, and {NO_PATH}")
        return
    found = walk(model, path)
    if problem := found.problem or (found.no_json if as_json else ""):
        yield place.finding(number, f"{reads} {path!r}, and {problem}")
    elif found.hop:
        yield place.finding(
            "I001",
            f"{reads} {path!r}, and {found.hop!r} can't be read along with the record: it may "
            "cost a query for each notification.",
            hint="Nothing is to be done where that is meant.",
        )
    yield from _check_secret(reads, path, place)


def _check_secret(reads: str, path: str, place: Place) -> Iterator[CheckMessage]:
    if looks_secret(path):
        yield place.finding(
            "W002",
            f"{reads} {path!r}, which looks like a secret: the log keeps what is read, and staff "
            "can see it.",
            hint=(
                "Leave it out, or rename it where it is none. Where it is meant, add "
                '"chatitive_django.W002" to SILENCED_SYSTEM_CHECKS.'
            ),
        )


def looks_secret(path: str) -> bool:
    """Whether a name in a path ends as the names of secrets do; "token_count" doesn't."""
    return any(
        _SECRET.search(_INNER_CAPITAL.sub("_", part).lower()) is not None
        for part in path.split(".")
    )


def _unknown_values(source: Any) -> Iterator[Any]:
    """The values within a payload that are of no kind it takes."""
    match source:
        case str() | Path() | Constant():
            return
        case Mapping():
            for value in source.values():
                yield from _unknown_values(value)
        case list() | tuple():
            for value in source:
                yield from _unknown_values(value)
        case _ if not callable(source):
            yield source
