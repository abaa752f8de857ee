"""Starts the capture: nothing here touches the database."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.core.signals import request_started
from django.db.models import Model
from django.db.models.signals import class_prepared
from django.utils.translation import gettext_lazy as _


class ChatitiveConfig(AppConfig):
    name = "chatitive_django"
    verbose_name = _("Chatitive messages")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, dispatch, registry, signals
        from .capture.record import record_transitions
        from .monitoring import log_signals

        checks.register_all()
        signals.transitioned.connect(record_transitions, dispatch_uid="chatitive_django")
        log_signals()
        signals.notifications_committed.connect(
            dispatch.on_notifications_committed, dispatch_uid="chatitive_django"
        )
        request_started.connect(dispatch.on_request_started, dispatch_uid="chatitive_django")
        for model in apps.get_models(include_auto_created=True):
            watch(model)
        registry.on_register(_watch_family)
        class_prepared.connect(_on_class_prepared, dispatch_uid="chatitive_django")


def watch(model: type[Model]) -> None:
    """Have the writes of a model captured, if it or a parent declares anything."""
    from . import registry
    from .capture.deleting import watch_deletes, watch_emptied_keys
    from .capture.relations import watch_relations
    from .capture.saving import watch_saves
    from .events import Deleted

    if not any(registry.declares(cls) for cls in model.__mro__):
        return
    watch_saves(registry.concrete(model))
    plan = registry.plan_for(model)
    if plan is not None and plan.own(Deleted):
        watch_deletes(model)
    watch_emptied_keys(registry.concrete(model))
    watch_relations(registry.concrete(model))


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
