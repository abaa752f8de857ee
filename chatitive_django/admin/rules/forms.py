"""The forms of a rule: its name and model first, then what that model offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.apps import apps
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import router
from django.forms.models import BaseInlineFormSet
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...conf import settings
from ...models import EventRule, RuleCondition, RulePayload, faults
from ...registry import (
    AnyModel,
    declared,
    field_named,
    rule_paths,
    watchable_fields,
    watchable_relations,
)
from ...sentences import WITHOUT_VALUE, field_phrase
from ...walking import field_at, walk
from .fields import Picked, PickedField, SpanField, SuggestedInput
from .samples import Samples
from .transitions import Seen, SeenTable
from .values import any_json, shown, shown_json, shown_list, typed, typed_list

if TYPE_CHECKING:
    _RuleForm = forms.ModelForm[EventRule]
    _ConditionForm = forms.ModelForm[RuleCondition]
    _PayloadForm = forms.ModelForm[RulePayload]
    _Rows = BaseInlineFormSet[Any, EventRule, Any]
else:  # Django's own classes take no type arguments when they run
    _RuleForm = _ConditionForm = _PayloadForm = forms.ModelForm
    _Rows = BaseInlineFormSet

Choices = list[tuple[str, Any]]

EMPTY: tuple[str, Any] = ("", "–")

SUBSCRIBE_NEW = "chatitive_django.set_subscribe_new"

HELP: dict[str, Promise] = {
    "trigger": gettext_lazy("What has to happen to a record."),
    "field": gettext_lazy("Not needed where a record is created or deleted."),
    "from_values": gettext_lazy("What it was before; nothing ticked means anything."),
    "to_values": gettext_lazy("What it becomes; nothing ticked means anything."),
    "event_name": gettext_lazy("The event that the workflow in Chatitive listens for."),
    "channel": gettext_lazy("The Chatitive channel that sends it."),
    "phone_number": gettext_lazy("Where the record has the person's phone number."),
    "subscriber_sid": gettext_lazy(
        "Where the record has the person's subscriber SID; used before the phone number."
    ),
    "allow_new": gettext_lazy(
        "Ticked: people whom Chatitive doesn't know yet are added there, unconfirmed. "
        "Not ticked: nothing happens for them."
    ),
    "subscribe_new": gettext_lazy(
        "Ticked: such new people count as subscribed at once, to marketing too. To text people "
        "who haven't agreed to it is a matter of law: tick it only where each of them has given "
        "their consent, and you can prove it. Needs “allow new”."
    ),
    "once": gettext_lazy("How often it may be sent for one record."),
    "cooldown": gettext_lazy("Within this time a person gets this event once only."),
    "expires_after": gettext_lazy("When it couldn't be sent in this time it isn't sent any more."),
    "ordered": gettext_lazy("A message waits until the person's earlier ones are through."),
    "on_ambiguous": gettext_lazy("What to do when nobody can tell whether a message arrived."),
}


def offering_models() -> Choices:
    """The models that rules can be made for, by the names that people know them by."""
    found = [
        (model._meta.label_lower, capfirst(str(model._meta.verbose_name)))
        for model in apps.get_models()
        if rule_paths(model) and router.db_for_write(model) == router.db_for_write(EventRule)
    ]
    return sorted(found, key=lambda each: each[1])


def event_names() -> list[str]:
    """The events that code or rules name already."""
    names = {each.event.name for model in apps.get_models() for each in declared(model)}
    return sorted(names | set(EventRule.objects.values_list("event_name", flat=True)))


class FirstStep(forms.Form):
    """What a rule is called and what it is about; the second step depends on it."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=200,
        widget=AdminTextInputWidget,
        help_text=gettext_lazy("For you and your colleagues, such as “Ask for feedback”."),
    )
    model = forms.ChoiceField(
        label=gettext_lazy("About"),
        help_text=gettext_lazy("What a rule may be made for is decided by the project's code."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        model: Any = self.fields["model"]
        model.choices = [EMPTY, *offering_models()]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if EventRule.objects.filter(name=name).exists():
            raise ValidationError(_("There is a rule of this name already."))
        return name


def _keeping(choices: Choices, current: str) -> Choices:
    """Choices with what is stored, though it is offered no more: nothing changes unseen."""
    if not current or any(current == value for value, _label in choices):
        return choices
    return [*choices, (current, _("%(value)s (not offered)") % {"value": current})]


def _readable_paths(model: AnyModel | None) -> list[str]:
    """The offered paths that lead to a value, rather than to records that can be watched only."""
    paths = rule_paths(model) if model else ()
    return [path for path in paths if model and not walk(model, path).problem]


class _Offering:
    """A form that knows the rule's model, and what that offers."""

    about: ClassVar[AnyModel | None] = None
    samples: ClassVar[Samples] = Samples(None)
    fields: dict[str, forms.Field]

    def choose(self, name: str, choices: Choices, current: str) -> None:
        """Have a field chosen among these, in place of the text that the model has."""
        field = self.fields[name]
        self.fields[name] = forms.ChoiceField(
            choices=_keeping(choices, current),
            label=field.label,
            help_text=str(HELP.get(name, field.help_text)),
            required=field.required,
            initial=field.initial,
        )

    def choose_path(self, name: str, current: str) -> None:
        paths = self.samples.labelled(_readable_paths(self.about))
        self.choose(name, [EMPTY, *paths], current)


class RuleForm(_Offering, _RuleForm):
    """A rule for the model that it has."""

    may_subscribe_new: ClassVar[bool] = True
    transitions: ClassVar[Callable[[], list[Seen]]] = list
    seen_version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    seen_lately = forms.Field(
        label=gettext_lazy("Seen lately"),
        required=False,
        disabled=True,
        help_text=gettext_lazy(
            "Changes for which code or a rule recorded something: of others the log knows nothing."
        ),
    )

    class Meta:
        model = EventRule
        fields = "__all__"
        widgets = {"model": forms.HiddenInput}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "field" not in self.fields:  # for someone who may only look
            return
        stored = self.instance
        if stored.pk:
            self.fields["model"].disabled = True
            self.initial["seen_version"] = stored.version
        for name, text in HELP.items():
            self.fields[name].help_text = str(text)
        self._offer()
        if not self.may_subscribe_new:
            self.fields["subscribe_new"].disabled = True
            self.fields["subscribe_new"].help_text += " " + _("You may not change this.")

    def _offer(self) -> None:
        stored = self.instance
        for name in ("phone_number", "subscriber_sid"):
            self.choose_path(name, self.initial.get(name) or "")
        try:
            channels: Choices = [(alias, alias) for alias in settings.API_URLS]
        except ImproperlyConfigured:  # a check tells
            channels = []
        self.choose("channel", channels, stored.channel if stored.pk else "")
        fields = watchable_fields(self.about) if self.about else {}
        relations = watchable_relations(self.about) if self.about else {}
        names = [*fields, *(name for name in relations if name not in fields)]
        model: Any = self.about
        watched = [(name, capfirst(field_phrase(model, name))) for name in names]
        self.choose("field", [EMPTY, *watched], self.initial.get("field") or "")
        for name in ("from_values", "to_values"):
            values = self.initial.get(name)
            self.fields[name] = PickedField(
                fields.values(), label=str(self.fields[name].label), help_text=HELP[name]
            )
            watching = self._field(self.initial.get("field") or "")
            if isinstance(values, list):
                self.initial[name] = Picked.of(values, watching)
        for name in ("cooldown", "expires_after"):
            self.fields[name] = SpanField(
                label=self.fields[name].label, help_text=HELP[name], required=False
            )
        self.choose("once", [("", _("always")), *EventRule.Once.choices], "")
        by_default = _("as the settings of the project say")
        self.choose("on_ambiguous", [("", by_default), *EventRule.OnAmbiguous.choices], "")
        self.fields["event_name"].widget = SuggestedInput(event_names())
        self.fields["seen_lately"].widget = SeenTable(type(self).transitions)

    def _field(self, name: str) -> Any:
        return field_named(self.about, name) if self.about and name else None

    def clean(self) -> dict[str, Any]:
        super().clean()
        cleaned = self.cleaned_data
        trigger = cleaned.get("trigger")
        if trigger in {EventRule.Trigger.CREATED, EventRule.Trigger.DELETED}:
            cleaned["field"] = ""
        field = self._field(cleaned.get("field") or "")
        if trigger != EventRule.Trigger.CHANGED:
            cleaned["on_create"] = False
        for name in ("from_values", "to_values"):
            picked: Picked = cleaned.get(name) or Picked()
            if trigger != EventRule.Trigger.CHANGED:
                cleaned[name] = []
                continue
            cleaned[name] = picked.values(field)
            if others := picked.of_other_fields(field):
                text = _("The rule doesn't watch the field of “%(values)s”.")
                self.add_error(name, text % {"values": ", ".join(others)})
        self._refuse_what_was_changed_meanwhile()
        return cleaned

    def _refuse_what_was_changed_meanwhile(self) -> None:
        stored = self.instance
        if not stored.pk or self.cleaned_data.get("seen_version") == stored.version:
            return
        text = _(
            "%(person)s saved this rule on %(time)s, after you had opened it. Open it again to see "
            "what has changed; what you entered is still below."
        )
        who = str(stored.edited_by) if stored.edited_by else _("Someone else")
        when = date_format(localtime(stored.edited_at), "DATETIME_FORMAT")
        self.add_error(None, text % {"person": who, "time": when})


class Rows(_Rows):
    """Rows of a rule, which know the rule though it isn't stored yet."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.instance.rule = self.instance
        for field in form.fields.values():  # the table has headings only
            if not field.widget.is_hidden:
                field.widget.attrs["aria-label"] = str(field.label)

    def rows(self) -> list[Any]:
        """The rows as the form has them, stored or not, without those that are to go."""
        gone = self.deleted_forms
        return [
            form.instance
            for form in self.forms
            if form not in gone and (form.instance.pk or form.has_changed())
        ]


class PayloadRows(Rows):
    """The rows of one payload, which must not have a key twice."""

    def clean(self) -> None:
        if texts := list(faults.of_keys(row.key for row in self.rows() if row.key)):
            raise ValidationError(texts)
        super().clean()

    def save_existing_objects(self, commit: bool = True) -> list[Any]:
        """Save the rows; those that go or get another key make way first: another may take theirs.

        A row of another key is written anew under its own number.
        """
        moving = [
            form.instance.pk
            for form in self.initial_forms
            if form in self.deleted_forms or "key" in form.changed_data
        ]
        RulePayload.objects.filter(pk__in=moving).delete()
        return super().save_existing_objects(commit)


class ConditionForm(_Offering, _ConditionForm):
    """A condition, with its value as people type it."""

    class Meta:
        model = RuleCondition
        fields = ["path", "operator", "value"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "path" not in self.fields:  # for someone who may only look
            return
        stored = self.instance
        self.choose_path("path", stored.path)
        self.fields["value"] = forms.CharField(
            label=self.fields["value"].label,
            required=False,
            widget=AdminTextInputWidget,
            help_text=_("Several for “is one of”: with commas between them."),
        )
        if stored.pk:
            self.initial["value"] = condition_text(stored, self.about)

    def clean(self) -> dict[str, Any]:
        super().clean()
        cleaned = self.cleaned_data
        path, operator = cleaned.get("path"), cleaned.get("operator")
        text = cleaned.get("value") or ""
        field = field_at(self.about, path) if self.about and path else None
        cleaned["value"] = None
        if operator == "in":
            cleaned["value"] = typed_list(text, field)
        elif operator and operator not in WITHOUT_VALUE:
            cleaned["value"] = typed(text, field)
            if not text:
                self.add_error("value", _("Give a value, or choose “is empty” or “has a value”."))
        return cleaned


def condition_text(row: RuleCondition, model: AnyModel | None) -> str:
    """A condition's value as people type it."""
    field = field_at(model, row.path) if model else None
    if row.operator in WITHOUT_VALUE:
        return ""
    if row.operator == "in" and isinstance(row.value, list):
        return shown_list(row.value, field)
    return shown(row.value, field)


class PayloadForm(_Offering, _PayloadForm):
    """A value of the payload: what a path leads to, or a constant."""

    class Meta:
        model = RulePayload
        fields = ["key", "path", "constant", "fallback"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "path" not in self.fields:  # for someone who may only look
            return
        self.choose_path("path", self.instance.path)
        for name in ("constant", "fallback"):
            self.fields[name] = forms.CharField(
                label=self.fields[name].label, required=False, widget=AdminTextInputWidget
            )
            if self.instance.pk:
                self.initial[name] = shown_json(getattr(self.instance, name))

    def validate_constraints(self) -> None:
        """Nothing by itself, as before Django 6: `PayloadRows` looks at all rows together."""

    def clean(self) -> dict[str, Any]:
        super().clean()
        for name in ("constant", "fallback"):
            self.cleaned_data[name] = any_json(self.cleaned_data.get(name) or "")
        return self.cleaned_data
