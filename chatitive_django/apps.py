"""Starts the capture: nothing here touches the database."""

from __future__ import annotations

from contextlib import suppress

from django.apps import AppConfig, apps
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import request_started
from django.db.models import Model
from django.db.models.signals import class_prepared, post_migrate
from django.utils.translation import gettext_lazy as _


class ChatitiveConfig(AppConfig):
    name = "chatitive_django"
    verbose_name = _("Chatitive messages")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import batches, checks, dispatch, registry, rules, signals, sweepers
        from .capture.record import record_transitions
        from .monitoring import log_signals

        checks.register_all()
        signals.transitioned.connect(record_transitions, dispatch_uid="chatitive_django")
        log_signals()
        sweepers.register(batches.advance)
        signals.notifications_committed.connect(
            dispatch.on_notifications_committed, dispatch_uid="chatitive_django"
        )
        signals.rules_written.connect(rules.on_rules_written, dispatch_uid="chatitive_django")
        post_migrate.connect(rules.on_migrated, sender=self, dispatch_uid="chatitive_django rules")
        with suppress(ImproperlyConfigured):  # a check tells
            dispatch.get_dispatcher()  # now, for an engine's worker must know its task by name
        request_started.connect(dispatch.on_request_started, dispatch_uid="chatitive_django")
        for model in apps.get_models(include_auto_created=True):
            watch(model)
        registry.on_register(_watch_family)
        class_prepared.connect(_on_class_prepared, dispatch_uid="chatitive_django")


def watch(model: type[Model]) -> None:
    """Have the writes of a model captured, if it or a parent declares events or rule paths."""
    from . import registry
    from .capture.deleting import watch_deletes, watch_emptied_keys
    from .capture.relations import watch_relations
    from .capture.saving import watch_saves
    from .events import Deleted

    if not any(registry.declares(cls) for cls in model.__mro__):
        return
    concrete = registry.concrete(model)
    watch_saves(concrete)
    if registry.may_have_rules(concrete) or any(
        isinstance(trigger, Deleted)
        for declared in registry.declared(concrete)
        if declared.owner is concrete
        for trigger in declared.triggers
    ):
        watch_deletes(concrete)
        watch_deletes(model)
    watch_emptied_keys(concrete)
    watch_relations(concrete)


def _watch_family(model: type[Model]) -> None:
    from . import registry

    for candidate in apps.get_models(include_auto_created=True):
        if issubclass(candidate, registry.concrete(model)):
            watch(candidate)


def _on_class_prepared(sender: type[Model], **kwargs: object) -> None:
    from . import registry

    if sender._meta.apps is apps:  # not a migration's historical model
        registry.forget_plans()
        watch(sender)
