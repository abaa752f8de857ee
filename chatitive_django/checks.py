"""What Django's system checks say of settings and declarations, before anything is lost."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings as django_settings
from django.core import checks
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import connections, router
from django.db.models import ForeignObjectRel, Model

from . import conf, registry
from .backends import make_backend
from .capture.saving import SAVE_TABLE_PARAMETERS
from .dbtime import becomes_writer_late
from .dispatch import get_dispatcher
from .events import Changed
from .models import log_alias
from .paths import suggestion
from .payloads import paths_in

Messages = list[checks.CheckMessage]
Apps = Sequence[AppConfig] | None


def register_all() -> None:
    for check in (check_settings, check_channels, check_django, check_sqlite, check_declarations):
        checks.register(check, "chatitive_django")


def check_settings(app_configs: Apps, **kwargs: Any) -> Messages:
    """E001: a key of CHATITIVE is unknown or wrong; E002: the lease is too short for a call."""
    found: Messages = [checks.Error(text, id="chatitive_django.E001") for text in conf.problems()]
    if not found:
        try:
            get_dispatcher()
        except ImproperlyConfigured as error:
            found.append(checks.Error(str(error), id="chatitive_django.E001"))
        if conf.settings.LEASE.total_seconds() < 2 * conf.settings.CALL_TIMEOUT:
            found.append(
                checks.Error(
                    'CHATITIVE["LEASE"] is less than twice CHATITIVE["CALL_TIMEOUT"].',
                    hint="A slow call would lose its lease while it still runs.",
                    id="chatitive_django.E002",
                )
            )
    return found


def check_channels(app_configs: Apps, **kwargs: Any) -> Messages:
    """E003: a channel's URL can't be used; E004: with DEBUG off a channel sends nothing."""
    try:
        urls = conf.settings.API_URLS
    except ImproperlyConfigured:
        return []  # check_settings tells
    if not urls:
        return [
            checks.Error(
                'CHATITIVE["API_URLS"] names no channel.',
                hint='Set CHATITIVE = {"API_URLS": {"default": env("CHATITIVE_API_URL")}}.',
                id="chatitive_django.E003",
            )
        ]
    found: Messages = []
    for alias, url in urls.items():
        try:
            backend = make_backend(alias, url)
        except ImproperlyConfigured as error:
            found.append(checks.Error(str(error), id="chatitive_django.E003"))
            continue
        if not (backend.reaches_phones or django_settings.DEBUG or conf.in_test_environment()):
            found.append(
                checks.Error(
                    f'CHATITIVE["API_URLS"][{alias!r}] sends nothing, and DEBUG is off.',
                    hint="Give it the chatitive:// URL of the channel.",
                    id="chatitive_django.E004",
                )
            )
        backend.close()
    return found


def check_django(app_configs: Apps, **kwargs: Any) -> Messages:
    """E005: this Django writes models in a way that capture doesn't know."""
    parameters = tuple(inspect.signature(Model._save_table).parameters)  # type: ignore[attr-defined]
    if parameters == SAVE_TABLE_PARAMETERS:
        return []
    return [
        checks.Error(
            "Model._save_table of this Django has other parameters than capture stands in for.",
            hint="Use a Django version that this release of chatitive-django names as supported.",
            id="chatitive_django.E005",
        )
    ]


def check_sqlite(app_configs: Apps, **kwargs: Any) -> Messages:
    """W001: on SQLite, concurrent writers fail at once unless transactions begin IMMEDIATE."""
    connection: Any = connections[log_alias()]
    try:
        immediate = conf.settings.DISPATCHER == "immediate"
    except ImproperlyConfigured:
        return []  # check_settings tells
    if immediate or not becomes_writer_late(connection) or connection.is_in_memory_db():
        return []
    return [
        checks.Warning(
            f"DATABASES[{connection.alias!r}] is SQLite and begins its transactions as readers.",
            hint=(
                'Set "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20}: a save and the '
                'worker at the same moment otherwise fail with "database is locked".'
            ),
            id="chatitive_django.W001",
        )
    ]


def check_declarations(app_configs: Apps, **kwargs: Any) -> Messages:
    """E006 to E011: what a model declares can't work."""
    models = [model for model in apps.get_models() if registry.concrete(model) is model]
    found: Messages = []
    places: dict[str, registry.Declared] = {}
    for model in models:
        for declared in registry.declarations(model):
            if declared.owner is not model:
                continue
            found.extend(_check_declared(declared))
            if other := places.get(declared.key):
                found.append(
                    _error(
                        declared,
                        f"its key {declared.key!r} is that of {other.where} too: "
                        "give one of them a key of its own.",
                        "E010",
                    )
                )
            places[declared.key] = declared
    return found


def _check_declared(declared: registry.Declared) -> Iterator[checks.CheckMessage]:
    event, model = declared.event, declared.model
    for problem in event.problems():
        yield _error(declared, problem, "E006")
    for trigger in event.triggers:
        if isinstance(trigger, Changed) and registry.field_named(model, trigger.field) is None:
            hint = suggestion(model, trigger.field)
            yield _error(
                declared,
                f"{trigger.field!r} is no stored field of {model.__name__}. {hint}".rstrip(),
                "E007",
            )
    sources = {
        "phone_number": event.phone_number,
        "subscriber_sid": event.subscriber_sid,
        "only_if": [condition.path for condition in event.conditions],
        **{f"payload {key!r}": value for key, value in (event.payload or {}).items()},
    }
    for what, source in sources.items():
        for path in paths_in(source):
            if problem := path_problem(model, path):
                yield _error(declared, f"{what} reads {path!r}, and {problem}", "E008")
    try:
        channels = list(conf.settings.API_URLS)
    except ImproperlyConfigured:
        channels = []  # check_settings tells
    if channels and event.channel not in channels:
        hint = conf.did_you_mean(event.channel, channels)
        yield _error(
            declared, f'{event.channel!r} is no channel of CHATITIVE["API_URLS"]. {hint}', "E009"
        )
    if router.db_for_write(declared.owner) != log_alias():
        yield _error(
            declared,
            f"{declared.owner.__name__} is written to another database than the log, so an event "
            "can't be recorded with its change. Route both to the same database.",
            "E011",
        )


def path_problem(model: type[Model], path: str) -> str:
    """What is wrong with a path, as far as the models tell; empty where nothing is known to be."""
    for part in path.split("."):
        if part.startswith("_"):
            return f"{part!r} is private: a path may read public names only."
        try:
            field = model._meta.get_field(part)
        except FieldDoesNotExist:
            if hasattr(model, part):
                return ""
            return f"{model.__name__} has no {part!r}. {suggestion(model, part)}".rstrip()
        single = field.many_to_one or field.one_to_one
        if isinstance(field, ForeignObjectRel) and field.get_accessor_name() != part:
            accessor = field.get_accessor_name()
            return f"{model.__name__} has no {part!r}. Did you mean {accessor!r}?"
        if not single or not isinstance(field.related_model, type):
            return ""
        model = field.related_model
    return ""


def _error(declared: registry.Declared, problem: str, number: str) -> checks.CheckMessage:
    return checks.Error(
        f"{declared.where}: {problem}", obj=declared.model, id=f"chatitive_django.{number}"
    )
