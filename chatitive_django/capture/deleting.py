"""Capture of deletes, through Django's own signals, which run inside the delete's transaction."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.db.models.signals import pre_delete

from .. import registry
from ..events import Deleted, Kind
from ..models import log_alias
from .muting import is_muted
from .transitions import Transition, emit, stored_values


def watch_deletes(model: type[Model]) -> None:
    """Listen to the deletes of a model that declares `Deleted`, and of that model only.

    A receiver for every sender would turn off fast deletes for the whole project.
    """
    pre_delete.connect(
        _before_delete, sender=model, dispatch_uid=("chatitive_django", model._meta.label)
    )


def _before_delete(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    """Record the event while the row and what it refers to can still be read.

    The row is read under a lock: of two processes that delete it, one sees it.
    """
    plan = registry.plan_for(sender)
    if plan is None or not plan.own(Deleted) or using != log_alias() or is_muted():
        return
    model, pk = plan.model, instance.pk
    if stored_values(model, pk, [model._meta.pk.attname], using) is not None:
        emit(model, using, [Transition(model=model, pk=pk, using=using, kind=Kind.DELETED)])
