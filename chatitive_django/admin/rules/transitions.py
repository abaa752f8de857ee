"""The changes that the log has seen of a model's fields, counted, to choose from and to by."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Count
from django.utils.text import capfirst

from ...events import Kind
from ...models import Notification, log_alias
from ...registry import AnyField, AnyModel, concrete, field_named, held_value, watchable_fields
from ...sentences import value_phrase
from .fields import choices_of

LOOKED_THROUGH = 20_000
"""How many of the newest rows are looked through: the log has no index by model and field."""
TOLD = 8
_LONGEST = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The changes of one field, the most frequent first, and how many more there are."""

    field: str
    label: str
    changes: list[tuple[str, str, int]]
    """From what to what, in words, and how often."""
    more: int


def seen(model: AnyModel, *, whole: bool) -> list[Seen]:
    """The changes of the fields that a rule may watch, as far as an event has recorded them.

    Unless `whole`, values that the form doesn't offer as choices anyway are hidden.
    """
    fields = watchable_fields(model)
    found: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for (name, old, new), count in _counted(model).items():
        if (field := field_named(model, name)) is not None and field.name in fields:
            words = (_words(json.loads(value), field, whole=whole) for value in (old, new))
            change = (next(words), next(words))
            if change != ("…", "…"):
                found[field.name][change] += count
    return [
        Seen(
            field=name,
            label=capfirst(str(fields[name].verbose_name)),
            changes=[(*change, count) for change, count in changes.most_common(TOLD)],
            more=max(0, len(changes) - TOLD),
        )
        for name, changes in found.items()
    ]


def _counted(model: AnyModel) -> Mapping[tuple[str, str, str], int]:
    """How often each change of each field was seen: by the one event that saw it most often."""
    rows = Notification.objects.using(log_alias())
    newest = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
    tables = {concrete(model), *map(concrete, model._meta.all_parents)}
    found = (
        rows.filter(
            pk__gt=newest - LOOKED_THROUGH,
            source_model__in=[each._meta.label_lower for each in tables],
            origin=Notification.Origin.AUTOMATIC,
        )
        .order_by()
        .values_list("event_key", "why")
        .annotate(Count("pk"))
    )
    by_event: Counter[tuple[str, tuple[str, str, str]]] = Counter()
    for key, why, count in found:
        if why.get("transition") == Kind.CHANGED.value and why.get("field"):
            old, new = (json.dumps(why.get(each), sort_keys=True) for each in ("old", "new"))
            by_event[key, (why["field"], old, new)] += count
    most: dict[tuple[str, str, str], int] = {}
    for (_key, change), count in by_event.items():
        most[change] = max(count, most.get(change, 0))
    return most


def _words(value: Any, field: AnyField, *, whole: bool) -> str:
    is_offered = held_value(field, value) in [choice for choice, _label in choices_of(field)]
    if not (whole or is_offered or value in (None, "")):
        return "…"
    text = value_phrase(value, field)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


class SeenTable(forms.Widget):
    """Shows what was seen, and takes nothing."""

    template_name = "admin/chatitive_django/eventrule/transitions.html"

    def __init__(self, look: Callable[[], list[Seen]]) -> None:
        super().__init__()
        self._look = look

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        return super().get_context(name, value, attrs) | {"seen": self._look()}

    def id_for_label(self, id_: str) -> str:
        return ""
