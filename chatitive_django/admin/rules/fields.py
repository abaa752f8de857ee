"""Form fields of the rules: values of a field, spans of time, names with suggestions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...registry import AnyField
from .values import shown_list, typed_list


@dataclass(frozen=True, slots=True)
class Picked:
    """What was ticked, as pairs of a field's name and a choice's text; and what was typed."""

    ticked: frozenset[tuple[str, str]] = frozenset()
    text: str = ""

    @classmethod
    def of(cls, values: list[Any], field: AnyField | None) -> Picked:
        """Stored values as people see them."""
        texts = {str(value) for value, _label in choices_of(field)} if field is not None else set()
        name = field.name if field is not None else ""
        known = [value for value in values if str(value) in texts]
        rest = [value for value in values if str(value) not in texts]
        return cls(frozenset((name, str(value)) for value in known), shown_list(rest, field))

    def values(self, field: AnyField | None) -> list[Any]:
        """What a rule keeps, in the order of the field's choices.

        What was ticked and is no choice any more is kept as it is, for the rule to refuse: left out
        it might make the rule one that any value fires.
        """
        name = field.name if field is not None else ""
        ticked = {text for each, text in self.ticked if each == name}
        found = [value for value, _label in choices_of(field) if str(value) in ticked]
        found += sorted(ticked - set(map(str, found)))
        found += [value for value in typed_list(self.text, field) if value not in found]
        return found

    def of_other_fields(self, field: AnyField | None) -> list[str]:
        """What was ticked of fields that the rule doesn't watch."""
        name = field.name if field is not None else ""
        return sorted(value for each, value in self.ticked if each != name)


def choices_of(field: AnyField | None) -> list[tuple[Any, str]]:
    """The values among which a field's value is chosen, each with its label."""
    if field is None:
        return []
    if isinstance(field, models.BooleanField) and not field.choices:
        return [(True, _("yes")), (False, _("no"))]
    return [(value, str(label)) for value, label in field.flatchoices if value not in (None, "")]


class PickedInput(forms.Widget):
    """A box to tick for each choice of each field, and a line for other values."""

    template_name = "admin/chatitive_django/eventrule/picked.html"

    def __init__(self, fields: Iterable[AnyField], label: str) -> None:
        super().__init__()
        self._fields = list(fields)
        self._label = label

    def get_context(self, name: str, value: Any, attrs: Mapping[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, dict(attrs or {}))
        picked = value if isinstance(value, Picked) else Picked()
        context["groups"] = [
            (
                field.name,
                f"{self._label}: {field.verbose_name}",
                capfirst(str(field.verbose_name)),
                [
                    (f"{field.name}:{value}", label, (field.name, str(value)) in picked.ticked)
                    for value, label in choices
                ],
            )
            for field in self._fields
            if (choices := choices_of(field))
        ]
        context |= {"text": picked.text, "text_label": f"{self._label}: " + _("values")}
        return context

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Picked:
        boxes = data.getlist(name) if hasattr(data, "getlist") else data.get(name, [])
        pairs = (box.partition(":") for box in boxes)
        ticked = frozenset((field, value) for field, _colon, value in pairs)
        return Picked(ticked, data.get(f"{name}_text", "").strip())

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False  # like any box to tick

    def id_for_label(self, id_: str) -> str:
        return ""


class PickedField(forms.Field):
    """Values of whichever field the rule watches; the form makes a list of them."""

    def __init__(self, fields: Iterable[AnyField], *, label: str, **kwargs: Any) -> None:
        widget = PickedInput(fields, label)
        super().__init__(widget=widget, label=label, required=False, **kwargs)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or Picked()) != data)


UNITS = [
    ("minutes", gettext_lazy("minutes")),
    ("hours", gettext_lazy("hours")),
    ("days", gettext_lazy("days")),
]


class SpanInput(forms.MultiWidget):
    """A number and its unit."""

    use_fieldset = True

    def __init__(self) -> None:
        number = {"min": 1, "class": "vIntegerField", "aria-label": gettext_lazy("How many")}
        unit = {"aria-label": gettext_lazy("Unit")}
        super().__init__([forms.NumberInput(number), forms.Select(unit, choices=UNITS)])

    def decompress(self, value: timedelta | None) -> list[Any]:
        if value is None:
            return [None, "hours"]
        for unit, _label in reversed(UNITS):
            if not value % timedelta(**{unit: 1}):
                return [value // timedelta(**{unit: 1}), unit]
        return [round(value / timedelta(minutes=1), 4), "minutes"]


class SpanField(forms.MultiValueField):
    """A span of time as people say it: two hours, seven days."""

    def __init__(self, **kwargs: Any) -> None:
        fields = (
            forms.FloatField(min_value=0, required=False),
            forms.ChoiceField(choices=UNITS, required=False),
        )
        super().__init__(fields, widget=SpanInput(), require_all_fields=False, **kwargs)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """A unit without a number is nothing."""
        try:
            return bool(initial != self.clean(data))
        except forms.ValidationError:
            return True

    def compress(self, data_list: list[Any]) -> timedelta | None:
        number, unit = data_list or (None, "")
        if number is None:
            return None
        try:
            return timedelta(**{unit or "hours": number})
        except OverflowError:
            raise forms.ValidationError(_("That is too long.")) from None


class SuggestedInput(AdminTextInputWidget):
    """A line with suggestions."""

    template_name = "admin/chatitive_django/eventrule/suggested.html"

    def __init__(self, suggestions: Iterable[str]) -> None:
        super().__init__()
        self._suggestions = suggestions

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["suggestions"] = self._suggestions
        context["list_id"] = context["widget"]["attrs"]["list"] = f"{name}_suggestions"
        return context
