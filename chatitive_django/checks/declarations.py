"""Of what models declare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.db.models import Model

from .. import conf, registry
from ..events import Event
from ..models import log_alias
from .messages import Place
from .sources import check_path, check_sources
from .triggers import check_triggers

Apps = Sequence[AppConfig] | None


def check_shapes(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E014: `chatitive_events` is no list of events."""
    classes = dict.fromkeys(cls for model in apps.get_models() for cls in model.__mro__)
    return [message for cls in classes for message in _check_shape(cls)]


def check_declarations(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E010: two events have one key. What is wrong with a single event, its own checks tell."""
    found: list[CheckMessage] = []
    places: dict[str, registry.Declared] = {}
    for model in _models():
        for declared in registry.declarations(model):
            if declared.owner is not model:
                continue
            place = Place(declared.where, declared.model)
            found.extend(_check_event(declared, place))
            found.extend(check_triggers(declared, place))
            found.extend(check_sources(declared.model, declared.event, place))
            if other := places.get(declared.key):
                found.append(
                    place.finding(
                        "E010",
                        f"its key {declared.key!r} is that of {other.where} too: "
                        "give one of them a key of its own.",
                    )
                )
            places[declared.key] = declared
    return found


def check_rule_fields(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E015: what `chatitive_fields` offers for rules is no path of the model."""
    return [
        message
        for model in _models()
        for paths, owner, where in _rule_fields(model)
        for message in _check_paths(paths, owner, where)
    ]


def _models() -> list[type[Model]]:
    """The concrete models whose declarations can be read; E014 tells of the others."""
    return [
        model
        for model in apps.get_models()
        if registry.concrete(model) is model
        and not any(True for cls in _family(model) for _ in _check_shape(cls))
    ]


def _family(model: type[Model]) -> list[type]:
    """The classes whose declarations add up for a concrete model's rows."""
    return [*model.__mro__, *registry._proxies(model)]


def _check_shape(cls: type) -> Iterator[CheckMessage]:
    events = vars(cls).get("chatitive_events")
    if events is None:
        return
    name = f"{cls.__name__}.chatitive_events"
    if not isinstance(events, (list, tuple)):
        kind = type(events).__name__
        yield Place(name, cls).finding(
            "E014", f"it must be a list of events, [Event(...)], and it is of type {kind}."
        )
        return
    for n, event in enumerate(events):
        if not isinstance(event, Event):
            yield Place(f"{name}[{n}]", cls).finding("E014", f"{event!r} is no Event.")


def _check_event(declared: registry.Declared, place: Place) -> Iterator[CheckMessage]:
    """An event by itself, and against the settings.

    E006: it contradicts itself; W003: its name begins or ends with blanks; E009: its channel is
    none; E011: its model is written to another database than the log.
    """
    event = declared.event
    for problem in event.problems():
        yield place.finding("E006", problem)
    if event.name != event.name.strip():
        yield place.finding(
            "W003",
            f"its name {event.name!r} begins or ends with blanks, so a workflow that listens for "
            f"{event.name.strip()!r} never hears of it.",
        )
    try:
        channels = list(conf.settings.API_URLS)
    except ImproperlyConfigured:
        channels = []  # check_settings tells
    if channels and event.channel not in channels:
        hint = conf.did_you_mean(str(event.channel), channels)
        yield place.finding(
            "E009", f'{event.channel!r} is no channel of CHATITIVE["API_URLS"]. {hint}'
        )
    if router.db_for_write(declared.owner) != log_alias():
        yield place.finding(
            "E011",
            f"{declared.owner.__name__} is written to another database than the log, so an event "
            "can't be recorded with its change. Route both to the same database.",
        )


def _rule_fields(model: type[Model]) -> Iterator[tuple[Any, type[Model], str]]:
    """The paths for rules that speak of a concrete model's rows, and where they are declared."""
    for cls in _family(model):
        own = vars(cls).get("chatitive_fields") or ()
        _, registered = registry._registered.get(cls, ([], []))
        if not own and not registered:
            continue
        owner = registry._home(model, cls)
        if registry.concrete(owner) is model:
            yield own, owner, f"{cls.__name__}.chatitive_fields"
            yield registered, owner, f"register({cls.__name__}, fields=[...])"


def _check_paths(paths: Any, model: type[Model], where: str) -> Iterator[CheckMessage]:
    if not isinstance(paths, (list, tuple, set, frozenset)):
        kind = type(paths).__name__
        yield Place(where, model).finding(
            "E015", f'it must be a list of paths, ["agent.name"], and it is of type {kind}.'
        )
        return
    for n, path in enumerate(paths):
        if isinstance(path, str) and registry.relation_named(registry.concrete(model), path):
            continue  # offered to be watched, whatever can be read of it
        yield from check_path(model, "it", path, Place(f"{where}[{n}]", model), number="E015")
