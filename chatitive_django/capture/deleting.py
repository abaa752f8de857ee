"""Capture of deletes, through Django's own signals, which run inside the delete's transaction.

The receivers have a sender each: one for every sender would turn off fast deletes for the whole
project.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.apps import apps
from django.db.models import CASCADE, DO_NOTHING, PROTECT, RESTRICT, ForeignKey, Model, QuerySet
from django.db.models.signals import post_delete, pre_delete

from .. import registry, rules
from ..events import Deleted, Kind
from ..models import log_alias
from .compare import Rows
from .muting import is_muted
from .transitions import Transition, emit, stored_values

_LEAVE_THE_COLUMN = (CASCADE, DO_NOTHING, PROTECT, RESTRICT)
_COMPARED = "_chatitive_compared"

_referring: dict[type[Model], set[tuple[type[Model], str]]] = defaultdict(set)
"""The foreign keys that a delete of a model empties, watched now or by a rule to come."""


def watch_deletes(model: type[Model]) -> None:
    """Listen to the deletes of a model whose deletion may be an event."""
    pre_delete.connect(
        _before_delete, sender=model, dispatch_uid=("chatitive_django", model._meta.label)
    )


def watch_emptied_keys(model: type[Model]) -> None:
    """Listen to the deletes that set a foreign key of a model to NULL or another value.

    To those of the keys that code watches or a rule may watch.
    """
    watched = [each.field for declared in registry.declared(model) for each in declared.watched]
    for cls in registry.family(model):
        watched += registry.watchable_fields(cls).values()
    for field in dict.fromkeys(watched):
        if field.model._meta.concrete_model is not model:
            continue  # its column is a parent's
        if not isinstance(field, ForeignKey) or field.remote_field.on_delete in _LEAVE_THE_COLUMN:
            continue
        for related in apps.get_models():
            if registry.concrete(related) is registry.concrete(field.related_model):
                _referring[related].add((model, field.attname))
                uid = ("chatitive_django keys", related._meta.label)
                pre_delete.connect(_before_emptying, sender=related, dispatch_uid=uid)
                post_delete.connect(_after_emptying, sender=related, dispatch_uid=uid)


def _before_delete(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    """Record the event while the row and what it refers to can still be read.

    The row is read under a lock: of two processes that delete it, one sees it.
    """
    plan = rules.plan_for(sender)
    if plan is None or not plan.own(Deleted) or using != log_alias() or is_muted():
        return
    model, pk = plan.model, instance.pk
    if stored_values(model, pk, [model._meta.pk.attname], using) is not None:
        gone = Transition(plan=plan, model=model, pk=pk, using=using, kind=Kind.DELETED)
        emit(model, using, [gone])


def _before_emptying(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    if using != log_alias() or is_muted():
        return
    compared = []
    for model, attname in _referring[sender]:
        plan = rules.plan_for(model)
        if plan is not None and attname in plan.tables[model].columns:
            field: Any = registry.field_named(model, attname)
            referring: QuerySet[Any] = QuerySet(model=model, using=using)
            rows = Rows(plan, [attname], using)
            rows.read(referring.filter(**{field.name: instance}))
            compared.append(rows)
    instance.__dict__[_COMPARED] = compared


def _after_emptying(sender: type[Model], instance: Model, **kwargs: Any) -> None:
    for rows in instance.__dict__.pop(_COMPARED, ()):
        rows.tell()
