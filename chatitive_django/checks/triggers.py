"""Of what an event waits for: a trigger that can never fire."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import ForeignObjectRel, JSONField, Model

from .. import registry
from ..conf import did_you_mean
from ..events import ANY, Added, Changed, Removed
from ..paths import suggestion
from .messages import Place

CANNOT_CONVERT = (ValidationError, TypeError, ValueError, ArithmeticError, AttributeError)
"""What `to_python` of Django's own fields raises: not all of them keep to `ValidationError`."""


def check_triggers(declared: registry.Declared, place: Place) -> Iterator[CheckMessage]:
    """What the triggers of an event name and wait for.

    E007: `Changed` names no stored field; E016: it names a many-to-many relation; E018: it watches
    a primary key, which never changes; E017: `Added` or `Removed` names no many-to-many relation.
    """
    model = declared.model
    for trigger in declared.event.triggers:
        if isinstance(trigger, (Added, Removed)):
            if registry.relation_named(declared.owner, trigger.field) is None:
                yield place.finding("E017", _no_relation(model, trigger))
        elif isinstance(trigger, Changed):
            field = registry.field_named(model, trigger.field)
            if registry.relation_named(declared.owner, trigger.field) is not None:
                yield place.finding(
                    "E016",
                    f"{trigger.field!r} is a many-to-many relation, which has no column that "
                    f"changes: use Added({trigger.field!r}) or Removed({trigger.field!r}).",
                )
            elif field is not None:
                yield from _check_field(model, field, trigger, place)
            else:
                yield place.finding("E007", _no_column(model, trigger.field))


def _no_relation(model: type[Model], trigger: Added | Removed) -> str:
    kind = type(trigger).__name__
    if registry.field_named(model, trigger.field) is not None:
        advice = f"Use Changed({trigger.field!r})."
    else:
        advice = suggestion(model, str(trigger.field))
    return (
        f"{kind} watches {trigger.field!r}, which is no many-to-many relation of "
        f"{model.__name__}. {advice}"
    )


def _no_column(model: type[Model], name: str) -> str:
    """Why a field can't be watched, and what can."""
    told = f"{name!r} is no stored field of {model.__name__}."
    try:
        field: Any = model._meta.get_field(name)
    except FieldDoesNotExist:
        return f"{told} {suggestion(model, name)}"
    if isinstance(field, ForeignObjectRel) and isinstance(field.related_model, type):
        return f"{told} Its column is in {field.related_model.__name__}: watch that model."
    if hasattr(field, "ct_field"):
        return f"{told} Watch {field.ct_field!r} and {field.fk_field!r}."
    return told


def _check_field(
    model: type[Model], field: registry.AnyField, trigger: Changed, place: Place
) -> Iterator[CheckMessage]:
    is_key = field.primary_key or field in model._meta.pk_fields  # a part of it is no key itself
    if is_key and not trigger.on_create:
        yield place.finding(
            "E018",
            f"{trigger.field!r} is in the primary key of {model.__name__}, which never changes: "
            "a record saved with another key is another record. Use Created().",
        )
    for side, values in (("from_", trigger.from_), ("to", trigger.to)):
        for value in values if values is not ANY else ():
            yield from _check_value(field, f"Changed({trigger.field!r}) {side}", value, place)


def _check_value(
    field: registry.AnyField, what: str, value: Any, place: Place
) -> Iterator[CheckMessage]:
    """Whether the column can ever hold what a trigger asks for.

    E012: it is none of the field's choices; E013: the field can't hold it at all.
    """
    name = f"{field.model.__name__}.{field.name}"
    choices: Sequence[tuple[Any, Any]] = field.flatchoices
    if value is None:
        if not (field.null or field.generated or isinstance(field, JSONField)):
            yield place.finding("E013", f"{what} is None, and {name} is never NULL.")
        return
    try:
        converted = registry.python_value(field, value)
    except CANNOT_CONVERT:
        kind = type(field).__name__
        yield place.finding(
            "E013",
            f"{what} is {value!r}, which {name} ({kind}) can't hold. {_nearest(value, choices)}",
        )
        return
    if choices and converted not in field.empty_values and not _is_among(converted, choices):
        yield place.finding(
            "E012",
            f"{what} is {value!r}, which is none of the choices of {name}. "
            f"{_nearest(value, choices)}",
        )


def _is_among(value: Any, choices: Sequence[tuple[Any, Any]]) -> bool:
    return any(value == choice for choice, _ in choices)


def _nearest(value: Any, choices: Sequence[tuple[Any, Any]]) -> str:
    """The choice that was meant: a label is often written for its value."""
    for choice, label in choices:
        if str(label) == str(value):
            return f"Did you mean {choice!r}, whose label that is?"
    return did_you_mean(str(value), [str(choice) for choice, _ in choices]) if choices else ""
