"""An event as one sentence for people, whether code declares it or staff made it as a rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Model
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from .conditions import If
from .events import ANY, Added, Changed, Created, Deleted, Event, Removed, Trigger
from .paths import Path
from .payloads import Constant, Source
from .registry import AnyField, field_named, held_value
from .walking import field_at

OPERATORS: dict[str, Promise] = {
    "equals": gettext_lazy("equals"),
    "not_equals": gettext_lazy("doesn't equal"),
    "contains": gettext_lazy("contains"),
    "not_contains": gettext_lazy("doesn't contain"),
    "starts_with": gettext_lazy("starts with"),
    "in": gettext_lazy("is one of"),
    "gt": gettext_lazy("is greater than"),
    "gte": gettext_lazy("is at least"),
    "lt": gettext_lazy("is less than"),
    "lte": gettext_lazy("is at most"),
    "is_set": gettext_lazy("has a value"),
    "is_empty": gettext_lazy("is empty"),
}
WITHOUT_VALUE = frozenset({"is_set", "is_empty"})
"""The operators that compare with nothing."""


def sentence(event: Event, model: type[Model]) -> str:
    """When an event is sent, and to whom: "When a Ticket is created, send Welcome to phone."."""
    parts = {
        "when": _either(_transition(trigger, model) for trigger in event.triggers),
        "event": event.name,
        "subscriber": _subscriber(event),
    }
    conditions = [condition_phrase(condition, model) for condition in event.conditions]
    if event.condition is not None:
        conditions.append(_("its condition in code holds"))
    if not conditions:
        return _("When %(when)s, send %(event)s to %(subscriber)s.") % parts
    parts["conditions"] = _all(conditions)
    return _("When %(when)s, send %(event)s to %(subscriber)s, if %(conditions)s.") % parts


def name_of(model: type[Model]) -> str:
    """A model by the name that people know it by."""
    return capfirst(str(model._meta.verbose_name))


def _transition(trigger: Trigger, model: type[Model]) -> str:
    name = name_of(model)
    parts = {
        "record": pgettext("a record", "an %(model)s") % {"model": name}
        if name[:1].lower() in "aeiou"
        else pgettext("a record", "a %(model)s") % {"model": name}
    }
    match trigger:
        case Created():
            return _("%(record)s is created") % parts
        case Deleted():
            return _("%(record)s is deleted") % parts
    parts["field"] = field_phrase(model, trigger.field)
    match trigger:
        case Added():
            return _("%(record)s's %(field)s gain one") % parts
        case Removed():
            return _("%(record)s's %(field)s lose one") % parts
        case Changed():
            return _change(trigger, field_named(model, trigger.field), parts)


def _change(trigger: Changed, field: AnyField | None, parts: dict[str, str]) -> str:
    if trigger.from_ is not ANY:
        parts["old"] = values_phrase(trigger.from_, field)
    if trigger.to is not ANY:
        parts["new"] = values_phrase(trigger.to, field)
    match trigger.from_ is not ANY, trigger.to is not ANY:
        case True, True:
            text = _("%(record)s's %(field)s changes from %(old)s to %(new)s")
        case True, False:
            text = _("%(record)s's %(field)s changes from %(old)s")
        case False, True:
            text = _("%(record)s's %(field)s changes to %(new)s")
        case _other:
            text = _("%(record)s's %(field)s changes")
    if not trigger.on_create:
        return text % parts
    if trigger.to is ANY:
        return _("%(change)s or it is created") % {"change": text % parts}
    return _("%(change)s or it is created so") % {"change": text % parts}


def field_phrase(model: type[Model], name: str) -> str:
    """A field or relation by the name that people know it by."""
    field = field_named(model, name)
    if field is not None:
        return str(field.verbose_name)
    many = {each.name: each for each in model._meta.many_to_many}
    return str(many[name].verbose_name) if name in many else name


def values_phrase(values: Iterable[Any], field: AnyField | None) -> str:
    """Values as their field shows them: "Open or Success"."""
    return _either(value_phrase(value, field) for value in values)


def value_phrase(value: Any, field: AnyField | None) -> str:
    """A value as its field shows it: the label of a choice, yes and no, or as it stands."""
    for choice, label in field.flatchoices if field is not None else ():
        if field is not None and choice == held_value(field, value):
            return str(label)
    if value is None or value == "":
        return _("nothing")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value)


def condition_phrase(condition: If, model: type[Model]) -> str:
    """A condition in words: "customer.name is one of Ada or Ben"."""
    words = {"path": condition.path, "operator": OPERATORS[condition.operator]}
    if condition.operator in WITHOUT_VALUE:
        return _("%(path)s %(operator)s") % words
    field = field_at(model, condition.path)
    several = isinstance(condition.value, (list, tuple, set, frozenset))
    phrase = values_phrase if several else value_phrase
    return _("%(path)s %(operator)s %(value)s") % {
        **words,
        "value": phrase(condition.value, field),
    }


def _subscriber(event: Event) -> str:
    sid, phone_number = event.subscriber_sid, event.phone_number
    if sid is not None and phone_number is not None:
        told = {"first": _source(sid), "second": _source(phone_number)}
        return _("%(first)s or else %(second)s") % told
    source = phone_number if sid is None else sid
    return _("nobody") if source is None else _source(source)


def _source(source: Source) -> str:
    match source:
        case str():
            return source
        case Path():
            return source.path
        case Constant():
            return _("a fixed number")
    return _("whom the project's code names")


def _all(parts: Sequence[str]) -> str:
    """All in one phrase: "a and b and c", for each may hold a comma of its own."""
    told, *others = parts
    for part in others:
        told = _("%(first)s and %(second)s") % {"first": told, "second": part}
    return told


def _either(parts: Iterable[str]) -> str:
    """Several in one phrase: "a, b or c"."""
    told: Sequence[str] = list(dict.fromkeys(parts))
    if len(told) < 2:
        return "".join(told)
    return _("%(most)s or %(last)s") % {"most": ", ".join(told[:-1]), "last": told[-1]}
