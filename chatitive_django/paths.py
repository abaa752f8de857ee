"""Dotted paths over a record: `"agent.name"`, read at the moment that a notification is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db.models import Model
from django.db.models.fields.related import RelatedField
from django.db.models.fields.reverse_related import OneToOneRel

from .conf import did_you_mean
from .exceptions import PathError


@dataclass(frozen=True, slots=True)
class Path:
    """A payload path with what stands in its place where it meets `None`.

    Each part of `path` is an attribute, a mapping's key, or a method without arguments.
    """

    path: str
    fallback: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not all(self.path.split(".")):
            raise PathError(f"{self.path!r} is no path: write names with dots, as in 'agent.name'.")

    def read(self, instance: object) -> Any:
        """What the path leads to on `instance`, or the fallback where it meets `None`.

        Raises `PathError` where a part names nothing, and whatever a property or method raises.
        """
        value: Any = instance
        for part in self.path.split("."):
            value = _step(value, part)
            if value is None:
                return self.fallback
        return value


def _step(value: Any, part: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(part)
    if part.startswith("_"):
        raise PathError(f"{part!r} is private: a path may read public names only.")
    try:
        found = getattr(value, part)
    except ObjectDoesNotExist:
        return None
    except AttributeError:
        if hasattr(type(value), part):
            raise
        owner = type(value).__name__
        raise PathError(f"{owner} has no {part!r}. {suggestion(type(value), part)}") from None
    if not callable(found) or getattr(found, "do_not_call_in_templates", False):
        return found
    if getattr(found, "alters_data", False):
        raise PathError(f"{part!r} changes data: a path may only read.")
    return found()


def suggestion(owner: type, part: str) -> str:
    """The nearest public name of a class, as a closing hint."""
    names = [name for name in dir(owner) if not name.startswith("_")]
    if issubclass(owner, Model):
        names = sorted({*names, *(field.name for field in owner._meta.get_fields())})
    hint = did_you_mean(part, names)
    return hint if hint.startswith("Did") else ""


def relations(model: type[Model], path: str) -> str:
    """The relations that a path crosses, as `select_related` takes them: `"agent__team"`."""
    crossed: list[str] = []
    for part in path.split("."):
        try:
            field = model._meta.get_field(part)
        except FieldDoesNotExist:
            break
        single = isinstance(field, OneToOneRel) or (
            isinstance(field, RelatedField) and (field.many_to_one or field.one_to_one)
        )
        if not single or not isinstance(field.related_model, type):
            break
        if isinstance(field, RelatedField) and field.name != part:
            break  # the relation's own column, "agent_id"
        crossed.append(part)
        model = field.related_model
    return "__".join(crossed)
