"""Capture of many-to-many relations, through Django's own signal.

The signal names what was asked for. What is stored is read before the write, under the lock of the
records whose relation changes: to add what is there already, or to remove what isn't, is no change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from django.db.models import Model
from django.db.models.signals import m2m_changed

from .. import registry, rules
from ..events import Change, Kind
from ..models import log_alias
from ..plans import Plan
from .chunks import chunked
from .muting import is_muted
from .transitions import Transition, emit, locked, rows_of

_KINDS = {"add": Kind.ADDED, "remove": Kind.REMOVED, "clear": Kind.REMOVED}
_FOUND = "_chatitive_relations"

_watched: dict[type[Model], set[tuple[type[Model], registry.Relation]]] = defaultdict(set)

Pairs = dict[Any, list[Any]]
"""The related keys by the key of the record whose relation changes."""


def watch_relations(model: type[Model]) -> None:
    """Listen to the relations of a concrete model that its events or a rule may watch."""
    relations = {
        relation
        for declared in registry.declared(model)
        if declared.owner is model
        for relation in declared.relations
    }
    for cls in registry.family(model):
        relations |= {*registry.watchable_relations(cls).values()}
    for relation in relations:
        _watched[relation.through].add((model, relation))
        m2m_changed.connect(_on_change, sender=relation.through, dispatch_uid="chatitive_django")


def _on_change(
    sender: type[Model],
    instance: Model,
    action: str,
    reverse: bool,
    pk_set: Collection[Any] | None,
    using: str,
    **kwargs: Any,
) -> None:
    if using != log_alias() or is_muted():
        return
    moment, _, verb = action.partition("_")
    found: list[tuple[Plan, registry.Relation, Pairs]]
    if moment == "pre":
        found = [
            (
                plan,
                relation,
                dict(_changing(model, relation, verb, instance.pk, reverse, pk_set, using)),
            )
            for model, relation in _watched[sender]
            if (plan := rules.plan_for(model)) is not None and relation in plan.relations
        ]
        instance.__dict__[_FOUND] = found
        return
    found = instance.__dict__.pop(_FOUND, [])
    for plan, relation, pairs in found:
        for keys in chunked(pairs):
            emit(
                plan.model,
                using,
                [_transition(plan, relation, verb, pk, pairs[pk], using) for pk in keys],
            )


def _transition(
    plan: Plan,
    relation: registry.Relation,
    verb: str,
    pk: Any,
    related: list[Any],
    using: str,
) -> Transition:
    kind = _KINDS[verb]
    change = Change(None, related) if kind is Kind.ADDED else Change(related, None)
    return Transition(
        plan=plan,
        model=plan.model,
        pk=pk,
        using=using,
        kind=kind,
        changes={relation.name: change},
    )


def _changing(
    model: type[Model],
    relation: registry.Relation,
    verb: str,
    pk: Any,
    reverse: bool,
    pk_set: Collection[Any] | None,
    using: str,
) -> Iterator[tuple[Any, list[Any]]]:
    """The records whose relation will change, each with the keys that come or go."""
    instance_is_source = relation.is_forward is not reverse
    own, other = relation.source, relation.target
    if not instance_is_source:
        own, other = other, own
    if instance_is_source and not _lock(model, [pk], using):
        return
    stored = relation.through._base_manager.using(using).filter(**{own: pk})
    asked = stored.values_list(other, flat=True) if pk_set is None else pk_set
    of_instance: list[Any] = []
    for keys in chunked(sorted(asked, key=str)):
        held = _lock(model, keys, using) if not instance_is_source else set()
        present = set(stored.filter(**{f"{other}__in": keys}).values_list(other, flat=True))
        changing = [key for key in keys if (key in present) is (verb != "add")]
        if instance_is_source:
            of_instance += changing
        else:
            yield from ((key, [pk]) for key in changing if key in held)
    if of_instance:
        yield pk, of_instance


def _lock(model: type[Model], pks: list[Any], using: str) -> set[Any]:
    """Lock the records of these keys that there are, in one order for everyone."""
    rows = rows_of(model, pks, using).order_by("pk")
    return set(locked(rows, using).values_list("pk", flat=True))
