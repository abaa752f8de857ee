"""What is wrong with a rule, in sentences for those who made it: each names a field of the row."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models, router
from django.utils.translation import gettext as _

from ..conf import LONGEST_SPAN, settings
from ..registry import (
    UNCONVERTIBLE,
    AnyField,
    AnyModel,
    field_named,
    python_value,
    relation_named,
    rule_paths,
    watchable_fields,
    watchable_relations,
)
from ..sentences import WITHOUT_VALUE, name_of
from ..walking import field_at, walk

if TYPE_CHECKING:
    from .rule_rows import RuleCondition, RulePayload
    from .rules import EventRule

Faults = Iterator[tuple[str, str]]

COMPARING = frozenset({"equals", "not_equals", "gt", "gte", "lt", "lte"})
"""The operators that compare with one value of the field's own kind."""


def sentences(row: models.Model, *, exclude: Collection[str]) -> list[str]:
    """What `full_clean` says of a row without asking the database."""
    try:
        row.clean_fields(exclude=exclude)
    except ValidationError as error:
        names = {field.name: str(field.verbose_name) for field in row._meta.concrete_fields}
        return [
            f"{names[name]}: {text}" for name, texts in error.message_dict.items() for text in texts
        ]
    return []


def of_rule(rule: EventRule) -> Faults:
    model = rule.model_class
    if model is None:
        yield "model", _("The project has no model “%(model)s”.") % {"model": rule.model}
    elif not rule_paths(model):
        yield (
            "model",
            _(
                "Rules can't be made for %(model)s: the project offers none of its fields "
                "(chatitive_fields)."
            )
            % {"model": name_of(model)},
        )
    else:
        if router.db_for_write(model) != router.db_for_write(type(rule)):
            yield (
                "model",
                _("%(model)s is kept in another database, so its changes can't be seen.")
                % {"model": name_of(model)},
            )
        if blind := list(of_trigger(rule, model)):
            yield from blind
        else:
            yield from _of_values(rule, model)
        for name in ("phone_number", "subscriber_sid"):
            if path := getattr(rule, name):
                yield from _of_path(model, name, path, as_json=True)
    yield from _of_message(rule)


def may_fire(rule: EventRule, model: AnyModel) -> bool:
    """Whether the rule's transition can be seen, whatever is wrong with its message."""
    known = rule.trigger in rule.Trigger and bool(rule.event_name)
    return known and bool(rule_paths(model)) and not any(of_trigger(rule, model))


def of_trigger(rule: EventRule, model: AnyModel) -> Faults:
    """Why the rule's transition can't be seen: it never fires."""
    kinds = rule.Trigger
    if rule.trigger not in (kinds.CHANGED, kinds.ADDED, kinds.REMOVED):
        return
    name, told = rule.field, {"field": rule.field, "model": name_of(model)}
    relations = watchable_relations(model)
    if rule.trigger == rule.Trigger.CHANGED:
        field = field_named(model, name)
        if field is not None and field.name in watchable_fields(model):
            return
        if name in relations:
            text = _("“%(field)s” holds several records: it gains or loses them, it can't change.")
        else:
            text = _not_watchable(name, watchable_fields(model))
    else:
        if name in relations:
            return
        if relation_named(model, name) is None and field_named(model, name) is not None:
            text = _("“%(field)s” holds one value: it changes, it can't gain or lose records.")
        else:
            text = _not_watchable(name, relations)
    yield "field", text % told


def _not_watchable(name: str, names: Iterable[str]) -> str:
    if not name:
        return _("Name the field.") + " " + _one_of(names)
    return _("Rules can't watch “%(field)s” of %(model)s.") + " " + _nearest(name, names)


def _of_values(rule: EventRule, model: AnyModel) -> Faults:
    if rule.trigger != rule.Trigger.CHANGED:
        return
    field = field_named(model, rule.field)
    for name in ("from_values", "to_values"):
        values = getattr(rule, name)
        if not isinstance(values, list):
            yield name, _("Give a list of values; an empty one means any.")
        elif field is not None:
            for value in values:
                if text := _of_value(value, field):
                    yield name, text
    if rule.from_values == rule.to_values and len(rule.to_values) == 1 and not rule.on_create:
        yield "to_values", _("It never fires: no change goes from a value to the same value.")


def _of_value(value: Any, field: AnyField) -> str:
    """Why the field can never hold a value."""
    told = {"value": value, "field": field.verbose_name}
    if value is None:
        if field.null or field.generated or isinstance(field, models.JSONField):
            return ""
        return _("“%(field)s” is never without a value.") % told
    choices: Sequence[tuple[Any, Any]] = field.flatchoices
    try:
        converted = python_value(field, value)
    except UNCONVERTIBLE:
        return _("“%(field)s” can't hold “%(value)s”.") % told
    if not choices or converted in field.empty_values:
        return ""
    if any(converted == choice for choice, _label in choices):
        return ""
    hint = _nearest(str(value), [str(choice) for choice, _label in choices])
    return _("“%(value)s” is no choice of “%(field)s”.") % told + " " + hint


def _of_path(model: AnyModel, name: str, path: str, *, as_json: bool) -> Faults:
    if text := not_offered(model, path):
        yield name, text
        return
    found = walk(model, path)
    if problem := found.problem or (found.no_json if as_json else ""):
        yield name, _("“%(path)s”: %(problem)s") % {"path": path, "problem": problem}


def not_offered(model: AnyModel, path: str) -> str:
    """Why a rule for a model may not read a path; empty where it may."""
    offered = rule_paths(model)
    if path in offered:
        return ""
    told = {"path": path, "model": name_of(model)}
    return _("Rules can't read “%(path)s” of %(model)s.") % told + " " + _nearest(path, offered)


def _of_message(rule: EventRule) -> Faults:
    """What is wrong with a rule whatever its model is."""
    if rule.event_name != rule.event_name.strip():
        yield "event_name", _("The event's name begins or ends with blanks.")
    if not rule.phone_number and not rule.subscriber_sid:
        yield "phone_number", _("Say who gets the message: a phone number or a subscriber SID.")
    if rule.subscribe_new and not rule.allow_new:
        yield (
            "subscribe_new",
            _("Only a new person can be subscribed: this needs “allow new” as well."),
        )
    try:
        channels = list(settings.API_URLS)
    except ImproperlyConfigured:
        channels = [rule.channel]  # a check tells
    if rule.channel not in channels:
        yield (
            "channel",
            _("The project has no channel “%(channel)s”.") % {"channel": rule.channel}
            + " "
            + _nearest(rule.channel, channels),
        )
    for name in ("expires_after", "cooldown"):
        if (span := getattr(rule, name)) is None:
            continue
        if span <= timedelta(0):
            yield name, _("Give a time that is longer than nothing.")
        elif span > LONGEST_SPAN:
            told = {"days": LONGEST_SPAN.days}
            yield name, _("Give a time of at most %(days)s days.") % told


def of_condition(row: RuleCondition) -> Faults:
    model = row.rule.model_class
    if model is None:
        return
    yield from _of_path(model, "path", row.path, as_json=False)
    if row.operator in WITHOUT_VALUE:
        return
    if row.operator == "in" and not (isinstance(row.value, list) and row.value):
        yield "value", _("Give a list of values.")
        return
    if row.value is None and row.operator not in {"equals", "not_equals"}:
        yield "value", _("Give a value, or choose “is empty” or “has a value”.")
        return
    field = field_at(model, row.path)
    compared = {"in": row.value}.get(row.operator, [row.value])
    if field is not None and row.operator in {*COMPARING, "in"}:
        for value in compared:
            if text := _of_value(value, field) if value is not None else "":
                yield "value", text


def of_payload(row: RulePayload) -> Faults:
    if not all(row.key.split(".")):
        yield "key", _("Write names with dots between them, as in “ticket.url”.")
    if row.path and row.constant is not None:
        yield "constant", _("Give a path or a constant, not both.")
    if not row.path and row.constant is None:
        yield "path", _("Choose a path, or give a constant.")
    if row.path and (model := row.rule.model_class) is not None:
        yield from _of_path(model, "path", row.path, as_json=True)


def of_keys(keys: Iterable[str]) -> Iterator[str]:
    """What is wrong with the keys of one payload taken together."""
    seen: list[str] = []
    for key in keys:
        if text := clash(key, seen):
            yield text
        seen.append(key)


def clash(key: str, others: Iterable[str]) -> str:
    """Why a payload can't have a key beside others; empty where it can."""
    for other in others:
        if key == other:
            return _("The payload has “%(key)s” twice.") % {"key": key}
        if _as_compared(key) == _as_compared(other):
            return _("“%(key)s” and “%(other)s” are the same key to some databases.") % {
                "key": key,
                "other": other,
            }
        outer, inner = sorted((key, other), key=len)
        if inner.startswith(f"{outer}."):
            return _("“%(inner)s” can't be in “%(outer)s”, which has a value of its own.") % {
                "inner": inner,
                "outer": outer,
            }
    return ""


def _as_compared(text: str) -> str:
    """A text as MySQL and MariaDB compare it: without case, accents and blanks at its end."""
    decomposed = unicodedata.normalize("NFD", text.casefold())
    return "".join(each for each in decomposed if not unicodedata.combining(each)).rstrip()


def _nearest(word: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return _("Did you mean “%(name)s”?") % {"name": close[0]} if close else _one_of(known)


def _one_of(names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return (
        _("Choose one of: %(names)s.") % {"names": listed}
        if listed
        else _("The project offers none.")
    )
