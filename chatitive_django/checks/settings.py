"""Of the settings, and of the Django and the databases that the project runs on."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.models import Model

from .. import conf
from ..backends import make_backend
from ..capture.saving import SAVE_TABLE_PARAMETERS
from ..dbtime import becomes_writer_late
from ..dispatch import get_dispatcher
from ..models import log_alias

Messages = list[checks.CheckMessage]
Apps = Sequence[AppConfig] | None


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


def check_tasks(app_configs: Apps, **kwargs: Any) -> Messages:
    """W004: no worker of django.tasks delivers, but the request itself or nobody."""
    try:
        dispatcher = conf.settings.DISPATCHER
    except ImproperlyConfigured:
        return []  # check_settings tells
    backends: Any = getattr(django_settings, "TASKS", {})
    backend = backends.get("default", {}).get("BACKEND", "ImmediateBackend")
    without_worker = backend.endswith(("ImmediateBackend", "DummyBackend"))
    if dispatcher != "tasks" or not without_worker or django_settings.DEBUG:
        return []
    return [
        checks.Warning(
            'CHATITIVE["DISPATCHER"] is "tasks", and no worker runs what TASKS["default"] takes.',
            hint=(
                "The ImmediateBackend, which is Django's default, delivers within the request "
                "that made the change, and the DummyBackend delivers nothing."
            ),
            id="chatitive_django.W004",
        )
    ]
