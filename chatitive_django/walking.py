"""Where a path leads, as far as the models tell without a record."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.core.exceptions import FieldDoesNotExist
from django.db.models import BinaryField, Field, FileField, Manager, Model
from django.db.models.fields.related import RelatedField
from django.db.models.fields.reverse_related import ForeignObjectRel, OneToOneRel

from .paths import suggestion

AnyField: TypeAlias = "Field[Any, Any]"

NO_PATH = "it is no path: write names with dots, as in 'agent.name'."

_UNKNOWN = object()


@dataclass(frozen=True, slots=True)
class Walk:
    """What is known of a path: why it can't be read, why no JSON comes of it, what it costs."""

    problem: str = ""
    no_json: str = ""
    hop: str = ""
    """The part that can't be joined to the read of the record, if there is one."""


def walk(model: type[Model], path: str) -> Walk:
    """Follow a path over the models; it says nothing of what it can't know."""
    parts = path.split(".")
    if not all(parts):
        return Walk(NO_PATH)
    return _walk(model, parts[0], parts[1:], path)


def field_at(model: type[Model], path: str) -> AnyField | None:
    """The stored field whose value a path gives; `None` where it gives anything else."""
    *crossed, last = path.split(".")
    for part in crossed:
        field = _field(model, part)
        if field is None or not _is_joinable(field, part) or not _is_model(field.related_model):
            return None
        model = field.related_model
    field = _field(model, last)
    if not isinstance(field, Field) or field.column is None:
        return None
    return field if not field.is_relation or _is_column(field, last) else None


def _is_model(related: Any) -> bool:
    return isinstance(related, type) and issubclass(related, Model)


def _walk(model: type[Model], part: str, rest: list[str], path: str) -> Walk:
    if problem := _unreadable(model, part):
        return Walk(problem)
    field = _field(model, part)
    if field is None:
        return Walk(hop=part if rest else "")
    if field.many_to_many or field.one_to_many:
        return _into_many(model, part, rest)
    if not field.is_relation or _is_column(field, part):
        return Walk(no_json="" if rest else _no_json(field, path))
    related = field.related_model
    if not rest:
        kind = related.__name__ if isinstance(related, type) else "record"
        return Walk(no_json=f"that is a {kind}, no JSON value: name one of its fields.")
    if not isinstance(related, type) or not _is_joinable(field, part):
        return Walk(hop=part)
    return _walk(related, rest[0], rest[1:], path)


def _field(model: type[Model], part: str) -> Any:
    """The field or relation that an attribute of a record stands for; `None` for another one."""
    for relation in model._meta.related_objects:
        if relation.get_accessor_name() == part:
            return relation
    try:
        field = model._meta.get_field(part)
    except FieldDoesNotExist:
        return None
    return None if isinstance(field, ForeignObjectRel) else field


def _is_column(field: Any, part: str) -> bool:
    """Whether a name is that of a relation's own column, such as "agent_id"."""
    return not isinstance(field, ForeignObjectRel) and part != field.name


def _is_joinable(field: Any, part: str) -> bool:
    return isinstance(field, (RelatedField, OneToOneRel)) and field.name == part


def _unreadable(owner: type, part: str) -> str:
    """Why a path can't read a name of a class, by the rules that it is read by."""
    if part.startswith("_"):
        return f"{part!r} is private: a path may read public names only."
    if issubclass(owner, Model) and _field(owner, part) is not None:
        return ""
    found = getattr(owner, part, _UNKNOWN)
    if found is _UNKNOWN:
        if hasattr(owner, "__getattr__"):
            return ""
        return f"{owner.__name__} has no {part!r}. {_suggestion(owner, part)}"
    if issubclass(owner, Model) and isinstance(found, Manager):
        return f"{part!r} is a manager, which a record hasn't."
    if getattr(found, "alters_data", False):
        return f"{part!r} changes data: a path may only read."
    if _needs_arguments(owner, part, found):
        return f"{part!r} needs arguments, and a path gives none."
    return ""


def _suggestion(owner: type, part: str) -> str:
    """The nearest name, or the accessor of a relation that was called by its query name."""
    if issubclass(owner, Model):
        for relation in owner._meta.related_objects:
            if relation.name == part and (accessor := relation.get_accessor_name()):
                return f"Did you mean {accessor!r}?"
    return suggestion(owner, part)


def _needs_arguments(owner: type, part: str, found: Any) -> bool:
    """Whether a method can't be called on a record alone."""
    if not inspect.isroutine(found):
        return False
    static = inspect.getattr_static(owner, part)
    bound = inspect.ismethod(found) or isinstance(static, staticmethod)
    try:
        inspect.signature(found).bind(*([] if bound else [None]))
    except TypeError:
        return True
    except ValueError:  # one written in C, which doesn't tell
        return False
    return False


def _into_many(model: type[Model], part: str, rest: list[str]) -> Walk:
    """A path to several records has to name what it wants of them, such as their count."""
    if not rest:
        return Walk(f"{part!r} leads to several records: name what you want, as in '{part}.count'.")
    manager = getattr(getattr(model, part, None), "related_manager_cls", None)
    if isinstance(manager, type) and (problem := _unreadable(manager, rest[0])):
        return Walk(problem.replace(manager.__name__, f"the relation {part!r}"))
    return Walk(hop=part)


def _no_json(field: Any, path: str) -> str:
    if isinstance(field, FileField):
        return f"that is a file, no JSON value: write '{path}.url' or '{path}.name'."
    if isinstance(field, BinaryField):
        return "that is binary data, no JSON value."
    return ""
