"""Payloads: from a declaration and a record to JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError

from .exceptions import InvalidEvent, PathError, Unbuildable
from .paths import Path


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is sent as it stands; a bare string would be a path."""

    value: Any


LEVELS = 25
"""So many dicts and lists may be within each other: MariaDB's JSON holds 32, the log's own too."""
_INTEGERS = range(-(2**63), 2**63)

Source: TypeAlias = "str | Path | Constant | Callable[[Any], Any]"


def evaluate(source: Source, instance: object) -> Any:
    """The value that a path, constant or callable gives for `instance`."""
    match source:
        case str():
            return Path(source).read(instance)
        case Path():
            return source.read(instance)
        case Constant():
            return source.value
        case _ if callable(source):
            return source(instance)
    raise TypeError(f"{source!r} is neither a path, a Constant nor a callable")


def paths_in(spec: Any) -> list[str]:
    """Every path that a declaration's value reads, nested ones too."""
    match spec:
        case str():
            return [spec]
        case Path():
            return [spec.path]
        case Mapping():
            return [path for value in spec.values() for path in paths_in(value)]
        case list() | tuple():
            return [path for value in spec for path in paths_in(value)]
    return []


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """Values by dotted keys as dicts within dicts; raises `InvalidEvent` where two keys clash."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        *outer, last = key.split(".")
        place = found
        for part in outer:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise InvalidEvent(f"Payload key {key!r} nests in a key that has a value.")
        if last in place:
            raise InvalidEvent(f"Payload key {key!r} nests other keys, and has a value too.")
        place[last] = value
    return found


def flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a payload by its dotted key: `{"a": {"b": [1]}}` has `a.b[0]`.

    An empty dict or list within is a value, and a key that holds a dot itself stands in quotes.
    """
    match value:
        case dict() if value or not key:
            for name, part in value.items():
                plain_name = name if re.fullmatch(r"[^.\[\]\"]+", name) else json.dumps(name)
                yield from flat(part, f"{key}.{plain_name}" if key else plain_name)
        case list() if value:
            for n, part in enumerate(value):
                yield from flat(part, f"{key}[{n}]")
        case _:
            yield key, value


def evaluate_as(what: str, source: Source, instance: object) -> Any:
    """`evaluate`, with whatever it raises told as `Unbuildable`.

    The text names the place and the error's class: an error's own text may hold a customer's data.
    A database error passes through, for the savepoint around it has to be rolled back.
    """
    try:
        return evaluate(source, instance)
    except (DatabaseError, Unbuildable):
        raise
    except PathError as error:
        reads = "".join(f" reads {path!r}, and" for path in paths_in(source)) or ":"
        raise Unbuildable("bad_path", f"{what}{reads} {error}") from None
    except Exception as error:
        raise Unbuildable("raised", f"{what} raised {type(error).__name__}.") from error


def build(spec: Mapping[str, Any], instance: object) -> dict[str, Any]:
    """The payload as plain JSON values; raises `Unbuildable` where it can't be made."""
    payload = {key: _built(value, instance, f'payload "{key}"') for key, value in spec.items()}
    _check_shape(payload, "payload")
    return payload


def _built(spec: Any, instance: object, what: str) -> Any:
    match spec:
        case Mapping():
            return {key: _built(value, instance, f"{what}.{key}") for key, value in spec.items()}
        case list() | tuple():
            return [_built(value, instance, f"{what}[{n}]") for n, value in enumerate(spec)]
    return plain(evaluate_as(what, spec, instance), what)


def parsed(text: str) -> Any:
    """What a JSON text stands for; raises `ValueError` where it is none that can be stored."""
    try:
        return plain(json.loads(text), "it")
    except (RecursionError, Unbuildable) as error:
        raise ValueError("It can't be stored.") from error


def plain(value: Any, what: str) -> Any:
    """`value` as JSON holds it, by `DjangoJSONEncoder`; raises `Unbuildable` where none does.

    PostgreSQL stores neither a NUL character nor half of a surrogate pair.
    """
    if value is None or type(value) is bool or (type(value) is int and value in _INTEGERS):
        return value
    if type(value) is str and value.isascii() and "\0" not in value:
        return value
    try:
        text = json.dumps(value, cls=DjangoJSONEncoder, allow_nan=False, ensure_ascii=False)
        text.encode()
        result = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        kind = type(value).__name__
        raise Unbuildable(
            "not_json",
            f"{what} is of type {kind}, which is no JSON value. Name one of its fields instead.",
        ) from None
    if "\\u0000" in text and _holds_nul(result):
        raise Unbuildable("not_json", f"{what} holds a NUL character, which can't be stored.")
    _check_shape(result, what)
    return result


def _check_shape(value: Any, what: str, levels: int = LEVELS) -> None:
    """Raise `Unbuildable` for too many levels, and for keys that JSON can't hold."""
    match value:
        case dict():
            for key in value:
                if not isinstance(key, str):
                    kind = type(key).__name__
                    raise Unbuildable("not_json", f"{what} has a key of type {kind}.")
                plain(key, f"a key of {what}")
            parts = list(value.values())
        case list():
            parts = value
        case _:
            return
    if not levels:
        raise Unbuildable("not_json", f"{what} nests deeper than {LEVELS} levels.")
    for part in parts:
        _check_shape(part, what, levels - 1)


def _holds_nul(value: Any) -> bool:
    match value:
        case str():
            return "\0" in value
        case dict():
            return any(_holds_nul(part) for item in value.items() for part in item)
        case list():
            return any(map(_holds_nul, value))
    return False
