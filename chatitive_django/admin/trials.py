"""The form of a test: an event for one of the numbers that the settings list."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ..conf import settings
from ..payloads import parsed
from ..subscribers import mask
from .rules.fields import SuggestedInput
from .rules.forms import event_names


class TrialForm(forms.Form):
    """What to send, and to whom of those listed; `whole` shows their numbers whole."""

    event_name = forms.CharField(label=_("Event"), max_length=255)
    number = forms.ChoiceField(label=_("Number"))
    payload = forms.CharField(
        label=_("Payload"),
        required=False,
        initial="{}",
        help_text=_("What the workflow's start conditions and its message read, as JSON."),
        widget=forms.Textarea(attrs={"rows": 6, "cols": 50}),
    )

    def __init__(self, *args: Any, whole: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._numbers = settings.API_TEST_NUMBERS
        shown = [number if whole else mask(number) for number in self._numbers]
        self.fields["number"].choices = list(enumerate(shown))  # type: ignore[attr-defined]
        self.fields["event_name"].widget = SuggestedInput(event_names())

    def clean_number(self) -> str:
        return self._numbers[int(self.cleaned_data["number"])]

    def clean_payload(self) -> dict[str, Any]:
        try:
            payload = parsed(self.cleaned_data["payload"] or "{}")
        except ValueError:
            payload = None
        if not isinstance(payload, dict):
            raise forms.ValidationError(_('Write a JSON object, such as {"key": "value"}.'))
        return payload
