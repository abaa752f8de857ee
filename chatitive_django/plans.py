"""The events in force for a model's rows, compiled to what a write needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.db import models
from django.db.models import ForeignKey

from .events import ANY, Changed, Created, Trigger
from .registry import AnyField, AnyModel, Declared, Relation, held_value

_EXACT = frozenset(
    {
        models.AutoField,
        models.BigAutoField,
        models.BigIntegerField,
        models.BooleanField,
        models.CharField,
        models.IntegerField,
        models.PositiveBigIntegerField,
        models.PositiveIntegerField,
        models.PositiveSmallIntegerField,
        models.SlugField,
        models.SmallAutoField,
        models.SmallIntegerField,
        models.TextField,
        models.UUIDField,
    }
)
"""Field classes of which the database holds just what `to_python` gives, neither rounded nor
rewritten. Not their subclasses, which may store something else."""


class Plan:
    """All that a write to one concrete model needs to know, compiled once."""

    def __init__(self, model: AnyModel, declared: Sequence[Declared]) -> None:
        self.model = model
        self.declared = declared
        self.tables = {
            table: Table(table, declared)
            for table in (model, *model._meta.all_parents)
            if not table._meta.proxy
        }

    @cached_property
    def owners(self) -> dict[AnyModel, tuple[Declared, ...]]:
        """The events by the concrete model that emits them: this one and its parents."""
        owners: dict[AnyModel, list[Declared]] = {}
        for declared in self.declared:
            owners.setdefault(declared.owner, []).append(declared)
        return {owner: tuple(events) for owner, events in owners.items()}

    @cached_property
    def relations(self) -> frozenset[Relation]:
        """The many-to-many relations that this very model's events watch."""
        own = self.owners.get(self.model, ())
        return frozenset(relation for declared in own for relation in declared.relations)

    def own(self, kind: type[Trigger]) -> bool:
        """Whether an event of this very model has a trigger of a kind."""
        return any(
            isinstance(trigger, kind)
            for declared in self.owners.get(self.model, ())
            for trigger in declared.triggers
        )


class Table:
    """What is watched of one table; a model with concrete parents has several."""

    def __init__(self, model: AnyModel, declared: Sequence[Declared]) -> None:
        triggers: dict[AnyField, list[Changed]] = {}
        for each in declared:
            for watched in each.watched:
                if watched.field.model._meta.concrete_model is model:
                    triggers.setdefault(watched.field, []).append(watched.trigger)
        self.columns = {field.attname: Column(field, each) for field, each in triggers.items()}
        self.emits_on_insert = any(
            isinstance(trigger, Created) or (isinstance(trigger, Changed) and trigger.on_create)
            for each in declared
            if each.owner is model
            for trigger in each.triggers
        )


class Column:
    """One watched column, with all that its triggers ask for in one look."""

    def __init__(self, field: AnyField, triggers: Sequence[Changed]) -> None:
        self.field = field
        self.name = field.name
        self.attname = field.attname
        target = field.target_field if isinstance(field, ForeignKey) else field
        self._is_exact = type(target) in _EXACT and all(each.to is not ANY for each in triggers)
        self._asked = [value for each in triggers if each.to is not ANY for value in each.to]
        try:
            self._asked_set = frozenset(self._asked)
        except TypeError:  # a value that the field can't hold, left as it is
            self._is_exact = False

    def may_become(self, value: Any) -> bool:
        """Whether a write of `value` may leave the column with one that a trigger asks for."""
        if not self._is_exact or hasattr(value, "resolve_expression"):
            return True
        try:
            return value in self._asked_set or self.converted(value) in self._asked_set
        except TypeError:  # it has no hash
            return value in self._asked or self.converted(value) in self._asked

    def converted(self, value: Any) -> Any:
        """`value` as the field holds it, or as it is where the field can't take it."""
        return held_value(self.field, value)

    @property
    def is_written_unseen(self) -> bool:
        """Whether a save may store something else than the instance holds after it."""
        home = type(self.field).pre_save.__module__
        return self.field.generated or not home.startswith("django.db.models.")
